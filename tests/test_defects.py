"""Defects planted where they have to be found, paths with known jumps, and the silicon data."""

import numpy as np
import pytest
from ase.build import bulk, diamond100
from ase.neighborlist import neighbor_list
from hypothesis import given
from hypothesis import strategies as st
from mdapy import System, WignerSeitzAnalysis

import defectkit as dk
from defectkit import clusters, defects

SEEDS = st.integers(0, 2**31)
BOND = 2.35


def diamond(size=3, seed=None, width=0.06):
    atoms = bulk("Si", cubic=True, a=5.43) * (size, size, size)
    if seed is not None:
        atoms.positions += np.random.default_rng(seed).normal(scale=width, size=(len(atoms), 3))
    return atoms


def without(atoms, *gone):
    """The frame without some atoms, and flags of those that were bonded to them."""
    near = np.zeros(len(atoms), bool)
    i, j = neighbor_list("ij", atoms, 1.2 * BOND)
    near[j[np.isin(i, gone)]] = True
    keep = ~np.isin(np.arange(len(atoms)), gone)
    return atoms[keep], near[keep]


def apart(a, b, atoms):
    """Distance (Å) under periodic boundaries."""
    scaled = (np.asarray(a) - b) @ np.linalg.inv(atoms.cell.array)
    return np.linalg.norm((scaled - np.round(scaled)) @ atoms.cell.array)


# Vacancies


@pytest.mark.parametrize("gone", [0, 100, 215])  # atom 0 sits at the corner of the cell
def test_a_planted_vacancy_is_found_to_a_tenth_of_an_angstrom(gone):
    perfect = diamond()
    atoms, flags = without(perfect, gone)
    site, = defects.locate_vacancies(atoms, flags)
    assert apart(site.position, perfect.positions[gone], atoms) < 0.1
    assert site.kind == "vacancy"
    np.testing.assert_array_equal(site.atoms, np.flatnonzero(flags))
    assert len(site.atoms) == 4
    assert defects.locate_interstitials(atoms, flags) == []


@given(SEEDS)
def test_a_vacancy_is_found_in_heat_whatever_the_cell_and_the_missing_flag(seed):
    rng = np.random.default_rng(seed)
    perfect = diamond(seed=seed)
    perfect.set_cell(perfect.cell.array @ (np.eye(3) + rng.uniform(-0.04, 0.04, (3, 3))),
                     scale_atoms=True)
    perfect.positions += rng.normal(size=3) * 10
    gone = rng.integers(len(perfect))
    atoms, flags = without(perfect, gone)
    flags[rng.choice(np.flatnonzero(flags))] = False  # a neighbour that the map missed
    flags[rng.choice(np.flatnonzero(~flags))] = True  # a false alarm elsewhere
    site, = defects.locate_vacancies(atoms, flags)
    assert apart(site.position, perfect.positions[gone], atoms) < 0.7


def test_two_vacancies_far_and_near_are_told_apart():
    perfect = diamond(4)
    far = int(perfect.get_distances(0, range(len(perfect)), mic=True).argmax())
    atoms, flags = without(perfect, 0, far)
    found = defects.locate_vacancies(atoms, flags)
    assert [s.kind for s in found] == ["vacancy", "vacancy"]
    near = int(np.argsort(perfect.get_distances(0, range(len(perfect)), mic=True))[1])
    atoms, flags = without(perfect, 0, near)
    found = defects.locate_vacancies(atoms, flags)
    assert [s.kind for s in found] == ["divacancy", "divacancy"]
    wanted = perfect.positions[[0, near]]
    assert max(min(apart(s.position, w, atoms) for w in wanted) for s in found) < 0.3


def test_a_metal_vacancy_has_twelve_neighbours():
    perfect = bulk("Al", cubic=True, a=4.05) * (4, 4, 4)
    gone = 77
    i, j = neighbor_list("ij", perfect, 3.3)
    flags = np.isin(np.arange(256), j[i == gone])
    keep = np.arange(256) != gone
    site, = defects.locate_vacancies(perfect[keep], flags[keep])
    assert apart(site.position, perfect.positions[gone], perfect) < 0.1
    assert len(site.atoms) == 12


