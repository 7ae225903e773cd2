"""Whether clusters persist: the labels of the same atoms in one window and the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def choice(
    runs: Sequence[np.ndarray], truth: Any, widest: int, max_points: int, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The same random part of the atoms of every run, and their known phases."""
    truth = [None] * len(runs) if truth is None else truth
    if len(truth) != len(runs):
        raise ValueError(
            f"truth has {len(truth)} entries for {len(runs)} trajectories; give one for each."
        )
    share = max_points / sum(len(r) // widest * r.shape[1] for r in runs)
    rng = np.random.default_rng(seed)
    some, known = [], []
    for r, t in zip(runs, truth, strict=True):
        n = r.shape[1]
        atoms = np.sort(rng.choice(n, min(n, max(1, round(share * n))), replace=False))
        some.append(r[:, atoms])
        known.append(np.broadcast_to(np.asarray(t), n)[atoms])
    return some, known


def kept_apart(labels: np.ndarray, finer: np.ndarray) -> float:
    """Cohen's kappa between labels and, for each cluster of `finer`, the commonest of them."""
    coarse = np.full(len(labels), -1)
    for c in range(finer.max() + 1):
        inside = labels[(finer == c) & (labels >= 0)]
        if len(inside):
            coarse[finer == c] = np.bincount(inside).argmax()
    return _kappa(labels, coarse)


def persistence(labels: np.ndarray, means: Sequence[np.ndarray]) -> float:
    """Cohen's kappa between the labels of the same atoms in consecutive windows."""
    before, after, at = [], [], 0
    for m in means:
        part = labels[at : at + m.shape[0] * m.shape[1]].reshape(m.shape[:2])
        at += part.size
        before.append(part[:-1].ravel())
        after.append(part[1:].ravel())
    return _kappa(np.concatenate(before), np.concatenate(after))


def _kappa(a, b):
    """1 if all labels are the same (noise never is), 0 if no more than by chance."""
    same = np.mean((a == b) & (a >= 0))
    chance = sum(np.mean(a == c) * np.mean(b == c) for c in range(max(a.max(), b.max()) + 1))
    return float((same - chance) / (1 - chance)) if chance < 1 else 0.0
