"""Maps and error curves. Each function takes and returns axes.

A cluster has the same colour in every figure: ``PALETTE[label]``, noise is grey; a phase that
has a name has the colour of :data:`defectkit.plots.PHASES`.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from .._checks import unmasked
from .colours import (
    METHODS,
    PALETTE,
    Names,
    as_labels,
    check_names,
    colours,
    legend_handles,
    numbered,
    styled,
)
from .insets import add_insets

RARE = 0.05  # of all environments: clusters below are drawn larger


@styled
def embedding(
    Y: ArrayLike,
    labels: ArrayLike | None = None,
    names: Names = None,
    ax: Axes | None = None,
    title: str | None = None,
    size: float | None = None,
    legend: bool = True,
    variance: ArrayLike | None = None,
    insets: bool = False,
) -> Axes:
    """One map, coloured by cluster or known phase, with the number of environments of each.

    Points are drawn in a shuffled order, so that no cluster hides another, and rasterised; those
    of a rare cluster larger and last, so that it is seen.

    Parameters
    ----------
    Y : array (n, 2)
    labels : array (n,) of int, or of str (the phases), optional
    names : sequence of str or dict {label: str}, optional
        Name of cluster 0, 1, ...; otherwise its number.
    ax : matplotlib axes, optional
    title : str, optional
    size : float, optional
        Area of a point (points^2); from the number of environments by default.
    legend : bool
    variance : array (2,), optional
        Of a PCA map: the shares of the variance along its axes, from
        :func:`defectkit.embedding.variance_shares`; written beside the axes.
    insets : bool
        Enlarge rare clusters that are specks in the map, in corners that are free.

    Returns
    -------
    matplotlib axes
    """
    labels, names = numbered(labels, names)
    points, labels = _points(Y, labels, names)
    ax = plt.subplots(figsize=(4, 4.4), layout="constrained")[1] if ax is None else ax
    area = _areas(labels) if size is None else np.full(len(labels), size)
    order = np.random.default_rng(0).permutation(len(points))
    order = order[np.argsort(area[order], kind="stable")]
    rgb = colours(labels, names)
    ax.scatter(
        points[order, 0],
        points[order, 1],
        c=rgb[order],
        linewidths=0,
        rasterized=True,
        s=area[order],
    )
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[], title=title)
    if variance is not None:
        first, second = np.asarray(variance, dtype=float)
        ax.set(xlabel=f"PC 1 ({first:.0%} of the variance)", ylabel=f"PC 2 ({second:.0%})")
    ax.spines[:].set(
        color=plt.rcParams["axes.edgecolor"], linewidth=plt.rcParams["axes.linewidth"]
    )
    if insets:
        add_insets(ax, points, labels, rgb, RARE)
    if legend and np.ptp(labels) > 0:
        handles = legend_handles(labels, names)
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.01),
            ncols=min(2, len(handles)),
            fontsize="small",
            handletextpad=0.1,
            columnspacing=1.0,
        )
    return ax


@styled
def embeddings(
    maps: dict[str, ArrayLike],
    labels: ArrayLike | dict | None = None,
    names: Names = None,
    axes: np.ndarray | None = None,
    variance: ArrayLike | dict | None = None,
    insets: bool = False,
) -> np.ndarray:
    """Several maps of the same environments side by side, with one legend below.

    Parameters
    ----------
    maps : dict {title: array (n, 2)}
    labels : array (n,) of int or of str, or dict {title: array of int}, optional
    names : sequence of str or dict {label: str}, optional
    axes : array of axes, optional
    variance : array (2,), or dict {title: array (2,)}, optional
        As in :func:`embedding`; one array is for the maps whose title begins with "pca".
    insets : bool
        As in :func:`embedding`.

    Returns
    -------
    array of axes
    """
    if not isinstance(labels, dict):
        labels, names = numbered(labels, names)
    if not maps:
        raise ValueError("there are no maps to draw; give {title: map}.")
    if axes is None:
        n = len(maps)
        rows = 1 if n <= 5 else -(-n // 4)
        columns = -(-n // rows)
        axes = plt.subplots(
            rows,
            columns,
            figsize=(2.9 * columns, 2.95 * rows + 0.45),
            layout="constrained",
            squeeze=False,
        )[1]
    axes = np.atleast_1d(axes)
    if axes.size < len(maps):
        raise ValueError(f"{axes.size} axes are too few for {len(maps)} maps.")
    of = labels if isinstance(labels, dict) else dict.fromkeys(maps, labels)
    shares = (
        variance
        if isinstance(variance, dict)
        else {title: variance for title in maps if title.lower().startswith("pca")}
    )
    for ax, (title, Y) in zip(axes.flat, maps.items(), strict=False):
        embedding(
            Y,
            of.get(title),
            names,
            ax=ax,
            title=title,
            legend=False,
            variance=shares.get(title),
            insets=insets,
        )
    for ax in axes.flat[len(maps) :]:
        ax.set_axis_off()
    given = [as_labels(part) for part in of.values() if part is not None]
    if given:
        same = all(np.array_equal(given[0], g) for g in given)
        handles = legend_handles(
            given[0] if same else np.unique(np.concatenate(given)), names, same
        )
        axes.flat[0].figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(6, len(handles)),
            handletextpad=0.1,
        )
    return axes


@styled
def snapshots(
    states: np.ndarray,
    iterations: Sequence[int],
    labels: ArrayLike | None = None,
    names: Names = None,
    axes: np.ndarray | None = None,
) -> np.ndarray:
    """PaCMAP's map at several iterations of its optimisation (the paper's Fig. S6).

    Parameters
    ----------
    states : array (n_snapshots, n, 2), from ``embed(X, "pacmap", snapshots=iterations)``
    iterations : sequence of int
    labels, names, axes
        As in :func:`embeddings`.

    Returns
    -------
    array of axes
    """
    if len(states) != len(iterations):
        raise ValueError(
            f"{len(states)} maps do not match {len(iterations)} iterations; give the "
            "list that embed was given."
        )
    return embeddings(
        {f"iteration {i}": Y for i, Y in zip(iterations, states, strict=True)}, labels, names, axes
    )


@styled
def error_curve(
    x: ArrayLike,
    errors: dict[str, ArrayLike],
    xlabel: str = "averaging window (ps)",
    chosen: float | dict | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Misclassified environments against temperature or averaging window, one line a method.

    Parameters
    ----------
    x : array (n,)
    errors : dict {name: array (n,) or (n_repeats, n)}
        Fractions. With repeats: the mean, with a band from smallest to largest.
    xlabel : str
    chosen : float or dict {name: float}, optional
        Value of x that was chosen automatically, marked by a vertical line.
    log : bool
        Logarithmic axis; an error of 0 then has no point.
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes
    """
    x = np.asarray(x, dtype=float)
    ax = plt.subplots(figsize=(4.6, 3.3), layout="constrained")[1] if ax is None else ax
    chosen = chosen if isinstance(chosen, dict) else {None: chosen}
    for n, (name, values) in enumerate(errors.items()):
        values = 100 * np.atleast_2d(np.asarray(values, dtype=float))
        if values.shape[1:] != x.shape:
            raise ValueError(
                f"{name} has {values.shape[1]} errors for {len(x)} values of x; give one for each."
            )
        colour, marker = METHODS.get(name.split()[0].lower(), (PALETTE[n % len(PALETTE)], "o"))
        ax.plot(x, values.mean(axis=0), marker=marker, color=colour, label=name)
        ax.fill_between(
            x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0
        )
        if chosen.get(name) is not None:
            ax.axvline(chosen[name], color=colour, linestyle=":", linewidth=1.2)
    if chosen.get(None) is not None:
        ax.axvline(chosen[None], color="#555555", linestyle=":", linewidth=1.2)
    ax.set(xlabel=xlabel, ylabel="misclassified (%)")
    ax.autoscale(axis="y")  # also where the axis is shared with a panel drawn before
    ax.set(yscale="log") if log else ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend()
    return ax


def _areas(labels):
    """Area of each point (points^2): from the number of all, larger where its cluster is rare."""
    n = len(labels)
    area = np.full(n, np.clip(2e4 / n, 0.8, 12))
    for label, many in zip(*np.unique(labels, return_counts=True), strict=True):
        if 0 <= label and many < RARE * n:
            area[labels == label] = np.clip(3e3 / many, area[0], 12)
    return area


def _points(Y, labels, names):
    Y = np.asarray(unmasked(Y, "the map"), dtype=float)
    if Y.ndim != 2 or Y.shape[1] != 2 or len(Y) == 0:
        raise ValueError(f"a map must have shape (n, 2) with n > 0, got {Y.shape}.")
    labels = np.zeros(len(Y), int) if labels is None else as_labels(labels)
    if labels.shape != (len(Y),):
        raise ValueError(
            f"labels {labels.shape} do not match a map of {len(Y)} points; give one for each."
        )
    check_names(labels, names)
    return Y, labels
