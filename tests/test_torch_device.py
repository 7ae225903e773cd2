"""Symmetry functions and forces by torch against the compiled kernels."""

import copy
import json
import pickle
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.units import Bohr
from reference_data import EVERY_TYPE, REFERENCE, read_n2p2_structure

import defectkit as dk
from defectkit import NeuralNetworkPotential, SymmetryFunctions
from defectkit.descriptors import as_dict, from_dict
from defectkit.neighbours import slabs
from defectkit.neighbours.lists import neighbour_list
from defectkit.symmetry import kernels
from defectkit.symmetry.by_torch import devices
from defectkit.symmetry.kernels.tables import ACTIVATIONS, make_net

torch = partial(pytest.importorskip, "torch")  # called where it is needed: it takes seconds
RANDOM = REFERENCE / "hdnnp_random"


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch().cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    return request.param


@pytest.fixture(scope="module")
def all_types(tmp_path_factory):
    """The functions of EVERY_TYPE with any cutoff function."""
    path = tmp_path_factory.mktemp("types") / "input.nn"

    def made(kind, inner=0.0):
        head = f"elements C Si\ncutoff_type {kind} {inner}\n"
        path.write_text(head + "\n".join(f"symfunction_short {line}" for line in EVERY_TYPE))
        return SymmetryFunctions.from_n2p2(path, length_unit=1.0)

    return made


@pytest.fixture
def ice():
    """16 shaken molecules in a sheared cell narrower than two cutoffs."""
    atoms = read_n2p2_structure(REFERENCE / "water_iceIh.data", Bohr)
    atoms.rattle(0.05, seed=2)
    shear = np.eye(3) + [[0, 0.02, 0], [0, 0, 0.03], [0.01, 0, 0]]
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    return atoms


def carbide(seed=0):
    """Two atoms in a skewed cell, who see many images of each other and of themselves."""
    atoms = bulk("SiC", "zincblende", 4.36)
    shear = np.eye(3) + 0.1 * np.random.default_rng(seed).normal(size=(3, 3))
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def same(found, expected, what=""):
    """Equal to 1e-9 of the largest number of each column."""
    assert found.shape == expected.shape and found.dtype == expected.dtype
    size = np.abs(expected).max(axis=0, initial=1e-300)
    assert (np.abs(found - expected) <= 1e-9 * size).all(), what


def same_by_element(atoms, sf, device, what=""):
    found, expected = sf.using(device=device).by_element(atoms), sf.by_element(atoms)
    assert list(found) == list(expected)
    for e in expected:
        same(found[e], expected[e], f"{what} {e}")


# Features


def test_every_reference_case_is_met(device):
    cases = sorted(REFERENCE.glob("*/*.sf"))
    assert len(cases) > 10
    for path in cases:
        unit = Bohr if path.stem.startswith("water") else 1.0
        scaling = path.with_name("scaling.data")
        sf = SymmetryFunctions.from_n2p2(path.parent, unit, scaling if scaling.exists() else None)
        atoms = read_n2p2_structure(REFERENCE / f"{path.stem}.data", unit)
        same_by_element(atoms, sf, device, str(path))


@pytest.mark.parametrize("kind", range(9))
def test_every_type_with_every_cutoff_function(device, all_types, kind):
    for inner in (0.0, 0.4):
        same_by_element(carbide(), all_types(kind, inner), device)


def test_straight_and_right_angles_of_a_perfect_crystal(device, all_types):
    atoms = bulk("SiC", "zincblende", 4.36, cubic=True)
    same_by_element(atoms, all_types(2), device)
    same_by_element(bulk("Cu", a=3.61), SymmetryFunctions.for_elements(["Cu"]), device)


def test_single_precision_of_every_type_with_every_cutoff_function(device, all_types):
    atoms = carbide() * (2, 1, 1)
    for kind in range(9):
        sf = all_types(kind, 0.2)
        found, expected = sf.using("single", device)(atoms, "Si"), sf(atoms, "Si")
        far = np.abs(found - expected) / np.abs(expected).max(axis=0)
        assert 1e-9 < far.max() < 1e-5, kind


