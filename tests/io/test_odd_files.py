"""Files whose content was misread in silence: each is right now, or refused in a sentence."""

import gzip

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from test_formats import AL_CU, CELL, V5, data, dump, read, xyz

from defectkit.io import iter_frames, read_frames

COPPER = bulk("Cu", cubic=True)


# LAMMPS --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("style", "unit"), [("electron", 0.52917721), ("nano", 10.0)])
def test_units_named_in_the_first_frame_of_a_dump_hold_for_all(tmp_path, style, unit):
    frame = dump("id type x y z", "1 1 0 0 0", "2 1 0.4 0.4 0.4").replace("0 10", "0 0.8")
    if style == "electron":
        frame = frame.replace("0.4", "4").replace("0.8", "8")
    size = 8 if style == "electron" else 0.8
    frames, _ = read(
        tmp_path / "a.dump", f"ITEM: UNITS\n{style}\n{frame}" + frame * 2, elements=["Cu"]
    )
    assert len(frames) == 3
    for atoms in frames:
        np.testing.assert_allclose(atoms.cell.lengths(), size * unit, rtol=1e-6)
        np.testing.assert_allclose(atoms.positions[1], size / 2 * unit, rtol=1e-6)


def test_a_wrong_line_is_named_also_after_a_line_of_units(tmp_path):
    good = dump("id type x y z", "1 1 0 0 0", "2 1 4 4 4")
    text = f"ITEM: UNITS\nmetal\n{good}" + good.replace("4 4 4", "4 oops 4")
    at = 1 + text.split("\n").index("2 1 4 oops 4 ")
    with pytest.raises(ValueError, match=rf"line {at} .* has 'oops' where y is expected"):
        read(tmp_path / "a.dump", text, elements=["Cu"])


def test_exponents_of_fortran_in_the_box(tmp_path):
    text = dump("id type x y z", "1 1 0 0 0", "2 1 4 4 4").replace("0 10", "0 1.0D+01")
    frames, _ = read(tmp_path / "a.dump", text, elements=["Cu"])
    np.testing.assert_allclose(frames[0].cell.lengths(), 10)
    frames, _ = read(tmp_path / "POSCAR", V5.replace("5.64 0 0", "5.64D+00 0d0 0"))
    np.testing.assert_allclose(frames[0].cell.lengths(), 5.64)
    frames, _ = read(
        tmp_path / "input.data", "begin\nlattice 1D1 0 0\nlattice 0 10 0\nlattice 0 0 10\n"
        "atom 1.5d0 0 0 Cu 0 0 0 0 0\nend\n", length_unit=1.0,
    )  # fmt: skip
    assert frames[0].cell[0, 0] == 10 and frames[0].positions[0, 0] == 1.5


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.dump", dump("id type x y z", "1 1 0 0 0").replace("0 10", "10 0", 1), "box that ends"),
        ("a.data", data("1 1 0 0 0\n2 1 0 2 2\n3 2 2 2 0\n4 2 2 0 2").replace("0 5 x", "5 0 x"),
         "box that ends before it begins"),
        ("a.data", data("".join(f"{k} 1 {k / 2} 0 0\n" for k in range(1, 7))),
         "fewer atoms than it has: its section Atoms has 6 lines, not 4"),
        ("POSCAR", V5 * 2, "holds several structures one after the other; give a list"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path, name, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / name, text, elements=AL_CU)


# XYZ -----------------------------------------------------------------------------------------


def test_a_comment_of_cp2k_does_not_hide_a_lattice(tmp_path):
    comment = " i = 5, time = 2.5, E = -1.0, " + CELL.format(8)
    frames, _ = read(tmp_path / "a.xyz", xyz("Ni 0 0 0", "Ni 2.5 0 0", comment=comment))
    assert frames[0].pbc.all() and frames[0].cell[0, 0] == 8 and frames[0].info["time"] == 2.5
    plain, _ = read(tmp_path / "b.xyz", xyz("Ni 0 0 0", comment=" i = 5, time = 2.5, E = -1.0"))
    assert plain[0].info == {"step": 5, "time": 2.5}


