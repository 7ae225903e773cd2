"""Killed, cut off, or without room on the disk: old files stay whole, a second try comes right."""

import hashlib
import http.server
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

import defectkit as dk
from defectkit import datasets, stability, streaming
from defectkit.io import atomic_write as _files
from defectkit.parametric import EnvironmentClassifier, load_model
from defectkit.streaming import output as streaming_output

ROOT = Path(dk.__file__).parents[1]
sys.path.insert(0, str(ROOT / "recipes"))
import water_md  # noqa: E402


def killed(work):
    """Runs `work` in a process of its own, in which it has to end by SIGKILL."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)  # it came to its end, or raised
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def no_file_larger_than(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).normal(size=(300, 35)) + np.repeat([0, 9], 150)[:, None]
    return EnvironmentClassifier(
        dk.SymmetryFunctions.silicon(), "Si", max_epochs=1, progress=False
    ).fit(X, np.repeat(["bulk", "other"], 150))


@pytest.fixture(scope="module")
def result():
    silver = bulk("Ag", cubic=True) * (3, 3, 3)
    silver.rattle(0.05, seed=1)
    return dk.identify(silver, method="pca", progress=False)


def frames(seed):
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=seed)
    return [atoms] * 4


# Each writes a file that depends on `n`, to a path of its own; all are larger than 4 kB.
WRITERS = {
    "atoms.extxyz": lambda path, n: datasets.write_frames(path, frames(n)),
    "atoms.extxyz.gz": lambda path, n: datasets.write_frames(path, frames(n)),
    "numbers.json": lambda path, n: datasets.write_results(
        path, {f"x{i}": i * n for i in range(1000)}
    ),
    "table.csv": lambda path, n: stability.write_table(path, [{"a": i * n} for i in range(3000)]),
    "table.json": lambda path, n: stability.write_table(path, [{"a": i * n} for i in range(500)]),
}


@pytest.fixture(params=[*WRITERS, "model.npz", "result.npz", "net.onnx"])
def writer(request, tmp_path, model, result):
    """A path with a file there already, and a function that writes another over it."""
    path = tmp_path / request.param
    if path.suffix == ".onnx":
        pytest.importorskip("onnx")
        from defectkit.parametric import export_onnx

        path.write_bytes(b"an older net")
        return path, lambda: export_onnx(model, path)
    if path.suffix == ".npz":
        kept = model if path.stem == "model" else result
        kept.save(path)
        return path, lambda: kept.save(path)
    WRITERS[path.name](path, 1)
    return path, lambda: WRITERS[path.name](path, 2)


def test_a_writer_killed_before_the_end_leaves_the_old_file(writer, monkeypatch):
    path, write = writer
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(_files, "sync", die)  # all is written, nothing is on the disk yet
        killed(write)
    assert path.read_bytes() == before
    left = [p for p in path.parent.iterdir() if p != path]
    assert len(left) == 1 and left[0].name.startswith(".partial-")
    write()
    after = path.read_bytes()
    assert len(after) > 4000 and path.suffix == ".npz" or after != before


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path):
    path = tmp_path / "numbers.json"
    names = [".partial-17-numbers.json", ".partial-18-numbers.json", ".partial-17-others.json"]
    for name, age in zip(names, (100_000, 60, 100_000), strict=True):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    datasets.write_results(path, {"a": 1})
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names[1:], path.name])


def test_a_full_disk_is_said_in_a_sentence_and_leaves_the_old_file(writer):
    path, write = writer
    before = path.read_bytes()
    with no_file_larger_than(3000), pytest.raises(OSError) as raised:
        write()
    assert str(raised.value) == (
        f"{path} could not be written (File too large): write elsewhere, or raise the limit on "
        "the size of a file (ulimit -f); a file that was there is as it was."
    )
    assert list(path.parent.iterdir()) == [path] and path.read_bytes() == before
    write()


def test_a_full_tmpfs_is_said_in_a_sentence(tmp_path):
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", tmp_path], capture_output=True
        ).returncode
        != 0
    ):
        pytest.skip("mounting a small tmpfs needs root with the right to mount")
    try:
        path = tmp_path / "numbers.json"
        datasets.write_results(path, {"a": 1})
        with pytest.raises(
            OSError,
            match=r"could not be written \(No space left on device\): "
            "make room on the disk or write elsewhere",
        ):
            datasets.write_frames(tmp_path / "atoms.extxyz", frames(1))
        assert json.loads(path.read_text()) == {"a": 1}
        assert [p.name for p in tmp_path.iterdir()] == ["numbers.json"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a part of this path is a file, choose another folder"):
        datasets.write_results(tmp_path / "file" / "numbers.json", {"a": 1})
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="this is a folder, choose another name"):
        datasets.write_results(tmp_path / "folder", {"a": 1})


# downloads


class Server(http.server.BaseHTTPRequestHandler):
    """Sends `content`, but `sent` bytes of it only: then it stalls or hangs up."""

    content, sent, stall = b"weights " * 40_000, None, threading.Event()

    def do_GET(self):  # noqa: N802
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: self.sent])
        self.wfile.flush()
        if self.sent is not None:
            self.stall.wait(30)

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Server.sent, Server.stall = None, threading.Event()
    yield f"http://127.0.0.1:{server.server_port}/weights.data"
    Server.stall.set()
    server.shutdown()
    server.server_close()
    thread.join()


SHA256 = hashlib.sha256(Server.content).hexdigest()


def test_a_download_killed_half_way_is_not_there_and_comes_right_again(tmp_path, address):
    Server.sent = 200_000
    path = tmp_path / "weights.data"
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from defectkit import datasets; "
            "datasets.fetch(*sys.argv[1:], progress=False)",
            address,
            SHA256,
            path,
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    end = time.monotonic() + 60
    while not any(p.stat().st_size > 60_000 for p in tmp_path.glob(".partial-*")):
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.01)
    run.kill()
    run.wait()
    assert not path.exists()
    Server.sent = None
    Server.stall.set()
    assert datasets.fetch(address, SHA256, path, progress=False).read_bytes() == Server.content


def test_a_server_that_hangs_up_is_said_and_nothing_is_kept(tmp_path, address):
    Server.sent = 200_000
    Server.stall.set()
    with pytest.raises(ValueError, match="arrived corrupt or cut off.*nothing was kept"):
        datasets.fetch(address, SHA256, tmp_path / "weights.data", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_download_to_a_full_disk_does_not_blame_the_network(tmp_path, address):
    with (
        no_file_larger_than(100_000),
        pytest.raises(OSError, match=r"weights.data could not be written \(File too large\)"),
    ):
        datasets.fetch(address, SHA256, tmp_path / "weights.data", progress=False)
    assert list(tmp_path.iterdir()) == []


# labelling a trajectory


def movie(n=12):
    made = []
    for seed in range(n):
        atoms = bulk("Si", cubic=True) * (2, 2, 2)
        atoms.rattle(0.03 if seed % 3 else 0.4, seed=seed)
        made.append(atoms)
    return made


def label_and_die(arguments, path, at, where):
    """Ends the process at the `at`-th write, half of it done, or before its record is there."""
    import torch

    torch.set_num_threads(1)  # a forked process has not the threads of its parent
    streaming_output.RECORD_EVERY = 0
    append, count = streaming_output.Writer._append, [0]

    def half(self, which, text):
        count[0] += 1
        if count[0] == at and where == "frame":
            append(self, which, text[: len(text) // 2])
            die()
        if count[0] == at:
            _files.sync = die
        append(self, which, text)

    streaming_output.Writer._append = half
    streaming.classify_trajectory(*arguments, output=path, progress=False)


@pytest.mark.parametrize("where", ["frame", "record"])
def test_a_run_killed_amid_a_write_goes_on_as_if_nothing_had_been(tmp_path, model, where):
    datasets.write_frames(tmp_path / "movie.extxyz", movie())
    model.save(tmp_path / "model.npz")
    arguments = tmp_path / "movie.extxyz", tmp_path / "model.npz"
    whole = streaming.classify_trajectory(
        *arguments, output=tmp_path / "whole.extxyz", progress=False
    )
    output = tmp_path / "killed.extxyz"
    for at in (1, 7):  # the head of the table, the fourth frame
        killed(lambda at=at: label_and_die(arguments, output, at, where))
    again = streaming.classify_trajectory(*arguments, output=output, progress=False)
    assert again.equals(whole)
    for ending in ("", ".csv", ".progress"):
        assert (tmp_path / f"killed.extxyz{ending}").read_bytes() == (
            tmp_path / f"whole.extxyz{ending}"
        ).read_bytes()


def test_labels_stop_in_a_sentence_where_the_disk_is_full_and_go_on_later(tmp_path, model):
    whole = streaming.classify_trajectory(
        movie(), model, output=tmp_path / "whole.extxyz", progress=False
    )
    output = tmp_path / "full.extxyz"
    size = (tmp_path / "whole.extxyz").stat().st_size
    with (
        no_file_larger_than(size // 2),
        pytest.raises(
            OSError,
            match=r"full.extxyz could not be written \(File too large\).*the same call "
            "goes on from the last whole frame",
        ),
    ):
        streaming.classify_trajectory(movie(), model, output=output, progress=False)
    done = json.loads((tmp_path / "full.extxyz.progress").read_text())["done"]
    assert 0 < done < len(whole)
    again = streaming.classify_trajectory(movie(), model, output=output, progress=False)
    assert again.equals(whole)
    assert output.read_bytes() == (tmp_path / "whole.extxyz").read_bytes()


def test_an_output_that_lost_its_end_is_refused(tmp_path, model):
    output = tmp_path / "out.extxyz"
    streaming.classify_trajectory(movie(3), model, output=output, progress=False)
    os.truncate(output, 100)
    with pytest.raises(ValueError, match="is shorter than its .progress file says; delete both"):
        streaming.classify_trajectory(movie(3), model, output=output, progress=False)


# molecular dynamics of the recipes


class Pairs(Calculator):
    """Lennard-Jones over all pairs: no neighbour list, so that a restart gives the same bits."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        cell = self.atoms.cell.lengths()
        r = self.atoms.positions[:, None] - self.atoms.positions
        r -= np.round(r / cell) * cell
        s = np.sum(r * r, axis=2) + np.diag(np.full(len(r), np.inf))
        x = (3.4**2 / s) ** 3
        force = (0.01 * 24 * (2 * x * x - x) / s)[..., None] * np.where(np.isfinite(r), r, 0)
        self.results = {
            "energy": 0.01 * 2 * np.sum(x * x - x),
            "forces": force.sum(axis=1),
            "stress": -0.5
            * np.einsum("ijk,ijk->k", force, r)[[0, 1, 2, 0, 0, 0]]
            / self.atoms.get_volume(),
        }


