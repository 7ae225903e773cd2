"""Files as other programs write them: an answer, or one sentence that names the remedy."""

import bz2
import gzip
import io
import lzma
import os
import re
import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from defectkit.datasets import load
from defectkit.io import iter_frames, read_frames

FIELD = os.environ.get("DEFECTKIT_FIELD_DATA")


def read(path, content=None, **options):
    """Frames, and the texts of warnings, of a file with this content."""
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        frames = read_frames(path, **options)
    assert len(list(iter_frames(path, **options))) == len(frames) if told == [] else True
    return frames, [str(w.message) for w in told]


def dump(columns, *rows, bounds="pp pp ff", box="0 10\n0 10\n0 10", before=""):
    return (
        f"{before}ITEM: TIMESTEP\n7\nITEM: NUMBER OF ATOMS\n{len(rows)}\n"
        f"ITEM: BOX BOUNDS {bounds}\n{box}\nITEM: ATOMS {columns}\n"
        + "".join(row + " \n" for row in rows)
    )


TWO = ("2 1 1 1 1", "1 2 4 4 4")
PLAIN = dump("id type x y z", *TWO)
AL_CU = ["Al", "Cu"]


# LAMMPS dump ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "formula", "last"),
    [
        (PLAIN, {"elements": AL_CU}, "CuAl", [1, 1, 1]),
        (PLAIN, {"elements": "Al Cu"}, "CuAl", [1, 1, 1]),
        (PLAIN, {"elements": {1: "Al", "2": "Cu"}}, "CuAl", [1, 1, 1]),
        (PLAIN.replace("\n", "\r\n"), {"elements": AL_CU}, "CuAl", [1, 1, 1]),
        ("\ufeff" + PLAIN, {"elements": AL_CU}, "CuAl", [1, 1, 1]),
        (PLAIN.rstrip(), {"elements": AL_CU}, "CuAl", [1, 1, 1]),
        (
            dump("id type x y z", "2 1 1.0D+00 1 1", "1 2 4 4.5d0 4"),
            {"elements": AL_CU},
            "CuAl",
            [1, 1, 1],
        ),
        (
            dump("id type x y z", *TWO, before="ITEM: UNITS\nnano\nITEM: TIME\n0.5\n"),
            {"elements": AL_CU},
            "CuAl",
            [10, 10, 10],
        ),
        (
            dump("id type xu yu zu", "2 1 -11 1 1", "1 2 4 4 4"),
            {"elements": AL_CU},
            "CuAl",
            [-11, 1, 1],
        ),
        (
            dump("id type xsu ysu zsu", "2 1 -1.1 .1 .1", "1 2 .4 .4 .4"),
            {"elements": AL_CU},
            "CuAl",
            [-11, 1, 1],
        ),
        (dump("id element x y z", "2 Si 1 1 1", "1 O 4 4 4"), {}, "OSi", [1, 1, 1]),
        (
            dump("id type x y z", "2.0 1 1 1 1", "1.0 2.0 4 4 4"),
            {"elements": AL_CU},
            "CuAl",
            [1, 1, 1],
        ),
        (
            dump("id type mass x y z", "2 1 28.0855 1 1 1", "1 2 15.9994 4 4 4"),
            {},
            "OSi",
            [1, 1, 1],
        ),
        (dump("id mass x y z", "2 28.0855 1 1 1", "1 15.9994 4 4 4"), {}, "OSi", [1, 1, 1]),
        (dump("id x y z", "2 1 1 1", "1 4 4 4"), {"elements": "Ar"}, "Ar2", [1, 1, 1]),
        (
            dump("id type x y z", *TWO, "3 3 5 5 5"),
            {"elements": ["Al", "Cu", None]},
            "CuAl",
            [1, 1, 1],
        ),
        (
            dump(
                "id type xs ys zs",
                "2 1 .5 .5 .5",
                "1 1 0 0 0",
                bounds="xy xz yz pp pp pp",
                box="0 7.5 2.5\n0 4.33 0\n0 5 0",
            ),
            {"elements": "Si"},
            "Si2",
            [3.75, 2.165, 2.5],
        ),
        (
            dump(
                "id type x y z",
                "2 1 1.35 1.35 1.35",
                "1 1 0 0 0",
                bounds="abc origin pp pp pp",
                box="0 2.7 2.7 1\n2.7 0 2.7 1\n2.7 2.7 0 1",
            ),
            {"elements": "Si"},
            "Si2",
            [1.35] * 3,
        ),
    ],
)
def test_dumps_of_many_kinds_are_read(tmp_path, text, options, formula, last):
    frames, told = read(tmp_path / "a.dump", text, **options)
    assert len(frames) == 1 and str(frames[0].symbols) == formula
    assert not any("deprecated" in text for text in told)
    np.testing.assert_allclose(frames[0].positions[-1], last)
    assert frames[0].arrays["id"].tolist() == [1, 2]
    assert frames[0].info["timestep"] == 7


def test_a_dump_without_flags_is_periodic_and_ff_is_not(tmp_path):
    old, _ = read(tmp_path / "a.dump", PLAIN.replace(" pp pp ff", ""), elements=AL_CU)
    new, _ = read(tmp_path / "b.dump", PLAIN, elements=AL_CU)
    assert old[0].pbc.tolist() == [True] * 3 and new[0].pbc.tolist() == [True, True, False]


