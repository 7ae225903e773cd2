"""Rare clusters that a map shows as specks, enlarged in a free corner of it."""

from itertools import product

import numpy as np
from matplotlib.axes import Axes

SMALL = 0.12  # of the map's extent: an island below is a speck
SIDES = (0.34, 0.29, 0.24)  # of the axes: an inset
ROOM = 0.06  # around it, as the layout still changes a little
MOST = 2


def islands(Y: np.ndarray, labels: np.ndarray, rare: float) -> list[np.ndarray]:
    """Rows of rare clusters that are specks in a map, those near one another together.

    Parameters
    ----------
    Y : array (n, 2)
    labels : array (n,) of int
    rare : float
        Share of all rows below which a cluster is rare.

    Examples
    --------
    >>> Y = np.array([[x, 0.0] for x in range(20)] + [[30.0, 9.0], [40.0, 0.0], [40.5, 0.0]])
    >>> [rows.tolist() for rows in islands(Y, np.array([0] * 20 + [1, 2, 3]), 0.1)]
    [[21, 22], [20]]
    """
    extent = np.ptp(Y, axis=0).max()
    found: list[np.ndarray] = []
    for label, many in zip(*np.unique(labels, return_counts=True), strict=True):
        rows = np.flatnonzero(labels == label)
        if label < 0 or many >= rare * len(Y) or np.ptp(Y[rows], axis=0).max() > SMALL * extent:
            continue
        near = [_gap(Y[rows], Y[other]) < SMALL * extent for other in found]
        joined = [rows, *(other for other, is_near in zip(found, near, strict=True) if is_near)]
        found = [other for other, is_near in zip(found, near, strict=True) if not is_near]
        found.append(np.sort(np.concatenate(joined)))
    return sorted(found, key=len, reverse=True)


def _gap(one, other):
    """Distance between the boxes around two groups of points, along the axis that parts them."""
    below, above = one.min(axis=0) - other.max(axis=0), other.min(axis=0) - one.max(axis=0)
    return np.maximum(below, above).max()


def add_insets(ax: Axes, Y: np.ndarray, labels: np.ndarray, rgb: np.ndarray, rare: float) -> None:
    """Enlarges the specks of a map that is drawn, in corners without points.

    Parameters
    ----------
    ax : matplotlib axes
    Y : array (n, 2)
    labels : array (n,) of int
    rgb : array (n, 3), colours of the points
    rare : float, as in :func:`islands`
    """
    specks = islands(Y, labels, rare)[:MOST]
    if not specks:
        return
    ax.apply_aspect()
    places = ax.transAxes.inverted().transform(ax.transData.transform(Y))
    corners = list(product("lr", "bt"))
    for rows in specks:
        for side, corner in product(SIDES, corners):
            low = np.where(np.array(corner) == ("l", "b"), 0.02, 0.98 - side)
            if not ((places > low - ROOM) & (places < low + side + ROOM)).all(axis=1).any():
                _enlarge(ax, (*low, side, side), Y[rows], Y, rgb)
                corners.remove(corner)
                break


def _enlarge(ax, box, speck, Y, rgb):
    """All that lies around a speck."""
    middle, half = (speck.min(axis=0) + speck.max(axis=0)) / 2, np.ptp(speck, axis=0).max() / 2
    low, high = (middle + sign * (1.25 * half or 0.01 * np.ptp(Y)) for sign in (-1, 1))
    near = ((low <= Y) & (high >= Y)).all(axis=1)
    inset = ax.inset_axes(box)
    inset.scatter(*Y[near].T, c=rgb[near], s=8, linewidths=0, rasterized=True)
    inset.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    inset.spines[:].set(color="#888888", linewidth=0.6)
    ax.indicate_inset_zoom(inset, edgecolor="#888888", linewidth=0.6)
