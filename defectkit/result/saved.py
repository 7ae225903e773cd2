"""Results as files: arrays, JSON and nothing that is executed."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from .._types import FilePath
from ..io.archive import write_archive
from ..io.atomic_write import user_path
from ..io.packed_frames import pack_frames

FORMAT = 3
MARK = "defectkit result"
TABLES = ("phases", "defects", "extended", "tracks")


def save(result: Any, path: FilePath) -> None:
    """Writes a result as .npz; ValueError for another ending."""
    path = user_path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path} is not a name for a result; end it in .npz.")
    described, arrays = pack_frames(result.frames)
    tables = {name: json.loads(getattr(result, name).to_json(orient="split")) for name in TABLES}
    header = {
        "mark": MARK,
        "format": FORMAT,
        "info": result.info,
        "frames": described,
        "tables": tables,
        "follows": result.followers is not None,
    }
    arrays |= {
        "labels": result.labels,
        "map": result.map,
        "frame": result.frame,
        "atom": result.atom,
        "group": result.group,
        "structure": result.structure,
    }
    if result.followers is not None:
        arrays["followers"] = np.concatenate(result.followers)
    write_archive(path, header, arrays)


def refuse_source(result: Any, path: FilePath) -> None:
    """ValueError where `path` is one of the files that the result is of."""
    target = os.path.realpath(user_path(path))
    if target in map(os.path.realpath, result.info.get("source") or ()):
        raise ValueError(
            f"{path} is the file that identify read, and its frames would be lost; "
            "choose another name."
        )
