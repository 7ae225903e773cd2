"""Files of arrays beside a description in JSON. No pickle; for atoms see `packed_frames`.

An archive is a .npz: plain arrays, and one of bytes, `header`, that holds JSON. What a reader is
given may be anybody's, so sizes are looked at before anything is unpacked.
"""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from typing import Any

import numpy as np

from .._types import FilePath
from .atomic_write import atomic_write, user_path

__all__ = ["Refused", "parse_json", "read_archive", "read_npy", "write_archive"]

_HEADER = "header"
_FREE = 64 * 2**20  # bytes that any archive may unpack to
_RATIO = 100  # beyond that: positions of real atoms compress by less than ten
_MOST_HEADER = 2**30  # bytes of JSON
_PIECE = 2**24  # bytes unpacked at once


def write_archive(
    path: FilePath,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    compress: bool = True,
) -> None:
    """Writes arrays (no objects) and a header of JSON; the file appears only when it is whole.

    Raises ValueError for an array of objects; what `atomic_write` raises.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise ValueError(
                f"the array {name!r} holds Python objects, which are not saved; "
                "make it one of numbers or texts."
            )
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    with atomic_write(path) as partial, open(partial, "wb") as file:
        written = dict(arrays, **{_HEADER: text})
        (np.savez_compressed if compress else np.savez)(file, **written)  # type: ignore[arg-type]


def read_archive(
    path: FilePath, what: str, check: Callable[[Any, dict], None] | None = None
) -> tuple[Any, dict]:
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
        raise ValueError(
            f"{path} is no {what} of defectkit; give a file that save has written."
        ) from None
    except OSError as err:
        if err.errno in (None, errno.EINVAL):  # a place before the file's beginning
            raise damaged from err
        raise
    except MemoryError:
        raise ValueError(
            f"{path} needs more memory than there is; open it on a larger machine."
        ) from None
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
        raise Refused(
            f"{path} would unpack to {size / 1e9:.3g} GB from "
            f"{path.stat().st_size / 1e6:.3g} MB, as no {what} does; it is damaged or "
            "forged, save it again."
        )


def _declared(file, entry):
    """Shape of an array, from its first bytes; ValueError where it does not fit the entry."""
    with file.open(entry) as stream:
        return _description(stream, entry.file_size)[0]


def _description(stream, size):
    """Shape, whether in Fortran's order, dtype of an .npy of `size` bytes; moves to its data."""
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
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
        return read_npy(stream, entry.file_size)


def read_npy(stream: BufferedIOBase, size: int) -> np.ndarray:
    """The array of an .npy of `size` bytes; ValueError where it is not whole."""
    shape, fortran, dtype = _description(stream, size)
    n = int(np.prod(shape, dtype=object)) if shape else 1
    data = bytearray(n * dtype.itemsize)
    view, at = memoryview(data), 0
    while at < len(data) and (got := stream.readinto(view[at : at + _PIECE])):
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
