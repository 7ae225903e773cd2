"""How far clusters depend on seed, initialisation, settings, sample: the paper's third criterion.

The paper asks that a map be robust and shows figures (S1); here the same question gets numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._checks import unmasked
from ._deprecated import warn
from ._progress import tqdm
from ._types import FilePath
from .clusters import agreement, cluster, cluster_error, knn_error
from .embedding import METHODS, embed, method_name
from .io.atomic_write import atomic_write, user_path

__all__ = ["read_table", "stability_report", "summary", "text_table", "write_table"]

_UNKNOWN = -2  # an environment that was not in the first map
_NEIGHBORS = 10


def stability_report(
    X: ArrayLike,
    method: str = "pacmap",
    seeds: int | Iterable[int] = 10,
    truth: ArrayLike | None = None,
    halves: int = 5,
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Clusters under other seeds, initialisations, settings and samples, one row for each map.

    The *default map* has the first seed, the initialisation by PCA and the settings of
    :func:`defectkit.embedding.embed` (or those in `options`). It is compared with

    - "seed": `seeds` seeds with initialisation by PCA and as many with the one that the paper
      warns of (UMAP "spectral", its library's default; PaCMAP "random");
    - "n_neighbors x 0.5", ...: two-fold changes, one at a time, of n_neighbors and min_dist
      (UMAP) or of n_neighbors, MN_ratio and FP_ratio (PaCMAP);
    - "half of the environments": drawn at random, anew for each of `halves` seeds.

    PCA has no seed and no settings: only halves remain.

    Parameters
    ----------
    X : array (n, n_features)
    method : "pca", "umap" or "pacmap"
    seeds : int or iterable of int
        How many, from 0, or which.
    truth : array (n,), optional
        Known phase of each environment, used for three more columns only.
    halves : int
        Number of random halves.
    progress : bool
        Show a bar over all maps: 29 for UMAP, 31 for PaCMAP.
    **options
        Passed to ``embed`` in every run.

    Returns
    -------
    pandas.DataFrame: test, init, seed, n (environments mapped), n_clusters, noise (fraction),
    ari_to_first (adjusted Rand index to the first run of the same test and initialisation),
    ari_to_default (to the default map); with `truth` also ari_to_truth, misclassified
    (:func:`defectkit.clusters.cluster_error`) and knn_error (of the map, NaN where a phase has
    no more than 10 environments). :func:`summary` condenses it, :func:`write_table` keeps it.

    Raises
    ------
    ValueError
        No seeds, an unknown method, lengths that differ, no more environments than twice the
        n_neighbors, what ``embed`` refuses.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(c, 1, (100, 4)) for c in (0, 12)])
    >>> table = stability_report(X, "pca", truth=np.repeat(["a", "b"], 100), progress=False)
    >>> table[["test", "n_clusters", "ari_to_default", "misclassified"]].drop_duplicates()
                           test  n_clusters  ari_to_default  misclassified
    0                      seed           2             1.0            0.0
    1  half of the environments           2             1.0            0.0
    """
    X = np.asarray(unmasked(X, "X"))
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not seeds or halves < 0:
        raise ValueError(
            f"{len(seeds)} seeds and {halves} halves: give at least one seed and no "
            "negative number of halves."
        )
    method = method_name(method)
    _check_lengths(len(X), truth=truth)
    plan = _plan(method, seeds, halves, options)
    most = max(changed.get("n_neighbors", 0) for *_, changed in plan)
    if most and len(X) <= most:
        raise ValueError(
            f"{len(X)} environments are too few for this report, which also tries {most} "
            f"neighbours of each; give at least {most + 1}."
        )
    rows, firsts = [], {}
    for test, init, seed, fraction, changed in tqdm(
        plan, desc=f"{method} maps", disable=not progress
    ):
        Y, labels, part = _mapped(X, method, seed, init, fraction, options | changed)
        first = firsts.setdefault((test, init), _spread(labels, part, len(X)))
        default = firsts["seed", "pca"]
        row = {
            "test": test,
            "init": init,
            "seed": seed,
            "n": len(labels),
            "n_clusters": int(labels.max()) + 1,
            "noise": float((labels < 0).mean()),
            "ari_to_first": _agreement(labels, part, first),
            "ari_to_default": _agreement(labels, part, default),
        }
        if truth is not None:
            phases = np.asarray(truth)[part]
            row |= {
                "ari_to_truth": agreement(labels, phases),
                "misclassified": cluster_error(labels, phases).overall,
                "knn_error": _knn_error(Y, phases),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _plan(method, seeds, halves, options):
    """Test, init, seed, fraction and changed settings of each run; the default map first."""
    inits = METHODS[method].inits[:2]
    plan = [
        ("seed", init, seed, 1.0, {})
        for init in inits
        for seed in (seeds if METHODS[method].random else seeds[:1])
    ]
    for name, value in METHODS[method].settings.items():
        value = options.get(name) or value
        for factor in (0.5, 2):
            scaled = factor * value
            if name == "n_neighbors":
                scaled = max(2, int(scaled + 0.5))
            plan.append((f"{name} x {factor:g}", "pca", seeds[0], 1.0, {name: scaled}))
    return plan + [
        ("half of the environments", "pca", seeds[0] + n, 0.5, {}) for n in range(halves)
    ]


def _mapped(X, method, seed, init, fraction, options):
    """Map, labels and rows of X of one run."""
    part = np.arange(len(X))
    if fraction < 1:
        rng = np.random.default_rng(seed)
        part = np.sort(rng.choice(len(X), max(1, round(fraction * len(X))), replace=False))
    Y = embed(X[part], method, seed=seed, init=init, **options)
    return Y, cluster(Y), part


def _spread(labels, part, n):
    every = np.full(n, _UNKNOWN)
    every[part] = labels
    return every


def _agreement(labels, part, first):
    known = first[part]
    return agreement(labels[known != _UNKNOWN], known[known != _UNKNOWN])


def _knn_error(Y, phases):
    sizes = np.unique(phases, return_counts=True)[1]
    if len(sizes) < 2 or sizes.min() <= _NEIGHBORS:
        return float("nan")
    return knn_error(Y, phases, _NEIGHBORS).overall


def _check_lengths(n, **given):
    for name, values in given.items():
        if values is not None and len(values) != n:
            raise ValueError(
                f"{name} has {len(values)} entries for {n} environments; give one for each."
            )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The table of :func:`stability_report`, one row for each test, initialisation, extra column.

    Extra columns are those the caller has put before "test", such as case and method.

    Returns
    -------
    pandas.DataFrame: the extra columns, test, init, maps (number), clusters ("4", or "3 to 5"),
    ari_to_first_min, ari_to_default_min, ari_to_default_median, noise_max, and with truth
    ari_to_truth_min, misclassified_median, misclassified_max.
    """
    keys = list(table.columns[: table.columns.get_loc("init") + 1])
    groups = table.groupby(keys, sort=False)
    few, many = groups["n_clusters"].min().astype(str), groups["n_clusters"].max().astype(str)
    condensed = {"maps": groups.size(), "clusters": few.where(few == many, few + " to " + many)}
    columns = [
        ("ari_to_first", "min"),
        ("ari_to_default", "min"),
        ("ari_to_default", "median"),
        ("noise", "max"),
        ("ari_to_truth", "min"),
        ("misclassified", "median"),
        ("misclassified", "max"),
    ]
    condensed |= {f"{name}_{how}": groups[name].agg(how) for name, how in columns if name in table}
    return pd.DataFrame(condensed).reset_index()


def text_table(table: pd.DataFrame) -> str:
    """Old way to print a table: ``print(table)`` does it."""
    warn("stability.text_table(table)", "table.to_string(index=False)")
    return pd.DataFrame(table).to_string(index=False)


def write_table(path: FilePath, table: pd.DataFrame) -> None:
    """Writes a table as .csv or .json, whole or not at all.

    Raises ValueError for another ending.
    """
    path = user_path(path)
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"{path} is not a name for a table; end it in .csv or .json.")
    table = pd.DataFrame(table)
    with atomic_write(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        if path.suffix == ".json":
            table.to_json(file, orient="records", indent=1, double_precision=15)
        else:
            table.to_csv(file, index=False, lineterminator="\n")


def read_table(path: FilePath) -> pd.DataFrame:
    """The table that :func:`write_table` wrote."""
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    if path.suffix == ".json":
        rows = json.loads(path.read_text(encoding="utf-8"))
        return pd.DataFrame(rows).fillna(np.nan)
    older = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)  # later ones always do that
    return pd.read_csv(path, **({"float_precision": "round_trip"} if older else {}))