def test_a_sound_crystal_has_no_defect_whatever_is_flagged():
    atoms = diamond(seed=3)
    rng = np.random.default_rng(4)
    for flags in (np.zeros(len(atoms), bool), np.isin(np.arange(len(atoms)), [5]),
                  rng.random(len(atoms)) < 0.05):
        assert defects.locate_vacancies(atoms, flags) == []
        assert defects.locate_interstitials(atoms, flags) == []


# Interstitials


def test_a_tetrahedral_interstitial_is_the_extra_atom():
    atoms = diamond()
    atoms.append("Si")
    atoms.positions[-1] = np.array([0.5, 0.5, 0.5]) * 5.43
    site, = defects.locate_interstitials(atoms, [216])
    assert site.kind == "interstitial"
    assert site.atoms.tolist() == [216]
    assert apart(site.position, atoms.positions[-1], atoms) < 1e-6
    assert defects.locate_vacancies(atoms, [216]) == []


@pytest.mark.parametrize("sharer", [0, 110])
def test_a_dumbbell_is_two_atoms_on_one_site(sharer):
    atoms = diamond()
    middle = atoms.positions[sharer].copy()
    half = 1.2 * np.array([1.0, 1.0, 0.0]) / np.sqrt(2.0)
    atoms.positions[sharer] = middle + half
    atoms.append("Si")
    atoms.positions[-1] = middle - half
    site, = defects.locate_interstitials(atoms, [sharer, 216])
    assert site.kind == "dumbbell"
    assert set(site.atoms.tolist()) == {sharer, 216}
    assert apart(site.position, middle, atoms) < 0.3


# The whole loop on molecular dynamics


def test_the_loop_finds_the_vacancy_of_every_second_frame():
    data = dk.load("si-vacancy", kinds=["vacancy 63"])
    frames = data.frames[::2]
    G = np.concatenate(dk.features(frames, dk.SymmetryFunctions.silicon(), progress=False))
    labels = dk.cluster(dk.embed(G, "pacmap", seed=5))
    choice = defects.defect_cluster(labels, 63, dk.standardise(G))
    sites = [defects.locate_vacancies(f, flags)
             for f, flags in zip(frames, choice.flagged.reshape(-1, 63), strict=True)]
    result = defects.score(sites, data.truth["vacancy_A"][::2][:, None],
                           [f.cell.array for f in frames])
    assert result["located"] >= 0.99
    assert result["false_alarms_per_frame"] <= 0.01
    assert result["largest_error_A"] < 0.7
    assert clusters.agreement(choice.flagged.astype(int), np.concatenate(
        np.split(data.truth["vacancy_neighbour"], len(data.frames))[::2])) > 0.9


# Surfaces


def test_layers_of_a_slab_are_counted_from_both_sides():
    slab = diamond100("Si", (2, 2, 8), a=5.43, vacuum=8.0)
    slab.rattle(0.03, seed=1)
    slab.pbc = True
    layers, sides = defects.surface_layers(slab)
    height = np.round((slab.positions[:, 2] - slab.positions[:, 2].min()) / (5.43 / 4)).astype(int)
    np.testing.assert_array_equal(layers, np.minimum(height, height.max() - height))
    np.testing.assert_array_equal(sides[layers == 0] > 0, height[layers == 0] > 0)
    with pytest.raises(ValueError, match="No free surface"):
        defects.surface_layers(diamond())


# Truth, tracks, score


@given(SEEDS)
def test_wigner_seitz_survives_heat_strain_wrapping_and_drift(seed):
    rng = np.random.default_rng(seed)
    perfect = diamond(2)
    frame = perfect.copy()
    frame.positions += rng.normal(scale=0.1, size=(64, 3)) + rng.uniform(-0.5, 0.5, 3)
    frame.set_cell(frame.cell.array @ (np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))),
                   scale_atoms=True)
    gone = int(rng.integers(64))
    del frame[gone]
    frame.wrap()
    assert defects.wigner_seitz(frame, perfect).vacant.tolist() == [gone]


def test_wigner_seitz_agrees_with_mdapy():
    data = dk.load("si-vacancy", kinds=["vacancy 63"])
    perfect = diamond(2)
    for atoms in data.frames[::40]:
        reference = perfect.copy()
        reference.set_cell(atoms.cell.array, scale_atoms=True)
        ours = defects.wigner_seitz(atoms, reference)
        shifted = atoms.copy()
        shifted.positions -= ours_drift(atoms, reference, ours)
        shifted.wrap()
        theirs = WignerSeitzAnalysis(System(ase_atom=reference)).compute(System(ase_atom=shifted))
        assert ours.vacant.tolist() == np.flatnonzero(theirs["site_occupancy"] == 0).tolist()


