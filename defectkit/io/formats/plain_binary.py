"""TRR and DCD: positions as plain numbers in records, read without another library.

A damaged header cannot make it allocate more than the file holds: sizes are compared first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..frame import cell_of
from ..source import Cut

_NM = 10.0  # Å


def trr(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray, float | None]]:
    """Positions (n, 3) and cell in Å and time in ps of each frame; `Cut` within a broken one."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        while file.tell() < size:
            sizes, real = _trr_head(file)
            time, _ = np.frombuffer(_taken(file, 2 * real, size), f">f{real}")
            box, virial, pressure, topology, symmetry, x, v, f = sizes[2:10]
            cell = np.frombuffer(_taken(file, box, size), f">f{real}")
            _taken(file, virial + pressure + topology + symmetry, size)
            places = np.frombuffer(_taken(file, x, size), f">f{real}").reshape(-1, 3)
            _taken(file, v + f, size)
            if len(places) != sizes[10]:
                raise ValueError(f"{path} has frames without positions; write them.")
            cell = np.zeros((3, 3)) if len(cell) != 9 else cell.reshape(3, 3).astype(float)
            yield places.astype(float) * _NM, cell * _NM, float(time)


def _trr_head(file):
    """The thirteen sizes of a frame and the bytes of a number."""
    start = file.read(12)
    if len(start) < 12:
        raise Cut
    magic, _, length = struct.unpack(">iii", start)
    if magic != 1993 or not 0 <= length < 256:
        raise Cut
    file.seek(length + (-length) % 4, 1)
    sizes = file.read(52)
    if len(sizes) < 52:
        raise Cut
    sizes = struct.unpack(">13i", sizes)
    counts = {2: 9, 7: 3 * sizes[10], 8: 3 * sizes[10], 9: 3 * sizes[10]}
    widths = {sizes[k] / n for k, n in counts.items() if sizes[k] and n > 0}
    if min(sizes[:11]) < 0 or len(widths) != 1 or not widths <= {4.0, 8.0}:
        raise Cut
    return sizes, int(widths.pop())


def _taken(file, n, size):
    """The next `n` bytes, if the file has so many."""
    if file.tell() + n > size:
        raise Cut
    return file.read(n)


def dcd(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray, float | None]]:
    """As `trr`, of a DCD file of CHARMM, NAMD or LAMMPS; these frames bear no time."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(92)
        order = next((o for o in "<>" if struct.unpack(o + "i", head[:4])[0] == 84), None)
        if order is None or len(head) < 92:
            raise ValueError(
                f"{path} is a DCD file of a kind that is not read here (records "
                "counted in 64 bits, or damaged); convert it to extended XYZ."
            )
        control = struct.unpack(order + "20i", head[8:88])
        _record(file, order, size)
        atoms = struct.unpack(order + "i", _record(file, order, size)[:4].ljust(4, b"\0"))[0]
        if control[8]:
            raise ValueError(f"{path} holds fixed atoms only once; convert it to extended XYZ.")
        if atoms <= 0 or 12 * atoms > size:
            raise Cut
        while file.tell() < size:
            yield _dcd_frame(file, order, size, atoms, control, path)


def _dcd_frame(file, order, size, atoms, control, path):
    cell = np.zeros((3, 3))
    if control[10]:
        found = _record(file, order, size)
        if len(found) != 48:
            raise Cut
        cell = _dcd_cell(np.frombuffer(found, order + "f8"), path)
    axes = [np.frombuffer(_record(file, order, size), order + "f4") for _ in range(3)]
    if control[11]:
        _record(file, order, size)
    if any(len(axis) != atoms for axis in axes):
        raise Cut
    return np.stack(axes, axis=1).astype(float), cell, None


def _record(file, order, size):
    """Content of a Fortran record: its length stands before and behind it."""
    length = struct.unpack(order + "i", _taken(file, 4, size))[0]
    if length < 0:
        raise Cut
    content = _taken(file, length, size)
    if struct.unpack(order + "i", _taken(file, 4, size))[0] != length:
        raise Cut
    if length % 4:
        raise Cut
    return content


def _dcd_cell(found, path):
    """Cell from a, gamma, b, beta, alpha, c, with angles in degrees or as their cosines."""
    a, gamma, b, beta, alpha, c = found
    angles = np.array([alpha, beta, gamma])
    if not np.isfinite(found).all() or not min(a, b, c) > 0:
        return np.zeros((3, 3))
    if np.abs(angles).max() <= 1.0:
        angles = np.degrees(np.arccos(angles))
    return cell_of([a, b, c], angles, path)
