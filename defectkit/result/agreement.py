"""A judge on request: how far a result agrees with classical methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

ICE = ("ice Ih", "ice Ic", "interfacial ice")
COLUMNS = ["method", "what", "atoms", "agreement", "adjusted_rand"]


def check(result: Any, frame: int | None = None) -> pd.DataFrame:
    """Agreement of the clusters, by name, with classical methods, one row per method.

    Each cluster stands for the structure that most of its atoms have by that method; agreement is
    the fraction of atoms whose own structure that is, adjusted_rand the adjusted Rand index.

    Methods: polyhedral template matching (Larsen, Schmidt and Schiøtz 2016), common neighbour
    analysis (Honeycutt and Andersen 1987; adaptive, Stukowski 2012) with its form for diamond
    (Maras et al. 2016), both by mdapy, and CHILL+ (Nguyen and Molinero 2015) where the atoms are
    water. Of the frames in which names were looked for, or of `frame`.
    """
    from ..clusters import agreement
    from ..phases.classical import classical_types

    frames = result.info.get("analysed_frames", [0]) if frame is None else [frame]
    found: dict[str, list] = {}
    for n in frames:
        here = result.frame == n
        for method, types in classical_types(result.frames[n]).items():
            own = types[result.atom[here]]
            found.setdefault(method, []).append((result.labels[here], own))
            if method == "CHILL+":
                ice = np.where(np.isin(own, ICE), "ice", "water")
                found.setdefault("CHILL+, ice or water", []).append((result.labels[here], ice))
    rows = []
    for method, parts in found.items():
        labels = np.concatenate([p[0] for p in parts])
        types = np.concatenate([p[1] for p in parts])
        right = sum(
            np.unique(types[labels == c], return_counts=True)[1].max() for c in np.unique(labels)
        )
        common = ", ".join(
            f"{t} {k}" for t, k in zip(*np.unique(types, return_counts=True), strict=True)
        )
        rows.append(
            {
                "method": method,
                "what": common,
                "atoms": len(labels),
                "agreement": right / len(labels),
                "adjusted_rand": agreement(labels, types),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)
