"""What must not be averaged is found, at its frame; what is a run is left in peace."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import defectkit as dk
from defectkit.io.continuity import OrderCheck, check_order, first_break, in_order, is_trajectory

N = 20


def run(seed=0, crystal=None, n=N, thermal=0.12):
    """Vibrations of a crystal, correlated from frame to frame, as in molecular dynamics."""
    rng = np.random.default_rng(seed)
    crystal = crystal or bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 2, 2)
    u = rng.normal(size=(len(crystal), 3)) * thermal
    frames = []
    for _ in range(n):
        u = 0.9 * u + np.sqrt(1 - 0.81) * thermal * rng.normal(size=u.shape)
        atoms = crystal.copy()
        atoms.positions += u
        frames.append(atoms)
    return frames


def test_vibrations_wrapping_drift_and_a_breathing_cell_are_a_run():
    frames = run()
    for n, atoms in enumerate(frames):
        atoms.set_cell(atoms.cell * (1 + 0.002 * np.sin(n)), scale_atoms=True)
        atoms.positions += [0.4 * n, 0.1 * n, 0]
        atoms.wrap()
    assert check_order(frames) == []
    assert is_trajectory(frames)
    assert [a is b for a, b in zip(in_order(frames), frames, strict=True)] == [True] * N


def test_one_frame_is_no_trajectory():
    assert first_break(run(n=1)) is None and not is_trajectory(run(n=1))


def spoilt(kind):
    frames = run()
    f = frames[7]
    if kind == "permuted":
        order = np.random.default_rng(3).permutation(len(f))
        frames[7:] = [a[_same_elements(a, order)] for a in frames[7:]]
    elif kind == "two swapped":
        f.positions[[2, 10]] = f.positions[[10, 2]]
    elif kind == "elements flipped":
        frames[7:] = [a[::-1] for a in frames[7:]]
    elif kind == "one left":
        del f[3]
    elif kind == "one left, another entered":
        for n, a in enumerate(frames):
            a.arrays["id"] = np.arange(1, len(a) + 1)
            if n >= 7:
                a.arrays["id"][-1] = 99
    elif kind == "ids in another order":
        for a in frames:
            a.arrays["id"] = np.arange(len(a))
        frames[7] = f[np.arange(len(f)) ^ 1]
        frames[7].numbers = frames[6].numbers
    elif kind == "no cell":
        f.cell = None
    elif kind == "no pbc":
        f.pbc = (True, True, False)
    elif kind == "time back":
        for n, a in enumerate(frames):
            a.info["time"] = 0.5 * (n if n < 7 else n - 7)
    elif kind == "time gap":
        for n, a in enumerate(frames):
            a.info["timestep"] = 100 * (n if n < 7 else n + 9)
    elif kind == "element":
        f.symbols[4] = "K"
    elif kind == "not finite":
        f.positions[0, 0] = np.nan
    return frames


def _same_elements(atoms, order):
    """A permutation that leaves the list of elements as it is."""
    new = np.arange(len(atoms))
    for element in np.unique(atoms.numbers):
        new[atoms.numbers == element] = order[atoms.numbers[order] == element]
    return new


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("permuted", "their order is another"),
        ("two swapped", "atoms 2, 10 stand in each other's places"),
        ("elements flipped", "the elements come in another order"),
        ("one left", "63 atoms, in the frame before 64"),
        ("one left, another entered", r"1 atoms left and 1 entered \(ids 64, 99\)"),
        ("ids in another order", "another order of their ids"),
        ("no cell", "the cell has 0 vectors, in the frame before 3"),
        ("no pbc", "periodic along ab, in the frame before along abc"),
        ("time back", r"time goes back from 3 to 0, as where another run is appended"),
        (
            "time gap",
            "timestep goes on by 1000 from 600 to 1600, before by 100: frames are missing",
        ),
        ("element", "atom 4 is K, in the frame before Na: 1 atoms have changed their element"),
        ("not finite", "not finite"),
    ],
)
def test_a_break_is_found_at_its_frame(kind, words):
    frames = spoilt(kind)
    found = check_order(frames)
    assert found[0].frame == 7
    with pytest.raises(ValueError, match=rf"frame 7: .*{words}.*; average only over frames"):
        list(in_order(frames))
    assert not is_trajectory(frames)
    assert first_break(frames) == found[0]


def test_another_run_without_times_is_found_by_its_step():
    close = run(0, thermal=0.2, n=30)
    small = [a.copy() for a in close]
    for n, a in enumerate(small):  # frames so close that a step is far below the vibration
        a.positions = close[0].positions + 0.02 * n * (close[1].positions - close[0].positions)
    other = [a.copy() for a in small]
    for a in other:
        a.rattle(1e-3, seed=1)
        a.positions += run(5, thermal=0.2, n=1)[0].positions - close[0].positions
    found = check_order(small + other)
    assert [b.frame for b in found] == [30]
    assert "another run is appended" in found[0].reason


def test_frames_permuted_in_every_frame_are_refused_all_along():
    rng = np.random.default_rng(0)
    frames = run(crystal=bulk("Cu", cubic=True) * (3, 3, 3))
    frames = [a[rng.permutation(len(a))] for a in frames]
    assert [b.frame for b in check_order(frames)] == list(range(1, N))


@pytest.mark.parametrize("strain", ["random", "scan"])
def test_a_set_of_strained_cells_is_no_trajectory(strain):
    rng, frames = np.random.default_rng(1), []
    for n in range(N):
        atoms = bulk("Si", cubic=True) * (2, 2, 2)
        change = (
            0.01 * (n - N / 2) * np.eye(3)
            if strain == "scan"
            else (rng.normal(size=(3, 3)) * 0.02)
        )
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (change + change.T) / 2), scale_atoms=True)
        atoms.rattle(0.01, seed=n)
        frames.append(atoms)
    found = check_order(frames)
    assert not is_trajectory(frames) and len(found) > N // 2
    assert "as in a set of cells" in found[0].reason


def test_hydrogens_that_turn_are_no_break():
    frames = []
    for n in range(10):
        atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], cell=[9] * 3, pbc=True)
        if n % 2:
            atoms.positions[[1, 2]] = atoms.positions[[2, 1]]
        frames.append(atoms)
    assert check_order(frames) == []


def test_runs_of_the_embedded_sets_are_told_apart():
    data = dk.load("si-vacancy-moving")
    for atoms in data.frames:
        atoms.info.pop("time_ps")
    assert [b.frame for b in check_order(data.frames)] == [400]


def test_numbering_can_start_where_a_run_goes_on():
    check = OrderCheck(start=100)
    atoms = bulk("Si", cubic=True)
    assert check(atoms) is None
    assert check(atoms[1:]).frame == 101


def test_identify_names_the_frame_over_which_it_does_not_average():
    with pytest.raises(ValueError, match="cannot be averaged: frame 7: "):
        dk.identify(spoilt("elements flipped"), window=3, progress=False)
    steps = dk.identify(spoilt("elements flipped"), method="pca", progress=False).steps
    assert any(step.startswith("no average over time: frame 7: ") for step in steps)
