"""Frames of whatever the caller gave, and what was said of them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from .._types import Elements, Source, Topology
from ..io import read_frames

if TYPE_CHECKING:
    from ase import Atoms


def read(
    source: Source, topology: Topology = None, elements: Elements = None, progress: bool = True
) -> tuple[list[Atoms], list[str]]:
    """List of frames, and the warnings of the reader as sentences; these are raised again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = read_frames(source, topology, elements, progress=progress)
    said = []
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if issubclass(warning.category, UserWarning):
            said.append(str(warning.message))
    frames = [atoms for atoms in frames if len(atoms)]
    if not frames:
        raise ValueError("there are no atoms; give a file with at least one frame.")
    return frames, said
