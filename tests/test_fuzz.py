"""Files that are damaged, mixed up or malicious: a clear error or sound numbers, no code run."""

import io
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import defectkit as dk
from defectkit.io.archive import Refused
from defectkit.parametric import EnvironmentClassifier, ParametricMap, load_model
from defectkit.streaming.output import read_progress

EXAMPLES = int(os.environ.get("DEFECTKIT_FUZZ", "60"))  # more: DEFECTKIT_FUZZ=250
FUZZ = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])

INPUT = """number_of_elements 1
elements Si
cutoff_type 2 0.0
global_hidden_layers_short 1
global_nodes_short 2
global_activation_short t l
scale_symmetry_functions
scale_min_short 0.0
scale_max_short 1.0
symfunction_short Si 2 Si 0.3 0.0 8.0
symfunction_short Si 3 Si Si 0.01 1.0 2.0 8.0
symfunction_short Si 22 Si Si 0.0 8.0 40.0 140.0 p2
"""
SCALING = "# made up\n" + "".join(f"1 {n} 0.0 {n}.0 0.5 0.2\n" for n in (1, 2, 3))
WEIGHTS = "# made up\n" + "".join(f"{0.1 * n:.3f} a 1 0 0\n" for n in range(11))
FILES = {"input.nn": INPUT, "scaling.data": SCALING, "weights.014.data": WEIGHTS}

word = st.one_of(
    st.sampled_from(
        [
            "",
            "nan",
            "inf",
            "-1",
            "0",
            "1e400",
            "1e-320",
            "-0.0",
            "9" * 21,
            "Si",
            "s",
            "O",
            "Xx",
            "p2",
            "p9",
            "t",
            "elements",
            "symfunction_short",
            "#",
            "!",
            "\x00",
            "１",
            "é",
            "1_0",
            "0x1p3",
            "__import__('os')",
            "{}",
            "1e308",
        ]
    ),
    st.integers(-5, 30).map(str),
    st.floats().map(str),
    st.text(max_size=5),
)


def clear(error):
    """One sentence, of ours: it begins somewhere, names a remedy or a fact, and ends in a stop."""
    text = str(error)
    return type(error) in (ValueError, FileNotFoundError, Refused) and re.fullmatch(
        r"\S.{18,}[.?]", text, re.DOTALL
    )


