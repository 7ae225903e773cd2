"""Sites over time, the truth of a reference lattice, and the score of one against the other."""

from dataclasses import dataclass

import numpy as np
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from ._healing import distances, ghosts, nearest_spacing, wrap


@dataclass(frozen=True, eq=False)
class Track:
    """Path of one defect.

    Attributes
    ----------
    frames : array (n,) of int
        Frames in which it was found, increasing.
    path : array (n, 3)
        Its positions (Å), unwrapped: across a boundary it goes on.
    atoms : list of n arrays of int
        Its atoms; empty where only positions were given.
    jumps : structured array
        `frame` (of arrival), `start`, `end` (Å, unwrapped) and `displacement` (Å).
    identity_changes : list of (frame, lost, gained)
        Where its atoms changed, and which.
    """

    frames: np.ndarray
    path: np.ndarray
    atoms: list
    jumps: np.ndarray
    identity_changes: list


@dataclass(frozen=True, eq=False)
class WignerSeitz:
    """Vacant and multiply filled sites of one frame.

    Attributes
    ----------
    site_of : array (n_atoms,) of int
        Nearest site of each atom.
    occupancy : array (n_sites,) of int
        Atoms of each site.
    vacant, shared : arrays of int
        Sites with no atom, with more than one.
    vacancies : array (n_vacant, 3)
        Positions (Å) of the vacant sites in the frame's cell.
    interstitials : array (n, 3)
        Mean positions (Å) of the atoms off the lattice, one for each shared site.
    interstitial_atoms : list of arrays of int
        These atoms, for each shared site.
    """

    site_of: np.ndarray
    occupancy: np.ndarray
    vacant: np.ndarray
    shared: np.ndarray
    vacancies: np.ndarray
    interstitials: np.ndarray
    interstitial_atoms: list


OFF_LATTICE = 0.34  # spacings from its site: an atom of a dumbbell (0.8 Å in silicon)
JUMP = np.dtype([("frame", int), ("start", float, 3), ("end", float, 3), ("displacement", float)])


def track(sites, cells, max_jump=5.0, memory=5, min_jump=1.2, pbc=True):
    """Paths of the defects found frame by frame, with their jumps and changes of identity.

    In each frame the sites are given to the paths so that the sum of squared distances from
    where each was last seen is smallest, none larger than `max_jump`. A path not continued for
    more than `memory` frames ends; a site without a path starts one.

    A jump is a move from one resting place to another at least `min_jump` away: the resting place
    is the mean since the last jump, and two frames in a row have to lie beyond, so that a defect
    seen once at the wrong site has not jumped.

    Parameters
    ----------
    sites : sequence of n_frames lists of Site, or of arrays (n, 3) in Å
        What was found in each frame; may be empty.
    cells : array (3, 3) or (n_frames, 3, 3)
        Cell vectors (Å).
    max_jump, min_jump : float
        Å. Half a bond of silicon is 1.2, second neighbours are 3.8 apart.
    memory : int
        Frames.
    pbc : bool or three
        Periodic directions.

    Returns
    -------
    list of Track, the longest first.

    Raises
    ------
    ValueError
        Cells that do not match the frames, positions that are not finite, lengths or memory
        below zero.

    Examples
    --------
    >>> path = [[[9.8, 5, 5]], [[9.9, 5, 5]], [[0.1, 5, 5]], [[2.3, 5, 5]], [[2.3, 5, 5]]]
    >>> found, = track(path, 10 * np.eye(3))
    >>> found.path[:, 0].round(1).tolist()
    [9.8, 9.9, 10.1, 12.3, 12.3]
    >>> found.jumps["frame"].tolist()
    [3]
    """
    places, members, cells = _sites(sites, cells)
    if max_jump <= 0 or min_jump <= 0 or memory < 0:
        raise ValueError(f"max_jump={max_jump}, min_jump={min_jump}, memory={memory}: use lengths "
                         "above 0 Å and a memory of 0 frames or more.")
    pbc, paths = np.broadcast_to(pbc, 3), []
    for frame, (found, cell) in enumerate(zip(places, cells, strict=True)):
        alive = [path for path in paths if frame - path[-1][0] <= memory + 1]
        taken = set()
        if alive and len(found):
            # a cell that breathes carries its defects along
            last = np.array([path[-1][1] @ np.linalg.inv(cells[path[-1][0]]) @ cell
                             for path in alive])
            away = distances(last, found, cell, pbc)
            for i, j in zip(*linear_sum_assignment(np.minimum(away, 2 * max_jump) ** 2),
                            strict=True):
                if away[i, j] <= max_jump:
                    step = find_mic((found[j] - last[i])[None], cell, pbc)[0][0]
                    alive[i].append((frame, last[i] + step, members[frame][j]))
                    taken.add(j)
        paths += [[(frame, place, members[frame][j])] for j, place in enumerate(found)
                  if j not in taken]
    tracks = [_track(path, min_jump) for path in paths]
    return sorted(tracks, key=lambda t: (-len(t.frames), t.frames[0]))


