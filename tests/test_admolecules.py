"""Molecules on a crystal's surfaces and liquids beside it: told as such, no adatoms."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, graphene, molecule, mx2
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.workflow.admolecules import molecules_outside
from defectkit.workflow.site_groups import is_water


def rattled(atoms, rms=0.04, seed=0):
    atoms.positions += np.random.default_rng(seed).normal(0, rms, atoms.positions.shape)
    return atoms


def platinum(size, vacuum=6.0):
    slab = fcc111("Pt", size, vacuum=vacuum)
    slab.pbc = True
    return slab


def under_water(slab, height, seed=0):
    """The slab, from the bottom of its cell, with water of 1 g/cm³ above it."""
    rng = np.random.default_rng(seed)
    slab.positions[:, 2] -= slab.positions[:, 2].min()
    low = slab.positions[:, 2].max() + 2.6
    slab.cell[2] = [0, 0, low + height + 2.6]
    number = int(np.linalg.norm(np.cross(*slab.cell[:2])) * (height + 2) / 29.9)
    place = rng.random((number, 3)) @ np.vstack([slab.cell[:2], [0, 0, height]]) + [0, 0, low]
    oxygen = Atoms("O" * number, place, cell=slab.cell, pbc=True)
    for _ in range(100):
        i, d, step = neighbor_list("idD", oxygen, 2.75)
        np.add.at(oxygen.positions, i, -(0.25 * (2.75 - d) / d)[:, None] * step)
        oxygen.positions[:, 2] = oxygen.positions[:, 2].clip(low, low + height)
    for place in oxygen.positions:
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.translate(place - one.positions[0])
        slab += one
    return slab


def test_carbon_monoxide_on_platinum():
    slab = platinum((4, 4, 4))
    for site in (-1, -6):
        foot = slab.positions[:64][site]
        slab += Atoms("CO", [foot + [0, 0, 1.85], foot + [0, 0, 3.0]])
    result = dk.identify(rattled(slab), progress=False)
    kinds = result.extended["kind"].tolist()
    assert kinds == ["surface", "surface", "adsorbed molecule"] and not len(result.defects)
    told = result.extended["description"].iloc[-1]
    assert told.startswith("2 adsorbed molecules of CO on the (111) surface, C next to Pt at 1.8")
    assert set(result.extended["atoms"].iloc[-1]) == {64, 65, 66, 67}
    assert result.extended["n_atoms"].tolist() == [16, 16, 4]
    assert "adsorbed molecule" in set(result.names.values())


def test_water_on_an_oxide_whose_surface_misses_an_atom():
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True) * (3, 3, 2)
    slab.center(vacuum=6, axis=2)
    top = slab.positions[:, 2].max() - 0.1
    foot, gone = np.flatnonzero((slab.symbols == "Mg") & (slab.positions[:, 2] > top))[[1, 7]]
    one = molecule("H2O")
    one.rotate(180, "x")
    one.translate(slab.positions[foot] + [0, 0, 2.2] - one.positions[0])
    slab += one
    hole = slab.positions[gone].copy()
    del slab[gone]
    result = dk.identify(rattled(slab), progress=False)
    told = " ".join(result.extended["description"])
    assert "1 adsorbed molecule of H2O on the surface, O next to Mg at 2." in told
    assert "surface of rock salt, 35 atoms" in told
    (site,) = result.defects.to_dict("records")
    assert site["kind"] in ("vacancy", "surface vacancy") and site["element"] == "Mg"
    assert np.linalg.norm(np.array(site["position_A"]) - hole) < 0.3
    assert not set(site["atoms"]) & set(range(len(slab) - 3, len(slab)))


def test_a_metal_under_water_has_its_interfaces():
    result = dk.identify(rattled(under_water(platinum((5, 5, 4)), 10), 0.03), progress=False)
    table = result.extended
    assert table["kind"].tolist()[:2] == ["surface", "surface"]
    assert all("(111) surface of fcc" in words for words in table["description"][:2])
    assert all(words.endswith("interface with liquid water") for words in table["description"][:2])
    assert "liquid water beside the crystal" in table["description"][2]
    named = {n for n, e in zip(result.phases["name"], result.phases["elements"], strict=True)}
    assert {"liquid water", "fcc"} <= named and not len(result.defects)


def test_water_that_repeats_not_at_all_or_in_two_directions_is_water():
    assert is_water(molecule("H2O"))
    film = dk.load("water-liquid").frames[0]
    film.center(vacuum=8, axis=2)
    film.pbc = [True, True, False]
    assert is_water(film)


def test_a_small_slab_in_much_water_is_no_ion():
    assert not is_water(under_water(platinum((3, 3, 2)), 15))


@pytest.mark.parametrize(
    "atoms",
    [
        crystal(
            ["Fe", "S"],
            [(0, 0, 0), (0.385, 0.385, 0.385)],
            spacegroup=205,
            cellpar=[5.42] * 3 + [90] * 3,
        ),
        crystal(
            ["Ca", "C", "O"],
            [(0, 0, 0), (0, 0, 0.25), (0.257, 0, 0.25)],
            spacegroup=167,
            cellpar=[4.99, 4.99, 17.06, 90, 90, 120],
        ),
        bulk("Si", cubic=True) * 2,
        platinum((3, 3, 3)),
    ],
    ids=["pyrite", "calcite", "silicon", "platinum"],
)
def test_groups_within_a_crystal_are_no_molecules_beside_it(atoms):
    assert molecules_outside(rattled(atoms * (2, 2, 1))) == []


def test_a_hydrogen_on_an_oxide_leaves_the_oxygen_to_it():
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True) * (2, 2, 2)
    slab.center(vacuum=6, axis=2)
    high = int(np.where(slab.symbols == "O", slab.positions[:, 2], 0).argmax())
    slab += Atoms("H", [slab.positions[high] + [0, 0, 0.97]])
    assert molecules_outside(slab) == []


@pytest.mark.parametrize("name, a, thick", [("WSe2", 3.28, 3.34), ("MoTe2", 3.52, 3.60)])
def test_a_sheets_own_atoms_are_no_molecules(name, a, thick):
    sheet = mx2(name, a=a, thickness=thick, vacuum=8) * (5, 5, 1)
    sheet.pbc = True
    for seed in range(3):
        assert molecules_outside(rattled(sheet.copy(), 0.12, seed)) == []


def test_a_sheet_on_a_metal_is_no_molecule():
    slab = platinum((4, 4, 3))
    sheet = graphene(size=(4, 4, 1), a=np.linalg.norm(slab.cell[0]) / 4)
    sheet.positions[:, 2] += slab.positions[:, 2].max() + 3.3
    assert molecules_outside(slab + sheet) == []
    assert len(molecules_outside(slab + sheet[:2])) == 1