def test_a_number_of_atoms_that_varies_is_read(tmp_path):
    frames, _ = read(
        tmp_path / "a.dump", PLAIN + dump("id type x y z", "9 1 1 1 1"), elements=AL_CU
    )
    assert [len(atoms) for atoms in frames] == [2, 1]


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        (PLAIN, {}, r'atom types but no elements; .*elements=\["Si"\]'),
        (
            PLAIN,
            {"elements": ["Al"]},
            "atom types up to 2, but elements names 1; name one for each",
        ),
        (PLAIN, {"elements": ["Xx", "Al"]}, "elements names 'Xx', which is no chemical element"),
        (
            dump("id x y z", "1 1 1 1"),
            {"elements": AL_CU},
            "neither types nor elements, but elements",
        ),
        (dump("id type x y z", "2 1 1 1 1", "2 2 4 4 4"), {"elements": AL_CU}, "the id 2 twice"),
        (dump("id type x y z"), {"elements": AL_CU}, "has no atoms in it"),
        (dump("id type vx vy vz", *TWO), {"elements": AL_CU}, "no columns x y z"),
        (
            dump("id type x y z", "2 1 1e300 1 1", TWO[1]),
            {"elements": AL_CU},
            r"atom 0 is at \(1e\+300, 1, 1\) Å, which is not finite or far too large",
        ),
        (dump("id type x y z", "2 1 nan 1 1", TWO[1]), {"elements": AL_CU}, "is not finite"),
        (
            dump("id type x y z", "2 1 1,5 1 1", TWO[1]),
            {"elements": AL_CU},
            r"line 10 \('2 1 1,5 1 1'\) has commas in its numbers; write decimal points",
        ),
        (
            dump("id type x y z", "2 1 oops 1 1", TWO[1]),
            {"elements": AL_CU},
            "line 10 .* has 'oops' where x is expected",
        ),
        (
            dump("id type x y z", "2 1 1 1", TWO[1]),
            {"elements": AL_CU},
            "line 10 .* 4 words, not 5",
        ),
        (
            dump("id type mass x y z", "2 1 1 1 1 1", "1 2 1 4 4 4"),
            {},
            "atom types but no elements",
        ),
        (
            PLAIN.replace("NUMBER OF ATOMS\n2", "NUMBER OF ATOMS\n1000000000000"),
            {"elements": AL_CU},
            "1000000000000 atoms, more than fit into this machine's memory",
        ),
        (
            PLAIN.replace("0 10", "0 x", 1),
            {"elements": AL_CU},
            "BOX BOUNDS' is missing or not three",
        ),
    ],
)
def test_dumps_that_cannot_be_read_say_why(tmp_path, text, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.dump", text, **options)


@pytest.mark.parametrize("elements", [["Ni", "Al"], {"1": "Ni", "2": "Al"}, "Ni Al"])
def test_elements_hold_for_every_path_of_a_list(tmp_path, elements):
    for name in ("a.dump", "b.dump"):
        (tmp_path / name).write_text(
            "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n"
            "0 5\n0 5\n0 5\nITEM: ATOMS id type x y z\n1 1 0 0 0\n2 2 2 2 2\n"
        )
    paths = [tmp_path / "a.dump", str(tmp_path / "b.dump")]
    frames = read_frames(paths, elements=elements)
    assert [str(atoms.symbols) for atoms in frames] == ["NiAl", "NiAl"]


def test_the_default_element_of_lammps_is_asked_about(tmp_path):
    text = dump("id type element x y z", "2 1 C 1 1 1", "1 2 C 4 4 4")
    _, told = read(tmp_path / "a.dump", text)
    assert any("calls all of its types C" in line for line in told)
    frames, told = read(tmp_path / "a.dump", text, elements=AL_CU)
    assert str(frames[0].symbols) == "CuAl" and told == []


# compression, encodings, names ---------------------------------------------------------------

XYZ = "1\n\nCu 0 0 0\n"


def named(value):
    """Contents stay out of a test's name: gzip writes the time into them."""
    return "content" if isinstance(value, bytes) or len(value) > 99 else None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xyz.gz", gzip.compress(XYZ.encode())),
        ("a.xyz.bz2", bz2.compress(XYZ.encode())),
        ("a.xyz.xz", lzma.compress(XYZ.encode())),
        ("no_gzip.xyz.gz", XYZ),
        ("packed.xyz", gzip.compress(XYZ.encode())),
        ("utf16.xyz", XYZ.encode("utf-16")),
        ("latin.xyz", XYZ.replace("\n\n", "\n\xe5ngstr\xf6m\n").encode("latin1")),
        ("run@300K.xyz", XYZ),
        ("a@1.xyz", XYZ),
        ("postgres.xyz", XYZ),
        ("mysql a ~ b.xyz", XYZ),
        ("CAPITALS.XYZ", XYZ),
        ("no_ending", XYZ),
        ("wrong.dump", XYZ),
    ],
    ids=named,
)
def test_packing_and_names_do_not_matter(tmp_path, name, content):
    frames, told = read(tmp_path / name, content)
    assert [str(atoms.symbols) for atoms in frames] == ["Cu"] and told == []