def test_shipped_sets(device, diamond):
    same_by_element(diamond, SymmetryFunctions.silicon(), device)
    water = molecule("H2O", cell=[9, 9, 9], pbc=True) * (2, 1, 1)
    same_by_element(water, SymmetryFunctions.water(), device)
    alloy = bulk("Ni", cubic=True, a=3.6) * (2, 2, 1)
    alloy.symbols[:] = np.random.default_rng(0).choice(["Cr", "Fe", "Ni", "Co", "Mn"], len(alloy))
    alloy.rattle(0.05, seed=1)
    names = ["Cr", "Fe", "Ni", "Co", "Mn"]
    same_by_element(alloy, SymmetryFunctions.for_elements(names), device)
    same_by_element(alloy, SymmetryFunctions.element_blind(names), device)


@pytest.mark.filterwarnings("ignore:the cutoff")
@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, False)])
def test_open_boundaries_and_atoms_without_neighbours(device, all_types, pbc):
    atoms = carbide() * (3, 2, 1)
    atoms.pbc = pbc
    atoms += Atoms("SiSi2", [(30, 0, 0), (50, 50, 0), (52, 50, 0)])
    sf = all_types(2)
    same_by_element(atoms, sf, device)
    alone = sf.using(device=device)(atoms, [len(atoms) - 3])
    assert alone.shape == (1, 25) and not alone.any()


def test_any_centres_in_their_order(device, diamond):
    sf = SymmetryFunctions.silicon()
    by_torch, index = sf.using(device=device), [40, 3, 3, 17]
    same(by_torch(diamond, index), sf(diamond, index))
    same(
        by_torch(diamond, diamond.positions[:, 0] > 5.0), sf(diamond)[diamond.positions[:, 0] > 5]
    )
    same(by_torch(diamond, "Si"), sf(diamond))


def test_batches_and_slabs_change_nothing(device, monkeypatch, all_types):
    functions = _functions()
    atoms = carbide() * (2, 2, 16)
    monkeypatch.setattr(functions, "TRIPLES", {device: 20_000})
    monkeypatch.setattr(slabs, "MOST", 60)
    parts, made = [], functions.functions
    monkeypatch.setattr(
        functions, "functions", lambda near, *rest: parts.append(near.n_rows) or made(near, *rest)
    )
    same_by_element(atoms, all_types(2), device)
    assert len(list(slabs.slabs(atoms, 5.0))) > 1 and len(parts) > 10 and max(parts) > 1


def test_trajectories_are_taken_frame_by_frame(device, diamond):
    frames = [diamond, diamond[:40], diamond]
    sf = SymmetryFunctions.silicon()
    found = dk.features(frames, sf.using(device=device), progress=False)
    for values, expected in zip(found, dk.features(frames, sf, progress=False), strict=True):
        same(values, expected)


def test_one_value_each_time(device, diamond):
    sf = SymmetryFunctions.silicon().using(device=device)
    np.testing.assert_array_equal(sf(diamond), sf(diamond))


def test_every_tensor_is_made_on_the_device(device, ice):
    """Those made elsewhere would be on a device without memory, which goes with no other."""
    with torch().device("meta"):
        same_by_element(ice, SymmetryFunctions.from_n2p2(RANDOM), device)
        same_calculation(ice, RANDOM, device)


# Energies and forces