@st.composite
def mangled(draw, text):
    """`text` with some of its words or lines exchanged, dropped or doubled; or cut; or bytes."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        words = lines[at].split(" ")
        spot = draw(st.integers(0, len(words) - 1))
        how = draw(st.sampled_from(["word", "drop", "add", "line", "double", "swap"]))
        if how == "word":
            words[spot] = draw(word)
        elif how == "drop":
            del words[spot]
        elif how == "add":
            words.insert(spot, draw(word))
        lines[at] = " ".join(words)
        if how == "line" and len(lines) > 1:
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    content = ("\n".join(lines) + "\n").encode()
    if draw(st.integers(0, 4)) == 0:
        content = content[: draw(st.integers(0, len(content)))] + draw(st.binary(max_size=4))
    return content


def written(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture(scope="module")
def silicon():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_the_unharmed_potential_works(tmp_path, silicon):
    silicon = silicon.copy()
    silicon.calc = dk.NeuralNetworkPotential(written(tmp_path, FILES))
    assert np.isfinite(silicon.get_forces()).all() and silicon.get_potential_energy() != 0


@pytest.mark.parametrize("name", FILES)
@FUZZ
@given(data=st.data())
def test_a_mangled_potential_is_refused_clearly_or_gives_numbers(tmp_path, silicon, name, data):
    folder = written(tmp_path, FILES | {name: data.draw(mangled(FILES[name]))})
    try:
        potential = dk.NeuralNetworkPotential(folder)
    except (ValueError, FileNotFoundError) as error:
        assert clear(error), error
        return
    if potential.symmetry.cutoff > 10:  # neighbours without number
        return
    with np.errstate(all="ignore"):
        try:
            potential.calculate(silicon, ("energy", "forces"))
        except ValueError as error:
            assert clear(error), error
        else:
            assert potential.results["forces"].shape == (8, 3)


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_as_input_nn_are_refused_clearly(tmp_path, content):
    (tmp_path / "input.nn").write_bytes(content)
    with pytest.raises(ValueError) as raised:
        dk.SymmetryFunctions.from_n2p2(tmp_path / "input.nn")
    assert clear(raised.value), raised.value


# .npz files

X = np.random.default_rng(0).normal(size=(300, 35)) + np.repeat([0, 9], 150)[:, None]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Bytes of a saved classifier, map and result, and how to open each and use it."""
    folder = tmp_path_factory.mktemp("saved")
    symmetry = dk.SymmetryFunctions.silicon()
    EnvironmentClassifier(symmetry, "Si", max_epochs=1, progress=False).fit(
        X, np.repeat(["bulk", "other"], 150)
    ).save(folder / "classifier.npz")
    ParametricMap(symmetry, "Si", max_epochs=1, progress=False).fit(X, X[:, :2]).save(
        folder / "map.npz"
    )
    atoms = bulk("Ag", cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    dk.identify([atoms, atoms], method="pca", progress=False).save(folder / "result.npz")
    return {
        name: ((folder / f"{name}.npz").read_bytes(), use)
        for name, use in (("classifier", classify), ("map", place), ("result", look))
    }


def classify(path):
    model = load_model(path)
    assert model.predict(X[:, : model.n_features_in_]).shape == (300,)
    assert model.is_novel(X[:, : model.n_features_in_]).dtype == bool
    assert model.window >= 1
    model.save(path)


def place(path):
    model = load_model(path)
    assert model.predict(X[:, : model.n_features_in_]).shape == (300, 2)
    model.save(path)


def look(path):
    result = dk.open_result(path)
    assert len(result.describe()) == len(np.unique(result.labels)) and result.summary()
    assert result.atom_labels().shape == (sum(map(len, result.frames)),)
    assert result.map.shape == (len(result.labels), 2)
    result.save(path)


json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


def spoilt(draw, value):
    """JSON with one value somewhere inside exchanged or left out."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)) == 0:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: spoilt(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, min(3, len(value) - 1)))
        return [*value[:at], spoilt(draw, value[at]), *value[at + 1 :]]
    return draw(json_value)


array = st.one_of(
    st.sampled_from(
        [
            np.zeros(0),
            np.zeros((2, 2)),
            np.array("text"),
            np.array([np.nan]),
            np.zeros((3, 0)),
            np.array([1 + 2j]),
            np.array(["a", "b"]),
            np.array(True),
            np.full(7, np.inf),
            np.zeros(4, "M8[s]"),
            np.zeros(3, "f4,i2"),
            np.full((64, 2), -7),
            np.full(64, 10**9),
        ]
    ),
    st.builds(lambda n, v: np.full(n, v), st.integers(0, 70), st.integers(-9, 9)),
)


@st.composite
def damaged(draw, content):
    """Bytes of a .npz whose bytes, arrays or description have been changed."""
    how = draw(st.sampled_from(["flip", "cut", "array", "drop", "header", "member"]))
    if how == "flip":
        at = draw(st.integers(0, len(content) - 1))
        return content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
    if how == "cut":
        return content[: draw(st.integers(0, len(content) - 1))]
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = draw(st.sampled_from(sorted(arrays)))
    made = io.BytesIO()
    if how == "member":  # something that is no array
        np.savez(made, **{k: v for k, v in arrays.items() if k != name})
        with zipfile.ZipFile(made, "a") as file:
            file.writestr(f"{name}.npy", draw(st.binary(max_size=30)))
        return made.getvalue()
    if how == "array":
        arrays[name] = draw(array)
    elif how == "drop":
        del arrays[name]
    elif "header" in arrays:
        text = json.dumps(spoilt(draw, json.loads(bytes(arrays["header"]))))
        arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    else:
        arrays["info"] = np.array(json.dumps(spoilt(draw, json.loads(str(arrays["info"])))))
    np.savez(made, **arrays)
    return made.getvalue()


@pytest.mark.parametrize("name", ["classifier", "map", "result"])
@FUZZ
@given(data=st.data())
def test_a_damaged_npz_is_refused_clearly_or_can_be_used(tmp_path, saved, name, data):
    content, use = saved[name]
    path = tmp_path / "file.npz"
    path.write_bytes(data.draw(damaged(content)))
    try:
        use(path)
    except (ValueError, FileNotFoundError) as error:
        assert clear(error), error


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["classifier", "map", "result"])
def test_a_planted_pickle_is_never_run(tmp_path, saved, name):
    content, use = saved[name]
    path, sprung = tmp_path / "file.npz", tmp_path / "sprung"
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    plain = pickle.dumps(Trap(sprung))
    for bait in arrays:
        made = io.BytesIO()
        np.savez(made, **arrays | {bait: np.array([Trap(sprung)], dtype=object)})
        path.write_bytes(made.getvalue())
        with pytest.raises(ValueError) as raised:
            use(path)
        assert clear(raised.value), raised.value
    path.write_bytes(plain)  # a pickle in place of the file
    with pytest.raises(ValueError):
        use(path)
    assert not sprung.exists()
    pickle.loads(plain)
    assert sprung.exists()  # the bait was good


@FUZZ
@given(data=st.data())
def test_a_damaged_progress_file_is_refused_clearly(tmp_path, data):
    path = tmp_path / "out.extxyz.progress"
    good = {
        "done": 3,
        "bytes": [10, 20],
        "read": 5,
        "frames": "ab",
        "run": {"source": "a", "window": 3},
    }
    path.write_text(json.dumps(spoilt(data.draw, good)))
    try:
        state = read_progress(path)
    except ValueError as error:
        assert clear(error), error
    else:
        assert state["done"] >= 0 and isinstance(state["run"], dict)
