"""Which crystal each atom belongs to: names, orientation, and how well its neighbourhood fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from . import _mdapy, kernels, smoothing, water
from .graph import groups
from .templates import leave_chance, torn

if TYPE_CHECKING:
    from ase import Atoms

NAMES = (*_mdapy.TEMPLATES, *_mdapy.ICES)
OTHER, FCC, HCP, BCC, ICOSAHEDRAL, SIMPLE_CUBIC, DIAMOND, HEXAGONAL_DIAMOND, GRAPHENE = range(9)
LIQUID_WATER = len(_mdapy.TEMPLATES)
COLD = 0.03  # rmsd: below it no heat need be taken out
COHERENT = 0.5  # fraction of neighbours that share the orientation


@dataclass(repr=False)
class Structure:
    """Crystal of every atom in one frame, as :func:`structure_types` finds it.

    Attributes
    ----------
    codes : array (n_atoms,) of int
        Index into `names`; 0 is "other": no crystal of the list, or beside a defect.
    names : tuple of str
    rmsd : array (n_atoms,)
        Misfit to the best template over the interatomic distance, before heat was taken out;
        infinite where none fits.
    rotation : array (n_atoms, 3, 3)
        From the crystal's axes (cubic axes; hexagonal: x along a, z along c) to the frame's; NaN
        where no template fits.
    residual : array (n_atoms,)
        The same misfit after heat was taken out.
    coherent : array (n_atoms,)
        Fraction of the template's neighbours with the same orientation within 15 degrees: near 1
        in a crystal of any heat, near 0 in a liquid.
    template : array (n_atoms,) of int
        Best template even where `codes` is 0: a liquid has one too, of low `coherent`.
    ordering : array (n_atoms,) of int
        1 L1_0, 2 and 3 L1_2, 4 B2, 5 zinc blende or wurtzite, 0 none.
    spacing : float
        Å, median distance of neighbours; of the nearest atom where nothing is crystalline.
    positions : array (n_atoms, 3)
        Å, near the sites: heat taken out of this one frame where it was hot.
    neighbours : array (n_atoms, 18) of int
        Nearest atoms, nearest first; an atom occurs more than once in a small cell.
    vectors : array (n_atoms, 18, 3)
        Å, to those neighbours, between `positions`.
    sublattice : array (n_atoms,) of bool
        True where the crystal is that of the atom's own element, not of all atoms.
    doubtful : array (n_atoms,) of bool
        In a crystal only since heat was taken out: beside a defect part of it.
    smoothed : bool
    """

    codes: np.ndarray
    rmsd: np.ndarray
    residual: np.ndarray
    rotation: np.ndarray
    coherent: np.ndarray
    template: np.ndarray
    ordering: np.ndarray
    spacing: float
    positions: np.ndarray
    neighbours: np.ndarray
    vectors: np.ndarray
    sublattice: np.ndarray
    doubtful: np.ndarray
    smoothed: bool = False
    names: tuple = field(default=NAMES)

    @property
    def quaternion(self) -> np.ndarray:
        """Orientations (n_atoms, 4), scalar last; NaN where no template fits."""
        result = np.full((len(self.codes), 4), np.nan)
        known = np.isfinite(self.rotation[:, 0, 0])
        if known.any():
            result[known] = Rotation.from_matrix(self.rotation[known]).as_quat()
        return result

    @property
    def labels(self) -> np.ndarray:
        """Name of each atom's crystal, array (n_atoms,) of str."""
        return np.array(self.names)[self.codes]

    def fractions(self) -> dict[str, float]:
        """Fraction of the atoms in each crystal that occurs, largest first: dict of name."""
        count = np.bincount(self.codes, minlength=len(self.names))
        return {
            self.names[code]: count[code] / len(self.codes)
            for code in np.argsort(-count, kind="stable")
            if count[code]
        }

    def __repr__(self):
        parts = ", ".join(f"{name} {part:.1%}" for name, part in self.fractions().items())
        return f"Structure of {len(self.codes)} atoms: {parts}"


