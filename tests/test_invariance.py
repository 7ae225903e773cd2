"""The labels of `identify` belong to the atoms, not to how a file happens to write them."""

from functools import cache

import numpy as np
import pytest
from ase.build import bulk, fcc111
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import defectkit as dk


def shaken(atoms, seed, amplitude=0.05):
    atoms.positions += np.random.default_rng(seed).normal(0, amplitude, atoms.positions.shape)
    return atoms


def without(atoms, index):
    del atoms[index]
    return atoms


def salt_with_an_antisite():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 3
    atoms.symbols[10] = "Cl" if atoms.symbols[10] == "Na" else "Na"
    return atoms


def ice_and_water():
    frames = [dk.load(name).frames[700] for name in ("water-ice", "water-liquid")]
    return [atoms[atoms.numbers == 8] for atoms in frames]


CASES = {
    "copper with a vacancy": lambda: [
        shaken(without(bulk("Cu", cubic=True) * 4, 17), k) for k in range(3)
    ],
    "silicon with a vacancy": lambda: [shaken(without(bulk("Si", cubic=True) * 3, 50), 5)],
    "iron beside a hole of two": lambda: [shaken(without(bulk("Fe", cubic=True) * 5, [9, 10]), 6)],
    "rock salt with an antisite": lambda: [shaken(salt_with_an_antisite(), 7)],
    "a slab": lambda: [shaken(fcc111("Al", (5, 6, 6), vacuum=8, orthogonal=True), 8)],
    "ice and water": ice_and_water,
}


@cache
def frames_of(case):
    return CASES[case]()


@cache
def labels_of(case):
    """Labels by frame and atom."""
    frames = frames_of(case)
    labels = dk.identify(frames, window=1, progress=False).atom_labels()
    return np.split(labels, np.cumsum([len(atoms) for atoms in frames])[:-1])


def agree(frames, expected):
    found = dk.identify(frames, window=1, progress=False).atom_labels()
    expected = np.concatenate(expected)
    known = (found >= 0) & (expected >= 0)
    assert known.mean() >= 0.99
    assert dk.clusters.agreement(found[known], expected[known]) >= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_turned_moved_and_in_another_order(case, seed):
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(random_state=int(rng.integers(2**31))), rng.normal(0, 20, 3)
    frames, expected = [], []
    for n in rng.permutation(len(frames_of(case))):
        atoms = frames_of(case)[n].copy()
        order = rng.permutation(len(atoms))
        atoms.set_cell(turn.apply(atoms.cell.array))
        atoms.positions = turn.apply(atoms.positions) + shift
        atoms.wrap()
        frames.append(atoms[order])
        expected.append(labels_of(case)[n][order])
    agree(frames, expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case != "ice and water"])
def test_a_supercell_has_the_labels_of_its_cell(case):
    frames = [atoms * (2, 1, 1) for atoms in frames_of(case)]
    agree(frames, [np.tile(labels, 2) for labels in labels_of(case)])
