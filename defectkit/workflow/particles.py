"""Names of what is inside a particle: below its surface, or of many twins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..phases.classical import classical_types
from .members import rows_of, share_of

BESIDE = 0.8  # share of a cluster next to a surface that names it so
LEAST_CRYSTAL = 0.2  # of the atoms inside a body whose surface hides what lies below it
PACKINGS = ("fcc", "hcp", "icosahedral")
PACKED, TWINNED = 0.4, 0.05  # shares inside a particle that are close-packed, and hcp
SMALLEST = 13  # atoms inside the icosahedron of 55
ONE_AXIS = 0.8  # mean square cosine of hcp axes with their common one; heat alone leaves more
BELOW = "below the surface"
ICOSAHEDRON = "icosahedron, multiply twinned"


def name_in_particle(
    label: int, made: Mapping, analyses: Sequence, twinned: bool = False
) -> tuple[str, float, str] | None:
    """Name of atoms of no one crystal in a particle: below its surface, or of many twins; or None.

    Common neighbour analysis finds fcc, hcp or icosahedral order at less than a fifth of the
    atoms of a droplet. `twinned`: as `of_twins` says.
    """
    open_ones = [
        a
        for a in analyses
        if not a.atoms.pbc.all() or any(d.kind == "cluster surface" for d in a.extended)
    ]
    if not open_ones:
        return None
    below = share_of(label, made, open_ones, below_surface)
    if below >= BESIDE and not twinned:
        return BELOW, below, f"{below:.0%} of its atoms are next to the surface of a crystal"
    types = np.concatenate([_types_inside(a) for a in open_ones])
    share = {kind: float((types == kind).mean()) if len(types) else 0.0 for kind in PACKINGS}
    packed = sum(share.values())
    centred = (types == "icosahedral").sum() == len(open_ones)
    if centred and len(types) == SMALLEST * len(open_ones):
        words = "an icosahedral atom and the twelve around it inside a surface"
        return ICOSAHEDRON, 1.0, words
    if packed < PACKED or share["hcp"] < TWINNED:
        return None
    called = ICOSAHEDRON if centred else "close-packed, multiply twinned"
    told = ", ".join(f"{part:.0%} {kind}" for kind, part in share.items() if part >= 0.005)
    words = (
        f"common neighbour analysis of the atoms inside: {told}; the hcp atoms are twin planes "
        "between fcc parts in many orientations"
    )
    if centred:
        words += ", which meet at one icosahedral atom"
    return called, packed, words


def outside(a: Any) -> np.ndarray:
    """Flags of the atoms at a surface."""
    flags = np.zeros(len(a.atoms), bool)
    for d in a.extended:
        if "surface" in d.kind or d.kind == "cavity":
            flags[d.atoms] = True
    return flags


def below_surface(a: Any) -> np.ndarray:
    """Flags of the atoms beside the surface of a body that is crystalline inside."""
    surface, crystalline = outside(a), a.structure.codes > 0
    if surface.all() or crystalline[~surface].mean() < LEAST_CRYSTAL:
        return np.zeros(len(a.atoms), bool)
    return surface[a.structure.neighbours[:, :14]].any(axis=1)


def _types_inside(a):
    """Structure of the atoms inside a particle by common neighbour analysis."""
    surface = outside(a)
    types = classical_types(a.atoms).get("common neighbour analysis")
    return np.zeros(0, "<U20") if not surface.any() or types is None else types[~surface]


def of_twins(label: int, made: Mapping, analyses: Sequence) -> bool:
    """Whether the hcp atoms of a cluster have several axes: twin planes, as in a decahedron."""
    axes = np.concatenate(
        [
            a.structure.rotation[atoms[a.structure.labels[atoms] == "hcp"], :, 2]
            for a in analyses
            for atoms in [made["atom"][rows_of(label, made, a.frame)]]
        ]
    )
    return len(axes) > 0 and np.linalg.eigvalsh(axes.T @ axes / len(axes))[-1] < ONE_AXIS