def structure_types(atoms: Atoms) -> Structure:
    """Crystal of every atom, from one frame (or positions averaged over time).

    Heat is first taken out of the frame (`smoothing`), then adaptive common neighbour analysis
    names fcc, hcp and bcc, the extended one diamond and hexagonal diamond, and polyhedral
    template matching simple cubic and graphene. Where less than half is crystalline so, as for a
    nucleus in its melt, template matching with neighbours of one orientation decides. Water is
    named by its oxygens with CHILL+, hydrogens follow. Of a compound whose atoms together fit no
    template each element is matched on its own: fluorite's calcium is fcc.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å), any cell and boundaries, wrapped or not.

    Returns
    -------
    Structure

    Raises
    ------
    ValueError
        No atoms, positions or cell that are not finite, a periodic axis without a cell vector.

    Examples
    --------
    >>> from ase.build import bulk
    >>> structure_types(bulk("Cu", cubic=True) * 3)
    Structure of 108 atoms: fcc 100.0%
    """
    _check(atoms)
    oxygen = water_oxygens(atoms)
    if oxygen is not None:
        return _water(atoms, oxygen)
    structure = _of_all(atoms)
    elements, number = np.unique(atoms.numbers, return_counts=True)
    if len(elements) > 1 and np.mean(structure.codes > 0) < 0.5:
        for element in elements[number >= 4]:
            _of_element(atoms, structure, element)
        leave_chance(structure)
    return structure


def water_oxygens(atoms: Atoms, low: float = 2.5, high: float = 3.0) -> np.ndarray | None:
    """Oxygens of water or ice: array of int, or None where the frame is something else.

    Only O and H, two H for each O or none at all, ions dissolved in it
    (:func:`defectkit.phases.water.of_water`), and the oxygens' nearest neighbours 2.5 to 3.0 Å
    apart.
    """
    oxygen = np.flatnonzero(atoms.numbers == 8)
    if len(oxygen) < 20 or not water.of_water(atoms.numbers):
        return None
    points, _ = _frame(atoms[oxygen])
    distance = _mdapy.nearest(points, 4)[1][: points.size]
    return oxygen if low < np.median(distance[:, 0]) and np.median(distance) < high + 0.2 else None


def _check(atoms):
    if not len(atoms):
        raise ValueError("There are no atoms in this frame; give one that has some.")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("Some positions or cell vectors are not finite; mend the frame first.")
    if np.any(atoms.pbc & (np.linalg.norm(atoms.cell.array, axis=1) == 0)):
        raise ValueError("A periodic axis has no cell vector; set atoms.cell or atoms.pbc.")


def _frame(atoms):
    """The atoms in a box so thick that 18 neighbours are distinct images, and these neighbours.

    Of fewer than 19 atoms without periodic images None in their place.
    """
    cell = atoms.cell.complete().array
    points = _mdapy.frame(atoms.positions, cell, atoms.pbc)
    if len(points.positions) <= _mdapy.NEIGHBOURS:
        if not atoms.pbc.any():
            return points, None
        points = _mdapy.frame(atoms.positions, cell, atoms.pbc, 40.0)
    neighbours, distance = _mdapy.nearest(points)
    reach = np.percentile(distance[: points.size, -1], 99)
    if 2.2 * reach > 15.0:
        points = _mdapy.frame(atoms.positions, cell, atoms.pbc, 2.2 * reach)
        neighbours, _ = _mdapy.nearest(points)
    return points, neighbours


def _of_all(atoms):
    start, neighbours = _frame(atoms)
    if neighbours is None:
        return _nothing(atoms)
    kinds = atoms.numbers if len(np.unique(atoms.numbers)) > 1 else None
    present, raw = smoothing.families(start, neighbours, kinds)
    if raw is None or len(present) < len(smoothing.EVERY):
        raw = smoothing.match(start, present, kinds=kinds, neighbours=neighbours)
    sound = raw.coherent >= COHERENT
    noise = np.median(raw.rmsd[sound]) if sound.any() else 0.0
    final = raw
    if noise > COLD:
        points = smoothing.smooth(raw, max_rmsd=np.clip(1.8 * noise, 0.1, 0.3))
        final = smoothing.match(points, present, kinds=kinds)
    n = start.size
    moved = start.minimum(final.points.positions[:n] - start.positions[:n])
    codes = _codes(final)
    codes[torn(np.sort(_distances(raw)), codes)] = OTHER
    doubtful = _doubtful(raw, codes) if final is not raw else np.zeros(n, bool)
    return _structure(codes, raw, final, doubtful, atoms.positions + moved)


