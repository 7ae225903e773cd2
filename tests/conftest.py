"""Reference data and named small systems that several test files use."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import settings

from defectkit.clusters import describe
from defectkit.datasets import cache_folder

settings.register_profile("defectkit", deadline=None, max_examples=15, derandomize=True)
settings.load_profile("defectkit")

REFERENCE = Path(__file__).parent / "reference" / "n2p2"
WATER_FILES = ("input.nn", "scaling.data", "weights.001.data", "weights.008.data")


def read_n2p2_structure(path, unit):
    """First structure of an n2p2 data file as Atoms; `unit` is the file's length unit in Å."""
    words = [line.split() for line in Path(path).read_text().splitlines() if line.split()]
    lattice = np.array([w[1:4] for w in words if w[0] == "lattice"], float)
    rows = [w for w in words if w[0] == "atom"]
    atoms = Atoms([w[4] for w in rows], np.array([w[1:4] for w in rows], float) * unit)
    if len(lattice):
        atoms.set_cell(lattice * unit)
        atoms.pbc = True
    return atoms


def read_n2p2_values(path):
    """Columns' lines of input.nn per element, and (element, values) per atom, of a `.sf` file."""
    lines, rows = {}, []
    for line in Path(path).read_text().splitlines():
        words = line.split()
        if words[0] == "#" and words[2] == "columns":
            lines[words[1]] = [int(w) for w in line.split(":")[1].split()]
        elif words[0] != "#":
            rows.append((words[0], np.array(words[1:], float)))
    return lines, rows


def records(*arguments, **options):
    """Rows of `defectkit.clusters.describe`, a dict each."""
    return describe(*arguments, **options).to_dict("records")


@pytest.fixture(scope="session")
def water_potential():
    """Folder of the RPBE-D3 water potential, where somebody has put or fetched it."""
    folder = cache_folder() / "h2o_rpbe_d3"
    if all((folder / name).is_file() for name in WATER_FILES):
        return folder
    pytest.skip(
        "the RPBE-D3 water potential is not in the cache; defectkit.datasets."
        "potential_folder() fetches it, DEFECTKIT_CACHE names another cache"
    )


@pytest.fixture
def diamond():
    """64 silicon atoms, slightly displaced from the diamond lattice."""
    atoms = bulk("Si", cubic=True) * (2, 2, 2)
    atoms.rattle(0.08, seed=1)
    return atoms
