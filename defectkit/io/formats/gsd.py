"""GSD files of HOOMD-blue, by its own library where that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frame import make_frame

if TYPE_CHECKING:
    from ase import Atoms


def frames(path: Path, elements: Any, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each frame; the names of the types tell the elements, or `elements` does."""
    try:
        import gsd.hoomd
    except ImportError:
        raise ValueError(
            f"{path} is a GSD file; pip install gsd, or convert it to extended XYZ."
        ) from None
    try:
        file = gsd.hoomd.open(str(path), "r")
    except (OSError, RuntimeError) as err:
        raise ValueError(f"{path} cannot be read as GSD ({err}); write it again.") from None
    with file:
        for n in range(len(file)):
            found = _frame(file, n, where)
            particles = found.particles
            lx, ly, lz, xy, xz, yz = np.array(found.configuration.box, float)
            cell = np.array([[lx, 0, 0], [xy * ly, ly, 0], [xz * lz, yz * lz, lz]])
            names = np.array(particles.types)[particles.typeid]
            periodic = bool(cell.any())
            yield make_frame(
                f"{where}, frame {n}",
                names,
                np.array(particles.position, float),
                cell if periodic else None,
                periodic,
                elements,
                info={"step": int(found.configuration.step)},
            )


def _frame(file, n, where):
    try:
        return file[n]
    except (OSError, RuntimeError, ValueError, KeyError) as err:
        raise ValueError(
            f"{where}, frame {n} cannot be read as GSD ({err}); write the file again."
        ) from None
