"""Compiled search for neighbours: atoms in cells, each compared with those of the cells around.

Importing this module compiles it, or loads what an earlier process compiled.
"""

import numpy as np
from numba import carray

from .._compiled import FLOAT, FLOATS, INT, PAD, SHORTS, kernel, leaf, padded, unsigned

CHUNK = 256  # points compared at a time


@leaf(INT, INT, FLOATS, INT, FLOAT, FLOAT, FLOAT, FLOAT, FLOATS, SHORTS, returns=INT)
def near_points(begin, n, points, size, x, y, z, limit, work, found):
    """Fills `found` with which of n points from `begin` on lie near -x, -y, -z; returns how many.

    limit  largest squared distance
    work   (n + PAD,) is filled with squared distances
    """
    p, square, found = carray(points, (3, size)), carray(work, size), carray(found, n)
    for m in range(padded(n)):
        q = unsigned(begin + m)
        dx, dy, dz = p[0, q] + x, p[1, q] + y, p[2, q] + z
        square[m] = dx * dx + dy * dy + dz * dz
    here = 0
    for m in range(n):
        found[unsigned(here)] = m
        here += square[m] < limit
    return here


@kernel
def find_pairs(
    first,
    neighbour,
    shift,
    vector,
    with_vectors,
    points,
    turns,
    index,
    box,
    edges,
    counts,
    reach,
    cutoff,
):
    """Fills a list of neighbours sorted by centre; returns how many there are.

    first      (n_atoms + 1,) where the neighbours of each atom begin
    neighbour  (capacity,), shift (capacity, 3), and `with_vectors` vector (capacity, 3) from
               centre to neighbour: filled while there is room; a larger number is returned
               where there is not
    points     (3, n_atoms + PAD) positions within the box, in the order of the cells
    turns      (n_atoms, 3) box vectors that were taken off each, in the order of the atoms
    index      (n_atoms,) which atom each point is
    box        (3, 3) vectors of the periodic box
    edges      (n_cells + 1,) first point of each cell, cells in C order of their numbers
    counts     (3,) cells along each vector; reach (3,) cells to look at on either side
    """
    n_atoms, capacity, size = index.shape[0], neighbour.shape[0], points.shape[1]
    work, found = np.empty(CHUNK + PAD), np.empty(CHUNK, np.int32)
    capacity = min(capacity, vector.shape[0]) if with_vectors else capacity
    place = np.empty(n_atoms, np.int64)
    place[index] = np.arange(n_atoms)
    cell_of = np.empty(n_atoms, np.int64)
    for c in range(edges.shape[0] - 1):
        cell_of[edges[c] : edges[c + 1]] = c
    n, limit = 0, cutoff * cutoff
    for i in range(n_atoms):
        first[i] = n
        at = place[i]
        x, y, z = points[0, at], points[1, at], points[2, at]
        ca, rest = divmod(cell_of[at], counts[1] * counts[2])
        cb, cc = divmod(rest, counts[2])
        for a in range(ca - reach[0], ca + reach[0] + 1):
            sa = a // counts[0]
            for b in range(cb - reach[1], cb + reach[1] + 1):
                sb = b // counts[1]
                row = ((a - sa * counts[0]) * counts[1] + b - sb * counts[1]) * counts[2]
                c = cc - reach[2]
                while c <= cc + reach[2]:
                    # Cells that follow one another in the same image are one run of points.
                    sc = c // counts[2]
                    last = min(cc + reach[2], (sc + 1) * counts[2] - 1)
                    low = edges[row + c - sc * counts[2]]
                    high = edges[row + last - sc * counts[2] + 1]
                    ox = sa * box[0, 0] + sb * box[1, 0] + sc * box[2, 0] - x
                    oy = sa * box[0, 1] + sb * box[1, 1] + sc * box[2, 1] - y
                    oz = sa * box[0, 2] + sb * box[1, 2] + sc * box[2, 2] - z
                    itself = sa == 0 and sb == 0 and sc == 0
                    for begin in range(low, high, CHUNK):
                        some = min(high - begin, CHUNK)
                        here = near_points(
                            begin,
                            some,
                            points.ctypes,
                            size,
                            ox,
                            oy,
                            oz,
                            limit,
                            work.ctypes,
                            found.ctypes,
                        )
                        for f in range(here):
                            q = begin + found[f]
                            if itself and q == at:
                                continue
                            if n < capacity:
                                j = index[q]
                                neighbour[n] = j
                                if with_vectors:
                                    vector[n, 0] = points[0, q] + ox
                                    vector[n, 1] = points[1, q] + oy
                                    vector[n, 2] = points[2, q] + oz
                                shift[n, 0] = sa - turns[j, 0] + turns[i, 0]
                                shift[n, 1] = sb - turns[j, 1] + turns[i, 1]
                                shift[n, 2] = sc - turns[j, 2] + turns[i, 2]
                            n += 1
                    c = last + 1
    first[n_atoms] = n
    return n
