"""Labels while the trajectory streams: bounded memory, no frame lost, many workers, ASE runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list

import defectkit as dk
from defectkit.parametric import EnvironmentClassifier
from defectkit.streaming import classify_trajectory, label_observer, read_table

WINDOW = 3


@pytest.fixture(scope="module")
def model():
    data = dk.load("si-phases", kinds=["diamond", "liquid"])
    symmetry = dk.SymmetryFunctions.silicon()
    X = np.concatenate(dk.features(data.frames, symmetry, progress=False))
    names = np.array(data.classes)[data.truth["phase"]]
    return EnvironmentClassifier(symmetry, "Si", WINDOW, max_epochs=8, progress=False).fit(
        X, names, data.truth["frame"])


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "silicon.npz"
    model.save(path)
    return path


def trajectory(path, n_frames, repeat=2):
    start = bulk("Si", cubic=True) * (repeat, repeat, repeat)
    with open(path, "w") as file:
        for n in range(n_frames):
            atoms = start.copy()
            atoms.rattle(0.03 if n % 8 < 5 else 0.45, seed=n)
            ase.io.write(file, atoms, format="extxyz")
    return path


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return trajectory(tmp_path_factory.mktemp("movie") / "movie.extxyz", 40)


def by_hand(movie, model, window):
    """Labels of all windows from the whole trajectory in memory."""
    G = dk.features(ase.io.read(movie, ":"), model.symmetry, progress=False)
    mean = dk.moving_average(G, window)
    return np.array([model.predict(frame) for frame in mean])


def labels_of(output, model):
    return model.classes_[[atoms.arrays["label"] for atoms in ase.io.read(output, ":")]]


@pytest.mark.parametrize("window", [1, WINDOW, 4])
def test_the_stream_gives_the_labels_of_the_whole_trajectory(tmp_path, movie, model, window):
    rows = classify_trajectory(movie, model, window, tmp_path / "out.extxyz", progress=False)
    known = by_hand(movie, model, window)
    assert len(set(known.ravel())) == 2
    assert np.array_equal(labels_of(tmp_path / "out.extxyz", model), known)
    assert [row["frame"] for row in rows] == dk.averaging.frame_index(40, window).tolist()
    assert [row["liquid"] for row in rows] == (known == "liquid").sum(axis=1).tolist()
    assert all(row["diamond"] + row["liquid"] == 64 for row in rows)
    middle = ase.io.read(tmp_path / "out.extxyz", 0)
    original = ase.io.read(movie, rows[0]["frame"])
    assert np.allclose(middle.positions, original.positions)


def test_atoms_that_are_no_centres_are_marked(tmp_path, movie, model):
    symmetry = dk.SymmetryFunctions.water()
    frames = dk.load("water-ice").frames[:3]
    X = np.concatenate(dk.features(frames, symmetry, "O", progress=False))
    far = EnvironmentClassifier(symmetry, "O", max_epochs=1, progress=False).fit(
        np.concatenate([X, X + 1]), np.repeat(["ice", "other"], len(X)))
    classify_trajectory(frames, far, output=tmp_path / "ice.extxyz", progress=False)
    atoms = ase.io.read(tmp_path / "ice.extxyz", 0)
    assert set(atoms.arrays["label"][atoms.numbers == 1]) == {-2}
    assert set(atoms.arrays["label"][atoms.numbers == 8]) <= {0, 1}


def test_the_site_of_a_planted_vacancy_is_in_the_table(tmp_path):
    data = dk.load("si-vacancy")
    frames = data.frames[:60]
    symmetry = dk.SymmetryFunctions.silicon()
    X = np.concatenate(dk.features(frames, symmetry, progress=False))
    coordination = np.concatenate([
        np.bincount(neighbor_list("i", a, 2.8), minlength=len(a))
        for a in frames])
    fitted = EnvironmentClassifier(symmetry, max_epochs=30, progress=False).fit(
        X, np.where(coordination < 4, "beside a vacancy", "bulk"))
    hole = bulk("Si", cubic=True, a=5.43) * (3, 3, 3)
    del hole[100]
    where = (bulk("Si", cubic=True, a=5.43) * (3, 3, 3)).positions[100]
    row, = classify_trajectory([hole], fitted, output=tmp_path / "hole.extxyz",
                               defect="beside a vacancy", progress=False)
    assert row["vacancies"] == 1 and row["interstitials"] == 0
    (kind, *xyz), = row["sites"]
    assert kind == "vacancy" and np.linalg.norm(np.array(xyz) - where) < 0.2


RUN = """
import resource, sys
import defectkit.streaming
defectkit.streaming.RECORD_EVERY = 0.02  # so that a kill amid a short run finds a record
defectkit.streaming.classify_trajectory(sys.argv[1], sys.argv[2], output=sys.argv[3],
                                        progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start(movie, saved, output):
    return subprocess.Popen([sys.executable, "-c", RUN, movie, saved, output], text=True,
                            stdout=subprocess.PIPE, env=environment())


def environment():
    root = str(Path(dk.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def test_memory_does_not_grow_with_the_trajectory(tmp_path, saved):
    peak = {}
    for n in (10, 1000):
        run = start(trajectory(tmp_path / f"{n}.extxyz", n), saved, tmp_path / f"{n}.out.extxyz")
        peak[n] = int(run.communicate(timeout=120)[0])
        assert run.returncode == 0
    assert len(read_table(tmp_path / "1000.out.extxyz.csv")) == 1000 - WINDOW + 1
    assert abs(peak[1000] / peak[10] - 1) < 0.1, peak


def test_a_killed_run_goes_on_without_losing_or_repeating_a_frame(tmp_path, saved, model):
    movie = trajectory(tmp_path / "movie.extxyz", 300)
    whole = classify_trajectory(movie, model, output=tmp_path / "whole.extxyz", progress=False)
    output = tmp_path / "killed.extxyz"
    progress = output.with_name(output.name + ".progress")
    for wanted in (20, 90):
        run = start(movie, saved, output)
        end = time.monotonic() + 100
        while not progress.exists() or json.loads(progress.read_text())["done"] < wanted:
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.002)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
    assert wanted <= json.loads(progress.read_text())["done"] < len(whole)
    for path in (output, output.with_name(output.name + ".csv")):  # as if cut amid a write
        with open(path, "a") as file:
            file.write("64\nhalf of a fra")
    rows = classify_trajectory(movie, saved, output=output, progress=False)
    assert rows == whole
    assert np.array_equal(labels_of(output, model), labels_of(tmp_path / "whole.extxyz", model))


def test_a_file_that_breaks_off_leaves_its_whole_frames_labelled(tmp_path, model, movie):
    cut = tmp_path / "cut.extxyz"
    cut.write_bytes(movie.read_bytes()[:-200])
    with pytest.warns(UserWarning, match="breaks off; its 39 whole frames are kept"):
        classify_trajectory(cut, model, 1, tmp_path / "out.extxyz", progress=False)
    assert len(read_table(tmp_path / "out.extxyz.csv")) == 39
    cut.write_bytes(movie.read_bytes())  # the simulation has gone on
    assert len(classify_trajectory(cut, model, 1, tmp_path / "out.extxyz", progress=False)) == 40


def test_labels_come_while_ase_runs(tmp_path, model):
    atoms = bulk("Si", cubic=True) * (2, 2, 2)
    atoms.calc = LennardJones(sigma=2.1, epsilon=0.3, rc=5.0)
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    frames, rows = [], []
    observe = label_observer(atoms, model, tmp_path / "run.extxyz")
    dynamics.attach(lambda: frames.append(atoms.copy()))
    dynamics.attach(lambda: rows.append(observe()))
    dynamics.run(6)
    later = classify_trajectory(frames, model, output=tmp_path / "later.extxyz", progress=False)
    assert rows[:WINDOW - 1] == [None] * (WINDOW - 1)
    assert rows[WINDOW - 1:] == later == read_table(tmp_path / "run.extxyz.csv")
    assert np.array_equal(labels_of(tmp_path / "run.extxyz", model),
                          labels_of(tmp_path / "later.extxyz", model))


def test_dask_workers_give_the_same_labels_also_when_one_is_killed(tmp_path, model):
    distributed = pytest.importorskip("distributed")
    movie = trajectory(tmp_path / "movie.extxyz", 200)
    alone = classify_trajectory(movie, model, output=tmp_path / "alone.extxyz", progress=False)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                                  dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
        output, killed = tmp_path / "shared.extxyz", []

        def frames():
            for n, atoms in enumerate(ase.io.iread(movie)):
                if n == 100:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])
                yield atoms

        together = classify_trajectory(frames(), model, output=output, client=client, chunk=10,
                                       progress=False)
    assert killed
    assert together == alone
    assert np.array_equal(labels_of(output, model), labels_of(tmp_path / "alone.extxyz", model))


