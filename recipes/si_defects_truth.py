"""Truth of `si_defects.py`: Wigner-Seitz sites of a perfect lattice, layers of a slab."""

import numpy as np
from ase.geometry import find_mic

NON_LATTICE = 0.8  # Å from its site: an atom of a doubly filled cell beyond it is off the lattice
DIMER = 2.7  # Å, the longest bond of a surface dimer

VACANCY_TRUTH = {
    "vacancy_A": "(n_frames, 3) position of the empty Wigner-Seitz site, in the frame's cell (Å)",
    "vacancy_neighbour": "(n_environments,) 1 for the atoms on the four sites next to it",
}
INTERSTITIAL_TRUTH = {
    "interstitial_A": "(n_frames, 3) mean position (Å) of the atoms off the lattice",
    "site_A": "(n_frames, 3) position (Å) of the doubly filled Wigner-Seitz site",
    "interstitial": "(n_environments,) 1 for atoms off the lattice: in the doubly filled cell and "
    f"more than {NON_LATTICE} Å from its site (one atom: tetrahedral or "
    "hexagonal; two: dumbbell)",
    "wigner_seitz": "(n_environments,) 1 for the two atoms of the doubly filled cell",
}
SURFACE_TRUTH = {
    "layer": "(n_environments,) layer of the unreconstructed crystal, 0 (bottom) to 8 (top)",
    "depth": "(n_environments,) layers below the nearer surface: 0 surface, 1 its neighbours, ...",
}


def layers(atoms):
    """Layer of each atom of an unreconstructed slab, from the bottom."""
    height = np.round(atoms.positions[:, 2], 3)
    return np.searchsorted(np.unique(height), height)


def wigner_seitz(positions, sites, lengths):
    """Site nearest to each atom, the atoms' displacements (Å) and the drift of the lattice (Å).

    ``lengths``: edges of the orthorhombic cell. The drift is the median displacement, repeated
    until it stays (neither the defect nor an atom on its way moves it), then the mean over the
    atoms at their sites, which has the smaller error.
    """
    drift = np.zeros(3)
    for average in (np.median, np.mean):
        for _ in range(10):
            separation = (positions - drift)[:, None] - sites[None]
            separation -= lengths * np.round(separation / lengths)
            nearest = (separation**2).sum(-1).argmin(1)
            shift = separation[np.arange(len(positions)), nearest]
            there = (shift**2).sum(-1) < (NON_LATTICE**2 if average is np.mean else np.inf)
            more = average(shift[there], axis=0)
            drift = drift + more
            if np.abs(more).max() < 1e-4:
                break
    return nearest, shift - more, drift


def vacancy_truth(positions, reference):
    """Per frame: vacant site, its position (Å), the atoms on the sites next to it."""
    lengths, sites = reference.cell.lengths(), reference.positions
    found = []
    for frame in positions:
        nearest, _, drift = wigner_seitz(frame, sites, lengths)
        occupied = np.bincount(nearest, minlength=len(sites))
        empty = np.flatnonzero(occupied == 0)
        if len(empty) != 1:
            found.append(None)
            continue
        apart = sites - sites[empty[0]]
        apart -= lengths * np.round(apart / lengths)
        beside = np.argsort((apart**2).sum(-1))[1:5]
        found.append(
            {
                "id": int(empty[0]),
                "site": int(empty[0]),
                "info": {"vacancy_A": (sites[empty[0]] + drift) % lengths},
                "arrays": {"vacancy_neighbour": np.isin(nearest, beside).astype(int)},
            }
        )
    return found


def interstitial_truth(positions, reference):
    """Per frame: the doubly filled site, which atoms are off the lattice, and where (Å)."""
    lengths, sites = reference.cell.lengths(), reference.positions
    found = []
    for frame in positions:
        nearest, shift, drift = wigner_seitz(frame, sites, lengths)
        occupied = np.bincount(nearest, minlength=len(sites))
        double = np.flatnonzero(occupied > 1)
        if len(double) != 1:
            found.append(None)
            continue
        pair = np.flatnonzero(nearest == double[0])
        away = np.linalg.norm(shift[pair], axis=1)
        off = pair[away > min(NON_LATTICE, away.max() - 1e-9)]
        place = sites[double[0]] + drift
        flags = np.zeros((2, len(frame)), int)
        flags[0, off], flags[1, pair] = 1, 1
        found.append(
            {
                "id": tuple(off.tolist()),
                "site": int(double[0]),
                "info": {
                    "interstitial_A": (place + shift[off].mean(0)) % lengths,
                    "site_A": place % lengths,
                },
                "arrays": {"interstitial": flags[0], "wigner_seitz": flags[1]},
            }
        )
    return found


def surface_truth(positions, reference):
    """Per frame: layer and depth of each atom in the unreconstructed crystal."""
    layer = layers(reference)
    depth = np.minimum(layer, 8 - layer)
    return [
        {"id": 0, "site": 0, "info": {}, "arrays": {"layer": layer, "depth": depth}}
        for _ in positions
    ]


def dimers(positions, reference):
    """Number of surface bonds of a slab; 16 are all."""
    surface = positions[np.isin(layers(reference), (0, 8))]
    vectors = (surface[:, None] - surface[None]).reshape(-1, 3)
    close = find_mic(vectors, reference.cell, reference.pbc)[1] < DIMER
    return (int(close.sum()) - len(surface)) // 2


TRUTH = {"vacancy": vacancy_truth, "interstitial": interstitial_truth, "surface": surface_truth}
