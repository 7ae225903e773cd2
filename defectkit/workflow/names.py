"""Names of clusters, each with what it rests on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from ..phases import is_disordered
from ..phases.classical import classical_types
from ..phases.compounds import BLIND, prototypes
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
BELOW = 0.8  # share of a cluster next to a surface that names it so
LEAST_CRYSTAL = 0.2  # of the atoms inside a body whose surface hides what lies below it
PACKINGS = ("fcc", "hcp", "icosahedral")
PACKED, TWINNED = 0.4, 0.05  # shares inside a particle that are close-packed, and hcp
_BELOW = "below the surface"
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
        weight[name] = weight.get(name, 0) + len(_rows(label, made, frame))
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
    name, share, coherent = _commonest(label, made, analyses)
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
        called = _of_a_particle(label, made, analyses)
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
    if share >= MAJORITY and name != "other":
        return _by_template(label, made, analyses, compound, name, share)
    beside = _share(label, made, analyses, _near_point_defects)
    if beside >= AROUND:
        return "around point defects", beside, f"{beside:.0%} of its atoms are near one"
    return _without_template(label, made, analyses, row, f"{share:.0%} {name}")


def _without_template(label, made, analyses, row, most):
    """Name of a cluster that fits no template, compound or defect."""
    called = _of_a_particle(label, made, analyses)
    if called:
        return called
    below = _share(label, made, analyses, _below_surface)
    if below >= BELOW:
        return _BELOW, below, f"{below:.0%} of its atoms are next to the surface of a crystal"
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
    lattice = _share(label, made, analyses, _between_others)
    if compound is not None and name in LATTICES and lattice > MAJORITY:
        words = f"{share:.0%} of this element's atoms by themselves; {compound[2]}"
        return f"unknown crystal, atoms on {name} sites", 0.0, words
    stacked = name == "graphene" and _share(label, made, analyses, _stacked) > MAJORITY
    called, more = ("graphite", ", layers on each other") if stacked else (name, "")
    more += "" if compound is None else "; elements in no known order"
    return called, share, f"template of {share:.0%} of its atoms{more}"


def _between_others(a):
    """Flags of the atoms on a lattice of their element whose nearest atom is of another."""
    nearest = a.structure.neighbours[:, 0]
    return a.structure.sublattice & (a.atoms.numbers[nearest] != a.atoms.numbers)


def _rows(label, made, frame):
    return np.flatnonzero((made["labels"] == label) & (made["frame"] == frame))


def _molecules_of(label, made, analyses):
    """Formulas of the molecules in the frames of most of a cluster's atoms, or None."""
    count = Counter()
    for a in analyses:
        count[a.molecules] += len(_rows(label, made, a.frame))
    return count.most_common(1)[0][0] if count else None


def _share(label, made, analyses, of_frame):
    """Share of a cluster's environments in analysed frames for which of_frame gives True."""
    hit = total = 0
    for a in analyses:
        atoms = made["atom"][_rows(label, made, a.frame)]
        flags = of_frame(a)
        hit, total = hit + int(flags[atoms].sum()), total + len(atoms)
    return hit / total if total else 0.0


def _extended_kind(label, made, analyses):
    kinds = sorted({d.kind for a in analyses for d in a.extended})

    def flags(a, kind):
        found = np.zeros(len(a.atoms), bool)
        for d in a.extended:
            if d.kind == kind:
                found[d.atoms] = True
        return found

    shares = {
        kind: _share(label, made, analyses, lambda a, kind=kind: flags(a, kind)) for kind in kinds
    }
    best = max(shares, key=shares.__getitem__, default="")
    return best, shares.get(best, 0.0)


def _beside_point_defects(label, made, analyses):
    return _share(
        label,
        made,
        analyses,
        lambda a: a.point.flagged if a.point.decided else np.zeros(len(a.atoms), bool),
    )


def _of_a_particle(label, made, analyses):
    """Name of atoms of no one crystal in a particle: below its surface, or of many twins; or None.

    Common neighbour analysis finds fcc, hcp or icosahedral order at less than a fifth of the
    atoms of a droplet.
    """
    open_ones = [
        a
        for a in analyses
        if not a.atoms.pbc.all() or any(d.kind == "cluster surface" for d in a.extended)
    ]
    if not open_ones:
        return None
    below = _share(label, made, open_ones, _below_surface)
    if below >= BELOW:
        return _BELOW, below, f"{below:.0%} of its atoms are next to the surface of a crystal"
    types = np.concatenate([_types_inside(a) for a in open_ones])
    share = {kind: float((types == kind).mean()) if len(types) else 0.0 for kind in PACKINGS}
    packed = sum(share.values())
    if packed < PACKED or share["hcp"] < TWINNED:
        return None
    called = "close-packed, multiply twinned"
    if (types == "icosahedral").sum() == len(open_ones):
        called = "icosahedron, multiply twinned"
    told = ", ".join(f"{part:.0%} {kind}" for kind, part in share.items() if part >= 0.005)
    words = (
        f"common neighbour analysis of the atoms inside: {told}; the hcp atoms are twin planes "
        "between fcc parts in many orientations"
    )
    if called.startswith("icosahedron"):
        words += ", which meet at one icosahedral atom"
    return called, packed, words


def _outside(a):
    """Flags of the atoms at a surface."""
    flags = np.zeros(len(a.atoms), bool)
    for d in a.extended:
        if "surface" in d.kind or d.kind == "cavity":
            flags[d.atoms] = True
    return flags


def _below_surface(a):
    """Flags of the atoms beside the surface of a body that is crystalline inside."""
    outside, crystalline = _outside(a), a.structure.codes > 0
    if outside.all() or crystalline[~outside].mean() < LEAST_CRYSTAL:
        return np.zeros(len(a.atoms), bool)
    return outside[a.structure.neighbours[:, :14]].any(axis=1)


def _types_inside(a):
    """Structure of the atoms inside a particle by common neighbour analysis."""
    outside = _outside(a)
    types = classical_types(a.atoms).get("common neighbour analysis")
    return np.zeros(0, "<U20") if not outside.any() or types is None else types[~outside]


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


def _commonest(label, made, analyses):
    """Commonest structure of a cluster, its share, and how far neighbours are oriented alike."""
    count, coherent = {}, []
    for a in analyses:
        atoms = made["atom"][_rows(label, made, a.frame)]
        coherent.append(a.structure.coherent[atoms])
        for code, n in enumerate(np.bincount(a.structure.codes[atoms])):
            count[a.structure.names[code]] = count.get(a.structure.names[code], 0) + int(n)
    total = sum(count.values())
    best = max(count, key=count.__getitem__, default="")
    alike = np.concatenate(coherent) if coherent else np.zeros(0)
    return best, count[best] / total if total else 0.0, float(alike.mean()) if len(alike) else 0.0
