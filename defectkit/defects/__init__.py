"""From labels to sites: vacancies, interstitials, surface layers, paths through time.

Nothing here needs a reference lattice, except `wigner_seitz`, the truth to test against.
"""

from .selection import Choice, defect_cluster
from .sites import (
    VACANT,
    Site,
    locate_defects,
    locate_interstitials,
    locate_vacancies,
    surface_layers,
)
from .tracking import Track, mean_square_displacement, track
from .wigner_seitz_analysis import OFF_LATTICE, WignerSeitz, score, wigner_seitz

__all__ = ["OFF_LATTICE", "VACANT", "Choice", "Site", "Track", "WignerSeitz", "defect_cluster",
           "locate_defects", "locate_interstitials", "locate_vacancies",
           "mean_square_displacement", "score", "surface_layers", "track", "wigner_seitz"]
