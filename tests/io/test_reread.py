"""Long trajectories are read again instead of being held."""

import os
import warnings

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from defectkit.io import raw_frames, reread
from defectkit.workflow import reading
from defectkit.workflow.reading import read

N = 12


@pytest.fixture
def run(tmp_path):
    """A file of frames of copper that tremble, the frames, and what is known of it."""
    atoms, rng, frames = bulk("Cu", cubic=True) * 2, np.random.default_rng(0), []
    for _ in range(N):
        frames.append(atoms.copy())
        frames[-1].positions += rng.normal(0, 0.03, atoms.positions.shape)
    path = tmp_path / "a run.xyz"
    ase.io.write(path, frames)
    return path, frames


def sequence(path, sizes=(32,) * N):
    return reread.FileFrames(
        path, lambda: raw_frames(path), np.arange(len(sizes)), np.array(sizes), reread.stamps(path)
    )


def test_frames_come_in_any_order_and_as_slices(run):
    path, frames = run
    seen = sequence(path)
    assert len(seen) == N
    for n in (3, 3, 7, 0, -1, np.int64(5)):
        np.testing.assert_allclose(seen[n].positions, frames[n].positions, atol=1e-7)
    for found, atoms in zip(seen[2:9:3], frames[2:9:3], strict=True):
        np.testing.assert_allclose(found.positions, atoms.positions, atol=1e-7)
    assert len(list(seen)) == N
    with pytest.raises(IndexError, match="frame 12 of 12"):
        seen[N]


def test_the_file_is_opened_anew_only_to_go_back(run):
    path, _ = run
    opened = []
    seen = sequence(path)
    seen._open = lambda: opened.append(1) or raw_frames(path)
    _ = [seen[n] for n in (1, 1, 4, 9)]
    assert len(opened) == 1
    _ = seen[2]
    assert len(opened) == 2


def test_a_file_that_has_gone_or_changed_is_told(run, tmp_path):
    path, frames = run
    seen = sequence(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="a run.xyz is gone; it is read more than once"):
        seen[0]
    ase.io.write(path, frames[::-1])
    with pytest.raises(ValueError, match="a run.xyz has changed since its frames were first read"):
        seen[0]
    seen = sequence(path)
    other = tmp_path / "other.xyz"
    ase.io.write(other, frames * 2)
    os.replace(other, path)  # longer, but another file
    with pytest.raises(ValueError, match="has changed"):
        seen[0]
    seen = sequence(path, sizes=(31,) * N)
    with pytest.raises(ValueError, match="has changed"):
        seen[0]
    ase.io.write(path, frames[:2])
    seen = sequence(path)
    with pytest.raises(ValueError, match="has changed"):
        seen[3]


def test_a_run_that_still_writes_may_go_on(run):
    path, frames = run
    seen = sequence(path)
    ase.io.write(path, frames, append=True)
    np.testing.assert_allclose(seen[4].positions, frames[4].positions, atol=1e-7)


def test_what_was_said_once_is_not_said_again(run):
    path, _ = run
    path.write_text(path.read_text()[:-200])
    with pytest.warns(UserWarning, match="breaks off; its 11 whole frames are kept"):
        assert len(read(path, progress=False).frames) == 11
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = sequence(path, sizes=(32,) * 11)
        assert len(seen[:]) == 11
        with pytest.raises(ValueError, match="has changed"):
            sequence(path)[11]


@pytest.mark.parametrize("how", [str, lambda path: [path, path]])
def test_reading_holds_few_atoms_and_reads_many_again(run, monkeypatch, how):
    path, frames = run
    held = read(how(path), progress=False)
    assert isinstance(held.frames, list)
    monkeypatch.setattr(reading, "HELD", 100)
    again = read(how(path), progress=False)
    assert isinstance(again.frames, reread.FileFrames)
    assert again.sizes.tolist() == held.sizes.tolist() == [32] * len(held.frames)
    assert again.broken is None and held.broken is None
    for one, other in zip(again.frames, held.frames, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
    assert isinstance(read(frames, progress=False).frames, list)  # the caller holds them
    assert isinstance(read(iter(frames), progress=False).frames, list)  # these come but once


def test_witnesses_hold_every_element_and_the_largest_frame():
    copper, gold = bulk("Cu", cubic=True), bulk("Au", cubic=True)
    large = copper * 2
    open_ = large.copy()
    open_.cell = None
    open_.pbc = False
    found = read([copper, copper, gold, large, open_], progress=False)
    assert [len(atoms) for atoms in found.witnesses] == [4, 4, 32]
    assert [atoms.symbols[0] for atoms in found.witnesses] == ["Cu", "Au", "Cu"]
    assert found.bare == [4]
    assert found.broken.startswith("frame 2: atom 0 is Au, in the frame before Cu")
    assert read(copper, progress=False).broken == "there is one frame"