def calculated(atoms, folder, device=None):
    atoms = atoms.copy()
    atoms.calc = NeuralNetworkPotential(folder, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms.get_forces()
    return atoms


def same_calculation(atoms, folder, device):
    found, expected = (calculated(atoms, folder, d) for d in (device, None))
    for name, values in expected.calc.results.items():
        size = np.abs(values).max()
        np.testing.assert_allclose(found.calc.results[name], values, rtol=0, atol=1e-9 * size)
    for e, values in expected.calc.features.items():
        same(found.calc.features[e], values)
    assert found.calc.extrapolations == expected.calc.extrapolations
    return found


def test_a_random_net_gives_the_same_energies_forces_and_stress(device, ice, monkeypatch):
    assert "stress" in same_calculation(ice, RANDOM, device).calc.results
    monkeypatch.setattr(_functions(), "TRIPLES", {device: 30_000})
    open_ice = ice.copy()
    open_ice.pbc = False
    open_ice += Atoms("OH2", [(60, 60, 60), (90, 0, 0), (91, 0, 0)])
    assert "stress" not in same_calculation(open_ice, RANDOM, device).calc.results


def test_the_water_potential_gives_the_same(device, water_potential, ice):
    same_calculation(ice, water_potential, device)


def test_energies_alone_need_no_slopes(device, ice):
    calc = NeuralNetworkPotential(RANDOM, device=device)
    ice.calc = calc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        energy = ice.get_potential_energy()
    assert "forces" not in calc.results
    assert energy == pytest.approx(calculated(ice, RANDOM).get_potential_energy(), rel=1e-12)


@pytest.mark.parametrize("kind", range(9))
def test_slopes_of_every_type_and_cutoff_function(device, all_types, kind):
    sf = all_types(kind, 0.3)
    crystal = bulk("SiC", "zincblende", 4.36, cubic=True)
    if kind == 0:
        crystal.rattle(0.05, seed=3)  # without it shells lie on cutoffs, where rounding decides
    columns = len(sf.functions["Si"])
    for atoms in (carbide(3), crystal):
        net = make_net([(np.random.default_rng(1).normal(size=(columns, 1)), np.zeros(1), "l")])
        centres = np.flatnonzero(atoms.numbers == 14)[:2]  # of all, a perfect crystal has no force
        frame = sf.geometry(atoms, centres, *neighbour_list(atoms, sf.cutoff))
        n, results = len(atoms), []
        for compiled in (True, False):
            out, energy = np.zeros((len(centres), columns)), np.zeros(len(centres))
            force, virial = np.zeros((1, n, 3)), np.zeros((1, 3, 3))
            given = frame, sf.plan("Si"), net, True, out, energy
            if compiled:
                kernels.forces_of(1, *given, force, virial)(0, 1)
            else:
                _forces().add_forces(device, *given, force[0], virial[0])
            results.append((energy, force, virial))
        for found, expected in zip(*results[::-1], strict=True):
            size = np.abs(expected).max()
            assert size > 0.01
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * size)


@pytest.mark.parametrize("letter", ACTIVATIONS)
def test_activation_functions(device, letter):
    torch()
    x = np.linspace(-40.0, 40.0, 81)
    net = make_net([(np.ones((1, 1)), np.zeros(1), letter)])
    of_net = _forces().AtomNet(net, torch().device(device))
    values = of_net(torch().from_numpy(x[:, None]).to(device)).cpu().numpy()
    logistic = 1 / (1 + np.exp(-x))
    expected = {
        "l": x,
        "t": np.tanh(x),
        "s": logistic,
        "p": np.log(1 + np.exp(x)),
        "r": np.maximum(x, 0),
        "g": np.exp(-0.5 * x * x),
        "c": np.cos(x),
        "S": 1 - logistic,
        "e": np.exp(-x),
        "h": x * x,
    }
    np.testing.assert_allclose(values, expected[letter], rtol=1e-12, atol=2e-16)


# Memory


def _functions():
    torch()
    from defectkit.symmetry.by_torch import functions

    return functions


def _forces():
    torch()
    from defectkit.symmetry.by_torch import forces

    return forces


def planted_shortage(monkeypatch, most):
    """As if more than `most` centres at a time did not fit into memory."""
    functions, tried = _functions(), []
    made = functions.functions

    def short(near, *rest):
        tried.append(near.n_rows)
        if near.n_rows > most:
            raise torch().OutOfMemoryError("planted")
        return made(near, *rest)

    for module in (functions, _forces()):
        monkeypatch.setattr(module, "functions", short)
    return tried


def test_batches_are_halved_where_memory_is_short(device, diamond, ice, monkeypatch):
    tried = planted_shortage(monkeypatch, 5)
    same_by_element(diamond, SymmetryFunctions.silicon(), device)
    assert tried[0] == 64 and tried[1] in (31, 32, 33) and max(tried[5:]) <= 5
    same_calculation(ice, RANDOM, device)


@pytest.mark.parametrize(("free", "triples"), [(8e9, 9.1e6), (140e9, 2**26), (1e8, 2**20)])
def test_a_batch_takes_a_quarter_of_the_free_memory_of_a_card(monkeypatch, free, triples):
    cuda = torch().cuda
    monkeypatch.setattr(cuda, "mem_get_info", lambda device: (int(free) - 10**7, int(1e12)))
    monkeypatch.setattr(cuda, "memory_reserved", lambda device: 3 * 10**7)
    monkeypatch.setattr(cuda, "memory_allocated", lambda device: 2 * 10**7)
    assert _functions().most_triples(torch().device("cuda", 0)) == pytest.approx(triples, rel=0.01)


def test_memory_that_does_not_hold_one_atom_is_told(device, diamond, monkeypatch):
    planted_shortage(monkeypatch, 0)
    with pytest.raises(MemoryError, match="atom 0 has .* neighbours, whose triples do not fit .*"):
        SymmetryFunctions.silicon().using(device=device)(diamond)


