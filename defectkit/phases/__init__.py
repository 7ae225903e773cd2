"""Phases, surfaces, planar and line defects of one frame, named in the field's words.

`structure_types` says which crystal each atom belongs to; `regions`, `extended_defects`,
`prototype` and `is_disordered` build on its answer.
"""

from .compounds import Prototype, common_elements, prototype
from .crystals import Structure, structure_types
from .extended import ExtendedDefect, extended_defects
from .liquid import Disorder, is_disordered
from .regions import Region, regions
from .space_groups import SpaceGroup, space_group

__all__ = [
    "Disorder",
    "ExtendedDefect",
    "Prototype",
    "Region",
    "SpaceGroup",
    "Structure",
    "common_elements",
    "extended_defects",
    "is_disordered",
    "prototype",
    "regions",
    "space_group",
    "structure_types",
]
