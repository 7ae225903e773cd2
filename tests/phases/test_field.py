"""Files of other people, where DEFECTKIT_FIELD_DATA names their folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from defectkit.phases import extended_defects, prototype, structure_types

FOLDER = os.environ.get("DEFECTKIT_FIELD_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="DEFECTKIT_FIELD_DATA names no folder")


def field(name):
    return read(Path(FOLDER) / name)


@pytest.mark.parametrize("name", ["bcc", "fcc", "hcp"])
def test_hot_molybdenum(name):
    atoms = field(f"conf.{name}.dump")
    structure = structure_types(atoms)
    assert np.mean(structure.labels == name) >= 0.99
    assert extended_defects(atoms, structure) == []


def test_nucleus_in_melt():
    atoms = field("cluster.dump")
    (nucleus,) = extended_defects(atoms, structure_types(atoms))
    assert nucleus.kind == "nucleus" and nucleus.details["name"] == "bcc"
    assert 100 < len(nucleus.atoms) < 300 and 7 < nucleus.details["radius_A"] < 12


def test_silicon_boundaries():
    atoms = field("si_gb112_dft.extxyz")
    found = extended_defects(atoms, structure_types(atoms))
    assert [d.kind for d in found] == ["grain boundary"] * 2
    assert all(abs(d.normal[2]) > 0.999 for d in found)
    assert {21, 22, 36, 37} <= set(np.concatenate([d.atoms for d in found]).tolist())


@pytest.mark.parametrize(
    "name, expected",
    [
        ("gan_bulk.extxyz", "wurtzite"),
        ("gan_v_N.extxyz", "wurtzite"),
        ("pbte_frame0.extxyz", "rock salt"),
        ("gaas.extxyz", "zinc blende"),
        ("cdte_Cd_i_C3v.extxyz", "zinc blende"),
        ("ga2o3_Ovac_frame0.extxyz", "unknown crystal"),
        ("mos2_S_vacancies.extxyz", "2H molybdenite sheet"),
    ],
)
def test_compounds(name, expected):
    atoms = field(name)
    answer = prototype(atoms, structure_types(atoms))
    assert answer.name == expected
    if expected == "unknown crystal":
        assert "Ga with 4 or 6 O neighbours" in answer.words


def test_ice_beside_water():
    structure = structure_types(field("ice_water_ox.gro"))
    part = structure.fractions()
    assert part["liquid water"] == pytest.approx(0.522, abs=0.02)
    assert part["ice Ih"] == pytest.approx(0.364, abs=0.02)
