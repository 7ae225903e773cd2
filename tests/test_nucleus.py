"""Groups under periodic boundaries, and shapes known beforehand."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from defectkit import nucleus


def ball(centre, radius):
    """Copper with the atoms within `radius` Å of `centre` (fraction of the cell) flagged."""
    atoms = bulk("Cu", cubic=True, a=3.6) * (10, 10, 10)
    away = atoms.get_scaled_positions() - centre
    away -= np.round(away)
    return atoms, np.linalg.norm(away @ atoms.cell.array, axis=1) < radius


@pytest.mark.parametrize("centre", [(0.5, 0.5, 0.5), (0.0, 0.5, 1.0), (0.02, 0.97, 0.0)])
def test_ball_found_with_its_radius_across_the_boundary(centre):
    atoms, flagged = ball(np.array(centre), 10.0)
    atoms.positions += np.array([36.0, 0, -72.0])  # unwrapped
    (group,) = nucleus.connected(atoms, flagged, 3.0)
    made = nucleus.shape(atoms, group)
    assert made["size"] == flagged.sum() and (group == np.flatnonzero(flagged)).all()
    assert abs(made["radius_A"] - 10.0) < 0.3 and made["asphericity"] < 0.01
    apart = made["centre_A"] - np.array(centre) * 36.0
    assert np.abs(apart - 36.0 * np.round(apart / 36.0)).max() < 0.2


def test_largest_first_and_lone_atoms_apart():
    atoms, flagged = ball(np.array([0.5, 0.5, 0.5]), 8.0)
    flagged[0] = True
    groups = nucleus.connected(atoms, flagged, 3.0)
    assert [len(g) for g in groups] == [flagged.sum() - 1, 1] and groups[1].tolist() == [0]
    assert nucleus.connected(atoms, np.zeros(len(atoms), bool), 3.0) == []


def test_holes_are_closed_and_loose_atoms_stay_out():
    atoms, whole = ball(np.array([0.5, 0.5, 0.5]), 10.0)
    rng = np.random.default_rng(0)
    holed = whole & (rng.random(len(atoms)) > 0.15)
    holed[0] = True
    before = holed.copy()
    closed = nucleus.filled(atoms, holed, 3.0)
    assert (holed == before).all()
    _, inner = ball(np.array([0.5, 0.5, 0.5]), 7.5)
    assert closed[inner].all() and not holed[inner].all()
    assert (closed & ~whole).sum() <= 1  # atom 0, as lonely as before


def test_a_surface_layer_is_given_back_once():
    atoms, core = ball(np.array([0.5, 0.5, 0.5]), 9.0)
    core &= np.random.default_rng(0).random(len(atoms)) > 0.2  # a rough surface
    grown = nucleus.with_surface(atoms, core, 3.0)
    i, j = neighbor_list("ij", atoms, 3.0)
    near = np.bincount(i, core[j], minlength=len(atoms))
    assert (grown == (core | (near >= 6))).all() and grown.sum() > core.sum()
    lone = Atoms("Ar2", [[0, 0, 0], [9, 0, 0]])
    assert nucleus.with_surface(lone, np.array([True, False]), 3.0).tolist() == [True, False]


def test_a_rod_is_no_ball():
    rod = Atoms("Ar9", [[x, 0, 0] for x in range(9)])
    made = nucleus.shape(rod, np.arange(9))
    assert made["asphericity"] == pytest.approx(1) and made["centre_A"].tolist() == [4, 0, 0]
    assert nucleus.shape(rod, [3])["radius_A"] == 0


def test_groups_and_shapes_that_cannot_be():
    atoms = bulk("Cu", cubic=True)
    with pytest.raises(ValueError, match="give one bool per atom of this frame"):
        nucleus.connected(atoms, [0, 1], 3.0)
    with pytest.raises(ValueError, match="links nothing; use the end of the first shell"):
        nucleus.connected(atoms, np.ones(4, bool), 0)
    with pytest.raises(ValueError, match="A group without atoms has no shape"):
        nucleus.shape(atoms, [])
