"""Atoms come back as they were; a file that would fill the memory is refused before it does."""

import io
import json
import tracemalloc
import warnings
import zipfile

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLengths
from ase.spacegroup import crystal
from hypothesis import given
from hypothesis import strategies as st

from defectkit.io.archive import parse_json, read_archive, write_archive
from defectkit.io.packed_frames import pack_frames, unpack_frames


def back(frames, folder):
    described, arrays = pack_frames(frames)
    write_archive(folder / "frames.npz", {"frames": described}, arrays)
    header, arrays = read_archive(folder / "frames.npz", "result")
    return unpack_frames(header["frames"], arrays)


def same(a, b):
    """Equal in value and in type, down to the elements."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and (
                all(map(same, a.ravel(), b.ravel()))
                if a.dtype.hasobject
                else a.tobytes() == b.tobytes()
            )
        )
    return a == b or a != a and b != b


INFO = {
    "sentence": "1 2 3",
    "flag": "T",
    "true": True,
    "none": None,
    "empty": "",
    "lines": "a\nb\r\n",
    "Lattice": "mine",
    "Properties": "species:S:1",
    'key = "x"': 'a "b" \\ c',
    "uni": "Å\ud800",
    "array": np.arange(6).reshape(2, 3),
    "texts": np.array(["a b", "c\nd"]),
    "f4": np.float32(0.1),
    "bool_": np.bool_(False),
    "nan": float("nan"),
    "infinite": [-float("inf"), 1e308],
    "large": 10**40,
    "complex": 1 + 2j,
    "bytes": b"\x00\xff",
    "tuple": (1, (2.0, "3")),
    "set": {1, 2},
    "nested": {"a": [{"b": {}}, []]},
    "$tag": {"$array": "x"},
    7: {1: 2},
    ("a", 1): 3,
    "objects": np.array([None, "a", [1, 2]], object),
    "when": np.datetime64("2026"),
    "records": np.array([(1, 2.0)], "i4,f8"),
    "none at all": np.zeros((0, 3)),
}


def test_everything_about_a_frame_comes_back(tmp_path):
    one = bulk("Cu", cubic=True) * (1, 1, 2)
    one.info = dict(INFO)
    one.pbc = [True, False, True]
    one.set_celldisp([0.1, 0.2, 0.3])
    one.set_tags(range(8))
    one.set_velocities(np.full((8, 3), 1 / 3))
    one.arrays |= {
        "site": np.array(["a b", "", "ccc", "d", "e", "f", "g", "h\n"]),
        "vague": np.array([None, 1, "x", 2.0, [], {}, (), True], object),
        "wide": np.zeros((8, 2, 2), ">f4"),
    }
    one.set_constraint([FixAtoms([0, 3]), FixBondLengths([[0, 1]])])
    one.calc = SinglePointCalculator(one, energy=-1.5, forces=np.full((8, 3), 0.1))
    others = [
        bulk("Si"),
        Atoms(),
        crystal("Na", [(0, 0, 0)], spacegroup=229, cellpar=[4.3] * 3 + [90] * 3),
    ]
    again = back([one, *others], tmp_path)
    for a, b in zip(again, [one, *others], strict=True):
        assert a == b
        assert same(dict(sorted(a.arrays.items())), dict(sorted(b.arrays.items())))
        assert np.array_equal(a.cell.array, b.cell.array) and a.pbc.tolist() == b.pbc.tolist()
    assert same(again[0].info, INFO)
    assert again[0].get_potential_energy() == -1.5
    assert np.array_equal(again[0].get_forces(), one.get_forces())
    assert np.array_equal(again[0].get_celldisp(), one.get_celldisp())
    assert [c.todict() for c in again[0].constraints][0]["kwargs"]["indices"] == [0, 3]
    assert again[3].info["spacegroup"] == others[2].info["spacegroup"]
    again[1].positions += 1  # frames share no memory
    assert again[0] == one


value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.lists(inner).map(tuple)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), value, max_size=3))
def test_any_plain_value_comes_back(info):
    atoms = bulk("Si")
    atoms.info = info
    described, arrays = pack_frames([atoms])
    found = unpack_frames(json.loads(json.dumps(described)), arrays)[0].info
    assert same(found, info)


def test_numbers_of_a_calculator_that_moved_on_are_not_kept(tmp_path):
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    energy = atoms.get_potential_energy()
    assert back([atoms], tmp_path)[0].get_potential_energy() == energy
    atoms.positions[0] += 0.1
    assert back([atoms], tmp_path)[0].calc is None


def test_what_cannot_be_kept_is_named_and_the_rest_is_kept(tmp_path):
    atoms = bulk("Si")
    atoms.info = {"fine": 1, "odd": object(), "deep": [lambda: 0]}
    circle = []
    circle.append(circle)
    atoms.info["circle"] = circle
    with pytest.warns(
        UserWarning,
        match="info of frame 0 'odd', info of frame 0 'deep', info of frame 0 'circle'",
    ):
        (again,) = back([atoms], tmp_path)
    assert again.info == {"fine": 1}
    with pytest.raises(ValueError, match="'x' holds Python objects"):
        write_archive(tmp_path / "a.npz", {}, {"x": np.array([None])})


def test_many_frames_are_fast_and_small(tmp_path):
    frames = [bulk("Cu", cubic=True) for _ in range(300)]
    for atoms in frames:
        atoms.info = {"time": 1.0, "source": "a run"}
    assert len(back(frames, tmp_path)) == 300
    with zipfile.ZipFile(tmp_path / "frames.npz") as file:
        assert len(file.namelist()) == 5


# files that somebody made to do harm


def zeros(path, size, kind=zipfile.ZIP_DEFLATED, shape=None, more=None):
    """An archive whose array `x` unpacks to `size` zeros, and may declare another shape."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": shape or (size,)}
    )
    header = io.BytesIO()
    np.save(header, np.frombuffer(json.dumps(more or {}).encode(), np.uint8))
    with zipfile.ZipFile(
        path, "w", kind, compresslevel=9 if kind != zipfile.ZIP_LZMA else None
    ) as file:
        file.writestr("header.npy", header.getvalue())
        with file.open("x.npy", "w") as stream:
            stream.write(head.getvalue())
            for start in range(0, size, 2**20):
                stream.write(bytes(min(2**20, size - start)))
    return path


