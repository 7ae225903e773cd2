"""Averages over neighbours as a descriptor: what `averaging` gives, saved, streamed, refused."""

import pickle

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit import averaging, descriptors
from defectkit.descriptors import from_function, neighbour_averaged
from defectkit.parametric import EnvironmentClassifier, load_model
from defectkit.streaming import classify_trajectory

SHELL = 2.9


@pytest.fixture(scope="module")
def silicon():
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.2, seed=3)
    return atoms


@pytest.fixture(scope="module")
def smooth():
    return neighbour_averaged(dk.SymmetryFunctions.silicon(), SHELL)


def test_it_is_the_average_of_each_frames_features(silicon, smooth):
    plain = dk.SymmetryFunctions.silicon()
    wanted = averaging.neighbour_average(plain(silicon), silicon, SHELL)
    assert np.array_equal(smooth(silicon), wanted)
    assert np.array_equal(smooth(silicon, [60, 3, 3]), wanted[[60, 3, 3]])
    assert smooth.names("Si") == plain.names("Si")
    assert smooth.cutoff == pytest.approx(plain.cutoff + SHELL)


def test_neighbours_of_another_element_do_not_count():
    salt = bulk("NaCl", "rocksalt", 5.64, cubic=True) * 2
    salt.rattle(0.1, seed=1)
    plain = dk.SymmetryFunctions.for_elements(["Na", "Cl"])
    got = neighbour_averaged(plain, 4.4)(salt)
    for element in ("Na", "Cl"):
        own = np.flatnonzero(salt.symbols == element)
        wanted = averaging.neighbour_average(plain(salt, own), salt[own], 4.4)
        np.testing.assert_allclose(got[own], wanted, rtol=1e-12)


def test_a_far_atom_changes_it_and_one_beyond_both_reaches_does_not():
    atoms = bulk("Si", cubic=True) * 4
    smooth = neighbour_averaged(dk.SymmetryFunctions.silicon(), SHELL)
    before, moved = smooth(atoms, [0]), atoms.copy()
    away = atoms.get_distances(0, range(len(atoms)), mic=True)
    seen = np.argmin(np.where((away > 5.2) & (away < 6.5), away, np.inf))
    moved.positions[seen] += 0.2
    assert not np.allclose(smooth(moved, [0]), before)
    moved = atoms.copy()
    moved.positions[np.argmax(away)] += 0.2
    assert np.array_equal(smooth(moved, [0]), before)


def test_it_travels_to_other_processes(silicon, smooth):
    again = pickle.loads(pickle.dumps(smooth))
    assert np.array_equal(again(silicon), smooth(silicon))


@pytest.fixture(scope="module")
def model(smooth):
    data = dk.load("si-phases", kinds=["diamond", "liquid"])
    X = np.concatenate(dk.features(data.frames, smooth, progress=False))
    classifier = EnvironmentClassifier(smooth, "Si", max_epochs=5, progress=False)
    return classifier.fit(X, data.truth["phase"], data.truth["frame"])


def test_a_saved_model_makes_it_again_and_refuses_another(tmp_path, silicon, smooth, model):
    model.save(tmp_path / "model.npz")
    again = load_model(tmp_path / "model.npz")
    assert np.array_equal(again.symmetry(silicon), smooth(silicon))
    load_model(tmp_path / "model.npz", smooth)
    for other in (
        neighbour_averaged(dk.SymmetryFunctions.silicon(), 3.0),
        neighbour_averaged(dk.SymmetryFunctions.for_elements(["Si"]), SHELL),
        dk.SymmetryFunctions.silicon(),
    ):
        with pytest.raises(
            ValueError, match="was fitted with other symmetry functions or another"
        ):
            load_model(tmp_path / "model.npz", other)


def test_of_a_function_that_is_gone_it_says_so(silicon):
    own = from_function(lambda atoms, index: np.ones((len(index), 2)), 3.0, name="mine")
    record = descriptors.as_dict(neighbour_averaged(own, SHELL))
    gone = descriptors.from_dict(record)
    with pytest.raises(ValueError, match="this was made with the descriptor"):
        gone(silicon)


def test_it_streams(tmp_path, silicon, model):
    frames = [silicon, silicon]
    output = tmp_path / "out.extxyz"
    table = classify_trajectory(frames, model, output=output, progress=False)
    assert len(table) == 2


@pytest.mark.parametrize("shell", [0, -1.0, np.nan, np.inf, True])
def test_a_shell_that_is_none_is_refused(shell):
    with pytest.raises(ValueError, match="must be a positive length in Å: the end of the first"):
        neighbour_averaged(dk.SymmetryFunctions.silicon(), shell)


def test_what_is_no_descriptor_is_refused():
    with pytest.raises(ValueError, match="descriptor=None gives no features; pass a Symmetry"):
        neighbour_averaged(None, SHELL)
    with pytest.raises(ValueError, match="descriptor='Si' gives no features"):
        neighbour_averaged("Si", SHELL)
