"""Files of arrays beside a description in JSON, and atoms without loss in both. No pickle.

An archive is a .npz: plain arrays, and one of bytes, `header`, that holds JSON. What a reader is
given may be anybody's, so sizes are looked at before anything is unpacked.
"""

import base64
import errno
import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import dict2constraint
from ase.spacegroup import Spacegroup

from .atomic_write import atomic_write, user_path

__all__ = ["Refused", "pack_frames", "parse_json", "read_archive", "unpack_frames",
           "write_archive"]

_HEADER = "header"
_FREE = 64 * 2**20  # bytes that any archive may unpack to
_RATIO = 100  # beyond that: positions of real atoms compress by less than ten
_MOST_HEADER = 2**30  # bytes of JSON
_PIECE = 2**24  # bytes unpacked at once


def write_archive(path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray],
                  compress: bool = True) -> None:
    """Writes arrays (no objects) and a header of JSON; the file appears only when it is whole.

    Raises ValueError for an array of objects; what `atomic_write` raises.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise ValueError(f"the array {name!r} holds Python objects, which are not saved; "
                             "make it one of numbers or texts.")
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with atomic_write(path) as partial, open(partial, "wb") as file:
        written = dict(arrays, **{_HEADER: text})
        (np.savez_compressed if compress else np.savez)(file, **written)  # type: ignore[arg-type]


def read_archive(path: str | Path, what: str,
                 check: Callable[[Any, dict], None] | None = None) -> tuple[Any, dict]:
    """Header and arrays {name: array} of an archive; nothing in it is executed.

    Parameters
    ----------
    path
    what : str
        What the file should be, for the messages: "model", "result".
    check : function of (header, shapes), optional
        Called before an array is unpacked, with {name: shape}; raises ValueError, KeyError or
        TypeError where those shapes do not belong to that header: the file is then called
        damaged. A `Refused` it raises is passed on.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Another kind of file; a damaged one; one that would unpack to far more than it can hold.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    damaged = ValueError(f"{path} is damaged or cut off; copy it again, or save the {what} again.")
    try:
        with open(path, "rb") as file:
            if file.read(2) not in (b"PK", b""):
                raise _Foreign
        with zipfile.ZipFile(path) as file:
            entries = {_name(entry): entry for entry in file.infolist()}
            _refuse_bombs(path, what, entries.values())
            shapes = {name: _declared(file, entry) for name, entry in entries.items()}
            header = _header(file, entries)
            shapes.pop(_HEADER, None)
            if check is not None:
                check(header, shapes)
            arrays = {name: _array(file, entries[name]) for name in shapes}
    except Refused:
        raise
    except _Foreign:
        raise ValueError(f"{path} is no {what} of defectkit; give a file that save has "
                         "written.") from None
    except OSError as err:
        if err.errno in (None, errno.EINVAL):  # a place before the file's beginning
            raise damaged from err
        raise
    except MemoryError:
        raise ValueError(f"{path} needs more memory than there is; open it on a larger "
                         "machine.") from None
    except Exception as err:  # zipfile, zlib, numpy and json each raise their own kinds
        raise damaged from err
    return header, arrays


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; ValueError also where it is nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None


class _Foreign(Exception):
    pass


class Refused(ValueError):
    """A whole archive that is not wanted; the sentence says why."""


def _name(entry):
    if not entry.filename.endswith(".npy") or "/" in entry.filename:
        raise _Foreign
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("compression")  # the others unpack without a limit
    return entry.filename[:-4]


def _refuse_bombs(path, what, entries):
    size = sum(entry.file_size for entry in entries)
    if size > max(_FREE, _RATIO * path.stat().st_size):
        raise Refused(f"{path} would unpack to {size / 1e9:.3g} GB from "
                      f"{path.stat().st_size / 1e6:.3g} MB, as no {what} does; it is damaged or "
                      "forged, save it again.")


def _declared(file, entry):
    """Shape of an array, from its first bytes; ValueError where its size is not that of the entry.
    """
    with file.open(entry) as stream:
        return _description(stream, entry.file_size)[0]


def _description(stream, size):
    """Shape, whether in Fortran's order, and dtype of an .npy of `size` bytes; moves to its data.
    """
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = read(stream)
    n = 1
    for length in shape:  # Python's whole numbers do not overflow
        if length < 0:
            raise ValueError("shape")
        n *= length
    if dtype.hasobject or stream.tell() + n * dtype.itemsize != size:
        raise ValueError("size")
    return shape, fortran, dtype