def test_a_path_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.xyz").write_text(XYZ)
    assert len(read_frames("~/a.xyz")) == 1
    assert len(read_frames([Path("~/a.xyz"), bulk("Si")])) == 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xyz.zst", b"\x28\xb5\x2f\xfd0000", "packed with zstd; unpack it"),
        ("a.zip", b"PK\x03\x04 000", "packed with zip; unpack it"),
        ("a.npz", b"PK\x03\x04 000", "a saved result or model, not a trajectory; open it with"),
        ("a.tar", b"\0" * 257 + b"ustar" + b"\0" * 90, "packed with tar; unpack it"),
        ("a.gz", b"to be or not\n", "of no kind that is read here; use extended XYZ"),
        ("a.gz", gzip.compress(XYZ.encode() * 99)[:20], "breaks off|nothing in it"),
        ("a.bin", b"\0\1\2\3" * 50, "binary2txt"),
        (
            "a.lammpsbin",
            b"\xf6" + b"\xff" * 7 + b"DUMPCUSTOM" + b"\0" * 60,
            "a binary dump of LAMMPS",
        ),
        ("a.h5", b"\x89HDF\r\n" + b"\0" * 50, "HDF5, such as H5MD; convert it"),
        ("a.xtc", b"no trajectory" * 9, "cannot be read .* convert it to extended XYZ"),
        ("a.nc", b"CDF\1" + b"\7" * 50, "NetCDF file that is damaged"),
        ("deep.json", '{"ids": ' + "[" * 100_000, "cannot be read as a database of ASE"),
        (
            "vasprun.xml",
            "<?xml version='1.0'?>\n<modeling>\n<gen",
            "ASE cannot read .* as vasp-xml",
        ),
    ],
    ids=named,
)
def test_files_of_other_programs_get_a_sentence(tmp_path, name, content, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / name, content)


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with gzip.open(tmp_path / "bomb.xyz.gz", "wb") as file:
        file.write(b"30000000\n\n")
        for _ in range(100):
            file.write(b"Cu 0 0 0\n" * 100_000)
    with pytest.raises(ValueError, match="unpacks to more than 250 times its size"):
        read_frames(tmp_path / "bomb.xyz.gz")


@pytest.mark.parametrize("module", ["gsd", "netCDF4"])
def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch, module):
    start = b"\xdf\x65" * 4 if module == "gsd" else b"\x89HDF\r\n"
    (tmp_path / "a.nc").write_bytes(start + b"\0" * 300)
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ValueError, match=f"pip install {module}"):
        read_frames(tmp_path / "a.nc")


# XYZ -----------------------------------------------------------------------------------------


def xyz(*rows, comment=""):
    return f"{len(rows)}\n{comment}\n" + "".join(row + "\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "options", "formula"),
    [
        (xyz("si 0 0 0", "CU 2 0 0", "fe 0 2 0"), {}, "SiCuFe"),
        (xyz("Fe1 0 0 0", "O2- 2 0 0", "Fe3+ 0 2 0", "Si_b 0 0 2"), {}, "FeOFeSi"),
        (xyz("O 0 0 0", "D 1 0 0", "T 0 1 0"), {}, "OH2"),
        (xyz("1 0 0 0", "2 2 0 0"), {"elements": AL_CU}, "AlCu"),
        (xyz("X 0 0 0", "X 2 0 0"), {"elements": ["Ar"]}, "Ar2"),
        (xyz("A 0 0 0", "B 2 0 0"), {"elements": {"A": "Ni", "B": "P"}}, "NiP"),
        (xyz("Ni 0 0 0 1 2 3", "Ni 2 0 0 1 2 3"), {}, "Ni2"),
        (
            xyz(
                "14 0 0 0",
                "8 2 0 0",
                comment='Properties=Z:I:1:pos:R:3 lattice="5 0 0 0 5 0 0 0 5"',
            ),
            {},
            "SiO",
        ),
        (
            xyz(
                "2 0 0 0 Ni 1 0 0 0",
                "1 2 2 2 Al -1 0 0 0",
                comment='Properties=id:I:1:pos:R:3:species:S:1:q:R:1:forces:R:3 pbc="T T F" '
                'Lattice="5 0 0 0 5 0 0 0 5"',
            ),
            {},
            "AlNi",
        ),
    ],
)
def test_xyz_of_many_kinds_is_read(tmp_path, text, options, formula):
    frames, told = read(tmp_path / "a.xyz", text, **options)
    assert str(frames[0].symbols) == formula and told == []


@pytest.mark.parametrize(
    ("rows", "left", "named"),
    [
        (("OW 0 0 0", "HW1 1 0 0", "HW2 0 1 0", "MW 0.1 0.1 0"), "OH2", "1 MW"),
        (("O 0 0 0", "X 1 0 0", "Vac 0 2 0"), "O", "1 X, 1 Vac"),
        (("O 0 0 0", "LP 1 0 0", "LP 0 2 0"), "O", "2 LP"),
    ],
)
def test_sites_that_are_no_atoms_are_left_out_and_named(tmp_path, rows, left, named):
    frames, told = read(tmp_path / "a.xyz", xyz(*rows) * 3)
    assert [str(atoms.symbols) for atoms in frames] == [left] * 3
    assert frames[0].info["left_out"] == named
    assert len(told) == 1 and f"{named} are virtual sites and no atoms" in told[0]


