"""The translations of a crystal, from the atoms of one frame: no table of structures.

A shift is a translation of the crystal if it brings most atoms on atoms of the same element. In a
periodic cell these shifts are fractions of the cell vectors and form a lattice that contains the
cell's own. A slab, a sheet, or a cell with a planar fault has them in its plane only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from .geometry import ghosts, nearest_spacing, wrap

TOLERANCE = 0.35  # spacings: an atom nearer than this to a shifted one is where it came
VALID = 0.68  # a translation brings so many atoms on atoms, of what the best one does
FEWEST_VALID = 0.45  # fraction of the atoms that the best one has to
SAMPLE = 300  # atoms that are shifted
AROUND = 400  # atoms in the sphere that shifts are taken from
ORIGINS = 4  # atoms that candidates start at
SHORTEST = 0.75  # spacings: no translation is shorter
MAX_VALID_CHECKS = 300  # vectors of a lattice that are looked at
MAX_TRIES = 40  # shifts that are tried as generators


@dataclass(frozen=True)
class Frame:
    """Positions of one frame ready for the search: wrapped atoms, their images, a tree of both.

    `kinds` (n_atoms,) are compared by the translations: atomic numbers, or zeros where elements
    are not told apart. `closed` says along which cell vectors the crystal goes on across the
    boundary: periodic, and no vacuum.
    """

    positions: np.ndarray
    kinds: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    closed: np.ndarray
    spacing: float
    radius: float
    points: np.ndarray
    owner: np.ndarray
    tree: cKDTree
    sample: np.ndarray

    def overlap(self, shift: np.ndarray) -> tuple[float, np.ndarray]:
        """Fraction of the sampled atoms that `shift` (3,) brings on their kind; mean misfit."""
        mine = self.sample
        moved = wrap(self.positions[mine] + shift, self.cell, self.pbc)
        away, near = self.tree.query(moved, distance_upper_bound=TOLERANCE * self.spacing)
        hit = np.isfinite(away)
        hit[hit] = self.kinds[self.owner[near[hit]]] == self.kinds[mine[hit]]
        if not hit.any():
            return 0.0, np.zeros(3)
        return float(hit.mean()), (self.points[near[hit]] - moved[hit]).mean(axis=0)


def prepare(
    positions: np.ndarray, kinds: ArrayLike, cell: np.ndarray, pbc: np.ndarray, seed: int = 0
) -> Frame:
    """A Frame; `kinds` (n_atoms,) are what a translation has to keep.

    Along open boundaries the cell is made wide enough to hold all atoms.
    """
    spacing = nearest_spacing(positions, cell, pbc)
    positions, cell = wrap(positions, cell, pbc), cell.copy()
    for axis in np.flatnonzero(~pbc):
        height = positions @ np.linalg.inv(cell)[:, axis]
        extra = 4 * spacing * np.linalg.norm(np.linalg.inv(cell)[:, axis])
        positions = positions - (height.min() - extra) * cell[axis]
        cell[axis] *= np.ptp(height) + 2 * extra
    closed = pbc & ~vacuum_axes(positions, cell, pbc, spacing)
    volume = 1.6 * spacing**3
    if closed.all():
        volume = min(abs(np.linalg.det(cell)) / len(positions), 4 * spacing**3)
    radius = (AROUND * volume * 3 / (4 * np.pi)) ** (1 / 3)
    points, owner = ghosts(positions, cell, pbc, radius + spacing)
    n_atoms = len(positions)
    sample = np.random.default_rng(seed).permutation(n_atoms)[:SAMPLE]
    return Frame(
        positions,
        np.asarray(kinds),
        cell,
        pbc,
        closed,
        spacing,
        radius,
        points,
        owner,
        cKDTree(points),
        np.sort(sample),
    )


def vacuum_axes(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, spacing: float
) -> np.ndarray:
    """Which cell vectors (3,) cross a gap without atoms, wider than any crystal's."""
    inverse = np.linalg.inv(cell)
    scaled, empty = positions @ inverse, np.zeros(3, bool)
    for axis in np.flatnonzero(pbc):
        place = np.sort(scaled[:, axis] % 1)
        gap = np.diff(place, append=place[0] + 1).max() / np.linalg.norm(inverse[:, axis])
        empty[axis] = gap > max(2.5 * spacing, 5.0)
    return empty


@dataclass(frozen=True)
class Candidates:
    """Shifts (n, 3) in Å that bring most atoms on atoms of their kind, the best first.

    `least` is the number of the sampled atoms that a translation has to bring on atoms; `cloud`
    is the tree of all differences between sampled atoms and atoms of their kind around.
    """

    shifts: np.ndarray
    least: float
    cloud: Any  # None where there are no shifts


