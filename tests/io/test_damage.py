"""Damaged files end in one sentence, and never in the process or in somebody else's memory."""

import warnings
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defectkit.io import read_frames
from defectkit.io.formats.xtc import xtc
from defectkit.io.source import Cut

chemfiles = pytest.importorskip("chemfiles")
FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SILICON = bulk("Si", cubic=True) * (2, 1, 1)


def frames():
    made = []
    for seed in range(3):
        atoms = SILICON.copy()
        atoms.rattle(0.05, seed=seed)
        made.append(atoms)
    return made


def binary(path, frames):
    with chemfiles.Trajectory(str(path), "w") as file:
        for n, atoms in enumerate(frames):
            frame = chemfiles.Frame()
            frame["time"] = 0.5 * n
            for symbol, xyz in zip(atoms.symbols, atoms.positions, strict=True):
                frame.add_atom(chemfiles.Atom(symbol), list(xyz))
            frame.cell = chemfiles.UnitCell(np.ascontiguousarray(atoms.cell.array.T))
            file.write(frame)


class Contents(dict):
    """Bytes by name, which a report of a failure does not print."""

    def __repr__(self):
        return "contents"


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("whole"), Contents()
    for name in ("a.xtc", "a.trr", "a.dcd", "a.nc"):
        binary(folder / name, frames())
        found[name] = (folder / name).read_bytes()
    for name, form in (
        ("a.extxyz", "extxyz"),
        ("a.traj", "traj"),
        ("POSCAR", "vasp"),
        ("XDATCAR", "vasp-xdatcar"),
        ("a.pdb", "proteindatabank"),
        ("a.gro", "gromacs"),
        ("a.cif", "cif"),
        ("a.json", "json"),
        ("a.data", "lammps-data"),
    ):
        many = form in ("extxyz", "traj", "vasp-xdatcar", "proteindatabank")
        ase.io.write(str(folder / name), frames() if many else frames()[0], format=form)
        found[name] = (folder / name).read_bytes()
    return found


NAMES = [
    "a.xtc",
    "a.trr",
    "a.dcd",
    "a.nc",
    "a.extxyz",
    "a.traj",
    "POSCAR",
    "XDATCAR",
    "a.pdb",
    "a.gro",
    "a.cif",
    "a.json",
    "a.data",
]
BAD = (b"9999999", b"nan", b"-", b"\n", b"1e999", b"\0\0", b"[[[[", b"\xff\xff\xff\xff", b"'")


@pytest.mark.parametrize("name", NAMES)
def test_whole_files_are_read(tmp_path, contents, name):
    (tmp_path / name).write_bytes(contents[name])
    found = read_frames(tmp_path / name, topology=SILICON, elements=["Si"])
    assert [str(atoms.symbols) for atoms in found] == ["Si16"] * len(found)


@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(data=st.data())
def test_damaged_files_are_refused_clearly_or_give_frames(tmp_path, contents, name, data):
    content = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        what = data.draw(st.sampled_from(["byte", "cut", "hole", "put"]))
        if what == "byte" and content:
            content[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del content[at:]
        elif what == "hole":
            del content[at : at + data.draw(st.integers(1, 40))]
        else:
            content[at:at] = data.draw(st.sampled_from(BAD))
    path = tmp_path / name
    path.write_bytes(bytes(content))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = read_frames(path, topology=SILICON, elements=["Si"])
        except ValueError as err:
            said = str(err)
            assert str(path) in said and "\n" not in said and said.endswith("."), said
        else:
            assert all(np.isfinite(atoms.positions).all() and len(atoms) for atoms in found)


@pytest.mark.parametrize("scale", [0.02, 0.3, 3.0, 30.0, 300.0, 3000.0, 30_000.0])
@pytest.mark.parametrize("n", [10, 50, 333])
def test_xtc_gives_what_chemfiles_gives_to_the_last_bit(tmp_path, n, scale):
    rng = np.random.default_rng(n)
    path, known = tmp_path / "a.xtc", []
    with chemfiles.Trajectory(str(path), "w") as file:
        for _ in range(3):
            frame = chemfiles.Frame()
            steps = rng.normal(size=(n, 3)) * scale * 10 ** rng.uniform(-3, 0)
            for xyz in rng.normal(size=(n, 3)) * scale + np.cumsum(steps, axis=0):
                frame.add_atom(chemfiles.Atom("C"), list(xyz))
            file.write(frame)
    with chemfiles.Trajectory(str(path)) as file:
        for _ in range(3):
            frame = file.read()
            known.append(np.array(frame.positions))
    assert all(np.array_equal(a, b) for (a, _, _), b in zip(xtc(path), known, strict=True))


def test_every_cut_of_an_xtc_is_seen(tmp_path, contents):
    path, whole = tmp_path / "a.xtc", contents["a.xtc"]
    ends = []
    for n in range(len(whole) + 1):
        path.write_bytes(whole[:n])
        found = []
        try:
            for frame in xtc(path):
                found.append(frame)
        except Cut:
            continue
        ends.append((n, len(found)))
    assert [k for _, k in ends] == [0, 1, 2, 3] and ends[-1][0] == len(whole)


def test_a_planted_pickle_is_no_trajectory(tmp_path):
    path = Path(tmp_path / "a.traj")
    path.write_bytes(b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="of no kind that is read here"):
        read_frames(path)
