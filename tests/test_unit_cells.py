"""One unit cell of a crystal that no table holds, hot or with a defect, told by its symmetry."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
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
    assert not find_in_unit_cell(atoms).sites or not find_in_unit_cell(atoms).decided


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
