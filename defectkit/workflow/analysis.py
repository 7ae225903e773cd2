"""From clusters to names: crystals, point defects, extended defects, paths through time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.geometry import find_mic

from .._progress import tqdm
from ..clusters import NOT_LABELLED
from ..defects import PointDefects, find_point_defects, track
from ..defects.point_defects import FEWEST
from ..phases import common_elements, extended_defects, prototype, structure_types
from ..phases.compounds import UNKNOWN, Prototype, elemental
from ..phases.crystals import SIMPLE_CUBIC
from ..phases.stacking import stacking
from ..result import Result
from . import names, tables
from .molecules import is_island, molecules
from .refine import refined
from .sheets import edges, is_sheet
from .site_groups import WATER

if TYPE_CHECKING:
    from ase import Atoms

    from ..phases.crystals import Structure
    from ..phases.extended import ExtendedDefect
    from .site_groups import SiteGroup

TWIN = 5.0  # degrees that a grain boundary may miss the twin relation by
MOST_ATOMS = 2_000_000  # of all frames in which names and defects are looked for
SURFACES = ("surface", "cluster surface", "cavity")  # which a sheet of one layer has not
ON_SHEETS = (*SURFACES, "adatom", "adatom island", "step", "surface vacancy")
DISTURBED = (
    *SURFACES,
    "step",
    "edge",
    "grain boundary",
    "phase boundary",
    "dislocation",
    "disordered region",
    "gas bubble",
    "adatom island",
)
GATHERED = ("precipitate", "gas bubble")  # their atoms are told together
ALL = 0.95  # of the atoms at a surface: a tube or a layer, which has no surface of its own
CRYSTALLINE = 0.3  # of the atoms in a crystal: they are no molecules
WHOLE = 0.99  # of the atoms: one lattice explains the frame
STRAINED = ("step", "grain boundary", "phase boundary", "dislocation")  # three shells further
OF_STACKING = (
    "intrinsic stacking fault",
    "extrinsic stacking fault",
    "stacking fault",
    "twin boundary",
    "lamella",
    "phase boundary",
)
ON_ITS_SITE = ("antisite", "substitutional")
LEAST_MELT = 100  # atoms
SHARP, DISTINCT = 0.025, 0.1  # misfit and margin of a prototype that stands without a lattice
SAME_PLACE = 1.5  # Å
LEAST_WATER = 150  # atoms of water in a frame that has a surface


@dataclass(frozen=True)
class FrameAnalysis:
    """What one frame (its number in the result) holds beside its clusters.

    structure  phases.Structure of the frame
    point      defects.PointDefects
    extended   list of phases.ExtendedDefect
    compound   phases.Prototype, None for elements, water and molecules
    molecules  their formulas, None where the atoms are no molecules
    """

    frame: int
    atoms: Atoms
    structure: Structure
    point: PointDefects
    extended: list[ExtendedDefect]
    compound: Any
    molecules: str | None = None


def named(
    frames: list[Atoms],
    mean_of: Callable[[int], Atoms],
    made: dict[str, Any],
    groups: Sequence[SiteGroup],
    info: dict[str, Any],
    connected: bool,
    max_frames: int = 50,
    progress: bool = True,
) -> Result:
    """The `Result`: clusters with names, defects, surfaces and paths.

    frames   atoms of each window's middle frame
    mean_of  gives those of a window at their mean positions
    made     labels, map, frame, atom, group, basis of the environments
    """
    analyses = _analysed(frames, mean_of, made, groups[0].name == WATER, max_frames, progress)
    made, notes = refined(made | {"water": groups[0].name == WATER}, analyses, frames)
    followers = names.followers(frames, groups)
    result = Result(
        frames=frames,
        labels=made["labels"],
        map=made["map"],
        frame=made["frame"],
        atom=made["atom"],
        info=info,
        group=made["group"],
        structure=names.structure_of_environments(made, analyses),
        followers=followers,
    )
    phases = tables.phases(result, analyses, made, connected)
    defects = tables.defects(analyses)
    extended = tables.extended(analyses)
    info["steps"] = [*info["steps"], *notes, *tables.notes(analyses, len(frames))]
    info["analysed_frames"] = [a.frame for a in analyses]
    info["decided_frames"] = [a.frame for a in analyses if a.point.decided]
    tracks = tables.tracks(track, analyses, frames) if connected and len(analyses) > 2 else None
    return result.with_tables(phases=phases, defects=defects, extended=extended, tracks=tracks)


def _analysed(frames, mean_of, made, water, max_frames, progress):
    """Structure, point and extended defects of the frames, evenly fewer where they are many."""
    most = int(np.clip(MOST_ATOMS // max(map(len, frames)), 1, max_frames))
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
    found = []
    for n in tqdm(
        chosen, desc="names and defects", unit="frame", delay=2, leave=False, disable=not progress
    ):
        atoms = mean_of(n)
        found.append(_analysed_frame(int(n), atoms, water, _hints(made, n, len(atoms))))
    return found


def _analysed_frame(number, atoms, water, hints):
    """FrameAnalysis of one frame; `hints` flags atoms that the clusters set apart."""
    structure = structure_types(atoms)
    ordered = np.mean(_crystal(structure))
    # An array of N2 fits graphene by chance; graphene itself is linked with its images.
    packed = np.mean(_crystal(structure) & (structure.labels != "graphene"))
    of_molecules_only = None if water or packed > CRYSTALLINE else molecules(atoms)
    apart = not water and len(atoms) < FEWEST and is_island(atoms)
    if of_molecules_only or apart:  # templates fit the lattice of the box by chance
        structure = replace(structure, codes=np.zeros_like(structure.codes))
        return FrameAnalysis(
            number, atoms, structure, find_point_defects(atoms), [], None, of_molecules_only
        )
    named_as = (
        prototype(atoms, structure) if len(common_elements(atoms)) > 1 and not water else None
    )
    sheet = len(atoms) > 3 and is_sheet(atoms)
    extended = extended_defects(atoms, structure)
    named_as, extended = with_polytype(named_as, structure, extended)
    outside = np.unique(np.concatenate([[], *(d.atoms for d in extended if d.kind in SURFACES)]))
    thin = sheet or len(outside) > ALL * len(atoms)
    extended = names.in_words_of(
        named_as,
        [
            d
            for d in extended
            if not (
                thin
                and d.kind in ON_SHEETS
                or water
                and len(atoms) < LEAST_WATER
                and d.kind in SURFACES
            )
        ],
    )
    crystalline = (named_as is not None and named_as.margin > 0) or ordered > 0.5
    if hints is not None:  # what is explained already is not looked into again
        wide = grown(disturbed_atoms(extended, structure)[0], structure, 2)
        hints = hints & ~wide if crystalline else None
    point = (
        of_molecules(atoms, hints, crystalline)
        if water
        else find_point_defects(atoms, flagged=hints)
    )
    if named_as is not None and not point.decided and ordered <= CRYSTALLINE:
        named_as = without_chance_prototype(named_as, len(atoms))
    structure = without_chance_cubic(structure, point, extended)
    ordered = np.mean(_crystal(structure))
    if named_as is None and not water and ordered <= CRYSTALLINE and _one_lattice(atoms, point):
        named_as = elemental(atoms)
    extended = without_doubtful_lines(extended, point)
    point = without_disturbed(point, extended, structure, atoms)
    if sheet and named_as is not None:
        extended += edges(atoms, point.flagged)
    return FrameAnalysis(number, atoms, structure, point, extended, named_as)


def with_polytype(
    named_as: Any, structure: Structure, extended: list[ExtendedDefect]
) -> tuple[Any, list[ExtendedDefect]]:
    """The compound with its stacking where that is a polytype's; then its layers are no faults."""
    found = stacking(structure)
    main = next(iter(structure.fractions()))
    if found is None or (named_as is not None and named_as.name not in sum(names.STACKINGS, ())):
        return named_as, extended
    if named_as is None:
        named_as = Prototype(main, 1.0, float("nan"), {}, "", "")
    words = f"layers in the order {found.word} (h: hexagonal, c: cubic)"
    words = f"{named_as.words}; {words}" if named_as.words else words
    kept = [d for d in extended if d.kind not in OF_STACKING and not _is_twin(d)]
    return replace(named_as, stacking=found, words=words), kept


