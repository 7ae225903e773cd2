"""Compiled loops behind the symmetry functions: flat arrays in, flat arrays out.

One centre at a time: its neighbours are sorted by element into contiguous rows, every distinct
radial factor F(r) is tabulated once per neighbour, each triple (j, k) with r_jk inside the cutoff
is queued, and `_triples.py` evaluates the queue.  With a net (`_nets.py`) the same tables and
queue then give the forces, so that no slope of a symmetry function is ever stored.
All lengths are in one unit; a `Plan` (made by `_plan.py`) says which functions one element has.
"""

from collections import namedtuple

import numpy as np
from numba import njit, prange

from .angular import add_slopes, add_values, queue_row
from .cutoffs import FAST, cutoff_values, radial_values
from .neural_network import propagate

Plan = namedtuple("Plan", [
    "cut",        # (n_cut, 3) cutoff function: type, inner radius / rc, rc
    "rad",        # (n_rad, 4) radial factor: kind, a, b, weighted; kind 0 Gaussian (a=eta, b=r_s),
                  #            1-5 compact poly1-4, exp (a=left, b=right), +10 asymmetric
    "rad_cut",    # (n_rad,) row of `cut` that a Gaussian is multiplied by
    "need",       # (n_rad,) whether the factor is wanted of the neighbours
    "pair",       # (n_pair, 3) radial function: row of `rad`, species or -1 for all, column
    "channel",    # (n_channel, 10): species 1, species 2 (-1 all), narrow, then the ranges
                  #                  [begin, end) in `ch_rad`, `ang`, `member`, then the row of
                  #                  `rad` with the bare cutoff that all its Gaussians share, or -1
    "ch_cut",     # (n_channel,) largest cutoff of the channel
    "ch_rad",     # (n,) rows of `rad` used by a channel
    "ang",        # (n, 3) angular factor: kind, a, b; kind 0 (1 + a cos)^b, else compact in theta
    "member",     # (n, 3) angular function: position in ch_rad, position in ang, column
    "norm",       # (n,) its prefactor
    "rc",         # (1,) largest cutoff of the element
])

BLOCK = 2048  # triples at a time: their work arrays stay in the second-level cache
_jit = njit(cache=True, fastmath=FAST, error_model="numpy")


@_jit
def load_neighbours(i, first, neigh, shift, pos, cell, species, n_species, rc, polar, index,
                    start):
    """Neighbours of atom i nearer than rc, grouped by species; returns how many.

    polar  rows: unit vector (3), distance, its inverse, vector (3)
    Returns -1 where another atom coincides with atom i.
    """
    n = 0
    for s in range(n_species):
        start[s] = n
        for p in range(first[i], first[i + 1]):
            j = neigh[p]
            if species[j] != s:
                continue
            a, b, c = shift[p, 0], shift[p, 1], shift[p, 2]
            x = pos[j, 0] - pos[i, 0] + a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
            y = pos[j, 1] - pos[i, 1] + a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
            z = pos[j, 2] - pos[i, 2] + a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
            r2 = x * x + y * y + z * z
            if r2 < rc * rc:
                if r2 < 1e-12:
                    return -1
                r = np.sqrt(r2)
                polar[0, n], polar[1, n], polar[2, n] = x / r, y / r, z / r
                polar[3, n], polar[4, n] = r, 1.0 / r
                polar[5, n], polar[6, n], polar[7, n] = x, y, z
                index[n] = j
                n += 1
    start[n_species] = n
    return n


@_jit
def tabulate(plan, r, n, start, n_species, weight, slopes, fc, dfc, F, dF):
    """Every radial factor that is wanted of the n neighbours, rows of `F` and `dF`."""
    done = -1
    for row in range(plan.rad.shape[0]):
        if not plan.need[row]:
            continue
        cut = plan.rad_cut[row]
        if cut >= 0 and cut != done:
            cutoff_values(int(plan.cut[cut, 0]), plan.cut[cut, 1], plan.cut[cut, 2], r, n, slopes,
                          fc, dfc)
            done = cut
        radial_values(int(plan.rad[row, 0]), plan.rad[row, 1], plan.rad[row, 2], r, n, fc, dfc,
                      slopes, F[row], dF[row])
        if plan.rad[row, 3] > 0.0:
            for s in range(n_species):
                for m in range(start[s], start[s + 1]):
                    F[row, m] *= weight[s]
                    dF[row, m] *= weight[s]


@_jit
def queue_triples(plan, start, n_species, polar, qj, qk, qs, qc, bounds):
    """Queues the triples of one centre; those of channel c are bounds[c] to bounds[c + 1]."""
    n = 0
    for ch in range(plan.channel.shape[0]):
        bounds[ch] = n
        e1, e2, narrow = plan.channel[ch, 0], plan.channel[ch, 1], plan.channel[ch, 2] > 0
        lo1, hi1 = (start[e1], start[e1 + 1]) if e1 >= 0 else (0, start[n_species])
        lo2, hi2 = (start[e2], start[e2 + 1]) if e2 >= 0 else (0, start[n_species])
        rc = plan.ch_cut[ch]
        for j in range(lo1, hi1):
            if polar[3, j] < rc:
                n = queue_row(j, j + 1 if e1 == e2 else lo2, hi2, polar, rc, narrow, n, qj, qk, qs,
                              qc)
    bounds[plan.channel.shape[0]] = n


