"""NetCDF and GSD as AMBER, LAMMPS and HOOMD-blue write them, by their own libraries too."""

import numpy as np
import pytest
from ase import Atoms
from scipy.io import netcdf_file

from defectkit.io import read_frames

PLACES = np.array([[0, 0, 0], [2.5, 2.5, 0], [0, 2.5, 2.5], [2.5, 0, 2.5]])
TOPOLOGY = Atoms("SiO3", np.zeros((4, 3)))


def filled(file, *, coordinates=None, cell=None, scale=None, time_scale=None):
    """Two frames in an open NetCDF file; attributes of a variable as dicts."""
    for name, size in (("frame", None), ("spatial", 3), ("atom", 4)):
        file.createDimension(name, size)
    made = {
        "coordinates": file.createVariable("coordinates", "f4", ("frame", "atom", "spatial")),
        "cell_lengths": file.createVariable("cell_lengths", "f8", ("frame", "spatial")),
        "time": file.createVariable("time", "f4", ("frame",)),
    }
    if hasattr(file, "set_auto_maskandscale"):  # values are stored as they stand here
        file.set_auto_maskandscale(False)
    for name, given in (
        ("coordinates", coordinates),
        ("cell_lengths", cell),
        ("time", time_scale),
    ):
        for key, value in (given or {}).items():
            setattr(made[name], key, value)
    for n in range(2):
        made["coordinates"][n], made["cell_lengths"][n] = PLACES / (scale or 1.0), [5, 5, 5]
        made["time"][n] = 100 * n


def check(frames, times=(0, 100)):
    assert len(frames) == 2
    for atoms, time in zip(frames, times, strict=True):
        np.testing.assert_allclose(atoms.positions, PLACES, atol=1e-5)
        np.testing.assert_allclose(atoms.cell.lengths(), 5.0)
        assert atoms.info["time"] == pytest.approx(time)


def test_each_variable_has_its_own_unit(tmp_path):
    path = tmp_path / "a.nc"
    with netcdf_file(path, "w", version=2) as file:
        filled(
            file,
            coordinates={"units": "nanometer"},
            cell={"units": "angstrom"},
            scale=10.0,
            time_scale={"scale_factor": 0.5},
        )
    check(read_frames(path, topology=TOPOLOGY), times=(0, 50))


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_64BIT_DATA"])
def test_a_scale_is_applied_once(tmp_path, form):
    netcdf4 = pytest.importorskip("netCDF4")
    path = tmp_path / "a.nc"
    with netcdf4.Dataset(path, "w", format=form) as file:
        filled(file, coordinates={"scale_factor": 0.5}, cell={"units": "angstrom"}, scale=0.5)
    check(read_frames(path, topology=TOPOLOGY))


@pytest.mark.parametrize("topology", [TOPOLOGY, TOPOLOGY[:3]])
def test_an_amber_restart_is_one_frame(tmp_path, topology):
    path, n = tmp_path / "restart.ncrst", len(topology)
    with netcdf_file(path, "w", version=2) as file:
        for name, size in (("spatial", 3), ("atom", n)):
            file.createDimension(name, size)
        file.createVariable("coordinates", "f8", ("atom", "spatial"))[:] = PLACES[:n]
        file.createVariable("cell_lengths", "f8", ("spatial",))[:] = [5, 5, 6]
        file.createVariable("cell_angles", "f8", ("spatial",))[:] = [90, 90, 90]
        file.createVariable("time", "f8", ()).data[...] = 2.5
    (atoms,) = read_frames(path, topology=topology)
    np.testing.assert_allclose(atoms.positions, PLACES[:n])
    assert atoms.cell.lengths().tolist() == [5, 5, 6] and atoms.info["time"] == 2.5


def hoomd_frame(gsd_hoomd, step, types=("Si", "O"), box=(5, 5, 5, 0, 0, 0)):
    frame = gsd_hoomd.Frame()
    frame.configuration.step, frame.configuration.box = step, box
    frame.particles.N = 4
    frame.particles.types = list(types)
    frame.particles.typeid = [0, 1, 1, 1]
    frame.particles.position = PLACES - 2.0
    return frame


def test_gsd_by_its_own_library(tmp_path):
    hoomd = pytest.importorskip("gsd.hoomd")
    path = tmp_path / "run.gsd"
    with hoomd.open(path, "w") as file:
        file.append(hoomd_frame(hoomd, 0))
        file.append(hoomd_frame(hoomd, 500, box=(5, 5, 5, 0.2, 0, 0)))
    frames = read_frames(path)
    assert [str(atoms.symbols) for atoms in frames] == ["SiO3"] * 2
    assert [atoms.info["step"] for atoms in frames] == [0, 500]
    np.testing.assert_allclose(frames[0].positions, PLACES - 2.0)
    np.testing.assert_allclose(frames[1].cell.array, [[5, 0, 0], [1, 5, 0], [0, 0, 5]])
    with hoomd.open(path, "w") as file:
        file.append(hoomd_frame(hoomd, 0, types=("A", "B")))
    with pytest.raises(ValueError, match="'A'"):
        read_frames(path)
    assert str(read_frames(path, elements={"A": "Ni", "B": "Al"})[0].symbols) == "NiAl3"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_gsd_that_is_cut_says_so(tmp_path, share):
    hoomd = pytest.importorskip("gsd.hoomd")
    path = tmp_path / "run.gsd"
    with hoomd.open(path, "w") as file:
        for n in range(20):
            file.append(hoomd_frame(hoomd, n))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        frames = read_frames(path)
    except ValueError as err:
        assert str(path) in str(err) and str(err).endswith(".")
    else:
        assert all(len(atoms) == 4 for atoms in frames)