def _distances(matched):
    """Å from each atom to its nearest (n_atoms, 18)."""
    points, near = matched.points, matched.neighbours[: matched.points.size]
    inverse = np.linalg.inv(points.box)
    return np.linalg.norm(
        kernels.neighbour_vectors(
            points.positions, points.box, inverse, points.pbc, near, len(near)
        ),
        axis=-1,
    )


def _analysed(matched):
    """Codes by common neighbour analysis, where diamond occurs by its own form."""
    analysed = _mdapy.common_neighbours(matched.points, matched.neighbours)
    codes = np.where(np.isin(analysed, (FCC, HCP, BCC)), analysed, OTHER).astype(np.int8)
    if np.isin(matched.codes[: len(codes)], (DIAMOND, HEXAGONAL_DIAMOND)).mean() > 0.02:
        pattern = _mdapy.diamond_types(matched.points, matched.neighbours)
        codes[pattern == 1], codes[pattern == 4] = DIAMOND, HEXAGONAL_DIAMOND
    return codes


def _doubtful(raw, codes):
    """Flags of the crystalline atoms that the same analysis leaves out before heat is taken out.

    None where these are more than a twentieth: so hot that the analysis of one frame says little.
    """
    analysable = np.isin(codes, (FCC, HCP, BCC, DIAMOND, HEXAGONAL_DIAMOND))
    flags = analysable & (_analysed(raw) == OTHER)
    return flags if flags.sum() < 0.05 * analysable.sum() else np.zeros_like(flags)


def _codes(matched):
    n = matched.points.size
    codes = _analysed(matched)
    best, coherent = matched.codes[:n], matched.coherent[:n]
    plain = np.isin(best, (SIMPLE_CUBIC, GRAPHENE)) & (coherent >= COHERENT)
    chosen = (codes == OTHER) & plain & (matched.rmsd[:n] < 0.12)
    codes[chosen] = best[chosen]
    # Icosahedra and chance matches in a liquid are no crystal: neighbours must agree.
    codes[(codes > 0) & (best == codes) & (coherent < 0.25)] = OTHER
    codes[_stray(matched, codes)] = OTHER
    if np.mean(codes > 0) < 0.5:
        loose = (coherent >= COHERENT) & (codes == OTHER) & (matched.rmsd[:n] < 0.2)
        codes[loose] = best[loose]
        if n > 200:
            codes[_chance(matched, codes)] = OTHER
    return codes


def _stray(matched, codes, min_size=12):
    """Flags of small groups of another packing than the host's: chance matches in a core."""
    n = len(codes)
    count = np.bincount(codes, minlength=len(_mdapy.TEMPLATES))
    count[OTHER] = 0
    host = int(count.argmax())
    stacked = next(
        (pair for pair in ((FCC, HCP), (DIAMOND, HEXAGONAL_DIAMOND)) if host in pair), (host,)
    )
    flags = (codes > 0) & ~np.isin(codes, stacked)
    if not flags.any():
        return flags
    i = np.repeat(np.arange(n), 12)
    j = matched.neighbours[:n, :12].ravel() % n
    same = codes[i] == codes[j]
    for members in groups(n, i[same], j[same], flags.copy()):
        if len(members) >= min_size:
            flags[members] = False
    return flags