def ours_drift(atoms, reference, found):
    d = atoms.positions - reference.positions[found.site_of]
    scaled = d @ np.linalg.inv(atoms.cell.array)
    return ((scaled - np.round(scaled)) @ atoms.cell.array).mean(axis=0)


def test_a_path_goes_on_across_the_boundary_and_its_jump_is_counted():
    rng = np.random.default_rng(0)
    true = np.repeat([[9.5, 5, 5], [11.85, 5, 5]], 20, axis=0)
    true = true + rng.normal(scale=0.1, size=(40, 3))
    path, = defects.track([[p % 10] for p in true], 10 * np.eye(3))
    np.testing.assert_allclose(path.path, true, atol=1e-9)
    assert path.jumps["frame"].tolist() == [20]
    assert path.jumps["displacement"][0] == pytest.approx(2.35, abs=0.3)


def test_mean_square_displacement_of_a_steady_drift():
    sites = [[[0.5 * n, 0, 0]] for n in range(11)]
    path, = defects.track(sites, 100 * np.eye(3))
    np.testing.assert_allclose(defects.mean_square_displacement(path, 4),
                               (0.5 * np.arange(5)) ** 2)


def test_score_counts_hits_misses_and_false_alarms():
    found = [[[1.0, 0, 0]], [[5.0, 0, 0]], []]
    truth = [[[1.2, 0, 0]], [[1.0, 0, 0]], []]
    result = defects.score(found, truth, 10 * np.eye(3))
    assert result["located"] == 0.5
    assert result["median_error_A"] == pytest.approx(0.2)
    assert result["false_alarms_per_frame"] == pytest.approx(1 / 3)


# Bad input


def broken():
    atoms = diamond()
    atoms.positions[7, 1] = np.nan
    return atoms


@pytest.mark.parametrize(("atoms", "flags", "message"), [
    (diamond(), np.zeros(5, bool), "give one bool per atom of this frame"),
    (diamond(), [216], "give indices within this frame"),
    (diamond(), np.ones(216, bool), "flag the cluster of the defect, not that of the bulk"),
    (diamond(), np.zeros(216), "give bools or int indices"),
    (broken(), [1], "The positions of 1 atoms are not finite, the first is atom 7"),
    (bulk("Si"), [0], "too few to learn the order of the bulk from"),
])
def test_flags_and_frames_that_cannot_be_used(atoms, flags, message):
    with pytest.raises(ValueError, match=message):
        defects.locate_vacancies(atoms, flags)


def test_arguments_that_cannot_be_used():
    with pytest.raises(ValueError, match="not a whole number of frames of 4 environments"):
        defects.defect_cluster([0] * 10, 4)
    with pytest.raises(ValueError, match="not all noise"):
        defects.defect_cluster([-1, -1], 1)
    with pytest.raises(ValueError, match="max_share=2; use a share between 0 and 1"):
        defects.defect_cluster([0, 0], 1, max_share=2)
    with pytest.raises(ValueError, match="fallback needs points"):
        defects.defect_cluster([0, 0], 1, fallback=0.1)
    with pytest.raises(ValueError, match="give one finite row for each environment"):
        defects.defect_cluster([0, 0], 1, [[np.nan], [1.0]])
    with pytest.raises(ValueError, match="use lengths above 0"):
        defects.track([[[0, 0, 0]]], np.eye(3), max_jump=-1)
    with pytest.raises(ValueError, match="cells has shape"):
        defects.track([[[0, 0, 0]]], np.eye(2))
    path, = defects.track([[[0, 0, 0]]] * 3, np.eye(3))
    with pytest.raises(ValueError, match="max_lag=5 for a track that spans 2 frames"):
        defects.mean_square_displacement(path, 5)
    with pytest.raises(ValueError, match="tolerance=0 Å; use one above 0"):
        defects.score([[]], [[]], np.eye(3), tolerance=0)
    with pytest.raises(ValueError, match="1 frames of found sites for 2 frames"):
        defects.score([[]], [[], []], np.eye(3))
    with pytest.raises(ValueError, match="give the perfect crystal with as many unit cells"):
        defects.wigner_seitz(diamond(2), diamond(3))
