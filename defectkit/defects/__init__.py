"""From labels to sites: vacancies, interstitials, surface layers, paths through time.

Nothing here needs a reference lattice, except `wigner_seitz`, the truth to test against.
`find_point_defects` finds the lattice in the frame itself; `locate_defects` starts from atoms
that a clustering flagged.
"""

from .point_defects import PointDefects, find_point_defects
from .selection import Choice, defect_cluster
from .sites import (
    VACANT,
    Site,
    locate_defects,
    locate_interstitials,
    locate_vacancies,
)
from .surfaces import surface_layers
from .tracking import Track, mean_square_displacement, track
from .wigner_seitz_analysis import OFF_LATTICE, WignerSeitz, score, wigner_seitz

__all__ = ["OFF_LATTICE", "VACANT", "Choice", "PointDefects", "Site", "Track", "WignerSeitz",
           "defect_cluster", "find_point_defects", "locate_defects", "locate_interstitials",
           "locate_vacancies", "mean_square_displacement", "score", "surface_layers", "track", "wigner_seitz"]
