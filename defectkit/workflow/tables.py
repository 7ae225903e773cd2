"""The tables of a result: phases, point defects, extended defects, paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase.geometry import find_mic

from ..clusters import NOT_LABELLED
from ..neighbours.bond_order import shells
from ..phases.crystals import LIQUID_WATER
from ..phases.orientation import mean_orientation
from . import names

if TYPE_CHECKING:
    from ase import Atoms

    from ..result.result import Result

PHASES = [
    "cluster",
    "name",
    "elements",
    "atoms",
    "fraction",
    "coordination",
    "nearest_A",
    "orientation",
    "basis",
    "confidence",
]
DEFECTS = [
    "frame",
    "kind",
    "element",
    "position_A",
    "neighbours",
    "atoms",
    "confidence",
    "evidence",
]
EXTENDED = [
    "frame",
    "kind",
    "description",
    "position_A",
    "normal",
    "n_atoms",
    "atoms",
    "confidence",
]
ON_SURFACES = ("adatom", "surface vacancy")
MOST_DESCRIBED = 50_000  # atoms whose neighbours are counted
TRACKS = [
    "kind",
    "first_frame",
    "last_frame",
    "frames_seen",
    "jumps",
    "net_displacement_A",
    "positions_A",
]


def phases(
    result: Result, analyses: Sequence[Any], made: dict[str, Any], connected: Any
) -> pd.DataFrame:
    """One row per cluster, noise last."""
    compounds = names.compound_names(analyses)
    disorder, rows = names.disorder_name(analyses, connected, result.info["dt"]), []
    for row in _described(result, analyses, made["counted"]):
        label = row["label"]
        mine = result.labels == label
        if label < 0:
            name, sure, basis = "noise", 0.0, "between the clusters of the map"
        else:
            name, sure, basis = names.cluster_name(label, made, analyses, row, compounds, disorder)
        rows.append(
            {
                "cluster": label,
                "name": name,
                "elements": _elements(result, mine),
                "atoms": row["size"],
                "fraction": row["fraction"],
                "coordination": row["coordination"],
                "nearest_A": row["nearest"],
                "orientation": _orientation(label, made, analyses),
                "confidence": float(sure),
                "basis": f"{basis}; {_origin(label, made)}" if basis else _origin(label, made),
            }
        )
    return pd.DataFrame(rows, columns=PHASES)


def _described(result, analyses, counted):
    """Size of each cluster among the environments counted, and its share of these.

    Neighbours and nearest are means of up to MOST_DESCRIBED of its atoms.
    """
    share = min(1.0, MOST_DESCRIBED / max(sum(len(a.atoms) for a in analyses), 1))
    number, nearest, label = [], [], []
    for a in analyses:
        of_atom = np.full(len(a.atoms), NOT_LABELLED)
        here = result.frame == a.frame
        of_atom[result.atom[here]] = result.labels[here]
        wanted = of_atom != NOT_LABELLED
        if share < 1:  # every rare label, a part of the others
            common = np.bincount(of_atom[of_atom >= 0]) > MOST_DESCRIBED / 10
            spared = np.zeros(len(of_atom), bool)
            spared[:: int(np.ceil(1 / share))] = True
            wanted &= spared | ~np.append(common, [False, False])[of_atom]
        heavy = np.ones(len(a.atoms), bool) if result.followers is None else a.atoms.numbers != 1
        found = shells(a.atoms[heavy], result.info["cutoff"], wanted[heavy])
        number.append(found[0])
        nearest.append(found[1])
        label.append(of_atom[heavy & wanted])
    number, nearest, label = map(np.concatenate, (number, nearest, label))
    for c in sorted(np.unique(result.labels), key=lambda c: (c < 0, c)):
        of, size = label == c, int((counted & (result.labels == c)).sum())
        bonded = of & np.isfinite(nearest)
        yield {
            "label": int(c),
            "size": size,
            "fraction": size / counted.sum(),
            "coordination": float(number[of].mean()) if of.any() else float("nan"),
            "nearest": float(nearest[bonded].mean()) if bonded.any() else float("nan"),
        }


def _elements(result, mine):
    first = np.flatnonzero(mine)[:: 1 + mine.sum() // 5000]
    return " ".join(
        sorted(
            {
                result.frames[f].symbols[a]
                for f, a in zip(result.frame[first], result.atom[first], strict=True)
            }
        )
    )


def _origin(label, made):
    if label in made["origin"]:
        return "a cluster by name, the map has no gap for it"
    group = made["group"][made["labels"] == label]
    return "cluster: " + made["basis"][np.bincount(group).argmax()] if len(group) else ""


def _orientation(label, made, analyses):
    """Rotation (3, 3) as nested tuples of the largest grain in the first frame that has it."""
    for a in analyses:
        atoms = made["atom"][(made["labels"] == label) & (made["frame"] == a.frame)]
        codes = np.where(a.structure.codes[atoms] < LIQUID_WATER, a.structure.codes[atoms], 0)
        if not len(atoms) or not (codes > 0).any():
            continue
        code = np.bincount(codes[codes > 0]).argmax()
        turned = a.structure.rotation[atoms[codes == code]]
        turned = turned[np.isfinite(turned[:, 0, 0])]
        if len(turned) < 0.5 * len(atoms):
            continue
        mean, spread = mean_orientation(turned, int(code))
        if mean is not None and spread < 8.0:
            return tuple(tuple(round(float(x), 4) for x in row) for row in mean)
    return None


def defects(analyses: Sequence[Any]) -> pd.DataFrame:
    """One row per point defect and frame."""
    rows = [
        {
            "frame": a.frame,
            "kind": _kind(a, s),
            "element": s.element,
            "position_A": tuple(round(float(x), 3) for x in s.position),
            "neighbours": len(s.neighbours),
            "atoms": tuple(int(i) for i in s.atoms),
            "confidence": float(s.confidence),
            "evidence": s.evidence,
        }
        for a in analyses
        for s in a.point.sites
    ]
    rows += [
        {
            "frame": a.frame,
            "kind": d.kind,
            "element": _symbols(a.atoms, d.atoms),
            "position_A": _tuple(d.position),
            "neighbours": len(d.atoms) if d.kind == "surface vacancy" else 0,
            "atoms": tuple(int(i) for i in d.atoms),
            "confidence": float(d.confidence),
            "evidence": d.description,
        }
        for a in analyses
        for d in a.extended
        if d.kind in ON_SURFACES and not _known(a, d.position)
    ]
    table = pd.DataFrame(rows, columns=DEFECTS)
    return table.sort_values("frame", kind="stable", ignore_index=True)


def _kind(analysis, site):
    """Kind of a point defect; a vacancy where one of a surface was found is that one."""
    if site.kind == "vacancy":
        for d in analysis.extended:
            if (
                d.kind == "surface vacancy"
                and find_mic(d.position - site.position, analysis.atoms.cell, analysis.atoms.pbc)[
                    1
                ]
                < 1.5
            ):
                return d.kind
    return site.kind


def _symbols(atoms, index):
    return " ".join(sorted(set(atoms.symbols[index])))


def _known(analysis, position, limit=1.5):
    """Whether a point defect was found at that place already."""
    atoms = analysis.atoms
    return any(
        find_mic(s.position - position, atoms.cell, atoms.pbc)[1] < limit
        for s in analysis.point.sites
    )


def extended(analyses: Sequence[Any]) -> pd.DataFrame:
    """One row per planar defect, line, surface or cloud and frame."""
    rows = [
        {
            "frame": a.frame,
            "kind": d.kind,
            "description": d.description,
            "position_A": _tuple(d.position),
            "normal": _tuple(d.normal),
            "n_atoms": len(d.atoms),
            "atoms": tuple(int(i) for i in d.atoms),
            "confidence": float(d.confidence),
        }
        for a in analyses
        for d in a.extended
    ]
    return pd.DataFrame(rows, columns=EXTENDED)


def tracks(
    track: Callable[..., Any], analyses: Sequence[Any], frames: Sequence[Atoms]
) -> pd.DataFrame:
    """One row per path of a point defect through the analysed frames."""
    cells = np.stack([frames[a.frame].cell.complete().array for a in analyses])
    found = track([a.point.sites for a in analyses], cells, pbc=frames[0].pbc)
    number = [a.frame for a in analyses]
    rows = []
    for path in found:
        positions = path.path
        kinds = [
            site.kind
            for n, where in zip(path.frames, positions, strict=True)
            for site in analyses[n].point.sites
            if find_mic(site.position - where, cells[n], frames[0].pbc)[1] < 0.01
        ]
        rows.append(
            {
                "kind": max(set(kinds), key=kinds.count, default=""),
                "first_frame": number[path.frames[0]],
                "last_frame": number[path.frames[-1]],
                "frames_seen": len(path.frames),
                "jumps": len(path.jumps),
                "net_displacement_A": float(np.linalg.norm(positions[-1] - positions[0])),
                "positions_A": tuple(map(_tuple, positions)),
            }
        )
    return pd.DataFrame(rows, columns=TRACKS)


def with_source(table: pd.DataFrame, source_frames: Sequence[int]) -> pd.DataFrame:
    """Beside each frame's number in the result the one that it has in the trajectory."""
    numbers = np.array(source_frames)
    for name in ("frame", "first_frame", "last_frame"):
        if name in table:
            found = numbers[table[name].to_numpy(int)]
            table.insert(table.columns.get_loc(name) + 1, f"source_{name}", found)
    return table


def notes(analyses: Sequence[Any], n_frames: int) -> list[str]:
    """What has to be said about how names and defects came about."""
    said = []
    if len(analyses) < n_frames:
        said.append(
            f"names and defects: looked for in {len(analyses)} of {n_frames} frames, evenly spaced"
        )
    reasons = {}
    for a in analyses:  # frames of one crystal differ in the last digits only
        reasons.setdefault(a.point.reason.partition(" explains")[0], a.point.reason)
    said += [f"point defects: {reason}" for reason in list(reasons.values())[:3]]
    return said


def _tuple(vector):
    return None if vector is None else tuple(round(float(x), 3) for x in np.asarray(vector))