def _one_lattice(atoms, point):
    """Whether one lattice explains a periodic frame, or it has too few atoms to look for one."""
    few = len(atoms) < FEWEST and atoms.pbc.all()
    return few or (point.crystal is not None and point.crystal.explained > WHOLE)


def _is_twin(defect):
    """Whether a grain boundary parts crystals that differ as the cubic layers of a polytype do."""
    turned = defect.details.get("angle_degrees", 0.0)
    return defect.kind == "grain boundary" and abs(turned - 60) < TWIN


def _hints(made, frame, n_atoms):
    """Atoms outside the largest clusters of their group, or None where these are too many."""
    here = made["frame"] == frame
    odd = np.zeros(n_atoms, bool)
    for group in np.unique(made["group"]):
        mine = made["group"] == group
        labels = made["labels"][mine]
        if not (labels >= 0).any():
            continue
        bulk = np.bincount(labels[labels >= 0]).argmax()
        part = here & mine & (made["labels"] != bulk) & (made["labels"] != NOT_LABELLED)
        odd[made["atom"][part]] = True
    return odd if 0 < odd.sum() <= 0.3 * n_atoms else None


def _crystal(structure):
    """Flags of the atoms in a crystal; of water those in ice."""
    return (structure.codes > 0) & (structure.labels != "liquid water")


