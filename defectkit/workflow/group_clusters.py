"""Features, maps and clusters of each group of sites, one group after the other."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms

from .._progress import describe, tqdm
from ..clusters import NOT_LABELLED
from ..neighbours.bond_order import first_shell
from ..symmetry import SymmetryFunctions
from .descriptors import functions_for, group_features
from .separate import separate
from .site_groups import WATER

if TYPE_CHECKING:
    from .site_groups import SiteGroup

FURTHER = 1.27  # longer cutoff, in units of the first
MOST_LONGER = 20_000  # environments that are described anew with it


class Chosen(NamedTuple):
    """What is looked at: windows of frames."""

    frames: Sequence[Atoms]
    starts: np.ndarray  # first frame of each window
    window: int
    kept: list[Atoms]  # middle frame of each window
    witnesses: list[Atoms]  # of all elements


class How(NamedTuple):
    """Settings of `identify` that maps and clusters take."""

    method: str
    max_points: int
    max_environments: int
    seed: int
    n_jobs: int | None
    progress: bool


def clusters_of_groups(
    chosen: Chosen, groups: Sequence[SiteGroup], symmetry: Any, cutoff: float, how: How
) -> dict[str, Any]:
    """Labels, map, frame and atom of every environment, and how they came about, as a dict."""
    parts = {"labels": [], "map": [], "frame": [], "atom": [], "group": []}
    steps, basis, next_label, sampled = [], [], 0, None
    first = chosen.frames[chosen.starts[0]]
    water = groups[0].name == WATER
    shell = first_shell(first[first.numbers != 1] if water else first, cutoff)
    shown = {"desc": "clusters", "unit": "group", "leave": False, "delay": 2}
    bar = tqdm(total=len(groups), disable=not how.progress, **shown)
    for number, group in enumerate(groups):
        index, share = _members(group, chosen, how)
        sampled = sampled or share
        describe(bar, f"{group.name}: features")
        found = _separated(chosen, groups, group, index, share, symmetry, cutoff, how, bar)
        labels = np.where(found.labels >= 0, found.labels + next_label, -1)
        next_label = max(next_label, int(labels.max()) + 1)
        parts["labels"].append(labels)
        parts["map"].append(found.map)
        parts["frame"].append(np.repeat(np.arange(len(index)), [len(i) for i in index]))
        parts["atom"].append(np.concatenate(index))
        parts["group"].append(np.full(len(labels), number))
        basis.append(found.basis)
        prefix = f"{group.name}: " if len(groups) > 1 else ""
        steps += [prefix + step for step in found.steps]
        bar.update()
    bar.close()
    return {k: np.concatenate(v) for k, v in parts.items()} | {
        "steps": steps,
        "basis": basis,
        "sampled": sampled,
        "shell": float(shell),
    }


def _separated(chosen, groups, group, index, share, symmetry, cutoff, how, bar):
    """Clusters of one group, with what `separate` may go back to."""

    def means(functions):
        return _window_means(chosen, index, group, functions, how)

    def longer():
        return means(functions_for(chosen.witnesses, groups, min(FURTHER * cutoff, 9.0)))

    whole = None if share else [a[i] for a, i in zip(chosen.kept, index, strict=True)]
    first = chosen.frames[chosen.starts[0]]
    near = first_shell(first[index[0]], cutoff) if len(index[0]) > 1 else cutoff
    few = sum(map(len, index)) <= MOST_LONGER and isinstance(symmetry, SymmetryFunctions)
    return separate(
        means(symmetry),
        whole,
        how.method,
        how.max_points,
        how.seed,
        near,
        longer=longer if few else None,
        report=lambda text: describe(bar, f"{group.name}: {text}"),
    )


def _members(group, chosen, how):
    """Atoms of a group in each window, and the share of them where some were left out."""
    index = [group.members(atoms) for atoms in chosen.kept]
    total, most = sum(map(len, index)), how.max_environments
    if total <= most:
        return index, None
    share = most / total
    warnings.warn(
        f"{total} environments are more than max_environments={most}: a random "
        f"{share:.0%} of the atoms are looked at, the others stay unlabelled "
        f"({NOT_LABELLED}).",
        stacklevel=4,
    )
    rng = np.random.default_rng(how.seed)
    return [np.sort(rng.permutation(i)[: max(1, int(share * len(i)))]) for i in index], share


def _window_means(chosen, index, group, symmetry, how):
    """Mean features over each window: a list of (n_atoms, n_features)."""
    if chosen.window == 1:
        return group_features(chosen.kept, index, group, symmetry, how.n_jobs, how.progress)
    result = []
    windows = list(zip(chosen.starts, index, strict=True))
    shown = {"desc": "averages", "unit": "window", "delay": 2, "leave": False}
    for start, atoms in tqdm(windows, disable=not how.progress, **shown):
        part = chosen.frames[start : start + chosen.window]
        G = group_features(part, [atoms] * len(part), group, symmetry, how.n_jobs, False)
        result.append(np.mean(G, axis=0))
    return result
