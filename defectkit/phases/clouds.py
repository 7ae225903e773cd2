"""Compact regions: a crystal in its melt, a molten pocket or another phase in a crystal."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from ..nucleus import shape
from . import smoothing
from .graph import groups, near_pairs, unwrapped


@dataclass
class Cloud:
    """One compact group of atoms of another kind than what surrounds it.

    kind is "nucleus", "precipitate" or "disordered region"; radius (Å) is that of the ball with
    the same radius of gyration, NaN where the group is connected with its own images.
    """

    kind: str
    name: str
    atoms: np.ndarray
    centre: np.ndarray
    radius: float
    asphericity: float


def clouds(atoms, structure, regions, exclude, min_size=20):
    """Nuclei, precipitates and disordered pockets of one frame, the largest first."""
    crystalline = structure.codes > 0
    inner = ~exclude
    found = []
    if inner.any() and np.mean(crystalline[inner]) < 0.5:
        for region in regions:
            small = len(region.atoms) >= min_size and region.fraction < 0.5
            if small and region.rotation is not None:
                found.append(_cloud("nucleus", region.name, atoms, structure,
                                    _grown(structure, region)))
        return [c for c in found if c is not None]
    host = max(regions, key=lambda r: len(r.atoms), default=None)
    if host is None:
        return []
    for region in regions:
        if (region is not host and region.code != host.code and len(region.atoms) >= min_size
                and region.fraction < 0.3 and not exclude[region.atoms].mean() > 0.5):
            found.append(_cloud("precipitate", region.name, atoms, structure, region.atoms))
    i, j, _ = near_pairs(structure, 1.5)
    for members in groups(len(crystalline), i, j, ~crystalline & ~exclude):
        if len(members) >= 3 * min_size:
            found.append(_cloud("disordered region", "disordered", atoms, structure, members))
    return sorted((c for c in found if c is not None), key=lambda c: -len(c.atoms))


def _grown(structure, region, angle=15.0):
    """A nucleus and the atoms at its surface that still follow its lattice.

    Of the neighbours of its atoms those that fit its template in its orientation, until no more
    do; then those with half of their 12 nearest neighbours in it.
    """
    n = len(structure.codes)
    inside, follows = np.zeros(n, bool), np.zeros(n, bool)
    inside[region.atoms] = True
    mean = Rotation.from_matrix(region.rotation).as_quat()
    rows = np.flatnonzero((structure.template == region.code) & (structure.codes == 0))
    q = np.vstack([structure.quaternion[rows], mean])
    follows[rows] = smoothing.aligned(q, np.full(len(q), region.code), np.arange(len(rows)),
                                      np.full(len(rows), len(rows)), angle)
    loose = structure.codes == 0
    while True:
        near = inside[structure.neighbours[:, :12]].sum(axis=1)
        more = ~inside & loose & follows & (near >= 3)
        if not more.any():
            return np.flatnonzero(inside | (loose & (near >= 6)))
        inside |= more


def element_clusters(atoms, structure, min_size=20):
    """Groups where a minority element is gathered: list of (symbol, Cloud).

    An atom belongs to one where more than half of its 12 nearest neighbours and itself are of
    the element, which by chance happens nowhere where it holds less than a fifth of the atoms.
    """
    from ase.data import chemical_symbols

    found = []
    elements, number = np.unique(atoms.numbers, return_counts=True)
    if len(elements) < 2 or not structure.neighbours.size:
        return found
    i, j, _ = near_pairs(structure, 1.5)
    for element in elements[number < 0.2 * len(atoms)]:
        own = atoms.numbers == element
        rich = own & (own[structure.neighbours[:, :12]].mean(axis=1) > 0.5)
        grown = own & (rich | rich[structure.neighbours[:, :12]].any(axis=1))
        for members in groups(len(own), i, j, grown):
            if len(members) >= min_size:
                cloud = _cloud("precipitate", chemical_symbols[element], atoms, structure, members)
                if cloud is not None:
                    found.append((chemical_symbols[element], cloud))
    return found


def _cloud(kind, name, atoms, structure, members):
    i, j, vectors = near_pairs(structure, 1.5)
    offset, ways = unwrapped(members, i, j, vectors)
    if len(ways):
        return None
    measured = shape(atoms, members)
    return Cloud(kind, name, members, measured["centre_A"], measured["radius_A"],
                 measured["asphericity"])