def candidates(frame: Frame) -> Candidates:
    """The Candidates for translations of a Frame; each and its opposite only once."""
    sample, limit = frame.sample, TOLERANCE * frame.spacing
    pairs = cKDTree(frame.positions[sample]).sparse_distance_matrix(
        frame.tree, frame.radius, output_type="ndarray"
    )
    i, j = sample[pairs["i"]], pairs["j"]
    same = (frame.kinds[i] == frame.kinds[frame.owner[j]]) & (pairs["v"] > 1e-6)
    i, shift = i[same], frame.points[j[same]] - frame.positions[i[same]]
    nothing = Candidates(np.empty((0, 3)), np.inf, None)
    # candidates start at atoms of the rarest element that is no impurity
    kinds, count = np.unique(frame.kinds[sample], return_counts=True)
    common = count >= max(0.05 * len(sample), 4)
    rare = kinds[common][count[common].argmin()] if common.any() else kinds[count.argmax()]
    mine = sample[frame.kinds[sample] == rare]
    start = np.isin(i, mine[np.linspace(0, len(mine) - 1, ORIGINS).astype(int)])
    if not start.any():
        return nothing
    cloud, place = cKDTree(shift), _one_of_each(shift[start], 0)
    for step in range(4):
        near = cKDTree(place).sparse_distance_matrix(cloud, limit, output_type="ndarray")
        count = np.bincount(near["i"], minlength=len(place))
        place = (
            np.stack(
                [np.bincount(near["i"], shift[near["j"], k], len(place)) for k in range(3)], axis=1
            )
            / np.maximum(count, 1)[:, None]
        )
        kept = count > (0.25 if step == 0 else 0.4) * len(sample)
        place, count = place[kept], count[kept]
        order = np.argsort(-count, kind="stable")
        chosen = _one_of_each(place[order], limit if step == 3 else 0.5 * limit, index=True)
        place, count = place[order][chosen], count[order][chosen]
        if not len(place):
            return nothing
    own = place @ np.linalg.inv(frame.cell)  # the cell's own vectors tell nothing
    trivial = np.linalg.norm((own - np.rint(own)) @ frame.cell, axis=1) < limit
    place, count = place[~trivial], count[~trivial]
    if not len(place) or count.max() < FEWEST_VALID * len(sample):
        return nothing
    least = VALID * count.max()
    place, count = place[count >= least], count[count >= least]
    # a pseudo-symmetry brings atoms only near to atoms: exact translations come first
    near = cKDTree(place).sparse_distance_matrix(cloud, limit, output_type="ndarray")
    spread = np.sqrt(np.bincount(near["i"], near["v"] ** 2, len(place)) / count)
    exact = spread < 1.25 * np.quantile(spread, 0.1) + 0.02 * frame.spacing
    order = np.lexsort((np.linalg.norm(place, axis=1), -(count / len(sample)).round(2), ~exact))
    return Candidates(place[order], least, cloud)


def _one_of_each(shifts, limit, index=False):
    """Shifts in one half of space, without those nearer than `limit` Å to one before."""
    sign = np.where(np.abs(shifts) > 0.05, np.sign(shifts), 0)
    first = sign[np.arange(len(shifts)), np.argmax(sign != 0, axis=1)]
    half = np.flatnonzero(first >= 0)
    if limit and len(half):
        kept = np.ones(len(half), bool)
        pairs = cKDTree(shifts[half]).query_pairs(limit, output_type="ndarray")
        for a, b in pairs[np.lexsort(pairs.T[::-1])]:
            if kept[a]:
                kept[b] = False
        half = half[kept]
    return half if index else shifts[half]


def as_fractions(frame: Frame, shift: np.ndarray) -> tuple[Fraction, ...] | None:
    """A shift (3,) in Å as three fractions of the cell vectors, or None if it is none.

    The shift is measured again over ever longer multiples, so that the fraction is sure in cells
    of any length.
    """
    inverse = np.linalg.inv(frame.cell)
    widths = 1 / np.linalg.norm(inverse, axis=0)
    times = 1
    while times * np.linalg.norm(shift) < 0.5 * widths[frame.closed].max(initial=0):
        # a long multiple may begin to lose atoms (a slab, a fault): then it is no translation
        fraction, more = frame.overlap(2 * times * shift)
        if fraction < 0.3:
            return None
        times *= 2
        shift = shift + more / times
    error = 0.05 + 0.05 * frame.spacing
    scaled = shift @ inverse
    scaled[~frame.closed] = np.where(np.abs(scaled * widths)[~frame.closed] < 2 * error, 0, np.nan)
    if np.isnan(scaled).any():
        return None
    n = np.arange(1, int(4 * widths.max() / frame.spacing) + 2)
    whole = np.rint(n[:, None] * scaled)
    off = np.linalg.norm((n[:, None] * scaled - whole) @ frame.cell, axis=1)
    fits = off < np.minimum(error * np.maximum(n / times, 1), 0.4 * frame.spacing)
    if not fits.any():
        return None
    k = fits.argmax()
    return tuple(Fraction(int(x), int(n[k])) for x in whole[k])


