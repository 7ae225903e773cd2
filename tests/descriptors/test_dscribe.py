"""SOAP, ACSF and LMBTR of DScribe; what is true of every adapter stands in test_adapters."""

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import defectkit as dk
from defectkit import descriptors

pytest.importorskip("dscribe", reason="DScribe is missing: pip install dscribe")


def test_soap_without_elements_sees_a_compound_as_one_lattice():
    cell = bulk("NaCl", "rocksalt", 5.64)
    blind = descriptors.soap(["Na", "Cl"], compression="mu2")
    assert abs(np.subtract(*blind(cell))).max() > 0  # Na and Cl differ as centres in "off" only
    assert blind(cell).shape[1] < descriptors.soap(["Na", "Cl"])(cell).shape[1]


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
    with pytest.raises(ImportError, match=r"SOAP needs dscribe .* pip install '?dscribe"):
        descriptors.soap(["Si"])
    with pytest.raises(ValueError, match="descriptor SOAP, which cannot be made here: SOAP needs"):
        descriptors.from_dict(record)(bulk("Si"))


def test_the_histograms_of_lmbtr_are_those_of_a_bent_molecule():
    bent = Atoms("OCH", [[0, 0, 0], [1.5, 0, 0], [0, 2.0, 0]])
    X = descriptors.lmbtr(["C", "H", "O"], 4.0, distances=81, angles=21)(bent, [0])[0]
    pairs = X[: 4 * 81].reshape(4, 81)  # DScribe's place for the centre, then H, C, O
    at = np.linspace(0, 4, 81)
    fade = np.exp(np.log(1e-3) / 4 * np.array([2.0, 1.5]))
    for block, distance, weight in zip(pairs[1:3], (2.0, 1.5), fade, strict=True):
        assert at[block.argmax()] == pytest.approx(distance, abs=0.01)
        assert block.sum() * 0.05 == pytest.approx(weight, rel=0.01)
    angles = X[4 * 81 :].reshape(-1, 21)
    assert np.linspace(-1, 1, 21)[angles.max(axis=0).argmax()] != 1.0
    with pytest.raises(ValueError, match="a histogram needs two points"):
        descriptors.lmbtr(["C"], angles=1)