CELL = 'Properties=species:S:1:pos:R:3 Lattice="{0} 0 0 0 5 0 0 0 {0}"'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            xyz("A 0 0 0", "B 2 0 0"),
            "atoms called 'A', which is no element; .*elements={'A': 'Si'}",
        ),
        (xyz("X 0 0 0"), "atoms without an element"),
        (xyz("1 0 0 0", "2 2 0 0"), "atom types but no elements"),
        ("1000000000000\n\nCu 0 0 0\n", "more than fit into this machine's memory"),
        ("3000000\n\nCu 0 0 0\n", "breaks off within its first frame"),
        (xyz("Ni 0 0 0", "Ni .2 0 0", comment=CELL.format(0.2)), "these look like nm: multiply"),
        (xyz("Ni 0 0 0", "Ni .23 0 0", "Ni 0 .23 0"), "these look like nm: multiply"),
        (
            xyz("Ni 0 0 0", "Ni .3 0 0", "Ni .3 .3 0", comment=CELL.format(5)),
            "fractions of the cell",
        ),
        (xyz("Ni 0 0 0", comment=CELL.format(1e-3)), "atoms per Å.3, more than any matter"),
        (xyz("Ni 0 0 0", comment=CELL.format("nan")), "a cell that is not finite"),
        (xyz("Ni 0 0 0", comment=CELL.format("inf")), "a cell that is not finite"),
        (xyz("Ni 0 0 0", comment="Properties=species:S:1:vel:R:3"), "names no pos:R:3"),
        (xyz("Ni 0 0 0", comment="Properties=species:S:pos"), "is not name:kind:columns"),
        (xyz("Ni 0 0 0", comment='Lattice="1 2"'), "cannot be read"),
        (xyz("Ni 0 0 0") + "Ni 0 0 0\n", "frame 1: line 4: a number of atoms is expected"),
    ],
)
def test_xyz_that_cannot_be_read_says_why(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.xyz", text)


def test_an_extended_xyz_with_ids_comes_in_their_order(tmp_path):
    rows = ["3 Si 0 0 0", "1 Si 3 0 0", "2 O 0 3 0"]
    head = "Properties=id:I:1:species:S:1:pos:R:3"
    frames, _ = read(tmp_path / "a.xyz", xyz(*rows, comment=head) + xyz(*rows[::-1], comment=head))
    assert [str(atoms.symbols) for atoms in frames] == ["SiOSi"] * 2
    assert np.array_equal(frames[0].positions, frames[1].positions)


@pytest.mark.parametrize(("count", "sentence"), [("\x1c1", None), ("\u00b2", "expected|no kind")])
def test_counts_in_strange_letters(tmp_path, count, sentence):
    for name, text in (
        ("a.xyz", xyz("Ni 0 0 0").replace("1\n", f"{count}\n", 1)),
        ("a.gro", gro((1, "NI", "Ni", 1, 1, 1)).replace("\n1\n", f"\n{count}\n")),
        (
            "a.dump",
            dump("id element x y z", "1 Ni 0 0 0").replace("ATOMS\n1\n", f"ATOMS\n{count}\n", 1),
        ),
    ):
        if sentence is None:
            frames, _ = read(tmp_path / name, text)
            assert str(frames[0].symbols) == "Ni"
        else:
            with pytest.raises(ValueError, match=sentence + "|not followed by a number"):
                read(tmp_path / name, text)


@pytest.mark.parametrize("name", ["ID", "particle_id", "Particle_Identifier", "index"])
def test_ids_have_many_names(tmp_path, name):
    head = f"Properties=species:S:1:pos:R:3:{name}:I:1"
    frames, _ = read(tmp_path / "a.xyz", xyz("Si 0 0 0 2", "O 3 0 0 1", comment=head))
    assert str(frames[0].symbols) == "OSi"


# GROMACS, PDB, VASP, LAMMPS data -------------------------------------------------------------


def gro(*rows, box="   3.00000   3.00000   3.00000"):
    lines = [
        f"{r:5d}{residue:<5s}{name:>5s}{k:5d}{x:8.3f}{y:8.3f}{z:8.3f}"
        for k, (r, residue, name, x, y, z) in enumerate(rows, 1)
    ]
    return "\n".join(["made t= 2.5 step= 3", str(len(rows)), *lines, box]) + "\n"


WATER = (
    (1, "SOL", "OW", 1, 1, 1),
    (1, "SOL", "HW1", 1.1, 1, 1),
    (1, "SOL", "HW2", 1, 1.1, 1),
    (1, "SOL", "MW", 1.02, 1.02, 1),
)


def test_gro_files_are_read_frame_by_frame(tmp_path):
    frames, told = read(tmp_path / "a.gro", gro(*WATER) * 2)
    assert [str(atoms.symbols) for atoms in frames] == ["OH2"] * 2
    np.testing.assert_allclose(frames[0].positions[1], [11, 10, 10])
    np.testing.assert_allclose(frames[0].cell.lengths(), 30)
    assert frames[1].info["time"] == 2.5 and len(told) == 1 and "1 MW are virtual" in told[0]
    cut, told = read(tmp_path / "cut.gro", (gro(*WATER) * 3)[:-60])
    assert len(cut) == 2 and "breaks off; its 2 whole frames are kept" in told[-1]


def test_names_of_molecules_and_ions_tell_their_elements(tmp_path):
    rows = [
        (1, "NA", "NA", 1, 1, 1),
        (2, "CL", "CL", 2, 2, 2),
        (3, "CA", "CA", 0.5, 2, 2),
        (4, "ALA", "CA", 0.2, 0.2, 0.2),
        (4, "ALA", "N", 0.35, 0.2, 0.2),
        (4, "ALA", "HB1", 0.2, 0.3, 0.2),
        (5, "MOL", "Cu", 2, 1, 1),
        (5, "MOL", "CU", 2, 1, 2),
    ]
    frames, _ = read(tmp_path / "a.gro", gro(*rows))
    assert frames[0].get_chemical_symbols() == ["Na", "Cl", "Ca", "C", "N", "H", "Cu", "Cu"]
    with pytest.raises(ValueError, match="called 'ZZ', which is no element"):
        read(tmp_path / "z.gro", gro((1, "MOL", "ZZ", 1, 1, 1)))


PDB = (
    "CRYST1   10.000   10.000   10.000  90.00  90.00  90.00 P 1           1\n"
    "MODEL        1\n"
    "ATOM      1  O   SOL     1       1.000   1.000   1.000  1.00  0.00           O\n"
    "ATOM      2  H   SOL     1       2.000   1.000   1.000  1.00  0.00           H\n"
    "ENDMDL\n"
)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        (PDB * 2, 2),
        ("\n".join(line[:60] for line in PDB.splitlines()), 1),
        (PDB.replace("SOL", "   "), 1),
        (PDB.replace("MODEL        1\n", "").replace("MDL", "") * 3, 3),
        (PDB.replace("MODEL        1\n", "").replace("ENDMDL\n", ""), 1),
    ],
)
def test_pdb_of_many_kinds_is_read(tmp_path, text, n):
    frames, _ = read(tmp_path / "a.pdb", text)
    assert [str(atoms.symbols) for atoms in frames] == ["OH"] * n
    np.testing.assert_allclose(frames[-1].cell.lengths(), 10)