@_jit
def pairs(plan, n, start, slopes, F, dF, out, coef, D):
    """Adds the radial functions to `out`, or (slopes) to D what they give."""
    for p in range(plan.pair.shape[0]):
        row, s, column = plan.pair[p, 0], plan.pair[p, 1], plan.pair[p, 2]
        lo, hi = (start[s], start[s + 1]) if s >= 0 else (0, n)
        if slopes:
            for k in range(lo, hi):
                D[k] += coef[column] * dF[row, k]
        else:
            total = 0.0
            for k in range(lo, hi):
                total += F[row, k]
            out[column] += total


@_jit
def triples(plan, polar, F, dF, Q, W, A, dA, dense, slopes, out, coef, D, V):
    """Adds the queued angular functions to `out`, or (slopes) to D and V what they give."""
    qj, qk, qs, qc, bounds = Q
    for ch in range(plan.channel.shape[0]):
        for lo in range(bounds[ch], bounds[ch + 1], BLOCK):
            hi = min(lo + BLOCK, bounds[ch + 1])
            if slopes:
                add_slopes(plan, ch, hi - lo, polar, F, dF, qj[lo:hi], qk[lo:hi], qs[lo:hi],
                           qc[lo:hi], W, A, dA, coef, dense, D, V)
            else:
                add_values(plan, ch, hi - lo, polar, F, qj[lo:hi], qk[lo:hi], qs[lo:hi],
                           qc[lo:hi], W, A, dA, out)


@_jit
def hand_out(i, n, index, polar, D, V, force, virial):
    """Adds the forces of one centre's energy on it and its neighbours, and their virial."""
    for a in range(3):
        f = V[a]
        total = 0.0
        for k in range(n):
            f[k] = -D[k] * polar[a, k] - f[k]
            total += f[k]
        force[i, a] -= total
        for k in range(n):
            force[index[k], a] += f[k]
        for b in range(3):
            x, total = polar[5 + b], 0.0
            for k in range(n):
                total += x[k] * f[k]
            virial[b, a] += total


@_jit
def share(chunk, chunks, centres, first, neigh, shift, pos, cell, species, weight, plan, net,
          slopes, out, energy, force, virial):
    """One chunk of the centres of `evaluate`; `force` (n_atoms, 3) and `virial` (3, 3) are its."""
    n_species, n_channels = weight.shape[0], plan.channel.shape[0]
    n_centres = centres.shape[0]
    size = 1
    for i in centres:
        size = max(size, first[i + 1] - first[i])
    n_rad, n_ang = max(plan.rad.shape[0], 1), max(plan.ang.shape[0], 1)
    polar, index = np.empty((8, size)), np.empty(size, np.int64)
    start = np.empty(n_species + 1, np.int64)
    F, dF = np.empty((n_rad, size)), np.empty((n_rad, size))
    D, V, dense = np.empty(size), np.empty((3, size)), np.zeros(size)
    most = n_channels * (size * (size - 1) // 2) + 1
    Q = (np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most), np.empty(most),
         np.zeros(n_channels + 1, np.int64))
    W = np.empty((13, max(BLOCK, size)))
    A, dA = np.empty((n_ang, BLOCK)), np.empty((n_ang, BLOCK))
    n_layers, width = net.biases.shape
    node, slope = np.empty((n_layers + 1, width)), np.empty((n_layers + 1, width))
    coef = np.empty(out.shape[1])
    for m in range(n_centres * chunk // chunks, n_centres * (chunk + 1) // chunks):
        i = centres[m]
        n = load_neighbours(i, first, neigh, shift, pos, cell, species, n_species,
                            plan.rc[0], polar, index, start)
        if n < 0:
            out[m] = np.nan
            continue
        tabulate(plan, polar[3], n, start, n_species, weight, slopes, W[1], W[2], F, dF)
        queue_triples(plan, start, n_species, polar, Q[0], Q[1], Q[2], Q[3], Q[4])
        pairs(plan, n, start, False, F, dF, out[m], coef, D)
        triples(plan, polar, F, dF, Q, W, A, dA, dense, False, out[m], coef, D, V)
        if net.sizes[0] == 0:
            continue
        energy[m] = propagate(net, out[m], node, slope, coef)
        if slopes:
            D[:n] = 0.0
            V[:, :n] = 0.0
            pairs(plan, n, start, True, F, dF, out[m], coef, D)
            triples(plan, polar, F, dF, Q, W, A, dA, dense, True, out[m], coef, D, V)
            hand_out(i, n, index, polar, D, V, force, virial)


@njit(cache=True, parallel=True, fastmath=FAST, error_model="numpy")
def evaluate(centres, first, neigh, shift, pos, cell, species, weight, plan, net, slopes, out,
             energy, force, virial):
    """Symmetry functions of the centres; with a net their energies and (slopes) the forces.

    out     (n_centres, n_columns) values, added to; NaN where atoms coincide
    net     a `Net`, or NO_NET for the values alone
    energy  (n_centres,) output of the net
    force   (n_chunks, n_atoms, 3) added to; the number of chunks, not of threads, fixes the bits
    virial  (n_chunks, 3, 3) sum of r_ij (x) f_j, added to
    """
    for chunk in prange(force.shape[0]):
        share(chunk, force.shape[0], centres, first, neigh, shift, pos, cell, species, weight,
              plan, net, slopes, out, energy, force[chunk], virial[chunk])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def evaluate_alone(centres, first, neigh, shift, pos, cell, species, weight, plan, net, slopes,
                   out, energy, force, virial):
    """`evaluate` on the thread that calls, so that several frames can be worked on at a time."""
    for chunk in range(force.shape[0]):
        share(chunk, force.shape[0], centres, first, neigh, shift, pos, cell, species, weight,
              plan, net, slopes, out, energy, force[chunk], virial[chunk])
