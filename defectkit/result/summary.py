"""The answer in words and one picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._shown import counted
from ..defects.geometry import distances, linked

CRYSTALS = (
    "fcc",
    "hcp",
    "bcc",
    "diamond",
    "hexagonal diamond",
    "simple cubic",
    "graphene",
    "icosahedral",
)
EXTRA = "di-interstitial"  # one row an atom without a site
JOINED = ("divacancy", "vacancy cluster", EXTRA)  # one row a site
TOGETHER = 1.2  # of the nearest distance: vacant sites of one defect
MOST_LINES = 12  # of one kind before the rest is counted


def text(result: Any) -> str:
    """Phases, defects, surfaces in some lines; then what was done."""
    lines = [
        *_phase_lines(result),
        *_extended_lines(result),
        *_defect_lines(result),
        *_track_lines(result),
    ]
    lines += [f"  {step}" for step in result.steps]
    return "\n".join(lines)


def _phase_lines(result):
    table = result.phases
    if "name" not in table or not len(table):
        return [
            f"cluster {c}: {counted(n, 'environment')}"
            for c, n in zip(*np.unique(result.labels, return_counts=True), strict=True)
        ]
    lines, n_frames = [], len(result.frames)
    named = table[table["cluster"] >= 0]
    for name, rows in sorted(
        named.groupby("name", sort=False), key=lambda item: -item[1]["fraction"].sum()
    ):
        elements = " ".join(dict.fromkeys(" ".join(rows["elements"]).split()))
        fraction = rows["fraction"].sum()
        atoms = fraction * len(result.labels) / n_frames
        count = counted(round(atoms), "atom") if n_frames == 1 else f"{atoms:.1f} atoms per frame"
        what = f"{name}{_of(name, elements)}, {count} ({_percent(fraction)})"
        if len(rows) > 1:
            what += f", clusters {', '.join(map(str, rows['cluster']))}"
        elif len(named) > 1:
            what += f", cluster {rows['cluster'].iloc[0]}"
        lines.append(what)
    noise = table[table["cluster"] < 0]
    if len(noise):
        lines.append(f"between clusters (noise), {_percent(noise['fraction'].sum())}")
    return lines


def _of(name, elements):
    if name in CRYSTALS:
        return f" crystal of {elements}"
    shown = name.startswith(("unknown", "liquid", "amorphous", "ions", "gas"))
    return f" ({elements})" if shown else ""


def _percent(fraction):
    percent = 100 * fraction
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.2g} %"


def _extended_lines(result):
    table = result.extended
    if "kind" not in table or not len(table):
        return []
    first = table[table["frame"] == table["frame"].iloc[0]]
    lines = [
        _described(kind, words)
        for kind, words in zip(first["kind"], first["description"], strict=True)
    ][:MOST_LINES]
    if len(first) > MOST_LINES:
        more = len(first) - MOST_LINES
        what = "plane, line or surface" if more == 1 else "planes, lines or surfaces"
        lines.append(f"... and {more} more {what}")
    frames = table["frame"].nunique()
    analysed = len(result.info.get("analysed_frames", [0]))
    if analysed > 1:
        lines.append(
            f"(planes, lines and surfaces of frame {_number(first)}; such were "
            f"found in {frames} of {analysed} frames)"
        )
    return lines


def _described(kind, words):
    return words if words.lower().find(kind.split()[-1]) >= 0 else f"{kind}: {words}"


def _defect_lines(result):
    table = result.defects
    if "kind" not in table:
        return []
    analysed = result.info.get("analysed_frames", [0])
    if not len(table):
        decided = len(result.info.get("decided_frames", []))
        beside = result.info.get("sites_beside", 0)
        many = "s" * (beside > 1)
        more = f", but {beside} vacant or extra site{many} beside the defects above" * (beside > 0)
        if 0 < decided < len(analysed):
            return [
                f"no point defect in the {decided} of {len(analysed)} frames that have a "
                f"crystal to look in{more}"
            ]
        return [f"no point defect{more}"] if decided else []
    if len(analysed) == 1:
        rows = [_site(rows) for rows in _joined(table, result.frames[0])]
        more = [f"... and {counted(len(rows) - MOST_LINES, 'more point defect')}"]
        return rows[:MOST_LINES] + (more if len(rows) > MOST_LINES else [])
    lines = []
    for (kind, element), rows in table.groupby(["kind", "element"], sort=False):
        seen = rows["frame"].nunique()
        what = _label(kind, element) + (" sites" if kind in JOINED else "")
        lines.append(
            f"{what}: in {seen} of {len(analysed)} frames, "
            f"{len(rows) / len(analysed):.2f} per frame; first at "
            f"{_place(rows['position_A'].iloc[0])} in frame {_number(rows)}"
        )
    return lines


def _number(rows):
    """Number of the first row's frame in the trajectory."""
    return rows["source_frame" if "source_frame" in rows else "frame"].iloc[0]


