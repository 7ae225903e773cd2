"""The truth of a reference lattice, and the score of what was found against it."""

from dataclasses import dataclass

import numpy as np
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .geometry import distances, ghosts, nearest_spacing, wrap
from .tracking import sites_of_frames

OFF_LATTICE = 0.34  # spacings from its site: an atom of a dumbbell (0.8 Å in silicon)


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
    halves : array (n_vacant, 3)
        Where a vacancy is split, the other of its two half-vacant sites (Å); NaN where whole.
    """

    site_of: np.ndarray
    occupancy: np.ndarray
    vacant: np.ndarray
    shared: np.ndarray
    vacancies: np.ndarray
    interstitials: np.ndarray
    interstitial_atoms: list
    halves: np.ndarray


def wigner_seitz(frames, reference):
    """Vacant and multiply filled sites of each frame against a perfect crystal: the truth.

    Each atom counts for its nearest site. Frames are mapped on the reference by their scaled
    coordinates, so a strained, sheared or rotated cell does no harm; atoms may be wrapped or not.
    A rigid drift of the lattice is found (the smallest that brings atoms to sites: a whole lattice
    vector cannot be seen, and would only rename the sites), as the mean over the atoms at their
    sites, and taken off. Of the atoms of a shared site those further from it than 0.34
    nearest-neighbour spacings are off the lattice (at least the furthest): one for a tetrahedral
    or hexagonal interstitial, two for a dumbbell.

    A vacancy is split where an atom is midway between the vacant site and its own: nearer to the
    plane between them than the root mean square displacement of the frame's atoms along one
    direction. Which of the two sites is the vacant one then changes with every vibration.

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


def score(found, truth, cells, tolerance=0.7, pbc=True, halves=None, truth_atoms=None):
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
    halves : sequence of n_frames arrays (n, 3), optional
        The other site of each split vacancy, NaN for whole ones, as `wigner_seitz` gives them.
    truth_atoms : sequence of n_frames lists of arrays of int, optional
        The atoms of each true defect, as `wigner_seitz` gives those of interstitials.

    Returns
    -------
    dict
        located: fraction of the true defects that were found;
        frames_located: fraction of the frames with all of theirs found;
        errors_A: distances of the pairs that count (Å); median_error_A, largest_error_A;
        false_alarms_per_frame: found ones without a true one, per frame;
        exactly_four: fraction of the located ones with four atoms in `Site.atoms` (NaN for bare
        positions); atom_counts: {number of atoms: number of located ones}.

        With `halves` also located_either and false_alarms_either_per_frame: the same where a
        split vacancy counts at either of its two sites; split: fraction that is split.
        With `truth_atoms` also found_atoms and false_atoms_per_frame: true defects of which an
        atom is named in a `Site.atoms`, and sites that name an atom of none.

    Raises
    ------
    ValueError
        Found and true frames, cells, halves or atoms that differ in number; positions that are
        not finite; a tolerance that is not above 0.

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
    places, members, cells = sites_of_frames(found, cells)
    true, _, _ = sites_of_frames(truth, cells)
    away = [distances(here, there, cell, np.broadcast_to(pbc, 3))
            for here, there, cell in zip(places, true, cells, strict=True)]
    errors, hits, false, complete = _paired(away, tolerance)
    counts = [len(members[frame][k]) for frame, k in hits]
    n_true, bare = sum(map(len, true)), not any(counts)
    result = {
        "located": len(errors) / n_true if n_true else np.nan, "frames_located": complete,
        "errors_A": errors, "median_error_A": float(np.median(errors)) if hits else np.nan,
        "largest_error_A": max(errors, default=np.nan), "false_alarms_per_frame": false,
        "exactly_four": np.nan if bare else float(np.mean(np.array(counts) == 4)),
        "atom_counts": dict(zip(*np.unique(counts, return_counts=True), strict=True))
        if not bare else {}}
    if halves is not None:
        result |= _either(away, places, true, halves, cells, tolerance, pbc)
    if truth_atoms is not None:
        result |= _by_atoms(members, true, truth_atoms)
    return result


def _paired(away, tolerance):
    """Errors and (frame, found one) of the pairs that count, false alarms per frame, share of
    the frames with all found."""
    errors, hits, false, complete = [], [], 0, []
    for frame, distance in enumerate(away):
        i, j = linear_sum_assignment(np.minimum(distance, 2 * tolerance) ** 2)
        hit = distance[i, j] <= tolerance
        errors += distance[i, j][hit].tolist()
        hits += [(frame, k) for k in i[hit]]
        false += len(distance) - hit.sum()
        complete.append(hit.sum() == distance.shape[1])
    if not away:
        return np.array(errors), hits, np.nan, np.nan
    return np.array(errors), hits, float(false / len(away)), float(np.mean(complete))


