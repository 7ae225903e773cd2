"""Jump rates and diffusion coefficients from tracks."""

import numpy as np
import pytest

import defectkit as dk
from defectkit import defects


def walk(rng, rate, frames, dt, length=2.35):
    """A defect that jumps at random on a cubic grid, seen every dt with a little heat."""
    jumps = rng.random(frames) < rate * dt
    jumps[1:] &= ~jumps[:-1]  # two frames at each place, so that a jump can be told from noise
    steps = np.eye(3)[rng.integers(0, 3, frames)] * rng.choice([-1, 1], frames)[:, None]
    path = 10 + length * np.cumsum(jumps[:, None] * steps, axis=0)
    (track,) = defects.track(
        (path + 0.05 * rng.standard_normal(path.shape))[:, None], np.eye(3) * 30, max_jump=4
    )
    return defects.hopping(track, dt)


def test_rate_and_diffusion_of_random_walks_lie_within_their_errors():
    rate, dt, length = 0.3, 0.1, 2.35
    rng = np.random.default_rng(20)
    found = [walk(rng, rate, 500, dt, length) for _ in range(25)]
    # jumps after a jump are left out of the walk: the rate that is there
    true = rate / (1 + rate * dt)
    rates, errors = np.array([[f.rate, f.rate_error] for f in found]).T
    assert abs(rates.mean() - true) < 4 * errors.mean() / 25**0.5
    assert 0.7 < (rates - true).std() / errors.mean() < 1.4
    values, spread = np.array([[f.diffusion, f.diffusion_error] for f in found]).T
    expected = true * length**2 / 6 * 1e-4
    assert abs(values.mean() - expected) < 4 * spread.mean() / 25**0.5 + 0.02 * expected
    assert 0.7 < values.std() / spread.mean() < 1.4


def test_a_defect_that_rests_has_no_rate_and_says_how_small_it_could_be():
    (track,) = defects.track([[[5, 5, 5]]] * 101, 10 * np.eye(3))
    found = defects.hopping(track, 0.1)
    assert (found.jumps, found.rate, found.time) == (0, 0.0, pytest.approx(10))
    assert found.rate_error == pytest.approx(0.1)
    assert np.isnan(found.diffusion) and np.isnan(found.length)


def test_one_track_is_wanted_not_the_list():
    tracks = defects.track([[[5, 5, 5], [2, 2, 2]]] * 3, 10 * np.eye(3))
    for measure in (lambda t: defects.hopping(t, 0.1), defects.mean_square_displacement):
        with pytest.raises(ValueError, match=r"path is a list of 2, as .* such as path\[0\]"):
            measure(tracks)


@pytest.mark.slow
def test_the_hopping_vacancy_has_the_rate_of_the_truth():
    data = dk.load("si-vacancy-moving")
    chosen = np.flatnonzero(data.truth["run"] == data.truth["run"][0])[:50]
    cell = data.frames[0].cell.array
    found = [
        [s for s in defects.find_point_defects(data.frames[k]).sites if s.kind in defects.VACANT]
        for k in chosen
    ]
    mine = defects.hopping(defects.track(found, cell)[0], 0.1)
    theirs = defects.hopping(defects.track(data.truth["vacancy_A"][chosen, None], cell)[0], 0.1)
    assert theirs.jumps > 3
    assert abs(mine.rate - theirs.rate) <= theirs.rate_error
    assert abs(mine.diffusion - theirs.diffusion) <= theirs.diffusion_error


def test_no_time_no_rate():
    (track,) = defects.track([[[1, 1, 1]]] * 3, 9 * np.eye(3))
    with pytest.raises(ValueError, match=r"dt=0: give the time between frames in ps, above 0"):
        defects.hopping(track, 0)
    (track,) = defects.track([[[1, 1, 1]]], 9 * np.eye(3))
    with pytest.raises(ValueError, match=r"the track has one frame; a rate needs"):
        defects.hopping(track, 1)