def _joined(table, atoms):
    """Rows of each defect: the sites of a divacancy, di-interstitial or cluster together."""
    defect = np.arange(len(table))
    for kind in JOINED:
        rows = np.flatnonzero(table["kind"] == kind)
        places = np.array(table["position_A"].iloc[rows].tolist())
        away = distances(places, places, atoms.cell.complete().array, atoms.pbc)
        nearest = (away + np.diag(np.full(len(rows), np.inf))).min(axis=1, initial=np.inf)
        group = linked(away <= TOGETHER * np.maximum(nearest[:, None], nearest))
        defect[rows] = [rows[group == k][0] for k in group]
    return [rows for _, rows in table.groupby(defect)]


def _site(rows):
    row, kind = rows.iloc[0], rows["kind"].iloc[0]
    elements = " and ".join(dict.fromkeys(rows["element"]))
    text = f"1 {_label(kind, elements)} at {' and '.join(map(_place, rows['position_A']))}"
    if len(rows) > 2:
        what = f"interstitial cluster of {len(rows)} atoms" if kind == EXTRA else None
        what = what or f"{kind} of {len(rows)} sites"
        text = f"1 {_label(what, elements)}, one at {_place(row['position_A'])}"
    neighbours = row["neighbours"] if len(rows) == 1 else len(set().union(*rows["atoms"]))
    neighbours = 0 if kind == EXTRA and len(rows) > 1 else neighbours  # atoms: the extra ones
    text += f", {counted(neighbours, 'neighbour')}" if neighbours else ""
    sure = rows["confidence"].min()
    return text + (f" (confidence {sure:.2f})" if np.isfinite(sure) else "")


def _label(kind, element):
    return f"{element} {kind}" if element else kind


def _place(position):
    return "(" + ", ".join(f"{x + 0.0:.2f}".replace("-0.00", "0.00") for x in position) + ") Å"


def _track_lines(result):
    table = result.tracks
    if "kind" not in table or not len(table):
        return []
    jumps = int(table["jumps"].sum())
    paths = f"{counted(len(table), 'path')} of point defects through time"
    return [f"{paths}, {counted(jumps, 'jump')} in all"]


def figure(result: Any, **options: Any) -> Any:
    """Maps of the groups side by side, or the first frame where no map was made."""
    import matplotlib.pyplot as plt

    from .. import plots

    drawn = np.isfinite(result.map[:, 0])
    groups = [g for g in np.unique(result.group) if (drawn & (result.group == g)).any()]
    if not groups:
        ax = result.static_figure(ax=options.get("ax"))
        ax.set_title(options.get("title"))
        return ax
    titles = result.info.get("groups", [""])
    options = {"names": result.captions or None} | options
    if len(groups) == 1:
        here = drawn & (result.group == groups[0])
        return plots.embedding(result.map[here], result.labels[here], **options)
    if options.pop("ax", None) is not None:
        named = ", ".join(titles[g] for g in groups)
        raise ValueError(
            f"this result has {len(groups)} maps, one each for {named}, which one ax does not "
            "hold; leave ax out."
        )
    overall = options.pop("title", None)
    axes = plt.subplots(1, len(groups), figsize=(4 * len(groups), 4.4), layout="constrained")[1]
    for g, ax in zip(groups, axes, strict=True):
        here = drawn & (result.group == g)
        plots.embedding(result.map[here], result.labels[here], ax=ax, title=titles[g], **options)
    if overall is not None:
        axes[0].figure.suptitle(overall)
    return axes
