"""Labelled environments: which are chosen or drawn, clusters edited, colours of values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from scipy.spatial import cKDTree

from ... import plots
from ...clusters import knn_labels
from ...embedding import standardise
from ...imbalance import shared_out

if TYPE_CHECKING:
    from ase import Atoms

_SHADES = 64


@dataclass(frozen=True, eq=False)
class Selection:
    """Chosen environments.

    index  (n,) int, rows of the labels and of the maps, ascending
    frame  (n,) int, position in the frames
    atom   (n,) int, index of the atom in its frame
    """

    index: np.ndarray
    frame: np.ndarray
    atom: np.ndarray

    def __len__(self):
        return len(self.index)


def rows_of(
    frame: np.ndarray,
    atom: np.ndarray,
    frames: int | Sequence[int] | None = None,
    atoms: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Rows of the environments that lie in `frames` and belong to `atoms`, ascending.

    Parameters
    ----------
    frame, atom : array (n,) of int
        Where each environment is.
    frames, atoms : int or sequence of int, optional
        None: any.

    Examples
    --------
    >>> rows_of(np.array([0, 0, 1, 1]), np.array([4, 7, 4, 7]), atoms=7).tolist()
    [1, 3]
    """
    chosen = np.ones(len(frame), bool)
    for what, have, wanted in (("frame", frame, frames), ("atom", atom, atoms)):
        if wanted is None:
            continue
        missing = np.setdiff1d(np.asarray(wanted, int), have)
        if len(missing):
            raise ValueError(
                f"{what} {missing[0]} has no labelled environment; choose among "
                f"{np.min(have)} to {np.max(have)}."
            )
        chosen &= np.isin(have, wanted)
    return np.flatnonzero(chosen)


