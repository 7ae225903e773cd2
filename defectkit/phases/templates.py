"""Shapes that a neighbourhood is fitted to: the ideal neighbours of each template, and rotations.

Everything is measured against a template in the axes of its crystal (cubic axes; for hexagonal
crystals x along a, z along c), so that a rotation is an orientation of the crystal.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, graphene
from scipy.spatial.transform import Rotation

from . import _mdapy

CUBIC, HEXAGONAL = "cubic", "hexagonal"
#: Atoms in the first shell of a template, and the largest step in distance between two of them:
#: hcp cadmium has 1.11, mercury 1.15, A7 bismuth 1.29 among twelve and 1.15 among six.
FIRST_SHELL = {1: (12, 1.13), 2: (12, 1.13), 3: (8, 1.12), 5: (6, 1.12)}
#: The least step from that shell to the next atom: graphene has 1.7, its layers lie farther apart.
BEYOND = {8: (3, 1.2)}
SYSTEM = {1: CUBIC, 2: HEXAGONAL, 3: CUBIC, 5: CUBIC, 6: CUBIC, 7: HEXAGONAL, 8: HEXAGONAL}


def ideal_crystal(code: int) -> Atoms:
    """The crystal of a template with neighbours 1 Å apart, in its own axes."""
    root = np.sqrt(8 / 3)
    if code == 8:
        sheet = graphene(a=np.sqrt(3), vacuum=5)
        return Atoms(sheet.numbers, sheet.positions, cell=sheet.cell, pbc=[True, True, False])
    return {
        1: lambda: bulk("Cu", "fcc", a=np.sqrt(2), cubic=True),
        2: lambda: bulk("Mg", "hcp", a=1.0, c=root),
        3: lambda: bulk("Fe", "bcc", a=2 / np.sqrt(3), cubic=True),
        5: lambda: bulk("Po", "sc", a=1.0),
        6: lambda: bulk("C", "diamond", a=4 / np.sqrt(3), cubic=True),
        7: lambda: bulk("ZnS", "wurtzite", a=root, c=8 / 3, u=0.375),
    }[code]()


@cache
def template(code: int) -> np.ndarray:
    """Points (n, 3) of a template in the matching's own order, the centre first at 0.

    Taken from the matching of the ideal crystal itself, so that the order is mdapy's.
    """
    crystal = ideal_crystal(code)
    points = _mdapy.frame(crystal.positions, crystal.cell.complete(), crystal.pbc)
    neighbours, _ = _mdapy.nearest(points)
    order = _mdapy.match_templates(points, neighbours, (code,))[3][0]
    order = order[order >= 0]
    return points.minimum(points.positions[order] - points.positions[order[0]])


@cache
def symmetries(system: str) -> np.ndarray:
    """Proper rotations of the cubic (24) or hexagonal (12) lattice, quaternions (n, 4), w last."""
    name = {CUBIC: "O", HEXAGONAL: "D6"}[system]
    return Rotation.create_group(name).as_quat()


def relations(one: int, other: int) -> np.ndarray:
    """Quaternions (n, 4) between a crystal of `one` code and an aligned one of the `other`.

    For two crystals of one system its symmetries; between a cubic and a hexagonal packing those
    that lay the basal plane on a {111} and a close-packed row on another, so that the fcc on both
    sides of a stacking fault is aligned with the hcp in it.
    """
    return _between(SYSTEM[one], SYSTEM[other])


@cache
def _between(first, second):
    if first == second:
        return symmetries(first)
    x, z = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, 1]) / np.sqrt(3)
    lay = Rotation.from_matrix(np.stack([x, np.cross(z, x), z], axis=1))
    every = [
        (Rotation.from_quat(o) * lay * Rotation.from_quat(h)).as_quat()
        for o in symmetries(CUBIC)
        for h in symmetries(HEXAGONAL)
    ]
    if first == HEXAGONAL:
        every = [Rotation.from_quat(q).inv().as_quat() for q in every]
    every = np.array(every)
    every *= np.where(every[:, 3:] != 0, np.sign(every[:, 3:]), 1)
    return np.unique(every.round(9), axis=0)


@cache
def template_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All templates as arrays for the kernels, by code.

    Returns points less their mean (9, 17, 3), their number (9,), the sum of their squared lengths
    (9,) and their pseudo-inverses (9, 3, 17).
    """
    ideal, counts = np.zeros((9, 17, 3)), np.zeros(9, np.int64)
    inverses = np.zeros((9, 3, 17))
    for code in SYSTEM:
        points = template(code)
        counts[code] = len(points)
        ideal[code, : len(points)] = points - points.mean(axis=0)
        inverses[code, :, : len(points)] = np.linalg.pinv(ideal[code, : len(points)])
    return ideal, counts, (ideal**2).sum(axis=(1, 2)), inverses


def torn(distance: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Flags (n_atoms,) of atoms whose template's first shell falls into two, or does not end.

    In grey arsenic, antimony and bismuth (A7) twelve atoms around each are arranged nearly as in
    fcc, but three, three and six of them at different distances; in omega titanium the three of
    graphene are followed by more as near. Judged by the mean of each rank over all atoms with one
    template, which heat alone leaves close together.

    Parameters
    ----------
    distance : array (n_atoms, n)
        Å, to the nearest atoms, nearest first.
    codes : array (n_atoms,) of int
    """
    flags = np.zeros(len(codes), bool)
    for code, (size, most) in FIRST_SHELL.items():
        mine = codes == code
        if mine.any() and distance.shape[1] >= size:
            mean = distance[mine, :size].mean(axis=0)
            flags |= mine & bool((mean[1:] > most * mean[:-1]).any())
    for code, (size, least) in BEYOND.items():
        mine = codes == code
        if mine.any() and distance.shape[1] > size:
            mean = distance[mine, : size + 1].mean(axis=0)
            flags |= mine & bool(mean[size] < least * mean[size - 1])
    return flags


def leave_chance(structure: Any) -> None:
    """Takes the crystal of all atoms from those beside a lattice of another element.

    Those of whose nearest twelve more than three are on it: some oxygens of a warm perovskite are
    fcc so, by chance. `structure` is a Structure; its spacing becomes that of the nearest atoms
    where no crystal of all atoms is left.
    """
    own = structure.sublattice
    if not own.any():
        return
    structure.codes[~own & (own[structure.neighbours[:, :12]].mean(axis=1) > 0.25)] = 0
    if not (structure.codes[~own] > 0).any():
        structure.spacing = float(np.median(np.linalg.norm(structure.vectors[:, 0], axis=1)))
