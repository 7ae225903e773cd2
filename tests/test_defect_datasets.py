"""The silicon defects: their truth against independent programs and plain geometry."""

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list

from defectkit import datasets

BOND = 2.351  # Å


@pytest.fixture(scope="module")
def data():
    loaded = {}

    def get(name):
        if name not in loaded:
            loaded[name] = datasets.load(name)
        return loaded[name]

    return get


def perfect_sites(atoms):
    """Perfect lattice (ase.Atoms) under a frame: its offset from the phase of (400) waves.

    All sites of diamond share that phase, so the offset comes without matching atoms to sites;
    a/4 is its period, and the lattice has drifted by less than half of that.
    """
    edge = atoms.cell.lengths()[0]
    repeats = round((len(atoms) / 8) ** (1 / 3))
    a = edge / repeats
    phase = np.angle(np.exp(8j * np.pi * atoms.positions / a).sum(0))
    lattice = bulk("Si", cubic=True, a=a) * ((repeats,) * 3)
    lattice.positions += phase * a / (8 * np.pi)
    return lattice


def mdapy_unusual_sites(atoms):
    """Positions (Å) of the sites that mdapy does not find singly occupied."""
    mdapy = pytest.importorskip("mdapy")
    lattice = perfect_sites(atoms)
    plain = atoms[:]
    plain.info, plain.arrays = {}, {k: plain.arrays[k] for k in ("numbers", "positions")}
    for system in (lattice, plain):
        system.wrap()
    analysis = mdapy.WignerSeitzAnalysis(mdapy.System(ase_atom=lattice))
    occupied = analysis.compute(mdapy.System(ase_atom=plain))["site_occupancy"]
    unusual = np.flatnonzero(occupied != 1)
    return lattice.positions[unusual], occupied[unusual]


def apart(a, b, atoms):
    return find_mic(np.atleast_2d(a - b), atoms.cell, atoms.pbc)[1]


@pytest.mark.parametrize(
    ("name", "key", "occupancy"),
    [
        ("si-vacancy", "vacancy_A", 0),
        ("si-vacancy-moving", "vacancy_A", 0),
        ("si-interstitial", "site_A", 2),
        ("si-interstitial-moving", "site_A", 2),
    ],
)
def test_truth_agrees_with_mdapy(data, name, key, occupancy):
    chosen = range(0, len(data(name).frames), 13)
    agree = []
    for i in chosen:
        atoms = data(name).frames[i]
        places, occupied = mdapy_unusual_sites(atoms)
        agree.append(
            occupied.tolist() == [occupancy]
            and apart(places[0], data(name).truth[key][i], atoms)[0] < 0.2
        )
    assert np.mean(agree) > 0.97, f"{len(agree) - sum(agree)} of {len(agree)} frames differ"


@pytest.mark.parametrize("name", ["si-vacancy", "si-vacancy-moving"])
def test_vacancy_has_four_neighbours_and_nothing_inside(data, name):
    truth, frames = data(name).truth, data(name).frames
    beside = np.bincount(truth["frame"], truth["vacancy_neighbour"])
    assert beside.tolist() == [4] * len(frames)
    empty = []
    for atoms, place in zip(frames, truth["vacancy_A"], strict=True):
        away = apart(atoms.positions, place, atoms)
        flagged = atoms.arrays["vacancy_neighbour"] == 1
        nearest = set(np.argsort(away)[:4])
        empty.append(away.min() > 1.0 and nearest == set(np.flatnonzero(flagged)))
    assert np.mean(empty) > (0.99 if name == "si-vacancy" else 0.8)


def test_atoms_without_their_four_bonds_are_beside_the_vacancy(data):
    missing = []
    for atoms in data("si-vacancy").frames:
        bonds = np.bincount(neighbor_list("i", atoms, 3.0), minlength=len(atoms))
        missing.append((bonds[atoms.arrays["vacancy_neighbour"] == 1] < 4).mean())
    assert np.mean(missing) > 0.9


def runs(data):
    for run in range(data.truth["run"].max() + 1):
        yield np.flatnonzero(data.truth["run"] == run)


