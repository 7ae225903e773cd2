"""Every format gives the frames that were written, one at a time; bad files say what is wrong."""

import gzip

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.units import Bohr

from defectkit.io import read_frames
from defectkit.trajectory import iter_frames, parse, raw_frames

chemfiles = pytest.importorskip("chemfiles")
N = 5


@pytest.fixture(scope="module")
def frames():
    start = bulk("Si", cubic=True) * (2, 1, 1)
    start.symbols[3] = "Ge"
    start.set_cell(start.cell.array + [[0, 0, 0], [0.3, 0, 0], [0.1, 0.2, 0]], scale_atoms=True)
    made = []
    for n in range(N):
        atoms = start.copy()
        atoms.rattle(0.05, seed=n)
        made.append(atoms)
    return made


def write_dump(path, frames):
    with open(path, "w") as file:
        for n, atoms in enumerate(frames):
            (ax, _, _), (bx, by, _), (cx, cy, cz) = atoms.cell.array
            low, high = min(0, bx, cx, bx + cx), ax + max(0, bx, cx, bx + cx)
            print(
                f"ITEM: TIMESTEP\n{n}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
                "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
                f"{low:.9f} {high:.9f} {bx:.9f}\n"
                f"{min(0, cy):.9f} {by + max(0, cy):.9f} {cx:.9f}\n"
                f"0 {cz:.9f} {cy:.9f}\nITEM: ATOMS id type x y z",
                file=file,
            )
            for i in reversed(range(len(atoms))):
                kind = 1 if atoms.symbols[i] == "Si" else 2
                print(i + 1, kind, *atoms.positions[i], file=file)


def write_n2p2(path, frames):
    with open(path, "w") as file:
        for atoms in frames:
            print("begin\ncomment made here", file=file)
            for vector in atoms.cell.array / Bohr:
                print("lattice", *vector, file=file)
            for symbol, xyz in zip(atoms.symbols, atoms.positions / Bohr, strict=True):
                print("atom", *xyz, symbol, "0 0 0 0 0", file=file)
            print("energy 0\ncharge 0\nend", file=file)


def write_binary(path, frames):
    kind = path.suffix[1:].upper()
    with chemfiles.Trajectory(str(path), "w", kind) as file:
        for atoms in frames:
            frame = chemfiles.Frame()
            for symbol, xyz in zip(atoms.symbols, atoms.positions, strict=True):
                frame.add_atom(chemfiles.Atom(symbol), list(xyz))
            frame.cell = chemfiles.UnitCell(np.ascontiguousarray(atoms.cell.array.T))
            file.write(frame)


def write(path, frames):
    if path.suffix == ".dump":
        write_dump(path, frames)
    elif path.suffix == ".data":
        write_n2p2(path, frames)
    elif path.suffix.lower() in (".xtc", ".dcd", ".trr"):
        write_binary(path, frames)
    elif path.suffix == ".traj":
        ase.io.write(path, frames)
    else:
        ase.io.write(path, frames, format="extxyz")
    return path


def options(path, frames):
    return {
        ".dump": {"elements": ["Si", "Ge"]},
        ".xtc": {"topology": frames[0]},
        ".dcd": {"topology": frames[0]},
        ".trr": {"topology": frames[0]},
    }.get(path.suffix.lower(), {})


FORMATS = [
    "a.extxyz",
    "a.xyz.gz",
    "a.dump",
    "a.traj",
    "a.data",
    "a.xtc",
    "a.dcd",
    "a.trr",
    "A.XTC",
]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_frames_that_were_written(tmp_path, frames, name):
    path = write(tmp_path / name, frames)
    found = list(iter_frames(path, **options(path, frames)))
    assert len(found) == N
    # XTC rounds to 0.01 Å here: two atoms, three coordinates each, are off by up to 0.0174 Å.
    step = {"dcd": 1e-4, "trr": 1e-5, "xtc": 0.0174}.get(name[-3:].lower(), 1e-6)
    for atoms, known in zip(found, frames, strict=True):
        assert atoms.get_chemical_symbols() == known.get_chemical_symbols()
        assert atoms.pbc.all()
        # A LAMMPS dump or a DCD may turn the cell; distances know nothing of that.
        assert np.allclose(
            atoms.get_all_distances(mic=True), known.get_all_distances(mic=True), atol=step
        )
        assert np.allclose(atoms.cell.cellpar(), known.cell.cellpar(), atol=10 * step)


@pytest.mark.parametrize("name", FORMATS)
def test_skipped_frames_are_the_first(tmp_path, frames, name):
    path = write(tmp_path / name, frames)
    kinds = options(path, frames)
    whole = list(iter_frames(path, **kinds))
    rest = list(iter_frames(path, start=3, **kinds))
    assert [a == b for a, b in zip(rest, whole[3:], strict=True)] == [True, True]


