"""AMBER and LAMMPS NetCDF trajectories: classic files by SciPy, newer ones by netCDF4."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frame import cell_of, finished, make_frame
from ..source import Cut

if TYPE_CHECKING:
    from ase import Atoms

_LENGTHS = {"nanometer": 10.0, "nanometers": 10.0, "nm": 10.0, "bohr": 0.529177210903}


def frames(
    path: Path, head: bytes, topology: Atoms | None, elements: Any, where: str
) -> Iterator[Atoms]:
    """ase.Atoms (Å) of each frame, sorted by id; elements by type, or from `topology`."""
    file, whole = _opened(path, head)
    try:
        variables = file.variables
        if "coordinates" not in variables:
            raise ValueError(
                f"{path} has no variable 'coordinates'; it is NetCDF, but of no "
                "trajectory that is known here (AMBER, LAMMPS)."
            )
        shape = variables["coordinates"].shape  # a restart holds one frame and no axis for it
        for n in range(shape[0]) if len(shape) == 3 else (...,):
            told = f"{where}, frame {0 if n is ... else n}"
            yield _frame(variables, n, topology, elements, told, path)
        if not whole:
            raise Cut
    finally:
        variables = None
        with warnings.catch_warnings():  # of SciPy, where an error still holds an array
            warnings.simplefilter("ignore", RuntimeWarning)
            file.close()


class _Records(io.FileIO):
    """A classic file that is read as if its header said that it has `n` records."""

    def __init__(self, path, n):
        super().__init__(path)
        self.n = n

    def read(self, size=-1):
        here = self.tell()
        content = super().read(size)
        return struct.pack(">i", self.n) if here == 4 and len(content) == 4 else content


def _classic(path, n):
    """The file with its first `n` records, None where it breaks off before their end."""
    from scipy.io import netcdf_file

    try:
        return netcdf_file(_Records(path, n), "r", mmap=True, maskandscale=False)
    except Exception:  # a damaged header raises whatever it leads to
        return None


def _opened(path, head):
    """The open file, and whether it holds as many frames as its header says."""
    if head[3] in (1, 2) and head.startswith(b"CDF"):
        stated = max(struct.unpack(">i", head[4:8])[0], 0) if len(head) >= 8 else 0
        if file := _classic(path, stated):
            return file, True
        least, most = 0, min(stated, path.stat().st_size)
        while most - least > 1:  # whole records, of which fewer are there than stated
            middle = (least + most) // 2
            found = _classic(path, middle)
            least, most = (middle, most) if found else (least, middle)
            if found:
                found.close()
        if least == 0:
            raise ValueError(
                f"{path} is a NetCDF file that is damaged or breaks off within its "
                "first frame; write it again."
            )
        return _classic(path, least), False
    try:
        import netCDF4
    except ImportError:
        raise ValueError(
            f"{path} is NetCDF of a newer kind; pip install netCDF4, or write it in "
            "the classic format."
        ) from None
    try:
        file = netCDF4.Dataset(str(path))
    except OSError as err:
        raise ValueError(f"{path} cannot be read as NetCDF ({err}); write it again.") from None
    file.set_auto_maskandscale(False)  # as SciPy is told: factors are applied here
    return file, True


def _frame(variables, n, topology, elements, where, path):
    def of_frame(name):
        if name not in variables:
            return None
        return np.array(variables[name][n])

    positions = of_frame("coordinates").astype(float)
    factor = _length(variables["coordinates"])
    cell = None
    if "cell_lengths" in variables:
        lengths = of_frame("cell_lengths").astype(float)
        angles = of_frame("cell_angles")
        if lengths.all():
            turned = [90.0] * 3 if angles is None else angles.astype(float)
            own = variables["cell_lengths"]
            named = hasattr(own, "units") or hasattr(own, "scale_factor")
            cell = cell_of(lengths * (_length(own) if named else factor), turned, where)
    info = {}
    if "time" in variables:
        scale = float(getattr(variables["time"], "scale_factor", 1.0))
        info["time"] = scale * float(np.ravel(variables["time"][n])[0])
    kinds = next((of_frame(name) for name in ("atom_types", "type") if name in variables), None)
    ids = next((of_frame(name) for name in ("id", "identifier") if name in variables), None)
    if topology is not None:
        if len(topology) != len(positions):
            raise ValueError(
                f"{path} has {len(positions)} atoms a frame, the topology "
                f"{len(topology)}; give the topology of this trajectory."
            )
        atoms = topology.copy()
        if ids is not None:
            order = np.argsort(ids.astype(int), kind="stable")
            positions = positions[order]
        atoms.positions = positions * factor
        atoms.cell, atoms.pbc = cell, cell is not None
        atoms.info |= info
        return finished(atoms, where)
    if kinds is None:
        raise ValueError(f"{path} holds no elements; name a topology, e.g. topology='start.pdb'.")
    labels = kinds.astype(int)
    return make_frame(
        where,
        labels,
        positions * factor,
        cell,
        cell is not None,
        elements,
        ids=None if ids is None else ids.astype(int),
        arrays={"type": labels},
        info=info,
    )


def _length(variable):
    """Å for the unit that the variable names."""
    unit = getattr(variable, "units", b"angstrom")
    unit = unit.decode(errors="replace") if isinstance(unit, bytes) else str(unit)
    return _LENGTHS.get(unit.lower(), 1.0) * float(getattr(variable, "scale_factor", 1.0))
