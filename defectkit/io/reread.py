"""Frames that are read from their file again whenever they are asked for; none is held."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
from ase import Atoms

from .._types import Source
from .source import Raw, existing_file
from .trajectory import parse

__all__ = ["FileFrames", "can_be_read_again", "stamps"]


def can_be_read_again(source: Source) -> bool:
    """Whether frames need not be held: a file, or a list of files."""
    return all(isinstance(item, str | os.PathLike) for item in _items(source))


def stamps(source: Source) -> dict[str, tuple[int, ...]]:
    """What tells each file of a source from another one of its name: {path: (inode, size, time)}.

    Raises FileNotFoundError where there is no such file.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in map(existing_file, _items(source)):
        there = path.stat()
        found[str(path)] = (there.st_ino, there.st_size, there.st_mtime_ns)
    return found


def _items(source):
    return source if isinstance(source, list | tuple) else [source]


class FileFrames(Sequence[Atoms]):
    """The frames of a source as a sequence that reads them when they are asked for.

    Reading goes forward from the frame before, and from the start of the file for an earlier one;
    frames in between are passed without being parsed. A file may have grown at its end.

    source   of `can_be_read_again`
    open     function that gives `raw_frames` of the source from the first one
    numbers  (n,) of int, which of its frames these are
    sizes    (n,) of int, their atoms
    known    `stamps` of the source as it was first read

    Raises FileNotFoundError and ValueError, when a frame is asked for, where the file is gone or
    has changed.
    """

    def __init__(
        self,
        source: Source,
        open: Callable[[], Iterator[Raw]],
        numbers: np.ndarray,
        sizes: np.ndarray,
        known: dict[str, tuple[int, ...]],
    ) -> None:
        self._source, self._open, self._known = source, open, known
        self._numbers, self._sizes = numbers, sizes
        self._raws: Iterator[Raw] = iter(())
        self._next = -1  # frame of the file that comes next; -1 before it is opened
        self._last: tuple[int, Atoms] | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, n: int) -> Atoms: ...
    @overload
    def __getitem__(self, n: slice) -> list[Atoms]: ...
    def __getitem__(self, n: Any) -> Any:
        if isinstance(n, slice):
            return [self[k] for k in range(*n.indices(len(self)))]
        if not -len(self) <= n < len(self):
            raise IndexError(f"frame {n} of {len(self)}")
        n = int(n) % len(self)
        if self._last is None or self._last[0] != n:
            self._last = (n, self._read(n))
        return self._last[1]

    def _read(self, n):
        wanted = int(self._numbers[n])
        if not 0 <= self._next <= wanted:
            self._check()
            self._raws, self._next = self._open(), 0
        with warnings.catch_warnings():  # what there is to say was said in the first reading
            warnings.simplefilter("ignore")
            raw = next(islice(self._raws, wanted - self._next, None), None)
            atoms = None if raw is None else parse(raw)
        self._next = wanted + 1
        if atoms is None or len(atoms) != self._sizes[n]:
            raise self._changed(" or ".join(self._known))
        return atoms

    def _check(self):
        for path in self._known:
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f"{path} is gone; it is read more than once, so keep it there until the end."
                )
        for path, (inode, size, time) in stamps(self._source).items():
            was = self._known[path]
            grown = inode == was[0] and size > was[1]
            if not grown and (inode, size, time) != was:
                raise self._changed(path)

    def _changed(self, path):
        self._next = -1
        return ValueError(
            f"{path} has changed since its frames were first read; start again, with a copy "
            "where another program writes to it."
        )
