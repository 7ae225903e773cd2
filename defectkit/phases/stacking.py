"""Polytypes: crystals that stack cubic and hexagonal layers in turn, or without order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .crystals import DIAMOND, FCC, HCP, HEXAGONAL_DIAMOND
from .graph import groups, near_pairs

if TYPE_CHECKING:
    from .crystals import Structure

PAIRS = ((FCC, HCP), (DIAMOND, HEXAGONAL_DIAMOND))
STACKED = 0.8  # share of the atoms that belong to either stacking
FEWEST, MOST = 0.3, 0.7  # share of hexagonal layers: beyond, layers of the other kind are faults
PURE = 0.75  # share of a layer's atoms that are of one kind
LEAST, LEAST_DISORDERED = 4, 8  # layers round the cell
LEVEL = 0.5  # spacings along the axis: a neighbour that is less high is in the same layer
ALIGNED = 0.985  # cosine of the angle between the axes of the hexagonal atoms (10 degrees)


@dataclass(frozen=True)
class Stacking:
    """How the close-packed layers of a crystal follow one another.

    name       "polytype 4H", "dhcp (polytype 4H)", "stacking-disordered crystal"
    word       "h" (hexagonal) or "c" (cubic) for each layer, in their order round the cell
    hexagonal  share of hexagonal layers
    axis       unit vector (3,), normal to the layers
    """

    name: str
    word: str
    hexagonal: float
    axis: np.ndarray


def stacking(structure: Structure) -> Stacking | None:
    """The polytype that the layers of a periodic frame make, or None.

    Each close-packed layer (in diamond and zinc blende: of two planes) is cubic or hexagonal by
    the atoms in it (Jagodzinski, Acta Cryst. 2, 201 (1949)). A frame of which at least 30 % and
    at most 70 % of the layers are hexagonal is a polytype where their order repeats, with
    Ramsdell's name, and stacking-disordered where it does not. None where one stacking is by far
    the commoner: there the layers of the other are faults.

    Parameters
    ----------
    structure : Structure
        From `structure_types`.
    """
    for cubic, hexagonal in PAIRS:
        chosen = np.isin(structure.codes, (cubic, hexagonal)) & ~structure.sublattice
        bent = structure.codes[chosen] == hexagonal
        if chosen.mean() < STACKED or not FEWEST - 0.1 < bent.mean() < MOST + 0.1:
            continue
        axis = _axis(structure, hexagonal)
        word = "" if axis is None else _word(structure, chosen, hexagonal, axis)
        share = word.count("h") / max(len(word), 1)
        if not FEWEST <= share <= MOST:
            continue
        period = _period(word)
        if 2 * period <= len(word):
            name = f"polytype {ramsdell(word[:period])}"
            dhcp = cubic == FCC and name.endswith(" 4H")
            return Stacking(f"dhcp ({name})" if dhcp else name, word, share, axis)
        if len(word) >= LEAST_DISORDERED:
            return Stacking("stacking-disordered crystal", word, share, axis)
    return None


def ramsdell(word: str) -> str:
    """Name of a polytype from the kinds of its layers: 4H for "hc", 6H for "hcc", 9R for "hhc".

    At a hexagonal layer the step from layer to layer (A to B to C, or back) turns round.
    """
    if word.count("h") % 2:
        word += word
    step, place = 1, 0
    for kind in word:
        step = -step if kind == "h" else step
        place += step
    if "h" not in word:
        return "3C"
    return f"{len(word)}H" if place % 3 == 0 else f"{3 * len(word)}R"


def _axis(structure, hexagonal):
    """Common c axis of the hexagonal atoms, or None."""
    axes = structure.rotation[structure.codes == hexagonal][:, :, 2].astype(float)
    axes = axes[np.isfinite(axes[:, 0])]
    if not len(axes):
        return None
    axes *= np.where(axes @ axes[0] < 0, -1, 1)[:, None]
    mean = axes.mean(axis=0)
    mean /= max(np.linalg.norm(mean), 1e-9)
    return mean if (axes @ mean > ALIGNED).mean() > 0.9 else None


def _word(structure, chosen, hexagonal, axis):
    """The kinds of the layers in their order round the cell; empty where that is undefined."""
    n = len(structure.codes)
    i, j, height, level = _pairs(structure, hexagonal, axis)
    layers = groups(n, i[level], j[level], chosen)
    if len(layers) < LEAST:
        return ""
    layer = np.full(n, -1)
    for k, members in enumerate(layers):
        layer[members] = k
    up = ~level & (height > 0) & (layer[i] >= 0) & (layer[j] >= 0)
    votes = np.zeros((len(layers), len(layers)), int)
    np.add.at(votes, (layer[i[up]], layer[j[up]]), 1)
    above = votes.argmax(axis=1)
    order = [0]
    while len(order) <= len(layers) and votes[order[-1]].any():
        order.append(int(above[order[-1]]))
        if order[-1] == 0:
            break
    if order[-1] != 0 or len(order) - 1 != len(layers):
        return ""
    shares = [(structure.codes[layers[k]] == hexagonal).mean() for k in order[:-1]]
    if any(1 - PURE < share < PURE for share in shares):
        return ""
    return "".join("h" if share >= PURE else "c" for share in shares)


def _pairs(structure, hexagonal, axis):
    """Pairs i, j of close-packed neighbours, height of j over i, whether in one layer.

    In diamond these are second neighbours, and the atoms over each other by a bond along the axis
    are of one layer.
    """
    reach = 1.3 if hexagonal == HCP else 1.75
    i, j, vectors = near_pairs(structure, reach)
    height = vectors @ axis / structure.spacing
    level = np.abs(height) < LEVEL
    if hexagonal == HCP:
        return i, j, height, level
    bond = np.linalg.norm(vectors, axis=1) < 1.3 * structure.spacing
    level = np.where(bond, np.abs(height) > LEVEL, level)
    kept = ~bond | level
    return i[kept], j[kept], height[kept], level[kept]


def _period(word):
    """Length of the shortest word that the cyclic word repeats."""
    return (word + word).find(word, 1)
