"""ACE, SNAP and featomic: arguments and files; what holds for all stands in test_adapters."""

import numpy as np
import pytest
from ase import Atoms

from defectkit import descriptors


def test_the_bispectrum_of_weights_that_name_too_little():
    with pytest.raises(ValueError, match="weights name Na, not Na, Cl; give one for each"):
        descriptors.snap(["Na", "Cl"], weights={"Na": 1.0})


def test_orders_of_a_cluster_expansion_need_both_numbers():
    with pytest.raises(ValueError, match="need one number for each order"):
        descriptors.ace(["Si"], n_max=(8, 4), l_max=(0,))


def test_files_that_are_no_cluster_expansion(need, tmp_path):
    need("pyace")
    with pytest.raises(FileNotFoundError, match="there is no potential at .*yaml; give the .yaml"):
        descriptors.ace_from_file(tmp_path / "potential.yaml")
    (tmp_path / "other.yaml").write_text("nothing: here\n")
    with pytest.raises(ValueError, match="is no potential that python-ace reads"):
        descriptors.ace_from_file(tmp_path / "other.yaml")


def test_the_expansions_invariant_part_sees_distances_and_the_spectrum_angles_too(need):
    need("featomic")
    straight = Atoms("Si3", [[0, 0, 0], [2.4, 0, 0], [-2.4, 0, 0]])
    bent = Atoms("Si3", [[0, 0, 0], [2.4, 0, 0], [0, 2.4, 0]])
    one, two = (descriptors.spherical_expansion(["Si"])(atoms, [0]) for atoms in (straight, bent))
    assert one.shape == (1, 13) and np.allclose(one, two, atol=1e-9)
    one, two = (descriptors.power_spectrum(["Si"])(atoms, [0]) for atoms in (straight, bent))
    assert abs(one - two).max() > 1e-3 * abs(one).max()