@pytest.mark.parametrize("cut", [-7, -30, -110])
def test_a_pdb_cut_in_its_last_model_keeps_the_others(tmp_path, cut):
    frames, told = read(tmp_path / "a.pdb", (PDB * 3)[:cut])
    assert len(frames) == 2 and "breaks off; its 2 whole frames are kept" in told[0]


@pytest.mark.parametrize("angles", ["  10.00 120.00 170.00", "   0.00  90.00  90.00"])
def test_angles_that_make_no_cell_are_named(tmp_path, angles):
    with pytest.raises(ValueError, match="and angles .* which make no cell; repair the file"):
        read(tmp_path / "a.pdb", PDB.replace("  90.00  90.00  90.00", angles))


@pytest.mark.parametrize(("name", "n"), [("DUM", 3), ("D1", 4), ("DW", 4), ("LP1", 3)])
def test_dummies_of_water_are_no_deuterium(tmp_path, name, n):
    rows = [(1, "SOL", "OW", 1, 1, 1), (1, "SOL", "HW1", 1.1, 1, 1), (1, "SOL", "HW2", 1, 1.1, 1)]
    frames, told = read(tmp_path / "a.gro", gro(*rows, (1, "SOL", name, 1, 1, 1.1)))
    assert len(frames[0]) == n and len(told) == 4 - n


def test_columns_of_a_pdb_tell_calcium_from_carbon(tmp_path):
    place = "       1.000   1.000  {}.000\n"
    rows = [
        "HETATM    1 CA    CA     1",
        "ATOM      2  CA  ALA     2",
        "HETATM    3  EP  HOH     3",
        "HETATM    4  O   HOH     3",
    ]
    text = "".join(row + place.format(3 + 3 * k) for k, row in enumerate(rows))
    frames, told = read(tmp_path / "a.pdb", text)
    assert frames[0].get_chemical_symbols() == ["Ca", "C", "O"] and "1 EP" in told[0]


V5 = "c\n1.0\n5.64 0 0\n0 5.64 0\n0 0 5.64\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"
V4 = V5.replace("Na Cl\n", "")


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("POSCAR", V5, {}),
        ("a.vasp", V5.replace("Na Cl\n1 1", "Na Cl ! names\n1 1 ! n"), {}),
        ("CONTCAR", V5 + "\n 0 0 0\n 0 0 0\n", {}),
        ("named_otherwise.txt", V5, {}),
        ("POSCAR", V4, {"elements": ["Na", "Cl"]}),
        ("POSCAR", V4.replace("c\n", "Na Cl\n", 1), {}),
        ("POSCAR", V4.replace("0 0 0\n.5 .5 .5", "0 0 0 Na\n.5 .5 .5 Cl"), {}),
        (
            "POSCAR",
            "c\n-179.406144\n1 0 0\n0 1 0\n0 0 1\nNa_pv Cl/ab12\n1 1\nSelective\nCartesian\n"
            "0 0 0 T T T\n.5 .5 .5 F F F\n",
            {},
        ),
    ],
)
def test_poscars_of_many_kinds_are_read(tmp_path, name, text, options):
    frames, told = read(tmp_path / name, text, **options)
    assert str(frames[0].symbols) == "NaCl" and frames[0].pbc.all()
    np.testing.assert_allclose(frames[0].positions[1], 2.82)
    assert told == [] or "taken from there: Na Cl" in told[0]