def test_a_stress_of_six_numbers_does_not_hide_the_lattice(tmp_path):
    comment = CELL.format(8) + ' energy=-1.5 stress="1 2 3 4 5 6"'
    frames, _ = read(tmp_path / "a.xyz", xyz("Ni 0 0 0", "Ni 2.5 0 0", comment=comment))
    assert frames[0].cell[0, 0] == 8 and frames[0].pbc.all()
    assert frames[0].info["stress_as_written"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("comment", "sentence"),
    [
        (CELL.format(8) + ' pbc="yes"', "pbc is not three T or F"),
        (CELL.format(8) + ' pbc="2 0 0"', "pbc is not three T or F"),
        ('Lattice="8 8 8"', "frame 0 cannot be read: Lattice is not nine numbers; repair"),
        ('Lattice="8,0 0 0 0 8,0 0 0 0 8,0"', "Lattice is not nine numbers"),
        ('Lattice="8 0 0 0 8 0 8 8 0"', "cell vectors that lie in one plane; set three"),
    ],
)
def test_boxes_that_are_none_are_named(tmp_path, comment, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.xyz", xyz("Ni 0 0 0", "Ni 2.5 0 0", comment=comment))


# PDB -----------------------------------------------------------------------------------------


def row(k, x, letter=" ", occupancy=1.0):
    return (
        f"HETATM{k:5d} CU  {letter} CU A{k:4d}    {x:8.3f}{0:8.3f}{0:8.3f}{occupancy:6.2f}{0:6.2f}"
        "          CU\n"
    )


HEAD = "CRYST1   12.000   12.000   12.000  90.00  90.00  90.00 {}\n"


def test_alternative_locations_are_no_atoms_of_their_own(tmp_path):
    rows = [row(1, 0), row(2, 2.5, "A", 0.4), row(2, 3.0, "B", 0.6), row(3, 5, "A", 0.5),
            row(3, 5.5, "B", 0.5)]  # fmt: skip
    frames, told = read(tmp_path / "a.pdb", HEAD.format("P 1") + "".join([*rows, "END\n"]) * 2)
    assert [atoms.positions[:, 0].tolist() for atoms in frames] == [[0, 3.0, 5]] * 2
    assert len(told) == 1 and "alternative locations; of each residue those of the most" in told[0]


def test_symmetry_that_a_pdb_names_is_said_not_to_be_applied(tmp_path):
    frames, told = read(tmp_path / "a.pdb", HEAD.format("F m -3 m") + row(1, 0) + "END\n")
    assert len(frames[0]) == 1 and "space group F m -3 m, which is not applied" in told[0]
    assert read(tmp_path / "a.pdb", HEAD.format("P 1           1") + row(1, 0))[1] == []


# CIF -----------------------------------------------------------------------------------------

F_CENTRED = "'x,y,z' 'x,y+1/2,z+1/2' 'x+1/2,y,z+1/2' 'x+1/2,y+1/2,z'"


def cif(rows="Cu1 Cu 0 0 0", a="3.61", symmetry="", columns="", gamma=90, c=None):
    lengths = zip("abc", (a, a, c or a), strict=True)
    angles = zip(("alpha", "beta", "gamma"), (90, 90, gamma), strict=True)
    return (
        "data_x\n" + "".join(f"_cell_length_{k} {v}\n" for k, v in lengths)
        + "".join(f"_cell_angle_{k} {v}\n" for k, v in angles) + symmetry + "loop_\n"
        + "".join(f"_atom_site_{n}\n" for n in ("label", "type_symbol", "fract_x", "fract_y",
                                                "fract_z", *columns.split())) + rows + "\n"
    )  # fmt: skip


def operations(listed):
    return "loop_\n_symmetry_equiv_pos_as_xyz\n" + listed.replace("' '", "'\n'") + "\n"


NAME = "_symmetry_space_group_name_H-M '{}'\n"
LOOPED = "loop_\n_cell_angle_beta\n"
THIRDS = "Mg1 Mg 0.3333 0.6667 0.25"


@pytest.mark.parametrize(
    ("text", "formula", "distance"),
    [
        (cif(symmetry=operations(F_CENTRED)), "Cu4", 2.553),
        (cif(symmetry=NAME.format("F m -3 m")), "Cu4", 2.553),
        (cif(symmetry="_symmetry_Int_Tables_number 225\n"), "Cu4", 2.553),
        (cif("Si1 Si 0.125 0.125 0.125", "5.43", NAME.format("F d -3 m:2")), "Si8", 2.351),
        (cif("Si1 Si 0 0 0", "5.43(1)", NAME.format("F d -3 m:1")), "Si8", 2.351),
        (cif(symmetry=operations(F_CENTRED)).replace("_cell_angle_beta ", LOOPED),
         "Cu4", 2.553),
        (cif(THIRDS, "3.21", NAME.format("P 63/m m c"), gamma=120, c="5.21"), "Mg2", 3.197),
        (cif("CU1 ? 0 0 0", symmetry=operations(F_CENTRED)).replace("_atom_site_type_symbol\n", "")
         .replace("CU1 ?", "CU1"), "Cu4", 2.553),
        (cif(columns="occupancy", rows="Cu1 Cu2+ 0 0 0 .", symmetry=operations(F_CENTRED)),
         "Cu4", 2.553),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode())])
def test_symmetry_of_a_cif_makes_every_atom_once(tmp_path, text, formula, distance, pack):
    frames, told = read(tmp_path / "a.cif", pack(text))
    assert frames[0].get_chemical_formula() == formula and told == []
    away = frames[0].repeat(2).get_all_distances(mic=True)
    assert away[away > 0.01].min() == pytest.approx(distance, abs=2e-3)


