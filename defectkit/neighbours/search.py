"""Compiled search for neighbours: atoms in cells, each compared with those of the cells around.

Importing this module compiles it, or loads what an earlier process compiled.
"""

import numpy as np
from numba import carray

from .._compiled import FLOAT, FLOATS, INT, PAD, SHORTS, kernel, leaf, padded, part, unsigned

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


@part
def search_run(
    low,
    high,
    i,
    n,
    itself,
    image,
    offset,
    limit,
    space,
    index,
    turns,
    points,
    neighbour,
    shift,
    vector,
):
    """Appends the near ones of points low to high, not `itself`, to n neighbours of atom i.

    Returns the new number, counting those for which there is no room.

    image, offset  box vectors added to the points, and their sum less atom i's position
    space          work arrays (CHUNK + PAD,) of floats, (CHUNK,) of int32
    """
    x, y, z = offset
    work, found = space
    for begin in range(low, high, CHUNK):
        some, size = min(high - begin, CHUNK), points.shape[1]
        here = near_points(
            begin, some, points.ctypes, size, x, y, z, limit, work.ctypes, found.ctypes
        )
        for f in range(here):
            q = begin + found[f]
            if q == itself:
                continue
            if n < neighbour.shape[0]:
                j = index[q]
                neighbour[n] = j
                for a in range(3):
                    shift[n, a] = image[a] - turns[j, a] + turns[i, a]
                if n < vector.shape[0]:
                    for a in range(3):
                        vector[n, a] = points[a, q] + offset[a]
            n += 1
    return n


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
    n_atoms, capacity = index.shape[0], neighbour.shape[0]
    if with_vectors:
        capacity = min(capacity, vector.shape[0])
    space = np.empty(CHUNK + PAD), np.empty(CHUNK, np.int32)
    room = neighbour[:capacity], shift, vector[: capacity if with_vectors else 0]
    place, cell_of = np.empty(n_atoms, np.int64), np.empty(n_atoms, np.int64)
    for c in range(edges.shape[0] - 1):  # in loops: numba takes seconds to compile the like of
        for at in range(edges[c], edges[c + 1]):  # place[index] = ...
            place[index[at]] = at
            cell_of[at] = c
    n, limit = 0, cutoff * cutoff
    for i in range(n_atoms):
        first[i] = n
        at = place[i]
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
                    x = sa * box[0, 0] + sb * box[1, 0] + sc * box[2, 0] - points[0, at]
                    y = sa * box[0, 1] + sb * box[1, 1] + sc * box[2, 1] - points[1, at]
                    z = sa * box[0, 2] + sb * box[1, 2] + sc * box[2, 2] - points[2, at]
                    itself = at if sa == 0 and sb == 0 and sc == 0 else -1
                    image, offset, where = (sa, sb, sc), (x, y, z), (index, turns, points)
                    n = search_run(
                        low, high, i, n, itself, image, offset, limit, space, *where, *room
                    )
                    c = last + 1
    first[n_atoms] = n
    return n
