"""One function, SOAP and CHGNet through every door: nets, trajectory, run, result, explorer."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet

import defectkit as dk
from defectkit import descriptors
from defectkit.neighbours.lists import neighbour_pairs


def nearest(atoms, index):
    """Sorted distances to the twelve nearest neighbours."""
    i, d = neighbour_pairs("id", atoms, 5.0)
    return [sorted(d[i == n])[:12] for n in index]


MAKERS = {
    "function": (None, lambda: descriptors.from_function(nearest, 5.0)),
    "SOAP": ("dscribe", lambda: descriptors.soap(["Cu"], n_max=4, l_max=3)),
    "CHGNet": ("chgnet", lambda: descriptors.chgnet(layer=0)),
}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def descriptor(request, need):
    library, make = MAKERS[request.param]
    if library:
        need(library)
    return make()


@pytest.fixture(scope="module")
def frames():
    """A cold frame of copper without one atom, and a hot one."""
    cold = bulk("Cu", cubic=True) * (3, 3, 3)
    del cold[40]
    cold.rattle(0.03, seed=0)
    hot = cold.copy()
    hot.rattle(0.3, seed=10)
    return [cold, hot]


@pytest.fixture(scope="module")
def table(descriptor, frames):
    return np.concatenate(list(dk.features(frames, descriptor, progress=False)))


def opened(path, descriptor):
    """A saved net, given the descriptor only where the record cannot make it."""
    return dk.load_model(path, None if descriptor.rebuild else descriptor)


def test_a_saved_classifier_labels_a_trajectory_and_a_run(descriptor, frames, table, tmp_path):
    kinds = np.repeat(["cold", "hot"], len(table) // 2)
    dk.EnvironmentClassifier(descriptor, max_epochs=20).fit(table, kinds).save(tmp_path / "m.npz")
    model = opened(tmp_path / "m.npz", descriptor)
    counts = dk.classify_trajectory(
        frames[1:], model, output=tmp_path / "hot.extxyz", progress=False
    )
    assert (counts["hot"] > 90).all()
    run = frames[0].copy()
    run.calc = EMT()
    dynamics = VelocityVerlet(run, 1.0)
    dynamics.attach(dk.label_observer(run, model, tmp_path / "md.extxyz"), interval=2)
    dynamics.run(4)
    assert len(dk.read_frames(tmp_path / "md.extxyz")) == 3
    with pytest.raises(ValueError, match="another kind of descriptor"):
        dk.load_model(tmp_path / "m.npz", dk.SymmetryFunctions.for_elements(["Cu"]))


def test_a_saved_map_places_atoms_where_it_did(descriptor, table, tmp_path):
    model = dk.ParametricMap(descriptor, max_epochs=5).fit(table, dk.embed(table, "pca"))
    model.save(tmp_path / "map.npz")
    again = opened(tmp_path / "map.npz", descriptor)
    assert np.array_equal(again.predict(table), model.predict(table))
    assert descriptors.difference(*map(descriptors.as_dict, (again.symmetry, descriptor))) is None


def test_a_saved_result_and_the_explorer(descriptor, frames, tmp_path):
    pytest.importorskip("nglview")
    result = dk.identify(frames[:1], descriptor, progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    result.save(tmp_path / "r.npz")
    again = dk.open_result(tmp_path / "r.npz")
    assert again.defects["kind"].tolist() == ["vacancy"]
    shown = dk.view.explorer(
        again, trajectory=frames[:1], symmetry=None if descriptor.rebuild else descriptor
    )
    assert len(shown.data.columns) == len(result.info["features"]) > 10
