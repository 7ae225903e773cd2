"""One unit cell of a crystal that no table holds, hot or with a defect, told by its symmetry."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.defects import find_in_unit_cell, find_point_defects
from defectkit.defects.translations import prepare
from defectkit.defects.unit_cell import operations


def thorium_phosphide():
    """Th3P4, I-43d: 28 atoms, two primitive cells."""
    return crystal(
        ["Th", "P"],
        [(3 / 8, 0, 1 / 4), (0.083, 0.083, 0.083)],
        spacegroup=220,
        cellpar=[8.60] * 3 + [90] * 3,
    )


def gamma_brass():
    """Cu5Zn8, I-43m: 52 atoms, two primitive cells (Brandon et al., Acta Cryst. B30, 1412)."""
    return crystal(
        ["Zn", "Cu", "Cu", "Zn"],
        [(0.109, 0.109, 0.109), (0.827, 0.827, 0.827), (0.356, 0, 0), (0.313, 0.313, 0.036)],
        spacegroup=217,
        cellpar=[8.87] * 3 + [90] * 3,
    )


def beryl():
    """Be3Al2Si6O18, P6/mcc: 58 atoms, one primitive cell (Morosin, Acta Cryst. B28, 1899)."""
    return crystal(
        ["Al", "Be", "Si", "O", "O"],
        [
            (2 / 3, 1 / 3, 1 / 4),
            (1 / 2, 0, 1 / 4),
            (0.387, 0.116, 0),
            (0.310, 0.236, 0),
            (0.498, 0.145, 0.145),
        ],
        spacegroup=192,
        cellpar=[9.215, 9.215, 9.192, 90, 90, 120],
    )


def scheelite():
    """CaWO4, I4_1/a: 24 atoms, two primitive cells."""
    return crystal(
        ["Ca", "W", "O"],
        [(0, 0.25, 0.625), (0, 0.25, 0.125), (0.1504, 0.0085, 0.2111)],
        spacegroup=88,
        setting=2,
        cellpar=[5.243, 5.243, 11.374, 90, 90, 90],
    )


CELLS = {
    "Th3P4": (thorium_phosphide, 28, 48, "P"),
    "gamma brass": (gamma_brass, 52, 48, "Zn"),
    "beryl": (beryl, 58, 24, "O"),
    "scheelite": (scheelite, 24, 16, "O"),
}
HEATS = [0.03, 0.07, 0.10]


def heated(name, heat, seed):
    make, n_atoms, _, _ = CELLS[name]
    atoms = make()
    assert len(atoms) == n_atoms
    atoms.rattle(heat, seed=seed)
    return atoms


def one_of(atoms, element, seed):
    return int(np.random.default_rng(seed).choice(np.flatnonzero(atoms.symbols == element)))


def away(site, place, atoms):
    return Atoms("XX", [site, place], cell=atoms.cell, pbc=True).get_distance(0, 1, mic=True)


@pytest.mark.parametrize("heat", HEATS)
@pytest.mark.parametrize("name", CELLS)
def test_a_hot_perfect_cell_is_a_crystal_without_defects(name, heat):
    atoms = heated(name, heat, seed=11)
    frame = prepare(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    assert len(operations(frame)) == CELLS[name][2]  # of the space group, times its centrings
    found = find_in_unit_cell(atoms)
    assert found.decided
    assert not found.sites
    assert f"{CELLS[name][2]} symmetry operations of the unit cell explain 100.0%" in found.reason
    assert found.crystal.rms == pytest.approx(heat * np.sqrt(3), rel=0.25)


@pytest.mark.parametrize("heat", HEATS)
@pytest.mark.parametrize("name", CELLS)
def test_a_missing_atom_is_found_where_it_was(name, heat):
    atoms, element = heated(name, heat, seed=12), CELLS[name][3]
    gone = one_of(atoms, element, seed=13)
    place = atoms.positions[gone].copy()
    del atoms[gone]
    (site,) = find_in_unit_cell(atoms).sites
    assert (site.kind, site.element) == ("vacancy", element)
    assert away(site.position, place, atoms) < 0.1 + 3.5 * heat
    assert site.evidence.startswith("1 of ")


@pytest.mark.parametrize("name", CELLS)
def test_an_atom_of_another_kind_is_found(name):
    atoms, element = heated(name, 0.05, seed=14), CELLS[name][3]
    changed = one_of(atoms, element, seed=15)
    atoms.symbols[changed] = "Xe"
    (site,) = find_in_unit_cell(atoms).sites
    assert site.kind == "substitutional"
    assert site.atoms.tolist() == [changed]
    other = next(e for e in sorted(set(atoms.symbols)) if e not in (element, "Xe"))
    atoms.symbols[changed] = other
    (site,) = find_in_unit_cell(atoms).sites
    assert (site.kind, site.element) == ("antisite", f"{other} on {element}")
    assert site.atoms.tolist() == [changed]


@pytest.mark.parametrize("name", ["beryl", "scheelite"])
def test_an_atom_too_many_is_found(name):
    atoms = heated(name, 0.05, seed=16)
    rng = np.random.default_rng(17)
    while True:  # a general place with room
        place = rng.random(3) @ atoms.cell.array
        tried = atoms + Atoms("H", [place])
        if tried.get_distances(len(atoms), range(len(atoms)), mic=True).min() > 1.2:
            break
    (site,) = find_in_unit_cell(tried).sites
    assert site.kind == "interstitial"
    assert len(atoms) in site.atoms


def test_identify_names_the_crystal_and_the_vacancy(tmp_path):
    atoms = heated("beryl", 0.06, seed=18)
    whole = dk.identify(atoms, progress=False)
    assert len(whole.defects) == len(whole.extended) == 0
    assert all("liquid" not in name for name in whole.phases["name"])
    gone = one_of(atoms, "Si", seed=19)
    place = atoms.positions[gone].copy()
    del atoms[gone]
    ase.io.write(tmp_path / "beryl.cif", atoms)
    result = dk.identify(tmp_path / "beryl.cif", progress=False)
    (row,) = result.defects.to_dict("records")
    assert (row["kind"], row["element"]) == ("vacancy", "Si")
    assert away(row["position_A"], place, atoms) < 0.4


def test_melts_glasses_and_heaps_have_no_operations():
    rng = np.random.default_rng(20)
    molten = bulk("Si", cubic=True).repeat(3)
    molten.rattle(1.2, seed=21)
    shaken = beryl()
    shaken.rattle(0.7, seed=22)
    heap = Atoms("Si12O24", rng.random((36, 3)) * 9.0, cell=[9.0] * 3, pbc=True)
    data = dk.load("si-phases", kinds=["liquid"])
    for atoms in (molten, shaken, heap, *data.frames[:3]):
        found = find_in_unit_cell(atoms)
        assert not found.decided
        assert found.reason == "too little symmetry in the unit cell to tell point defects"


def test_a_cell_with_many_holes_has_no_symmetry_by_chance():
    for seed in range(6):
        atoms = bulk("Cu", cubic=True).repeat(2)
        atoms.rattle(0.05, seed=seed)
        holes = np.random.default_rng(seed).permutation(32)[: 5 + seed % 3]
        del atoms[holes.tolist()]
        assert not find_in_unit_cell(atoms).decided


def test_what_is_no_unit_cell_is_told():
    slab = beryl()
    slab.center(vacuum=8.0, axis=2)
    for atoms in (slab, bulk("Cu", cubic=True), Atoms("Ar20", np.arange(60.0).reshape(20, 3))):
        found = find_in_unit_cell(atoms)
        assert not found.decided
        assert found.reason.startswith("no unit cell of a crystal: it is not periodic")


def test_atoms_without_equals_are_told():
    """The pair of atoms at the corner and the centre cannot outvote each other."""
    found = find_in_unit_cell(alpha_manganese())
    assert found.decided
    assert found.reason.endswith("; of 2 without two equals it tells nothing")
    atoms = alpha_manganese()
    del atoms[0]
    assert not find_in_unit_cell(atoms).decided


def alpha_manganese():
    return crystal(
        ["Mn"] * 4,
        [(0, 0, 0), (0.316, 0.316, 0.316), (0.356, 0.356, 0.034), (0.089, 0.089, 0.282)],
        spacegroup=217,
        cellpar=[8.91] * 3 + [90] * 3,
    )


def test_supercells_are_left_to_their_translations():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(3)
    del atoms[5]
    assert not find_in_unit_cell(atoms).decided
    assert len(find_point_defects(atoms).sites) == 1


# what identify makes of it


def linde_a():
    """Zeolite of silica, LTA in Pm-3m: 72 atoms around a cavity."""
    return crystal(
        ["Si", "O", "O", "O"],
        [(0, 0.183, 0.37), (0, 0.223, 0.5), (0, 0.293, 0.293), (0.11, 0.11, 0.342)],
        spacegroup=221,
        cellpar=[11.9] * 3 + [90] * 3,
    )


def kyanite():
    """Al2SiO5, P-1: two operations (Winter and Ghose, Am. Mineral. 64, 573 (1979))."""
    return crystal(
        ["Al"] * 4 + ["Si"] * 2 + ["O"] * 10,
        [
            (0.3254, 0.7040, 0.4582),
            (0.2974, 0.6989, 0.9505),
            (0.0998, 0.3862, 0.6403),
            (0.1120, 0.9175, 0.1649),
            (0.2962, 0.0649, 0.7066),
            (0.2910, 0.3317, 0.1892),
            (0.1095, 0.1468, 0.1288),
            (0.1230, 0.6856, 0.1812),
            (0.2747, 0.4545, 0.9547),
            (0.2831, 0.9354, 0.9353),
            (0.1084, 0.1520, 0.6669),
            (0.1219, 0.6307, 0.6389),
            (0.2822, 0.4453, 0.4288),
            (0.2915, 0.9467, 0.4659),
            (0.5008, 0.2749, 0.2440),
            (0.5015, 0.2312, 0.7553),
        ],
        spacegroup=2,
        cellpar=[7.126, 7.852, 5.572, 89.99, 101.11, 106.03],
    )


def garnet():
    return crystal(
        ["Y", "Al", "Al", "O"],
        [(1 / 8, 0, 1 / 4), (0, 0, 0), (3 / 8, 0, 1 / 4), (-0.0306, 0.0512, 0.15)],
        spacegroup=230,
        cellpar=[12.01] * 3 + [90] * 3,
    )


def answer(atoms):
    result = dk.identify(atoms, progress=False)
    return result, set(result.phases["name"])


@pytest.mark.parametrize("element", ["O", "Si"])
def test_the_pore_of_a_zeolite_hides_no_vacancy(element):
    atoms = linde_a()
    atoms.rattle(0.05, seed=51)
    result, _ = answer(atoms)
    assert len(result.defects) == len(result.extended) == 0
    gone = one_of(atoms, element, seed=52)
    place = atoms.positions[gone].copy()
    del atoms[gone]
    result, _ = answer(atoms)
    (row,) = result.defects.to_dict("records")
    assert (row["kind"], row["element"]) == ("vacancy", element)
    assert away(row["position_A"], place, atoms) < 0.4
    assert not len(result.extended)


@pytest.mark.parametrize("missing", [False, True])
def test_a_cell_of_two_operations_is_a_crystal_though_its_defects_cannot_be_told(missing):
    atoms = kyanite()
    atoms.rattle(0.04, seed=53)
    if missing:
        del atoms[one_of(atoms, "O", seed=54)]
    result, names = answer(atoms)
    assert all(name.startswith("unknown crystal") for name in names)
    assert "no point defect" not in result.summary()
    assert result.phases["basis"].str.contains("2 symmetry operations of the cell").any()


def test_a_vacancy_among_two_equals_leaves_a_crystal():
    atoms = alpha_manganese()
    atoms.rattle(0.04, seed=55)
    del atoms[1]
    result, names = answer(atoms)
    assert all(name.startswith("unknown crystal") for name in names)
    assert "no point defect" not in result.summary()


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_site_that_two_elements_share_is_no_disorder_and_no_antisite(share):
    atoms = garnet()
    atoms.rattle(0.05, seed=56)
    yttrium = np.flatnonzero(atoms.symbols == "Y")
    drawn = np.random.default_rng(57).permutation(yttrium)[: round(share * len(yttrium))]
    atoms.symbols[drawn] = "Gd"
    result, names = answer(atoms)
    assert not any("liquid" in name for name in names)
    assert not len(result.defects)


def test_gamma_brass_is_no_bcc_with_vacancies():
    atoms = heated("gamma brass", 0.04, seed=58)
    assert not len(answer(atoms)[0].defects)
    gone = one_of(atoms, "Zn", seed=59)
    place = atoms.positions[gone].copy()
    del atoms[gone]
    (row,) = answer(atoms)[0].defects.to_dict("records")
    assert (row["kind"], row["element"]) == ("vacancy", "Zn")
    assert away(row["position_A"], place, atoms) < 0.4


def test_two_crystals_that_mirror_each_other_are_not_one_without_defects():
    """A boundary of strontium titanate on both sides of a mirror plane."""
    grain = make_supercell(
        Atoms(
            "SrTiO3",
            scaled_positions=[
                (0, 0, 0),
                (0.5, 0.5, 0.5),
                (0.5, 0.5, 0),
                (0.5, 0, 0.5),
                (0, 0.5, 0.5),
            ],
            cell=[3.9] * 3,
            pbc=True,
        ),
        [[2, 1, 0], [-1, 2, 0], [0, 0, 1]],
    )
    grain.set_cell(np.diag(grain.cell.lengths()), scale_atoms=True)
    grain.positions += 1e-3
    grain.wrap()
    grain = grain.repeat((4, 1, 1))
    other, x = grain.copy(), grain.positions[:, 0]
    other.positions[:, 0] = 2 * x.max() + 1.3 - x
    both = grain + other
    both.set_cell([2 * np.ptp(x) + 2.6, *grain.cell.lengths()[1:]])
    both.wrap()
    both = both.repeat((1, 1, 2))
    both.rattle(0.03, seed=60)
    assert not find_in_unit_cell(both).decided
    assert "no point defect" not in answer(both)[0].summary()


def test_where_most_atoms_have_no_two_equals_nothing_is_told():
    """MgZn2 in its cell of twelve atoms: four and two of a kind beside six."""
    atoms = crystal(
        ["Mg", "Zn", "Zn"],
        [(1 / 3, 2 / 3, 0.062), (0, 0, 0), (0.83, 0.66, 0.25)],
        spacegroup=194,
        cellpar=[5.22, 5.22, 8.57, 90, 90, 120],
    )
    atoms.rattle(0.03, seed=61)
    found = find_in_unit_cell(atoms)
    assert not found.decided
    assert found.reason == "too few equal sites in the unit cell to tell point defects"


@pytest.mark.parametrize(
    ("cell", "other"),
    [
        (bulk("Cu", a=3.9, cubic=True).repeat(2), "Au"),
        (bulk("Si", cubic=True).repeat(2), "Ge"),
        (bulk("Ti", orthorhombic=True).repeat((4, 2, 2)), "Zr"),
        (bulk("Nb", cubic=True).repeat(3), "Ta"),
    ],
    ids=["CuAu", "SiGe", "TiZr", "NbTa"],
)
def test_random_alloys_have_no_antisites_of_a_superlattice_by_chance(cell, other):
    for seed in range(70, 80):
        atoms = cell.copy()
        drawn = np.random.default_rng(seed).permutation(len(atoms))[: len(atoms) // 2]
        atoms.symbols[drawn] = other
        atoms.rattle(0.04, seed=seed)
        assert not find_point_defects(atoms).sites
