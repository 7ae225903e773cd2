"""Types that many signatures name. Nothing here is imported at run time but NumPy's own."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from ase import Atoms

#: Name of a file or folder.
FilePath: TypeAlias = str | os.PathLike[str]
#: One frame or several.
Frames: TypeAlias = "Atoms | Iterable[Atoms]"
#: A file, frames, or an object of another program (MDAnalysis, OVITO, pymatgen, dpdata).
Source: TypeAlias = "FilePath | Atoms | Iterable[Atoms | FilePath] | Any"
#: What names the atoms of a file that holds no elements.
Topology: TypeAlias = "FilePath | Atoms | None"
#: Symbols of the types 1, 2, ... of a file, or of its names; None for a site that is no atom.
Elements: TypeAlias = "str | Sequence[str | None] | Mapping[str, str | None] | None"
#: Which atoms: an element, indices, or a mask; None for all.
Centres: TypeAlias = str | ArrayLike | None