def test_wrong_calls_are_refused_before_the_work(tmp_path, movie, model):
    out = tmp_path / "out.extxyz"
    bare = EnvironmentClassifier(max_epochs=1, progress=False)
    with pytest.raises(ValueError, match="names no classes here"):
        classify_trajectory(movie, bare, output=out)
    with pytest.raises(ValueError, match="no class 'ice'; it has diamond, liquid"):
        classify_trajectory(movie, model, output=out, defect="ice")
    with pytest.raises(ValueError, match="end it in .extxyz"):
        classify_trajectory(movie, model, output=tmp_path / "out.txt")
    with pytest.raises(ValueError, match="fewer frames than window=50"):
        classify_trajectory(movie, model, 50, tmp_path / "long.extxyz", progress=False)
    classify_trajectory(ase.io.read(movie, ":4"), model, output=out, progress=False)
    with pytest.raises(ValueError, match="made by another call"):
        classify_trajectory(movie, model, output=out)
    with pytest.raises(ValueError, match="exists; give another output"):
        label_observer(bulk("Si"), model, out)


def test_a_crystal_is_seen_to_melt(tmp_path, model):
    data = dk.load("si-melting")
    rows = classify_trajectory(data.frames[::10], model, 1, tmp_path / "melt.extxyz",
                               progress=False)
    share = np.array([row["diamond"] for row in rows]) / 256
    truth = data.truth["diamond_fraction"][::10]
    assert truth[0] > 0.45 and truth[-1] == 0
    assert np.corrcoef(share, truth)[0, 1] > 0.95
    assert share[-1] < 0.05
