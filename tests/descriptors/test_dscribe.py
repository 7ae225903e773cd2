"""SOAP and ACSF of DScribe: invariances, sizes, what is saved."""

import sys

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit import descriptors

pytest.importorskip("dscribe", reason="DScribe is missing: pip install 'defectkit[dscribe]'")
MAKERS = (descriptors.soap, descriptors.acsf)


@pytest.fixture(scope="module")
def salt():
    """Warm rock salt."""
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.mark.parametrize("make", MAKERS)
def test_features_do_not_change_when_atoms_are_turned_moved_or_shuffled(make, salt):
    descriptor = make(["Na", "Cl"])
    X = descriptor(salt)
    order = np.random.default_rng(0).permutation(len(salt))
    changed = salt[order]
    changed.rotate(40, (1, 2, 3), rotate_cell=True)
    changed.positions += 1.7
    changed.wrap()
    assert abs(descriptor(changed) - X[order]).max() < 1e-8 * abs(X).max()
    assert np.array_equal(descriptor(salt, "Cl"), X[salt.symbols == "Cl"])


@pytest.mark.parametrize("make", MAKERS)
def test_one_cell_has_the_features_of_its_supercell(make):
    descriptor = make(["Si"])
    cell = bulk("Si")
    assert np.allclose(descriptor(cell)[0], descriptor(cell * (3, 3, 3))[0], rtol=1e-6)


def test_soap_without_elements_sees_a_compound_as_one_lattice():
    cell = bulk("NaCl", "rocksalt", 5.64)
    blind = descriptors.soap(["Na", "Cl"], compression="mu2")
    assert abs(np.subtract(*blind(cell))).max() > 0  # Na and Cl differ as centres in "off" only
    assert blind(cell).shape[1] < descriptors.soap(["Na", "Cl"])(cell).shape[1]


def test_a_slab_is_open_along_its_normal():
    slab = bulk("Si", cubic=True)
    slab.pbc = (True, True, False)
    thick = slab.copy()
    thick.cell[2, 2] += 30
    descriptor = descriptors.soap(["Si"])
    assert np.allclose(descriptor(slab), descriptor(thick), atol=1e-8)


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_made_again_from_its_record(make, salt):
    descriptor = make(["Cl", "Na"], cutoff=4.0)
    again = descriptors.from_dict(descriptors.as_dict(descriptor))
    assert again.parameters == descriptor.parameters
    assert np.array_equal(again(salt), descriptor(salt))


def test_a_library_that_gives_other_numbers_is_noticed():
    record = descriptors.as_dict(descriptors.soap(["Si"]))
    record["fingerprint"][0] *= 1.5
    with pytest.raises(ValueError, match="of which dscribe .* gives other numbers than dscribe"):
        descriptors.from_dict(record)(bulk("Si"))


def test_identify_with_soap_finds_a_vacancy():
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    del atoms[100]
    atoms.rattle(0.02, seed=4)
    result = dk.identify(atoms, descriptors.soap(["Si"]), progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    assert any("252 features of SOAP (dscribe" in step for step in result.steps)


def test_elements_it_does_not_know_and_other_mistakes():
    with pytest.raises(ValueError, match="the descriptor SOAP knows Si but the frame holds Cu"):
        descriptors.soap(["Si"])(bulk("Cu"))
    with pytest.raises(ValueError, match="compression='mu3' is none of off, mu2"):
        descriptors.soap(["Si"], compression="mu3")


def test_without_the_library_the_command_is_named(monkeypatch):
    record = descriptors.as_dict(descriptors.soap(["Si"]))
    monkeypatch.setitem(sys.modules, "dscribe.descriptors", None)
    with pytest.raises(
        ImportError,
        match=r"SOAP needs dscribe .* pip install "
        r"'defectkit\[dscribe\]'",
    ):
        descriptors.soap(["Si"])
    with pytest.raises(ValueError, match="descriptor SOAP, which cannot be made here: SOAP needs"):
        descriptors.from_dict(record)(bulk("Si"))