def _either(away, places, true, halves, cells, tolerance, pbc):
    """The score where a split vacancy counts at either of its two sites."""
    halves = [np.reshape(np.array(half, dtype=float), (-1, 3)) for half in halves]
    if [len(half) for half in halves] != [len(there) for there in true]:
        raise ValueError("halves and truth differ in the number of defects; give one row for each "
                         "true position, NaN where the vacancy is whole.")
    split = [np.isfinite(half).all(axis=1) for half in halves]
    nearer = []
    for distance, here, half, mine, cell in zip(away, places, halves, split, cells, strict=True):
        distance = distance.copy()
        distance[:, mine] = np.minimum(distance[:, mine], distances(here, half[mine], cell,
                                                                    np.broadcast_to(pbc, 3)))
        nearer.append(distance)
    errors, _, false, _ = _paired(nearer, tolerance)
    split = np.concatenate(split) if split else np.zeros(0, bool)
    return {"located_either": len(errors) / len(split) if len(split) else np.nan,
            "false_alarms_either_per_frame": false,
            "split": float(split.mean()) if len(split) else np.nan}


def _by_atoms(members, true, truth_atoms):
    """The score by atoms that the found and the true defects share."""
    if [len(atoms) for atoms in truth_atoms] != [len(there) for there in true]:
        raise ValueError("truth_atoms and truth differ in the number of defects; give an array of "
                         "atoms for each true position.")
    shared = [np.array([[bool(np.intersect1d(a, b).size) for b in theirs] for a in mine],
                       dtype=bool).reshape(len(mine), len(theirs))
              for mine, theirs in zip(members, truth_atoms, strict=True)]
    n_true = sum(map(len, true))
    return {"found_atoms": sum(int(s.any(axis=0).sum()) for s in shared) / n_true
            if n_true else np.nan,
            "false_atoms_per_frame": float(np.mean([(~s.any(axis=1)).sum() for s in shared]))
            if shared else np.nan}


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
    halves = _halves(vacant, sites, cell, pbc, spacing, site_of, off)
    back = np.linalg.inv(to_reference)

    def in_frame(places):
        return wrap((places + drift) @ back, atoms.cell.complete().array, pbc)

    return WignerSeitz(site_of, occupancy, vacant, shared, in_frame(sites[vacant]),
                       in_frame(middle), members, in_frame(halves))


def _halves(vacant, sites, cell, pbc, spacing, site_of, off):
    """The site of the atom midway to each vacant site, or NaN."""
    heat = np.sqrt((off**2).mean())
    halves = np.full((len(vacant), 3), np.nan)
    for k, site in enumerate(vacant):
        step, length = find_mic(sites[site] - sites[site_of], cell, pbc)
        beside = np.flatnonzero(length < 1.25 * spacing)
        if len(beside):
            to_go = length[beside] / 2 - (off[beside] * step[beside]).sum(1) / length[beside]
            if to_go.min() < heat:
                halves[k] = sites[site_of[beside[to_go.argmin()]]]
    return halves


def _drift(positions, cell, pbc, spacing, lattice):
    """Smallest rigid shift (Å) that brings the lattice of the atoms to that of the sites.

    Medians find it, since they do not mind the atoms of a defect; the mean over the atoms at
    their sites then has the smaller error by heat, which decides where an atom is midway.
    """
    def settle(shift, chosen, n_steps, centre=np.median):
        for _ in range(n_steps):
            inside = wrap(chosen - shift, cell, pbc)
            away, near = lattice.query(inside)
            there = away < (OFF_LATTICE * spacing if centre is np.mean else np.inf)
            more = centre((inside - lattice.data[near])[there], axis=0) if there.any() else 0.0
            shift = shift + more
            if np.abs(more).max() < 1e-4:
                break
        return shift, np.percentile(away, 75)

    shift, misfit = settle(np.zeros(3), positions, 10)
    if misfit >= 0.25 * spacing:
        some = positions[np.linspace(0, len(positions) - 1, 300).astype(int)]
        trials = wrap(some[::25], cell, pbc)
        near = lattice.query(trials, k=16)[1]
        tried = [settle(v, some, 3)
                 for v in (trials[:, None] - lattice.data[near]).reshape(-1, 3)]
        limit = 1.1 * min(misfit for _, misfit in tried) + 0.02 * spacing
        best = min((shift for shift, misfit in tried if misfit <= limit), key=np.linalg.norm)
        shift = settle(best, positions, 10)[0]
    return settle(shift, positions, 10, np.mean)[0]
