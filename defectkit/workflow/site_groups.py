"""Which atoms share a map: one group per element, the oxygens of water, or a random alloy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..neighbours.lists import neighbour_pairs
from ..phases.water import of_water

if TYPE_CHECKING:
    from ase import Atoms

WATER = "O of water"  # name of the group of oxygens that stand for molecules
METALLIC = 3.2  # Å: ions of one element in water are no nearer to each other
BONDED = 1.25  # Å: a hydrogen nearer to an oxygen belongs to its molecule
RANDOM = 0.12  # Warren-Cowley parameter below which neighbours are drawn at random
LEAST_CONTENT = 0.05  # of an element that counts in the decision
LEAST_ATOMS = 60


@dataclass(frozen=True)
class SiteGroup:
    """Atoms that are described alike and share a map.

    name      what they are called ("Ga", "O of water", "Co, Cr, Ni: random alloy")
    elements  symbols of its atoms
    blind     the elements are not told apart, neither as centres nor as neighbours
    """

    name: str
    elements: tuple[str, ...]
    blind: bool = False

    def members(self, atoms: Atoms) -> np.ndarray:
        """Indices of its atoms in a frame."""
        return np.flatnonzero(np.isin(atoms.symbols[:], self.elements))


def site_groups(
    frames: Sequence[Atoms], centres: str | None = None
) -> tuple[list[SiteGroup], str]:
    """The groups of a set of frames, and one sentence on how they were chosen.

    Water (two hydrogens bonded to nearly every oxygen) is one group, its oxygens; each element of
    ions dissolved in it is one more. Two or more
    elements that are mixed at random on one lattice (Warren-Cowley parameters of the first shell
    below 0.12: Cowley, Phys. Rev. 77, 669 (1950)) are one group without regard to the element.
    Otherwise every element is a group. `centres`, one element, limits them to that.
    """
    present = sorted({s for atoms in frames for s in set(atoms.symbols)})
    if centres is not None:
        if not isinstance(centres, str) or centres not in present:
            raise ValueError(
                f"centres={centres!r} is not among these atoms "
                f"({', '.join(present)}); choose one of them, or leave it out."
            )
        return [SiteGroup(centres, (centres,))], f"only {centres}, as asked"
    largest = max(frames, key=len)
    if {"H", "O"} <= set(present) and of_water(largest.numbers) and is_water(largest):
        dissolved = [e for e in present if e not in "HO"]
        more = f"; ions by themselves: {', '.join(dissolved)}" if dissolved else ""
        groups = [SiteGroup(WATER, ("O",)), *(SiteGroup(e, (e,)) for e in dissolved)]
        return groups, f"water: oxygens, hydrogens follow them{more}"
    if len(present) > 1 and is_random_alloy(largest):
        return (
            [SiteGroup(", ".join(present) + ": random alloy", tuple(present), blind=True)],
            "elements mixed at random on one lattice: described without regard to them",
        )
    return [SiteGroup(e, (e,)) for e in present], "every element by itself"


def molecule_of(atoms: Atoms) -> np.ndarray:
    """For each atom of water the oxygen it belongs to (itself, for an oxygen); -1 for none."""
    owner = np.where(atoms.symbols[:] == "O", np.arange(len(atoms)), -1)
    i, j, d = neighbour_pairs("ijd", atoms, BONDED)
    bonds = (atoms.numbers[i] == 1) & (atoms.numbers[j] == 8)
    order = np.argsort(-d[bonds])  # the nearest is written last
    owner[i[bonds][order]] = j[bonds][order]
    return owner


def is_water(atoms: Atoms) -> bool:
    """Whether nearly every hydrogen has one oxygen and nearly every oxygen two hydrogens."""
    owner, oxygen, hydrogen = molecule_of(atoms), atoms.numbers == 8, atoms.numbers == 1
    if not oxygen.any():
        return False
    hydrogens = np.bincount(owner[(owner >= 0) & ~oxygen], minlength=len(atoms))[oxygen]
    if _is_solid(atoms[(atoms.numbers != 1) & ~oxygen]):
        return False
    return bool((hydrogens == 2).mean() > 0.9 and (owner[hydrogen] >= 0).mean() > 0.9)


def _is_solid(others):
    """Whether most atoms that are no water have one of their own element beside them: a metal."""
    if len(others) < 2:
        return False
    i, j = neighbour_pairs("ij", others, METALLIC)
    same = others.numbers[i] == others.numbers[j]
    return len(np.unique(i[same])) > len(others) / 2


def is_random_alloy(atoms: Atoms) -> bool:
    """Whether the elements are mixed at random, by the pairs of nearest neighbours."""
    names, kind, count = np.unique(atoms.numbers, return_inverse=True, return_counts=True)
    content = count / len(atoms)
    counted = np.flatnonzero(content > LEAST_CONTENT)
    if len(atoms) < LEAST_ATOMS or len(counted) < 2 or 1 in names:
        return False
    reach = 3.5 * (atoms.get_volume() / len(atoms)) ** (1 / 3) if atoms.pbc.all() else 6.0
    i, j, d = neighbour_pairs("ijd", atoms, reach)
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, d)
    shell = d < 1.25 * np.median(nearest)
    pairs = np.zeros((len(names), len(names)))
    np.add.at(pairs, (kind[i[shell]], kind[j[shell]]), 1.0)
    total = pairs.sum(axis=1, keepdims=True)
    if not total[counted].all():
        return False
    order = 1 - pairs / total / content
    error = np.sqrt((1 - content) / (content * total))
    near = np.abs(order) < np.maximum(RANDOM, 4 * error)
    return bool(near[np.ix_(counted, counted)].all())