def test_a_poscar_without_elements_asks_and_a_cut_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="atom types but no elements"):
        read(tmp_path / "POSCAR", V4)
    with pytest.raises(ValueError, match="breaks off within its first frame"):
        read(tmp_path / "POSCAR", V5[:-10])
    with pytest.raises(ValueError, match=r"lines 2 to 5 are no scale and three vectors"):
        read(tmp_path / "POSCAR", V5.replace("0 5.64 0", "5.64 0 0"))


XDATCAR = "Si\n1.0\n5 0 0\n0 5 0\n0 0 5\nSi\n2\n"
STEP = "Direct configuration=     {}\n 0 0 0\n 0.1 0.5 0.12\n"


def test_xdatcar_is_read_with_cells_that_change(tmp_path):
    frames, _ = read(tmp_path / "XDATCAR", XDATCAR + STEP.format(1) + STEP.format(2))
    assert [atoms.info["step"] for atoms in frames] == [1, 2]
    frames, _ = read(
        tmp_path / "XDATCAR",
        XDATCAR + STEP.format(1) + XDATCAR.replace("5 0 0", "5.1 0 0") + STEP.format(2),
    )
    assert [round(atoms.cell[0, 0], 3) for atoms in frames] == [5, 5.1]
    frames, told = read(tmp_path / "XDATCAR", XDATCAR + STEP.format(1) + STEP.format(2)[:-14])
    assert len(frames) == 1 and "its 1 whole frame is kept" in told[0]
    with pytest.raises(
        ValueError,
        match=r"line 10 \('0.1-0.5 0.12'\) has 2 words, not 3; numbers "
        "run together: put a blank before each minus",
    ):
        read(tmp_path / "XDATCAR", (XDATCAR + STEP.format(1)).replace("0.1 0.5", "0.1-0.5"))


def data(atoms, hint="", masses="1 28.0855\n2 15.999", tilt=""):
    return (
        f"made\n\n4 atoms\n2 atom types\n\n0 5 xlo xhi\n0.0 5.0 ylo yhi\n0 5 zlo zhi\n{tilt}\n"
        f"Masses\n\n{masses}\n\nPair Coeffs # lj/cut\n\n1 1 1\n2 1 1\n\nAtoms{hint}\n\n"
        f"{atoms}\n\nVelocities\n\n1 0 0 0\n"
    )


ATOMIC = "3 2 2.5 2.5 0\n1 1 0 0 0\n2 1 0 2.5 2.5\n4 2 2.5 0 2.5"
FULL = "3 1 2 -0.5 2.5 2.5 0\n1 1 1 0.5 0 0 0\n2 2 1 0.5 0 2.5 2.5\n4 2 2 -0.5 2.5 0 2.5"


@pytest.mark.parametrize(
    ("name", "text", "formula"),
    [
        ("a.data", data(ATOMIC, " # atomic"), "Si2O2"),
        ("a.lmp", data(ATOMIC), "Si2O2"),
        ("data.silica", data(ATOMIC), "Si2O2"),
        ("X.DATA", data(ATOMIC), "Si2O2"),
        ("a.data", data("".join(r + " 0 0 -1\n" for r in ATOMIC.split("\n"))), "Si2O2"),
        (
            "a.data",
            data("3 2 -1.0 2.5 2.5 0\n1 1 0.5 0 0 0\n2 1 .5 0 2.5 2.5\n4 2 0.0 2.5 0 2.5"),
            "Si2O2",
        ),
        (
            "a.data",
            data("3 1 2 2.5 2.5 0\n1 1 1 0 0 0\n2 2 1 0 2.5 2.5\n4 2 2 2.5 0 2.5"),
            "Si2O2",
        ),
        ("a.data", data(FULL), "Si2O2"),
        ("a.data", data(FULL, "  # full"), "Si2O2"),
        ("a.data", data(ATOMIC, masses="1 1.0 # Al\n2 1.0 # Cu"), "Al2Cu2"),
        ("a.data", data(ATOMIC).replace("made", "LAMMPS Description", 1), "Si2O2"),
        ("a.data", data(ATOMIC).replace("made", "Atoms", 1), "Si2O2"),
        ("a.data", data(ATOMIC).replace("\n", "\r\n"), "Si2O2"),
        ("a.data", data(ATOMIC).replace("0.0 5.0 ylo", "0D0 5.0D+00 ylo"), "Si2O2"),
        ("a.data", data(ATOMIC, tilt="1.0 0 0 xy xz yz"), "Si2O2"),
    ],
)
def test_data_files_of_many_kinds_are_read(tmp_path, name, text, formula):
    frames, _ = read(tmp_path / name, text)
    assert str(frames[0].symbols) == formula
    np.testing.assert_allclose(frames[0].positions[[1, 3]], [[0, 2.5, 2.5], [2.5, 0, 2.5]])
    assert frames[0].cell[1, 0] == (1.0 if "xy xz" in text else 0.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (data(ATOMIC, masses="1 1.0\n2 1.0"), "atom types but no elements"),
        (data("3 2 2.5 2.5 0\n1 1 0 0 0"), "breaks off: its section Atoms has 2 lines, not 4"),
        (data("3 2\n1 1\n2 1\n4 2"), "of no style known here .*write the style behind it"),
        (data(ATOMIC).replace("xlo xhi", ""), "has no box"),
        (data(ATOMIC.replace("4 2 ", "3 2 ")), "the id 3 twice"),
    ],
)
def test_data_files_that_cannot_be_read_say_why(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.data", text)


# what ASE and SciPy read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("cif", "run@2.cif"),
        ("cfg", "a.cfg"),
        ("res", "mysql@1.res"),
        ("gen", "a.gen"),
        ("xsf", "a.xsf"),
        ("json", "a b~@1.json"),
        ("traj", "postgres@2.traj"),
        ("aims", "geometry.in"),
        ("proteindatabank", "b@1.pdb"),
        ("vasp-xdatcar", "XDATCAR@0"),
        ("gromacs", "a@0.gro"),
        ("dlp4", "CONFIG"),
    ],
)
def test_formats_left_to_ase_are_read_by_every_reader(tmp_path, form, name):
    nacl = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    ase.io.write(str(tmp_path / "made"), nacl, format=form)
    (tmp_path / "made").rename(tmp_path / name)
    frames, _ = read(tmp_path / name)
    assert len(frames) == 1 and frames[0].get_chemical_formula() == "Cl4Na4"
    np.testing.assert_allclose(
        frames[0].get_all_distances(mic=True).max(),
        nacl.get_all_distances(mic=True).max(),
        atol=1e-3,
    )


