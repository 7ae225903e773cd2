"""identify: the whole loop of the article's Fig. 4 on anyone's file."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .._types import Elements, Source, Topology
from ..descriptors import as_dict
from ..embedding.methods import check_seed, method_name
from ..result import Result
from . import analysis, remarks, settings, site_groups, trajectory_window
from .descriptors import (
    columns,
    functions_for,
    group_features,
    known_groups,
    reach_of_data,
    said_of,
)
from .group_clusters import Chosen, How, clusters_of_groups
from .reading import read

if TYPE_CHECKING:
    from ..descriptors.protocol import Descriptor

MOST_OF_ONE, MOST_OF_SEVERAL = 1_200_000, 200_000  # environments that are looked at


def identify(
    source: Source,
    symmetry: Descriptor | None = None,
    method: str = "pacmap",
    window: int | str | None = None,
    dt: float | None = None,
    centres: str | None = None,
    topology: Topology = None,
    elements: Elements = None,
    max_points: int = 20_000,
    max_environments: int | None = None,
    max_frames: int = 50,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
    descriptor: Descriptor | None = None,
) -> Result:
    """Phases, defects, surfaces and interfaces in anyone's simulation, without labels.

    The loop of the article's Fig. 4: descriptors of every atom, averages over time where frames
    follow one another, a map for each element, clusters; back to averages over neighbours and to
    a longer cutoff where there is no gap. Then names: crystals by template matching and common
    neighbour analysis, compounds by their prototype, water by CHILL+; point defects from the
    lattice that explains the atoms; planar and line defects, surfaces. Each step is in
    ``result.steps``, each name comes with what it rests on.

    Parameters
    ----------
    source : path, ase.Atoms, or iterable of ase.Atoms
        Any format of :func:`defectkit.io.iter_frames`, which also explains `topology` and
        `elements`. Frames of a file are not held where they have more than 400 000 atoms in all:
        the file is read several times and has to stay as it is.
    symmetry : SymmetryFunctions or other descriptor, optional
        Default `SymmetryFunctions.for_elements` of the elements found, with a cutoff of 2.3
        nearest-neighbour distances. Descriptors of other potentials and your own function:
        :mod:`defectkit.descriptors`.
    method : {"pacmap", "umap", "pca"}
    window : int or str, optional
        Length of the average over time: frames, or a time such as "0.75 ps" with `dt`. Default:
        for a trajectory of at least 24 frames the shortest window whose clusters last
        (:func:`defectkit.averaging.shortest_window`), else 1.
    dt : float, optional
        Time between frames (ps).
    centres : str, optional
        Label only the atoms of this element; default all.
    max_points : int
        Environments drawn for each map; the others get the label that most of their ten nearest
        neighbours in feature space have.
    max_environments : int, optional
        Default 200 000 of several frames, 1 200 000 of one. Beyond this fewer windows of a
        trajectory are looked at, evenly spaced in time; and of frames that are larger still a
        random choice of atoms. A warning says so.
    max_frames : int
        Frames, evenly spaced, in which names and defects are looked for; more make finer paths.
    seed, n_jobs, progress
    descriptor
        Another name of `symmetry`.

    Returns
    -------
    Result

    Raises
    ------
    ValueError, FileNotFoundError
        As the parts; a window that the frames cannot fill.

    Examples
    --------
    >>> from ase.build import bulk
    >>> silver = bulk("Ag", cubic=True) * (3, 3, 3)
    >>> del silver[40]
    >>> answer = identify(silver, progress=False).summary().splitlines()
    >>> answer[0].split(", cluster")[0], answer[2].split(" at ")[0]
    ('fcc crystal of Ag, 95 atoms (89 %)', '1 Ag vacancy')
    """
    method, seed = method_name(method), check_seed(seed)
    given, dt = settings.check_symmetry(symmetry, descriptor), settings.check_interval(dt)
    settings.check_centres(centres)
    settings.check_counts(max_points, max_environments, max_frames)
    reading = read(source, topology, elements, progress)
    frames, witnesses, broken = reading.frames, reading.witnesses, reading.broken
    max_environments = max_environments or (MOST_OF_ONE if len(frames) == 1 else MOST_OF_SEVERAL)
    groups, why = site_groups.site_groups(witnesses, centres)
    steps = [*reading.said, *remarks.remarks(frames, reading.bare), f"groups: {why}"]
    asked, window = window, settings.frames_of_window(window, dt, len(frames), broken)
    groups = groups if given is None else known_groups(groups, given)
    cutoff = reach_of_data(witnesses, groups) if given is None else given.cutoff
    symmetry = functions_for(witnesses, groups, cutoff) if given is None else given
    steps.append(said_of(symmetry, cutoff, len(columns(symmetry, groups[0]))))
    reason = "given" if window != 1 else settings.why_none(asked, len(frames), broken)
    if window is None:
        window, reason = _search(frames, groups, symmetry, dt, method, seed, n_jobs, progress)
    starts = _starts(reading.sizes, window, max_environments, steps)
    steps.append(settings.said_of_window(window, reason))
    how = How(method, max_points, max_environments, seed, n_jobs, progress)
    middles = trajectory_window.middle_of(starts, len(frames), window)
    kept = [frames[n] for n in middles]
    chosen = Chosen(frames, starts, window, kept, witnesses)
    made = clusters_of_groups(chosen, groups, symmetry, cutoff, how)
    info = {
        **reading.origin(middles),
        "method": method,
        "window": int(window),
        "window_reason": reason,
        "dt": dt,
        "centres": groups[0].elements[0],
        "groups": [g.name for g in groups],
        "cutoff": made["shell"],
        "reach": float(cutoff),
        "seed": seed,
        "features": columns(symmetry, groups[0]),
        "sampled": made["sampled"],
        "basis": made["basis"],
        "steps": steps + made["steps"],
        "descriptor": None if given is None else as_dict(given),
    }
    mean_of = partial(_mean_of, chosen)
    return analysis.named(kept, mean_of, made, groups, info, broken is None, max_frames, progress)


def _mean_of(chosen, n):
    """Atoms of window n at their mean positions."""
    if chosen.window == 1:
        return chosen.kept[n]
    start = chosen.starts[n]
    return trajectory_window.mean_frame(chosen.frames[start : start + chosen.window])


def _starts(sizes, window, max_environments, steps):
    """First frames of the windows; warns, and adds to the steps, where not all are looked at."""
    starts, thinned = trajectory_window.starts_of(
        len(sizes), window, int(sizes.max()), max_environments
    )
    if thinned:
        those = "1 window" if len(starts) == 1 else f"{len(starts)} windows evenly spaced in time"
        warnings.warn(
            f"{int(sizes.sum()) // window} environments are more than "
            f"max_environments={max_environments}: only {those} can be looked at.",
            stacklevel=3,
        )
        steps.append(f"looked at: {those}")
    return starts


def _search(frames, groups, symmetry, dt, method, seed, n_jobs, progress):
    """Window found in the largest group, and why."""
    group = max(groups, key=lambda g: len(g.members(frames[0])))
    members = group.members(frames[0])

    def features_of(chosen, atoms):
        numbers, index = range(len(frames))[chosen], members[atoms]
        part = (frames[n] for n in numbers)
        return np.stack(
            group_features(part, [index] * len(numbers), group, symmetry, n_jobs, progress)
        )

    return trajectory_window.find_window(
        features_of, len(frames), len(members), dt, method, seed, progress
    )
