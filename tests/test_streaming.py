"""Labels while the trajectory streams: bounded memory, no frame lost, many workers, ASE runs."""

import copy
import csv
import dataclasses
import json
import os
import re
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
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import defectkit as dk
from defectkit._threads import current as threads
from defectkit.parametric import EnvironmentClassifier
from defectkit.streaming import by_dask, classify_trajectory, label_observer, local, read_table
from defectkit.streaming.table import class_columns

WINDOW = 3


@pytest.fixture(scope="module")
def model():
    data = dk.load("si-phases", kinds=["diamond", "liquid"])
    symmetry = dk.SymmetryFunctions.silicon()
    X = np.concatenate(dk.features(data.frames, symmetry, progress=False))
    names = np.array(data.classes)[data.truth["phase"]]
    return EnvironmentClassifier(symmetry, "Si", WINDOW, max_epochs=8, progress=False).fit(
        X, names, data.truth["frame"]
    )


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "silicon.npz"
    model.save(path)
    return path


def trajectory(path, n_frames, repeat=2):
    start = bulk("Si", cubic=True) * (repeat, repeat, repeat)
    with open(path, "w") as file:
        for n in range(n_frames):  # every fourth atom shakes so much that it looks molten
            atoms = start.copy()
            width = np.where(np.arange(len(atoms)) % 8 < 3, 0.45, 0.03)[:, None]
            atoms.positions += width * np.random.default_rng(n).normal(size=(len(atoms), 3))
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
    assert rows["frame"].tolist() == dk.averaging.frame_index(40, window).tolist()
    assert rows["liquid"].tolist() == (known == "liquid").sum(axis=1).tolist()
    assert (rows["diamond"] + rows["liquid"] == 64).all()
    middle = ase.io.read(tmp_path / "out.extxyz", 0)
    original = ase.io.read(movie, int(rows["frame"][0]))
    assert np.allclose(middle.positions, original.positions)


def test_atoms_that_are_no_centres_are_marked(tmp_path, movie, model):
    symmetry = dk.SymmetryFunctions.water()
    frames = dk.load("water-ice").frames[:3]
    X = np.concatenate(dk.features(frames, symmetry, "O", progress=False))
    far = EnvironmentClassifier(symmetry, "O", max_epochs=1, progress=False).fit(
        np.concatenate([X, X + 1]), np.repeat(["ice", "other"], len(X))
    )
    classify_trajectory(frames, far, output=tmp_path / "ice.extxyz", progress=False)
    atoms = ase.io.read(tmp_path / "ice.extxyz", 0)
    assert set(atoms.arrays["label"][atoms.numbers == 1]) == {-2}
    assert set(atoms.arrays["label"][atoms.numbers == 8]) <= {0, 1}


def test_the_site_of_a_planted_vacancy_is_in_the_table(tmp_path):
    data = dk.load("si-vacancy")
    frames = data.frames[:60]
    symmetry = dk.SymmetryFunctions.silicon()
    X = np.concatenate(dk.features(frames, symmetry, progress=False))
    coordination = np.concatenate(
        [np.bincount(neighbor_list("i", a, 2.8), minlength=len(a)) for a in frames]
    )
    fitted = EnvironmentClassifier(symmetry, max_epochs=30, progress=False).fit(
        X, np.where(coordination < 4, "beside a vacancy", "bulk")
    )
    hole = bulk("Si", cubic=True, a=5.43) * (3, 3, 3)
    del hole[100]
    where = (bulk("Si", cubic=True, a=5.43) * (3, 3, 3)).positions[100]
    table = classify_trajectory(
        [hole], fitted, output=tmp_path / "hole.extxyz", defect="beside a vacancy", progress=False
    )
    (row,) = table.to_dict("records")
    assert row["vacancies"] == 1 and row["interstitials"] == 0
    ((kind, *xyz),) = row["sites"]
    assert kind == "vacancy" and np.linalg.norm(np.array(xyz) - where) < 0.2


