"""The compiled loop of `reconstruction.maximise_fit`: where an atom more fits best."""

import numpy as np

from .._compiled import kernel, part


@part
def _fit(place, around, load, table, step, allowed, values, vectors, gradient):
    """Fit of an atom at `place` (3,); its gradient, per Å, is written into `gradient`."""
    total, bonds, last = 0.0, 0.0, len(table) - 1.001
    for j in range(len(load)):
        square = 0.0
        for c in range(3):
            vectors[j, c] = place[c] - around[j, c]
            square += vectors[j, c] ** 2
        length = max(np.sqrt(square), 1e-9)
        at = min(length / step - 0.5, last)
        low = int(max(at, 0.0))
        rest = at - low
        for c in range(4):
            values[j, c] = table[low, c] * (1 - rest) + table[low + 1, c] * rest
        for c in range(3):
            vectors[j, c] /= length
        total += values[j, 0]
        bonds += values[j, 2]
    over = max(0.0, bonds - allowed)
    total -= over**2
    gradient[:] = 0.0
    for j in range(len(load)):
        over_near = max(0.0, load[j] + values[j, 2])
        total -= over_near**2 - max(0.0, load[j]) ** 2
        pull = values[j, 1] - 2 * (over + over_near) * values[j, 3]
        for c in range(3):
            gradient[c] += pull * vectors[j, c]
    return total


@part
def _moved(place, gradient, step, start, reach, trial):
    """`trial` becomes one step up the gradient, at most `reach` from the start."""
    norm = max(np.sqrt((gradient**2).sum()), 1e-12)
    for c in range(3):
        trial[c] = place[c] + gradient[c] / norm * step - start[c]
    length = max(np.sqrt((trial**2).sum()), 1e-12)
    for c in range(3):
        trial[c] = start[c] + trial[c] * min(1.0, reach / length)


@kernel
def ascend(starts, around, load, table, table_step, allowed, spacing, n_steps, tolerance):
    """Places (n, 3) of best fit and the fits (n,): steepest ascent from `starts`, all at a time.

    `around` (n, k, 3) are the atoms about each start and `load` (n, k) how many bonds more than
    `allowed` each of them has, -inf where there is no atom. `table` is the order's, in steps of
    `table_step` Å. Ends once all steps are shorter than `tolerance` spacings, or after `n_steps`.
    """
    n, k = load.shape
    places, fits, steps = starts.copy(), np.empty(n), np.full(n, 0.1 * spacing)
    gradients, trial, up = np.empty((n, 3)), np.empty(3), np.empty(3)
    values, vectors = np.empty((k, 4)), np.empty((k, 3))
    for i in range(n):
        fits[i] = _fit(
            places[i],
            around[i],
            load[i],
            table,
            table_step,
            allowed,
            values,
            vectors,
            gradients[i],
        )
    for _ in range(n_steps):
        for i in range(n):
            _moved(places[i], gradients[i], steps[i], starts[i], 0.6 * spacing, trial)
            fit = _fit(trial, around[i], load[i], table, table_step, allowed, values, vectors, up)
            if fit > fits[i]:
                places[i], gradients[i], fits[i] = trial, up, fit
                steps[i] *= 1.2
            else:
                steps[i] *= 0.5
        if steps.max() < tolerance * spacing:
            break
    return places, fits