STAGES = (
    water_md.Stage("warm", 60, 20, 40, 0.1, "volume"),
    water_md.Stage("hold", 60, 40, 40, 0.1, mean_cell=30, every=7),
)


def simulate(folder):
    atoms = bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2)
    atoms.calc = Pairs()
    water_md.run(atoms, STAGES, folder, seed=3, dt=5.0, log_every=5, save_every=25)


def test_molecular_dynamics_killed_at_any_moment_ends_the_same(tmp_path, monkeypatch):
    simulate(tmp_path / "whole")

    def dies_at(name, n):
        """Ends the process at the n-th call of os.NAME or of a force evaluation."""
        owner = Pairs if name == "calculate" else os
        real, count = getattr(owner, name), [0]

        def counted(*args, **kwargs):
            count[0] += 1
            if count[0] == n:
                die()
            return real(*args, **kwargs)

        setattr(owner, name, counted)
        simulate(tmp_path / "killed")

    # before the first state; between a state's writing and its renaming; amid steps
    for name, n in (
        ("calculate", 9),
        ("replace", 2),
        ("calculate", 30),
        ("fsync", 2),
        ("calculate", 45),
        ("replace", 3),
    ):
        killed(lambda name=name, n=n: dies_at(name, n))
    simulate(tmp_path / "killed")
    for name in ("log.txt", "frames.f32"):
        ended, wanted = (tmp_path / run / name for run in ("killed", "whole"))
        assert ended.read_bytes() == wanted.read_bytes()
    with np.load(tmp_path / "killed/state.npz") as a, np.load(tmp_path / "whole/state.npz") as b:
        assert a.files == b.files and all(np.array_equal(a[k], b[k]) for k in a.files)
    assert (tmp_path / "whole" / "frames.f32").stat().st_size == 60 // 7 * 32 * 12


def test_models_and_results_written_after_a_failure_can_be_read(tmp_path, model, result):
    for path, kept, read in (
        (tmp_path / "m.npz", model, load_model),
        (tmp_path / "r.npz", result, dk.open_result),
    ):
        with no_file_larger_than(3000), pytest.raises(OSError):
            kept.save(path)
        assert not path.exists()
        kept.save(path)
        read(path)
