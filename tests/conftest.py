"""Named small systems that several test files use."""

import sys
from collections import Counter

import pytest
from ase.build import bulk
from hypothesis import settings

from defectkit.datasets import cache_folder

settings.register_profile("defectkit", deadline=None, max_examples=15, derandomize=True)
settings.load_profile("defectkit")

WATER_FILES = ("input.nn", "scaling.data", "weights.001.data", "weights.008.data")


def pytest_collection_modifyitems(items):
    """Files with the most slow tests first, so that processes beside each other end together."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def no_open_figures():
    """Each test begins and ends without figures of matplotlib, whichever test ran before it."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


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
