"""GROMACS XTC: positions rounded to a grid and packed into bits, small steps in fewer of them.

The layout is that of GROMACS' xdr3dfcoord. Every read is checked against the length of the frame
and the number of atoms, so that a damaged file ends in `Cut` and not in somebody else's memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from ..source import Cut

_NM = 10.0  # Å
_FIRST = 9  # smallest index into the table of steps that is used


def _steps():
    """Sizes of steps: cube roots of powers of two, with the three slips of the first program."""
    table = np.floor(2.0 ** (np.arange(73) / 3) + 1e-6).astype(np.int64)
    table[:_FIRST] = 0
    table[[37, 57, 69]] = 5060, 524_287, 8_388_607
    return table


def xtc(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray, float | None]]:
    """Positions (n, 3) and cell in Å and time in ps of each frame; `Cut` within a broken one."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        at = 0
        while at < size:
            file.seek(at)
            head = file.read(56)
            if len(head) < 56:
                raise Cut
            magic, atoms, _, time = struct.unpack(">iiif", head[:16])
            box = np.frombuffer(head[16:52], ">f4").reshape(3, 3).astype(float)
            if (
                magic not in (1995, 2023)
                or atoms <= 0
                or struct.unpack(">i", head[52:])[0] != atoms
            ):
                raise Cut
            read = _plain if atoms <= 9 else _packed
            positions, at = read(file, atoms, size, magic == 2023)
            yield positions * _NM, box * _NM, time


def _plain(file, atoms, size, wide):
    content = file.read(12 * atoms)
    if len(content) < 12 * atoms:
        raise Cut
    return np.frombuffer(content, ">f4").reshape(-1, 3).astype(float), file.tell()


def _packed(file, atoms, size, wide):
    head = file.read(40 if wide else 36)
    if len(head) < (40 if wide else 36):
        raise Cut
    precision, *limits, small = struct.unpack(">f7i", head[:32])
    length = struct.unpack(">q" if wide else ">i", head[32:])[0]
    low = np.array(limits[:3], np.int64)
    sizes = np.array(limits[3:], np.int64) - low + 1
    end = file.tell() + length + (-length) % 4
    if (
        not 0 < precision < 1e9
        or not _FIRST <= small < 73
        or sizes.min() < 1
        or sizes.max() >= 2**31
        or not 0 < length <= 16 * atoms + 64
        or end > size
    ):
        raise Cut
    together = 0
    if sizes.max() <= 0xFFFFFF:
        together = (int(sizes[0]) * int(sizes[1]) * int(sizes[2])).bit_length()
    bits = np.array([int(s).bit_length() for s in sizes], np.int64)
    found = np.zeros((atoms, 3), np.int64)
    data = np.frombuffer(file.read(length), np.uint8)
    if not _unpacker()(data, low, sizes, bits, together, small, _steps(), found):
        raise Cut
    return (found.astype(np.float32) * np.float32(1.0 / precision)).astype(float), end


@cache
def _unpacker():
    """`xtc_bits.unpack`, compiled when it is first needed."""
    from .xtc_bits import unpack

    return unpack
