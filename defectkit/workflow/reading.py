"""Frames of whatever the caller gave, and what was said of them."""

from __future__ import annotations

import warnings

from ..datasets import read_frames


def read(source, topology=None, elements=None, progress=True):
    """List of frames, and the warnings of the reader as sentences; these are raised again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = _old(source, topology, elements)
    said = []
    for warning in caught:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if issubclass(warning.category, UserWarning):
            said.append(str(warning.message))
    frames = [atoms for atoms in frames if len(atoms)]
    if not frames:
        raise ValueError("there are no atoms; give a file with at least one frame.")
    return frames, said


def _old(source, topology, elements):
    from pathlib import Path
    from ..io.trajectory import BINARY, iter_frames
    if isinstance(source, str | Path):
        path = Path(source)
        own = path.suffix.lower() in BINARY
        if path.is_file() and not own:
            with open(path, "rb") as file:
                own = file.read(5) == b"begin"
        if not own:
            return read_frames(path, elements)
    return list(iter_frames(source, topology, elements))
