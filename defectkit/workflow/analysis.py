"""From clusters to names: crystals, point defects, extended defects, paths through time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._progress import tqdm
from ..clusters import NOT_LABELLED
from ..defects import PointDefects, find_point_defects, track
from ..defects.point_defects import FEWEST
from ..phases import common_elements, extended_defects, prototype, structure_types
from ..phases.compounds import UNKNOWN, Prototype, elemental
from ..phases.stacking import stacking
from ..result import Result
from . import admolecules, names, tables
from .doubts import (
    SURFACES,
    WHOLE,
    disturbed_atoms,
    grown,
    in_crystal,
    told_of_solution,
    without_chance_cubic,
    without_chance_prototype,
    without_disturbed,
    without_doubtful_holes,
    without_doubtful_lines,
    without_doubtful_walls,
    without_other_cell,
)
from .molecules import is_island, molecules
from .ordered import Symmetric, is_unit_cell, ordered_by_symmetry, told_by_symmetry
from .refine import refined
from .sheets import edges, is_sheet
from .site_groups import WATER

if TYPE_CHECKING:
    from ase import Atoms

    from ..phases.crystals import Structure
    from ..phases.extended import ExtendedDefect
    from ..phases.space_groups import SpaceGroup
    from .site_groups import SiteGroup

TWIN = 5.0  # degrees that a grain boundary may miss the twin relation by
MOST_ATOMS = 2_000_000  # of all frames in which names and defects are looked for
ON_SHEETS = (*SURFACES, "adatom", "adatom island", "step", "surface vacancy")
ALL = 0.95  # of the atoms at a surface: a tube or a layer, which has no surface of its own
CRYSTALLINE = 0.3  # of the atoms in a crystal: they are no molecules
OF_STACKING = (
    "intrinsic stacking fault",
    "extrinsic stacking fault",
    "stacking fault",
    "twin boundary",
    "lamella",
    "phase boundary",
)
LEAST_INSIDE = 4  # atoms of each element below a surface that name a compound
LEAST_WATER = 150  # atoms of water in a frame that has a surface


@dataclass(frozen=True)
class FrameAnalysis:
    """What one frame (its number in the result) holds beside its clusters.

    structure  phases.Structure of the frame
    point      defects.PointDefects
    extended   list of phases.ExtendedDefect
    compound   phases.Prototype, None for elements, water and molecules
    molecules  their formulas, None where the atoms are no molecules
    group      phases.SpaceGroup, or what else shows that a cell is a crystal by symmetry alone
    """

    frame: int
    atoms: Atoms
    structure: Structure
    point: PointDefects
    extended: list[ExtendedDefect]
    compound: Any
    molecules: str | None = None
    group: SpaceGroup | Symmetric | None = None


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
    defects = tables.with_source(tables.defects(analyses), result.source_frames)
    extended = tables.with_source(tables.extended(analyses), result.source_frames)
    info["steps"] = [*info["steps"], *notes, *tables.notes(analyses, len(frames))]
    info["analysed_frames"] = [a.frame for a in analyses]
    info["decided_frames"] = [a.frame for a in analyses if a.point.decided]
    info["sites_beside"] = sum(a.point.beside for a in analyses)
    tracks = None
    if connected and len(analyses) > 2:
        paths = tables.tracks(track, analyses, frames)
        tracks = tables.with_source(paths, result.source_frames)
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
    outside = [] if water else admolecules.molecules_outside(atoms)
    if outside:
        body = np.setdiff1d(np.arange(len(atoms)), np.concatenate(outside))
        below = _analysed_body(number, atoms[body], False, None if hints is None else hints[body])
        if below.point.decided or np.mean(in_crystal(below.structure)) > CRYSTALLINE:
            return with_molecules(below, body, outside, atoms)
    return _analysed_body(number, atoms, water, hints)


def with_molecules(
    below: FrameAnalysis, body: np.ndarray, molecules: list[np.ndarray], atoms: Atoms
) -> FrameAnalysis:
    """The analysis of a body as one of all atoms, with the molecules beside it."""
    structure = structure_types(atoms)
    structure = replace(structure, spacing=below.structure.spacing, codes=0 * structure.codes)
    for name in ("codes", "rotation", "coherent", "template", "sublattice"):
        getattr(structure, name)[body] = getattr(below.structure, name)
    extended = [replace(d, atoms=body[d.atoms]) for d in below.extended]
    beside = admolecules.described(atoms, molecules, extended)
    extended = admolecules.covered(extended, atoms, beside) + beside
    point = of_part(below.point, body, len(atoms))
    return replace(below, atoms=atoms, structure=structure, point=point, extended=extended)


def _analysed_body(number, atoms, water, hints):
    """FrameAnalysis of a frame without molecules beside a crystal."""
    structure = structure_types(atoms)
    ordered = np.mean(in_crystal(structure))
    # An array of N2 fits graphene by chance; graphene itself is linked with its images.
    packed = np.mean(in_crystal(structure) & (structure.labels != "graphene"))
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
    outside = np.unique(np.concatenate([[], *(d.atoms for d in extended if d.kind in SURFACES)]))
    if named_as is not None and named_as.name == UNKNOWN and len(outside):
        named_as = _prototype_inside(atoms, structure, outside.astype(int)) or named_as
    named_as, extended = with_polytype(named_as, structure, extended)
    thin = sheet or len(outside) > ALL * len(atoms)
    without = ON_SHEETS if thin else SURFACES if water and len(atoms) < LEAST_WATER else ()
    extended = names.in_words_of(named_as, [d for d in extended if d.kind not in without])
    crystalline = (named_as is not None and named_as.margin > 0) or ordered > 0.5
    if hints is not None:  # what is explained already is not looked into again
        wide = grown(disturbed_atoms(extended, structure)[0], structure, 2)
        hints = hints & ~wide if crystalline else None
    point = (
        of_molecules(atoms, hints, crystalline)
        if water
        else find_point_defects(atoms, flagged=hints)
    )
    if not water and all(d.kind == "cavity" for d in extended):
        point = told_by_symmetry(point, atoms, named_as)
        extended = [] if is_unit_cell(point) else extended
    if named_as is not None and not point.decided and ordered <= CRYSTALLINE:
        named_as = without_chance_prototype(named_as, atoms, outside.astype(int))
    structure = without_chance_cubic(structure, point, extended)
    ordered = np.mean(in_crystal(structure))
    if named_as is None and not water and ordered <= CRYSTALLINE and _one_lattice(atoms, point):
        named_as = elemental(atoms)
    named_as = without_other_cell(named_as, point, extended)
    extended = without_doubtful_lines(extended, point)
    extended = without_doubtful_walls(extended, point, structure)
    extended = without_doubtful_holes(extended, point, atoms)
    point = without_disturbed(point, extended, structure, atoms)
    if sheet and named_as is not None:
        extended += edges(atoms, point.flagged)
    named_as, point, group = ordered_by_symmetry(atoms, structure, named_as, point)
    if group is not None:  # the pores of a zeolite are no voids in it
        extended = [d for d in extended if d.kind != "cavity"]
    point = told_of_solution(point, len(atoms))
    return FrameAnalysis(number, atoms, structure, point, extended, named_as, group=group)


def _prototype_inside(atoms, structure, outside):
    """The prototype by the atoms below the surface alone, None where none fits."""
    surface = np.isin(np.arange(len(atoms)), outside)
    for inside in (~grown(surface, structure, 1), ~surface):
        if all((atoms.symbols[inside] == e).sum() >= LEAST_INSIDE for e in common_elements(atoms)):
            found = prototype(atoms, structure, inside)
            if found.name != UNKNOWN:
                return found
    return None


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


def of_molecules(atoms: Atoms, hints: Any, crystalline: Any) -> PointDefects:
    """Point defects of water as those of its oxygens; none where less than half of it is ice."""
    oxygen = np.flatnonzero(atoms.numbers == 8)
    nothing = np.zeros(len(atoms), bool)
    if not crystalline:
        return PointDefects(
            [], nothing, False, "most molecules are not in ice: point defects are not defined"
        )
    found = find_point_defects(atoms[oxygen], flagged=None if hints is None else hints[oxygen])
    found = of_part(found, oxygen, len(atoms))
    sites = [replace(s, element="H2O" if s.element == "O" else s.element) for s in found.sites]
    return replace(found, sites=sites)


def of_part(point: PointDefects, part: np.ndarray, n_atoms: int) -> PointDefects:
    """Point defects found in a part of the atoms, with the indices of the whole frame."""
    sites = [
        replace(site, atoms=part[site.atoms], neighbours=part[site.neighbours])
        for site in point.sites
    ]
    flagged = np.zeros(n_atoms, bool)
    flagged[part] = point.flagged
    return replace(point, sites=sites, flagged=flagged)
