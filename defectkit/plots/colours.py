"""What all figures share: colours and names of clusters, the style sheet, edges of a cell."""

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import rc_params_from_file
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

#: Names of clusters: of 0, 1, ... or of those with a name of their own.
Names = Sequence[str] | dict[int, str] | None
STYLE = Path(__file__).with_name("defectkit.mplstyle")
#: Colours by cluster number, from Okabe and Ito's and Paul Tol's sets, in an order chosen so that
#: neighbours and noise stay apart also with red-green colour vision deficiency.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#882255",
    "#56B4E9",
    "#E69F00",
    "#332288",
    "#DDCC77",
    "#A0522D",
    "#CC79A7",
    "#EE6677",
    "#999933",
)
NOISE = "#C8C8C8"
#: One colour for each phase, whatever number its cluster has in a figure.
PHASES = {
    "diamond": "#0072B2",
    "beta-Sn": "#D55E00",
    "simple hexagonal": "#009E73",
    "liquid": "#882255",
    "water": "#332288",
    "ice": "#56B4E9",
    "bulk ice": "#DDCC77",
    "interface": "#D55E00",
    "vacuum side": "#E69F00",
    "unlike": "#555555",
}
#: Colour and marker of each method in curves.
METHODS = {"pca": ("#555555", "s"), "umap": ("#D55E00", "o"), "pacmap": ("#0072B2", "^")}
#: Of the lines along a cell's edges.
EDGE = (0.35, 0.35, 0.35)


def styled(function: Callable) -> Callable:
    """The function with the style sheet ``defectkit.mplstyle`` in force while it draws.

    Only the settings of the sheet are put back: matplotlib chooses its backend at the first
    figure, and ``plt.style.context`` would undo that choice, so that notebooks show no more.
    """
    style = rc_params_from_file(STYLE, use_default_template=False)

    @wraps(function)
    def drawn(*args, **kwargs):
        before = {name: plt.rcParams[name] for name in style}
        plt.rcParams.update(style)
        try:
            return function(*args, **kwargs)
        finally:
            plt.rcParams.update(before)

    return drawn


def colours(labels: ArrayLike, names: Names = None) -> np.ndarray:
    """Colour of each environment's cluster.

    Parameters
    ----------
    labels : array (n,) of int; -1 is noise. Beyond the palette colours repeat.
    names : sequence of str or dict {label: str}, optional
        A name that `PHASES` knows has its colour there; the other labels share out the rest.

    Returns
    -------
    array (n, 3), red, green and blue from 0 to 1

    Examples
    --------
    >>> colours([0, -1]).round(2).tolist()
    [[0.0, 0.45, 0.7], [0.78, 0.78, 0.78]]
    """
    labels = as_labels(labels)
    palette = _palette(names)
    table = np.array([to_rgb(c) for c in (*palette, NOISE)])
    return table[np.where(labels < 0, len(palette), labels % len(palette))]


def as_labels(labels: ArrayLike) -> np.ndarray:
    """Labels (n,) of int; ValueError for anything else."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(
            f"labels must be a list of integers, got {labels.dtype} of shape "
            f"{labels.shape}; give names separately."
        )
    return labels


def numbered(labels: ArrayLike | None, names: Names) -> tuple[Any, Names]:
    """Labels and names; words, such as those of phases, are numbered in their order.

    Examples
    --------
    >>> numbered(["ice", "water", "ice"], None)
    (array([0, 1, 0]), ['ice', 'water'])
    """
    words = np.asarray(labels)
    if names is not None or words.ndim != 1 or not all(isinstance(w, str) for w in words[:1]):
        return labels, names
    found, number = np.unique(words.astype(str), return_inverse=True)
    return number, found.tolist()


def _palette(names):
    """PALETTE with the phases among the names in their own colours, and no colour twice."""
    named = dict(names if isinstance(names, dict) else enumerate(names or ()))
    fixed = {}
    for label, name in sorted(named.items()):
        colour = PHASES.get(name)
        if label >= 0 and colour and colour not in fixed.values():
            fixed[label] = colour
    if not fixed:
        return PALETTE
    free = [c for c in PALETTE if c not in fixed.values()]
    others = [n for n in range(max(len(PALETTE), max(fixed) + 1)) if n not in fixed]
    kept = {n: PALETTE[n] for n in others if n < len(PALETTE) and PALETTE[n] in free}
    spare = iter([c for c in free if c not in kept.values()] or PALETTE)
    rest = {n: kept.get(n) or next(spare, NOISE) for n in others}
    return tuple((fixed | rest)[n] for n in range(len(fixed) + len(rest)))


def pale(rgb: ArrayLike) -> np.ndarray:
    """Paler colours (n, 3) of the same hue, for atoms that should recede.

    Examples
    --------
    >>> pale(np.zeros((1, 3))).tolist()
    [[0.55, 0.55, 0.55]]
    """
    return 0.45 * np.asarray(rgb) + 0.55


def check_names(labels: np.ndarray, names: Names) -> None:
    """Raises ValueError where a list of names does not reach to the last label."""
    if names is not None and not isinstance(names, dict) and labels.max() >= len(names):
        raise ValueError(
            f"{len(names)} names are too few for cluster {labels.max()}; name them all or none."
        )


def count(n: int) -> str:
    """A whole number with thin spaces between thousands, as legends show it."""
    return f"{n:,}".replace(",", "\u2009")


def cluster_name(label: int, names: Names = None) -> str:
    """What a legend calls a label; `names` is a list, or a dict of those with names of their own.

    Examples
    --------
    >>> cluster_name(0, ["ice", "water"]), cluster_name(1, {0: "ice"}), cluster_name(-1)
    ('ice', 'cluster 1', 'noise')
    """
    if label < 0:
        return "noise"
    if names is None or (isinstance(names, dict) and label not in names):
        return f"cluster {label}"
    return names[label]


def legend_handles(labels: ArrayLike, names: Names, counted: bool = True) -> list[Line2D]:
    """One dot a label for a legend, noise last; `counted`: with the number of environments."""
    handles = []
    for label in sorted(set(np.asarray(labels).tolist()), key=lambda c: (c < 0, c)):
        text = cluster_name(label, names).replace("$", r"\$")  # a name is text, not TeX
        if counted:
            text += f" ({count(np.sum(np.asarray(labels) == label))})"
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker="o",
                markersize=6,
                label=text,
                color=colours([label], names)[0],
            )
        )
    return handles


def cell_edges(cell: ArrayLike) -> np.ndarray:
    """Edges (n, 2, 3) of a cell (3, 3) from end to end, in Å; none along a vector of length 0.

    Examples
    --------
    >>> cell_edges(np.eye(3)).shape, cell_edges(np.diag([1.0, 1.0, 0.0])).shape
    ((12, 2, 3), (8, 2, 3))
    """
    corners = [np.array(corner) for corner in product((0, 1), repeat=3)]
    pairs = np.array(
        [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b >= a).all()]
    ) @ np.asarray(cell)
    return pairs[np.linalg.norm(pairs[:, 1] - pairs[:, 0], axis=1) > 1e-9]
