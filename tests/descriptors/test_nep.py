"""Files of a neuroevolution potential; what is true of every adapter stands in test_adapters."""

import pytest
import random_networks

from defectkit import descriptors


def test_elements_cutoff_and_width_are_those_of_the_potential(need, salt, tmp_path):
    need("calorine")
    descriptor = descriptors.nep(random_networks.nep(tmp_path / "nep.txt"))
    assert (descriptor.elements, descriptor.cutoff) == (("Na", "Cl"), 5.0)
    assert descriptor(salt).shape == (64, 30)
    assert list(descriptor.parameters) == ["nep_sha256"]


def test_files_that_are_no_potential(need, tmp_path):
    need("calorine")
    with pytest.raises(FileNotFoundError, match="there is no potential at .*nep.txt; give"):
        descriptors.nep(tmp_path / "nep.txt")
    (tmp_path / "other.txt").write_text("nothing\n")
    with pytest.raises(ValueError, match="is no NEP that calorine reads"):
        descriptors.nep(tmp_path / "other.txt")
