"""Interfaces between crystals of different elements, and frames that have none."""

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit.phases import extended_defects, structure_types


def couple(lower, upper, edge, seed, heat=0.06):
    """Two crystals on each other, strained to one edge; the heights of the two interfaces."""
    parts = []
    for part in (lower, upper):
        part.set_cell([edge, edge, part.cell[2, 2]], scale_atoms=True)
        parts.append(part.cell[2, 2])
    upper.positions[:, 2] += parts[0]
    atoms = lower + upper
    atoms.set_cell([edge, edge, sum(parts)])
    atoms.pbc = True
    atoms.rattle(heat, seed=seed)
    return atoms, parts[0]


def found(atoms):
    return [d for d in extended_defects(atoms, structure_types(atoms)) if d.kind == "interface"]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_metal_couple_has_two_interfaces_at_their_places(seed):
    nickel = bulk("Ni", cubic=True, a=3.52).repeat((4, 4, 6))
    aluminium = bulk("Al", cubic=True, a=4.05).repeat((4, 4, 5))
    atoms, height = couple(nickel, aluminium, 4 * 3.78, seed)
    walls = found(atoms)
    assert [w.details["sides"] for w in walls] == [("Al", "Ni")] * 2
    assert all(abs(w.normal[2]) > 0.99 for w in walls)
    top = atoms.cell[2, 2]
    heights = np.array(sorted(w.position[2] for w in walls))
    low = [np.abs(heights - at - top * np.arange(-1, 2)[:, None]).min() for at in (height, 0.0)]
    assert max(low) < 2.5  # Å: the layers beside the interface lie 1 to 2 Å from it
    near = np.concatenate([w.atoms for w in walls])
    z = atoms.positions[near, 2]
    away = np.min([np.abs(z - at) for at in (0, height, top)], axis=0)
    assert away.max() < 3.0 and len(near) == 128


def test_layers_of_aluminium_and_gallium_arsenide():
    atoms = bulk("GaAs", "zincblende", 5.65, cubic=True).repeat((3, 3, 6))
    high = (atoms.numbers == 31) & (atoms.positions[:, 2] > 3 * 5.65 - 0.1)
    atoms.symbols[high] = "Al"
    atoms.rattle(0.06, seed=1)
    result = dk.identify(atoms, progress=False)
    said = [line for line in result.summary().splitlines() if line.startswith("interface: ")]
    assert len(said) == 2 and all("between AlAs and GaAs, normal to (0.00" in s for s in said)
    assert len(result.defects) == 0


def alloy(share, seed=0):
    atoms = bulk("Cu", cubic=True).repeat(5)
    rng = np.random.default_rng(seed)
    atoms.symbols[rng.random(len(atoms)) < share] = "Ni"
    return atoms


def ball():
    atoms = bulk("Cu", cubic=True).repeat(8)
    away = np.linalg.norm(atoms.positions - atoms.positions.mean(axis=0), axis=1)
    atoms.symbols[away < 9.5] = "Ag"
    return atoms


@pytest.mark.parametrize(
    "atoms",
    [
        alloy(0.5),
        alloy(0.15),
        ball(),
        bulk("NaCl", "rocksalt", 5.64, cubic=True).repeat(3),
        bulk("CuAu", "cesiumchloride", 3.0).repeat(6),
        bulk("Al", cubic=True).repeat(3),
    ],
    ids=["alloy", "dilute alloy", "precipitate", "rock salt", "B2", "element"],
)
def test_one_crystal_has_no_interface(atoms):
    atoms = atoms.copy()
    atoms.rattle(0.05, seed=2)
    assert found(atoms) == []


def test_a_liquid_of_two_parts_has_no_interface_of_crystals():
    rng = np.random.default_rng(0)
    atoms = bulk("Cu", cubic=True).repeat(6)
    atoms.symbols[atoms.positions[:, 2] > 11] = "Ag"
    atoms.positions += rng.normal(0, 0.8, (len(atoms), 3))
    assert found(atoms) == []
