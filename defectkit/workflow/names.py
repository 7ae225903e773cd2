"""Names of clusters, each with what it rests on."""

from __future__ import annotations

from collections import Counter
from math import gcd

import numpy as np

from ..phases import is_disordered
from ..phases.compounds import prototypes
from .site_groups import WATER, molecule_of

MAJORITY = 0.6    # share of a cluster's atoms that carries a name
INCOHERENT = 0.3  # mean fraction of neighbours of one orientation: below it, no crystal
FEWEST = 8        # atoms of a frame without a crystal that get a name
#: Written last in a formula, the last of them at its end.
ELECTRONEGATIVE = ("B", "Si", "C", "Sb", "As", "P", "N", "Te", "Se", "S", "I", "Br", "Cl", "O",
                   "F")
MOST_COMPOUNDS = 20
AROUND = 0.5      # share of a cluster beside point defects that names it so


def followers(frames, groups):
    """For each frame the atom whose label each atom shares (hydrogens of water), or None."""
    if groups[0].name != WATER:
        return None
    return [molecule_of(atoms) for atoms in frames]


def structure_of_environments(made, analyses):
    """Name of the crystal at each environment, "" where its frame was not analysed."""
    result = np.full(len(made["labels"]), "", dtype="<U24")
    for a in analyses:
        rows = made["frame"] == a.frame
        result[rows] = a.structure.labels[made["atom"][rows]]
    return result


def compound_names(analyses):
    """{frame: (name, confidence, basis) or None} of the crystal as a whole, up to 20 frames.

    None for elements and water: their crystals are named atom by atom.
    """
    found = {}
    for a in analyses[:: 1 + len(analyses) // MOST_COMPOUNDS]:
        known = a.compound
        found[a.frame] = known and (known.name + _formula(known, a.atoms), float(known.margin),
                                    known.words)
    return found


def _compound_of(label, made, compounds):
    """The compound of most of a cluster's atoms, or None."""
    weight = {}
    for frame, known in compounds.items():
        name = None if known is None else known[0]
        weight[name] = weight.get(name, 0) + len(_rows(label, made, frame))
    best = max(weight, key=weight.get)
    return next(known for known in compounds.values()
                if (None if known is None else known[0]) == best)


def _formula(found, atoms):
    """" GaN" for wurtzite with Ga and N on its sites; "" where the prototype is unknown."""
    if found.name not in prototypes():
        return ""
    count = Counter(prototypes()[found.name].get_chemical_symbols())
    own = {e: count[site] for e, site in found.sites.items()}
    if not own:  # equal sites
        common = Counter(atoms.get_chemical_symbols()).most_common(len(count))
        own = dict.fromkeys((e for e, _ in common), 1)
    order = sorted(own, key=lambda e: ELECTRONEGATIVE.index(e) if e in ELECTRONEGATIVE else -1)
    least = gcd(*own.values())
    return " " + "".join(e + (str(own[e] // least) if own[e] > least else "") for e in order)


def disorder_name(analyses, connected, dt):
    """"liquid", "amorphous" or "liquid or amorphous" with its basis, for what has no order."""
    if connected and dt and len(analyses) > 2:
        found = is_disordered([a.atoms for a in analyses], dt=dt)
        if found.disordered:
            return found.name, found.words
    return "liquid or amorphous", "no crystal order"


def cluster_name(label, made, analyses, row, compounds, disorder):
    """Name, confidence (0 to 1) and basis of one cluster.

    row                  what is known of its atoms (`coordination`)
    compounds, disorder  of `compound_names` and `disorder_name`
    """
    compound = _compound_of(label, made, compounds)
    kind, share = _extended_kind(label, made, analyses)
    if share >= MAJORITY:
        return kind, share, f"{share:.0%} of its atoms are in one"
    beside = _beside_point_defects(label, made, analyses)
    if beside >= AROUND:
        return "around point defects", beside, f"{beside:.0%} of its atoms are beside one"
    name, share, coherent = _commonest(label, made, analyses)
    if made["water"] and name == "other":
        return "water molecules", share, "no order of ice or liquid among their oxygens"
    if max(len(a.atoms) for a in analyses) < FEWEST and (name == "other" or share < MAJORITY):
        return "too few atoms to name", 0.0, f"fewer than {FEWEST} atoms and no crystal"
    crystal = any(a.point.decided for a in analyses) or (compound is not None and compound[1] > 0)
    if name == "other" and coherent < INCOHERENT and not crystal:
        return disorder[0], share, (f"{disorder[1]}; {share:.0%} of its atoms fit no crystal, "
                                    f"{coherent:.0%} of neighbours are oriented alike")
    if compound is not None:
        sure = not compound[0].startswith("unknown")
        called = compound[0] if sure else f"unknown crystal, {row['coordination']:.1f} neighbours"
        return called, compound[1], compound[2]
    if share >= MAJORITY and name != "other":
        return name, share, f"template of {share:.0%} of its atoms"
    return (f"unknown structure, {row['coordination']:.1f} neighbours", 0.0,
            f"no template fits most of its atoms; {share:.0%} {name}")


def _rows(label, made, frame):
    return np.flatnonzero((made["labels"] == label) & (made["frame"] == frame))


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

    shares = {kind: _share(label, made, analyses, lambda a, kind=kind: flags(a, kind))
              for kind in kinds}
    best = max(shares, key=shares.get, default="")
    return best, shares.get(best, 0.0)


def _beside_point_defects(label, made, analyses):
    return _share(label, made, analyses,
                  lambda a: a.point.flagged if a.point.decided else np.zeros(len(a.atoms), bool))


def _commonest(label, made, analyses):
    """Commonest structure of a cluster, its share, and how far neighbours are oriented alike."""
    count, coherent = {}, []
    for a in analyses:
        atoms = made["atom"][_rows(label, made, a.frame)]
        coherent.append(a.structure.coherent[atoms])
        for code, n in enumerate(np.bincount(a.structure.codes[atoms])):
            count[a.structure.names[code]] = count.get(a.structure.names[code], 0) + int(n)
    total = sum(count.values())
    best = max(count, key=count.get, default="")
    alike = np.concatenate(coherent) if coherent else np.zeros(0)
    return best, count[best] / total if total else 0.0, float(alike.mean()) if len(alike) else 0.0