def _chance(matched, codes, min_size=20):
    """Flags of crystalline atoms in groups of one orientation that a melt forms by chance."""
    n = len(codes)
    i = np.repeat(np.arange(n), matched.order.shape[1] - 1)
    j = matched.order[:n, 1:].ravel()
    keep = j >= 0
    i, j = i[keep], j[keep] % n
    keep = (codes[i] > 0) & (codes[i] == codes[j])
    i, j = i[keep], j[keep]
    q = matched.quaternion[:n]
    known = (matched.codes[i] == codes[i]) & (matched.codes[j] == codes[j])
    i, j = i[known], j[known]
    agree = smoothing.aligned(q, codes, i, j, 15.0)
    flags = np.zeros(n, bool)
    for members in groups(n, i[agree], j[agree], codes > 0):
        if len(members) < min_size:
            flags[members] = True
    return flags


def _structure(codes, raw, final, doubtful, positions):
    n = len(codes)
    fitted = final.codes[:n] > 0
    rotation = np.full((n, 3, 3), np.nan, np.float32)
    if fitted.any():
        rotation[fitted] = Rotation.from_quat(final.quaternion[:n][fitted]).as_matrix()
    points, neighbours = final.points, final.neighbours[:n]
    vectors = kernels.neighbour_vectors(
        points.positions, points.box, np.linalg.inv(points.box), points.pbc, final.neighbours, n
    )
    crystalline = codes > 0
    spacing = np.median(
        final.scale[:n][crystalline]
        if (crystalline & fitted).any()
        else np.linalg.norm(vectors[:, 0], axis=1)
    )
    if not 0.5 < spacing < 8.0:  # Å: no atoms are bonded so
        codes = np.zeros_like(codes)
    return Structure(
        codes=codes.astype(np.int8),
        rmsd=np.where(raw.codes[:n] > 0, raw.rmsd[:n], np.inf),
        residual=np.where(fitted, final.rmsd[:n], np.inf),
        rotation=rotation,
        coherent=final.coherent[:n],
        template=final.codes[:n],
        ordering=raw.ordering[:n],
        spacing=float(spacing),
        positions=positions,
        neighbours=neighbours % n,
        vectors=vectors,
        sublattice=np.zeros(n, bool),
        doubtful=doubtful,
        smoothed=final is not raw,
    )


def _nothing(atoms):
    n = len(atoms)
    zero = np.zeros(n, np.int8)
    return Structure(
        zero,
        np.full(n, np.inf),
        np.full(n, np.inf),
        np.full((n, 3, 3), np.nan, np.float32),
        np.zeros(n),
        zero.copy(),
        zero.copy(),
        float("nan"),
        atoms.positions.copy(),
        np.zeros((n, 0), int),
        np.zeros((n, 0, 3)),
        np.zeros(n, bool),
        np.zeros(n, bool),
    )


def _of_element(atoms, structure, element):
    """Writes the crystal of one element's own atoms into `structure` where it has one."""
    chosen = np.flatnonzero(atoms.numbers == element)
    own = _of_all(atoms[chosen])
    sound = own.codes > 0
    if sound.mean() < 0.5 or np.median(own.residual[sound]) > 0.08:
        return
    structure.codes[chosen] = own.codes
    structure.sublattice[chosen] = own.codes > 0
    for name in ("rmsd", "residual", "rotation", "coherent", "template"):
        getattr(structure, name)[chosen] = getattr(own, name)


def _water(atoms, oxygen):
    points, _ = _frame(atoms[oxygen])
    molecules = _of_all(atoms[oxygen])
    codes = _mdapy.chill_plus(points) + LIQUID_WATER
    molecules.codes = codes.astype(np.int8)
    if len(oxygen) == len(atoms):
        return molecules
    cell = atoms.cell.complete().array
    whole = _mdapy.frame(atoms.positions, cell, atoms.pbc, 0.0)
    periodic = bool(whole.pbc.all() and np.allclose(whole.box, np.diag(np.diag(whole.box))))
    owner = water.owners(whole, oxygen, periodic)
    neighbours = oxygen[molecules.neighbours]
    per_atom = "codes rmsd residual rotation coherent template ordering sublattice doubtful"
    take = {name: getattr(molecules, name)[owner] for name in per_atom.split()}
    return Structure(
        **take,
        spacing=molecules.spacing,
        positions=atoms.positions.copy(),
        neighbours=neighbours[owner],
        vectors=molecules.vectors[owner],
        smoothed=molecules.smoothed,
    )
