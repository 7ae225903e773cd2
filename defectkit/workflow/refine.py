"""Clusters made to agree with what was found by name, where the map had no gap for it.

A defect of twelve atoms in a hundred thousand, or two layers of a stacking fault in one hot frame,
makes no island. Its atoms get a label of their own; the basis says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._shown import counted
from ..clusters import by_size

if TYPE_CHECKING:
    from ase import Atoms

SAME = 0.7  # Jaccard index beyond which a cluster already is that set of atoms
WHOLE = 0.95  # and share of the set that it has to hold
MIXED = 0.9  # share of the commonest structure below which a cluster is divided
LEAST_SHARE = 0.02
LEAST_ATOMS = 20
#: What stands between two phases of water belongs to one of them.
FAMILY = {
    "interfacial ice": "ice Ih",
    "ice Ic": "ice Ih",
    "hydrate": "liquid water",
    "interfacial hydrate": "liquid water",
}


def refined(
    made: dict[str, Any], analyses: Sequence[Any], frames: Sequence[Atoms]
) -> tuple[dict[str, Any], list[str]]:
    """`made` with labels divided, and a sentence for each division.

    Only the environments of analysed frames are divided; in the others a cluster of which most
    went to another goes there too. `made["origin"]` says for each label that is not the map's what
    was found by name. `made["counted"]` flags the environments that tell how common each is.
    """
    labels, notes = made["labels"].copy(), []
    analysed = np.isin(made["frame"], [a.frame for a in analyses])
    place = _places(made, frames)
    origin = {}
    for kind, sets in _named_sets(analyses).items():
        rows = np.concatenate([place[frame][atoms] for frame, atoms in sets])
        rows = rows[rows >= 0]
        if not len(rows) or _is_cluster(labels, rows, made, analyses):
            continue
        new = labels.max() + 1
        labels[rows] = new
        origin[int(new)] = kind
        count = counted(len(rows), "atom")
        notes.append(f"{kind}: {count} found by name got a cluster of their own")
    _divide_mixed(labels, made, analyses, place, origin, notes)
    partly = bool(origin) and not analysed.all()
    if partly:
        follow(labels, made["labels"], analysed)
        notes.append(
            f"atoms found by name have their cluster in {len(analyses)} of {len(frames)} frames; "
            "how common each cluster is was counted in these"
        )
    ordered = by_size(labels)
    renamed = {
        old: int(ordered[np.flatnonzero(labels == old)[0]])
        for old in origin
        if (labels == old).any()
    }
    return made | {
        "labels": ordered,
        "counted": analysed if partly else np.ones(len(labels), bool),
        "origin": {renamed[old]: kind for old, kind in origin.items() if old in renamed},
    }, notes


def follow(labels: np.ndarray, old: np.ndarray, analysed: np.ndarray) -> None:
    """In frames that were not analysed, gives a cluster the label that most of it has got."""
    for label in np.unique(old[analysed & (labels != old)]):
        new, count = np.unique(labels[analysed & (old == label)], return_counts=True)
        if count.max() > 0.5 * count.sum():
            labels[~analysed & (old == label)] = new[count.argmax()]


def _places(made, frames):
    """For each frame, the row of each atom's environment, -1 for none."""
    ends = np.cumsum([len(atoms) for atoms in frames])
    place = np.full(ends[-1], -1)
    place[np.concatenate([[0], ends])[made["frame"]] + made["atom"]] = np.arange(len(made["atom"]))
    return np.split(place, ends[:-1])


def _named_sets(analyses):
    """{kind: [(frame, atoms)]} of what was found by name; each atom in one of them."""
    sets = {}
    for a in analyses:
        taken = np.zeros(len(a.atoms), bool)
        for defect in a.extended:
            sets.setdefault(defect.kind, []).append((a.frame, defect.atoms))
            taken[defect.atoms] = True
        if a.point.decided and len(a.point.sites):
            rest = np.flatnonzero(a.point.flagged & ~taken)
            if len(rest):
                sets.setdefault("around point defects", []).append((a.frame, rest))
    return sets


def _is_cluster(labels, rows, made, analyses):
    """Whether some clusters of the analysed frames together are these environments."""
    known = np.isin(made["frame"], [a.frame for a in analyses])
    inside = np.zeros(len(labels), bool)
    inside[rows] = True
    mostly = [
        c for c in np.unique(labels[rows]) if c >= 0 and inside[(labels == c) & known].mean() > 0.5
    ]
    covered = np.isin(labels, mostly) & known
    both = (covered & inside).sum()
    return both > SAME * (covered | inside).sum() and both > WHOLE * inside.sum()


def _divide_mixed(labels, made, analyses, place, origin, notes):
    """Clusters that hold two structures in numbers become two.

    Of a compound that was named as a whole only atoms of two packings are told apart: its own
    elements fit a template of one by chance.
    """
    codes, whole = np.full(len(labels), -1), np.zeros(len(labels), bool)
    for a in analyses:
        rows = place[a.frame]
        codes[rows[rows >= 0]] = a.structure.codes[rows >= 0]
        whole[rows[rows >= 0]] = a.compound is not None and a.compound.margin > 0
    if not analyses:
        return
    names = analyses[0].structure.names
    family = np.array([names.index(FAMILY.get(name, name)) for name in names])
    codes = np.where(codes >= 0, family[codes], -1)
    for label in [c for c in np.unique(labels) if c >= 0 and c not in origin]:
        here = np.flatnonzero((labels == label) & (codes >= 0))
        count = np.bincount(codes[here], minlength=len(names))
        if not len(here) or count.max() >= MIXED * len(here):
            continue
        main = count.argmax()
        for code in np.flatnonzero(count >= max(LEAST_ATOMS, LEAST_SHARE * len(here))):
            if code == main or (code == 0 and count[code] < 0.3 * len(here)):
                continue
            if 0 in (main, code) and whole[here].mean() > 0.5:
                continue
            new = labels.max() + 1
            labels[here[codes[here] == code]] = new
            origin[int(new)] = f"{names[code]} by template"
            notes.append(
                f"{names[code]}: {count[code]} atoms among {names[main]} in one cluster "
                "of the map, told apart by template matching"
            )
