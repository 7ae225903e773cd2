"""New environments land where the map has their like, get the right class, or are flagged."""

import io
import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_info, threadpool_limits

import defectkit as dk
from defectkit import descriptors
from defectkit.parametric import EnvironmentClassifier, ParametricMap, export_onnx, load_model
from defectkit.parametric.network import temperature
from defectkit.parametric.novelty import Space


@pytest.fixture(scope="module")
def silicon():
    """Features, phases and frames of environments to fit, and of others from other runs."""
    symmetry = dk.SymmetryFunctions.silicon()
    found = {}
    for name in ("si-phases", "si-phases-test"):
        data = dk.load(name)
        X = np.concatenate(dk.features(data.frames, symmetry, progress=False))
        found[name] = X, np.array(data.classes)[data.truth["phase"]], data.truth["frame"]
    return found


@pytest.fixture(scope="module")
def classifier(silicon):
    X, phase, frame = silicon["si-phases"]
    return EnvironmentClassifier(
        dk.SymmetryFunctions.silicon(), "Si", window=2, max_epochs=40, progress=False
    ).fit(X, phase, frame)


@pytest.fixture(scope="module")
def coordinates(silicon):
    X = silicon["si-phases"][0][::4]
    Y = dk.embed(X, "pca")
    return X, Y, ParametricMap(max_epochs=60, progress=False).fit(X, Y)


def test_unseen_environments_get_the_right_phase(silicon, classifier):
    X, phase, _ = silicon["si-phases-test"]
    assert (classifier.predict(X) == phase).mean() > 0.995
    chances = classifier.predict_proba(X)
    assert np.allclose(chances.sum(axis=1), 1) and chances.min() >= 0
    assert np.array_equal(classifier.classes_[chances.argmax(axis=1)], classifier.predict(X))


@pytest.mark.parametrize(
    "left",
    [
        "diamond",
        "liquid",
        pytest.param("beta-Sn", marks=pytest.mark.slow),
        pytest.param("simple hexagonal", marks=pytest.mark.slow),
    ],
)
def test_a_phase_never_shown_is_flagged_and_those_shown_are_not(silicon, left):
    X, phase, frame = silicon["si-phases"]
    new, known, _ = silicon["si-phases-test"]
    part = phase != left
    fitted = EnvironmentClassifier(max_epochs=1, seed=1, progress=False).fit(
        X[part], phase[part], frame[part]
    )
    assert fitted.is_novel(new[known == left]).mean() >= 0.95
    assert fitted.is_novel(new[known != left]).mean() <= 0.01
    assert set(fitted.left_out_) == set(phase[part])
    assert 0 < fitted.false_alarm_ <= 0.01


def test_fewer_false_alarms_are_asked_for_and_got(silicon, classifier):
    X, phase, frame = silicon["si-phases"]
    careful = EnvironmentClassifier(max_epochs=1, progress=False, false_alarm=0.003).fit(
        X, phase, frame
    )
    assert careful.false_alarm_ <= 0.003 < classifier.false_alarm_


def test_small_products_use_one_thread_and_leave_the_setting_as_it_was(
    silicon, classifier, monkeypatch
):
    """Threads of BLAS that wait for a product of 512 rows cost a whole core and gain nothing."""

    def widths():
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    inside, log_densities = set(), Space.log_densities
    monkeypatch.setattr(
        Space, "log_densities", lambda self, X: inside.update(widths()) or log_densities(self, X)
    )
    with threadpool_limits(2, "blas"):
        before = widths()
        classifier.is_novel(silicon["si-phases"][0][:512])
        assert widths() == before
    assert inside == {1}


