"""What a cluster is made of: neighbours, their order, open sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..neighbours.bond_order import shells
from .hdbscan import NOT_LABELLED

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["describe"]


def describe(
    labels: ArrayLike,
    frames: Sequence[Atoms],
    cutoff: float,
    centres: str | None = None,
    neighbours: Sequence[str] | None = None,
) -> pd.DataFrame:
    """What each cluster is made of: size, coordination, order of the neighbours, open sides.

    Parameters
    ----------
    labels : array (n,)
        One for each atom of each frame, in this order. Atoms labelled -2 count as neighbours of
        others, and nowhere else (`NOT_LABELLED`).
    frames : list of ase.Atoms
    cutoff : float
        Neighbours up to this distance (Å) make up the coordination number; near the first
        minimum of the radial distribution function (silicon: 2.8, oxygen in water: 3.3).
    centres : str, optional
        Only atoms of this element are labelled; by default all.
    neighbours : sequence of str, optional
        Elements that count as neighbours. Default: all, but hydrogen only where it is a centre:
        oxygens of water are told by the oxygens around them.

    Returns
    -------
    pandas.DataFrame
        One row for each label, noise (-1) last: label, size, fraction, per_frame (mean number in
        a frame), coordination and coordination_std, nearest and nearest_std (Å), q4 and q6,
        one_sided; the last five over atoms that have a neighbour within the cutoff.

    q4 and q6 are the bond orientational order parameters of Steinhardt, Nelson and Ronchetti
    (Phys. Rev. B 28, 784 (1983), eq. 1.3): fcc 0.19, 0.57; hcp 0.10, 0.48; bcc with its 8
    nearest 0.51, 0.63; diamond 0.51, 0.63. one_sided is the length of the mean direction to the
    neighbours: 0 in a crystal, about 0.5 at a free surface.

    Raises
    ------
    ValueError
        Not one label for each atom, or a cutoff that is not positive.

    Examples
    --------
    >>> from ase.build import bulk
    >>> diamond = bulk("Si", cubic=True)
    >>> describe([0] * 8, [diamond], cutoff=2.8)[["label", "coordination", "q4", "q6"]].round(3)
       label  coordination     q4     q6
    0      0           4.0  0.509  0.629
    """
    labels = np.asarray(labels)
    index = [
        np.arange(len(f)) if centres is None else np.flatnonzero(f.symbols == centres)
        for f in frames
    ]
    n = sum(map(len, index))
    if labels.shape != (n,):
        raise ValueError(
            f"labels {labels.shape} do not match {n} atoms in {len(frames)} frames; "
            "give one label for each atom" + (f" of {centres}." if centres else ".")
        )
    if not cutoff > 0:
        raise ValueError(f"cutoff={cutoff} must be a positive distance in Å.")
    wanted = np.split(labels != NOT_LABELLED, np.cumsum([len(i) for i in index])[:-1])
    of_frames = [
        shells(f, cutoff, i[w], _counted(f, centres, neighbours))
        for f, i, w in zip(frames, index, wanted, strict=True)
    ]
    number, nearest, q4, q6, one_sided = np.concatenate(of_frames, axis=1)
    labels = labels[labels != NOT_LABELLED]
    rows = []
    for label in sorted(set(labels.tolist()), key=lambda c: (c < 0, c)):
        here = labels == label
        bonded = here & (number > 0)

        def mean(values, of=bonded, how=np.mean):
            return float(how(values[of])) if of.any() else float("nan")

        rows.append(
            {
                "label": label,
                "size": int(here.sum()),
                "fraction": float(here.mean()),
                "per_frame": float(here.sum() / len(frames)),
                "coordination": mean(number, here),
                "coordination_std": mean(number, here, np.std),
                "nearest": mean(nearest),
                "nearest_std": mean(nearest, how=np.std),
                "q4": mean(q4),
                "q6": mean(q6),
                "one_sided": mean(one_sided),
            }
        )
    return pd.DataFrame(rows)


def _counted(atoms, centres, neighbours):
    """Flags of the atoms of a frame that count as neighbours."""
    if neighbours is None:
        hydrogen = atoms.symbols == "H"
        of_hydrogen = centres == "H" or (centres is None and hydrogen.all())
        return ~hydrogen | of_hydrogen
    return np.isin(atoms.symbols[:], [neighbours] if isinstance(neighbours, str) else neighbours)