@pytest.mark.parametrize(
    "name", ["a.extxyz", "a.dump", "a.data", "a.xtc", "a.trr", "a.dcd", "a.xyz.gz"]
)
def test_a_file_that_breaks_off_gives_its_whole_frames_and_then_says_so(tmp_path, frames, name):
    path = write(tmp_path / name, frames)
    content = path.read_bytes()
    path.write_bytes(content[: int(0.7 * len(content))])
    if name.endswith("gz"):  # all of it is one block, of which nothing can be unpacked
        with pytest.raises(ValueError, match="breaks off within its first frame; write it again"):
            list(iter_frames(path))
        return
    for read in (iter_frames, read_frames):
        with pytest.warns(UserWarning) as warned:
            found = list(read(path, **options(path, frames)))
        assert [str(w.message) for w in warned] == [
            f"{path} breaks off; its {len(found)} whole frames are kept."
        ]
        assert len(found) >= 3
    if name not in ("a.dump", "a.dcd"):
        step = {"xtc": 0.0174, "trr": 1e-5}.get(name[-3:], 1e-6)
        for atoms, known in zip(found, frames, strict=False):
            assert np.abs(atoms.positions - known.positions).max() < step


@pytest.mark.parametrize("name", ["a.extxyz", "a.dump"])
def test_a_file_cut_within_its_last_number_breaks_off(tmp_path, frames, name):
    path = write(tmp_path / name, frames)
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b".") + 2])
    with pytest.warns(UserWarning, match="breaks off; its 4 whole frames are kept"):
        list(iter_frames(path, **options(path, frames)))


def test_a_raw_frame_is_parsed_elsewhere(tmp_path, frames):
    raw = list(raw_frames(write(tmp_path / "a.extxyz", frames)))
    assert isinstance(raw[2][2], str)
    assert np.allclose(parse(raw[2]).positions, frames[2].positions)


def test_files_that_cannot_be_read_say_why(tmp_path, frames):
    cases = {
        "missing": (FileNotFoundError, "does not exist"),
        "empty.xyz": (ValueError, "is empty"),
        "text.txt": (ValueError, "of no kind that is read here; use extended XYZ"),
    }
    (tmp_path / "empty.xyz").write_text("")
    (tmp_path / "text.txt").write_text("to be or not\n")
    (tmp_path / "noise.dat").write_bytes(bytes(range(256)))
    cases["noise.dat"] = cases["text.txt"]
    for name, (kind, words) in cases.items():
        with pytest.raises(kind, match=words):
            list(iter_frames(tmp_path / name))


def test_missing_elements_and_topologies_are_named(tmp_path, frames):
    dump, xtc = write(tmp_path / "a.dump", frames), write(tmp_path / "a.xtc", frames)
    with pytest.raises(ValueError, match=r"atom types but no elements; .*elements=\[\"Si\"\]"):
        list(iter_frames(dump))
    with pytest.raises(ValueError, match="atom types up to 2, but elements names 1"):
        list(iter_frames(dump, elements=["Si"]))
    with pytest.raises(ValueError, match="holds no elements; name a topology"):
        list(iter_frames(xtc))
    with pytest.raises(FileNotFoundError, match="check the topology"):
        list(iter_frames(xtc, topology=tmp_path / "no.pdb"))
    with pytest.raises(ValueError, match="has 16 atoms a frame, the topology 15"):
        list(iter_frames(xtc, topology=frames[0][:-1]))


def test_damaged_files_are_refused(tmp_path, frames):
    xtc = tmp_path / "a.xtc"
    xtc.write_bytes(b"no trajectory" * 20)
    with pytest.raises(ValueError, match="cannot be read .* convert it to extended XYZ"):
        list(iter_frames(xtc, topology=frames[0]))
    traj = write(tmp_path / "a.traj", frames)
    traj.write_bytes(traj.read_bytes()[:600])
    with pytest.raises(ValueError, match="damaged or breaks off"):
        list(iter_frames(traj))
    xyz = write(tmp_path / "a.extxyz", frames)
    lines = xyz.read_text().splitlines()
    lines[5] = "Si one two three"
    xyz.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"a.extxyz, frame 0 cannot be read"):
        list(iter_frames(xyz))
    with pytest.raises(FileNotFoundError, match="does not exist or is not a file"):
        list(iter_frames(["a"]))


def test_a_compressed_file_is_read_once_through(tmp_path, frames):
    path = tmp_path / "a.extxyz.gz"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(ValueError, match="has nothing in it once it is unpacked"):
        list(iter_frames(path))