RUN = """
import resource, sys
import defectkit.streaming.output
defectkit.streaming.output.RECORD_EVERY = 0.02  # so that a kill amid a short run finds a record
defectkit.streaming.classify_trajectory(sys.argv[1], sys.argv[2], output=sys.argv[3],
                                        progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def start(movie, saved, output):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, movie, saved, output],
        text=True,
        stdout=subprocess.PIPE,
        env=environment(),
    )


def environment():
    root = str(Path(dk.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_trajectory(tmp_path, saved):
    peak = {}
    for n in (10, 400):
        run = start(trajectory(tmp_path / f"{n}.extxyz", n), saved, tmp_path / f"{n}.out.extxyz")
        peak[n] = int(run.communicate(timeout=120)[0])
        assert run.returncode == 0
    assert len(read_table(tmp_path / "400.out.extxyz.csv")) == 400 - WINDOW + 1
    assert abs(peak[400] / peak[10] - 1) < 0.1, peak


@pytest.mark.slow
def test_a_killed_run_goes_on_without_losing_or_repeating_a_frame(tmp_path, saved, model):
    movie = trajectory(tmp_path / "movie.extxyz", 600)
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
    assert_frame_equal(rows, whole)
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
    assert rows[: WINDOW - 1] == [None] * (WINDOW - 1)
    assert rows[WINDOW - 1 :] == later.to_dict("records")
    assert_frame_equal(later, read_table(tmp_path / "run.extxyz.csv"))
    assert np.array_equal(
        labels_of(tmp_path / "run.extxyz", model), labels_of(tmp_path / "later.extxyz", model)
    )


@pytest.mark.slow
def test_dask_workers_give_the_same_labels_also_when_one_is_killed(tmp_path, model):
    distributed = pytest.importorskip("distributed")
    movie = trajectory(tmp_path / "movie.extxyz", 200)
    alone = classify_trajectory(movie, model, output=tmp_path / "alone.extxyz", progress=False)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        output, killed = tmp_path / "shared.extxyz", []

        def frames():
            for n, atoms in enumerate(ase.io.iread(movie)):
                if n == 100:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])
                yield atoms

        together = classify_trajectory(
            frames(), model, output=output, client=client, chunk=10, progress=False
        )
    assert killed
    assert_frame_equal(together, alone)
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
    assert not list(tmp_path.glob("long*"))  # so that a shorter window finds nothing in its way
    for window in (0, -1, 2.5, "5", True):
        with pytest.raises(ValueError, match="has to be a whole number of frames, at least 1"):
            classify_trajectory(movie, model, window, tmp_path / "window.extxyz")
    classify_trajectory(ase.io.read(movie, ":4"), model, output=out, progress=False)
    with pytest.raises(ValueError, match="made by another call: another file; give another"):
        classify_trajectory(movie, model, output=out)
    with pytest.raises(ValueError, match="exists; give another output"):
        label_observer(bulk("Si"), model, out)


def test_a_crystal_is_seen_to_melt(tmp_path, model):
    data = dk.load("si-melting")
    rows = classify_trajectory(
        data.frames[::10], model, 1, tmp_path / "melt.extxyz", progress=False
    )
    share = rows["diamond"].to_numpy() / 256
    truth = data.truth["diamond_fraction"][::10]
    assert truth[0] > 0.45 and truth[-1] == 0
    assert np.corrcoef(share, truth)[0, 1] > 0.95
    assert share[-1] < 0.05


# going on only with the same input and model


def refitted(model, **changes):
    """The same net, with other parts."""
    made = copy.deepcopy(model)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def begun(tmp_path, movie, model):
    """An output, and a function that calls again; both of a file in a folder of its own."""
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "movie.extxyz"
    path.write_bytes(movie.read_bytes())
    output = tmp_path / "out.extxyz"
    classify_trajectory(path, model, output=output, progress=False)

    def again(source=path, model=model, window=None, **options):
        return classify_trajectory(source, model, window, output, progress=False, **options)

    return path, again


def test_a_file_of_the_same_name_in_another_folder_is_refused(tmp_path, begun):
    path, again = begun
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "movie.extxyz"
    other.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="was made by another call: another file; give another"):
        again(other)
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        assert len(again("movie.extxyz")) == 38  # the same file by another way
    finally:
        os.chdir(before)


def test_a_replaced_or_shorter_file_is_refused_and_a_longer_one_goes_on(begun):
    path, again = begun
    text = path.read_bytes()
    lines = text.splitlines(keepends=True)
    middle = 66 * 20 + 9  # an atom of frame 20; the file stays as long as it is
    changed = re.sub(rb"[1-8](?=\d* *\n)", b"9", lines[middle], count=1)
    assert len(changed) == len(lines[middle]) and changed != lines[middle]
    path.write_bytes(b"".join([*lines[:middle], changed, *lines[middle + 1 :]]))
    with pytest.raises(
        ValueError,
        match="was made from other frames .the first 40 frames are not "
        "the same.; give another output, or delete it",
    ):
        again()
    path.write_bytes(b"".join(lines[: 66 * 39]))
    with pytest.raises(ValueError, match="made of 40 frames and here are 39"):
        again()
    path.write_bytes(b"".join(lines[66:]))
    with pytest.raises(ValueError, match="was made from other frames"):
        again()
    path.write_bytes(text + b"".join(lines[-66:]))  # the simulation has gone on
    assert len(again()) == 39


def test_another_list_of_frames_is_refused(tmp_path, movie, model):
    frames = ase.io.read(movie, ":12")

    def label(frames):
        return classify_trajectory(frames, model, output=tmp_path / "out.extxyz", progress=False)

    table = label(frames[:10])
    assert_frame_equal(label(iter(frames[:10])), table)  # the same frames in another wrapping
    moved = [atoms.copy() for atoms in frames[:10]]
    moved[4].positions[0] += 1e-6
    for other in (moved, frames[1:11], frames[:9], frames[::-1]):
        with pytest.raises(ValueError, match="was made from other frames"):
            label(other)
    assert len(label(frames)) == 10


def test_another_model_is_refused_also_where_its_net_is_the_same(begun, model):
    _, again = begun
    first = model.novelty_[0]
    others = [
        refitted(model, symmetry=dk.SymmetryFunctions.for_elements(["Si"])),
        refitted(model, classes_=np.array(["diamond", "melt"])),
        refitted(model, mean_=model.mean_ + 1e-9),
        refitted(
            model,
            novelty_=[
                dataclasses.replace(first, threshold=first.threshold - 1),
                *model.novelty_[1:],
            ],
        ),
        refitted(model, weights_=[(w, b + 1e-3) for w, b in model.weights_]),
    ]
    for other in others:
        with pytest.raises(ValueError, match="call: another model .its net, symmetry func"):
            again(model=other)
    with pytest.raises(ValueError, match="another call: another window and another defect"):
        again(window=2, defect="liquid")
    with pytest.raises(ValueError, match="another call: another topology, elements or unit"):
        again(elements=["Si"])
    assert len(again(model=copy.deepcopy(model))) == 38


def test_the_address_of_a_cluster_is_no_client(tmp_path, movie, model):
    for wrong in ("tcp://x:8786", 0, -1, True, 2.0):
        with pytest.raises(ValueError, match=f"client={wrong!r} is no client of Dask and no num"):
            classify_trajectory(movie, model, output=tmp_path / "o.extxyz", client=wrong)
    assert not list(tmp_path.glob("o.extxyz*"))


def test_workers_without_dask_are_refused_at_once(tmp_path, movie, model, monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs Dask; install it with `pip install distributed`"):
        classify_trajectory(movie, model, output=tmp_path / "o.extxyz", client=2)
    assert not list(tmp_path.glob("o.extxyz*"))


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same_labels_with_a_core_each(tmp_path, movie, model):
    pytest.importorskip("distributed")
    alone = classify_trajectory(movie, model, output=tmp_path / "alone.extxyz", progress=False)
    shared = tmp_path / "shared.extxyz"
    together = classify_trajectory(movie, model, output=shared, client=2, progress=False)
    assert_frame_equal(together, alone)
    assert np.array_equal(labels_of(shared, model), labels_of(tmp_path / "alone.extxyz", model))


@pytest.mark.slow
def test_a_script_that_its_workers_would_run_again_is_told(tmp_path):
    pytest.importorskip("distributed")
    script = tmp_path / "script.py"
    script.write_text(
        "from defectkit.streaming import local_client\n"
        "with local_client(1) as client:\n"
        "    print('started')\n"
    )
    ended = subprocess.run(
        [sys.executable, script], env=environment(), capture_output=True, text=True
    )
    assert ended.returncode
    assert "started" not in ended.stdout
    assert "below `if __name__ == '__main__':`." in ended.stderr.splitlines()[-1]


def test_workers_of_one_machine_share_its_threads(monkeypatch):
    monkeypatch.setattr(by_dask, "available", lambda: 8)
    client = Inline()
    client.nthreads = lambda: {"tcp://a:1": 1, "tcp://a:2": 2, "tcp://b:7": 1}
    assert by_dask._workers(client) == (4, 3)
    used = []

    def labelled(raws, *_):
        used.append(threads())
        return [], None

    monkeypatch.setattr(by_dask, "_labelled_frames", labelled)
    list(by_dask.labelled_by_dask(client, range(10), (None, 1, None, False), 0, 4))
    assert set(used) == {8 // 3}
    client.nthreads = lambda: dict.fromkeys((f"tcp://a:{n}" for n in range(20)), 1)
    list(by_dask.labelled_by_dask(client, range(10), (None, 1, None, False), 0, 4))
    assert used[-1] == 1


# the order of the atoms


@pytest.mark.parametrize("shared", [False, True])
def test_atoms_in_another_order_are_not_averaged(tmp_path, movie, model, shared):
    frames = ase.io.read(movie, ":20")
    frames[11:] = [
        atoms[np.random.default_rng(n).permutation(len(atoms))]
        for n, atoms in enumerate(frames[11:])
    ]
    output = tmp_path / "out.extxyz"
    client = Inline() if shared else None
    with pytest.raises(
        ValueError,
        match="^frame 11: .*label those before frame 11 and those from "
        "it on apart, or use window=1",
    ):
        classify_trajectory(frames, model, output=output, client=client, chunk=4, progress=False)
    rows = read_table(f"{output}.csv")
    assert rows["frame"].tolist() == list(range(1, 10))  # windows before the break
    trusted = classify_trajectory(
        frames, model, output=tmp_path / "trusted.extxyz", trust_order=True, progress=False
    )
    assert len(trusted) == 18
    single = classify_trajectory(frames, model, 1, tmp_path / "single.extxyz", progress=False)
    assert len(single) == 20


def test_without_an_average_frames_may_differ_in_size(tmp_path, movie, model):
    frames = ase.io.read(movie, ":3")
    frames[1] = frames[1][:20]
    rows = classify_trajectory(frames, model, 1, tmp_path / "one.extxyz", progress=False)
    counted = rows[list(map(str, model.classes_))].sum(axis=1)
    assert counted.tolist() == [len(atoms) for atoms in frames]
    with pytest.raises(ValueError, match="frame 1: 20 atoms, in the frame before"):
        classify_trajectory(frames, model, 2, tmp_path / "two.extxyz", progress=False)


class Inline:
    """As a Dask client, but at once and here."""

    def nthreads(self):
        return {"here": 2}

    def submit(self, function, *arguments, pure):
        made = function(*arguments)
        return type("Future", (), {"result": lambda self: made})()


# names that anybody may type

NAMES = [
    "a,b",
    'say "x"',
    "two\nlines",
    "=1+1",
    "@sum",
    "+",
    "-2x",
    "'quoted",
    "'=x",
    "frame",
    "class frame",
    "novel",
    "sites",
    "unlike",
    "vacancies",
    "",
    " ",
    "\t",
    "Å",
    "-3",
]


def test_class_names_of_every_kind_come_back(tmp_path, movie, model):
    named = refitted(model, classes_=np.array(NAMES))
    weight, bias = model.weights_[-1]
    more = np.zeros((len(weight), len(NAMES) - 2), np.float32)
    named.weights_ = [
        *model.weights_[:-1],
        (np.hstack([weight, more]), np.append(bias, np.full(len(NAMES) - 2, -1e3, np.float32))),
    ]
    output = tmp_path / "out.extxyz"
    rows = classify_trajectory(
        ase.io.read(movie, ":4"), named, output=output, defect="=1+1", progress=False
    )
    assert_frame_equal(rows, read_table(f"{output}.csv"))
    columns = list(rows)
    assert len(set(columns)) == len(columns) == len(NAMES) + 5
    assert columns[0] == "frame"
    assert columns[-4:] == ["novel", "vacancies", "interstitials", "sites"]
    assert rows["a,b"][0] + rows['say "x"'][0] == 64
    assert set(NAMES) - set(columns) == {"unlike"}  # there it is "class unlike"
    with open(f"{output}.csv", newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert len(lines) == 2 and all(len(line) == len(head) for line in lines)
    assert not [name for name in head if name[:1] in "=+@\t\r" and name]
    assert len(ase.io.read(output, ":")) == 2


def test_the_old_name_of_a_column_still_works(tmp_path, movie, model):
    row = label_observer(ase.io.read(movie, "0"), model, tmp_path / "out.extxyz", window=1)()
    with pytest.warns(DeprecationWarning, match="the column unlike is now called novel"):
        assert row["unlike"] == row["novel"]
    with pytest.raises(KeyError):
        row["ice"]


def test_what_frames_say_of_themselves_does_not_break_the_output(tmp_path, movie, model):
    frames = ase.io.read(movie, ":4")
    for atoms in frames:
        atoms.info = {
            "note": "two\nlines",
            "Lattice": "fcc",
            "Properties": "x",
            "fine": "a b",
            "time": 0.5,
            "odd key": 1,
            "object": object(),
            "quote": 'say "x" \\',
            ("a", 1): 2,
            "texts": np.array(["a b", "c"]),
        }
        atoms.arrays |= {
            "kind": np.array(["a b"] * 64),
            "empty": np.array([""] * 64),
            "element": np.array(["Si"] * 64),
            "shift": np.zeros(64),
            "object": np.array([None] * 64),
            "species": np.zeros(64),
        }
    classify_trajectory(frames, model, 1, tmp_path / "out.extxyz", progress=False)
    again = ase.io.read(tmp_path / "out.extxyz", ":")
    assert len(again) == 4
    assert again[1].info == {"fine": "a b", "time": 0.5, "frame": 1}
    assert {"element", "shift", "label"} <= set(again[1].arrays)
    assert not {"kind", "empty", "object"} & set(again[1].arrays)
    assert np.allclose(again[1].positions, frames[1].positions)
    assert np.allclose(again[1].cell, frames[1].cell)


def test_a_damaged_table_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("frame,novel\n1,2\n3\n")
    (tmp_path / "b.csv").write_text("frame,novel\n1,x\n")
    (tmp_path / "c.csv").write_text("frame,sites\n1," + "[" * 10**5 + "\n")
    for name in ("a.csv", "b.csv", "c.csv"):
        with pytest.raises(ValueError, match="is not a table of labels or is damaged"):
            read_table(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_table(tmp_path / "absent.csv")


# one writer at a time


def test_two_calls_do_not_write_one_output(tmp_path, movie, model):
    output, frames = tmp_path / "out.extxyz", ase.io.read(movie, ":12")
    refused = []

    def meanwhile():
        for n, atoms in enumerate(frames):
            if n == 6:
                with pytest.raises(
                    ValueError,
                    match="is being written by another call at this "
                    "moment; wait for it to end, or give",
                ):
                    classify_trajectory(frames, model, output=output, progress=False)
                refused.append(n)
            yield atoms

    rows = classify_trajectory(meanwhile(), model, output=output, progress=False)
    assert refused and len(rows) == 10 and len(ase.io.read(output, ":")) == 10
    assert_frame_equal(
        rows, classify_trajectory(frames, model, output=tmp_path / "alone.extxyz", progress=False)
    )


@pytest.mark.slow
def test_the_lock_of_a_killed_process_is_gone(tmp_path, saved):
    movie = trajectory(tmp_path / "movie.extxyz", 600)
    output = tmp_path / "out.extxyz"
    run = start(movie, saved, output)
    end = time.monotonic() + 100
    while not output.with_name(output.name + ".progress").exists():
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGSTOP)  # it neither ends nor gives the output up
    assert run.poll() is None
    other = start(movie, saved, output)
    assert other.wait(timeout=100) == 1
    other.stdout.close()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert len(classify_trajectory(movie, saved, output=output, progress=False)) == 598


def test_two_observers_do_not_write_one_output(tmp_path, movie, model):
    atoms = ase.io.read(movie, 0)
    one, two = (label_observer(atoms, model, tmp_path / "run.extxyz", 1) for _ in range(2))
    assert one()["frame"] == 0
    with pytest.raises(ValueError, match="exists; give another output"):
        two()
    assert one()["frame"] == 1 and len(read_table(tmp_path / "run.extxyz.csv")) == 2


def test_a_table_has_the_columns_of_its_classes():
    assert class_columns(["ice", "frame", "class frame", 3]) == [
        "ice",
        "class frame",
        "class class frame",
        "3",
    ]


def test_a_worker_that_is_told_to_give_memory_back_keeps_what_it_asks_for_again(tmp_path):
    """Dask's workers are; then each large array is mapped anew, page by page."""
    program = tmp_path / "count.py"
    program.write_text(
        "import resource, sys\n"
        "import numpy as np\n"
        "from defectkit.streaming import by_dask\n"
        "if sys.argv[1] == 'kept':\n"
        "    by_dask._keep_memory()\n"
        "pages = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(100_000)\n"
        "before = pages()\n"
        "for _ in range(100):\n"
        "    np.ones(100_000)\n"
        "print(pages() - before)\n"
    )
    told = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, program, how], env=told, check=True, capture_output=True
            ).stdout
        )
        for how in ("plain", "kept")
    }
    if faults["plain"] < 10_000:
        pytest.skip("this C library keeps memory by itself")
    assert faults["kept"] < 0.05 * faults["plain"]


