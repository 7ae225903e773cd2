"""Prototypes of compounds, strained and hot, random alloys, and what is none of them."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from defectkit.phases import prototype, structure_types
from defectkit.phases.compounds import UNKNOWN, coordination, prototypes
from defectkit.phases.prototypes import COMMON


@pytest.mark.parametrize("name", sorted(prototypes()))
def test_prototype_is_found_hot_and_strained(name):
    ideal = prototypes()[name]
    rng = np.random.default_rng(5)
    cell = ideal * ([3 if p else 1 for p in ideal.pbc] if len(ideal) < 13 else [2, 2, 1])
    cell.set_cell(
        cell.cell.array @ (np.eye(3) * 1.06 + rng.normal(0, 0.004, (3, 3))), scale_atoms=True
    )
    nearest = np.sort(cell.get_distances(0, range(1, len(cell)), mic=True))[0]
    cell.positions += rng.normal(0, 0.05 * nearest, (len(cell), 3))
    found, margin = prototype(cell, structure_types(cell))
    assert found == COMMON.get(name, name) and margin > 0.3


def test_random_alloy_is_one_crystal():
    rng = np.random.default_rng(0)
    atoms = bulk("Ni", cubic=True) * 5
    atoms.numbers = rng.choice([24, 25, 26, 27, 28], len(atoms))
    atoms.positions += rng.normal(0, 0.12, (len(atoms), 3))
    structure = structure_types(atoms)
    assert prototype(atoms, structure).name == "fcc random alloy"
    assert set(structure.labels) == {"fcc"}


def test_what_is_no_prototype_is_unknown():
    rng = np.random.default_rng(1)
    atoms = Atoms("Ga40O60", rng.uniform(0, 11, (100, 3)), cell=[11] * 3, pbc=True)
    answer = prototype(atoms, structure_types(atoms))
    assert answer.name == UNKNOWN and answer.margin == 0
    assert "neighbours" in answer.words


def test_coordination_counts_unlike_neighbours():
    assert set(coordination(bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2)) == {6}
    assert set(coordination(bulk("GaAs", "zincblende", a=5.65, cubic=True) * 2)) == {4}


def test_elements_keep_their_crystal():
    iron = bulk("Fe", cubic=True) * 3
    assert tuple(prototype(iron, structure_types(iron))) == ("bcc", 1.0)


def test_seven_bonds_are_not_the_eight_of_fluorite_nor_the_six_of_rutile():
    from ase.spacegroup import crystal

    zirconia = crystal(
        ["Zr", "O", "O"],
        [(0.2754, 0.0395, 0.2083), (0.07, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)],
        spacegroup=14,
        cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90],
    ) * (2, 2, 2)
    found = prototype(zirconia, structure_types(zirconia))
    assert found.name == "unknown crystal" and "Zr with 7 O neighbours" in found.words
