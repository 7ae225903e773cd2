"""From labels to sites: vacancies, interstitials, surface layers, paths through time.

Nothing here needs a reference lattice, except `wigner_seitz`, the truth to test against.
`find_point_defects` finds the lattice in the frame itself; `locate_defects` starts from atoms
that a clustering flagged.
"""

from .._deprecated import module_getattr
from .diffusion import Hopping, hopping
from .point_defects import PointDefects, find_in_unit_cell, find_point_defects
from .scoring import score
from .selection import DefectSelection, select_defect_clusters
from .sites import VACANT, Site, locate_defects, locate_interstitials, locate_vacancies
from .surfaces import surface_atoms, surface_layers
from .tracking import Track, mean_square_displacement, track
from .wigner_seitz_analysis import OFF_LATTICE, WignerSeitz, wigner_seitz

__all__ = [
    "OFF_LATTICE",
    "VACANT",
    "DefectSelection",
    "Hopping",
    "PointDefects",
    "Site",
    "Track",
    "WignerSeitz",
    "find_in_unit_cell",
    "find_point_defects",
    "hopping",
    "locate_defects",
    "locate_interstitials",
    "locate_vacancies",
    "mean_square_displacement",
    "score",
    "select_defect_clusters",
    "surface_atoms",
    "surface_layers",
    "track",
    "wigner_seitz",
]

__getattr__ = module_getattr(
    __name__, {"Choice": "DefectSelection", "defect_cluster": "select_defect_clusters"}
)
