"""Energies and forces of a neural network potential, on the tables and queues of `evaluate`.

Importing this module compiles it, or loads what an earlier process compiled;
`kernels.forces_kernel` does so at need.
"""

import numpy as np

from ..._compiled import kernel, part
from .angular import dot, total
from .evaluate import centre_values, make_space
from .neural_network import propagate
from .slopes import add_slopes, place_neighbours, take_radial


@part
def add_pair_slopes(plan, n, start, dF, coef, D):
    """Adds to D (dE/dr_ij) what the radial functions give."""
    for p in range(plan.pairs.shape[0]):
        pair = plan.pairs[p]
        s = pair.species
        for k in range(start[s] if s >= 0 else 0, start[s + 1] if s >= 0 else n):
            D[k] += coef[pair.column] * dF[pair.radial, k]


@part
def add_triple_slopes(plan, space, work, coef, dense, D, V):
    """Adds to D and V what the angular functions give."""
    polar, F, dF, A, dA = space.polar, space.F, space.dF, space.A, space.dA
    for ch in range(plan.channels.shape[0]):
        for b in range(space.bounds[ch], space.bounds[ch + 1]):
            filled, block = space.filled[b], space.blocks[b : b + 1]
            add_slopes(plan, ch, filled, block, polar, F, dF, work, A, dA, coef, dense, D, V)


@part
def sum_slopes(plan, n, space, work, coef, places, sums, D):
    """Fills D (dE/dr_ij) and `sums` with what the n neighbours of a centre get, see `slopes`."""
    D[:n] = 0.0
    sums[:n] = 0.0
    for k in range(n):
        places[k, 4], places[k, 5], places[k, 6] = (
            space.polar[5, k],
            space.polar[6, k],
            space.polar[7, k],
        )
    add_pair_slopes(plan, n, space.start, space.dF, coef, D)
    for ch in range(plan.channels.shape[0]):
        base, begin, end = plan.channels[ch].envelope, space.bounds[ch], space.bounds[ch + 1]
        place_neighbours(n, base, space, places)
        for b in range(begin, end):
            add_slopes(
                plan,
                ch,
                space.filled[b],
                space.blocks[b : b + 1],
                end == begin + 1,
                space,
                work[ch : ch + 1],
                coef,
                places,
                sums,
                D,
            )
        take_radial(n, base, space, sums, D)
    for k in range(n):
        D[k] += sums[k, 2] * space.polar[3, k] - sums[k, 1] * space.polar[4, k]


@part
def hand_out(i, n, index, polar, D, sums, row, force, virial):
    """Adds the forces of one centre's energy on it and its neighbours, and their virial.

    row  work array, one number per neighbour
    """
    for a in range(3):
        for k in range(n):
            row[k] = -D[k] * polar[a, k] - sums[k, 4 + a]
        force[i, a] -= total(n, row.ctypes)
        for k in range(n):
            force[index[k], a] += row[k]
        for b in range(3):
            virial[b, a] += dot(n, polar[5 + b].ctypes, row.ctypes)


@kernel
def forces_of(
    begin,
    end,
    chunks,
    centres,
    first,
    neigh,
    shift,
    pos,
    cell,
    species,
    weight,
    plan,
    net,
    slopes,
    out,
    energy,
    force,
    virial,
    work,
):
    """`features_of` and, with a net, energies and (slopes) forces of some of the centres.

    Chunks `begin` to `end` of `chunks` equal ones; their number, not that of the threads, fixes
    the bits of the sums.

    net     `Net`
    energy  (n_centres,) output of the net
    force   (chunks, n_atoms, 3) added to
    virial  (chunks, 3, 3) sum of r_ij (x) f_j, added to
    work    (n_channels,) WORK
    """
    n_centres = centres.shape[0]
    space = make_space(
        plan,
        centres[n_centres * begin // chunks : n_centres * end // chunks],
        first,
        weight.shape[0],
    )
    size = space.index.shape[0]
    D, row, sums, places = np.empty(size), np.empty(size), np.empty((size, 8)), np.zeros((size, 8))
    places[:, 1:3] = 1.0
    n_layers, width = net.biases.shape
    node, slope = np.empty((n_layers + 1, width)), np.empty((n_layers + 1, width))
    coef = np.empty(out.shape[1])
    chunk = begin
    for m in range(n_centres * begin // chunks, n_centres * end // chunks):
        while m >= n_centres * (chunk + 1) // chunks:
            chunk += 1
        i = centres[m]
        n = centre_values(
            i, first, neigh, shift, pos, cell, species, weight, plan, slopes, space, work, out[m]
        )
        if n < 0:
            out[m] = np.nan
            continue
        energy[m] = propagate(net, out[m], node, slope, coef)
        if not slopes:
            continue
        sum_slopes(plan, n, space, work, coef, places, sums, D)
        hand_out(i, n, space.index, space.polar, D, sums, row, force[chunk], virial[chunk])
