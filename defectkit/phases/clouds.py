"""Compact regions: a crystal in its melt, a molten pocket or another phase in a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import binom

from ..nucleus import shape
from .graph import groups, near_pairs, unwrapped
from .templates import template

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure
    from .regions import Region

JOINS, STAYS = 0.25, 0.4  # of the steps of a lattice that lead into a nucleus
ON_SITE = 0.20  # spacings: an atom nearer than this to a site of the lattice is on it
DEEP = 0.4  # share of a disordered group with no crystal around: more than a boundary has
NOBLE = (2, 10, 18, 36, 54, 86)  # gathered in a crystal they are a bubble
FEWEST_GAS = 4  # atoms
SMALLEST = 10  # atoms of a group of one element where chance brings none together
BY_CHANCE = 0.01  # expected atoms with most neighbours of their own element, drawn at random
MOSTLY = 7  # of the 12 nearest neighbours: more than half
FEWEST_LIKE = 4  # neighbours of the own element, as inside a plate of one (100) layer of fcc


@dataclass
class Cloud:
    """One compact group of atoms of another kind than what surrounds it.

    kind is "nucleus", "precipitate", "gas bubble" or "disordered region"; radius (Å) is that of
    the ball with the same radius of gyration, NaN where the group is connected with its own
    images: a layer of melt.
    """

    kind: str
    name: str
    atoms: np.ndarray
    centre: np.ndarray
    radius: float
    asphericity: float


def clouds(
    atoms: Atoms,
    structure: Structure,
    regions: Sequence[Region],
    exclude: np.ndarray,
    min_size: int = 20,
) -> list[Cloud]:
    """Nuclei, precipitates and disordered pockets of one frame, the largest first."""
    crystalline = structure.codes > 0
    inner = ~exclude
    found = []
    if inner.any() and np.mean(crystalline[inner]) < 0.5:
        for region in regions:
            small = len(region.atoms) >= min_size and region.fraction < 0.5
            if small and region.rotation is not None:
                found.append(
                    _cloud("nucleus", region.name, atoms, structure, _grown(structure, region))
                )
        found = [c for c in found if c is not None]
        return found or _layers(structure, exclude, 3 * min_size)
    host = max(regions, key=lambda r: len(r.atoms), default=None)
    if host is None:
        return []
    for region in regions:
        if (
            region is not host
            and region.code != host.code
            and len(region.atoms) >= min_size
            and region.fraction < 0.3
            and not exclude[region.atoms].mean() > 0.5
        ):
            found.append(_cloud("precipitate", region.name, atoms, structure, region.atoms))
    i, j, _ = near_pairs(structure, 1.5)
    for members in groups(len(crystalline), i, j, ~crystalline & ~exclude):
        if len(members) >= 3 * min_size:
            found.append(_cloud("disordered region", "disordered", atoms, structure, members))
    found += _layers(structure, exclude, 3 * min_size)
    return sorted((c for c in found if c is not None), key=lambda c: -len(c.atoms))


def _layers(structure, exclude, min_size):
    """Disordered groups that meet their own images, such as the molten half of a frame.

    No boundaries: most of their atoms have no atom of a crystal around. Only beside a crystal that
    holds a fifth of the frame.
    """
    crystalline = structure.codes > 0
    if crystalline.mean() < 0.2 or structure.sublattice.any():
        return []
    i, j, vectors = near_pairs(structure, 1.5)
    found = []
    for members in groups(len(crystalline), i, j, ~crystalline & ~exclude):
        if len(members) < min_size:
            break
        deep = ~crystalline[structure.neighbours[members, :12]].any(axis=1)
        offset, ways = unwrapped(members, i, j, vectors)
        if len(ways) and deep.mean() > DEEP:
            centre = structure.positions[members[0]] + offset.mean(axis=0)
            found.append(Cloud("disordered region", "disordered", members, centre, np.nan, np.nan))
    return found


def _grown(structure, region):
    """A nucleus and the atoms at its surface that sit where its lattice has a site.

    The atoms of a nucleus that template matching names have all their neighbours in it: a third of
    one of 200 atoms. Of the atoms around those belong to it that have atoms of it along a quarter
    of the steps of its lattice, again and again until there are no more; then those with fewer
    than two fifths are taken off: an atom of the melt on a facet of fcc rests on three of twelve.
    """
    steps = template(region.code)[1:] * structure.spacing @ region.rotation.T
    tree = cKDTree(np.concatenate([steps, -steps]))  # diamond and hcp have sites of two kinds
    inside = np.zeros(len(structure.codes), bool)
    inside[region.atoms] = True
    loose = structure.codes == 0
    rows = np.flatnonzero(loose)
    on_step = np.isfinite(
        tree.query(
            structure.vectors[rows].reshape(-1, 3),
            distance_upper_bound=ON_SITE * structure.spacing,
        )[0]
    )
    seen = on_step.reshape(len(rows), -1)

    def count():
        result = np.zeros(len(inside), int)
        result[rows] = (inside[structure.neighbours[rows]] & seen).sum(axis=1)
        return result

    for least, add in ((JOINS * len(steps), True), (STAYS * len(steps), False)):
        while True:
            near = count()
            change = ~inside & (near >= least) if add else inside & (near < least)
            change &= loose
            if not change.any():
                break
            inside[change] = add
    return np.flatnonzero(inside)


def element_clusters(
    atoms: Atoms, structure: Structure, min_size: int = 20
) -> list[tuple[str, Cloud]]:
    """Groups where a minority element is gathered: list of (symbol, Cloud).

    An atom belongs to one where it is of the element and more than half of its 12 nearest
    neighbours are, which by chance happens nowhere where the element holds less than a fifth of
    the atoms. In a crystal as many neighbours are enough as elements drawn at random would give
    to no atom of the frame, four in a plate of one layer; then ten atoms are a group.
    """
    from ase.data import chemical_symbols

    found = []
    elements, number = np.unique(atoms.numbers, return_counts=True)
    if len(elements) < 2 or not structure.neighbours.size:
        return found
    i, j, _ = near_pairs(structure, 1.5)
    minor = (number < 0.2 * len(atoms)) & ~np.isin(elements, NOBLE)
    for element, count in zip(elements[minor], number[minor], strict=True):
        own = atoms.numbers == element
        like = own[structure.neighbours[:, :12]].sum(axis=1)
        chance = count * binom.sf(np.arange(12), 12, count / len(atoms))  # of one more than each
        enough = max(int(np.argmax(chance < BY_CHANCE)) + 1, FEWEST_LIKE)
        sure = enough <= MOSTLY
        rich = own & ((like >= MOSTLY) | (sure & (like >= enough) & (structure.codes > 0)))
        grown = own & (rich | rich[structure.neighbours[:, :12]].any(axis=1))
        least = min(SMALLEST, min_size) if sure else min_size
        for members in groups(len(own), i, j, grown):
            if len(members) >= least:
                cloud = _cloud("precipitate", chemical_symbols[element], atoms, structure, members)
                if cloud is not None:
                    found.append((chemical_symbols[element], cloud))
    return found


def bubbles(atoms: Atoms, structure: Structure) -> list[Cloud]:
    """Atoms of a noble gas gathered in a crystal, with the disordered atoms that line them."""
    from ase.data import chemical_symbols

    gas = np.isin(atoms.numbers, NOBLE)
    if not FEWEST_GAS <= gas.sum() < 0.2 * len(atoms) or not structure.neighbours.size:
        return []
    i, j, _ = near_pairs(structure, 1.5)
    found = []
    for members in groups(len(gas), i, j, gas):
        if len(members) < FEWEST_GAS:
            break
        inside = np.zeros(len(gas), bool)
        inside[members] = True
        cloud = _cloud("gas bubble", "", atoms, structure, members)
        for _ in range(2):
            inside |= (structure.codes == 0) & inside[structure.neighbours[:, :12]].any(axis=1)
        if cloud is not None:
            kinds = sorted(set(atoms.numbers[members].tolist()))
            cloud.name = f"{len(members)} {' '.join(chemical_symbols[z] for z in kinds)}"
            cloud.atoms = np.flatnonzero(inside)
            found.append(cloud)
    return found


def _cloud(kind, name, atoms, structure, members):
    i, j, vectors = near_pairs(structure, 1.5)
    offset, ways = unwrapped(members, i, j, vectors)
    if len(ways):
        return None
    measured = shape(atoms, members)
    return Cloud(
        kind, name, members, measured["centre_A"], measured["radius_A"], measured["asphericity"]
    )
