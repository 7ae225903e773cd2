"""The labels of one frame after the other, averaged over time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..averaging.means import stream_average
from ..io.continuity import OrderCheck
from .output import frame_text
from .table import class_columns

if TYPE_CHECKING:
    from ase import Atoms

    from ..parametric.estimators import EnvironmentClassifier
    from .table import Row

__all__ = ["labeller"]

NOT_A_CENTRE = -2


def labeller(
    model: EnvironmentClassifier,
    window: int,
    defect: tuple[int, ...] | None,
    trust_order: bool,
    first: int,
) -> Callable[[Atoms], tuple[str, Row] | None]:
    """A function that takes frame after frame and gives the labelled middle one of each window."""
    frames, queue, check = deque(maxlen=window), deque(), OrderCheck(first)

    def arrived():
        while True:
            yield queue.popleft()

    # Without an average frames may differ in their number of atoms.
    means = arrived() if window == 1 else stream_average(arrived(), window)
    state, symmetry = {"n": first}, model.symmetry
    assert symmetry is not None  # `classify` refuses models without

    def push(atoms):
        found = check(atoms) if window > 1 and not trust_order else None
        if found is not None:
            raise ValueError(
                f"{found}. An average over time takes frames that follow one "
                f"another: label those before frame {found.frame} and those from it "
                "on apart, or use window=1; where atoms just move far between "
                "frames, trust_order=True."
            )
        queue.append(symmetry(atoms, model.centres))
        frames.append(atoms.copy())
        if len(frames) < window:
            return None
        middle = state["n"] + (window - 1) // 2
        state["n"] += 1
        return _labelled(frames[(window - 1) // 2], next(means), model, defect, middle)

    return push


def _labelled(atoms, mean, model, defect, frame):
    """Text in extended XYZ, and the row of the table, of one frame."""
    chances, novel = model.predict_proba(mean), model.is_novel(mean)
    label = chances.argmax(axis=1)
    counts = np.bincount(label, minlength=len(model.classes_)).tolist()
    row = {"frame": frame} | dict(zip(class_columns(model.classes_), counts, strict=True))
    row["novel"] = int(novel.sum())
    centre = (
        slice(None)
        if model.centres is None
        else np.array(atoms.get_chemical_symbols()) == model.centres
    )
    if defect is not None:
        row |= _sites(atoms[centre], np.isin(label, defect))
    columns = {}
    for name, values, other in (
        ("label", label, NOT_A_CENTRE),
        ("novel", novel.astype(int), 0),
        ("probability", chances.max(axis=1).round(4), 0.0),
    ):
        columns[name] = np.full(len(atoms), other)
        columns[name][centre] = values
    return frame_text(atoms, columns, frame), row


def _sites(atoms, flagged):
    from ..defects.sites import VACANT, locate_defects

    try:
        found = locate_defects(atoms, flagged)
    except ValueError:  # half of the atoms flagged, as while it melts: no point defects
        found = []
    vacant = sum(site.kind in VACANT for site in found)
    return {
        "vacancies": vacant,
        "interstitials": len(found) - vacant,
        "sites": json.dumps([[s.kind, *s.position.round(3).tolist()] for s in found]),
    }
