"""Molecules beside a crystal: adsorbed on its surfaces, or the liquid between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..neighbours.lists import neighbour_pairs
from ..phases import ExtendedDefect, structure_types
from .molecules import LEAST_BOND, MADE_OF, MOST_ATOMS, SMALL_FRAME, bonded_groups, meets_images

if TYPE_CHECKING:
    from ase import Atoms

BOND = 1.3  # longest bond of a molecule on a surface, in sums of covalent radii
TIGHT = 1.15  # the same between two heavy atoms: sheets of WSe2 or MoTe2 hold longer pairs
LONGEST = 4.0  # Å, longer than any bond: iodine's are 3.6 at most
AROUND, ONE_SIDED = 5.0, 0.35  # Å; mean direction to the atoms around: outside of the body
OUTSIDE = 0.9  # share of the atoms of all molecules: salts hold theirs inside
CONTACT = 3.5  # Å: so near to the body a molecule is adsorbed
LEAST_LIQUID = 20  # molecules of water
MOST_PLACED = 4  # molecules whose places are told
FEWEST = 8  # atoms of a body


def molecules_outside(atoms: Atoms) -> list[np.ndarray]:
    """Molecules beside a body of other atoms, a list of arrays of int; empty where there are none.

    A molecule is two to a hundred atoms of non-metals linked by covalent bonds. Those of a salt
    or a framework (carbonate, S2 of pyrite, linkers) lie inside and count as its atoms, and so
    do a hydrogen on the oxygen of an oxide and a sheet or chain through the whole cell.

    Examples
    --------
    >>> from ase.build import fcc111, molecule
    >>> slab = fcc111("Pt", (3, 3, 3), vacuum=8)
    >>> carbon_monoxide = molecule("CO")
    >>> carbon_monoxide.translate(slab.positions[-1] + [0, 0, 3.0] - carbon_monoxide.positions[0])
    >>> len(molecules_outside(slab)), molecules_outside(slab + carbon_monoxide)
    (0, [array([27, 28])])
    """
    light = np.flatnonzero(np.isin(atoms.symbols[:], MADE_OF))
    if len(light) < 2:
        return []
    count, label = bonded_groups(atoms[light], BOND, LEAST_BOND)
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label, minlength=count)
    parts = np.split(light[order], np.cumsum(sizes)[:-1])
    single = Counter(atoms.symbols[part[0]] for part in parts if len(part) == 1)
    tight = _tight_groups(atoms, light[atoms.numbers[light] > 1])
    found = [
        part
        for part in parts
        if 1 < len(part) <= MOST_ATOMS
        and not _hydroxyl(atoms.symbols[part], single)
        and len(np.unique(tight[part][tight[part] >= 0])) < 2
        and not _through_cell(atoms, part)
    ]
    members = np.concatenate([[], *found]).astype(int)
    body = np.ones(len(atoms), bool)
    body[members] = False
    if not found or body.sum() < FEWEST:
        return []
    return found if _outside(atoms, members, body).mean() >= OUTSIDE else []


def _hydroxyl(symbols, single):
    """Whether a group is one atom that the body has by itself, too, and hydrogens on it."""
    heavy = [s for s in symbols if s != "H"]
    return len(heavy) == 1 and len(symbols) == 2 and single[heavy[0]] > 0


def _tight_groups(atoms, heavy):
    """Which atoms but hydrogen, whose bonds vibrate farthest, short bonds link; -1 for others."""
    label = np.full(len(atoms), -1)
    if len(heavy):
        label[heavy] = bonded_groups(atoms[heavy], TIGHT, LEAST_BOND)[1]
    return label


def _through_cell(atoms, part):
    """Whether a group is bonded to its own images: a sheet or chain, looked for in small cells."""
    across = np.where(atoms.pbc, atoms.cell.lengths(), np.inf).min()
    if len(atoms) >= SMALL_FRAME or LONGEST * len(part) < across:
        return False
    return meets_images(atoms[part], BOND, LEAST_BOND)


def _outside(atoms, members, body):
    """For each of the members whether the atoms of the body are all on one side of it."""
    i, j, step = neighbour_pairs("ijD", atoms, AROUND)
    mine = np.zeros(len(atoms), bool)
    mine[members] = True
    kept = mine[i] & body[j]
    i, step = i[kept], step[kept]
    step = step / np.linalg.norm(step, axis=1, keepdims=True)
    number = np.maximum(np.bincount(i, minlength=len(atoms)), 1)
    mean = np.stack([np.bincount(i, step[:, k], len(atoms)) for k in range(3)], 1)
    length = np.linalg.norm(mean / number[:, None], axis=1)
    alone = np.bincount(i, minlength=len(atoms)) == 0
    return (alone | (length > ONE_SIDED))[members]


def described(
    atoms: Atoms, molecules: list[np.ndarray], surfaces: list[ExtendedDefect]
) -> list[ExtendedDefect]:
    """One ExtendedDefect for the molecules of each formula, water first told as liquid or ice.

    atoms      one frame (Å)
    molecules  of `molecules_outside`
    surfaces   of the body, with indices of this frame
    """
    formulas = np.array([atoms.symbols[part].get_chemical_formula("hill") for part in molecules])
    nearest = _nearest(atoms, molecules)
    found = []
    for formula in dict.fromkeys(formulas):
        which = np.flatnonzero(formulas == formula)
        members = np.concatenate([molecules[k] for k in which])
        touching = [k for k in which if nearest[k][0] < CONTACT]
        phase = _phase_of_water(atoms[members]) if formula == "H2O" else None
        if phase is not None:
            where = f"{len(touching)} of them within {CONTACT} Å of it"
            words = f"{phase} beside the crystal: {len(which)} molecules of H2O, {where}"
            found.append(_defect(phase, atoms, members, words, 0.9))
            continue
        far = np.setdiff1d(which, touching)
        if touching:
            members = np.concatenate([molecules[k] for k in touching])
            words = _adsorbed(atoms, formula, touching, molecules, nearest, surfaces)
            found.append(_defect("adsorbed molecule", atoms, members, words, 0.9))
        if len(far):
            members = np.concatenate([molecules[k] for k in far])
            words = f"{len(far)} {_plural(len(far), formula)} away from the crystal"
            found.append(_defect("free molecule", atoms, members, words, 0.9))
    return found


def covered(
    surfaces: list[ExtendedDefect], atoms: Atoms, beside: list[ExtendedDefect]
) -> list[ExtendedDefect]:
    """Surfaces whose descriptions say under which liquid or ice they lie."""
    told = []
    for surface in surfaces:
        for phase in beside:
            if "adsorbed" in phase.kind or "free" in phase.kind or "surface" not in surface.kind:
                continue
            if _share_near(atoms, surface.atoms, phase.atoms) > 0.5:
                words = f"{surface.description}, interface with {phase.kind}"
                surface = replace(surface, description=words)
        told.append(surface)
    return told


def _share_near(atoms, members, others):
    """Share of the members with one of the others within 4.5 Å."""
    i, j = neighbour_pairs("ij", atoms, 4.5)
    near = np.unique(i[np.isin(j, others)])
    return np.isin(members, near).mean()


def _defect(kind, atoms, members, words, sure):
    place = atoms.positions[members].mean(axis=0)
    return ExtendedDefect(kind, members, words, None, place, sure)


def _plural(number, formula):
    return f"molecule{'s' * (number > 1)} of {formula}"


def _nearest(atoms, molecules):
    """For each molecule (Å to the nearest atom of the body, own atom, that atom).

    Hydrogens count only in molecules of nothing else.
    """
    owner, hydrogen = np.full(len(atoms), -1), atoms.numbers == 1
    for k, part in enumerate(molecules):
        owner[part] = k
    i, j, d = neighbour_pairs("ijd", atoms, AROUND)
    kept = (owner[i] >= 0) & (owner[j] < 0)
    i, j, d = i[kept], j[kept], d[kept]
    order = np.lexsort((d, hydrogen[i], owner[i]))
    first = dict(zip(*np.unique(owner[i][order], return_index=True), strict=True))
    return [
        (d[order[first[k]]], i[order[first[k]]], j[order[first[k]]])
        if k in first
        else (np.inf, -1, -1)
        for k in range(len(molecules))
    ]


def _phase_of_water(water):
    """Name of most of the water by CHILL+, None for a few molecules."""
    oxygen = water.numbers == 8
    if oxygen.sum() < LEAST_LIQUID:
        return None
    name, number = Counter(structure_types(water).labels[oxygen]).most_common(1)[0]
    return str(name) if ("water" in name or "ice" in name) and number > oxygen.sum() / 2 else None


def _adsorbed(atoms, formula, which, molecules, nearest, surfaces):
    """Adsorbed molecules of one formula in words."""
    bonds = Counter((atoms.symbols[nearest[k][1]], atoms.symbols[nearest[k][2]]) for k in which)
    (own, other), _ = bonds.most_common(1)[0]
    length = np.mean([nearest[k][0] for k in which])
    feet = [nearest[k][2] for k in which]
    planes = dict.fromkeys(
        s.details.get("plane") or ""
        for s in surfaces
        if "surface" in s.kind and np.isin(feet, s.atoms).any()
    )
    plane = " and ".join(p for p in planes if p)
    where = f"on the {plane} surface" if plane else "on the surface"
    words = f"{len(which)} adsorbed {_plural(len(which), formula)} {where}"
    words += f", {own} next to {other} at {length:.2f} Å" + (" (mean)" if len(which) > 1 else "")
    if len(which) > MOST_PLACED:
        return words
    places = [atoms.positions[nearest[k][1]] for k in which]
    told = ", ".join("(" + ", ".join(f"{x:.2f}" for x in place) + ")" for place in places)
    return f"{words}; {own} at {told} Å"