def _array(file, entry):
    with file.open(entry) as stream:
        return _read_npy(stream, entry.file_size)


def _read_npy(stream, size):
    shape, fortran, dtype = _description(stream, size)
    n = int(np.prod(shape, dtype=object)) if shape else 1
    data = bytearray(n * dtype.itemsize)
    view, at = memoryview(data), 0
    while at < len(data) and (got := stream.readinto(view[at:at + _PIECE])):
        at += got
    if at < len(data):
        raise ValueError("data")
    stream.read(1)  # the end, where a zip compares the checksum
    return np.ndarray(shape, dtype, data, order="F" if fortran else "C")


def _header(file, entries):
    entry = entries.get(_HEADER, entries.get("info"))
    if entry is None:
        raise _Foreign
    if entry.file_size > _MOST_HEADER:
        raise ValueError("header")
    array = _array(file, entry)
    if array.dtype == np.uint8:
        return parse_json(array.tobytes())
    if array.dtype.kind == "U" and array.shape == ():  # results of version 0.1
        return parse_json(str(array))
    raise _Foreign


def pack_frames(frames: Iterable[Atoms]) -> tuple[dict, dict]:
    """Frames as (description, arrays) for `write_archive`, without loss.

    Kept are cell, boundaries, every array of the atoms, `info` with its types, constraints, and
    results of a calculator where they belong to these positions. A value of another type (an
    object of some program) is left out, and a warning names it.
    """
    frames, left_out = list(frames), []
    arrays = {"frames_cell": np.array([a.cell.array for a in frames]).reshape(-1, 3, 3),
              "frames_pbc": np.array([a.pbc for a in frames]).reshape(-1, 3)}
    columns, described = {}, []
    for n, atoms in enumerate(frames):
        objects = {k: v for k, v in atoms.arrays.items() if v.dtype.hasobject}
        for name, values in atoms.arrays.items():
            if name not in objects:
                columns.setdefault((name, str(values.dtype.descr), values.shape[1:]),
                                   []).append((n, values))
        parts = {"info": atoms.info, "objects": objects, "results": _results(atoms),
                 "constraints": {k: _constraint(c) for k, c in enumerate(atoms.constraints)},
                 "more": _more(atoms)}
        described.append({"size": len(atoms)} | {
            key: _kept(part, f"{key} of frame {n}", left_out)
            for key, part in parts.items() if part})
    table = []
    for n, ((name, *_), parts) in enumerate(columns.items()):
        table.append({"name": name, "frames": [k for k, _ in parts]})
        values = [v for _, v in parts]
        arrays[f"frames_column{n}"] = np.concatenate(values, dtype=values[0].dtype)
    if left_out:
        warnings.warn(f"not saved, because a file holds no values of this kind: "
                      f"{', '.join(left_out[:5])}{' ...' * (len(left_out) > 5)}.", stacklevel=3)
    return {"frames": described, "columns": table}, arrays


def unpack_frames(description: dict, arrays: dict) -> list[Atoms]:
    """The frames that `pack_frames` was given. Raises ValueError where the parts do not fit."""
    try:
        return _unpacked(description, arrays)
    except Exception as err:  # whatever a changed file provokes in ASE and numpy
        raise ValueError(f"the frames do not fit together ({type(err).__name__})") from err


def _unpacked(description, arrays):
    sizes = [frame["size"] for frame in description["frames"]]
    cell, pbc = arrays["frames_cell"], arrays["frames_pbc"]
    if (any(type(n) is not int or n < 0 for n in sizes) or cell.shape != (len(sizes), 3, 3)
            or pbc.shape != (len(sizes), 3) or pbc.dtype != bool or cell.dtype != float):
        raise ValueError("sizes")
    frames = []
    for atoms_cell, periodic in zip(cell, pbc, strict=True):
        atoms = Atoms(cell=atoms_cell, pbc=periodic)
        atoms.arrays.clear()
        frames.append(atoms)
    for n, column in enumerate(description["columns"]):
        values, name = arrays[f"frames_column{n}"], column["name"]
        ends = np.cumsum([sizes[k] for k in column["frames"]])
        if type(name) is not str or len(values) != (ends[-1] if len(ends) else 0):
            raise ValueError("column")
        for k, part in zip(column["frames"], np.split(values, ends[:-1]), strict=True):
            frames[k].arrays[name] = part.copy()
    for atoms, size, frame in zip(frames, sizes, description["frames"], strict=True):
        _complete(atoms, size, {k: _decoded(v) for k, v in frame.items() if k != "size"})
    return frames


