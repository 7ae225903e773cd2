"""The loop of the article's Fig. 4 for one group of atoms: map, clusters, and back if none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .._shown import counted
from ..averaging import neighbour_average
from ..clusters import agreement, by_size, cluster, knn_labels
from ..clusters.groups import group_equal_environments
from ..clusters.mixture import two_populations
from ..embedding import embed, standardise
from ..neighbours.lists import neighbour_pairs
from .sampling import Lottery, draw, lots, lottery, without_copies

FEW = 600  # environments that make no map
TRIAL_POINTS = 4000  # of a map that only decides whether clusters are there
MOST_AVERAGED = 300_000
SUBSTANTIAL = 0.03  # share of the second largest cluster below which the loop goes on
SAME_CLUSTERS = 0.95  # adjusted Rand index of two seeds
_TIMES = {1: "once", 2: "twice"}
NOISE = 0.3  # share of noise beyond which clusters are none


@dataclass(frozen=True)
class Clustered:
    """Clusters of the environments of one group.

    labels  (n,) int from 0 by size, -1 noise
    map     (n, 2), NaN where an environment was not drawn, or everywhere where none was made
    basis   what the labels rest on, a few words
    gap     whether clusters stand apart
    steps   one sentence for each turn of the loop
    """

    labels: np.ndarray
    map: np.ndarray
    basis: str
    gap: bool
    steps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """A map of some rows of Z and its clusters: `drawn`, their places `Y` and `labels`.

    `sampled`: rows were left out, by the `lottery`.
    """

    drawn: np.ndarray
    Y: np.ndarray | None
    labels: np.ndarray
    sampled: bool
    lottery: Lottery | None = None

    def on_map(self, Z: np.ndarray) -> np.ndarray:
        """(n, 2), NaN for rows that were not drawn."""
        Y = np.full((len(Z), 2), np.nan)
        Y[self.drawn] = self.Y
        return Y

    def spread(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels and map of all rows; those not drawn get the label of most of ten neighbours."""
        labels = np.empty(len(Z), int)
        labels[self.drawn] = self.labels
        rest = np.setdiff1d(np.arange(len(Z)), self.drawn)
        if len(rest):
            labels[rest], _ = knn_labels(Z[self.drawn], self.labels, Z[rest], exact=False)
        return by_size(labels), self.on_map(Z)


def try_map(
    Z: np.ndarray, method: str, max_points: int, seed: int, known: Lottery | None = None
) -> Trial:
    """A `Trial` of at most `max_points` rows, drawn (see `draw`) and ordered by what they are."""
    if known is None and len(Z) > max_points:
        known = lottery(Z, seed)
    drawn = draw(Z, max_points, seed, known)
    drawn = drawn[np.argsort(lots(Z[drawn], seed), kind="stable")]
    Y = embed(Z[drawn], method, seed=seed)
    return Trial(drawn, Y, cluster(Y), len(drawn) < len(Z), known)


def agreed(trial: Trial, other: Trial) -> Trial:
    """A trial whose clusters that another map of some of its rows has as one are one here too.

    `other.drawn` index the rows of `trial`.
    """
    labels = trial.labels.copy()
    mine = labels[other.drawn]
    main = {}
    for c in range(labels.max() + 1):
        there = other.labels[(mine == c) & (other.labels >= 0)]
        if len(there):
            main.setdefault(int(np.bincount(there).argmax()), []).append(c)
    for same in main.values():
        labels[np.isin(labels, same)] = same[0]
    return replace(trial, labels=by_size(labels))


def stands(Z: np.ndarray, trial: Trial, method: str, seed: int) -> tuple[Trial, bool]:
    """The trial less the clusters that another seed does not find, and whether two are left."""
    if trial.labels.max() < 1 or (trial.labels < 0).mean() > NOISE:
        return trial, False
    again = try_map(Z[trial.drawn], method, TRIAL_POINTS, seed + 1)
    trial = agreed(trial, again)
    same = agreement(again.labels, trial.labels[again.drawn])
    merged = agreed(
        again, Trial(np.arange(len(again.drawn)), None, trial.labels[again.drawn], False)
    )
    same = max(same, agreement(merged.labels, trial.labels[again.drawn]))
    return trial, trial.labels.max() > 0 and same >= SAME_CLUSTERS


def separate(
    G: Any,
    parts: Any,
    method: str = "pacmap",
    max_points: int = 20_000,
    seed: int = 0,
    first_shell: Any = None,
    longer: Any = None,
    report: Callable[[str], Any] = lambda text: None,
) -> Clustered:
    """Clusters of one group of atoms, going back as Fig. 4 says where the map shows no gap.

    1. Few environments (less than 600, exact copies of all counted once) make no map: those that
       are equal within the noise of the data are grouped.
    2. One map of the features as they are. Clusters count if another seed finds the same.
    3. Else maps of features averaged over neighbours, once and twice (Lechner and Dellago).
    4. Else two populations of the averaged features by an information criterion, seen from
       further away (`longer`).
    5. Else one cluster, and that is said.

    G            list of (n_atoms of the group, n_features), one per frame
    parts        list of ase.Atoms, the group's atoms of each frame; None where some were left out
    first_shell  Å, neighbours to average over
    longer       function that gives G for a longer cutoff

    Returns
    -------
    Clustered
    """
    if sum(map(len, G)) < FEW:
        return _grouped(np.concatenate(G))
    rows, like = without_copies(np.concatenate(G))
    found = _of_rows(G, rows, parts, method, max_points, seed, first_shell, longer, report)
    return replace(found, labels=by_size(found.labels[like]), map=found.map[like])