def of_molecules(atoms: Atoms, hints: Any, crystalline: Any) -> PointDefects:
    """Point defects of water as those of its oxygens; none where less than half of it is ice."""
    oxygen = np.flatnonzero(atoms.numbers == 8)
    nothing = np.zeros(len(atoms), bool)
    if not crystalline:
        return PointDefects(
            [], nothing, False, "most molecules are not in ice: point defects are not defined"
        )
    found = find_point_defects(atoms[oxygen], flagged=None if hints is None else hints[oxygen])
    sites = [
        replace(
            site,
            atoms=oxygen[site.atoms],
            neighbours=oxygen[site.neighbours],
            element="H2O" if site.element == "O" else site.element,
        )
        for site in found.sites
    ]
    nothing[oxygen] = found.flagged
    return replace(found, sites=sites, flagged=nothing)


def without_chance_prototype(found: Any, n_atoms: int) -> Any:
    """The prototype, unknown where it fits no better than a melt's shells fit one on the mean.

    For a frame of many atoms that no lattice explains and in which few fit a template.
    """
    if n_atoms < LEAST_MELT or (found.misfit < SHARP and found.margin > DISTINCT):
        return found
    return replace(found, name=UNKNOWN, margin=0.0, words=f"no order of a crystal; {found.words}")


def without_chance_cubic(
    structure: Structure, point: PointDefects, extended: list[ExtendedDefect]
) -> Structure:
    """The structure less simple cubic where the lattice of the frame has several sites in a cell.

    Six neighbours at nearly right angles are soon found: white tin's are such.
    """
    crystal = point.crystal
    if (
        crystal is None
        or len(crystal.sites.basis) == 1
        or structure.sublattice.any()
        or any(d.kind in SURFACES for d in extended)
        or len(np.unique(crystal.sites.numbers)) > 1
    ):
        return structure
    return replace(structure, codes=np.where(structure.codes == SIMPLE_CUBIC, 0, structure.codes))


def without_doubtful_lines(
    extended: list[ExtendedDefect], point: PointDefects
) -> list[ExtendedDefect]:
    """The extended defects less lines that only a row of point defects suggests.

    Round a dislocation no single lattice gives the atoms their sites. Where one explains all but a
    hundredth of them, disordered atoms in a row, round which no Burgers circuit could be drawn,
    are point defects (in a small cell and their images).
    """
    crystal = point.crystal
    if not point.decided or crystal is None or crystal.explained < WHOLE:
        return extended
    return [d for d in extended if d.kind != "dislocation" or d.details.get("burgers")]