@pytest.mark.parametrize(
    ("name", "key"), [("si-vacancy", "vacancy_A"), ("si-interstitial", "interstitial_A")]
)
def test_static_defects_stay(data, name, key):
    for chosen in runs(data(name)):
        places = data(name).truth[key][chosen]
        atoms = data(name).frames[chosen[0]]
        assert apart(places, places[0], atoms).max() < 2.0, atoms.info["run"]


def test_moving_vacancy_hops_by_one_bond(data):
    hops = []
    for chosen in runs(data("si-vacancy-moving")):
        places = data("si-vacancy-moving").truth["vacancy_A"][chosen]
        hops.append(apart(places[1:], places[:-1], data("si-vacancy-moving").frames[0]))
    hops = np.concatenate(hops)
    moved = hops[hops > 1]
    assert len(moved) >= 20
    assert hops[hops < 1].max() < 0.1
    assert np.mean(np.abs(moved - BOND) < 0.1) > 0.9


def test_moving_interstitial_changes_identity(data):
    moving = data("si-interstitial-moving")
    for chosen in runs(moving):
        names = [tuple(np.flatnonzero(moving.frames[i].arrays["interstitial"])) for i in chosen]
        assert len(set(names)) >= 3, moving.frames[chosen[0]].info["run"]


@pytest.mark.parametrize("name", ["si-vacancy-moving", "si-interstitial-moving"])
def test_moving_sets_are_unwrapped_and_evenly_spaced(data, name):
    assert data(name).dt == 0.05
    for chosen in runs(data(name)):
        np.testing.assert_allclose(np.diff(data(name).truth["time"][chosen]), 0.05, atol=1e-6)
        positions = np.array([data(name).frames[i].positions for i in chosen])
        assert np.abs(np.diff(positions, axis=0)).max() < 1.5


@pytest.mark.parametrize("name", ["si-interstitial", "si-interstitial-moving"])
def test_interstitial_is_one_or_two_atoms_off_the_lattice(data, name):
    truth, frames = data(name).truth, data(name).frames
    assert set(np.bincount(truth["frame"], truth["interstitial"])) <= {1, 2}
    assert set(np.bincount(truth["frame"], truth["wigner_seitz"])) == {2}
    assert np.all(truth["wigner_seitz"] >= truth["interstitial"])
    for atoms, place in zip(frames[::7], truth["interstitial_A"][::7], strict=True):
        flagged = atoms.positions[atoms.arrays["interstitial"] == 1]
        assert apart(flagged, place, atoms).max() < 2.0
        sites = perfect_sites(atoms).positions
        nearest = [apart(sites, atom, atoms).min() for atom in flagged]
        assert max(nearest) > 0.7


def test_interstitial_starts_are_all_there(data):
    kinds = data("si-interstitial").classes
    assert kinds == (
        "dumbbell 65",
        "hexagonal 65",
        "tetrahedral 65",
        "dumbbell 217",
        "hexagonal 217",
        "tetrahedral 217",
    )
    assert {len(a) for a in data("si-interstitial").frames} == {65, 217}
    assert {len(a) for a in data("si-vacancy").frames} == {63, 215}


def test_slab_layers_and_dimers(data):
    surface = data("si-surface")
    assert len(surface.frames) >= 29
    for atoms in surface.frames:
        layer, height = atoms.arrays["layer"], atoms.positions[:, 2]
        assert atoms.pbc.tolist() == [True, True, False]
        assert np.bincount(layer).tolist() == [16] * 9
        np.testing.assert_array_equal(atoms.arrays["depth"], np.minimum(layer, 8 - layer))
        means = np.array([height[layer == k].mean() for k in range(9)])
        np.testing.assert_allclose(np.diff(means), 5.44 / 4, atol=0.35)
        for side in (0, 8):
            top = atoms[layer == side]
            bonds = np.bincount(neighbor_list("i", top, 2.9), minlength=16)
            assert bonds.tolist() == [1] * 16, atoms.info["run"]