def hermite(rows: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Upper triangular basis of the lattice that integer `rows` (n, 3) generate: Hermite form."""
    rows = [[int(x) for x in row] for row in rows]
    basis = []
    for column in range(3):
        while True:
            live = [r for r in rows if r[column]]
            if len(live) <= 1:
                break
            pivot = min(live, key=lambda r: abs(r[column]))
            rows = [
                r
                if r is pivot or not r[column]
                else [a - (r[column] // pivot[column]) * b for a, b in zip(r, pivot, strict=True)]
                for r in rows
            ]
        pivot = live[0]
        rows = [r for r in rows if r is not pivot]
        basis.append(pivot if pivot[column] > 0 else [-a for a in pivot])
    for k in (1, 2):  # entries above a pivot are smaller than it
        for m in range(k):
            q = basis[m][k] // basis[k][k]
            basis[m] = [a - q * b for a, b in zip(basis[m], basis[k], strict=True)]
    return np.array(basis, dtype=object)


@dataclass(frozen=True)
class Lattice:
    """Translations of the crystal: `vectors` (3, 3) in Å, `multiplicity` of them in the cell.

    The cell is an integer multiple of the vectors: `cell == supercell @ vectors`.
    """

    vectors: np.ndarray
    supercell: np.ndarray
    multiplicity: int


def lattice_of(cell: np.ndarray, fractions: Sequence[tuple[Fraction, ...]]) -> Lattice:
    """The Lattice that shifts (tuples of three Fraction) and the cell vectors generate."""
    denominator = lcm(1, *(x.denominator for f in fractions for x in f))
    rows = [[int(x * denominator) for x in f] for f in fractions]
    rows += (denominator * np.eye(3, dtype=int)).tolist()
    basis = hermite(rows)
    common = gcd(denominator, *(int(x) for row in basis for x in row))
    basis, denominator = basis // common, denominator // common
    vectors = np.array(basis, dtype=float) / denominator @ cell
    vectors = reduced(vectors)
    supercell = np.rint(cell @ np.linalg.inv(vectors)).astype(int)
    vectors = np.linalg.solve(supercell, cell)
    return Lattice(vectors, supercell, int(round(abs(np.linalg.det(supercell)))))


def reduced(vectors: np.ndarray) -> np.ndarray:
    """Shorter vectors (3, 3) of the same lattice, no two of which can shorten each other."""
    vectors = np.array(vectors)
    for _ in range(100):
        product = vectors @ vectors.T
        times = np.rint(product / np.diag(product))
        np.fill_diagonal(times, 0)
        times[np.abs(product / np.diag(product)) <= 0.5 + 1e-6] = 0
        if not times.any():
            break
        gain = product.diagonal()[:, None] - 2 * times * product + times**2 * product.diagonal()
        i, j = np.unravel_index(
            np.where(times != 0, gain - product.diagonal()[:, None], np.inf).argmin(), (3, 3)
        )
        vectors[i] -= times[i, j] * vectors[j]
    return vectors


def _within(vectors, radius):
    """Vectors of the lattice (n, 3) shorter than `radius` Å, without zero."""
    reach = np.floor(radius * np.linalg.norm(np.linalg.inv(vectors), axis=0)).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1)
    found = grid.reshape(-1, 3) @ vectors
    length = np.linalg.norm(found, axis=1)
    order = np.argsort(length, kind="stable")
    order = order[(length[order] > 1e-6) & (length[order] < radius)]
    return found[order[:MAX_VALID_CHECKS]]


def translation_lattices(
    frame: Frame, found: Candidates, plane: int | None = None
) -> list[Lattice]:
    """Lattices of translations that the frame shows, each finer than the one before.

    The first is that of the cell itself (multiplicity 1); shifts that most atoms share are added
    in the order of how many do. A lattice stands only if all its short vectors are shared.

    Parameters
    ----------
    frame : Frame
    found : Candidates
    plane : int, optional
        Only shifts that leave the component along this cell vector as it is.

    Returns
    -------
    list of Lattice
    """
    inverse = np.linalg.inv(frame.cell)
    widths = 1 / np.linalg.norm(inverse, axis=0)
    limit = TOLERANCE * frame.spacing
    generators, chain, tries = [], [lattice_of(frame.cell, [])], 0
    for shift in found.shifts:
        if plane is not None and abs(shift @ inverse[:, plane]) * widths[plane] > limit:
            continue
        there = shift @ np.linalg.inv(chain[-1].vectors)
        if np.linalg.norm((there - np.rint(there)) @ chain[-1].vectors) < limit:
            continue
        tries += 1
        if tries > MAX_TRIES:
            break
        snapped = as_fractions(frame, shift)
        if snapped is None or (plane is not None and snapped[plane].denominator != 1):
            continue
        finer = lattice_of(frame.cell, [*generators, snapped])
        if not chain[-1].multiplicity < finer.multiplicity <= 1.2 * len(frame.kinds):
            continue
        vectors = _within(finer.vectors, frame.radius - limit)
        across = np.abs(vectors @ inverse)[:, ~frame.pbc] > 0.5  # no image beyond an open end
        vectors = vectors[~across.any(axis=1)]
        if not len(vectors) or np.linalg.norm(vectors[0]) < SHORTEST * frame.spacing:
            continue
        count = found.cloud.query_ball_point(vectors, limit, return_length=True)
        if count.min() >= 0.9 * found.least:
            generators.append(snapped)
            chain.append(finer)
    return chain
