"""Cells of crystals that no table holds are told by their symmetry, not taken for disorder."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.phases import space_group


def lithium_ferrite():
    """Ordered spinel LiFe5O8, P4_332; lithium takes a quarter of the octahedral sites."""
    return crystal(
        ["Li", "Fe", "Fe", "O", "O"],
        [
            (5 / 8, 5 / 8, 5 / 8),
            (0.9985, 0.9985, 0.9985),
            (1 / 8, 0.3679, 0.8821),
            (0.3852, 0.3852, 0.3852),
            (0.1184, 0.1284, 0.3843),
        ],
        spacegroup=212,
        cellpar=[8.33] * 3 + [90] * 3,
    )


def rosiaite():
    """PbSb2O6, P-31m: nine atoms in the cell."""
    return crystal(
        ["Pb", "Sb", "O"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.5), (0.37, 0, 0.30)],
        spacegroup=162,
        cellpar=[5.30, 5.30, 5.37, 90, 90, 120],
    )


def cementite():
    """Fe3C, Pnma: 16 atoms in the cell."""
    return crystal(
        ["Fe", "Fe", "C"],
        [(0.186, 0.063, 0.328), (0.036, 0.25, 0.852), (0.890, 0.25, 0.450)],
        spacegroup=62,
        cellpar=[5.09, 6.74, 4.53, 90, 90, 90],
    )


def framework():
    """MOF-5, Fm-3m (Eddaoudi et al., Science 295, 469 (2002)): 424 atoms around eight pores."""
    return crystal(
        ["Zn", "O", "O", "C", "C", "C", "H"],
        [
            (0.2934, 0.2066, 0.2066),
            (0.25, 0.25, 0.25),
            (0.2819, 0.2181, 0.134),
            (0.25, 0.25, 0.1113),
            (0.25, 0.25, 0.0538),
            (0.2829, 0.2171, 0.0269),
            (0.3049, 0.1951, 0.0448),
        ],
        spacegroup=225,
        cellpar=[25.832] * 3 + [90] * 3,
    )


def chalcopyrite():
    """CuGaSe2: three elements in order on the sites of diamond, 16 atoms in the cell."""
    return crystal(
        ["Cu", "Ga", "Se"],
        [(0, 0, 0), (0, 0, 0.5), (0.25, 0.25, 0.125)],
        spacegroup=122,
        cellpar=[5.61, 5.61, 11.22, 90, 90, 90],
    )


def selenium(seed=0, u=0.2254, a=4.366, c=4.954):
    """Chains of trigonal selenium (A8), 81 atoms, warm."""
    atoms = crystal(
        ["Se"], [(u, 0, 1 / 3)], spacegroup=152, cellpar=[a, a, c, 90, 90, 120]
    ).repeat(3)
    atoms.rattle(0.05, seed=seed)
    return atoms


def glass(n=40, edge=9.0, seed=0):
    """Atoms at random, none nearer than 1.8 Å to another."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=[edge] * 3, pbc=True)
    while len(atoms) < n:
        trial = atoms + Atoms("Se", [rng.random(3) * edge])
        if len(trial) < 2 or trial.get_distances(-1, range(len(atoms)), mic=True).min() > 1.8:
            atoms = trial
    return atoms


def test_symmetry_of_a_cell_and_of_its_supercell():
    cell = cementite()
    one, eight = space_group(cell), space_group(cell.repeat(2))
    assert one.symbol == eight.symbol == "Pnma" and one.number == 62
    assert one.n_unlike == eight.n_unlike == 3
    assert one.n_primitive == eight.n_primitive == 16
    assert one.words == (
        "space group Pnma (62) within 0.1 Å, 3 inequivalent atoms of 16 in the primitive cell"
    )


def test_disorder_heat_vacuum_and_size_have_no_symmetry():
    hot = cementite()
    hot.rattle(0.2, seed=1)
    slab = cementite()
    slab.pbc = (True, True, False)
    for atoms in (glass(), hot, slab, bulk("Cu", cubic=True).repeat(6)):
        assert space_group(atoms) is None


@pytest.mark.parametrize("make", [lithium_ferrite, rosiaite, cementite])
def test_a_perfect_cell_of_an_untabled_crystal_is_neither_liquid_nor_defective(make):
    result = dk.identify(make(), progress=False)
    assert len(result.defects) == 0
    assert all(name.startswith("unknown crystal") for name in result.phases["name"])
    assert all("space group" in basis for basis in result.phases["basis"])
    assert "space group" in result.summary()


def test_the_pores_of_a_framework_are_no_voids():
    result = dk.identify(framework(), progress=False)
    assert len(result.extended) == len(result.defects) == 0
    assert all("unknown crystal" in name for name in result.phases["name"])


def test_an_ordered_compound_on_the_sites_of_diamond_is_no_random_alloy():
    names = set(dk.identify(chalcopyrite(), progress=False).phases["name"])
    assert not any("random" in name for name in names)


def test_a_melt_is_told_as_one():
    assert set(dk.identify(glass(), progress=False).phases["name"]) == {"liquid or amorphous"}


def test_equal_defects_of_a_repeated_cell_stay_defects():
    cell = bulk("NaCl", "rocksalt", 5.64, cubic=True).repeat(2)
    cell.symbols[0] = "Cl" if cell.symbols[0] == "Na" else "Na"
    found = dk.identify(cell.repeat((3, 1, 1)), progress=False).defects
    assert list(found["kind"]) == ["antisite"] * 3


@pytest.mark.parametrize("extra", [0, -1])
def test_selenium_in_chains_is_not_called_arsenic(extra):
    atoms = selenium()
    if extra:
        del atoms[40]
    result = dk.identify(atoms, progress=False)
    assert result.phases["name"].iloc[0] == "trigonal selenium (A8)"
    assert list(result.defects["kind"]) == ["vacancy"] * -extra
