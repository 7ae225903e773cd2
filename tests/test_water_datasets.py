"""Embedded water and ice: the files open, and their molecules are those of ice and of a liquid."""

import numpy as np
import pytest

from defectkit import datasets

STEP = 0.0125  # ps


@pytest.fixture(scope="module")
def water():
    return {name: datasets.load(f"water-{name}") for name in ("ice", "liquid")}


def oxygens(data):
    return np.stack([atoms.positions[atoms.numbers == 8] for atoms in data.frames])


@pytest.mark.parametrize("name, phase", [("ice", "ice"), ("liquid", "water")])
def test_a_trajectory_has_its_stated_frames_phase_and_time(water, name, phase):
    data = water[name]
    assert data.classes == (phase,) and data.dt == STEP
    assert len(data.frames) == data.info["n_frames"]
    assert len(data.frames) * STEP >= 10.0
    assert np.allclose(np.diff(data.truth["time"]), STEP)
    assert set(np.unique(data.truth["phase"])) == {0}
    atoms = data.frames[0]
    assert len(atoms) == 1080 and atoms.pbc.all()
    assert np.allclose(atoms.cell.lengths(), data.info["checks"]["cell_A"], atol=1e-3)


@pytest.mark.parametrize("name", ["ice", "liquid"])
def test_molecules_stay_whole_and_their_bonds_vibrate(water, name):
    frames = water[name].frames[::40]
    lengths = []
    for atoms in frames:
        xyz = atoms.positions.reshape(-1, 3, 3)
        lengths.append(np.linalg.norm(xyz[:, 1:] - xyz[:, :1], axis=2).ravel())
    assert 0.8 < np.min(lengths) < np.max(lengths) < 1.3
    assert 0.02 < np.std(lengths) < 0.06


def test_ice_stays_where_it_is_and_water_moves(water):
    moved = {name: oxygens(data) for name, data in water.items()}
    shift = {
        name: np.mean(np.sum((x[-1] - x[len(x) - 800]) ** 2, axis=1)) for name, x in moved.items()
    }
    assert shift["ice"] < 0.5
    assert shift["liquid"] > 2.0


def test_every_molecule_of_the_ice_has_four_neighbours_and_water_has_not(water):
    count = {}
    for name, data in water.items():
        mean = oxygens(data)[-60:].mean(axis=0)
        cell = data.frames[0].cell.lengths()
        d = mean[:, None] - mean[None]
        r = np.linalg.norm(d - cell * np.round(d / cell), axis=2)
        count[name] = np.sum((r > 0) & (r < 3.3), axis=1)
    assert (count["ice"] == 4).all()
    assert (count["liquid"] == 4).mean() < 0.9


def test_positions_are_stored_to_a_thousandth_of_an_angstrom(water):
    x = water["ice"].frames[0].positions
    assert np.abs(x - np.round(x, 3)).max() < 1e-4
