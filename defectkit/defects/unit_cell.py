"""The crystal behind one unit cell, by rotations, reflections and centrings.

They stand in for translations, of which one unit cell shows too few.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .crystal import MAX_BASIS, Crystal, of_sites
from .geometry import ghosts, wrap
from .lattice_sites import basis_sites, elements_of
from .translations import TOLERANCE, Frame, Lattice, prepare

if TYPE_CHECKING:
    from ase import Atoms

FEWEST = 4  # operations with the identity: fewer cannot outvote a defect
FIRST = 10  # atoms that an operation is tried on first,
FIRST_VALID = 0.6  # of which it brings so many on atoms of their element
VALID = 0.75  # the same of all atoms
ORIGINS = 3  # atoms that shifts are taken from
LATTICE = 0.15  # spacings by which the lattice may miss its own symmetry
SAME = 0.15  # spacings: shifts so near are one
FEWEST_EQUAL = 3  # sites of a kind: fewer cannot outvote one that holds something else
LEAST_ATOMS = 10
MAX_OPERATIONS = 192  # of the largest space groups in their conventional cells
MOST_CENTRINGS = 40  # translations, near ones with them: more are those of a larger cell
UNSURE = 0.3  # of the votes: an atom without a site that so many operations want is no defect
RADIUS = 0.45  # spacings around a site that belong to it
MOST_ALONE = 0.1  # of the atoms without two equals, beside which the others say something
MOST_ORBITS = 40  # sites that are not equal: more are those of a boundary's two crystals
LITTLE = "too little symmetry in the unit cell to tell point defects"
UNEQUAL = "too few equal sites in the unit cell to tell point defects"
NO_SITES = "symmetry operations that leave no sites in common: point defects are not defined"


@dataclass(frozen=True)
class Operation:
    """Scaled positions x become rotation @ x + shift; `spread` (Å) of where they miss atoms."""

    rotation: np.ndarray
    shift: np.ndarray
    share: float
    spread: float


def explain_unit_cell(
    positions: np.ndarray, numbers: np.ndarray, cell: np.ndarray, pbc: np.ndarray
) -> tuple[Crystal | None, str]:
    """The Crystal behind a periodic cell by its symmetry operations, or None; and how or why.

    Operations that bring most atoms on atoms of the same element are those of the perfect
    crystal. All atoms, moved by each of them, lie around its sites, as atoms folded into a
    primitive cell do. A melt or a glass has none.
    """
    unlike = "no unit cell of a crystal: it is not periodic without gaps, or of 10 to 1000 atoms"
    if not pbc.all() or not LEAST_ATOMS <= len(numbers) <= MAX_BASIS:
        return None, unlike
    frame = prepare(positions, numbers, cell, pbc)
    if not frame.closed.all():
        return None, unlike
    frame, group = _group(frame, FEWEST)
    return _explained(frame, numbers, group) if group else (None, LITTLE)


def _group(frame, fewest):
    """A frame and its operations; none where they are fewer, or no group.

    They keep the elements, or where such are too few none of them: a crystal may mix some.
    """
    frames = [frame]
    if len(np.unique(frame.kinds)) > 1:
        frames.append(replace(frame, kinds=np.zeros_like(frame.kinds)))
    for tried in frames:
        found = operations(tried)
        if len(found) >= fewest and is_group(found):
            return tried, found
    return frame, []


def _explained(frame, numbers, group):
    """The Crystal of a frame's operations, or None; and how or why."""
    pbc = frame.pbc
    scaled = frame.positions @ np.linalg.inv(frame.cell)
    moved = np.concatenate([scaled @ o.rotation.T + o.shift for o in group]) @ frame.cell
    one = np.eye(3, dtype=int)
    basis = basis_sites(replace(frame, positions=moved), Lattice(frame.cell, one, len(group)))
    if not len(basis):
        return None, NO_SITES
    images, owner = ghosts(basis, frame.cell, pbc, 2 * frame.spacing)
    tree = cKDTree(images)
    away, near = tree.query(wrap(moved, frame.cell, pbc))
    on = away < RADIUS * frame.spacing
    elements = elements_of(owner[near[on]], np.tile(numbers, len(group))[on], len(basis))
    orbit = _orbits(basis, group, frame, tree, owner)
    crystal, why = of_sites(frame, numbers, Lattice(frame.cell, one, 1), basis, orbit, elements)
    if crystal is not None and _unsure(crystal, moved, len(group)):
        return None, UNEQUAL
    if crystal is None:
        return None, why or NO_SITES
    told = (
        f"{len(group)} symmetry operations of the unit cell explain {crystal.explained:.1%} of "
        f"{len(numbers)} atoms, rms displacement {crystal.rms:.2f} Å"
    )
    alone = int((crystal.n_equal < FEWEST_EQUAL).sum())
    if alone > MOST_ALONE * len(numbers) or crystal.orbit.max() >= MOST_ORBITS:
        return None, UNEQUAL
    return crystal, told + (f"; of {alone} without two equals it tells nothing" if alone else "")