def peak(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    path = zeros(tmp_path / "bomb.npz", 300 * 2**20)
    assert path.stat().st_size < 10**6

    def refused():
        with pytest.raises(
            ValueError,
            match=r"would unpack to 0.315 GB from 0.\d+ MB, as no "
            "model does; it is damaged or forged",
        ):
            read_archive(path, "model")

    assert peak(refused) < 2**21


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 4), (50,), (-1, -100)])
def test_a_shape_that_is_not_the_size_of_its_data_is_refused(tmp_path, shape):
    path = zeros(tmp_path / "shape.npz", 100, shape=shape)

    def refused():
        with pytest.raises(ValueError, match="is damaged or cut off"):
            read_archive(path, "model")

    assert peak(refused) < 2**21


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_compression_without_bounds_is_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="is damaged or cut off"):
        read_archive(zeros(tmp_path / "other.npz", 100, kind), "model")


def test_a_directory_that_lies_about_sizes_is_refused(tmp_path):
    path = zeros(tmp_path / "lie.npz", 5000)
    content = path.read_bytes()
    true = (5000 + 128).to_bytes(4, "little")
    assert content.count(true) == 2
    path.write_bytes(content.replace(true, (228).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="is damaged or cut off"):
        read_archive(path, "model")


def test_arrays_are_only_read_where_their_shapes_are_wanted(tmp_path):
    path = zeros(tmp_path / "extra.npz", 40 * 2**20, more={"n": 3})

    def check(header, shapes):
        assert header == {"n": 3}
        if shapes["x"] != (header["n"],):
            raise ValueError

    def refused():
        with pytest.raises(ValueError, match="is damaged or cut off"):
            read_archive(path, "model", check)

    assert peak(refused) < 2**21
    header, arrays = read_archive(path, "model")
    assert header == {"n": 3} and arrays["x"].shape == (40 * 2**20,)


def test_deeply_nested_json_is_an_error_of_value(tmp_path):
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json("[" * 10**5 + "]" * 10**5)
    text = np.frombuffer(b"[" * 10**5 + b"]" * 10**5, np.uint8)
    np.savez(tmp_path / "deep.npz", header=text)
    with pytest.raises(ValueError, match="is damaged or cut off"):
        read_archive(tmp_path / "deep.npz", "model")


def test_files_of_another_kind_are_named_so(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    (tmp_path / "text.npz").write_text("not a zip at all")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as file:
        file.writestr("../../notes.txt", "x")
    for name in ("other", "text", "zip"):
        with pytest.raises(ValueError, match="is no result of defectkit; give a file that save"):
            read_archive(tmp_path / f"{name}.npz", "result")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_archive(tmp_path / "absent.npz", "result")


def test_frames_that_do_not_fit_together_are_refused():
    described, arrays = pack_frames([bulk("Si"), bulk("Cu")])
    spoilt = [
        arrays | {"frames_column0": arrays["frames_column0"][:-1]},
        arrays | {"frames_cell": arrays["frames_cell"][:1]},
        arrays | {"frames_column0": np.full(3, 200)},
        {},
    ]
    for changed in spoilt:
        with pytest.raises(ValueError, match="the frames do not fit together"):
            unpack_frames(described, changed)
    trap = json.loads(json.dumps(described))
    trap["frames"][0]["constraints"] = {"$dict": [[0, {"name": "os.system", "kwargs": {}}]]}
    with pytest.raises(ValueError, match="the frames do not fit together"):
        unpack_frames(trap, arrays)


def test_silence_where_nothing_is_lost(tmp_path):
    atoms = bulk("Si")
    atoms.info = {"a": (1, 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back([atoms], tmp_path)
    ase.io.write(tmp_path / "a.xyz", back([atoms], tmp_path), format="extxyz")
