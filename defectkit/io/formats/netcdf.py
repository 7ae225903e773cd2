"""AMBER and LAMMPS NetCDF trajectories: classic files by SciPy, newer ones by netCDF4."""

import numpy as np
from ase.geometry import cellpar_to_cell

from ..frame import finished, make_frame

_LENGTHS = {"nanometer": 10.0, "nanometers": 10.0, "nm": 10.0, "bohr": 0.529177210903}


def frames(path, head, topology, elements, where):
    """ase.Atoms (Å) of each frame, sorted by id; elements by type, or from `topology`."""
    file = _opened(path, head)
    try:
        variables = file.variables
        if "coordinates" not in variables:
            raise ValueError(f"{path} has no variable 'coordinates'; it is NetCDF, but of no "
                             "trajectory that is known here (AMBER, LAMMPS).")
        for n in range(variables["coordinates"].shape[0]):
            yield _frame(variables, n, topology, elements, f"{where}, frame {n}", path)
    finally:
        variables = None
        file.close()


def _opened(path, head):
    if head[3] in (1, 2) and head.startswith(b"CDF"):
        from scipy.io import netcdf_file
        try:
            return netcdf_file(path, "r", mmap=False, maskandscale=False)
        except Exception as err:  # a damaged header raises whatever it leads to
            raise ValueError(f"{path} is a damaged NetCDF file ({type(err).__name__}); write it "
                             "again.") from None
    try:
        import netCDF4
    except ImportError:
        raise ValueError(f"{path} is NetCDF of a newer kind; pip install netCDF4, or write it in "
                         "the classic format.") from None
    try:
        return netCDF4.Dataset(str(path))
    except OSError as err:
        raise ValueError(f"{path} cannot be read as NetCDF ({err}); write it again.") from None


def _frame(variables, n, topology, elements, where, path):
    def of_frame(name):
        if name not in variables:
            return None
        values = np.ma.filled(np.ma.asarray(variables[name][n]), np.nan) if (
            name == "coordinates") else np.asarray(variables[name][n])
        return np.array(values)

    positions = of_frame("coordinates").astype(float)
    factor = _length(variables["coordinates"])
    cell = None
    if "cell_lengths" in variables:
        lengths = of_frame("cell_lengths").astype(float)
        angles = of_frame("cell_angles")
        if lengths.all():
            turned = [90.0] * 3 if angles is None else angles.astype(float)
            cell = cellpar_to_cell([*lengths * factor, *turned])
    info = {}
    if "time" in variables:
        info["time"] = float(variables["time"][n])
    kinds = next((of_frame(name) for name in ("atom_types", "type") if name in variables), None)
    ids = next((of_frame(name) for name in ("id", "identifier") if name in variables), None)
    if topology is not None:
        if len(topology) != len(positions):
            raise ValueError(f"{path} has {len(positions)} atoms a frame, the topology "
                             f"{len(topology)}; give the topology of this trajectory.")
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
    return make_frame(where, labels, positions * factor, cell, cell is not None, elements,
                      ids=None if ids is None else ids.astype(int), arrays={"type": labels},
                      info=info)


def _length(variable):
    """Å for the unit that the variable names."""
    unit = getattr(variable, "units", b"angstrom")
    unit = unit.decode() if isinstance(unit, bytes) else str(unit)
    return _LENGTHS.get(unit.lower(), 1.0) * float(getattr(variable, "scale_factor", 1.0))
