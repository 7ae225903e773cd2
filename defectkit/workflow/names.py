"""Names of clusters, each with what it rests on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from ..phases import is_disordered
from ..phases.compounds import BLIND, prototypes
from .members import commonest, rows_of, share_of
from .particles import BELOW, BESIDE, below_surface, name_in_particle, of_twins
from .site_groups import WATER, molecule_of

if TYPE_CHECKING:
    from ase import Atoms

    from ..phases.extended import ExtendedDefect
    from .site_groups import SiteGroup

MAJORITY = 0.6  # share of a cluster's atoms that carries a name
INCOHERENT = 0.3  # mean fraction of neighbours of one orientation: below it, no crystal
LONE = 0.5  # neighbours: a gas; the atoms of a melt or a glass have two and more
THIN = 100.0  # Å³ for an atom of a gas; liquid caesium has 120 but eight neighbours
FEWEST = 8  # atoms of a frame without a crystal that get a name
#: Written last in a formula, the last of them at its end.
ELECTRONEGATIVE = (
    "B",
    "Si",
    "C",
    "Sb",
    "As",
    "P",
    "N",
    "Te",
    "Se",
    "S",
    "I",
    "Br",
    "Cl",
    "O",
    "F",
)
MOST_COMPOUNDS = 20
STACKINGS = (("zinc blende", "wurtzite"), ("diamond", "hexagonal diamond"), ("fcc", "hcp"))
LATTICES = ("fcc", "hcp", "bcc", "diamond", "hexagonal diamond")  # in whatever order of elements
AROUND = 0.5  # share of a cluster beside point defects that names it so


def followers(frames: Sequence[Atoms], groups: Sequence[SiteGroup]) -> list[np.ndarray] | None:
    """For each frame the atom whose label each atom shares (hydrogens of water), or None."""
    if groups[0].name != WATER:
        return None
    return [molecule_of(atoms) for atoms in frames]


def structure_of_environments(made: dict[str, Any], analyses: Sequence[Any]) -> np.ndarray:
    """Name of the crystal at each environment, "" where its frame was not analysed."""
    result = np.full(len(made["labels"]), "", dtype="<U24")
    for a in analyses:
        rows = made["frame"] == a.frame
        result[rows] = a.structure.labels[made["atom"][rows]]
    return result


def compound_names(analyses: Sequence[Any]) -> dict[int, Any]:
    """{frame: (name, confidence, basis) or None} of the crystal as a whole, up to 20 frames.

    None for elements and water: their crystals are named atom by atom.
    """
    found = {}
    for a in analyses[:: 1 + len(analyses) // MOST_COMPOUNDS]:
        known = a.compound
        found[a.frame] = known and (
            _called(known, _formula(known, a.atoms)),
            float(known.margin),
            known.words,
        )
    return found


def _called(known, formula):
    """Name of a compound, or of the polytype that it is."""
    if known.stacking is None:
        return known.name + formula
    pair = next(p for p in STACKINGS if known.name in p)
    share = f"{known.stacking.hexagonal:.0%} hexagonal"
    return f"{known.stacking.name}{formula}, {'/'.join(pair)} stacking, {share}"


def in_words_of(compound: Any, extended: list[ExtendedDefect]) -> list[ExtendedDefect]:
    """Extended defects whose descriptions name the compound where a template of all atoms stood.

    The atoms of rock salt together are simple cubic, those of zinc blende diamond.
    """
    if compound is None or compound.margin <= 0:
        return extended
    template = BLIND.get(compound.name)
    same = (
        {BLIND[name]: name for name in ("zinc blende", "wurtzite")}
        if template in ("diamond", "hexagonal diamond")
        else {template: compound.name}
        if template
        else {}
    )
    same |= {"a body that is no known crystal": compound.name}
    return [
        replace(
            d,
            description=re.sub(
                "|".join(sorted(map(re.escape, same), key=len, reverse=True)),
                lambda found: same[found[0]],
                d.description,
            ),
        )
        for d in extended
    ]


def _compound_of(label, made, compounds):
    """The compound of most of a cluster's atoms, or None."""
    weight = {}
    for frame, known in compounds.items():
        name = None if known is None else known[0]
        weight[name] = weight.get(name, 0) + len(rows_of(label, made, frame))
    best = max(weight, key=weight.__getitem__)
    return next(
        known for known in compounds.values() if (None if known is None else known[0]) == best
    )


