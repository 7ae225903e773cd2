"""What is known of the atoms of one cluster, over all analysed frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def rows_of(label: int, made: Mapping, frame: int) -> np.ndarray:
    """Rows of a cluster's environments in one frame."""
    return np.flatnonzero((made["labels"] == label) & (made["frame"] == frame))


def share_of(
    label: int, made: Mapping, analyses: Sequence, of_frame: Callable[[Any], np.ndarray]
) -> float:
    """Share of a cluster's environments in analysed frames for which of_frame gives True."""
    hit = total = 0
    for a in analyses:
        atoms = made["atom"][rows_of(label, made, a.frame)]
        flags = of_frame(a)
        hit, total = hit + int(flags[atoms].sum()), total + len(atoms)
    return hit / total if total else 0.0


def commonest(label: int, made: Mapping, analyses: Sequence) -> tuple[str, float, float]:
    """Commonest structure of a cluster, its share, and how far neighbours are oriented alike."""
    count, coherent = {}, []
    for a in analyses:
        atoms = made["atom"][rows_of(label, made, a.frame)]
        coherent.append(a.structure.coherent[atoms])
        for code, n in enumerate(np.bincount(a.structure.codes[atoms])):
            count[a.structure.names[code]] = count.get(a.structure.names[code], 0) + int(n)
    total = sum(count.values())
    best = max(count, key=count.__getitem__, default="")
    alike = np.concatenate(coherent) if coherent else np.zeros(0)
    return best, count[best] / total if total else 0.0, float(alike.mean()) if len(alike) else 0.0
