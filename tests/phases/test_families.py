"""Other members of a prototype's family, with their own lattice constants, hot, less one atom."""

from collections import Counter

import numpy as np
import pytest
from ase.build import mx2
from ase.spacegroup import crystal

import defectkit as dk

CUBIC, HEXAGONAL = [90] * 3, [90, 90, 120]
FAMILIES = {
    "Ni3V": (
        "D0_22",
        ["V", "Ni", "Ni"],
        [(0, 0, 0), (0, 0, 0.5), (0, 0.5, 0.25)],
        139,
        [3.54, 3.54, 7.22, *CUBIC],
        (3, 3, 2),
    ),
    "MoP": (
        "tungsten carbide",
        ["Mo", "P"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.5)],
        187,
        [3.22, 3.22, 3.19, *HEXAGONAL],
        (4, 4, 4),
    ),
    "TiS2": (
        "cadmium iodide",
        ["Ti", "S"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.248)],
        164,
        [3.407, 3.407, 5.695, *HEXAGONAL],
        (4, 4, 3),
    ),
    "IrSb3": (
        "skutterudite",
        ["Ir", "Sb"],
        [(0.25, 0.25, 0.25), (0, 0.3407, 0.1538)],
        204,
        [9.25] * 3 + CUBIC,
        (2, 2, 2),
    ),
    "In2O3": (
        "bixbyite",
        ["In", "In", "O"],
        [(0.25, 0.25, 0.25), (0.4662, 0, 0.25), (0.3905, 0.1529, 0.3832)],
        206,
        [10.12] * 3 + CUBIC,
        (1, 1, 1),
    ),
    "NaFeO2": (
        "alpha-NaFeO2",
        ["Na", "Fe", "O"],
        [(0, 0, 0.5), (0, 0, 0), (0, 0, 0.2664)],
        166,
        [3.022, 3.022, 16.08, *HEXAGONAL],
        (4, 4, 1),
    ),
    "Gd3Ga5O12": (
        "garnet",
        ["Gd", "Ga", "Ga", "O"],
        [(1 / 8, 0, 1 / 4), (0, 0, 0), (3 / 8, 0, 1 / 4), (-0.0289, 0.0528, 0.1511)],
        230,
        [12.38] * 3 + CUBIC,
        (1, 1, 1),
    ),
}
SHEETS = {"MoS2": (3.18, 3.15), "PtSe2": (3.75, 2.6), "SnS2": (3.68, 2.95)}


def cell(name):
    _, symbols, sites, group, edges, repeat = FAMILIES[name]
    return crystal(symbols, sites, spacegroup=group, cellpar=edges).repeat(repeat)


def answer(atoms):
    """Name of most atoms, and how many defects of each kind."""
    result = dk.identify(atoms, progress=False)
    assert not len(result.extended)
    named = result.phases.groupby("name")["fraction"].sum()
    return named.idxmax(), Counter(result.defects["kind"])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("heat", [0.0, 0.07])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_member_of_a_family_has_its_name_and_its_vacancy(name, heat, missing):
    atoms = cell(name)
    atoms.rattle(heat, seed=31)
    if missing:
        del atoms[int(np.random.default_rng(32).integers(len(atoms)))]
    found, defects = answer(atoms)
    assert found.startswith(FAMILIES[name][0])
    assert defects == ({"vacancy": 1} if missing else {})


@pytest.mark.parametrize("heat", [0.0, 0.07])
@pytest.mark.parametrize("formula", SHEETS)
def test_sheets_of_octahedra_are_named_thick_and_flat(formula, heat):
    a, thickness = SHEETS[formula]
    atoms = mx2(formula, "1T", a=a, thickness=thickness, size=(5, 5, 1), vacuum=8)
    atoms.rattle(heat, seed=33)
    assert answer(atoms) == (f"1T cadmium iodide sheet {formula}", {})


def test_a_lattice_of_which_a_quarter_is_missing_is_not_taken_for_the_crystal():
    """Hot bixbyite is nearly fluorite: vacancies and pairs of atoms in place of its order."""
    for seed in range(40, 52):
        atoms = cell("In2O3")
        atoms.rattle(0.1, seed=seed)
        assert answer(atoms) == ("bixbyite In2O3", {})
