"""Results back from their files."""

from __future__ import annotations

import io
from typing import Any

import ase.io
import numpy as np
import pandas as pd

from .._types import FilePath
from ..io.archive import read_archive
from ..io.packed_frames import unpack_frames
from .result import Result
from .saved import FORMAT, MARK, TABLES

FARTHEST = 30.0  # Å; no first shell of neighbours reaches that far


def open_result(path: FilePath) -> Result:
    """The `Result` that `Result.save` wrote. Nothing in the file is executed.

    Raises FileNotFoundError, and ValueError for another kind of file, a damaged one, or one from
    a newer version.
    """
    header, values = read_archive(path, "result")
    try:
        newer = header.get("mark") in (MARK, None) and header["format"] > FORMAT
        result = None if newer else _restored(values, header)
    except Exception as err:  # ASE's readers and changed descriptions raise every kind
        raise ValueError(
            f"{path} is not a saved result or is damaged ({type(err).__name__}); save it again."
        ) from None
    if result is None:
        raise ValueError(f"{path} was written by a newer version; update defectkit.")
    return result


def _restored(values, header):
    """A `Result`; raises where its arrays do not fit its frames."""
    if header.get("mark") == MARK:
        info, frames = header["info"], unpack_frames(header["frames"], values)
    else:  # format 1, frames as text
        text = values["frames"].tobytes().decode()
        read: Any = ase.io.read(io.StringIO(text), ":", format="extxyz")
        info, frames = {k: v for k, v in header.items() if k != "format"}, read
    arrays = [values[name] for name in ("labels", "frame", "atom")]
    labels, frame, atom = arrays
    fits = (
        all(a.dtype.kind == "i" and a.shape == labels.shape for a in arrays)
        and labels.ndim == 1
        and labels.min() >= -1
        and values["map"].dtype == float
        and values["map"].shape == (len(labels), 2)
        and frame.min() >= 0
        and atom.min() >= 0
        and np.all(atom < np.array([len(atoms) for atoms in frames])[frame])
        and isinstance(info["centres"], str)
        and info["window"] >= 1
        and 0 < float(info["cutoff"]) < FARTHEST
        and (info["sampled"] is None or 0 < info["sampled"] <= 1)
    )
    if not fits:
        raise ValueError("arrays")
    if header["format"] < 3:
        return Result(frames, labels, values["map"], frame, atom, info)
    group, structure = values["group"], values["structure"]
    if not (
        group.shape == structure.shape == labels.shape
        and group.dtype.kind == "i"
        and structure.dtype.kind == "U"
        and 0 <= group.min()
        and group.max() < len(info["groups"])
    ):
        raise ValueError("groups")
    followers = None
    if header["follows"]:
        sizes = [len(atoms) for atoms in frames]
        followers = np.split(values["followers"], np.cumsum(sizes)[:-1])
        if [len(f) for f in followers] != sizes or values["followers"].max() >= max(sizes):
            raise ValueError("followers")
    tables = {name: _table(header["tables"][name]) for name in TABLES}
    return Result(
        frames, labels, values["map"], frame, atom, info, group, structure, followers, **tables
    )


def _table(described):
    """A DataFrame whose lists are tuples again, as they were."""
    data = [[_tuples(value) for value in row] for row in described["data"]]
    return pd.DataFrame(data, columns=described["columns"])


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
