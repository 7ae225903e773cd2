"""Averages against the direct mean, across boundaries, in bounded memory; the window search."""

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

import defectkit as dk
from defectkit.averaging import (
    average_frames,
    average_positions,
    frame_index,
    moving_average,
    shortest_window,
    stream_average,
    window_from_ps,
)
from defectkit.io import in_order


def direct(features, window):
    """The definition: mean of frames t to t + window - 1."""
    return np.array(
        [np.mean(features[t : t + window], axis=0) for t in range(len(features) - window + 1)]
    )


# moving_average, stream_average, frame_index


@given(st.integers(1, 40), st.integers(0, 39), st.integers(0, 10**6))
def test_moving_average_is_the_mean_of_each_window(n_frames, shorter, seed):
    features = np.random.default_rng(seed).normal(size=(n_frames, 3, 2))
    window = max(1, n_frames - shorter)
    before = features.copy()
    expected = direct(features, window)
    assert np.allclose(moving_average(features, window), expected, rtol=0, atol=1e-13)
    assert np.allclose(list(stream_average(iter(features), window)), expected, rtol=0, atol=1e-13)
    assert (features == before).all()


@pytest.mark.parametrize(
    "average", [moving_average, lambda f, w: np.array(list(stream_average(iter(f), w)))]
)
def test_a_large_offset_costs_no_digits(average):
    features = 1e6 + np.random.default_rng(0).normal(size=(20_000, 2))
    exact = direct(features - 1e6, 50)  # this difference is exact
    assert np.allclose(average(features, 50) - 1e6, exact, rtol=0, atol=2e-10)  # one rounding


def test_a_streamed_average_stops_where_the_atoms_change_places():
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    frames = [atoms, atoms, atoms[np.arange(8)[::-1]], atoms]
    stream = stream_average((a.positions for a in in_order(iter(frames))), 2)
    assert np.allclose(next(stream), atoms.positions)
    with pytest.raises(ValueError, match="frame 2: .*average only over frames that follow one"):
        next(stream)


