"""Crystals of every atom: hot single frames, small and triclinic cells, open ones, water."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, graphene, make_supercell

from defectkit.phases import regions, structure_types
from defectkit.phases.crystals import water_oxygens
from defectkit.phases.orientation import misorientation


def shaken(atoms, rms, seed=0):
    atoms = atoms.copy()
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(0, rms / np.sqrt(3), (len(atoms), 3))
    return atoms


HOT = {  # rms displacement 0.13 of the distance of neighbours: 0.8 of the melting temperature
    "fcc": (bulk("Cu", cubic=True) * 4, 2.55),
    "bcc": (bulk("W", cubic=True) * 5, 2.74),
    "hcp": (bulk("Mg") * (5, 5, 4), 3.2),
    "diamond": (bulk("Si", cubic=True) * 3, 2.35),
    "hexagonal diamond": (bulk("GaN", "wurtzite", a=3.19, c=5.19, u=0.375) * (4, 4, 3), 1.95),
    "simple cubic": (bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 3, 2.82),
}


@pytest.mark.parametrize("name", HOT)
def test_hot_single_frame_is_named(name):
    atoms, d = HOT[name]
    structure = structure_types(shaken(atoms, 0.13 * d))
    assert np.mean(structure.labels == name) >= 0.99
    assert structure.smoothed and structure.spacing == pytest.approx(d, rel=0.03)


@pytest.mark.parametrize(
    "atoms", [bulk("Cu"), bulk("Fe"), bulk("Mg"), bulk("Si")], ids=["fcc", "bcc", "hcp", "diamond"]
)
def test_primitive_cell_is_repeated(atoms):
    structure = structure_types(atoms)
    name = {"Cu": "fcc", "Fe": "bcc", "Mg": "hcp", "Si": "diamond"}[atoms.symbols[0]]
    assert structure.labels.tolist() == [name] * len(atoms)


def test_skewed_left_handed_and_unwrapped_cell():
    skewed = make_supercell(bulk("Cu"), [[5, 1, 0], [0, 6, 2], [1, 0, -5]])
    skewed.set_cell(skewed.cell.array[[1, 0, 2]])
    skewed.positions += 3 * skewed.cell.array[0]
    assert set(structure_types(shaken(skewed, 0.15)).labels) == {"fcc"}


def test_orientation_follows_a_rotation():
    atoms = bulk("Cu", cubic=True) * 4
    turned = atoms.copy()
    turned.rotate(25, (1, 2, 3), rotate_cell=True)
    plain, other = (regions(a, structure_types(a))[0] for a in (atoms, turned))
    angle, axis = misorientation(plain.rotation, other.rotation, plain.code)
    assert angle == pytest.approx(25, abs=0.3)
    assert abs(axis @ np.array([1, 2, 3])) / 14**0.5 == pytest.approx(1, abs=1e-3)


def test_vacancy_is_kept_in_heat():
    atoms = shaken(bulk("Cu", cubic=True) * 4, 0.2, seed=3)
    near = np.argsort(
        np.linalg.norm(atoms.get_distances(0, range(len(atoms)), mic=True, vector=True), axis=1)
    )[1:13]
    other = np.flatnonzero(structure_types(atoms[1:]).codes == 0)
    assert set(near - 1) <= set(other.tolist()) and len(other) <= 14


def test_liquid_is_no_crystal():
    rng = np.random.default_rng(1)
    atoms = Atoms("Cu500", rng.uniform(0, 18.3, (500, 3)), cell=[18.3] * 3, pbc=True)
    assert np.mean(structure_types(atoms).codes > 0) < 0.01


def test_graphene_and_slab_with_open_axis():
    sheet = graphene(size=(5, 5, 1), vacuum=5)
    sheet.pbc = [True, True, False]
    assert set(structure_types(sheet).labels) == {"graphene"}
    slab = fcc111("Al", (4, 4, 6), vacuum=0)
    slab.cell[2] = 0
    slab.pbc = [True, True, False]
    assert np.bincount(structure_types(slab).codes).tolist() == [32, 64]


def test_water_by_its_oxygens():
    from defectkit import datasets

    ice = datasets.load("water-ice").frames[-1]
    assert water_oxygens(ice) is not None
    structure = structure_types(ice)
    assert structure.fractions().get("ice Ih", 0) > 0.8
    hydrogen = np.flatnonzero(ice.numbers == 1)
    assert set(structure.labels[hydrogen]) <= set(structure.labels[ice.numbers == 8])


def test_too_few_atoms_and_bad_input():
    assert structure_types(Atoms("Ar3", np.eye(3) * 3)).labels.tolist() == ["other"] * 3
    with pytest.raises(ValueError, match="There are no atoms in this frame"):
        structure_types(Atoms())
    with pytest.raises(ValueError, match="not finite"):
        structure_types(Atoms("Ar", [[np.nan, 0, 0]]))
    with pytest.raises(ValueError, match="A periodic axis has no cell vector"):
        structure_types(Atoms("Ar30", np.arange(90.0).reshape(30, 3), pbc=True))


def test_grains_are_regions():
    one = bulk("Cu", cubic=True) * (4, 4, 4)
    other = bulk("Cu", cubic=True) * (9, 9, 9)
    other.rotate(30, "z", center="COP")
    other.positions += [7.2, 7.2, 21.7] - other.positions.mean(axis=0)
    inside = np.all((other.positions >= 0) & (other.positions < [14.4, 14.4, 28.8]), axis=1)
    both = one + other[inside & (other.positions[:, 2] > 14.6)]
    both.pbc = False
    found = regions(both, structure_types(both))
    assert [r.name for r in found[:2]] == ["fcc", "fcc"]
    assert misorientation(found[0].rotation, found[1].rotation, 1)[0] == pytest.approx(30, abs=1)