def _formula(found, atoms):
    """Formula, " GaN" for wurtzite with Ga and N on its sites; "" where that is unknown."""
    if found.name not in prototypes():
        return ""
    count = Counter(prototypes()[found.name].get_chemical_symbols())
    own = {e: count[site] for e, site in found.sites.items()}
    if not own:  # equal sites
        common = Counter(atoms.get_chemical_symbols()).most_common(len(count))
        own = dict.fromkeys((e for e, _ in common), 1)
    order = sorted(
        sorted(own), key=lambda e: ELECTRONEGATIVE.index(e) if e in ELECTRONEGATIVE else -1
    )
    least = gcd(*own.values())
    return " " + "".join(e + (str(own[e] // least) if own[e] > least else "") for e in order)


def disorder_name(analyses: Sequence[Any], connected: bool, dt: float | None) -> tuple[str, str]:
    """Name with its basis of what has no order: "liquid", "amorphous", "liquid or amorphous"."""
    if connected and dt and len(analyses) > 2:
        found = is_disordered([a.atoms for a in analyses], dt=dt)
        if found.disordered:
            return found.name, found.words
    return "liquid or amorphous", "no crystal order"


def _is_thin(atoms):
    return atoms.pbc.all() and atoms.get_volume() > THIN * len(atoms)


def cluster_name(
    label: int, made: dict, analyses: Sequence, row: Mapping, compounds: dict, disorder: Any
) -> tuple[str, float, str]:
    """Name, confidence (0 to 1) and basis of one cluster.

    row                  what is known of its atoms (`coordination`)
    compounds, disorder  of `compound_names` and `disorder_name`
    """
    formulas = _molecules_of(label, made, analyses)
    if formulas:
        return f"molecules of {formulas}", 1.0, "every atom is in a molecule by covalent radii"
    compound = _compound_of(label, made, compounds)
    kind, share = _extended_kind(label, made, analyses)
    if share >= MAJORITY:
        return kind, share, f"{share:.0%} of its atoms are in one"
    beside = _beside_point_defects(label, made, analyses)
    if beside >= AROUND:
        return "around point defects", beside, f"{beside:.0%} of its atoms are beside one"
    name, share, coherent = commonest(label, made, analyses)
    if made["water"] and (made["group"][made["labels"] == label] > 0).all():
        return f"ions in {name}", share, f"the water around {share:.0%} of them"
    if made["water"] and name == "other":
        return "water molecules", share, "no order of ice or liquid among their oxygens"
    known = compound is not None and compound[1] > 0
    few = max(len(a.atoms) for a in analyses) < FEWEST
    if few and not known and (name == "other" or share < MAJORITY):
        return "too few atoms to name", 0.0, f"fewer than {FEWEST} atoms and no crystal"
    if (
        name == "other"
        and coherent < INCOHERENT
        and not (known or any(a.point.decided or a.group is not None for a in analyses))
    ):
        called = name_in_particle(label, made, analyses)
        if called:
            return called
        if row["coordination"] < LONE and all(_is_thin(a.atoms) for a in analyses):
            return "gas", share, f"{row['coordination']:.2g} neighbours for each of its atoms"
        return (
            disorder[0],
            share,
            (
                f"{disorder[1]}; {share:.0%} of its atoms fit no crystal, "
                f"{coherent:.0%} of neighbours are oriented alike"
            ),
        )
    ordered = share >= MAJORITY and name in LATTICES
    if compound is not None and (known or not ordered):
        sure = not compound[0].startswith("unknown")
        called = compound[0] if sure else f"unknown crystal, {row['coordination']:.1f} neighbours"
        return called, compound[1], compound[2]
    if name == "hcp" and of_twins(label, made, analyses):
        called = name_in_particle(label, made, analyses, twinned=True)
        if called:
            return called
    if share >= MAJORITY and name != "other":
        return _by_template(label, made, analyses, compound, name, share)
    beside = share_of(label, made, analyses, _near_point_defects)
    if beside >= AROUND:
        return "around point defects", beside, f"{beside:.0%} of its atoms are near one"
    return _without_template(label, made, analyses, row, f"{share:.0%} {name}")


def _without_template(label, made, analyses, row, most):
    """Name of a cluster that fits no template, compound or defect."""
    called = name_in_particle(label, made, analyses)
    if called:
        return called
    below = share_of(label, made, analyses, below_surface)
    if below >= BESIDE:
        return BELOW, below, f"{below:.0%} of its atoms are next to the surface of a crystal"
    group = next((a.group for a in analyses if a.group is not None), None)
    if group is not None:
        return f"unknown crystal, {row['coordination']:.1f} neighbours", 0.0, group.words
    return (
        f"unknown structure, {row['coordination']:.1f} neighbours",
        0.0,
        f"no template fits most of its atoms; {most}",
    )


def _by_template(label, made, analyses, compound, name, share):
    """Name by the template of most atoms, unless one element of a compound is so by itself."""
    lattice = share_of(label, made, analyses, _between_others)
    if compound is not None and name in LATTICES and lattice > MAJORITY:
        words = f"{share:.0%} of this element's atoms by themselves; {compound[2]}"
        return f"unknown crystal, atoms on {name} sites", 0.0, words
    stacked = name == "graphene" and share_of(label, made, analyses, _stacked) > MAJORITY
    called, more = ("graphite", ", layers on each other") if stacked else (name, "")
    more += "" if compound is None else "; elements in no known order"
    return called, share, f"template of {share:.0%} of its atoms{more}"


def _between_others(a):
    """Flags of the atoms on a lattice of their element whose nearest atom is of another."""
    nearest = a.structure.neighbours[:, 0]
    return a.structure.sublattice & (a.atoms.numbers[nearest] != a.atoms.numbers)


def _molecules_of(label, made, analyses):
    """Formulas of the molecules in the frames of most of a cluster's atoms, or None."""
    count = Counter()
    for a in analyses:
        count[a.molecules] += len(rows_of(label, made, a.frame))
    return count.most_common(1)[0][0] if count else None


def _extended_kind(label, made, analyses):
    kinds = sorted({d.kind for a in analyses for d in a.extended})

    def flags(kind, a):
        found = np.zeros(len(a.atoms), bool)
        for d in a.extended:
            if d.kind == kind:
                found[d.atoms] = True
        return found

    shares = {kind: share_of(label, made, analyses, partial(flags, kind)) for kind in kinds}
    best = max(shares, key=shares.__getitem__, default="")
    return best, shares.get(best, 0.0)


def _beside_point_defects(label, made, analyses):
    return share_of(
        label,
        made,
        analyses,
        lambda a: a.point.flagged if a.point.decided else np.zeros(len(a.atoms), bool),
    )


def _stacked(a):
    """Flags of the atoms of graphene that have an atom above or below at less than 3 spacings."""
    found = a.structure
    up = found.rotation[:, :, 2]
    height = np.abs(np.einsum("nkx,nx->nk", found.vectors, up))
    return (height > found.spacing).any(axis=1) & (found.labels == "graphene")


def _near_point_defects(a):
    """Flags of the atoms beside point defects and of their neighbours."""
    flags = a.point.flagged if a.point.decided else np.zeros(len(a.atoms), bool)
    return flags | flags[a.structure.neighbours[:, :12]].any(axis=1)