def disturbed_atoms(
    extended: list[ExtendedDefect], structure: Structure
) -> tuple[np.ndarray, np.ndarray]:
    """Flags of what extended defects disturb, and of that what lies at the core of a dislocation.

    Steps, boundaries and cores disturb three shells around them.
    """
    disturbed, strained, core = (np.zeros(len(structure.codes), bool) for _ in range(3))
    for defect in extended:
        if defect.kind in DISTURBED:
            disturbed[defect.atoms] = True
        if defect.kind in STRAINED or defect.details.get("layer"):
            strained[defect.atoms] = True
        if defect.kind == "dislocation":
            core[defect.atoms] = True
    return disturbed | grown(strained, structure, 3), grown(core, structure, 3)


def grown(flags: np.ndarray, structure: Structure, shells: int) -> np.ndarray:
    """Flags of atoms and of those up to so many shells of neighbours away."""
    for _ in range(shells):
        flags = flags | flags[structure.neighbours[:, :12]].any(axis=1)
    return flags


def without_disturbed(
    point: PointDefects, extended: list[ExtendedDefect], structure: Structure, atoms: Atoms
) -> PointDefects:
    """The point defects that are not the disorder of a surface, a boundary or a core.

    A site is left out where most atoms around it belong to such an extended defect or lie within
    three shells of a step or boundary, where it lies in a cavity, or where any atom around lies so
    near the core of a dislocation: the step of a surface is no divacancy, a core no interstitial.
    Round a dislocation the sites of one lattice are wrong far from it, too: there a vacant site or
    an atom without one counts only if most atoms around it fit no template. What was found on a
    surface as its vacancy or adatom stays. The atoms of a precipitate are no substitutionals.
    """
    disturbed, core = disturbed_atoms(extended, structure)
    if point.crystal is None:  # told by the order around, which is broken at a surface
        core = core | grown(disturbed, structure, 2)
    if not point.sites or not (disturbed.any() or any(d.kind in GATHERED for d in extended)):
        return point
    around = [np.union1d(s.neighbours, s.atoms).astype(int) for s in point.sites]
    whole = _crystal(structure) & any(d.kind == "dislocation" for d in extended)
    told = [d.position for d in extended if d.kind in tables.ON_SURFACES]
    cavities = [d for d in extended if d.kind == "cavity"]
    together = [d.atoms for d in extended if d.kind in GATHERED]
    gathered = np.unique(np.concatenate([[], *together]))

    def stands(site, near):
        if any(_inside(site.position, cavity, atoms) for cavity in cavities):
            return False
        if site.kind in ON_ITS_SITE and np.isin(site.atoms, gathered).all():
            return False
        foreign = site.kind == "substitutional"  # at a surface, too
        if foreign or not len(near) or _at_one(site.position, told, atoms):
            return True
        bent = site.kind not in ON_ITS_SITE and whole[near].mean() > 0.5
        return disturbed[near].mean() <= 0.5 and not core[near].any() and not bent

    kept = [site for site, near in zip(point.sites, around, strict=True) if stands(site, near)]
    flagged = np.zeros(len(atoms), bool)
    for site in kept:
        flagged[site.atoms] = flagged[site.neighbours] = True
    return replace(point, sites=kept, flagged=flagged)


def _inside(position, cavity, atoms):
    """Whether a position lies no farther from a cavity's centre than the atoms that line it."""
    places = np.vstack([position[None], atoms.positions[cavity.atoms]])
    away = find_mic(places - cavity.position, atoms.cell, atoms.pbc)[1]
    return away[0] <= away[1:].max()


def _at_one(position, places, atoms):
    """Whether a position lies within 1.5 Å of one of the places."""
    return any(
        find_mic(place - position, atoms.cell, atoms.pbc)[1] < SAME_PLACE for place in places
    )