def test_a_c_library_that_cannot_be_told_to_keep_memory_is_left_alone(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setattr(by_dask.ctypes, "CDLL", lambda _: object())
    by_dask._keep_memory.__wrapped__()


@settings(max_examples=300, deadline=None)
@given(
    n=st.integers(0, 400),
    chunk=st.integers(1, 70),
    window=st.integers(1, 9),
    workers=st.integers(1, 12),
)
def test_shares_hold_each_window_once(n, chunk, window, workers):
    shares = list(by_dask._shares(iter(range(n)), chunk, window, workers))
    windows = [share[k : k + window] for share in shares for k in range(len(share) - window + 1)]
    assert windows == [list(range(k, k + window)) for k in range(n - window + 1)]
    assert all(window <= len(share) < chunk + window for share in shares)


@pytest.mark.parametrize("n", [200, 500, 1800])
@pytest.mark.parametrize("workers", [2, 5, 8])
def test_workers_end_together(n, workers):
    """Each takes the next share when it is done; a frame takes all the same time."""
    ends = np.zeros(workers)
    for share in by_dask._shares(iter(range(n)), 64, 5, workers):
        ends[ends.argmin()] += len(share)
    assert ends.max() < 1.15 * ends.mean() + 8


def test_few_frames_are_read_ahead_of_the_workers():
    read = []
    given = 0
    for share in by_dask._shares((read.append(k) or k for k in range(10_000)), 64, 5, 2):
        given += len(share) - 4
        assert len(read) <= 2 * given + 4 + 16
        assert len(read) <= given + 4 + 2 * 2 * 64


def test_what_was_read_before_an_error_is_shared_first():
    def breaking():
        yield from range(50)
        raise ValueError("frame 50 is none")

    shares, got = by_dask._shares(breaking(), 16, 3, 2), []
    with pytest.raises(ValueError, match="frame 50 is none"):
        got.extend(shares)
    assert sum(len(share) - 2 for share in got) == 48
