"""Checkpoints of the recipe that equilibrates water with TIP4P/Ice."""

import sys
from pathlib import Path

import numpy as np
import pytest

RECIPES = str(Path(__file__).parents[1] / "recipes")


@pytest.fixture
def tip4p_ice(monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    yield pytest.importorskip("tip4p_ice")
    for name in ("tip4p_ice", "lammps_md"):
        sys.modules.pop(name, None)


def test_pieces_follow_the_stages_and_let_the_ball_go_once(tip4p_ice):
    settings = tip4p_ice.Settings(
        ((True, 500.0, 500.0, 1.0), (True, 500.0, 200.0, 1.5), (False, 200.0, 200.0, 1.0))
    )
    cut = tip4p_ice.pieces(settings)
    assert [p.release for p in cut] == [False] * 5 + [True, False]
    assert [p.held for p in cut] == [True] * 5 + [False] * 2
    assert [p.end for p in cut] == [500, 500, 400, 300, 200, 200, 200]
    assert [p.start for p in cut[1:]] == [p.end for p in cut[:-1]]


def test_the_compact_checkpoint_gives_positions_back_to_half_its_unit(tip4p_ice, tmp_path):
    rng = np.random.default_rng(0)
    oxygen = rng.uniform(-5, 95, (50, 1, 3))
    positions = np.concatenate([oxygen, oxygen + rng.uniform(-1, 1, (50, 2, 3))], axis=1)
    state = {
        "positions": positions.reshape(-1, 3),
        "velocities": np.ones((150, 3)),
        "cell": 90 * np.eye(3),
        "ball": np.arange(7),
        "done": 3,
    }
    tip4p_ice.write(tmp_path / "kept.npz", **tip4p_ice.compact(state))
    back = tip4p_ice.expand(tip4p_ice.read(tmp_path / "kept.npz"))
    assert np.abs(back["positions"] - state["positions"]).max() < 0.000501
    assert back["done"] == 3 and (back["ball"] == state["ball"]).all()
    assert "velocities" not in back


def test_molecules_across_the_boundary_are_in_one_piece(tip4p_ice):
    lengths = np.array([20.0, 21.0, 22.0])
    molecule = np.array([[0.2, 20.9, 5.0], [-0.6, 21.4, 5.0], [0.9, 21.5, 5.1]])
    np.testing.assert_allclose(tip4p_ice.whole(molecule % lengths, lengths), molecule, atol=1e-12)
