"""Files of labels and maps: extended XYZ, CSV, JSON for chemiscope."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import datasets, plots
from ..._types import FilePath
from ...clusters.hdbscan import NOT_LABELLED
from ...io.atomic_write import atomic_write, user_path
from ...streaming.table import not_a_formula

if TYPE_CHECKING:
    from ase import Atoms

#: Endings of pictures, which the explorer draws itself.
PICTURES = (".png", ".svg", ".pdf")


def export(
    path: FilePath,
    frames: Sequence[Atoms],
    frame: np.ndarray,
    atom: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    Y: np.ndarray,
    chosen: Any = (),
    cutoff: float | None = None,
) -> None:
    """Writes labels and map; the ending decides: .extxyz, .csv, or .json for chemiscope.

    Parameters
    ----------
    path : file name ending in .extxyz, .extxyz.gz, .csv, .json or .json.gz
    frames : list of ase.Atoms
    frame, atom, labels : array (n,) of int
    names : dict {label: text}
    Y : array (n, 2), NaN where an environment has no place
    chosen : sequence of int
        Rows to mark in the table.
    cutoff : float, optional
        Reach of an environment (Å) for chemiscope.
    """
    path = user_path(path)
    named = np.array([plots.cluster_name(c, names) for c in labels.tolist()])
    if path.name.endswith((".extxyz", ".xyz", ".extxyz.gz", ".xyz.gz")):
        _write_extxyz(path, frames, frame, atom, labels, names, Y)
    elif path.suffix == ".csv":
        marked = np.isin(np.arange(len(labels)), chosen).astype(int)
        _write_csv(path, frames, frame, atom, labels, named, Y, marked)
    elif path.name.endswith((".json", ".json.gz")):
        _write_chemiscope(path, frames, frame, atom, labels, named, Y, cutoff or 3.5)
    else:
        raise ValueError(
            f"{path} has an unknown ending; use .extxyz, .csv, .json for "
            "chemiscope, or .png, .svg or .pdf for the two pictures."
        )


def _write_extxyz(path, frames, frame, atom, labels, names, Y):
    """Columns cluster (-2: not labelled) and map; the names in each frame's first line."""
    starts = np.concatenate([[0], np.cumsum([len(atoms) for atoms in frames])])
    cluster, place = np.full(starts[-1], NOT_LABELLED), np.full((starts[-1], 2), np.nan)
    cluster[starts[frame] + atom], place[starts[frame] + atom] = labels, Y
    text = "; ".join(f"{c}: {plots.cluster_name(c, names)}" for c in np.unique(labels).tolist())
    text = re.sub(r"[\"\\]", "_", text)
    marked = [atoms.copy() for atoms in frames]
    for atoms in marked:
        atoms.info["clusters"] = text
    datasets.write_frames(path, marked, cluster=cluster, map=place)


def _write_csv(path, frames, frame, atom, labels, named, Y, marked):
    symbols = [frames[f].symbols[a] for f, a in zip(frame, atom, strict=True)]
    where = np.array([frames[f].positions[a] for f, a in zip(frame, atom, strict=True)])
    with atomic_write(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            [
                "frame",
                "atom",
                "element",
                "x_A",
                "y_A",
                "z_A",
                "cluster",
                "name",
                "map_1",
                "map_2",
                "chosen",
            ]
        )
        table.writerows(
            zip(
                frame.tolist(),
                atom.tolist(),
                symbols,
                *where.round(4).T.tolist(),
                labels.tolist(),
                map(not_a_formula, named.tolist()),
                *Y.round(5).T.tolist(),
                marked.tolist(),
                strict=True,
            )
        )


def _write_chemiscope(path, frames, frame, atom, labels, named, Y, cutoff):
    """Input file of chemiscope, of the environments that have a place in the map."""
    placed = np.flatnonzero(np.isfinite(Y[:, 0]))
    structures = []
    for atoms in frames:
        x, y, z = atoms.positions.round(4).T.tolist()
        one = {"size": len(atoms), "names": list(atoms.symbols), "x": x, "y": y, "z": z}
        if atoms.cell.rank == 3:
            one |= {"cell": atoms.cell.array.ravel().round(6).tolist()}
        structures.append(one)
    values = {
        "map 1": Y[placed, 0].round(5).tolist(),
        "map 2": Y[placed, 1].round(5).tolist(),
        "cluster": named[placed].tolist(),
        "cluster number": labels[placed].tolist(),
    }
    content = {
        "meta": {
            "name": path.name.split(".")[0],
            "description": "clusters of atomic environments found by defectkit",
        },
        "structures": structures,
        "properties": {name: {"target": "atom", "values": v} for name, v in values.items()},
        "environments": [
            {"structure": f, "center": a, "cutoff": float(cutoff)}
            for f, a in zip(frame[placed].tolist(), atom[placed].tolist(), strict=True)
        ],
        "settings": {
            "target": "atom",
            "map": {
                "x": {"property": "map 1"},
                "y": {"property": "map 2"},
                "color": {"property": "cluster number", "palette": "tab20"},
                "symbol": "cluster",
            },
        },
    }
    with atomic_write(path) as partial, open(partial, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb") if path.suffix == ".gz" else raw as file:
            io.TextIOWrapper(file, "utf8", write_through=True).write(json.dumps(content))