def test_partial_occupation_is_refused(tmp_path):
    ase.io.write(tmp_path / "a.cif", bulk("NaCl", "rocksalt", 5.64, cubic=True))
    text = (tmp_path / "a.cif").read_text().replace("1.0000", "0.5000")
    with pytest.raises(ValueError, match="occupied in part or by several elements"):
        read(tmp_path / "a.cif", text)


def vasprun(n):
    """A whole vasprun.xml of `n` steps of rock salt."""

    def block(step, name=""):
        vectors = "".join(f"<v>{' '.join(row)}</v>" for row in np.diag([5.64] * 3).astype(str))
        return (
            f"<structure{name}><crystal><varray name='basis'>{vectors}</varray></crystal>"
            f"<varray name='positions'><v>0.0{step} 0 0</v><v>.5 .5 .5</v></varray>"
            "</structure>"
        )

    atoms = "".join(f"<rc><c>{name}</c><c>{k}</c></rc>" for k, name in ((1, "Na"), (2, "Cl")))
    energy = "".join(
        f"<i name='{name}'>-1.0</i>" for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    )
    steps = "".join(
        f"<calculation><scstep><energy>{energy}</energy></scstep>{block(step)}<varray "
        "name='forces'><v>0 0 0</v><v>0 0 0</v></varray><varray name='stress'><v>0 0 0</v>"
        f"<v>0 0 0</v><v>0 0 0</v></varray><energy>{energy}</energy></calculation>\n"
        for step in range(n)
    )
    first, last = (block(0, f" name='{name}'") for name in ("initialpos", "finalpos"))
    grid = (
        "<kpoints><generation/><varray name='kpointlist'><v>0 0 0</v></varray>"
        "<varray name='weights'><v>1</v></varray></kpoints>"
    )
    return (
        "<?xml version='1.0'?>\n<modeling>\n<generator><i name='version'>6</i></generator>"
        f"<incar></incar>{grid}<parameters/>\n<atominfo><atoms>2</atoms>"
        f"<array name='atoms'><set>{atoms}</set></array></atominfo>{first}\n"
        f"{steps}{last}</modeling>\n"
    )


@pytest.mark.parametrize("packed", [False, True])
def test_a_vasprun_that_breaks_off_says_so(tmp_path, packed):
    pack = gzip.compress if packed else bytes
    whole, told = read(tmp_path / "vasprun.xml", pack(vasprun(4).encode()))
    assert [str(atoms.symbols) for atoms in whole] == ["NaCl"] * 4 and told == []
    steps = vasprun(4).split("<calculation>")
    for kept in ("<calculation>".join(steps[:4]), "<calculation>".join(steps[:4]) + "<calc"):
        frames, told = read(tmp_path / "vasprun.xml", pack(kept.encode()))
        assert len(frames) == 3
        assert told == [f"{tmp_path / 'vasprun.xml'} breaks off; its 3 whole frames are kept."]


def netcdf(path, types=True):
    from scipy.io import netcdf_file

    with netcdf_file(path, "w", version=2) as file:
        for name, size in (("frame", None), ("spatial", 3), ("atom", 4)):
            file.createDimension(name, size)
        places = file.createVariable("coordinates", "f4", ("frame", "atom", "spatial"))
        lengths = file.createVariable("cell_lengths", "f8", ("frame", "spatial"))
        ids = file.createVariable("id", "i4", ("frame", "atom"))
        kinds = file.createVariable("atom_types", "i4", ("frame", "atom")) if types else {}
        known = np.array([[0, 0, 0], [2.5, 2.5, 0], [0, 2.5, 2.5], [2.5, 0, 2.5]])
        for n in range(3):
            order = np.random.default_rng(n).permutation(4)
            places[n], lengths[n], ids[n] = known[order], [5, 5, 5], order + 1
            kinds[n] = np.array([1, 1, 2, 2])[order]


