"""Features with the triples in single precision against those in double."""

import json
import pickle
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import Bohr
from reference_data import EVERY_TYPE, REFERENCE, read_n2p2_structure
from sklearn.metrics import adjusted_rand_score

import defectkit as dk
from defectkit import NeuralNetworkPotential, SymmetryFunctions
from defectkit.descriptors import as_dict, difference, from_dict
from defectkit.neighbours import slabs

CASES = sorted((path.parent.name, path.stem) for path in REFERENCE.glob("*/*.sf"))


def from_lines(tmp_path, lines, kind=2, inner=0.0, elements="C Si"):
    path = tmp_path / "input.nn"
    head = f"elements {elements}\ncutoff_type {kind} {inner}\n"
    path.write_text(head + "\n".join(f"symfunction_short {line}" for line in lines) + "\n")
    return SymmetryFunctions.from_n2p2(path, length_unit=1.0)


def liquid(n=80, seed=0):
    """Silicon and carbon at random, no two nearer than 1.6 Å."""
    rng, box = np.random.default_rng(seed), 11.0
    places = [rng.random(3) * box]
    while len(places) < n:
        new = rng.random(3) * box
        apart = new - np.array(places)
        apart -= box * np.round(apart / box)
        if (np.linalg.norm(apart, axis=1) > 1.6).all():
            places.append(new)
    return Atoms("SiC" * (n // 2), places, cell=[box] * 3, pbc=True)


def assert_close(symmetry, atoms):
    """Within 1e-5 of a column's largest, or 1e-7 of what one triple can add."""
    double = symmetry.by_element(atoms)
    single = symmetry.using(precision="single").by_element(atoms)
    assert double.keys() == single.keys()
    for e, expected in double.items():
        assert single[e].dtype == float and single[e].shape == expected.shape
        heaviest = max(atoms.numbers) ** 2
        one = [heaviest if f.weighted else 1 for f in symmetry.functions[e]]
        allowed = np.maximum(1e-5 * np.abs(expected).max(axis=0), 1e-7 * np.array(one))
        worst = np.abs(single[e] - expected).max(axis=0) / allowed
        assert worst.max() < 1.0, f"{e}: {symmetry.names(e)[int(worst.argmax())]}"


@pytest.mark.parametrize("kind", range(9))
@pytest.mark.parametrize("inner", [0.0, 0.3])
def test_every_type_and_cutoff_function(tmp_path, kind, inner):
    symmetry = from_lines(tmp_path, EVERY_TYPE, kind, inner)
    kinds = {f.kind for fs in symmetry.functions.values() for f in fs}
    assert kinds == {2, 3, 9, 12, 13, *range(20, 26)}
    assert_close(symmetry, liquid())


@pytest.mark.parametrize(("case", "structure"), CASES)
def test_every_reference_structure(case, structure):
    unit = Bohr if structure.startswith("water") else 1.0
    symmetry = SymmetryFunctions.from_n2p2(REFERENCE / case, length_unit=unit)
    assert_close(symmetry, read_n2p2_structure(REFERENCE / f"{structure}.data", unit))


@pytest.mark.parametrize("width", [0.0, 1e-3, 0.05, 0.2])
@pytest.mark.parametrize(
    ("symmetry", "atoms"),
    [
        (SymmetryFunctions.silicon(), bulk("Si", cubic=True) * 3),
        (SymmetryFunctions.for_elements(["Cu"]), bulk("Cu", cubic=True) * 3),
        (SymmetryFunctions.element_blind(["Cl", "Na"]), bulk("NaCl", "rocksalt", 5.64) * 4),
        (SymmetryFunctions.for_elements(["Cl", "Na"]), bulk("NaCl", "rocksalt", 5.64) * 4),
        (SymmetryFunctions.for_elements("Cr Mn Fe Co Ni".split()), bulk("Fe", cubic=True) * 4),
    ],
    ids=["silicon", "copper", "blind salt", "salt", "five elements"],
)
def test_the_shipped_sets_on_crystals(symmetry, atoms, width):
    atoms = atoms.copy()
    if width:
        atoms.rattle(width, seed=1)
    assert_close(symmetry, atoms)


def test_the_water_set_on_liquid_and_ice():
    symmetry = SymmetryFunctions.water()
    single = symmetry.using(precision="single")
    for name in ("water-liquid", "water-ice"):
        frame = dk.load(name).frames[-1]
        expected = symmetry(frame, "O")
        worst = np.abs(single(frame, "O") - expected).max(axis=0)
        assert (worst < 1e-5 * np.abs(expected).max(axis=0)).all(), name


def test_more_factors_and_triples_than_one_block_holds(tmp_path):
    shells = np.linspace(2.0, 6.0, 12)
    lines = [f"Si 9 Si Si 0.5 1 2 7.0 {shell}" for shell in shells]
    lines += [f"Si 3 Si Si 0.5 -1 2 7.0 {shell}" for shell in shells]
    symmetry, atoms = from_lines(tmp_path, lines, elements="Si"), bulk("Si", cubic=True) * 3
    atoms.rattle(0.1, seed=2)
    assert_close(symmetry, atoms)


def test_no_neighbours_one_neighbour_and_coinciding_atoms():
    single = SymmetryFunctions.silicon().using(precision="single")
    warnings.simplefilter("ignore")  # the cutoff exceeds the cluster
    assert (single(Atoms("Si", cell=[20] * 3, pbc=True)) == 0.0).all()
    pair = Atoms("Si2", [[0, 0, 0], [2.3, 0, 0]])
    assert (single(pair)[:, 20:] == 0.0).all() and (single(pair)[:, :20] > 0.0).any()
    with pytest.raises(ValueError, match="atom 0 coincides with another atom; remove one"):
        single(Atoms("Si2", [[0, 0, 0], [0, 0, 0]]))


def test_threads_frames_and_slabs_give_the_same_bits(monkeypatch):
    single = SymmetryFunctions.silicon().using(precision="single")
    atoms = bulk("Si", cubic=True) * (3, 3, 12)
    atoms.rattle(0.1, seed=3)
    whole = single(atoms)
    for threads in (1, 2):
        found = dk.features([atoms] * 3, single, n_jobs=threads, progress=False)
        assert (found == whole).all(), threads
    assert (single(atoms, centres=[5, 17]) == whole[[5, 17]]).all()
    monkeypatch.setattr(slabs, "MOST", 300)
    np.testing.assert_allclose(single(atoms), whole, rtol=1e-6, atol=1e-6)


def test_the_setting_is_shown_kept_and_undone():
    symmetry = SymmetryFunctions.silicon()
    single = symmetry.using(precision="single")
    assert symmetry.precision == "double" and single.precision == "single"
    assert "precision" not in repr(symmetry) and "single precision" in repr(single)
    assert single.using().precision == "single"
    assert single.using(precision="double").precision == "double"
    atoms = bulk("Si", cubic=True)
    again = pickle.loads(pickle.dumps(single))
    assert again.precision == "single" and (again(atoms) == single(atoms)).all()
    assert (single.using(precision="double")(atoms) == symmetry(atoms)).all()
    assert not (single(atoms) == symmetry(atoms)).all()


def test_what_single_precision_cannot_do_is_refused(tmp_path):
    symmetry = SymmetryFunctions.silicon()
    with pytest.raises(ValueError, match="precision='half' is not known; use 'double' or 'singl"):
        symmetry.using(precision="half")
    steep = from_lines(tmp_path, ["Si 3 Si Si 0.01 1 65 5.0"], elements="Si")
    with pytest.raises(ValueError, match="zeta=65 .* is too steep for .* up to 64; use 'double'"):
        steep.using(precision="single")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_computes_in_single_precision_too(device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.1, seed=6)
    placed = SymmetryFunctions.silicon().using(device=device)
    single = placed.using(precision="single")
    assert single.device == device and "single precision" in repr(single)
    assert_close(placed, atoms)
    assert not (single(atoms) == placed(atoms)).all()


def test_records_name_the_precision_and_those_without_are_double():
    symmetry = SymmetryFunctions.water()
    single = symmetry.using(precision="single")
    record = json.loads(json.dumps(as_dict(single)))
    assert from_dict(record).precision == "single"
    assert "precision" not in as_dict(symmetry)
    assert from_dict(as_dict(symmetry)).precision == "double"
    assert difference(as_dict(from_dict(record)), as_dict(single)) is None
    assert difference(as_dict(symmetry), record) == "precision 'single', not 'double'"
    for wrong in ("half", 32, ["single"]):
        with pytest.raises(ValueError, match="is not known"):
            from_dict(record | {"precision": wrong})


def test_a_saved_model_keeps_the_precision(tmp_path):
    pytest.importorskip("torch")
    single = SymmetryFunctions.silicon().using(precision="single")
    atoms = bulk("Si", cubic=True) * 3
    atoms.rattle(0.1, seed=4)
    X = single(atoms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = dk.ParametricMap(single, "Si", max_epochs=2, progress=False).fit(X, X[:, :2])
    model.save(tmp_path / "map.npz")
    again = dk.load_model(tmp_path / "map.npz")
    assert again.symmetry.precision == "single"
    assert (again.predict(again.symmetry(atoms)) == model.predict(X)).all()
    with pytest.raises(ValueError, match="precision 'double', not 'single'"):
        dk.load_model(tmp_path / "map.npz", symmetry=SymmetryFunctions.silicon())


@pytest.mark.slow
def test_identify_takes_and_records_it():
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.03, seed=1)
    del atoms[0]
    single = SymmetryFunctions.silicon().using(precision="single")
    result = dk.identify(atoms, symmetry=single, progress=False)
    assert result.info["descriptor"]["precision"] == "single"
    assert result.defects["kind"].tolist() == ["vacancy"]


def test_a_potential_stays_in_double_precision():
    potential = NeuralNetworkPotential(REFERENCE / "hdnnp_random")
    assert potential.symmetry.precision == "double"


def phases(n=60):
    frames = dk.load("si-phases").frames[::5][:n]
    symmetry = SymmetryFunctions.silicon()
    return [
        np.concatenate(dk.features(frames, symmetry.using(precision=p), progress=False))
        for p in ("double", "single")
    ]


@pytest.mark.parametrize("method", ["pca", pytest.param("pacmap", marks=pytest.mark.slow)])
def test_labels_of_silicon_phases_are_those_of_double(method):
    one, other = (dk.cluster(dk.embed(X, method, seed=0)) for X in phases())
    assert adjusted_rand_score(one, other) >= 0.999


def test_weights_of_water_molecules(tmp_path):
    lines = ["O 13 0.02 0.3 1 2 4.0", "O 25 0.5 4.5 90.0 270.0 p2", "O 24 0.0 4.5 0 180 p3"]
    symmetry = from_lines(tmp_path, lines, elements="H O")
    atoms = molecule("H2O", cell=[3.1] * 3, pbc=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=5)
    assert_close(symmetry, atoms)