def test_a_list_is_sent_once_as_long_as_it_exists(device, diamond):
    torch()
    sf = SymmetryFunctions.silicon()
    frame = sf.geometry(diamond, np.arange(64), *neighbour_list(diamond, sf.cutoff))
    one, two = (devices.place(frame, device) for _ in range(2))
    key, on_card = (id(frame.neigh), device), device != "cpu"
    assert (one.neigh is two.neigh) == on_card and (key in devices._sent) == on_card
    del frame, one, two
    assert key not in devices._sent


# What can go wrong, and what is kept


def test_coinciding_atoms_are_told_as_without(device, diamond, ice):
    sf = SymmetryFunctions.silicon()
    diamond += Atoms("Si", diamond.positions[[7]] + diamond.cell.array[0])
    for functions in (sf, sf.using(device=device)):
        with pytest.raises(ValueError, match="atom 7 coincides with another atom; remove one"):
            functions(diamond)
        with pytest.raises(ValueError, match="atom 64 coincides with another atom"):
            functions(diamond, [2, 64])
    ice.positions[4] = ice.positions[1]
    for name in (None, device):
        with pytest.raises(ValueError, match="atom . coincides with another atom"):
            calculated(ice, RANDOM, name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cuda:99",
            "is a CUDA device, of which this torch .* sees (none|only .*); use device=None",
        ),
        ("meta", "is none on which this torch .* has double precision; use device=None"),
        ("abacus", "device='abacus' is none on which this torch .* or a device that torch has"),
    ],
)
def test_devices_that_are_not_there_are_refused_at_once(name, message):
    torch()
    with pytest.raises(ValueError, match=message):
        SymmetryFunctions.silicon().using(device=name)
    with pytest.raises(ValueError, match=message):
        NeuralNetworkPotential(RANDOM, device=name)


def test_no_card_at_all_is_said(monkeypatch):
    if torch().cuda.is_available():
        pytest.skip("torch sees a CUDA device")
    with pytest.raises(ValueError, match="this torch .* sees none; use device=None"):
        SymmetryFunctions.silicon().using(device="cuda")


def test_without_torch_a_device_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="needs torch, .*; install it with `pip install torch`"):
        SymmetryFunctions.silicon().using(device="cpu")


def test_the_device_is_shown_and_the_functions_it_was_made_from_are_left_alone(ice):
    torch()
    sf = SymmetryFunctions.silicon()
    by_torch = sf.using(device="cpu")
    assert sf.device is None and sf.using() is not sf and sf.using().device is None
    assert by_torch.using().device == "cpu"
    assert repr(by_torch).splitlines()[0] == repr(sf).splitlines()[0] + ", by torch on cpu"
    calc = NeuralNetworkPotential(RANDOM, device="cpu")
    assert "computed: by torch on cpu" in repr(calc)
    assert "torch" not in repr(NeuralNetworkPotential(RANDOM))


def test_pickles_and_copies_keep_the_device(diamond, ice):
    torch()
    sf = SymmetryFunctions.silicon().using(device="cpu")
    for again in (pickle.loads(pickle.dumps(sf)), copy.deepcopy(sf)):
        assert again.device == "cpu"
        np.testing.assert_array_equal(again(diamond), sf(diamond))
    ice.calc = copy.deepcopy(calculated(ice, RANDOM, "cpu").calc)
    assert np.isfinite(ice.get_forces()).all()


def test_records_do_not_name_the_device():
    torch()
    sf = SymmetryFunctions.silicon()
    record = as_dict(sf.using(device="cpu"))
    assert json.dumps(record) == json.dumps(as_dict(sf))
    assert from_dict(record).device is None


def test_models_fitted_on_a_device_open_without_one(diamond, tmp_path):
    torch()
    sf = SymmetryFunctions.silicon()
    values = sf(diamond)
    labels = (np.arange(len(values)) % 2).tolist()
    model = dk.EnvironmentClassifier(symmetry=sf.using(device="cpu"), max_epochs=1)
    path = model.fit(np.vstack([values] * 2), labels * 2).save(tmp_path / "model.npz")
    opened = dk.load_model(path or tmp_path / "model.npz")
    assert opened.symmetry.device is None
    same(opened.symmetry(diamond), values)


def test_the_compiled_path_does_not_import_torch():
    code = (
        "import sys, defectkit as dk; from ase.build import bulk; "
        "dk.SymmetryFunctions.silicon().using()(bulk('Si')); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
