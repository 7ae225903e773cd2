"""Liquid, amorphous or crystalline."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from defectkit.phases import is_disordered


def glass(seed=0):
    rng = np.random.default_rng(seed)
    return Atoms("Cu300", rng.uniform(0, 15.2, (300, 3)), cell=[15.2] * 3, pbc=True)


def test_one_frame_cannot_tell_liquid_from_glass():
    answer = is_disordered(glass())
    assert answer and answer.name == "liquid or amorphous" and np.isnan(answer.diffusion)
    assert not is_disordered(bulk("Cu", cubic=True) * 3)


def test_time_tells():
    rng = np.random.default_rng(3)
    start, moving, still = glass(), [], []
    here = start.positions.copy()
    for _ in range(30):
        here = here + rng.normal(0, 0.35, here.shape)  # D = 0.35^2 / 2 Å^2 in 0.1 ps
        moving.append(Atoms(start.numbers, here, cell=start.cell, pbc=True))
        moving[-1].wrap()
        still.append(
            Atoms(
                start.numbers,
                start.positions + rng.normal(0, 0.1, here.shape),
                cell=start.cell,
                pbc=True,
            )
        )
    liquid = is_disordered(moving, dt=0.1)
    assert liquid.name == "liquid"
    assert liquid.diffusion == pytest.approx(0.35**2 / 2 / 0.1 * 1e-4, rel=0.4)
    assert is_disordered(still, dt=0.1).name == "amorphous"


def test_bad_input():
    with pytest.raises(ValueError, match="give the time between two frames"):
        is_disordered(glass(), dt=0)
    with pytest.raises(ValueError, match="give at least one"):
        is_disordered([])
    with pytest.raises(ValueError, match="differ in their number of atoms"):
        is_disordered([glass(), glass()[:-1], glass()], dt=1.0)
