"""Slabs of compounds: their layers are of several sizes, and none is a terrace of another."""

import numpy as np
import pytest
from ase.build import bulk, surface
from ase.spacegroup import crystal

import defectkit as dk

RUTILE = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0.305, 0.305, 0)],
    spacegroup=136,
    cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
)
ANATASE = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0, 0, 0.2081)],
    spacegroup=141,
    cellpar=[3.785, 3.785, 9.514, 90, 90, 90],
)
PEROVSKITE = crystal(
    ["Sr", "Ti", "O"],
    [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)],
    spacegroup=221,
    cellpar=[3.905] * 3 + [90] * 3,
)
FLUORITE = bulk("CaF2", "fluorite", a=5.46, cubic=True)
ZINC_BLENDE = bulk("GaAs", "zincblende", a=5.65, cubic=True)
ROCK_SALT = bulk("MgO", "rocksalt", a=4.21, cubic=True)
SLABS = {
    "TiO2 (110)": (RUTILE, (1, 1, 0), 4, (4, 2, 1)),
    "anatase (001)": (ANATASE, (0, 0, 1), 2, (4, 4, 1)),
    "SrTiO3 (100)": (PEROVSKITE, (1, 0, 0), 4, (4, 4, 1)),
    "SrTiO3 (110)": (PEROVSKITE, (1, 1, 0), 4, (3, 3, 1)),
    "SrTiO3 (111)": (PEROVSKITE, (1, 1, 1), 4, (3, 3, 1)),
    "CaF2 (100)": (FLUORITE, (1, 0, 0), 3, (3, 3, 1)),
    "GaAs (110)": (ZINC_BLENDE, (1, 1, 0), 4, (3, 3, 1)),
    "MgO (100)": (ROCK_SALT, (1, 0, 0), 3, (4, 4, 1)),
}


def slab(name, seed, removed=False):
    """The slab, hot or not, and where its topmost atom in the middle was."""
    unit, miller, layers, repeat = SLABS[name]
    atoms = surface(unit, miller, layers, vacuum=8).repeat(repeat)
    atoms.pbc, place = True, None
    if removed:
        z = atoms.positions[:, 2]
        top = np.flatnonzero(z > z.max() - 0.3)
        place = atoms.positions[top[len(top) // 2]].copy()
        del atoms[int(top[len(top) // 2])]
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    return atoms, place


@pytest.mark.parametrize("name", SLABS)
def test_a_perfect_slab_has_two_surfaces_and_nothing_on_them(name):
    result = dk.identify(slab(name, seed=21)[0], progress=False)
    assert result.extended["kind"].tolist() == ["surface", "surface"]
    assert not len(result.defects)


@pytest.mark.parametrize("name", SLABS)
def test_an_atom_missing_in_the_surface_is_found_where_it_was(name):
    atoms, place = slab(name, seed=22, removed=True)
    result = dk.identify(atoms, progress=False)
    (row,) = result.defects.to_dict("records")
    assert row["kind"] in ("vacancy", "surface vacancy")
    assert set(result.extended["kind"]) <= {"surface", "surface vacancy"}
    away = np.subtract(row["position_A"], place)
    away -= np.round(away / atoms.cell.lengths()) * atoms.cell.lengths() * (1, 1, 0)
    assert np.linalg.norm(away) < 0.5


@pytest.mark.parametrize("rows", [8, 3])
def test_a_terrace_is_no_termination_however_wide(rows):
    """Rows of the topmost layer are taken away, along one direction: two steps are left."""
    atoms = surface(ROCK_SALT, (1, 0, 0), 3, vacuum=8).repeat((10, 3, 1))
    atoms.pbc = True
    z, x = atoms.positions[:, 2], atoms.get_scaled_positions()[:, 0]
    a = atoms.cell.lengths()[0]
    spacing = ROCK_SALT.cell.lengths()[0] / 2
    gone = (z > z.max() - 0.5 * spacing) & (x * a < (rows - 0.5) * spacing)
    del atoms[np.flatnonzero(gone).tolist()]
    atoms.positions += np.random.default_rng(23).normal(0, 0.04, atoms.positions.shape)
    kinds = dk.identify(atoms, progress=False).extended["kind"]
    assert (kinds == "step").any()