def _of_rows(G, rows, parts, method, max_points, seed, first_shell, longer, report):
    """`Clustered` of the environments `rows` of all."""
    X = np.concatenate(G)[rows]
    if len(X) < FEW:
        return _grouped(X)
    report(f"{method} map")
    Z = standardise(X)
    plain = try_map(Z, method, min(max_points, TRIAL_POINTS), seed)
    plain, found = stands(Z, plain, method, seed)
    if found and second_fraction(plain) >= SUBSTANTIAL:
        return _mapped(Z, plain, method, max_points, seed, "")
    steps = [
        f"the {method} map shows "
        + ("only clusters of a few environments" if found else "no gap that two seeds agree on")
    ]
    if len(X) > MOST_AVERAGED:
        steps.append(f"{len(X)} environments are too many for averages over neighbours")
    elif parts is not None and first_shell is not None:
        for times in (1, 2):
            report(f"averages over neighbours, {times}x")
            G = [
                neighbour_average(x, part, first_shell) if len(part) else x
                for x, part in zip(G, parts, strict=True)
            ]
            W = standardise(np.concatenate(G)[rows])
            trial = try_map(W, method, min(max_points, TRIAL_POINTS), seed)
            clear = False
            if second_fraction(trial) >= SUBSTANTIAL:
                trial, clear = stands(W, trial, method, seed)
            if clear and second_fraction(trial) >= SUBSTANTIAL:
                how = f"averaged {_TIMES[times]} over neighbours within {first_shell:.2f} Å "
                return _mapped(W, trial, method, max_points, seed, how, steps)
        steps.append("averaged over neighbours, once or twice, none of more")
        report("mixture of two populations")
        again = (G, 0) if longer is None else (longer(), 2)
        mixed = _mixture(again[0], rows, parts, first_shell, again[1])
        steps.append(mixed[1])
        if mixed[0] is not None:
            return Clustered(
                mixed[0],
                trial.on_map(W),
                "mixture of two overlapping populations; no gap",
                False,
                steps,
            )
    if found:
        return _mapped(Z, plain, method, max_points, seed, "", steps)
    return Clustered(np.zeros(len(X), int), plain.on_map(Z), "no gap: one cluster", False, steps)


def second_fraction(trial: Trial) -> float:
    """Fraction of the second largest cluster of a trial, by those drawn at random."""
    # Drawn rows stand in the order of their lots: the random half of a draw comes first.
    labels = trial.labels[: len(trial.labels) // 2] if trial.sampled else trial.labels
    count = np.sort(np.bincount(labels[labels >= 0]))
    return count[-2] / len(labels) if len(count) > 1 else 0.0


def _mapped(Z, trial, method, max_points, seed, how, steps=()):
    """Clusters of the full map, where the trial had fewer environments than it may."""
    if len(trial.drawn) < min(len(Z), max_points):
        full = try_map(Z, method, max_points, seed, trial.lottery)
        place = np.full(len(Z), -1)
        place[full.drawn] = np.arange(len(full.drawn))
        both = place[trial.drawn] >= 0
        full = agreed(full, Trial(place[trial.drawn][both], None, trial.labels[both], False))
        trial = full if full.labels.max() > 0 else trial
    labels, Y = trial.spread(Z)
    of = " of neighbour averages" if how else ""
    said = f"{how}the {method} map shows {labels.max() + 1} clusters"
    return Clustered(labels, Y, f"gap in the {method} map{of}", True, [*steps, said])


def _grouped(X):
    labels = group_equal_environments(X)
    n = int(labels.max()) + 1
    what = "one kind" if n == 1 else f"{n} kinds"
    few = f"{counted(len(X), 'environment')} {'is' if len(X) == 1 else 'are'} too few for a map"
    return Clustered(
        labels,
        np.full((len(X), 2), np.nan),
        "equal within the noise of the data",
        n > 1,
        [f"{few}: {what} by distance in feature space"],
    )


def _mixture(G, rows, parts, first_shell, times):
    """Labels of two populations or None, and what that rests on."""
    for _ in range(times):
        G = [
            neighbour_average(x, part, first_shell) if len(part) else x
            for x, part in zip(G, parts, strict=True)
        ]
    around = [len(neighbour_pairs("i", part, first_shell)[0]) for part in parts if len(part)]
    labels, found = two_populations(
        np.concatenate(G)[rows], averaged_over=1 + sum(around) / max(sum(map(len, G)), 1)
    )
    if found["populations"] == 2:
        return by_size(labels), (
            "two overlapping populations, no gap: a mixture of two is better by the Bayesian "
            f"criterion, their means {found['separation']:.1f} standard deviations apart, "
            f"{found['overlap']:.1%} expected on the wrong side"
        )
    return None, "one population by a mixture of two and the Bayesian criterion"
