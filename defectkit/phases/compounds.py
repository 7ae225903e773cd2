"""Which known compound a crystal is: its neighbours' distances against ideal prototypes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from ..neighbours.lists import neighbour_pairs
from .angles import contradicted, surroundings
from .prototypes import COMMON, of_elements, prototypes

if TYPE_CHECKING:
    from ase import Atoms

    from .crystals import Structure
    from .stacking import Stacking

NEIGHBOURS = 24  # of each element, per atom
UNKNOWN = "unknown crystal"
LEAST_CONTENT = 0.05  # of an element that the crystal's name speaks of
NEAR = 0.07  # rms difference of shells over the spacing: a thermal prototype is nearer
LEAST_ALLOY = 30  # atoms: fewer neighbours cannot tell a random alloy from an ordered one
AS_NEAR = 1.5  # times the misfit of a nearer prototype that the angles contradict
MOST_BONDS = 8  # neighbours of another element that are bonds
BROKEN, FORMED = 1.3, 1.2  # mean lengths: a longer one is no bond, a shorter one is one more
HEATS = (0.0, 0.04, 0.08)  # rattles (of the nearest distance) that prototypes are compared at
SMOOTH = 0.5  # of the atoms fit one template, by which heat was taken out of their positions
HOTTEST = 0.12  # at which angles are, too
HOT = 0.08  # spread of the distance to the nearest unlike atom beyond which they may be so hot
# The crystal of all atoms together, where they fit one.
BLIND = {
    "rock salt": "simple cubic",
    "zinc blende": "diamond",
    "wurtzite": "hexagonal diamond",
    "caesium chloride (B2)": "bcc",
    "L1_2": "fcc",
    "L1_0": "fcc",
    "D0_22": "fcc",
    "alpha-NaFeO2": "simple cubic",
    "D0_3": "bcc",
    "boron nitride sheet": "graphene",
}
EQUAL = (
    "rock salt",
    "zinc blende",
    "wurtzite",
    "caesium chloride (B2)",
    "L1_0",
    "boron nitride sheet",
)


@dataclass
class Prototype:
    """What a crystal's shells of neighbours say.

    Attributes
    ----------
    name : str
        "rock salt", ... , "fcc random alloy", or "unknown crystal".
    margin : float
        1 - misfit / misfit of the next prototype: 0 undecided, near 1 sure; 0 where unknown.
    misfit : float
        Rms difference of the shells' mean distances over the spacing.
    sites : dict of str
        Element to the element whose site it takes in the prototype's usual compound, such as
        {"Ba": "Sr", "Ti": "Ti", "O": "O"} in perovskite; empty where the sites are equal.
    second : str
        The next nearest prototype.
    words : str
        One sentence.
    stacking : Stacking or None
        Where its layers are stacked as in a polytype (:mod:`defectkit.phases.stacking`).
    """

    name: str
    margin: float
    misfit: float
    sites: dict
    second: str
    words: str
    stacking: Stacking | None = None

    def __iter__(self):
        return iter((self.name, self.margin))


def shells(
    atoms: Atoms, count: int = NEIGHBOURS, inside: np.ndarray | None = None
) -> dict[tuple[str, str], np.ndarray]:
    """Mean sorted distances (Å) from each element to each: {(A, B): array (count,)}.

    The median over the atoms of A (those `inside`, flags, where these are given) of the distance
    to the k-th nearest atom of B: a few wrong atoms do not change it.
    """
    return _shells(surroundings(atoms, count, inside))


def _shells(vectors):
    """Shells of what `surroundings` gives."""
    result = {}
    for pair, found in vectors.items():
        distance = np.linalg.norm(found, axis=-1)
        known = np.isfinite(distance).any()
        result[pair] = np.nanmedian(distance, axis=0) if known else np.full(found.shape[1], np.nan)
    return result


@cache
def _ideal_surroundings(name, heat=0.0, elemental=False):
    ideal = of_elements()[name] if elemental else prototypes()[name]
    if not heat:
        return surroundings(ideal, NEIGHBOURS)
    repeat = [2 if periodic else 1 for periodic in ideal.pbc]
    while np.prod(repeat) * len(ideal) < 120:
        repeat = [r + 1 if periodic else 1 for r, periodic in zip(repeat, ideal.pbc, strict=True)]
    hot = ideal * repeat
    nearest = min(d[0] for d in _ideal_shells(name, 0.0, elemental).values())
    hot.positions += np.random.default_rng(0).normal(0, heat * nearest, (len(hot), 3))
    return surroundings(hot, NEIGHBOURS)


@cache
def _ideal_shells(name, heat=0.0, elemental=False):
    return _shells(_ideal_surroundings(name, heat, elemental))


def _other_angles(name, vectors, pairing):
    nearest = [np.linalg.norm(v[:, 0], axis=1) for (a, b), v in vectors.items() if a != b]
    spread = max(
        (np.nanstd(d) / np.nanmean(d) for d in nearest if np.isfinite(d).any()), default=0
    )
    heats = (*HEATS, HOTTEST) if spread > HOT else HEATS
    hot = [_ideal_surroundings(name, heat) for heat in heats]
    return contradicted(vectors, hot, _ideal_shells(name), pairing)


def common_elements(atoms: Atoms) -> list[str]:
    """Symbols of the elements that make up a crystal, sorted: impurities are left out.

    An element of less than 5 % of the atoms is one, and a single atom among 14 or more.
    """
    kinds, number = np.unique(atoms.get_chemical_symbols(), return_counts=True)
    kept = (number >= LEAST_CONTENT * len(atoms)) & ((number > 1) | (len(atoms) < 14))
    return [str(kind) for kind in kinds[kept]] or [str(kinds[number.argmax()])]


def prototype(
    atoms: Atoms, types: Structure | None = None, inside: np.ndarray | None = None
) -> Prototype:
    """Nearest prototype of the crystal in one frame, and how much nearer than the next.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å) of mostly one crystal.
    types : Structure, optional
        From `structure_types`: random alloys are named by it, and its positions, from which heat
        is taken out, are used.
    inside : array (n_atoms,) of bool, optional
        Atoms whose neighbours are compared; those at a surface lack some.

    Returns
    -------
    Prototype, which unpacks as name, margin. An element alone gets the name of its crystal.
    """
    kinds = common_elements(atoms)
    main, fraction = _main_crystal(types)
    if len(kinds) == 1:
        name = main if fraction >= 0.5 else UNKNOWN
        return Prototype(
            name,
            float(fraction) if fraction >= 0.5 else 0.0,
            float("nan"),
            {},
            "",
            f"{fraction:.0%} of the atoms are {main}" if main else "",
        )
    place = atoms.copy()
    blind = ""
    if (
        types is not None
        and fraction >= SMOOTH
        and len(types.positions) == len(atoms)
        and not types.sublattice.any()
    ):
        place.positions = types.positions
        blind = main if fraction >= 0.6 else ""
    vectors = surroundings(place, NEIGHBOURS, inside)
    scores = sorted(_scores(atoms, kinds, _shells(vectors), blind), key=lambda s: s[0])
    refused = [s for s in scores if s[0] < NEAR and _other_angles(s[1], vectors, s[2])]
    alloy = _alloy(atoms, types, main, fraction)
    nearest = [s for s in scores[:1] if np.isfinite(s[0])]
    scores = [s for s in scores if s not in refused]
    limit = min([NEAR, *(AS_NEAR * s[0] for s in refused)])
    if scores and scores[0][0] < limit and not (alloy and scores[0][0] > 0.5 * NEAR):
        return _first_of(scores)
    if alloy:
        return Prototype(
            f"{main} random alloy",
            float(fraction),
            float("nan"),
            {},
            "",
            f"{fraction:.0%} of the atoms are {main}, elements without order",
        )
    near = f"; nearest {nearest[0][1]} ({nearest[0][0]:.1%} of the spacing)" if nearest else ""
    near += ", but bonds at other angles" if nearest and nearest[0] in refused else ""
    return Prototype(
        UNKNOWN,
        0.0,
        nearest[0][0] if nearest else float("nan"),
        {},
        nearest[0][1] if nearest else "",
        f"no prototype fits{near}; " + coordination_words(atoms),
    )


def _first_of(scores):
    """The Prototype of the smallest misfit, and how much nearer it is than the next."""
    misfit, variant, pairing = scores[0]
    name = COMMON.get(variant, variant)
    sites = {} if name in EQUAL else {str(k): t for t, k in pairing.items()}
    misfit = max(misfit, 1e-9)
    following = next((s for s in scores if COMMON.get(s[1], s[1]) != name), None)
    margin = 1 - misfit / following[0] if following else 1.0
    second = COMMON.get(following[1], following[1]) if following else ""
    words = f"shells of neighbours as in {name} within {misfit:.1%} of the spacing" + (
        f"; next {second} ({following[0]:.1%})"
        if following
        else "; no other prototype of this composition and packing is compared"
    )
    return Prototype(name, float(margin), float(misfit), sites, second, words)


def elemental(atoms: Atoms, near: float = 0.03) -> Prototype | None:
    """Nearest crystal of one element that no template fits, or None where none is near.

    Grey arsenic (A7; antimony, bismuth), white tin (A5) and A15 are compared, as
    :func:`prototype` compares compounds; `near` is the largest misfit.
    """
    symbol = common_elements(atoms)[0]
    measured = shells(atoms)
    best = {}
    for name, ideal in of_elements().items():
        site = ideal.get_chemical_symbols()[0]
        reference = _ideal_shells(name, 0.0, True)
        misfit = min(
            _misfit(measured, _ideal_shells(name, heat, True), reference, {site: symbol})
            for heat in HEATS
        )
        called = COMMON.get(name, name)
        best[called] = min(misfit, best.get(called, np.inf))
    name, second = sorted(best, key=best.__getitem__)[:2]
    if not best[name] < near:
        return None
    misfit = max(best[name], 1e-9)
    margin = 1 - misfit / max(best[second], 1e-9)
    words = (
        f"shells of neighbours as in {name} within {misfit:.1%} of the spacing; next {second} "
        f"({best[second]:.1%})"
    )
    return Prototype(name, float(margin), float(misfit), {}, second, words)


def _main_crystal(types):
    if types is None:
        return "", 0.0
    parts = {n: p for n, p in types.fractions().items() if n != "other"}
    return next(iter(parts.items())) if parts else ("", 0.0)


def _alloy(atoms, types, main, fraction):
    few = len(atoms) < LEAST_ALLOY
    if types is None or few or fraction < 0.5 or types.sublattice.any():
        return False
    return main in ("fcc", "hcp", "bcc", "diamond") and short_range_order(atoms, types) < 0.15


def short_range_order(atoms: Atoms, types: Structure) -> float:
    """Largest |Warren-Cowley parameter| of the first shell among pairs of common elements."""
    numbers = atoms.numbers
    near = numbers[types.neighbours[:, : 8 if (types.codes == 3).mean() > 0.5 else 12]]
    kinds, count = np.unique(numbers, return_counts=True)
    worst = 0.0
    for a in kinds[count >= 0.03 * len(numbers)]:
        rows = near[numbers == a]
        for b, number in zip(kinds, count, strict=True):
            if number >= 0.03 * len(numbers):
                expected = number / len(numbers)
                noise = 2 / np.sqrt(rows.size * expected)
                worst = max(worst, abs(1 - (rows == b).mean() / expected) - noise)
    return worst


def _scores(atoms, kinds, measured, blind):
    symbols = atoms.get_chemical_symbols()
    part = {k: symbols.count(k) / len(symbols) for k in kinds}
    for name, ideal in prototypes().items():
        if blind and BLIND.get(name) != blind:
            continue
        theirs = sorted(set(ideal.get_chemical_symbols()))
        if len(theirs) != len(kinds):
            continue
        formula = {k: ideal.get_chemical_symbols().count(k) / len(ideal) for k in theirs}
        for order in permutations(kinds):
            pairing = dict(zip(theirs, order, strict=True))
            if any(abs(formula[t] - part[k]) > 0.06 for t, k in pairing.items()):
                continue
            misfit = min(
                _misfit(measured, _ideal_shells(name, heat), _ideal_shells(name), pairing)
                for heat in HEATS
            )
            yield misfit, name, pairing


def _misfit(measured, hot, reference, pairing, count=14):
    """Rms difference of shell-averaged distances, scaled to fit, over the spacing.

    Infinite where the number of bonds is another: monoclinic zirconia has the distances of
    fluorite on the mean, but seven bonds.
    """
    ours, ideal = [], []
    for (a, b), distances in reference.items():
        own = measured[pairing[a], pairing[b]]
        if a != b and not _same_bonds(own, distances):
            return np.inf
        for rows in _shell_rows(distances, count):
            if np.isfinite(own[rows]).all() and np.isfinite(distances[rows]).all():
                weight = np.sqrt(len(rows) / distances[rows[0]] ** 2)
                ours.append((own[rows].mean(), weight))
                ideal.append(hot[a, b][rows].mean())
    if not ours:
        return np.inf
    values, weights = np.array(ours).T
    ideal = np.array(ideal)
    scale = (weights**2 * values * ideal).sum() / (weights**2 * ideal**2).sum()
    away = values / scale - ideal
    spacing = min(d[0] for d in reference.values())
    return float(np.sqrt((weights**2 * away**2).sum() / (weights**2).sum()) / spacing)


def _same_bonds(own, ideal):
    """Whether as many neighbours are near by as in the prototype, told where those are few."""
    n = int((ideal < BROKEN * ideal[0]).sum())
    if n > MOST_BONDS or n == len(ideal):
        return True
    length = own[:n].mean()
    return not (own[n - 1] > BROKEN * length or own[n] < FORMED * length)


def _shell_rows(distances, count):
    """Ranks of neighbours grouped into whole shells of an ideal crystal, up to about count."""
    cuts = np.flatnonzero(np.diff(distances) > 0.02 * distances[0]) + 1
    groups = np.split(np.arange(len(distances)), cuts)
    return [g for g in groups[:-1] if g[0] < count] or [groups[0]]


def coordination(atoms: Atoms, reach: float = 1.3) -> np.ndarray:
    """First-shell neighbours of the other elements, per atom: array (n_atoms,) of int.

    Up to `reach` times the median nearest distance between the elements.
    """
    symbols = atoms.numbers
    result = np.zeros(len(atoms), int)
    guess = 4.0
    i, j, d = neighbour_pairs("ijd", atoms, guess)
    unlike = symbols[i] != symbols[j] if len(set(symbols.tolist())) > 1 else np.ones(len(i), bool)
    i, j, d = i[unlike], j[unlike], d[unlike]
    if not len(i):
        return result
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, i, d)
    kinds = {k: np.median(nearest[symbols == k]) for k in set(symbols.tolist())}
    limit = reach * np.array([min(kinds[symbols[a]], 99) for a in i])
    return np.bincount(i[d < limit], minlength=len(atoms))


def coordination_words(atoms: Atoms) -> str:
    """How many unlike neighbours each element has: "Ga with 4 or 6 O neighbours"."""
    number = coordination(atoms)
    symbols = np.array(atoms.get_chemical_symbols())
    kinds = sorted(set(symbols))
    words = []
    for kind in kinds:
        values, count = np.unique(number[symbols == kind], return_counts=True)
        usual = values[count >= 0.15 * count.sum()]
        others = [k for k in kinds if k != kind]
        of = others[0] if len(others) == 1 else "unlike"
        if len(kinds) == 1:
            of = "nearest"
        words.append(f"{kind} with {' or '.join(map(str, usual))} {of} neighbours")
    return ", ".join(words)
