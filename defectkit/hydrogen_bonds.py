"""Hydrogen bonds by geometry: which molecule donates one to which, and the class of each.

The geometric criterion of Luzar and Chandler, Phys. Rev. Lett. 76, 928 (1996): two oxygens nearer
than 3.5 Å, and an angle of less than 30 degrees between the O-H bond and the line to the other
oxygen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ._types import Frames
from .neighbours.lists import neighbour_pairs

if TYPE_CHECKING:
    from ase import Atoms

OH = 1.6  # Å: a hydrogen farther than this from every oxygen belongs to none


def hydrogen_bonds(atoms: Atoms, distance: float = 3.5, angle: float = 30.0) -> np.ndarray:
    """Donor oxygen, hydrogen and acceptor oxygen of every hydrogen bond in one frame.

    A hydrogen belongs to the oxygen nearest to it and donates at most one bond, the straightest.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å) with O and H, any cell and boundaries, wrapped or not; other elements are
        left out.
    distance : float
        Å, largest distance between the two oxygens.
    angle : float
        Degrees, largest angle H-O...O at the donor.

    Returns
    -------
    array (n_bonds, 3) of int
        Indices into `atoms`: donor, hydrogen, acceptor; sorted by hydrogen.

    Raises
    ------
    ValueError
        No oxygen or no hydrogen, limits outside 0 to 90 degrees or not above 0 Å, a hydrogen
        farther than 1.6 Å from every oxygen.

    Source: Luzar, Chandler, Phys. Rev. Lett. 76, 928 (1996).

    Examples
    --------
    >>> from ase import Atoms
    >>> dimer = Atoms("OHHOHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0],
    ...                          [2.9, 0, 0], [3.3, 0.7, 0.5], [3.3, 0.2, -0.9]])
    >>> hydrogen_bonds(dimer).tolist()
    [[0, 1, 3]]
    """
    if not distance > 0 or not 0 < angle <= 90:
        raise ValueError(
            f"distance={distance} Å and angle={angle} degrees: use a distance above "
            "0 and an angle up to 90."
        )
    oxygen, hydrogen = np.flatnonzero(atoms.numbers == 8), np.flatnonzero(atoms.numbers == 1)
    if not len(oxygen) or not len(hydrogen):
        raise ValueError(
            f"{len(oxygen)} oxygens and {len(hydrogen)} hydrogens: hydrogen bonds "
            "need both; give the frame with all its atoms."
        )
    water = atoms[np.concatenate([oxygen, hydrogen])]
    n_oxygen = len(oxygen)
    owner, bond = _owners(water, n_oxygen)
    i, j, vector = _pairs(water[:n_oxygen], distance)
    # every hydrogen of the donor i with every oxygen j near it
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], np.arange(n_oxygen + 1))
    count = np.diff(first)[i]
    pair = np.repeat(np.arange(len(i)), count)
    step = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    h = order[first[i[pair]] + step]
    cosine = np.einsum("nk,nk->n", bond[h], vector[pair])
    cosine /= np.linalg.norm(bond[h], axis=1) * np.linalg.norm(vector[pair], axis=1)
    straight = cosine > np.cos(np.radians(angle))
    pair, h, cosine = pair[straight], h[straight], cosine[straight]
    order = np.lexsort((-cosine, h))
    chosen = order[np.unique(h[order], return_index=True)[1]]
    pair, h = pair[chosen], h[chosen]
    return np.stack([oxygen[i[pair]], hydrogen[h], oxygen[j[pair]]], axis=1)


def count_hydrogen_bonds(
    frames: Frames, distance: float = 3.5, angle: float = 30.0
) -> tuple[np.ndarray, np.ndarray]:
    """Hydrogen bonds that each oxygen donates and accepts.

    In a perfect ice crystal every molecule donates two and accepts two (DDAA). Around a vacancy
    two molecules accept one too few (DDA) and two donate one too few (DAA).

    Parameters
    ----------
    frames : ase.Atoms or sequence of them
    distance, angle : float
        As `hydrogen_bonds`.

    Returns
    -------
    donated, accepted : arrays (n_oxygens,) of int, or (n_frames, n_oxygens) for a sequence
        In the order of the oxygens in the frame.

    Raises as `hydrogen_bonds`; ValueError also where frames differ in their number of oxygens.

    Examples
    --------
    >>> from ase import Atoms
    >>> dimer = Atoms("OHHOHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0],
    ...                          [2.9, 0, 0], [3.3, 0.7, 0.5], [3.3, 0.2, -0.9]])
    >>> donated, accepted = count_hydrogen_bonds(dimer)
    >>> donated.tolist(), accepted.tolist()
    ([1, 0], [0, 1])
    """
    single = hasattr(frames, "positions")
    counts, size = [], None
    for k, atoms in enumerate([frames] if single else frames):
        oxygen = np.flatnonzero(atoms.numbers == 8)
        if size not in (None, len(oxygen)):
            raise ValueError(
                f"Frame {k} has {len(oxygen)} oxygens, the first {size}; count "
                "frames of different size one by one."
            )
        size, bonds = len(oxygen), hydrogen_bonds(atoms, distance, angle)
        counts.append(
            [np.bincount(bonds[:, column], minlength=len(atoms))[oxygen] for column in (0, 2)]
        )
    donated, accepted = np.array(counts).swapaxes(0, 1)
    return (donated[0], accepted[0]) if single else (donated, accepted)


def bonding_class(donated: ArrayLike, accepted: ArrayLike) -> np.ndarray:
    """Class of each molecule by its hydrogen bonds: "DDAA", "DDA", "DAA", "DA", ... or "none".

    A D for each bond donated, an A for each accepted.

    Parameters
    ----------
    donated, accepted : arrays of int, of one shape
        From :func:`count_hydrogen_bonds`.

    Returns
    -------
    array of str, of that shape

    Raises
    ------
    ValueError
        Arrays of different shape, or numbers below 0.

    Examples
    --------
    >>> bonding_class([2, 2, 1, 0], [2, 1, 2, 0]).tolist()
    ['DDAA', 'DDA', 'DAA', 'none']
    """
    donated, accepted = np.asarray(donated), np.asarray(accepted)
    if donated.shape != accepted.shape or (donated < 0).any() or (accepted < 0).any():
        raise ValueError(
            f"donated {donated.shape} and accepted {accepted.shape} must be counts "
            "of the same molecules; give both arrays of count_hydrogen_bonds."
        )
    names = [
        "D" * d + "A" * a or "none"
        for d, a in zip(donated.ravel().tolist(), accepted.ravel().tolist(), strict=True)
    ]
    return np.array(names, dtype=str).reshape(donated.shape)


def _pairs(atoms, cutoff):
    """Centres, neighbours and vectors (Å) of all pairs nearer than `cutoff`, images included."""
    centre, neighbour, vector = neighbour_pairs("ijD", atoms, cutoff)
    return centre.astype(int), neighbour.astype(int), vector


def _owners(water, n_oxygen):
    """Oxygen that each hydrogen belongs to, and the vectors (Å) from that oxygen to it."""
    i, j, vector = _pairs(water, OH)
    mine = (i < n_oxygen) & (j >= n_oxygen)
    i, h, vector = i[mine], j[mine] - n_oxygen, vector[mine]
    order = np.lexsort((np.linalg.norm(vector, axis=1), h))
    bound, nearest = np.unique(h[order], return_index=True)
    lost = np.setdiff1d(np.arange(len(water) - n_oxygen), bound)
    if len(lost):
        raise ValueError(
            f"{len(lost)} hydrogens are farther than {OH} Å from every oxygen; check "
            "the unit of the positions (Å) and the cell."
        )
    chosen = order[nearest]
    return i[chosen], vector[chosen]
