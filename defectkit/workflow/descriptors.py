"""Descriptors for a stranger's atoms: how far they see is taken from the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from ..descriptors import knows
from ..neighbours.lists import neighbour_pairs
from ..symmetry import SymmetryFunctions, features_of_each
from .site_groups import WATER

if TYPE_CHECKING:
    from ase import Atoms

    from ..descriptors.protocol import Descriptor
    from .site_groups import SiteGroup

SHELLS = 2.3  # nearest-neighbour spacings: the second or third shell of most crystals
SHORTEST, LONGEST = 3.5, 9.0  # Å
BLIND = "Cu"  # stands for every element where elements are not told apart
SAMPLE = 20_000  # atoms that tell the spacing


def neighbour_spacing(atoms: Atoms, group: SiteGroup) -> float:
    """Median distance (Å) from an atom of the group to the nearest atom that counts.

    Counting are all atoms but the hydrogens of water. Of lone atoms: infinite.
    """
    around = atoms[atoms.numbers != 1] if group.name == WATER else atoms
    wanted = group.members(around)
    wanted = wanted[:: 1 + len(wanted) // SAMPLE]
    reach = 4.0
    while reach < 20.0:
        i, d = neighbour_pairs("id", around, reach)
        nearest = np.full(len(around), np.inf)
        np.minimum.at(nearest, i, d)
        if len(wanted) and np.isfinite(nearest[wanted]).mean() > 0.9:
            return float(np.median(nearest[wanted]))
        reach *= 1.5
    return float("inf")


def reach_of_data(
    frames: Sequence[Atoms], groups: Sequence[SiteGroup], scale: float = SHELLS
) -> float:
    """How far descriptors have to see (Å): `scale` times the widest nearest-neighbour spacing."""
    largest = max(frames, key=len)
    spacings = [
        neighbour_spacing(largest, group) for group in groups if len(group.members(largest))
    ]
    spacings = [s for s in spacings if np.isfinite(s)]
    reach = scale * max(spacings, default=SHORTEST / scale)
    return round(float(np.clip(reach, SHORTEST, LONGEST)), 2)


def functions_for(
    frames: Sequence[Atoms], groups: Sequence[SiteGroup], cutoff: float
) -> SymmetryFunctions:
    """Symmetry functions of the elements of the frames, as the groups tell them apart."""
    if any(group.blind for group in groups):
        return SymmetryFunctions.for_elements([BLIND], cutoff)
    return SymmetryFunctions.for_elements(
        sorted({s for atoms in frames for s in set(atoms.symbols)}), cutoff
    )


def group_features(
    frames: Iterable[Atoms],
    index: Sequence[np.ndarray],
    group: SiteGroup,
    symmetry: Callable[..., Any],
    n_jobs: int | None = None,
    progress: bool | None = True,
) -> list[np.ndarray]:
    """Features of the atoms `index` (one array per frame) of a group: a list of (n, n_features).

    Frames without such atoms give (0, n_features).
    """
    shown = (blind(atoms) for atoms in frames) if group.blind else iter(frames)
    some = [n for n, i in enumerate(index) if len(i)]
    wanted = set(some)
    pairs = ((atoms, index[n]) for n, atoms in enumerate(shown) if n in wanted)
    rows = features_of_each(pairs, symmetry, n_jobs, progress)
    result = list(repeat(np.empty((0, rows[0].shape[1])), len(index)))
    for n, of_frame in zip(some, rows, strict=True):
        result[n] = of_frame
    return result


def known_groups(groups: Sequence[SiteGroup], given: Any) -> list[SiteGroup]:
    """The groups that a descriptor given by the caller describes, with their real elements.

    ValueError where it describes none of them.
    """
    kept = [replace(g, blind=False) for g in groups if all(knows(given, e) for e in g.elements)]
    if not kept:
        raise ValueError(
            "the symmetry functions given have none of the elements of these atoms "
            "as centres; give others, or leave symmetry out."
        )
    return kept


def columns(symmetry: Descriptor, group: SiteGroup) -> list[str]:
    """One text per feature of a group."""
    return symmetry.names(BLIND if group.blind else group.elements[0])


def said_of(symmetry: Any, cutoff: float, n_features: int) -> str:
    """Which descriptors were taken, in a sentence."""
    if isinstance(symmetry, SymmetryFunctions):
        return f"descriptors: {n_features} symmetry functions up to {cutoff:.2f} Å"
    name = getattr(symmetry, "kind", type(symmetry).__name__)
    made = getattr(symmetry, "version", "")
    return (
        f"descriptors: {n_features or ''} features of {name}".replace("  ", " ")
        + (f" ({made})" if made else "")
        + f" up to {cutoff:.2f} Å"
    )


def blind(atoms: Atoms) -> Atoms:
    """A copy whose atoms are all of one element."""
    copy = atoms.copy()
    copy.symbols = [BLIND] * len(atoms)
    return copy