def mean_square_displacement(path, max_lag=None):
    """Mean square displacement (Å^2) of a defect over lags of 0, 1, 2, ... frames.

    Averaged over all pairs of frames a lag apart in which the defect was found; NaN where there
    is none. Displacements between its positions are dominated by heat until it jumps.

    Parameters
    ----------
    path : Track
    max_lag : int, optional
        Largest lag in frames; half the length of the track.

    Returns
    -------
    array (max_lag + 1,)

    Raises
    ------
    ValueError
        A lag below 0 or beyond the track.
    """
    span = path.frames[-1] - path.frames[0]
    max_lag = int(span // 2) if max_lag is None else max_lag
    if not 0 <= max_lag <= span:
        raise ValueError(f"max_lag={max_lag} for a track that spans {span} frames; use max_lag "
                         f"<= {span}.")
    place = np.full((span + 1, 3), np.nan)
    place[path.frames - path.frames[0]] = path.path
    result = np.zeros(max_lag + 1)
    for lag in range(1, max_lag + 1):
        square = ((place[lag:] - place[:-lag]) ** 2).sum(axis=1)
        square = square[np.isfinite(square)]
        result[lag] = square.mean() if len(square) else np.nan
    return result


def wigner_seitz(frames, reference):
    """Vacant and multiply filled sites of each frame against a perfect crystal: the truth.

    Each atom counts for its nearest site. Frames are mapped on the reference by their scaled
    coordinates, so a strained, sheared or rotated cell does no harm; atoms may be wrapped or not.
    A rigid drift of the lattice is found (the smallest that brings atoms to sites: a whole lattice
    vector cannot be seen, and would only rename the sites) and
    taken off. Of the atoms of a shared site those further from it than 0.34 nearest-neighbour
    spacings are off the lattice (at least the furthest): one for a tetrahedral or hexagonal
    interstitial, two for a dumbbell.

    Parameters
    ----------
    frames : ase.Atoms or sequence of them
        Any number of atoms, in a cell that deforms that of the reference.
    reference : ase.Atoms
        The perfect crystal, with as many cells as the frames.

    Returns
    -------
    WignerSeitz, or a list of them for a sequence.

    Raises
    ------
    ValueError
        Atoms that differ from the sites by more than a fifth, or boundaries that differ.

    Examples
    --------
    >>> from ase.build import bulk
    >>> perfect = bulk("Si", cubic=True) * (2, 2, 2)
    >>> damaged = perfect.copy()
    >>> del damaged[5]
    >>> damaged.positions += [0.4, 0.7, -0.2]
    >>> wigner_seitz(damaged, perfect).vacant.tolist()
    [5]
    """
    if hasattr(frames, "positions"):
        return wigner_seitz([frames], reference)[0]
    cell, pbc = reference.cell.complete().array, np.array(reference.pbc)
    sites = wrap(reference.get_positions(), cell, pbc)
    for k, atoms in enumerate(frames):
        if abs(len(atoms) - len(sites)) > 0.2 * len(sites) or (atoms.pbc != pbc).any():
            raise ValueError(f"Frame {k} has {len(atoms)} atoms and pbc {atoms.pbc.tolist()}, the "
                             f"reference {len(sites)} and {pbc.tolist()}; give the perfect "
                             "crystal with as many unit cells.")
        if not np.isfinite(atoms.positions).all():
            raise ValueError(f"Frame {k} has positions that are not finite; leave it out.")
    spacing = nearest_spacing(sites, cell, pbc)
    points, owner = ghosts(sites, cell, pbc, 3 * spacing)
    lattice = cKDTree(points)
    return [_wigner_seitz(atoms, sites, cell, pbc, spacing, lattice, owner) for atoms in frames]


def score(found, truth, cells, tolerance=0.7, pbc=True):
    """How many of the true defects were found, how far off, and how many false ones.

    In each frame found and true positions are paired one to one, at the smallest sum of squared
    distances; a pair counts if it is nearer than `tolerance`.

    Parameters
    ----------
    found : sequence of n_frames lists of Site, or of arrays (n, 3) in Å
    truth : sequence of n_frames arrays (n, 3)
        True positions (Å), none or several a frame.
    cells : array (3, 3) or (n_frames, 3, 3)
        Cell vectors (Å).
    tolerance : float
        Å.
    pbc : bool or three

    Returns
    -------
    dict
        located: fraction of the true defects that were found;
        frames_located: fraction of the frames with all of theirs found;
        errors_A: distances of the pairs that count (Å); median_error_A, largest_error_A;
        false_alarms_per_frame: found ones without a true one, per frame;
        exactly_four: fraction of the located ones with four atoms in `Site.atoms` (NaN for bare
        positions); atom_counts: {number of atoms: number of located ones}.

    Raises
    ------
    ValueError
        Found and true frames, or cells, that differ in number; positions that are not finite; a
        tolerance that is not above 0.

    Examples
    --------
    >>> result = score([[[9.9, 0, 0]], [[5, 5, 5]]], [[[0.1, 0, 0]], []], 10 * np.eye(3))
    >>> result["located"], round(result["median_error_A"], 3), result["false_alarms_per_frame"]
    (1.0, 0.2, 0.5)
    """
    if tolerance <= 0:
        raise ValueError(f"tolerance={tolerance} Å; use one above 0, such as 0.7.")
    if len(found) != len(truth):
        raise ValueError(f"{len(found)} frames of found sites for {len(truth)} frames of true "
                         "ones; give one list (empty where there is none) for each frame.")
    places, members, cells = _sites(found, cells)
    true, _, _ = _sites(truth, cells)
    errors, counts, false, complete = [], [], 0, []
    for here, atoms, there, cell in zip(places, members, true, cells, strict=True):
        away = distances(here, there, cell, np.broadcast_to(pbc, 3))
        i, j = linear_sum_assignment(np.minimum(away, 2 * tolerance) ** 2)
        hit = away[i, j] <= tolerance
        errors += away[i, j][hit].tolist()
        counts += [len(atoms[k]) for k in i[hit]]
        false += len(here) - hit.sum()
        complete.append(hit.sum() == len(there))
    n_true, bare = sum(map(len, true)), not any(counts)
    return {"located": len(errors) / n_true if n_true else np.nan,
            "frames_located": float(np.mean(complete)) if complete else np.nan,
            "errors_A": np.array(errors),
            "median_error_A": float(np.median(errors)) if errors else np.nan,
            "largest_error_A": max(errors, default=np.nan),
            "false_alarms_per_frame": float(false / len(places)) if places else np.nan,
            "exactly_four": np.nan if bare else float(np.mean(np.array(counts) == 4)),
            "atom_counts": dict(zip(*np.unique(counts, return_counts=True), strict=True))
            if not bare else {}}


def _wigner_seitz(atoms, sites, cell, pbc, spacing, lattice, owner):
    """Analysis of one frame; `lattice` is the tree of the sites and their images."""
    to_reference = np.linalg.inv(atoms.cell.complete().array) @ cell
    positions = atoms.get_positions() @ to_reference
    drift = _drift(positions, cell, pbc, spacing, lattice)
    inside = wrap(positions - drift, cell, pbc)
    away, near = lattice.query(inside)
    site_of, off = owner[near], inside - lattice.data[near]
    occupancy = np.bincount(site_of, minlength=len(sites))
    vacant, shared = np.flatnonzero(occupancy == 0), np.flatnonzero(occupancy > 1)
    members, middle = [], np.empty((len(shared), 3))
    for k, site in enumerate(shared):
        mine = np.flatnonzero(site_of == site)
        members.append(mine[away[mine] >= min(OFF_LATTICE * spacing, away[mine].max())])
        middle[k] = sites[site] + off[members[-1]].mean(axis=0)
    back = np.linalg.inv(to_reference)

    def in_frame(places):
        return wrap((places + drift) @ back, atoms.cell.complete().array, pbc)

    return WignerSeitz(site_of, occupancy, vacant, shared, in_frame(sites[vacant]),
                       in_frame(middle), members)


def _drift(positions, cell, pbc, spacing, lattice):
    """Smallest rigid shift (Å) that brings the lattice of the atoms to that of the sites."""
    def settle(shift, chosen, n_steps):
        for _ in range(n_steps):
            inside = wrap(chosen - shift, cell, pbc)
            away, near = lattice.query(inside)
            more = np.median(inside - lattice.data[near], axis=0)
            shift = shift + more
            if np.abs(more).max() < 1e-4:
                break
        return shift, np.percentile(away, 75)

    shift, misfit = settle(np.zeros(3), positions, 10)
    if misfit < 0.25 * spacing:
        return shift
    some = positions[np.linspace(0, len(positions) - 1, 300).astype(int)]
    trials = wrap(some[::25], cell, pbc)
    near = lattice.query(trials, k=16)[1]
    tried = [settle(v, some, 3) for v in (trials[:, None] - lattice.data[near]).reshape(-1, 3)]
    limit = 1.1 * min(misfit for _, misfit in tried) + 0.02 * spacing
    best = min((shift for shift, misfit in tried if misfit <= limit), key=np.linalg.norm)
    return settle(best, positions, 10)[0]


def _sites(sites, cells):
    """Positions, atoms and cells of each frame."""
    cells = np.asarray(cells, dtype=float)
    if cells.shape not in ((3, 3), (len(sites), 3, 3)):
        raise ValueError(f"cells has shape {cells.shape} for {len(sites)} frames; give (3, 3) or "
                         f"({len(sites)}, 3, 3).")
    cells = np.broadcast_to(cells, (len(sites), 3, 3))
    places, members = [], []
    for frame, found in enumerate(sites):
        bare = [getattr(site, "position", site) for site in found]
        places.append(np.reshape(np.array(bare, dtype=float), (-1, 3)))
        if not np.isfinite(places[-1]).all():
            raise ValueError(f"The sites of frame {frame} are not finite; leave them out.")
        members.append([np.asarray(getattr(site, "atoms", ()), dtype=int) for site in found])
    return places, members, cells


def _track(path, min_jump):
    """A Track from its (frame, position, atoms)."""
    frames, places, atoms = zip(*path, strict=True)
    frames, places = np.array(frames), np.array(places)
    jumps, start = [], 0
    for k in range(1, len(places)):
        rest = places[start:k].mean(axis=0)
        ahead = places[k: k + 2]
        if (np.linalg.norm(ahead - rest, axis=1) < min_jump).any() or len(ahead) < 2:
            continue
        end = ahead.mean(axis=0)
        jumps.append((frames[k], rest, end, np.linalg.norm(end - rest)))
        start = k
    changes = [(int(frames[k]), np.setdiff1d(atoms[k - 1], atoms[k]),
                np.setdiff1d(atoms[k], atoms[k - 1]))
               for k in range(1, len(atoms)) if not np.array_equal(atoms[k - 1], atoms[k])]
    return Track(frames, places, list(atoms), np.array(jumps, dtype=JUMP), changes)