def symmetry_order(atoms: Atoms) -> int:
    """How many operations, the identity among them, a periodic cell of 10 to 1000 atoms obeys.

    0 where there is the identity alone, as in a melt or a glass, or they are no group.
    """
    if not atoms.pbc.all() or not LEAST_ATOMS <= len(atoms) <= MAX_BASIS:
        return 0
    frame = prepare(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    return len(_group(frame, 2)[1]) if frame.closed.all() else 0


def operations(frame: Frame) -> list[Operation]:
    """Symmetry operations of a periodic cell, the identity first, that most atoms obey."""
    identity = Operation(np.eye(3, dtype=int), np.zeros(3), 1.0, 0.0)
    tried = _with_rotation(frame, identity.rotation)
    if len(tried) > MOST_CENTRINGS:
        return [identity]
    for rotation in _rotations(frame):
        if (rotation != identity.rotation).any():
            tried += _with_rotation(frame, rotation)
    if not tried:
        return [identity]
    best = max(o.share for o in tried)
    tried = [o for o in tried if o.share >= max(VALID, best - 0.1)]
    # a pseudo-symmetry brings atoms only near to atoms
    spread = np.array([o.spread for o in tried])
    exact = np.quantile(spread, 0.1) * 1.25 + 0.02 * frame.spacing
    return [identity, *(o for o in tried if o.spread < exact)]


def is_group(found: list[Operation]) -> bool:
    """Whether operations are a group, as those of a crystal are; chance ones are not.

    Their rotations are one, and each of these comes with as many shifts as the identity.
    """
    if len(found) > MAX_OPERATIONS:
        return False
    count = Counter(o.rotation.tobytes() for o in found)
    rotations = [np.frombuffer(key, found[0].rotation.dtype).reshape(3, 3) for key in count]
    products = (a @ b for a in rotations for b in rotations)
    return len(set(count.values())) == 1 and all(p.tobytes() in count for p in products)


def _rotations(frame):
    """Integer matrices (n, 3, 3) that bring the lattice of the cell on itself."""
    import spglib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found = spglib.get_symmetry(
                (frame.cell, [[0.0, 0.0, 0.0]], [1]), symprec=LATTICE * frame.spacing
            )
    except spglib.SpglibError:
        found = None
    both = np.array([np.eye(3, dtype=int), -np.eye(3, dtype=int)])
    return both if found is None else np.unique(found["rotations"], axis=0).astype(int)


def _with_rotation(frame, rotation):
    """The Operations with one rotation, but the identity."""
    inverse = np.linalg.inv(frame.cell)
    scaled = frame.positions @ inverse
    kinds, count = np.unique(frame.kinds, return_counts=True)
    common = count >= max(0.05 * len(scaled), 2)
    rare = np.flatnonzero(frame.kinds == kinds[common][count[common].argmin()])
    origins = rare[np.linspace(0, len(rare) - 1, ORIGINS).astype(int)]
    turned = scaled @ rotation.T
    shift = (scaled[rare] - turned[origins, None]).reshape(-1, 3)
    first = frame.sample[np.linspace(0, len(frame.sample) - 1, FIRST).astype(int)]
    hit = _away(frame, turned, shift, first)[0]
    shift = shift[hit.mean(axis=1) >= FIRST_VALID]
    for _ in range(3):
        hit, miss = _away(frame, turned, shift, frame.sample)
        number = np.maximum(hit.sum(axis=1), 1)
        shift = shift + (miss * hit[..., None]).sum(axis=1) / number[:, None] @ inverse
    if not len(shift):
        return []
    hit, miss = _away(frame, turned, shift, frame.sample)
    share, number = hit.mean(axis=1), np.maximum(hit.sum(axis=1), 1)
    spread = np.sqrt(((miss**2).sum(axis=2) * hit).sum(axis=1) / number)
    found = []
    for k in np.lexsort((spread, -share)):
        away = [shift[k] - o.shift for o in found]
        if (rotation == np.eye(3)).all():
            away.append(shift[k])
        apart = [np.linalg.norm((a - np.rint(a)) @ frame.cell) for a in away]
        if share[k] >= VALID and min(apart, default=np.inf) > SAME * frame.spacing:
            found.append(Operation(rotation, shift[k], float(share[k]), float(spread[k])))
    return found


def _away(frame, turned, shift, atoms):
    """Whether atoms, turned and shifted, are on their kind, and the way there, (n_shifts, n)."""
    moved = wrap(
        ((turned[atoms] + shift[:, None]) @ frame.cell).reshape(-1, 3), frame.cell, frame.pbc
    )
    away, near = frame.tree.query(moved, distance_upper_bound=TOLERANCE * frame.spacing)
    hit, miss = np.isfinite(away), np.zeros_like(moved)
    hit[hit] = np.tile(frame.kinds[atoms], len(shift))[hit] == frame.kinds[frame.owner[near[hit]]]
    miss[hit] = frame.points[near[hit]] - moved[hit]
    size = (len(shift), len(atoms))
    return hit.reshape(size), miss.reshape(*size, 3)


def _orbits(basis, group, frame, tree, owner):
    """Numbers (n_basis,) of the sites, equal for those that operations bring on one another."""
    scaled = basis @ np.linalg.inv(frame.cell)
    rows: list[np.ndarray] = [np.arange(len(basis))]
    columns: list[np.ndarray] = [np.arange(len(basis))]
    for o in group:
        moved = wrap((scaled @ o.rotation.T + o.shift) @ frame.cell, frame.cell, frame.pbc)
        away, near = tree.query(moved)
        on = away < RADIUS * frame.spacing
        rows.append(np.flatnonzero(on))
        columns.append(owner[near[on]])
    i, j = np.concatenate(rows), np.concatenate(columns)
    size = (len(basis), len(basis))
    return connected_components(coo_array((np.ones(len(i)), (i, j)), size), directed=False)[1]


def _unsure(crystal, moved, n_operations):
    """Whether an atom without a site is where many operations bring atoms."""
    frame = crystal.frame
    if not len(crystal.extra):
        return False
    points, _ = ghosts(wrap(moved, frame.cell, frame.pbc), frame.cell, frame.pbc, frame.spacing)
    count = cKDTree(points).query_ball_point(
        frame.positions[crystal.extra], RADIUS * frame.spacing, return_length=True
    )
    return bool((count > UNSURE * n_operations).any())