def thin(
    Y: np.ndarray, labels: np.ndarray, most: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to draw of a large map, and the drawn row next to each place.

    Every cluster keeps as many points as the others, the small ones all of theirs, drawn at
    random.

    Returns
    -------
    drawn : array (m,) of int, rows of Y that have a place, at most `most`
    nearest : array (n,) of int, for each row of Y the position in `drawn` of the drawn point
        nearest to it; -1 without a place (NaN)
    """
    placed = np.flatnonzero(np.isfinite(Y[:, 0]))
    nearest = np.full(len(Y), -1)
    if len(placed) <= most:
        nearest[placed] = np.arange(len(placed))
        return placed, nearest
    rng = np.random.default_rng(seed)
    values, counts = np.unique(labels[placed], return_counts=True)
    quota = shared_out(counts, most)
    drawn = np.sort(
        np.concatenate(
            [
                rng.permutation(placed[labels[placed] == values[k]])[: quota[k]]
                for k in np.argsort(counts, kind="stable")
            ]
        )
    )
    nearest[placed] = cKDTree(Y[drawn]).query(Y[placed])[1]
    return drawn, nearest


def nearest_known(
    X: np.ndarray, known: np.ndarray, group: np.ndarray, k: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each group of atoms the rows not `known`, and the `k` nearest that are: (n_rest, k).

    Nearest in the space of features, standardised by the known ones. `known`, `group`: (n,).
    """
    for one in np.unique(group):
        have = np.flatnonzero((group == one) & known)
        rest = np.flatnonzero((group == one) & ~known)
        if len(have) and len(rest):
            Z, Z_rest = (standardise(X[rows], X[have]) for rows in (have, rest))
            yield rest, have[knn_labels(Z, np.zeros(len(have), int), Z_rest, k)[1]]


def placed(X: np.ndarray, Y: np.ndarray, group: np.ndarray, k: int = 5) -> np.ndarray:
    """A map in which every environment has a place.

    One that has none in `Y` (n, 2; NaN) lies at the median of its `k` nearest that have one, in
    the space of the features `X` (n, n_features) and within its `group` (n,). Where a group has
    none at all it stays without.

    Examples
    --------
    >>> X, Y = np.arange(8.0)[:, None], np.arange(8.0)[:, None] * [1, 2]
    >>> Y[3] = np.nan
    >>> placed(X, Y, np.zeros(8, int), k=3)[3].tolist()
    [2.0, 4.0]
    """
    full = Y.copy()
    for rest, near in nearest_known(X, np.isfinite(Y[:, 0]), group, k):
        full[rest] = np.median(Y[near], axis=1)
    return full


def merge(labels: np.ndarray, which: Sequence[int]) -> np.ndarray:
    """Labels with several clusters joined under the first of `which`; the others keep theirs.

    Examples
    --------
    >>> merge(np.array([0, 1, 2, 3, -1]), [3, 1]).tolist()
    [0, 3, 2, 3, -1]
    """
    which = list(dict.fromkeys(int(c) for c in which))
    if len(which) < 2 or which[0] < 0:
        raise ValueError(
            "merging needs two clusters or more, the first of them not noise; give "
            "their numbers, such as [0, 2]."
        )
    known(labels, which)
    return np.where(np.isin(labels, which), which[0], labels)


def rename(names: dict[int, str], labels: np.ndarray, label: int, name: str) -> dict[int, str]:
    """Names {label: text} with one more; a name used already is refused."""
    name = str(name).strip()
    known(labels, [label])
    if not name or label < 0:
        raise ValueError("a cluster needs a name that is not empty; noise keeps its own.")
    if not name.isprintable():
        raise ValueError(f"a cluster's name is one line of printable letters, not {name!r}.")
    if any(plots.cluster_name(c, names) == name for c in np.unique(labels) if c != label):
        raise ValueError(
            f"another cluster is called {name!r}; merge the two or take another name."
        )
    return names | {int(label): name}


def split_off(labels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels with the chosen rows as a cluster of their own, and its number: the lowest free."""
    if len(rows) == 0:
        raise ValueError("nothing is chosen; lasso points of the map or click atoms first.")
    free = min(set(range(len(np.unique(labels)) + 1)) - set(np.asarray(labels).tolist()))
    labels = labels.copy()
    labels[rows] = free
    return labels, free


def known(labels: np.ndarray, which: Sequence[int]) -> None:
    """Raises ValueError for a cluster that is not there."""
    missing = [c for c in which if c not in labels]
    if missing:
        raise ValueError(
            f"there is no cluster {missing[0]}; choose from "
            f"{', '.join(map(str, np.unique(labels)))}."
        )


def shades(values: np.ndarray, kind: str, names: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Number of each environment's colour, and the colours (n_colours, 3).

    `kind` "label": integers, with the colours that `plots` gives to labels and names; "number":
    dark blue to yellow between the 1st and the 99th percentile, grey where not finite.
    """
    if kind == "label":
        present, codes = np.unique(values, return_inverse=True)
        return codes, plots.colours(present, names)
    table = np.vstack(
        [colormaps["viridis"](np.linspace(0, 1, _SHADES))[:, :3], to_rgb(plots.NOISE)]
    )
    low, high = limits(values)
    scaled = (np.nan_to_num(values) - low) / (high - low or 1.0)
    codes = np.clip(scaled * _SHADES, 0, _SHADES - 1).astype(int)
    return np.where(np.isfinite(values), codes, _SHADES), table


def limits(values: np.ndarray) -> tuple[float, ...]:
    """1st and 99th percentile of the finite values."""
    finite = values[np.isfinite(values)]
    return tuple(np.percentile(finite, (1, 99))) if len(finite) else (0.0, 0.0)


def near(atoms: Atoms, centres: np.ndarray, most: int) -> np.ndarray:
    """Indices, ascending, of the `most` atoms nearest to the atoms `centres`, periodic cell."""
    if len(atoms) <= most:
        return np.arange(len(atoms))
    scaled = atoms.get_scaled_positions(wrap=True)
    distance = np.full(len(atoms), np.inf)
    for centre in np.asarray(centres)[:50]:  # more of them change little
        off = scaled - scaled[centre]
        off -= np.round(off) * atoms.pbc
        distance = np.minimum(distance, np.sum((off @ atoms.cell.array) ** 2, axis=1))
    return np.sort(np.argsort(distance, kind="stable")[:most])
