"""From clusters to names: crystals, point defects, extended defects, paths through time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tqdm.auto import tqdm

from ..clusters import NOT_LABELLED
from ..defects import PointDefects, find_point_defects, track
from ..io.continuity import first_break
from ..phases import extended_defects, prototype, structure_types
from ..result import Result
from . import names, tables
from .refine import refined
from .sheets import edges, is_sheet
from .site_groups import WATER

MOST_ATOMS = 2_000_000     # of all frames in which names and defects are looked for
SURFACES = ("surface", "cluster surface", "cavity")  # which a sheet of one layer has not
ON_SHEETS = (*SURFACES, "adatom", "adatom island", "step", "surface vacancy")
DISTURBED = (*SURFACES, "step", "edge", "grain boundary", "phase boundary", "dislocation",
             "disordered region", "adatom island")
WHOLE = 0.99  # of the atoms: one lattice explains the frame
STRAINED = ("step", "grain boundary", "phase boundary", "dislocation")  # three shells further
LEAST_WATER = 150          # atoms of water in a frame that has a surface


@dataclass(frozen=True)
class FrameAnalysis:
    """What one frame (its number in the result) holds beside its clusters.

    structure  phases.Structure of the frame
    point      defects.PointDefects
    extended   list of phases.ExtendedDefect
    compound   phases.Prototype, None for elements and water
    """

    frame: int
    atoms: object
    structure: object
    point: object
    extended: list
    compound: object


def why_not_a_trajectory(frames) -> str | None:
    """Why frames do not follow one another in time, or None where they do."""
    if len(frames) < 2:
        return "there is one frame"
    found = first_break(frames)
    return None if found is None else str(found)


def named(frames, means, made, groups, info, connected, max_frames=50,
          progress=True) -> Result:
    """The `Result`: clusters with names, defects, surfaces and paths.

    frames, means  atoms of each window's middle frame, and at their mean positions
    made           labels, map, frame, atom, group, basis of the environments
    """
    analyses = _analysed(frames, means, made, groups[0].name == WATER, max_frames, progress)
    made, notes = refined(made | {"water": groups[0].name == WATER}, analyses, frames)
    followers = names.followers(frames, groups)
    result = Result(frames=frames, labels=made["labels"], map=made["map"], frame=made["frame"],
                    atom=made["atom"], info=info, group=made["group"],
                    structure=names.structure_of_environments(made, analyses),
                    followers=followers)
    phases = tables.phases(result, analyses, made, connected)
    defects = tables.defects(analyses)
    extended = tables.extended(analyses)
    info["steps"] = [*info["steps"], *notes, *tables.notes(analyses, len(frames))]
    info["analysed_frames"] = [a.frame for a in analyses]
    info["decided_frames"] = [a.frame for a in analyses if a.point.decided]
    tracks = tables.tracks(track, analyses, frames) if connected and len(analyses) > 2 else None
    return result.with_tables(phases=phases, defects=defects, extended=extended, tracks=tracks)


def _analysed(frames, means, made, water, max_frames, progress):
    """Structure, point and extended defects of the frames, evenly fewer where they are many."""
    most = int(np.clip(MOST_ATOMS // max(map(len, frames)), 1, max_frames))
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int))
    found = []
    for n in tqdm(chosen, desc="names and defects", unit="frame", delay=2, leave=False,
                  disable=not progress):
        atoms = means[n]
        structure = structure_types(atoms)
        named_as = prototype(atoms, structure) if n_elements(atoms) > 1 and not water else None
        sheet = len(atoms) > 3 and is_sheet(atoms)
        is_compound_crystal = named_as is not None and named_as.margin > 0
        extended = [d for d in extended_defects(atoms, structure)
                    if not (sheet and d.kind in ON_SHEETS
                            or water and len(atoms) < LEAST_WATER and d.kind in SURFACES)]
        crystalline = is_compound_crystal or np.mean(_crystal(structure)) > 0.5
        hints = _hints(made, n, len(atoms)) if crystalline else None
        point = (of_molecules(atoms, hints, crystalline) if water
                 else find_point_defects(atoms, flagged=hints))
        extended = without_doubtful_lines(extended, point)
        point = without_disturbed(point, extended, structure)
        if sheet and named_as is not None:
            extended += edges(atoms, point.flagged)
        found.append(FrameAnalysis(int(n), atoms, structure, point, extended, named_as))
    return found


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


def of_molecules(atoms, hints, crystalline):
    """Point defects of water as those of its oxygens; none where less than half of it is ice."""
    oxygen = np.flatnonzero(atoms.numbers == 8)
    nothing = np.zeros(len(atoms), bool)
    if not crystalline:
        return PointDefects([], nothing, False, "most molecules are not in ice: point defects are "
                                                "not defined")
    found = find_point_defects(atoms[oxygen], flagged=None if hints is None else hints[oxygen])
    sites = [replace(site, atoms=oxygen[site.atoms], neighbours=oxygen[site.neighbours],
                     element="H2O" if site.element == "O" else site.element)
             for site in found.sites]
    nothing[oxygen] = found.flagged
    return replace(found, sites=sites, flagged=nothing)


def without_doubtful_lines(extended, point):
    """The extended defects less lines that only a row of point defects suggests.

    Round a dislocation no single lattice gives the atoms their sites. Where one explains all but a
    hundredth of them, disordered atoms in a row, round which no Burgers circuit could be drawn,
    are point defects (in a small cell and their images).
    """
    crystal = point.crystal
    if not point.decided or crystal is None or crystal.explained < WHOLE:
        return extended
    return [d for d in extended if d.kind != "dislocation" or d.details.get("burgers")]


def without_disturbed(point, extended, structure):
    """The point defects that are not the disorder of a surface, a boundary or a core.

    A site is left out where most atoms around it belong to such an extended defect or lie within
    three shells of a step or boundary, or any of them lies so near the core of a dislocation: the
    step of a surface is no divacancy, a core no interstitial.
    """
    n_atoms = len(structure.codes)
    disturbed, strained, core = (np.zeros(n_atoms, bool) for _ in range(3))
    for defect in extended:
        if defect.kind in DISTURBED:
            disturbed[defect.atoms] = True
        if defect.kind in STRAINED:
            strained[defect.atoms] = True
        if defect.kind == "dislocation":
            core[defect.atoms] = True
    for _ in range(3):
        for flags in (strained, core):
            flags |= flags[structure.neighbours[:, :12]].any(axis=1)
    disturbed |= strained
    if not disturbed.any() or not point.sites:
        return point
    around = [np.union1d(s.neighbours, s.atoms).astype(int) for s in point.sites]
    kept = [s for s, near in zip(point.sites, around, strict=True)
            if not len(near) or (disturbed[near].mean() <= 0.5 and not core[near].any())]
    flagged = np.zeros(n_atoms, bool)
    for site in kept:
        flagged[site.atoms] = flagged[site.neighbours] = True
    return replace(point, sites=kept, flagged=flagged)


def n_elements(atoms) -> int:
    """Number of elements in a frame."""
    return len(set(atoms.numbers.tolist()))