def test_an_origin_that_a_cif_leaves_open_is_told(tmp_path):
    _, told = read(tmp_path / "a.cif", cif("Si1 Si 0 0 0", "5.43", NAME.format("F d -3 m")))
    assert len(told) == 1 and "has two settings, and lists no operations: the first" in told[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (cif(symmetry=NAME.format("Q q q")), "a symmetry that is not understood .Q q q."),
        (cif("Cu1 Cu ? 0 0"), r"has \? where numbers of a position are expected"),
        (cif(a="?"), r"has \?, \?, \? where numbers of a cell are expected"),
        (cif("Cu1 Cu 0 0 0\nCu2 Cu 0.5 0.5"), "breaks off or is damaged"),
        (cif(""), "has no atoms in it"),
        (cif("Cu1 Cu 0 0 0 0.5\nAu1 Au 0 0 0 0.5", columns="occupancy"), "occupied in part"),
        ("data_x\n_cell_length_a 3\n", "has no atoms in it"),
    ],
)
def test_a_cif_that_cannot_be_read_says_why(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.cif", text)


# what ASE reads as far as it goes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name"), [("res", "a.res"), ("dlp4", "CONFIG"), ("v-sim", "a.ascii")]
)
def test_a_structure_that_breaks_off_is_not_read_as_a_smaller_one(tmp_path, form, name):
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    ase.io.write(str(tmp_path / "made"), atoms, format=form)
    text = (tmp_path / "made").read_text()
    assert len(read(tmp_path / name, text)[0][0]) == 8
    cut = text[:-9] if form == "v-sim" else "\n".join(text.splitlines()[:-4]) + "\n"
    with pytest.raises(ValueError, match="breaks off within its first frame"):
        read(tmp_path / name, cut)


def test_an_input_of_espresso_is_known_by_its_content(tmp_path):
    ase.io.write(tmp_path / "a.pwi", COPPER, pseudopotentials={"Cu": "Cu.upf"})
    frames, _ = read(tmp_path / "scf.in", (tmp_path / "a.pwi").read_text())
    assert str(frames[0].symbols) == "Cu4"


# arguments that were ignored ------------------------------------------------------------------


def test_elements_of_atoms_that_have_their_own(tmp_path):
    frames = read_frames(COPPER, elements={"Cu": "Ag"})
    assert str(frames[0].symbols) == "Ag4" and str(COPPER.symbols) == "Cu4"
    assert read_frames([COPPER], elements=["Cu"])[0] == COPPER
    with pytest.raises(ValueError, match="frame 0 has elements .Cu. and no types; leave elements"):
        read_frames(COPPER, elements=["Si"])
    with pytest.raises(ValueError, match='by symbol, e.g. elements={"Cu": "Au"}'):
        read_frames(COPPER, elements=["Au"])
    with pytest.raises(ValueError, match='by symbol, e.g. elements={"Zn": "Cu"}'):
        read_frames(Atoms("CuZn", [(0, 0, 0), (0, 0, 3)]), elements=["Cu"])
    with pytest.raises(ValueError, match="has no atoms called 'Fe'; it holds Cu"):
        read_frames(COPPER, elements={"Fe": "Ag"})
    ase.io.write(tmp_path / "a.traj", COPPER)
    assert str(next(iter_frames(tmp_path / "a.traj", elements={"Cu": "Au"})).symbols) == "Au4"
    with pytest.raises(ValueError, match="a.traj, frame 0 has elements .Cu. and no types"):
        read_frames(tmp_path / "a.traj", elements=["Si"])


@pytest.mark.parametrize("how", [lambda path: path, lambda path: COPPER, lambda path: [path]])
def test_a_topology_of_what_names_its_atoms_has_to_agree(tmp_path, how):
    ase.io.write(tmp_path / "a.extxyz", COPPER)
    source = how(tmp_path / "a.extxyz")
    assert len(read_frames(source, topology=COPPER)) == 1
    for other in (Atoms("Cu5", np.zeros((5, 3))), Atoms("Ag4", np.zeros((4, 3)))):
        with pytest.raises(ValueError, match="names its atoms itself, and others than the topol"):
            read_frames(source, topology=other)
    with pytest.raises(FileNotFoundError, match="nothere.pdb does not exist.*the topology"):
        read_frames(source, topology="nothere.pdb")


def test_a_unit_of_files_that_have_their_own_is_refused(tmp_path):
    ase.io.write(tmp_path / "a.extxyz", COPPER)
    with pytest.raises(ValueError, match="has a unit of its own; leave length_unit out"):
        read_frames(tmp_path / "a.extxyz", length_unit=1.0)


def test_a_name_that_no_disk_can_hold_is_not_there():
    with pytest.raises(FileNotFoundError, match="does not exist or is not a file; check the path"):
        read_frames("x" * 300 + ".xyz")
