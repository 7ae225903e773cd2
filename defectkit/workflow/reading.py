"""Frames of whatever the caller gave, and what was said of them.

A long trajectory is not held: the first reading checks every frame, and those that are looked at
are read again.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._progress import tqdm
from .._types import Elements, Source, Topology
from ..io import OrderCheck, parse, raw_frames
from ..io.reread import FileFrames, can_be_read_again, stamps
from .remarks import announce

if TYPE_CHECKING:
    from ase import Atoms

HELD = 400_000  # atoms of all frames together that are held in memory
LONG = 400_000  # beyond which it takes minutes
SHOWN = {"desc": "reading", "unit": "frame", "delay": 2}


@dataclass
class Reading:
    """The frames, and what one look at each of them has told.

    frames     list, or a sequence that reads them again; those without atoms are left out
    numbers    (n_frames,) of int, which of the source they are
    sizes      (n_frames,) of int, their atoms
    witnesses  the first frame, those that bring a new element, and the first of the largest
    bare       frames that have no cell
    broken     why the frames do not follow one another in time, None where they do
    said       warnings of the reader as sentences
    files      absolute paths of the files, none where the caller gave atoms
    """

    frames: Sequence[Atoms]
    numbers: np.ndarray
    sizes: np.ndarray
    witnesses: list[Atoms]
    bare: list[int]
    broken: str | None
    said: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def origin(self, middles: np.ndarray) -> dict[str, Any]:
        """Where the frames at `middles` came from, for `Result.info`."""
        return {
            "source": self.files,
            "source_frames": self.numbers[middles].tolist(),
            "n_source_frames": int(self.numbers[-1]) + 1,
        }


class _Look:
    """Takes frame after frame and keeps what `Reading` tells of them."""

    def __init__(self):
        self.sizes, self.bare, self.broken = [], [], None
        self._elements, self._largest, self._new = set(), [], []
        self._check = OrderCheck()

    def __call__(self, atoms):
        elements = set(np.unique(atoms.numbers).tolist())
        if not elements <= self._elements:
            self._elements |= elements
            self._new.append((len(self.sizes), atoms))
        if not self._largest or len(atoms) > len(self._largest[0][1]):
            self._largest = [(len(self.sizes), atoms)]
        if atoms.cell.rank == 0:
            self.bare.append(len(self.sizes))
        if self.broken is None and (found := self._check(atoms)) is not None:
            self.broken = str(found)
        self.sizes.append(len(atoms))

    def reading(self, frames, numbers, said, files):
        if len(self.sizes) < 2:
            self.broken = "there is one frame"
        seen = dict(sorted([*self._new, *self._largest], key=lambda pair: pair[0]))
        sizes, witnesses = np.array(self.sizes), list(seen.values())
        return Reading(frames, numbers, sizes, witnesses, self.bare, self.broken, said, files)


def read(
    source: Source, topology: Topology = None, elements: Elements = None, progress: bool = True
) -> Reading:
    """Looks at every frame once; the warnings of the reader are raised again.

    Frames of a file are held while they are fewer than `HELD` atoms. Beyond that they are let go
    and read again when they are asked for.
    """
    again = can_be_read_again(source)
    held: list[Atoms] | None = []
    numbers, look, atoms_read, told = [], _Look(), 0, set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        raws = raw_frames(source, topology, elements)
        known = stamps(source) if again else {}
        for n, raw in enumerate(tqdm(raws, disable=not progress, **SHOWN)):
            atoms = parse(raw, told)
            if not len(atoms):
                continue
            look(atoms)
            numbers.append(n)
            if atoms_read <= LONG < atoms_read + len(atoms):
                announce(len(numbers), atoms_read + len(atoms), progress)
            atoms_read += len(atoms)
            if again and atoms_read > HELD:
                held = None
            if held is not None:
                held.append(atoms)
    if not numbers:
        raise ValueError("there are no atoms; give a file with at least one frame.")
    said, files = _raised_again(caught), [os.path.abspath(path) for path in known]
    places = np.array(numbers)
    if held is not None:
        return look.reading(held, places, said, files)
    again_from_start = partial(raw_frames, source, topology, elements)
    again_read = FileFrames(source, again_from_start, places, np.array(look.sizes), known)
    return look.reading(again_read, places, said, files)


def _raised_again(caught):
    said = []
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if issubclass(warning.category, UserWarning):
            said.append(str(warning.message))
    return said
