"""What a vacant site or an atom without one is called, where it is, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import find_mic
from scipy.spatial import cKDTree

from .crowdions import crowdion
from .geometry import distances, ghosts, groups_of, linked, wrap
from .sites import Site, vacancy_kind

if TYPE_CHECKING:
    from .crystal import Crystal

SHELL_GAP = 1.13  # a step in distance by more than this ends the first shell
SHELL_MAX = 1.30  # of the nearest distance: no first shell is wider
FARTHER = 1.06  # distances: sites of one's own element so much farther are no neighbours
NEARLY = 0.08  # of the way into a vacancy: an atom so near to midway belongs to both sites
SHARES_SITE = 0.25  # spacings: an owner further from its site than this may share it,
AS_FAR = 0.45  # if it is at least so far from it, of how far the extra atom is,
UNLIKE_AS_FAR = 0.75  # the same of two elements, where the site belongs to one of them,
OPPOSITE = -0.35  # on the other side (cosine of the angle between them at most this),
NEARER = 0.8  # and the extra atom is not as near to the next site (fraction of that)
GIVES_WAY = 0.5  # unless the atom there is hardly off its site, of how far the partner is
CENTRED = 0.125  # or the two are about their site (spacings between it and their middle)
LOPSIDED = 0.06  # and the atom there has given way so much less (spacings) than the partner
PAIR = 1.3  # nearest distances: vacant sites nearer than this are one divacancy
EXTRA_PAIR = 1.9  # spacings: extra atoms nearer than this are one di-interstitial
OUTSIDE = 0.45  # mean direction to the atoms around: an extra atom on a surface
ISLAND = 5  # extra atoms together on a surface: an island or a step, no adatoms
ROTATED = 0.45  # spacings: atoms of a rotated bond are so far off their sites
TURNED = 50.0  # degrees between a rotated bond and that of their sites
MIXED = 0.80  # a basis site with less of one element is mixed: an alloy, unless one atom


class _Namer:
    """The crystal with what naming needs of it: trees of sites and atoms with their images."""

    def __init__(self, crystal, numbers):
        frame = crystal.frame
        self.crystal, self.sites, self.frame, self.numbers = crystal, crystal.sites, frame, numbers
        self.spacing, self.islands = frame.spacing, []
        self._n_equal = crystal.n_equal
        self.images, self.image_site = ghosts(
            self.sites.positions, frame.cell, frame.pbc, 3 * self.spacing
        )
        self.site_tree = cKDTree(self.images)

    def shell(self, site):
        """Sites next to a site and the distance (Å) of the nearest.

        Of a compound only those of the other elements where these are nearer: the cations around
        an anion.
        """
        away, near = self.site_tree.query(
            self.sites.positions[site],
            k=min(40, len(self.images)),
            distance_upper_bound=2.6 * self.spacing,
        )
        away, near = away[1:], near[1:]
        away, near = away[np.isfinite(away)], near[np.isfinite(away)]
        if not len(away):
            return np.empty(0, int), self.spacing
        step = away[1:] / away[:-1]
        last = 1 + np.argmax(np.r_[(step > SHELL_GAP) | (away[1:] > SHELL_MAX * away[0]), True])
        shell, away = self.image_site[near[:last]], away[:last]
        element = self.sites.numbers[self.sites.site_basis]
        other = element[shell] != element[site]
        if other.any() and away[~other].min(initial=np.inf) > FARTHER * away[other].min():
            shell = shell[other]
        return shell, away[0]

    def around(self, place, leave=()):
        """Atoms within 1.3 spacings of a place, and the distance of the nearest."""
        away, near = self.frame.tree.query(
            place, k=min(30, self.frame.tree.n), distance_upper_bound=1.3 * self.spacing
        )
        atoms = self.frame.owner[near[np.isfinite(away)]]
        away = away[np.isfinite(away)]
        kept = ~np.isin(atoms, leave)
        return np.unique(atoms[kept]), away[kept].min(initial=2 * self.spacing)

    def pure(self, site):
        """Whether all images of a site but a few hold one element."""
        limit = np.minimum(MIXED, 1 - 1.5 / self.n_equal(site))
        return self.sites.purity[self.sites.site_basis[site]] > limit

    def n_equal(self, site):
        """Sites of the frame that should hold what this one holds."""
        return self._n_equal[self.sites.site_basis[site]]

    def symbol(self, site):
        """Element of a site."""
        return chemical_symbols[self.sites.numbers[self.sites.site_basis[site]]]

    def confidence(self, margin):
        """0 to 1: what the lattice explains, how many cells vote, how clear the case is."""
        votes = 1 - 0.5 / self._n_equal.max()
        return float(np.clip(self.crystal.explained * votes * np.clip(margin, 0, 1), 0, 1))


def name_defects(
    crystal: Crystal, positions: np.ndarray, numbers: np.ndarray, cell: np.ndarray, pbc: np.ndarray
) -> tuple[list[Site], str]:
    """Sites of all defects of a Crystal, and what the crystal has that is no point defect."""
    namer = _Namer(crystal, numbers)
    origin = positions[0] - crystal.frame.positions[0]
    found = _vacancies(namer) + _extra(namer) + _wrong_elements(namer) + _rotated_bonds(namer)
    placed = []
    for site in found:
        moved = {"position": wrap((site["position"] + origin)[None], cell, pbc)[0]}
        if site.get("other") is not None:
            moved["other"] = wrap((site["other"] + origin)[None], cell, pbc)[0]
        placed.append(Site(**{"fit": np.nan} | site | moved))
    return placed, _notes(namer)


def _notes(namer):
    """Islands and mixed sites, in words; an empty text where there are none."""
    notes = ""
    if namer.islands:
        notes += (
            f"; {sum(map(len, namer.islands))} atoms form an island or a step on the "
            "surface and are no point defects"
        )
    multiplicity = namer.crystal.lattice.multiplicity
    first = np.arange(len(namer.sites.basis)) * multiplicity
    mixed = [site for site in first if not namer.pure(site)]
    if mixed:
        notes += (
            f"; {len(mixed)} of {len(first)} basis sites hold several elements (an alloy): "
            "no antisites are told there"
        )
    return notes


def _vacancies(namer):
    """Vacant sites as keywords of Site, the surest first."""
    sites, frame, vacant = namer.sites, namer.frame, namer.crystal.vacant
    if not len(vacant):
        return []
    places = sites.positions[vacant]
    apart = distances(places, places, frame.cell, frame.pbc) + np.diag([np.inf] * len(vacant))
    shells = [namer.shell(site) for site in vacant]
    pair = PAIR * np.array([nearest for _, nearest in shells])
    group = linked(apart < np.maximum(pair[:, None], pair))
    together = np.bincount(group)[group]
    orbit = namer.crystal.orbit[sites.site_basis[vacant]]
    found = []
    for k, site in enumerate(vacant):
        shell = shells[k][0]
        atoms = sites.owner[shell]
        atoms = np.unique(atoms[atoms >= 0])
        _, clear = namer.around(places[k])
        kind, other = "vacancy", None
        if together[k] > 1:
            kind = vacancy_kind(together[k])
        elif len(atoms):
            way = find_mic(
                places[k] - sites.positions[sites.site_of[atoms]], frame.cell, frame.pbc
            )[0]
            length = np.linalg.norm(way, axis=1)
            to_go = length / 2 - (sites.off[atoms] * way).sum(1) / length
            near_midway = np.maximum(namer.crystal.rms / np.sqrt(3), NEARLY * length)
            if (to_go < near_midway).any():
                kind = "split vacancy"
                other = sites.positions[sites.site_of[atoms[to_go.argmin()]]]
        element, count = namer.symbol(site), int((orbit == orbit[k]).sum())
        found.append(
            {
                "kind": kind,
                "position": places[k],
                "atoms": atoms,
                "neighbours": atoms,
                "other": other,
                "element": element if namer.pure(site) else "",
                "confidence": namer.confidence(0.5 + (clear / namer.spacing - 0.2)),
                "evidence": f"{count} of {namer.n_equal(site)} equal {element} "
                f"sites vacant; no atom within {clear:.2f} Å, {len(atoms)} neighbours",
            }
        )
    return sorted(found, key=lambda site: -site["confidence"])


def _extra(namer):
    """Atoms without a site as keywords of Site; on a surface, a larger island has none."""
    frame, extra = namer.frame, namer.crystal.extra
    if not len(extra):
        return []
    found = []
    above = np.array([_outside(namer, place) for place in frame.positions[extra]])
    layer = above.sum() > max(ISLAND, 0.25 * namer.crystal.lattice.multiplicity)
    for group in groups_of(frame.points, frame.owner, extra, EXTRA_PAIR * namer.spacing):
        outside = above[np.isin(extra, group)]
        if outside.any() and (layer or len(group) >= ISLAND):
            namer.islands.append(group)
            continue
        for atom in group:
            found.append(_extra_atom(namer, atom))
            if outside.any():
                found[-1]["kind"] = "adatom"
            elif len(group) > 1:
                found[-1]["kind"] = "di-interstitial"
    return sorted(found, key=lambda site: -site["confidence"])


def _extra_atom(namer, atom):
    """One atom without a site: alone, or with the atom whose site it shares."""
    sites, frame = namer.sites, namer.frame
    heat = max(namer.crystal.rms, 0.02 * namer.spacing)
    place, members, kind = frame.positions[atom], [atom], "interstitial"
    off, owner = np.linalg.norm(sites.off[atom]), sites.owner[sites.nearest[atom]]
    row = None
    if owner >= 0 and _shares(namer, atom, owner):
        kind, members = "dumbbell", [atom, owner]
        place = sites.positions[sites.nearest[atom]] + sites.off[members].mean(axis=0)
    else:
        row = crowdion(frame, sites, namer.site_tree, namer.image_site, atom)
    if row is not None:
        kind, members, place = "crowdion", row.atoms, row.place
    near, closest = namer.around(place, members)
    chain = "" if row is None else row.words
    return {
        "kind": kind,
        "position": place,
        "atoms": np.sort(members),
        "neighbours": near,
        "element": chemical_symbols[namer.numbers[atom]],
        "confidence": namer.confidence(off / (2 * heat)),
        "evidence": f"all sites around are taken; {off:.2f} Å off the nearest, where the "
        f"atoms on sites are {heat:.2f} Å off (rms); the next atom is at "
        f"{closest:.2f} Å{chain}",
    }


def _shares(namer, atom, owner):
    """Whether an atom without a site and the owner of the nearest are two about that site."""
    sites = namer.sites
    one, two = sites.off[atom], sites.off[owner]
    off, shared = np.linalg.norm(one), np.linalg.norm(two)
    unlike = namer.numbers[atom] != namer.numbers[owner] and namer.pure(sites.nearest[atom])
    as_far = UNLIKE_AS_FAR if unlike else AS_FAR
    if shared < max(SHARES_SITE * namer.spacing, as_far * off):
        return False
    if one @ two > OPPOSITE * off * shared:
        return False
    here = wrap(namer.frame.positions[[atom]], namer.frame.cell, namer.frame.pbc)[0]
    away, near = namer.site_tree.query(here, k=2)
    if away[0] < NEARER * away[1]:
        return True
    beyond = sites.owner[namer.image_site[near[1]]]  # in a crowdion it gives way, too
    if beyond < 0:
        return False
    if np.linalg.norm(sites.off[beyond]) < GIVES_WAY * shared:
        return True
    along = (namer.site_tree.data[near[1]] - here) / away[1]
    less = shared - sites.off[beyond] @ along
    middle = np.linalg.norm(one + two) / 2
    return middle < CENTRED * namer.spacing and less > LOPSIDED * namer.spacing


def _outside(namer, place):
    """Whether the atoms around a place are all on one side of it."""
    near = namer.frame.tree.query_ball_point(place, 2 * namer.spacing)
    step = namer.frame.tree.data[near] - place
    length = np.linalg.norm(step, axis=1)
    step, length = step[length > 1e-6], length[length > 1e-6]
    if not len(step):
        return True
    return np.linalg.norm((step / length[:, None]).mean(axis=0)) > OUTSIDE


def _wrong_elements(namer):
    """Atoms on sites of another element as keywords of Site."""
    sites, numbers = namer.sites, namer.numbers
    on = np.flatnonzero(sites.site_of >= 0)
    basis = sites.site_basis[sites.site_of[on]]
    other = numbers[on] != sites.numbers[basis]
    on, basis = on[other], basis[other]
    pure = namer.pure(sites.site_of[on])
    pairs = [frozenset(p) for p in zip(numbers[on], sites.numbers[basis], strict=True)]
    # of elements that share some sites others are soon pure by chance
    mixed = {pair for pair, alone in zip(pairs, pure, strict=True) if not alone}
    found = []
    for atom, pair in zip(on, pairs, strict=True):
        if pair in mixed:
            continue
        site = sites.site_of[atom]
        here, element = namer.symbol(site), chemical_symbols[numbers[atom]]
        shell, _ = namer.shell(site)
        near = sites.owner[shell]
        off = np.linalg.norm(sites.off[atom])
        own = numbers[atom] in sites.numbers
        found.append(
            {
                "kind": "antisite" if own else "substitutional",
                "position": sites.positions[site],
                "atoms": np.array([atom]),
                "neighbours": np.unique(near[near >= 0]),
                "element": f"{element} on {here}",
                "confidence": namer.confidence(1.5 - off / namer.spacing),
                "evidence": f"{element} on a site that holds {here} in "
                f"{sites.purity[sites.site_basis[site]]:.0%} of its images, "
                f"{off:.2f} Å off it",
            }
        )
    return sorted(found, key=lambda site: -site["confidence"])


def _rotated_bonds(namer):
    """Pairs of atoms turned about the middle of their bond as keywords of Site.

    In graphene that of Stone and Wales, in silicon the fourfold coordinated defect.
    """
    sites, frame = namer.sites, namer.frame
    far = np.flatnonzero(
        (sites.site_of >= 0) & (np.linalg.norm(sites.off, axis=1) > ROTATED * namer.spacing)
    )
    found = []
    for k, one in enumerate(far):
        for two in far[k + 1 :]:
            step = find_mic(
                sites.positions[sites.site_of[two]] - sites.positions[sites.site_of[one]],
                frame.cell,
                frame.pbc,
            )[0]
            bond = step + sites.off[two] - sites.off[one]
            lengths = np.linalg.norm(step), np.linalg.norm(bond)
            if max(lengths) > PAIR * namer.spacing or min(lengths) < 1e-3:
                continue
            angle = np.degrees(np.arccos(np.clip(abs(step @ bond) / np.prod(lengths), 0, 1)))
            if angle < TURNED:
                continue
            around = np.union1d(
                *(sites.owner[namer.shell(sites.site_of[m])[0]] for m in (one, two))
            )
            middle = sites.positions[sites.site_of[one]] + sites.off[one] + bond / 2
            found.append(
                {
                    "kind": "rotated bond",
                    "position": middle,
                    "atoms": np.array([one, two]),
                    "neighbours": np.setdiff1d(around[around >= 0], [one, two]),
                    "element": chemical_symbols[namer.numbers[one]],
                    "confidence": namer.confidence(angle / 90),
                    "evidence": f"two atoms turned by {angle:.0f} degrees about the middle of "
                    "their bond (Stone-Wales)",
                }
            )
    return found
