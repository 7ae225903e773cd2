"""Polytypes and stacking disorder, by the layers of cubic and hexagonal stacking."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import defectkit as dk
from defectkit.phases import structure_types
from defectkit.phases.stacking import ramsdell, stacking


def stacked(letters, symbols, size=4, spacing=3.08, rms=0.05):
    """Close-packed layers A, B, C; two symbols: the second a bond above the first (SiC)."""
    one = np.array([spacing, 0, 0])
    two = spacing * np.array([0.5, 0.75**0.5, 0])
    height = spacing * (2 / 3) ** 0.5
    shift = {"A": 0 * one, "B": (one + two) / 3, "C": 2 * (one + two) / 3}
    atoms = Atoms(cell=[size * one, size * two, [0, 0, len(letters) * height]], pbc=True)
    for k, letter in enumerate(letters):
        for i, j in np.ndindex(size, size):
            place = i * one + j * two + shift[letter] + [0, 0, k * height]
            above = [place + [0, 0, 0.75 * m * height] for m in range(len(symbols))]
            atoms += Atoms(symbols, above)
    atoms.positions += np.random.default_rng(0).normal(0, rms, (len(atoms), 3))
    return atoms


@pytest.mark.parametrize(
    "word, name",
    [
        ("c", "3C"),
        ("h", "2H"),
        ("hc", "4H"),
        ("hcc", "6H"),
        ("hhc", "9R"),
        ("hcchc", "15R"),
        ("hccc", "8H"),
    ],
)
def test_names_of_polytypes(word, name):
    assert ramsdell(word) == name


@pytest.mark.parametrize(
    "letters, symbols, name",
    [
        ("ABCB" * 2, ["Si", "C"], "polytype 4H"),
        ("ABCACB" * 2, ["Si", "C"], "polytype 6H"),
        ("ABCACBCABACABCB", ["Si", "C"], "polytype 15R"),
        ("ABCBABCACBABAC", ["Si", "C"], "stacking-disordered crystal"),
        ("ABAC" * 2, ["La"], "dhcp (polytype 4H)"),
        ("ABABCBCAC", ["Sm"], "polytype 9R"),
    ],
)
def test_the_order_of_layers_names_the_polytype(letters, symbols, name):
    atoms = stacked(letters, symbols)
    found = stacking(structure_types(atoms))
    assert found.name == name and len(found.word) == len(letters)
    expected = np.mean(
        [letters[k - 1] == letters[(k + 1) % len(letters)] for k in range(len(letters))]
    )
    assert found.hexagonal == pytest.approx(expected)
    assert abs(found.axis[2]) > 0.99


@pytest.mark.parametrize("letters", ["ABC" * 4, "AB" * 6, "ABCABCABABCABC", "ABCABCBACBAC"])
def test_one_stacking_with_or_without_faults_is_no_polytype(letters):
    assert stacking(structure_types(stacked(letters, ["Zn", "S"], spacing=3.82))) is None
    assert stacking(structure_types(bulk("Si", cubic=True) * 3)) is None


def test_identify_says_polytype_and_no_faults():
    silicon_carbide = stacked("ABCACB" * 2, ["Si", "C"])
    gone = np.flatnonzero(silicon_carbide.symbols == "C")[60]
    del silicon_carbide[gone]
    result = dk.identify(silicon_carbide, progress=False)
    name = "polytype 6H SiC, zinc blende/wurtzite stacking, 33% hexagonal"
    assert set(result.names.values()) == {name, "around point defects"}
    assert not len(result.extended)
    assert result.defects["kind"].tolist() == ["vacancy"]
    assert "layers in the order" in result.phases["basis"][0]
