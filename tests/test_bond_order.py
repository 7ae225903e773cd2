"""The first shell of common crystals, cold and thermal, and where clusters sit."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from reference_data import records

import defectkit as dk
from defectkit.neighbours.bond_order import first_shell, places

FCC = dict.fromkeys("Cu Al Ag Au Pt Pb Ni Ar Xe Kr".split(), 12)
BCC = dict.fromkeys("Fe W Mo Na Li K Cr Ta".split(), 14)
HCP = dict.fromkeys("Mg Ti Co Zr Be".split(), 12)
DIAMOND = dict.fromkeys("Si Ge C".split(), 4)
COMPOUNDS = {
    "GaAs": ("zincblende", 5.65, 4),
    "CdTe": ("zincblende", 6.48, 4),
    "InP": ("zincblende", 5.87, 4),
    "ZnS": ("zincblende", 5.41, 4),
    "InSb": ("zincblende", 6.48, 4),
    "PbTe": ("rocksalt", 6.46, 6),
    "NaCl": ("rocksalt", 5.64, 6),
    "MgO": ("rocksalt", 4.21, 6),
    "LiF": ("rocksalt", 4.03, 6),
    "PbS": ("rocksalt", 5.94, 6),
    "CsCl": ("cesiumchloride", 4.12, 14),
    "NiAl": ("cesiumchloride", 2.89, 14),
}
ELEMENTS = {**FCC, **BCC, **HCP, **DIAMOND}


def crystal(name):
    if name in COMPOUNDS:
        structure, a, number = COMPOUNDS[name]
        unit = bulk(name, structure, a, cubic=True)
    else:
        unit, number = bulk(name, cubic=name not in HCP), ELEMENTS[name]
    times = int(np.ceil((120 / len(unit)) ** (1 / 3)))
    return unit * (times, times, times), number


@pytest.mark.parametrize("thermal", [False, True])
@pytest.mark.parametrize("name", [*ELEMENTS, *COMPOUNDS])
def test_the_first_shell_of_a_crystal(name, thermal):
    """All elements are counted; the default cutoff of the symmetry functions is the reach."""
    atoms, number = crystal(name)
    if thermal:
        atoms.rattle(0.03 * atoms.get_distances(0, range(1, len(atoms)), mic=True).min(), seed=0)
    elements = sorted(set(atoms.symbols))
    cutoff = first_shell(atoms, dk.SymmetryFunctions.for_elements(elements).cutoff)
    found = np.bincount(neighbor_list("ij", atoms, cutoff)[0], minlength=len(atoms))
    assert (found == number).mean() > 0.97, f"{name}: {np.bincount(found)} within {cutoff} Å"


@pytest.mark.parametrize("name", ["GaAs", "PbTe", "CdTe"])
def test_one_sublattice_has_a_first_shell_too(name):
    atoms, _ = crystal(name)
    part = atoms[atoms.symbols == atoms[0].symbol]
    for reach in (5.0, 7.0):
        cutoff = first_shell(part, reach)
        assert len(neighbor_list("ij", part, cutoff)[0]) == 12 * len(part)


@pytest.mark.slow
def test_water_and_atoms_alone():
    for name in ("water-ice", "water-liquid"):
        atoms = dk.load(name).frames[50]
        assert 3.1 < first_shell(atoms[atoms.symbols == "O"], 6.5) < 3.7
    assert first_shell(Atoms("Ar2", [[0, 0, 0], [20, 0, 0]]), 6.0) == 6.0


@pytest.mark.parametrize("name", ["NaCl", "GaAs"])
def test_neighbours_of_every_element_are_counted(name):
    atoms, number = crystal(name)
    centre = atoms[0].symbol
    own = int((atoms.symbols == centre).sum())
    (row,) = records([0] * own, [atoms], first_shell(atoms, 6.0), centres=centre)
    assert row["coordination"] == number and row["one_sided"] < 1e-9
    (row,) = records([0] * own, [atoms], first_shell(atoms, 6.0), centre, neighbours=[centre])
    assert row["coordination"] == 0


def test_a_random_alloy_in_a_periodic_box_has_no_open_side():
    atoms = bulk("Cu", cubic=True) * (5, 5, 5)
    atoms.symbols[np.random.default_rng(0).random(len(atoms)) < 0.8] = "Ni"
    own = int((atoms.symbols == "Cu").sum())
    (row,) = records([0] * own, [atoms], 3.1, centres="Cu")
    assert row["coordination"] == 12 and row["one_sided"] < 1e-9


def test_between_two_vacancies_is_no_layer():
    """Two vacancies 8 Å apart along z: the mean height of their neighbours is neither's."""
    atoms = bulk("Cu", cubic=True) * (4, 4, 8)
    z = atoms.positions[:, 2]
    vacant = [
        int(np.argmin(np.linalg.norm(atoms.positions - [7.22, 7.22, h], axis=1)))
        for h in (7.22, 14.44)
    ]
    labels = (
        np.min([atoms.get_distances(v, range(len(atoms)), mic=True) for v in vacant], axis=0) < 2.6
    )
    labels[vacant] = False
    one = labels & (z < 10.83)
    keep = np.setdiff1d(np.arange(len(atoms)), vacant)
    (both,) = places([atoms[keep]], [labels[keep]], [True])
    assert np.isnan(both[2]) and np.allclose(both[:2], 7.22, atol=0.01)
    (single,) = places([atoms[keep]], [one[keep]], [True])
    assert np.allclose(single, 7.22, atol=0.01)
