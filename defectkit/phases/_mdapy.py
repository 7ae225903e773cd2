"""The one door to mdapy: neighbours, template matching, common neighbours and CHILL+ of arrays.

mdapy works on polars tables and boxes of its own; nothing of either leaves this module. Small
cells are repeated until the neighbours of an atom are distinct images, open axes get a box that
just holds the atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TEMPLATES = (
    "other",
    "fcc",
    "hcp",
    "bcc",
    "icosahedral",
    "simple cubic",
    "diamond",
    "hexagonal diamond",
    "graphene",
)  # PTM's codes
SHORT = ("", "fcc", "hcp", "bcc", "ico", "sc", "dcub", "dhex", "graphene")
NEIGHBOURS = 18  # what template matching looks at
ICES = ("liquid water", "ice Ih", "ice Ic", "interfacial ice", "hydrate", "interfacial hydrate")


class Frame(NamedTuple):
    """Points of a frame in a box that is thick enough: the first `size` are the atoms."""

    positions: np.ndarray
    box: np.ndarray
    pbc: np.ndarray
    size: int

    def minimum(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors (Å) turned into the shortest among their periodic images."""
        fraction = vectors @ np.linalg.inv(self.box)
        return vectors - (np.round(fraction) * self.pbc) @ self.box


def frame(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, thickness: float = 15.0
) -> Frame:
    """Atoms in a box of at least `thickness` (Å) along every periodic axis.

    Open axes are replaced by one orthogonal to the periodic ones, just as long as the atoms need.
    """
    positions, pbc = np.array(positions, float), np.asarray(pbc, bool)
    box = np.array(cell, float)
    if not pbc.all():
        held = box[pbc]
        basis = np.linalg.svd(held)[2][len(held) :] if len(held) else np.eye(3)
        box[~pbc] = basis
    if np.linalg.det(box) < 0:  # mdapy takes the height of a left-handed box as negative
        box[2] *= -1
    if not pbc.all():
        along = positions @ np.linalg.inv(box)
        low, width = along.min(axis=0), np.ptp(along, axis=0)
        positions = positions - ((low - 1.0) * ~pbc) @ box
        box[~pbc] *= (width[~pbc] + 2.0)[:, None]
    inverse = np.linalg.inv(box)
    fraction = positions @ inverse
    positions = positions - (np.floor(fraction) * pbc) @ box
    height = 1 / np.linalg.norm(inverse, axis=0)
    repeat = np.where(pbc, np.maximum(np.ceil(thickness / height - 1e-9), 1), 1).astype(int)
    images = np.stack(np.meshgrid(*map(np.arange, repeat), indexing="ij"), -1).reshape(-1, 3)
    size = len(positions)
    positions = (positions + (images @ box)[:, None]).reshape(-1, 3)
    return Frame(positions, box * repeat[:, None], pbc, size)


def _table(points):
    import polars
    from mdapy.box import Box

    data = polars.from_numpy(np.ascontiguousarray(points.positions), schema=["x", "y", "z"])
    return data.rechunk(), Box(np.vstack([points.box, np.zeros(3)]), points.pbc.astype(int))


def nearest(points: Frame, k: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n, k) and distances (n, k; Å) of the nearest points of each, nearest first."""
    from mdapy.knn import NearestNeighbor

    data, box = _table(points)
    search = NearestNeighbor(data, box, k)
    search.compute()
    return search.indices_py, search.distances_py


def match_templates(
    points: Frame,
    neighbours: np.ndarray,
    templates: Sequence[int] = (1, 2, 3, 5, 6, 7, 8),
    max_rmsd: float = 0.3,
    kinds: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """Best template of each point by polyhedral template matching.

    Returns codes (n,) as in `TEMPLATES`, ordering (n,; 1 L1_0, 2 and 3 L1_2, 4 B2, 5 zinc blende
    or wurtzite, 0 none), rmsd (n,; relative to the interatomic distance) and the neighbours
    (n, 18) in the template's own order, the point itself first, -1 at the end.

    Source: Larsen, Schmidt, Schiotz, Modelling Simul. Mater. Sci. Eng. 24, 055007 (2016).
    """
    from mdapy.polyhedral_template_matching import PolyhedralTemplateMatching

    data, box = _table(points)
    if kinds is not None:
        import polars

        kinds = np.tile(np.asarray(kinds, np.int32), len(points.positions) // points.size)
        data = data.with_columns(polars.Series("type", kinds).rechunk())
    wanted = "-".join(SHORT[code] for code in templates)
    search = PolyhedralTemplateMatching(wanted, data, box, max_rmsd, neighbours)
    search.compute()
    codes = search.output[:, 0].astype(np.int8)
    return codes, search.output[:, 1].astype(np.int8), search.output[:, 2], search.ptm_indices


def common_neighbours(points: Frame, neighbours: np.ndarray) -> np.ndarray:
    """Adaptive common neighbour analysis: codes (n,), 0 other, 1 fcc, 2 hcp, 3 bcc, 4 icosahedral.

    `neighbours` as :func:`nearest` gives them.

    Source: Stukowski, Modelling Simul. Mater. Sci. Eng. 20, 045021 (2012).
    """
    from mdapy.common_neighbor_analysis import CommonNeighborAnalysis

    neighbours = np.ascontiguousarray(neighbours[:, :14])
    number = np.full(len(neighbours), 14, np.int32)
    search = CommonNeighborAnalysis(*_table(points), neighbours, number)
    search.compute()
    return search.pattern[: points.size]


def diamond_types(points: Frame, neighbours: np.ndarray) -> np.ndarray:
    """Codes (n,): 1 to 3 cubic diamond and its first and second neighbours, 4 to 6 hexagonal.

    Source: Maras et al., Comput. Phys. Commun. 205, 13 (2016).
    """
    from mdapy.identify_diamond_structure import IdentifyDiamondStructure

    search = IdentifyDiamondStructure(*_table(points), np.ascontiguousarray(neighbours[:, :4]))
    search.compute()
    return search.pattern[: points.size]


def chill_plus(points: Frame, cutoff: float = 3.5) -> np.ndarray:
    """Codes (n,) of oxygens as in `ICES`, by the CHILL+ algorithm.

    Source: Nguyen, Molinero, J. Phys. Chem. B 119, 9369 (2015).
    """
    from mdapy.chill_plus import ChillPlus

    search = ChillPlus(*_table(points), cutoff)
    search.compute()
    return search.pattern[: points.size]