@pytest.mark.parametrize(("lost", "n"), [(1, 2), (60, 2), (120, 1)])
def test_a_netcdf_that_breaks_off_keeps_its_whole_frames(tmp_path, lost, n):
    netcdf(tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    frames, told = read(tmp_path / "a.nc", content[:-lost], elements=["Si", "O"])
    whole = "1 whole frame is" if n == 1 else f"{n} whole frames are"
    assert told == [f"{tmp_path / 'a.nc'} breaks off; its {whole} kept."]
    assert [str(atoms.symbols) for atoms in frames] == ["Si2O2"] * n
    with pytest.raises(ValueError, match="damaged or breaks off within its first frame"):
        read(tmp_path / "a.nc", content[:-280], elements=["Si", "O"])


def test_netcdf_comes_in_the_order_of_ids(tmp_path):
    netcdf(tmp_path / "a.nc")
    frames, _ = read(tmp_path / "a.nc", elements=["Si", "O"])
    assert [str(atoms.symbols) for atoms in frames] == ["Si2O2"] * 3
    assert all(np.allclose(atoms.positions[1], [2.5, 2.5, 0]) for atoms in frames)
    netcdf(tmp_path / "b.nc", types=False)
    with pytest.raises(ValueError, match="holds no elements; name a topology"):
        read(tmp_path / "b.nc")
    frames, _ = read(tmp_path / "b.nc", topology=Atoms("SiO3", np.zeros((4, 3))))
    assert str(frames[2].symbols) == "SiO3"


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda path: read_frames(42), TypeError, "source=42 is of the kind int; give a path"),
        (lambda path: read_frames(load("cu-fault")), TypeError, "a Dataset .*; give its .frames"),
        (lambda path: read_frames(path, topology=5), TypeError, "topology=5 is of the kind int"),
        (lambda path: read_frames(path, ["Si"]), TypeError, "are the argument elements"),
        (
            lambda path: read_frames(path, elements=5),
            TypeError,
            "elements=5 is no list of symbols",
        ),
        (lambda path: read_frames(path, elements=[]), TypeError, "is no list of symbols"),
        (
            lambda path: read_frames(path.parent),
            FileNotFoundError,
            "is a folder; give a file in it",
        ),
        (
            lambda path: read_frames(path.parent / "d*.xyz"),
            FileNotFoundError,
            "give a list of their",
        ),
        (
            lambda path: read_frames(io.StringIO("499\n")),
            TypeError,
            "StringIO object .*is an open file; give its path",
        ),
        (lambda path: read_frames([]), ValueError, "there are no atoms"),
        (lambda path: read_frames(Atoms()), ValueError, "has no atoms in it"),
        (lambda path: read_frames(Atoms("X")), ValueError, "without an element .X.; set"),
        (
            lambda path: read_frames(path, length_unit=0),
            ValueError,
            "length_unit=0 has to be above 0",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_named(tmp_path, call, kind, sentence):
    (tmp_path / "a.xyz").write_text(XYZ)
    with pytest.raises(kind, match=sentence):
        call(tmp_path / "a.xyz")


# other people's files ------------------------------------------------------------------------

FIELD_FILES = {
    "si_vac_1frame.vasp": ({}, "Si63"),
    "healo.extxyz": ({}, None),
    "tip4p.gro": ({}, "H40O20"),
    "ice_water_ox.gro": ({}, "O2048"),
    "conf.bcc.dump": ({"elements": ["Mo"]}, "Mo1024"),
    "types.xyz": ({"elements": AL_CU}, "AlCu"),
    "types.extxyz": ({"elements": AL_CU}, "AlCu"),
    "lj.extxyz": ({"elements": ["Ar"]}, "Ar2"),
    "id_only.dump": ({"elements": ["Ar"]}, "Ar2"),
    "old_header.dump": ({"elements": ["Ar"]}, "Ar2"),
    "lammps.data": ({}, "AlCu"),
    "no_newline.dump": ({"elements": ["Ar"]}, "Ar2"),
    "no_newline.xyz": ({}, "Cu"),
    "scaled_origin.dump": ({"elements": AL_CU}, "Cu"),
}


@pytest.mark.skipif(not FIELD, reason="DEFECTKIT_FIELD_DATA names no folder")
@pytest.mark.parametrize("name", FIELD_FILES)
def test_field_files_are_read(name):
    options, formula = FIELD_FILES[name]
    frames, told = read(Path(FIELD) / name, **options)
    assert formula is None or frames[0].get_chemical_formula() == formula
    assert len(told) == (name == "tip4p.gro")
    if name == "scaled_origin.dump":
        np.testing.assert_allclose(frames[0].positions[0], [2.5809, 12.9388, 6.1564], atol=1e-4)
    if name == "healo.extxyz":
        assert [len(atoms) for atoms in frames][:2] == [12, len(frames[1])] and len(frames) == 11


@pytest.mark.skipif(not FIELD, reason="DEFECTKIT_FIELD_DATA names no folder")
def test_field_xdatcar_names_line_and_remedy():
    with pytest.raises(
        ValueError,
        match=re.escape("line 9 ('-0.63265286-0.11227753 -0.15402785')")
        + ".*put a blank before each minus sign",
    ):
        read_frames(Path(FIELD) / "xd1" / "XDATCAR")
