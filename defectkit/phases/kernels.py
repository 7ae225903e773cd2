"""Compiled loops over neighbourhoods: templates laid on them, the mean of what they say."""

import numpy as np

from .._compiled import kernel


@kernel
def shortest(x, y, z, box, inverse, pbc, out):
    """The vector x, y, z turned into its shortest periodic image, written into `out`."""
    out[0], out[1], out[2] = x, y, z
    for a in range(3):
        if pbc[a]:
            turn = np.round(x * inverse[0, a] + y * inverse[1, a] + z * inverse[2, a])
            if turn != 0:
                for c in range(3):
                    out[c] -= turn * box[a, c]


@kernel
def neighbour_vectors(positions, box, inverse, pbc, neighbours, n):
    """Vectors (n, k, 3) from the first n points to their neighbours, shortest images."""
    result = np.empty((n, neighbours.shape[1], 3), np.float32)
    out = np.empty(3)
    for i in range(n):
        for k in range(neighbours.shape[1]):
            j = neighbours[i, k]
            shortest(
                positions[j, 0] - positions[i, 0],
                positions[j, 1] - positions[i, 1],
                positions[j, 2] - positions[i, 2],
                box,
                inverse,
                pbc,
                out,
            )
            for c in range(3):
                result[i, k, c] = out[c]
    return result


@kernel
def _gather(positions, box, inverse, pbc, order, i, count, own, out):
    """Vectors from point i to what is laid on its template, less their mean, into `own`."""
    mean = np.zeros(3)
    for k in range(count):
        j = order[i, k]
        shortest(
            positions[j, 0] - positions[i, 0],
            positions[j, 1] - positions[i, 1],
            positions[j, 2] - positions[i, 2],
            box,
            inverse,
            pbc,
            out,
        )
        for c in range(3):
            own[k, c] = out[c]
            mean[c] += out[c] / count
    for k in range(count):
        for c in range(3):
            own[k, c] -= mean[c]


@kernel
def lay(positions, box, inverse, pbc, order, codes, ideal, counts, square):
    """Rotation (n, 3, 3) and scale (n,) of the template laid on each point, min_cosine squares.

    `ideal` (codes, points, 3) are the templates less their mean, `counts` (codes,) their points,
    `square` (codes,) the sum of their squared lengths. NaN where the code is 0.
    """
    n = len(codes)
    rotation, scale = np.full((n, 3, 3), np.nan), np.full(n, np.nan)
    own, out, h = np.empty((ideal.shape[1], 3)), np.empty(3), np.empty((3, 3))
    for i in range(n):
        code = codes[i]
        if code == 0:
            continue
        _gather(positions, box, inverse, pbc, order, i, counts[code], own, out)
        h[:] = 0.0
        for k in range(counts[code]):
            for a in range(3):
                for b in range(3):
                    h[a, b] += own[k, a] * ideal[code, k, b]
        u, s, vt = np.linalg.svd(h)
        total = s[0] + s[1] + s[2]
        if np.linalg.det(u) * np.linalg.det(vt) < 0:
            u[:, 2] *= -1
            total -= 2 * s[2]
        for a in range(3):
            for b in range(3):
                rotation[i, a, b] = u[a, 0] * vt[0, b] + u[a, 1] * vt[1, b] + u[a, 2] * vt[2, b]
        scale[i] = total / square[code]
    return rotation, scale


@kernel
def agree(positions, box, inverse, pbc, order, codes, chosen, ideal, counts, inverses):
    """Mean of where the strained templates of the chosen points put each point: moves (n, 3).

    `inverses` (codes, 3, points) are the pseudo-inverses of `ideal`.
    """
    n = len(codes)
    total, number = np.zeros((n, 3)), np.zeros(n)
    own, out, strain = np.empty((ideal.shape[1], 3)), np.empty(3), np.empty((3, 3))
    for i in range(n):
        code = codes[i]
        if code == 0 or not chosen[i]:
            continue
        count = counts[code]
        _gather(positions, box, inverse, pbc, order, i, count, own, out)
        strain[:] = 0.0
        for k in range(count):
            for a in range(3):
                for b in range(3):
                    strain[a, b] += inverses[code, a, k] * own[k, b]
        for k in range(count):
            j = order[i, k]
            number[j] += 1
            for b in range(3):
                laid = (
                    ideal[code, k, 0] * strain[0, b]
                    + ideal[code, k, 1] * strain[1, b]
                    + ideal[code, k, 2] * strain[2, b]
                )
                total[j, b] += laid - own[k, b]
    for j in range(n):
        if number[j] > 0:
            for b in range(3):
                total[j, b] /= number[j]
    return total


@kernel
def aligned(q, r, table, first, last):
    """Largest |cos(angle / 2)| between two orientations, over the rotations in the table."""
    x = q[3] * r[0] - q[0] * r[3] - q[1] * r[2] + q[2] * r[1]
    y = q[3] * r[1] - q[1] * r[3] - q[2] * r[0] + q[0] * r[2]
    z = q[3] * r[2] - q[2] * r[3] - q[0] * r[1] + q[1] * r[0]
    w = q[3] * r[3] + q[0] * r[0] + q[1] * r[1] + q[2] * r[2]
    best = 0.0
    for k in range(first, last):
        s = table[k]
        best = max(best, abs(x * s[0] + y * s[1] + z * s[2] + w * s[3]))
    return best


@kernel
def coherent(order, codes, quaternion, table, start, min_cosine):
    """Fraction of each point's template neighbours whose orientation agrees, (n,)."""
    result = np.zeros(len(codes))
    for i in range(len(codes)):
        if codes[i] == 0:
            continue
        total, agreeing = 0, 0
        for k in range(1, order.shape[1]):
            j = order[i, k]
            if j < 0:
                break
            total += 1
            if codes[j] != 0:
                first, last = start[codes[i], codes[j], 0], start[codes[i], codes[j], 1]
                agreeing += aligned(quaternion[i], quaternion[j], table, first, last) >= min_cosine
        result[i] = agreeing / total
    return result


@kernel
def pairs_aligned(quaternion, codes, i, j, table, start, min_cosine):
    """Whether the orientations of points i and j agree: array of bool."""
    result = np.zeros(len(i), np.bool_)
    for p in range(len(i)):
        first, last = start[codes[i[p]], codes[j[p]], 0], start[codes[i[p]], codes[j[p]], 1]
        result[p] = aligned(quaternion[i[p]], quaternion[j[p]], table, first, last) >= min_cosine
    return result