def _complete(atoms, size, parts):
    """Adds what is not an array of its own; raises where the atoms are no atoms."""
    atoms.arrays |= parts.get("objects", {})
    numbers, positions = atoms.arrays["numbers"], atoms.arrays["positions"]
    if (numbers.dtype.kind != "i" or numbers.shape != (size,) or positions.shape != (size, 3)
            or positions.dtype.kind != "f" or not np.all((numbers >= 0) & (numbers < 119))
            or any(len(values) != size for values in atoms.arrays.values())):
        raise ValueError("atoms")
    atoms.info = dict(parts.get("info", {}))
    more = parts.get("more", {})
    if "displacement" in more:
        atoms.set_celldisp(more["displacement"])
    atoms.set_constraint([dict2constraint(c) for c in parts.get("constraints", {}).values()])
    if "results" in parts:
        atoms.calc = SinglePointCalculator(atoms)
        atoms.calc.name = more["calculator"]
        atoms.calc.results = parts["results"]


def _results(atoms):
    """What the calculator found for these very positions; {} where it found nothing."""
    try:
        return {} if atoms.calc.check_state(atoms) else dict(atoms.calc.results)
    except (AttributeError, NotImplementedError):  # none, or one that is not ASE's own kind
        return {}


def _more(atoms):
    more = {"calculator": str(atoms.calc.name)} if _results(atoms) else {}
    if np.any(atoms.get_celldisp()):
        more["displacement"] = atoms.get_celldisp()
    return more


def _constraint(constraint):
    try:
        made = constraint.todict()
        dict2constraint(made)
    except Exception:  # each kind raises its own; some cannot be written
        return constraint
    return made


class _NotHeld(Exception):
    pass


def _kept(values, where, left_out):
    """The values of a dict that JSON can hold, encoded; names the others in `left_out`."""
    kept = {}
    for key, value in values.items():
        try:
            kept |= {key: (_encoded(key), _encoded(value))}
        except (_NotHeld, RecursionError):
            left_out.append(f"{where} {key!r}")
    return {"$dict": list(kept.values())}


def _encoded(value):
    """`value` as JSON of which `_decoded` makes the same value, type included."""
    kind = type(value)
    if value is None or kind in (bool, str, float) or (
            kind is int and value.bit_length() < 9999):  # Python reads no longer ones
        return value
    if isinstance(value, dict):
        if all(type(k) is str and not k.startswith("$") for k in value):
            return {k: _encoded(v) for k, v in value.items()}
        return {"$dict": [[_encoded(k), _encoded(v)] for k, v in value.items()]}
    if kind is list:
        return [_encoded(v) for v in value]
    if kind in (tuple, set):
        return {f"${kind.__name__}": [_encoded(v) for v in value]}
    if kind is complex:
        return {"$complex": [value.real, value.imag]}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    if kind is Spacegroup:
        return {"$spacegroup": [value.no, value.setting]}
    if isinstance(value, np.ndarray) and value.dtype.hasobject and value.dtype.names is None:
        return {"$objects": [list(value.shape), [_encoded(v) for v in value.ravel()]]}
    if kind is np.ndarray or isinstance(value, np.generic):
        return {"$array" if kind is np.ndarray else "$scalar": _npy_text(value)}
    raise _NotHeld


def _npy_text(value):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)
    return base64.b64encode(stream.getvalue()).decode()


def _npy_value(text):
    data = base64.b64decode(text, validate=True)
    return _read_npy(io.BytesIO(data), len(data))


def _objects(given):
    shape, values = given
    made = np.empty(len(values), object)
    for n, value in enumerate(values):
        made[n] = _decoded(value)
    return made.reshape(shape)


_DECODERS = {
    "$dict": lambda v: {_decoded(key): _decoded(value) for key, value in v},
    "$tuple": lambda v: tuple(_decoded(x) for x in v),
    "$set": lambda v: {_decoded(x) for x in v},
    "$complex": lambda v: complex(*v),
    "$bytes": lambda v: base64.b64decode(v, validate=True),
    "$spacegroup": lambda v: Spacegroup(*v),
    "$objects": _objects,
    "$array": _npy_value,
    "$scalar": lambda v: _npy_value(v)[()],
}


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    if isinstance(value, dict):
        if len(value) == 1 and (tag := next(iter(value))).startswith("$"):
            return _DECODERS[tag](value[tag])
        return {k: _decoded(v) for k, v in value.items()}
    return value
