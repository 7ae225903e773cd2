"""Atoms as arrays and JSON, without loss: what `archive` writes and reads. No pickle."""

import base64
import io
import warnings
from collections.abc import Iterable

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import dict2constraint
from ase.spacegroup import Spacegroup

from .archive import read_npy

__all__ = ["pack_frames", "unpack_frames"]


def pack_frames(frames: Iterable[Atoms]) -> tuple[dict, dict]:
    """Frames as (description, arrays) for `write_archive`, without loss.

    Kept are cell, boundaries, every array of the atoms, `info` with its types, constraints, and
    results of a calculator where they belong to these positions. A value of another type (an
    object of some program) is left out, and a warning names it.
    """
    frames, left_out = list(frames), []
    arrays = {
        "frames_cell": np.array([a.cell.array for a in frames]).reshape(-1, 3, 3),
        "frames_pbc": np.array([a.pbc for a in frames]).reshape(-1, 3),
    }
    columns, described = {}, []
    for n, atoms in enumerate(frames):
        objects = {k: v for k, v in atoms.arrays.items() if v.dtype.hasobject}
        for name, values in atoms.arrays.items():
            if name not in objects:
                columns.setdefault((name, str(values.dtype.descr), values.shape[1:]), []).append(
                    (n, values)
                )
        parts = {
            "info": atoms.info,
            "objects": objects,
            "results": _results(atoms),
            "constraints": {k: _constraint(c) for k, c in enumerate(atoms.constraints)},
            "more": _more(atoms),
        }
        described.append(
            {"size": len(atoms)}
            | {
                key: _kept(part, f"{key} of frame {n}", left_out)
                for key, part in parts.items()
                if part
            }
        )
    table = []
    for n, ((name, *_), parts) in enumerate(columns.items()):
        table.append({"name": name, "frames": [k for k, _ in parts]})
        values = [v for _, v in parts]
        arrays[f"frames_column{n}"] = np.concatenate(values, dtype=values[0].dtype)
    if left_out:
        warnings.warn(
            f"not saved, because a file holds no values of this kind: "
            f"{', '.join(left_out[:5])}{' ...' * (len(left_out) > 5)}.",
            stacklevel=3,
        )
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
    if (
        any(type(n) is not int or n < 0 for n in sizes)
        or cell.shape != (len(sizes), 3, 3)
        or pbc.shape != (len(sizes), 3)
        or pbc.dtype != bool
        or cell.dtype != float
    ):
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
    if (
        numbers.dtype.kind != "i"
        or numbers.shape != (size,)
        or positions.shape != (size, 3)
        or positions.dtype.kind != "f"
        or not np.all((numbers >= 0) & (numbers < 119))
        or any(len(values) != size for values in atoms.arrays.values())
    ):
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
    if (
        value is None or kind in (bool, str, float) or (kind is int and value.bit_length() < 9999)
    ):  # Python reads no longer ones
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
    return read_npy(io.BytesIO(data), len(data))


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