@pytest.mark.parametrize("at", [0, 4, 9])
@pytest.mark.parametrize("window", [1, 3, 10])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_frame_without_numbers_spoils_only_its_own_windows(at, window, bad):
    features = np.random.default_rng(0).normal(size=(10, 3, 2)) + 5
    features[at, 1] = bad
    known = direct(features, window)
    assert np.isfinite(known[:, [0, 2]]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(moving_average(features, window), known, equal_nan=True)
        streamed = np.array(list(stream_average(iter(features), window)))
    assert np.allclose(streamed, known, equal_nan=True)
    line = features[:, 1, 0]
    assert np.allclose(moving_average(line, window), direct(line, window), equal_nan=True)


@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_lost_position_spoils_only_its_own_windows(at):
    true = 0.4 * np.arange(10.0)[:, None, None] + np.zeros((10, 2, 3)) + 8.5
    wrapped = true % 10.0
    wrapped[at, 0] = np.nan
    true[at, 0] = np.nan
    found = average_positions(wrapped, 10 * np.eye(3), 2)
    known = direct(true, 2)
    found -= 10 * np.round((found - known)[np.isfinite(known).all(axis=(1, 2))][0, 1] / 10)
    assert np.allclose(found, known, equal_nan=True)


def test_window_of_one_changes_nothing_and_of_all_frames_is_the_mean():
    features = np.random.default_rng(0).normal(size=(7, 4, 3))
    assert np.allclose(moving_average(features, 1), features, rtol=0, atol=1e-15)
    assert np.allclose(moving_average(features, 7), [features.mean(axis=0)])


def test_averages_of_whole_numbers_are_not_whole():
    assert moving_average(np.array([0, 1, 1], dtype=np.int8), 2).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("window", [1, 4, 5])
def test_frame_index_says_where_an_average_belongs(window):
    time = np.arange(12.0)
    means = moving_average(time, window)
    centred = time[frame_index(12, window)]
    assert np.allclose(means - centred, 0 if window % 2 else 0.5)
    assert (time[frame_index(12, window, "trailing")] == time[window - 1 :]).all()
    with pytest.raises(ValueError, match="unknown mode 'leading'; use centred or trailing"):
        frame_index(12, window, "leading")


@pytest.mark.parametrize(
    "window, text",
    [
        (
            40,
            "window=40 exceeds the 32 frames in this trajectory; use window <= 32 or load more "
            "frames.",
        ),
        (0, "window=0 must be a whole number of frames, at least 1; window_from_ps converts"),
        (0.75, "window=0.75 must be a whole number of frames"),
        ([5], "window=[5] must be a whole number of frames"),
        (None, "window=None must be a whole number of frames"),
        ("5", "window='5' must be a whole number of frames"),
        (np.inf, "window=inf must be a whole number of frames"),
    ],
)
def test_impossible_windows_are_refused(window, text):
    for call in (
        lambda: moving_average(np.zeros((32, 2)), window),
        lambda: frame_index(32, window),
        lambda: average_positions(np.zeros((32, 2, 3)), np.eye(3), window),
        lambda: list(stream_average(iter(np.zeros((32, 2))), window)),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            call()


def test_frames_of_changing_composition_are_refused():
    frames = [np.zeros((4, 2)), np.zeros((4, 2)), np.zeros((5, 2))]
    with pytest.raises(ValueError, match="changes between frames; average only over frames of"):
        moving_average(frames, 2)
    with pytest.raises(
        ValueError, match=re.escape("frame 2 has shape (5, 2) but those before have (4, 2)")
    ):
        list(stream_average(frames, 2))


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="there are no frames to average"):
        moving_average(np.zeros((0, 3)), 1)


def test_stream_keeps_only_the_window_in_memory():
    frame = 8 * 20_000
    peaks = []
    for n_frames in (50, 400):
        tracemalloc.start()
        for _ in stream_average((np.full(20_000, float(t)) for t in range(n_frames)), 10):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 30 * frame


# window_from_ps


@pytest.mark.parametrize(
    "ps, dt, frames",
    [
        (0.75, 0.0125, 60),
        (0.375, 0.0125, 30),
        (0, 0.01, 1),
        (0.0125, 0.0125, 1),
        (0.3, 0.1, 3),
        (1.005, 0.1, 10),
    ],
)
def test_time_becomes_frames(ps, dt, frames):
    assert window_from_ps(ps, dt) == frames


@pytest.mark.parametrize(
    "ps, dt, text",
    [
        (
            0.005,
            0.0125,
            "window=0.005 ps is shorter than one interval of 0.0125 ps; use at least 0.0125 ps",
        ),
        (
            0.38,
            0.0125,
            "window=0.38 ps lies between 30 and 31 frames of 0.0125 ps; use 0.375 or 0.3875 ps.",
        ),
        (-1, 0.0125, "times must be positive"),
        (1, 0, "times must be positive"),
        ("0.75 ps", 0.1, "window='0.75 ps' with frames every 0.1: give both as numbers, in ps."),
        (0.75, None, "window=0.75 with frames every None: give both as numbers, in ps."),
    ],
)
def test_time_between_frames_is_refused(ps, dt, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        window_from_ps(ps, dt)


# average_positions

CELLS = {
    "cubic": 8 * np.eye(3),
    "triclinic": np.array([[7.0, 0, 0], [3.0, 6.0, 0], [-2.0, 1.0, 8.0]]),
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_positions_follow_atoms_through_the_boundary(cell):
    rng = np.random.default_rng(0)
    path = rng.random((1, 20, 3)) @ cell + np.cumsum(rng.normal(0.1, 0.4, (60, 20, 3)), axis=0)
    wrapped = (path @ np.linalg.inv(cell) % 1) @ cell
    assert abs(wrapped - path).max() > 5
    shift = wrapped[0] - path[0]
    assert np.allclose(average_positions(wrapped, cell, 9), direct(path, 9) + shift)


def test_open_directions_are_not_unwrapped():
    positions = np.array([[[0.0, 0, 0]], [[0.0, 0, 7.0]]])
    average = average_positions(positions, 8 * np.eye(3), 2, pbc=(True, True, False))
    assert np.allclose(average, [[[0, 0, 3.5]]])


def test_a_breathing_cell_carries_its_atoms_along():
    scaled = np.random.default_rng(0).random((5, 3))
    cells = CELLS["triclinic"] * np.linspace(0.9, 1.1, 21)[:, None, None]
    average = average_positions(scaled @ cells, cells, 21)
    assert np.allclose(average, scaled @ CELLS["triclinic"])


@pytest.mark.parametrize(
    "positions, cell, text",
    [
        (np.zeros((4, 2)), np.eye(3), "positions must be (n_frames, n_atoms, 3), got (4, 2)"),
        (np.zeros((4, 2, 3)), np.ones(3), "cell must be (3, 3) or (4, 3, 3), got (3,)"),
        (np.zeros((4, 2, 3)), np.zeros((3, 3)), "the cell has no volume"),
    ],
)
def test_bad_positions_are_refused(positions, cell, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        average_positions(positions, cell, 2)


# shortest_window


def noisy_phase(mean, n_atoms, n_frames=160, memory=0.6, seed=0):
    """Features whose noise decays over a few frames, so that averaging takes it out slowly."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_frames, n_atoms, 6))
    for t in range(1, n_frames):
        noise[t] = memory * noise[t - 1] + np.sqrt(1 - memory**2) * noise[t]
    return mean + noise


@pytest.fixture(scope="module")
def two_phases():
    step = np.r_[1.4, 1.4, 1.4, 0, 0, 0]
    return [noisy_phase(0, 160, seed=1), noisy_phase(step, 120, seed=2)]


@pytest.mark.slow
def test_shortest_window_separates_phases_it_was_not_told(two_phases):
    windows = [1, 8, 16, 24]
    truth = ["liquid", "ice"]
    window, curve = shortest_window(
        two_phases, dt=0.01, windows=windows, truth=truth, progress=False
    )
    rows = curve.set_index("window").T
    assert list(rows) == windows and rows[8]["time_ps"] == 0.08
    assert not rows[1]["accepted"] and rows[1]["knn_error"] > 0.05
    assert rows[window]["n_clusters"] == 2
    assert rows[window]["knn_error"] <= 0.02 and rows[window]["ari_to_truth"] > 0.93
    shorter = max(w for w in windows if w < window)
    assert rows[shorter]["knn_error"] > rows[window]["knn_error"]
    again, blind = shortest_window(two_phases, windows=windows, progress=False)
    assert again == window  # the known phases play no part in the choice
    assert blind["persistence"].equals(curve["persistence"]) and blind["time_ps"].isna().all()


def test_one_phase_has_no_window():
    window, curve = shortest_window(noisy_phase(0, 200), windows=[1, 4, 16], progress=False)
    assert window is None
    assert curve["n_clusters"].tolist() == [1, 1, 1]


def test_splits_that_come_later_are_final_only_if_allowed():
    far = np.r_[6.0, 0, 0, 0, 0, 0]
    near = np.r_[0, 1.8, 1.8, 0, 0, 0]
    runs = [noisy_phase(mean, 80, seed=n) for n, mean in enumerate((0, near, far))]
    arguments = {"windows": [1, 24, 32, 40], "progress": False}
    whole, curve = shortest_window(runs, **arguments)
    first, _ = shortest_window(runs, allow_splits=True, **arguments)
    assert curve["n_clusters"].tolist() == [2, 3, 3, 3]
    assert (first, whole) == (1, 24)


@pytest.mark.slow
def test_silicon_phases_get_apart_by_averaging():
    """The paper's loop on MD of beta-Sn and simple hexagonal at 450 K (frames every 10 fs)."""
    data = dk.load("si-phases-warm", kinds=["beta-Sn", "simple hexagonal"])
    symmetry = dk.SymmetryFunctions.silicon()
    runs, truth = [], []
    for run in np.unique(data.truth["run"][data.truth["temperature"] == 450]):
        frames = np.flatnonzero(data.truth["run"] == run)
        runs.append(dk.features([data.frames[i] for i in frames], symmetry))
        truth.append(data.truth["phase"][data.truth["frame"] == frames[0]][0])
    window, curve = shortest_window(
        runs, dt=data.dt, windows=[1, 16, 30], truth=truth, progress=False
    )
    rows = curve.set_index("window").T
    assert rows[1]["knn_error"] > 0.03
    assert rows[window]["knn_error"] <= 0.015
    assert rows[window]["n_clusters"] == 2


@pytest.mark.parametrize(
    "features, arguments, text",
    [
        (
            np.zeros((30, 4, 2)),
            {"windows": [1, 16]},
            "windows [1, 16] must fit twice into the "
            "shortest trajectory of 30 frames; use windows "
            "<= 15",
        ),
        ([], {}, "there are no trajectories"),
        ([np.zeros((9, 4, 2)), np.zeros((9, 4, 3))], {}, "with the same n_features"),
        (np.zeros((30, 4, 2)), {"truth": [0, 1]}, "truth has 2 entries for 1 trajectories"),
        (np.zeros((30, 4, 2)), {"truth": ["ice"]}, "truth names only one phase; leave it out"),
    ],
)
def test_bad_searches_are_refused(features, arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        shortest_window(features, progress=False, **arguments)


def test_mean_over_neighbours_across_the_boundary_and_of_a_crystal():
    from ase.build import bulk

    atoms = bulk("Cu", cubic=True, a=3.6) * (3, 3, 3)
    features = np.random.default_rng(0).normal(size=(len(atoms), 4))
    before = features.copy()
    made = dk.averaging.neighbour_average(features, atoms, 3.0)
    away = atoms.get_all_distances(mic=True)
    plain = np.array([features[row < 3.0].mean(axis=0) for row in away])
    assert np.allclose(made, plain) and (features == before).all()
    order = np.random.default_rng(1).permutation(len(atoms))
    assert np.allclose(
        dk.averaging.neighbour_average(features[order], atoms[order], 3.0), made[order]
    )


def test_means_over_neighbours_that_cannot_be():
    from ase import Atoms

    with pytest.raises(ValueError, match="give one row for each atom of this frame"):
        dk.averaging.neighbour_average(np.ones((3, 2)), Atoms("Ar2"), 3.0)
    with pytest.raises(ValueError, match="has no neighbours; use the end of the first shell"):
        dk.averaging.neighbour_average(np.ones((2, 2)), Atoms("Ar2"), 0)


def test_averaged_frames_follow_atoms_over_the_boundary_and_keep_an_element():
    rng = np.random.default_rng(1)
    path = np.array([[9.9, 1, 1], [9.9, 2, 1]]) + 0.1 * np.arange(4)[:, None, None]
    run = [Atoms("OH", p % 10, cell=[10, 10, 10], pbc=True) for p in path]
    before = [atoms.positions.copy() for atoms in run]
    means = average_frames(run, 3, "O")
    assert [m.get_chemical_formula() for m in means] == ["O", "O"] and means[0].pbc.all()
    assert np.allclose(means[0].positions - means[1].positions, -0.1)
    assert np.allclose(means[0].get_distance(0, 0), 0)
    assert all((a.positions == b).all() for a, b in zip(run, before, strict=True))
    whole = average_frames(run, 2)
    assert np.allclose(whole[0].get_distance(0, 1, mic=True), 1.0)
    shaken = [Atoms("O", rng.normal(size=(1, 3)), cell=[10, 10, 10]) for _ in range(3)]
    assert np.allclose(
        average_frames(shaken, 3)[0].positions, np.mean([s.positions for s in shaken], axis=0)
    )


def test_values_behind_a_mask_are_not_averaged():
    frames = np.ma.masked_greater(np.arange(24.0).reshape(4, 3, 2), 21)
    with pytest.raises(ValueError, match="the array has a mask that hides 2 values; leave those"):
        moving_average(frames, 2)
    with pytest.raises(ValueError, match="the array has a mask that hides 2 values"):
        moving_average(list(frames), 2)
    with pytest.raises(ValueError, match="frame 3 has a mask that hides 2 values"):
        list(stream_average(frames, 2))
    with pytest.raises(ValueError, match="features has a mask that hides 2 values"):
        dk.averaging.neighbour_average(frames[3], Atoms("Ar3"), 1.0)
    seen = np.ma.masked_array([0.0, 2.0, 4.0], mask=False)
    assert moving_average(seen, 2).tolist() == [1.0, 3.0]  # a mask that hides nothing


@pytest.mark.parametrize(
    "frames, element, text",
    [
        ([], None, "there are no frames to average"),
        ([Atoms("O", cell=[5, 5, 5]), Atoms("O", cell=[5, 5, 6])], None, "the cell changes from"),
        ([Atoms("OH2", cell=[5, 5, 5])], "Si", "no Si in these frames; they hold H, O"),
        ([Atoms("OH"), Atoms("HO")], None, "frame 1 (HO) holds other atoms than frame 0 (OH), or"),
        ([Atoms("O3"), Atoms("O2")], "O", "frame 1 (O2) holds other atoms than frame 0 (O3), or"),
    ],
)
def test_frames_that_cannot_be_averaged_are_refused(frames, element, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        average_frames(frames, 1, element)
