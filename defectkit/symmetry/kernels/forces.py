"""Energies and forces of a neural network potential, on the tables and queues of `evaluate`.

Importing this module compiles it, or loads what an earlier process compiled;
`kernels.forces_kernel` does so at need.
"""

import numpy as np

from ..._compiled import kernel, part
from .angular import dot, total
from .evaluate import centre_values, make_space
from .neural_network import propagate
from .slopes import add_slopes


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
def hand_out(i, n, index, polar, D, V, force, virial):
    """Adds the forces of one centre's energy on it and its neighbours, and their virial."""
    for a in range(3):
        f = V[a]
        for k in range(n):
            f[k] = -D[k] * polar[a, k] - f[k]
        force[i, a] -= total(n, f.ctypes)
        for k in range(n):
            force[index[k], a] += f[k]
        for b in range(3):
            virial[b, a] += dot(n, polar[5 + b].ctypes, f.ctypes)


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
    """
    n_centres = centres.shape[0]
    space = make_space(
        plan,
        centres[n_centres * begin // chunks : n_centres * end // chunks],
        first,
        weight.shape[0],
    )
    size = space.index.shape[0]
    D, V, dense = np.empty(size), np.empty((3, size)), np.zeros(size)
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
        D[:n] = 0.0
        V[:, :n] = 0.0
        add_pair_slopes(plan, n, space.start, space.dF, coef, D)
        add_triple_slopes(plan, space, work, coef, dense, D, V)
        hand_out(i, n, space.index, space.polar, D, V, force[chunk], virial[chunk])
