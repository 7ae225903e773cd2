"""Crowdions: an extra atom that a row of atoms makes room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from .geometry import wrap

if TYPE_CHECKING:
    from .lattice_sites import Sites
    from .translations import Frame

MIDWAY = 0.22  # steps of the row: an extra atom so near to the middle of two sites is between them
BESIDE = 0.22  # steps: and no farther from their line
GIVE_WAY = (
    0.15  # steps along the row that the atoms next to it have moved away from it, on average
)
FARTHER = 0.05  # steps that those behind them have
LONGEST = 6  # atoms of a row on each side that are looked at
ON_ROW = 0.1  # steps: a site of the row lies no farther from where it should be


@dataclass(frozen=True)
class Crowdion:
    """Atoms that have moved along the row, the place (Å) between the middle sites, words."""

    atoms: np.ndarray
    place: np.ndarray
    words: str


def crowdion(
    frame: Frame, sites: Sites, tree: cKDTree, image_site: np.ndarray, atom: int
) -> Crowdion | None:
    """The crowdion about an atom without a site, or None.

    The atom lies midway between two sites next to each other, and the atoms of the row through
    both have given way along it on both sides, farther from the middle less and less: n + 1 atoms
    share n sites of a row (Paneth, Phys. Rev. 80, 708 (1950)).

    Parameters
    ----------
    frame, sites
        Of the crystal.
    tree, image_site
        Tree of the sites with their images, and the site of each image.
    atom
    """
    here = wrap(frame.positions[[atom]], frame.cell, frame.pbc)[0]
    (first, second), (one, two) = tree.query(here, k=2)
    step = tree.data[two] - tree.data[one]
    length = np.linalg.norm(step)
    spacing = tree.query(tree.data[one], k=2)[0][1]
    if first + second > 2 * length or length > 1.1 * spacing:
        return None
    along, middle = step / length, (tree.data[one] + tree.data[two]) / 2
    away = here - middle
    if abs(away @ along) > MIDWAY * length:
        return None
    if np.linalg.norm(away - (away @ along) * along) > BESIDE * length:
        return None
    sides = [_given_way(frame, sites, tree, image_site, middle, sign * step) for sign in (-1, 1)]
    if any(len(moved) < 2 for _, moved in sides):
        return None
    near, far = np.mean([moved[:2] for _, moved in sides], axis=0)
    if near < GIVE_WAY or far < FARTHER or min(moved[0] for _, moved in sides) < FARTHER:
        return None
    chain = [owners[: _reach(moved)] for owners, moved in sides]
    atoms = np.unique(np.concatenate([[atom], *chain]))
    words = (
        f"; {len(atoms)} atoms of a row share {len(atoms) - 1} sites, those next to the middle "
        f"{near * length:.2f} Å out of place along it"
    )
    return Crowdion(atoms, middle, words)


def _given_way(frame, sites, tree, image_site, middle, step):
    """Atoms on the sites of a row on one side, and how far each went that way, in steps."""
    length = np.linalg.norm(step)
    owners, moved = [], []
    for k in range(LONGEST):
        place = wrap((middle + (k + 0.5) * step)[None], frame.cell, frame.pbc)[0]
        away, image = tree.query(place)
        owner = sites.owner[image_site[image]] if away < ON_ROW * length else -1
        if owner < 0 or owner in owners:
            break
        owners.append(owner)
        moved.append(float(sites.off[owner] @ step) / length**2)
    return owners, moved


def _reach(moved):
    """How many atoms from the middle on have moved noticeably."""
    small = np.flatnonzero(np.array(moved) < FARTHER)
    return int(small[0]) if len(small) else len(moved)