def test_probabilities_are_as_sure_as_they_are_right():
    """Two overlapping clouds whose true probabilities are known, and far too long a training."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 9000)
    X = rng.normal(size=(9000, 20)) + 1.5 * label[:, None] * (np.arange(20) < 2)
    fitted = EnvironmentClassifier(patience=10**6, max_epochs=40, progress=False).fit(
        X[:5000], label[:5000]
    )
    sure = fitted.predict_proba(X[5000:]).max(axis=1)
    right = fitted.predict(X[5000:]) == label[5000:]
    assert abs(sure.mean() - right.mean()) < 0.03
    assert temperature(np.array([[9.0, 0.0], [0.0, 9.0]] * 50), np.arange(100) % 2) == (
        pytest.approx(1.0, abs=1e-3)
    )
    assert temperature(np.array([[9.0, 0.0]] * 100), np.arange(100) % 2) > 15


def test_silly_features_are_unlike_anything(silicon, classifier):
    X = silicon["si-phases-test"][0]
    assert classifier.is_novel(X + 10 * X.std(axis=0)).all()


def test_new_environments_land_where_the_map_would_put_them(silicon, coordinates):
    X, Y, model = coordinates
    new = silicon["si-phases-test"][0]
    scale = dk.standardise(X).std(axis=0)
    assert scale.shape == (35,)
    # PCA is linear, so where the new ones belong is known exactly.
    centre, axes = X.mean(axis=0), np.linalg.lstsq(X - X.mean(axis=0), Y, rcond=None)[0]
    error = np.linalg.norm(model.predict(new) - (new - centre) @ axes, axis=1)
    assert np.sqrt(np.mean(error**2)) < 0.05 * Y.std()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(silicon):
    X, phase, _ = (a[::10] for a in silicon["si-phases"])
    made = [
        EnvironmentClassifier(seed=s, max_epochs=3, progress=False).fit(X, phase)
        for s in (0, 0, 1)
    ]
    a, b, c = (m.predict_proba(X) for m in made)
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert [s.threshold for s in made[0].novelty_] == [s.threshold for s in made[1].novelty_]


def test_nets_fitted_in_threads_are_those_fitted_one_by_one(silicon):
    torch = pytest.importorskip("torch")
    X, phase, _ = (a[::10] for a in silicon["si-phases"])

    def fit(seed):
        return (
            EnvironmentClassifier(seed=seed, max_epochs=3, progress=False)
            .fit(X, phase)
            .predict_proba(X)
        )

    seeds, before = [0, 1, 2, 0], torch.get_num_threads()
    state = torch.random.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, seeds))
    for seed, found in zip(seeds, together, strict=True):
        assert np.array_equal(found, fit(seed))
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)  # the caller's numbers are left alone


def test_training_stops_early_and_keeps_its_curve(silicon):
    X, phase, _ = (a[::10] for a in silicon["si-phases"])
    fitted = EnvironmentClassifier(max_epochs=150, patience=2, progress=False).fit(X, phase)
    curve = fitted.curve_["validation"]
    assert 3 <= len(curve) < 150 and len(curve) == len(fitted.curve_["training"])
    assert np.argmin(curve) == len(curve) - 3


def test_noise_is_left_aside_and_inputs_stay_as_they_are(silicon):
    X, phase, _ = (a[::10] for a in silicon["si-phases"])
    labels = np.unique(phase, return_inverse=True)[1]
    labels[:30] = -1
    before = X.copy(), labels.copy()
    fitted = EnvironmentClassifier(max_epochs=1, progress=False).fit(X, labels)
    fitted.is_novel(X), fitted.predict(X)
    assert fitted.classes_.tolist() == [0, 1, 2, 3]
    assert np.array_equal(before[0], X) and np.array_equal(before[1], labels)


@pytest.mark.parametrize("n", [1, 2047, 2048, 2049])
def test_blocks_of_rows_do_not_change_the_answer(silicon, classifier, n):
    X = silicon["si-phases-test"][0][:n]
    one = np.concatenate([classifier.predict_proba(x[None]) for x in X[-3:]])
    assert np.allclose(classifier.predict_proba(X)[-3:], one, atol=1e-5)


def test_a_saved_model_gives_the_same_bits(tmp_path, silicon, classifier, coordinates):
    X = silicon["si-phases-test"][0]
    classifier.save(tmp_path / "c.npz")
    again = load_model(tmp_path / "c.npz", dk.SymmetryFunctions.silicon())
    assert np.array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert np.array_equal(again.is_novel(X), classifier.is_novel(X))
    assert again.window == 2 and again.centres == "Si" and again.curve_ == classifier.curve_
    assert again.left_out_ == classifier.left_out_
    atoms = dk.load("si-phases-test").frames[0]
    assert np.array_equal(again.symmetry(atoms), dk.SymmetryFunctions.silicon()(atoms))
    with pytest.raises(ValueError, match="model is not a name for a model; end it in .npz"):
        classifier.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    coordinates[2].save(tmp_path / "m.npz")
    assert np.array_equal(load_model(tmp_path / "m.npz").predict(X), coordinates[2].predict(X))
    assert load_model(tmp_path / "m.npz").symmetry is None


def test_a_saved_model_keeps_its_parameters(tmp_path, silicon):
    X, phase, _ = (a[::20] for a in silicon["si-phases"])
    given = {
        "max_epochs": 2,
        "patience": 3,
        "false_alarm": 0.02,
        "smallest_class": 5,
        "seed": 4,
        "hidden": (8, 4),
        "window": 3,
        "centres": "Si",
        "progress": False,
    }
    EnvironmentClassifier(**given).fit(X, phase).save(tmp_path / "c.npz")
    found = load_model(tmp_path / "c.npz").get_params()
    assert {k: found[k] for k in given} == given
    line = ParametricMap(max_epochs=2, patience=3, progress=False).fit(X, X[:, 0])
    line.save(tmp_path / "m.npz")
    again = load_model(tmp_path / "m.npz")
    assert (again.max_epochs, again.patience, again.progress) == (2, 3, False)
    assert again.predict(X).shape == (len(X),)


def test_a_model_of_version_0_1_can_still_be_loaded(tmp_path):
    """One Gaussian mixture for each class, in the features that the net is given."""
    rng = np.random.default_rng(0)
    layers = {
        "weight0": rng.normal(size=(2, 4)),
        "bias0": np.zeros(4),
        "weight1": rng.normal(size=(4, 2)),
        "bias1": np.zeros(2),
    }
    layers = {k: v.astype(np.float32) for k, v in layers.items()}
    whiten = np.tile(np.eye(2), (2, 3, 1, 1))
    header = {
        "mark": "defectkit model",
        "format": 1,
        "kind": "EnvironmentClassifier",
        "versions": {},
        "symmetry": None,
        "centres": None,
        "window": 1,
        "hidden": [4],
        "seed": 0,
        "n_features": 2,
        "curve": {},
        "classes": ["a", "b"],
        "threshold": -4.5,
        "false_alarm": 0.01,
        "left_out": [["a", 1.0], ["b", 1.0]],
    }
    mean = np.zeros((2, 3, 2))
    mean[1] += 20
    np.savez(
        tmp_path / "old.npz",
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        mean=np.array([10.0, 10.0]),
        factor=np.ones(2),
        **layers,
        density_mean=mean,
        density_whiten=whiten,
        density_constant=np.full((2, 3), np.log(1 / 3)),
    )
    model = load_model(tmp_path / "old.npz")
    assert model.is_novel([[10, 10], [11, 12], [10, 16], [30, 30]]).tolist() == [
        False,
        False,
        True,
        False,
    ]  # at distances 0, 2.2, 6 and 0
    model.save(tmp_path / "new.npz")
    X = rng.normal(size=(50, 2)) * 5 + 10
    assert np.array_equal(load_model(tmp_path / "new.npz").is_novel(X), model.is_novel(X))
    assert (model.max_epochs, model.patience) == (150, 15)


def test_scaled_functions_of_a_potential_survive_the_file(tmp_path, water_potential):
    symmetry = dk.SymmetryFunctions.from_n2p2(
        water_potential, scaling=water_potential / "scaling.data"
    )
    given = json.loads(json.dumps(descriptors.as_dict(symmetry)))
    again = descriptors.from_dict(given)
    atoms = dk.load("water-ice").frames[0]
    assert np.array_equal(again(atoms, "O"), symmetry(atoms, "O"))


def test_the_file_holds_no_pickle(tmp_path, classifier):
    classifier.save(tmp_path / "c.npz")
    with zipfile.ZipFile(tmp_path / "c.npz") as file:
        for name in file.namelist():
            array = np.lib.format.read_array(io.BytesIO(file.read(name)), allow_pickle=False)
            assert array.dtype.kind in "fu"


def changed(source, target, **header):
    with np.load(source) as file:
        arrays = dict(file)
    text = json.loads(bytes(arrays["header"])) | header
    arrays["header"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    np.savez(target, **arrays)
    return target


def test_files_that_do_not_fit_are_refused(tmp_path, classifier):
    path = tmp_path / "c.npz"
    classifier.save(path)
    with pytest.raises(ValueError, match="in format 4, this version reads up to 3; update"):
        load_model(changed(path, tmp_path / "newer.npz", format=4))
    with pytest.raises(ValueError, match="was fitted with other symmetry functions"):
        load_model(path, dk.SymmetryFunctions.water())
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_model(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    with pytest.raises(ValueError, match="is no model of defectkit"):
        load_model(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="is damaged or cut off"):
        load_model(changed(path, tmp_path / "layers.npz", hidden=[50, 50, 51]))


def test_a_file_that_would_run_code_is_refused_unread(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    np.savez(tmp_path / "trap.npz", header=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match="is damaged"):
        load_model(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("where", [0.02, 0.3, 0.6, 0.95])
def test_a_damaged_file_is_refused(tmp_path, classifier, where):
    path = tmp_path / "c.npz"
    classifier.save(path)
    whole = path.read_bytes()
    at = int(where * len(whole))
    (tmp_path / "cut.npz").write_bytes(whole[:at])
    (tmp_path / "flip.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    for name in ("cut.npz", "flip.npz"):
        with pytest.raises(ValueError, match="is damaged or cut off"):
            load_model(tmp_path / name)


def test_onnx_gives_the_same_numbers(tmp_path, silicon, classifier, coordinates):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    X = silicon["si-phases-test"][0]
    for model, wanted in (
        (classifier, classifier.predict_proba(X)),
        (coordinates[2], coordinates[2].predict(X)),
    ):
        export_onnx(model, tmp_path / "net.onnx")
        session = runtime.InferenceSession(tmp_path / "net.onnx")
        (found,) = session.run(None, {"features": X})
        assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("kind", [ParametricMap, EnvironmentClassifier])
@pytest.mark.parametrize(
    "setting, message",
    [
        ({"window": 0}, "window=0 has to be a whole number, at least 1"),
        ({"symmetry": "soap"}, "symmetry='soap' gives no features; pass a SymmetryFunctions"),
        ({"centres": ["O"]}, r"centres=\['O'\] is no element; give one, such as 'O', or None"),
        ({"hidden": 50}, "hidden=50 is no list; give the size of each hidden layer"),
        ({"hidden": (50, 0)}, "a size in hidden=0 has to be a whole number, at least 1"),
        ({"seed": -1}, "seed=-1 has to be a whole number, at least 0"),
        ({"max_epochs": 0}, "max_epochs=0 has to be a whole number, at least 1"),
        ({"patience": 1.5}, "patience=1.5 has to be a whole number"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_training(kind, setting, message):
    X, known = np.arange(100.0).reshape(50, 2), np.arange(50) % 2
    with pytest.raises(ValueError, match=message):
        kind(progress=False, **setting).fit(X, known)


def test_shares_and_groups_that_cannot_be_are_refused():
    X, known = np.arange(100.0).reshape(50, 2), np.arange(50) % 2
    for share in (-0.1, 2, np.nan):
        with pytest.raises(ValueError, match=f"false_alarm={share!r} is no share of the known"):
            EnvironmentClassifier(false_alarm=share).fit(X, known)
    with pytest.raises(ValueError, match=r"groups \(3,\) do not match 50 environments; give one"):
        EnvironmentClassifier().fit(X, known, groups=[0] * 3)


def test_wrong_input_is_refused_in_a_sentence(silicon, classifier):
    X, phase, _ = (a[::20] for a in silicon["si-phases"])
    bare = EnvironmentClassifier(progress=False)
    with pytest.raises(ValueError, match="has not been fitted; call fit"):
        bare.predict(X)
    with pytest.raises(
        ValueError,
        match="X has 34 features, but EnvironmentClassifier is "
        "expecting 35 features as input; compute them with its",
    ):
        classifier.predict(X[:, 1:])
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite features in 1 of"):
        classifier.predict(bad)
    with pytest.raises(ValueError, match="X has a mask that hides 1 values; leave those rows"):
        classifier.predict(np.ma.masked_invalid(bad))
    with pytest.raises(ValueError, match="do not match .* environments; give one for each"):
        bare.fit(X, phase[1:])
    with pytest.raises(ValueError, match="more than one class, at least two, each of 20 or more"):
        bare.fit(X, np.repeat("ice", len(X)))
    with pytest.raises(ValueError, match="groups are too few"):
        bare.fit(X, phase, groups=np.arange(len(X)) % 5)
    with pytest.raises(ValueError, match="give a place for each"):
        ParametricMap().fit(X, X[1:, :2])


# scikit-learn


def test_the_conventions_of_scikit_learn_hold():
    single = "nets are evaluated in single precision: 1e-7 may depend on the rows beside"
    known = {
        "check_methods_sample_order_invariance": single,
        "check_methods_subset_invariance": single,
        "check_classifiers_classes": "the label -1 is noise here, not a class",
    }
    for model in (
        EnvironmentClassifier(max_epochs=40, smallest_class=1, progress=False),
        ParametricMap(max_epochs=40, progress=False),
    ):
        check_estimator(model, expected_failed_checks=known, on_skip=None)


def test_score_is_accuracy_and_r2(silicon, classifier, coordinates):
    X, phase, _ = silicon["si-phases-test"]
    assert classifier.score(X, phase) == np.mean(classifier.predict(X) == phase)
    X, Y, model = coordinates
    rest = np.mean(
        np.sum((Y - model.predict(X)) ** 2, axis=0) / np.sum((Y - Y.mean(axis=0)) ** 2, axis=0)
    )
    assert model.score(X, Y) == pytest.approx(1 - rest)
    with pytest.raises(NotFittedError, match="has not been fitted; call fit, or load_model"):
        clone(model).predict(X)


def test_the_old_name_of_is_novel_still_works(silicon, classifier):
    X = silicon["si-phases-test"][0][:50]
    with pytest.warns(DeprecationWarning, match="unlike is now called is_novel"):
        assert np.array_equal(classifier.unlike(X), classifier.is_novel(X))


def test_without_torch_models_predict_and_fitting_says_what_to_install(tmp_path, classifier):
    classifier.save(tmp_path / "c.npz")
    work = f"""
import sys
class NoTorch:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'")
sys.meta_path.insert(0, NoTorch())
import numpy as np
from defectkit.parametric import ParametricMap, load_model
X = np.ones((20, 35))
assert load_model({str(tmp_path / "c.npz")!r}).predict(X).shape == (20,)
try:
    ParametricMap().fit(X, X)
except ImportError as err:
    print(err)
"""
    done = subprocess.run(
        [sys.executable, "-c", work],
        capture_output=True,
        text=True,
        cwd=Path(dk.__file__).parents[1],
        timeout=120,
    )
    assert "install it with `pip install torch`" in done.stdout, done.stderr
