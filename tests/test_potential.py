"""The neural network potential against n2p2, numerical derivatives and conserved energy."""

import ctypes
import math
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.units import Bohr, Hartree
from numba import njit
from reference_data import REFERENCE, read_n2p2_structure

from defectkit import NeuralNetworkPotential, SymmetryFunctions, _threads
from defectkit.potential import feature_writer, read_net
from defectkit.symmetry.kernels import compiled
from defectkit.symmetry.kernels import neural_network as _net
from defectkit.symmetry.kernels.records import net_record
from defectkit.symmetry.kernels.tables import ACTIVATIONS, make_net

# Compiled into its callers; numba runs it for Python here.
activation = njit(lambda kind, x: _net.activation(kind, x))
RANDOM = REFERENCE / "hdnnp_random"
# What n2p2's Prediction::predict gives for hdnnp_random; the .ef file is without atom_energy.
ENERGY_WITH_ATOMS = -2.437811798433956e03
ATOM_ENERGY = {"H": -0.459, "O": -74.945}


@pytest.fixture
def ice():
    """16 molecules of ice Ih, in a cell narrower than two cutoffs."""
    return read_n2p2_structure(REFERENCE / "water_iceIh.data", Bohr)


@pytest.fixture
def folder(tmp_path):
    """A copy of the random potential, free to be spoilt."""
    return Path(shutil.copytree(RANDOM, tmp_path / "potential"))


def edit(folder, old, new, name="input.nn"):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def calculated(atoms, folder=RANDOM, **keywords):
    atoms = atoms.copy()
    atoms.calc = NeuralNetworkPotential(folder, **keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms.get_forces()
    return atoms


def random_net(seed, activations, sizes=(5, 4, 3, 1)):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(a, b)), rng.normal(size=b), f)
        for a, b, f in zip(sizes, sizes[1:], activations, strict=False)
    ]


def read_ef(path):
    rows = [line.split() for line in Path(path).read_text().splitlines()]
    return float(rows[0][0]), np.array(rows[1:], float)


# Against n2p2


def test_random_potential_gives_the_energy_and_forces_of_n2p2(ice):
    energy, forces = read_ef(RANDOM / "water_iceIh.ef")
    atoms = calculated(ice)
    assert atoms.get_potential_energy() / Hartree == pytest.approx(ENERGY_WITH_ATOMS, rel=1e-12)
    bare = ENERGY_WITH_ATOMS - 16 * (2 * ATOM_ENERGY["H"] + ATOM_ENERGY["O"])
    assert bare == pytest.approx(energy, rel=1e-12)
    found = atoms.get_forces() * Bohr / Hartree
    assert np.abs(found - forces).max() < 1e-10 * np.abs(forces).max()
    assert atoms.calc.extrapolations == 0


def test_water_potential_gives_the_energy_and_forces_of_n2p2(water_potential):
    folder = os.environ.get("DEFECTKIT_N2P2_REFERENCE")
    structure = water_potential / "liquid_360mol.n2p2-data"
    if folder is None or not structure.is_file():
        pytest.skip(
            "DEFECTKIT_N2P2_REFERENCE names no folder with n2p2's numbers for 360 water "
            "molecules (liquid_360mol_rpbe_d3.ef)"
        )
    reference = Path(folder) / "liquid_360mol_rpbe_d3.ef"
    energy, forces = read_ef(reference)
    atoms = calculated(read_n2p2_structure(structure, Bohr), water_potential)
    assert atoms.get_potential_energy() / Hartree == pytest.approx(energy, rel=1e-12)
    found = atoms.get_forces() * Bohr / Hartree
    assert np.abs(found - forces).max() < 1e-10 * np.abs(forces).max()


def test_units_of_the_files_scale_energy_and_lengths(ice):
    scaled = ice.copy()
    scaled.set_cell(ice.cell.array / Bohr, scale_atoms=True)
    atoms = calculated(scaled, length_unit=1.0, energy_unit=1.0)
    assert atoms.get_potential_energy() == pytest.approx(ENERGY_WITH_ATOMS, rel=1e-12)


def test_energies_of_atoms_add_up_and_contain_the_atoms_own(ice, folder):
    with_atoms = calculated(ice, folder).get_potential_energies()
    edit(folder, "atom_energy", "#atom_energy")
    without = calculated(ice, folder).get_potential_energies()
    own = np.array([ATOM_ENERGY[s] for s in ice.get_chemical_symbols()]) * Hartree
    np.testing.assert_allclose(with_atoms - without, own, rtol=1e-9)
    assert with_atoms.sum() == pytest.approx(ENERGY_WITH_ATOMS * Hartree, rel=1e-12)


# The net


@pytest.mark.parametrize(
    ("letter", "value"),
    [
        ("l", 0.7),
        ("t", math.tanh(0.7)),
        ("s", 1 / (1 + math.exp(-0.7))),
        ("p", math.log(1 + math.exp(0.7))),
        ("r", 0.7),
        ("g", math.exp(-0.245)),
        ("c", math.cos(0.7)),
        ("S", 1 - 1 / (1 + math.exp(-0.7))),
        ("e", math.exp(-0.7)),
        ("h", 0.49),
    ],
)
def test_activation_functions_are_those_of_n2p2(letter, value):
    kind, h = ACTIVATIONS.index(letter), 1e-6
    assert activation(kind, 0.7)[0] == pytest.approx(value, rel=1e-14)
    for x in (0.7, -0.4):
        numerical = (activation(kind, x + h)[0] - activation(kind, x - h)[0]) / (2 * h)
        assert activation(kind, x)[1] == pytest.approx(numerical, rel=1e-8, abs=1e-9)


def test_every_activation_letter_is_covered():
    assert set(ACTIVATIONS) == set("ltsprgcSeh")


@pytest.mark.parametrize("letter", "tspS")
def test_activation_functions_stay_finite_far_out(letter):
    values = [activation(ACTIVATIONS.index(letter), x) for x in (-800.0, 800.0)]
    assert np.isfinite(values).all()


def output_and_slopes(layers, inputs):
    net = make_net(layers)
    node, slope = np.empty((2, len(layers) + 1, net.biases.shape[1]))
    back, record, run = (
        np.empty_like(inputs),
        net_record(net),
        compiled("neural_network", "propagate"),
    )
    at = ctypes.POINTER(ctypes.c_double)
    work = record.ctypes.data, node.ctypes.data, slope.ctypes.data
    return np.array(
        [
            run(work[0], x.ctypes.data_as(at), *work[1:], b.ctypes.data)
            for x, b in zip(inputs, back, strict=True)
        ]
    ), back


@pytest.mark.parametrize("letters", ["ttl", "spl", "gcl", "Sth", "hts", "etl"])
def test_slopes_of_a_net_are_its_numerical_derivatives(letters):
    net, x, h = random_net(3, letters), np.random.default_rng(4).normal(size=(7, 5)), 1e-6
    value, slope = output_and_slopes(net, x)
    for k in range(5):
        step = h * (np.arange(5) == k)
        numerical = (output_and_slopes(net, x + step)[0] - output_and_slopes(net, x - step)[0]) / (
            2 * h
        )
        np.testing.assert_allclose(slope[:, k], numerical, rtol=2e-7, atol=1e-8)
    for row in range(7):  # the same net written out neuron by neuron
        layer = x[row]
        for w, b, f in net:
            layer = np.array(
                [
                    activation(ACTIVATIONS.index(f), w[:, n] @ layer + b[n])[0]
                    for n in range(len(b))
                ]
            )
        assert value[row] == pytest.approx(layer[0], rel=1e-12)


def test_normalize_nodes_divides_what_enters_each_neuron(folder):
    order = SymmetryFunctions.from_n2p2(folder).n2p2_order("O")
    keywords = {
        "global_hidden_layers_short": [(1, ["2"])],
        "global_nodes_short": [(2, ["10", "8"])],
        "global_activation_short": [(3, ["t", "t", "l"])],
    }
    plain = read_net(folder, keywords, "O", order)
    shared = read_net(folder, keywords | {"normalize_nodes": [(4, [])]}, "O", order)
    for (w, b, _), (v, c, _) in zip(plain, shared, strict=True):
        np.testing.assert_allclose(v, w / len(w))
        np.testing.assert_allclose(c, b / len(w))


def test_a_net_per_element_replaces_the_common_one(ice, folder):
    before = calculated(ice, folder).get_potential_energies()
    edit(
        folder,
        "global_activation_short t t l",
        "global_activation_short t t l\nelement_activation_short O s t l",
    )
    after = calculated(ice, folder).get_potential_energies()
    np.testing.assert_array_equal((before != after), ice.numbers == 8)
    n = len(SymmetryFunctions.from_n2p2(folder).functions["O"])
    edit(
        folder,
        "global_nodes_short 10 8",
        "global_nodes_short 10 8\nelement_hidden_layers_short O 1\nelement_nodes_short O 6\n",
    )
    edit(folder, "element_activation_short O s t l", "element_activation_short O t l")
    weights = np.random.default_rng(0).normal(size=(n + 1) * 6 + 7)
    np.savetxt(folder / "weights.008.data", weights)
    order = SymmetryFunctions.from_n2p2(folder).n2p2_order("O")
    net = NeuralNetworkPotential(folder)._nets["O"]
    assert net.sizes.tolist() == [n, 6, 1]
    # The file runs over the nodes of one input after those of another; inputs sorted as in n2p2.
    np.testing.assert_allclose(net.weights[0, order[2], :6], weights[12:18])
    np.testing.assert_allclose(net.biases[1, :1], weights[-1:])


def test_scaling_modes_change_the_inputs_as_asked(ice, folder):
    energies = [calculated(ice, folder).get_potential_energy()]
    edit(folder, "center_symmetry_functions\n", "")
    energies.append(calculated(ice, folder).get_potential_energy())
    edit(folder, "scale_symmetry_functions\n", "scale_symmetry_functions_sigma\n")
    energies.append(calculated(ice, folder).get_potential_energy())
    assert len(set(np.round(energies, 6))) == 3


# Physics


@pytest.fixture
def shaken(ice):
    ice.rattle(0.05, seed=2)
    ice.set_cell(
        ice.cell.array @ (np.eye(3) + [[0, 0.02, 0], [0, 0, 0.03], [0.01, 0, 0]]), scale_atoms=True
    )
    return calculated(ice)


def test_forces_are_numerical_derivatives(shaken):
    forces, h = shaken.get_forces(), 1e-4
    for i in (0, 17, 40):
        for axis in range(3):
            energy = []
            for sign in (1, -1):
                atoms = shaken.copy()
                atoms.calc = shaken.calc
                atoms.positions[i, axis] += sign * h
                energy.append(atoms.get_potential_energy())
            assert forces[i, axis] == pytest.approx(
                (energy[1] - energy[0]) / (2 * h), rel=1e-6, abs=2e-6
            )


def test_stress_is_the_numerical_derivative_in_the_strain(shaken):
    stress, h = shaken.get_stress(voigt=False), 1e-5
    for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        energy = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += 0.5 * sign * h
            strain[b, a] += 0.5 * sign * h
            atoms = shaken.copy()
            atoms.set_cell(shaken.cell.array @ strain, scale_atoms=True)
            atoms.calc = shaken.calc
            energy.append(atoms.get_potential_energy())
        numerical = (energy[0] - energy[1]) / (2 * h) / shaken.get_volume()
        assert stress[a, b] == pytest.approx(numerical, rel=1e-5, abs=1e-8)


def test_energy_is_unchanged_and_forces_turn_with_the_atoms(shaken):
    turned = shaken.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.translate((5.0, -3.0, 1.0))
    turned = calculated(turned)
    assert turned.get_potential_energy() == pytest.approx(shaken.get_potential_energy(), rel=1e-12)
    np.testing.assert_allclose(
        np.linalg.norm(turned.get_forces(), axis=1),
        np.linalg.norm(shaken.get_forces(), axis=1),
        rtol=1e-7,
    )
    np.testing.assert_allclose(turned.get_forces().sum(axis=0), 0.0, atol=1e-8)


def test_water_energy_is_conserved(water_potential, ice):
    ice.calc = NeuralNetworkPotential(water_potential, n_jobs=1)
    thermalize_momenta(ice, 250, rng=np.random.default_rng(1))
    energies = []
    dynamics = VelocityVerlet(ice, 0.5 * units.fs)
    dynamics.attach(lambda: energies.append(ice.get_total_energy() / len(ice)), interval=10)
    dynamics.run(1000)
    ps = np.arange(len(energies)) * 0.005
    drift = np.polyfit(ps[1:], energies[1:], 1)[0] * 5.0
    assert abs(drift) < 1e-3  # eV per atom in 5 ps
    assert np.std(energies) < 1e-3
    assert ice.get_temperature() > 50


# Neighbour lists that are kept


def test_kept_lists_give_the_energies_of_new_ones(ice):
    kept = NeuralNetworkPotential(RANDOM, skin=1.0)
    rng = np.random.default_rng(5)
    reused = 0
    for n in range(12):
        ice.positions += rng.normal(scale=0.04, size=ice.positions.shape)
        if n % 3 == 0:
            ice.set_cell(
                ice.cell.array @ (np.eye(3) + rng.normal(scale=0.004, size=(3, 3))),
                scale_atoms=True,
            )
        if n == 7:
            ice.wrap()
        before = kept._list
        ice.calc = kept
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forces = ice.get_forces()
        reused += kept._list is before
        fresh = calculated(ice, skin=0.0)
        np.testing.assert_allclose(forces, fresh.get_forces(), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(ice.get_stress(), fresh.get_stress(), rtol=1e-9, atol=1e-12)
    assert 4 <= reused < 12


def test_a_kept_list_does_not_survive_other_atoms(ice):
    calc = NeuralNetworkPotential(RANDOM)
    ice.calc = calc
    ice.get_potential_energy()
    other = ice[[i for i in range(len(ice)) if i not in (0, 1, 2)]]
    other.calc = calc
    open_box = ice.copy()
    open_box.pbc = False
    open_box.calc = calc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert other.get_potential_energy() == calculated(other).get_potential_energy()
        assert open_box.get_potential_energy() == calculated(open_box).get_potential_energy()


def test_the_callers_atoms_are_left_alone(ice):
    ice.positions += 40.0
    before = ice.positions.copy()
    calculated(ice)
    np.testing.assert_array_equal(ice.positions, before)


@pytest.mark.skipif(_threads.available() < 2, reason="one thread only")
def test_results_do_not_depend_on_the_threads(ice):
    one, two = calculated(ice, n_jobs=1), calculated(ice, n_jobs=2)
    np.testing.assert_array_equal(one.get_forces(), two.get_forces())
    assert one.get_potential_energy() == two.get_potential_energy()


# Features for free


def test_features_of_the_last_frame_are_those_of_the_symmetry_functions(ice):
    atoms = calculated(ice)
    plain = SymmetryFunctions.from_n2p2(RANDOM)
    for element in "HO":
        np.testing.assert_allclose(atoms.calc.features[element], plain(ice, element), rtol=1e-12)


def test_feature_writer_stores_what_a_simulation_passes(ice, tmp_path):
    ice.calc = NeuralNetworkPotential(RANDOM)
    thermalize_momenta(ice, 50, rng=np.random.default_rng(1))
    dynamics, frames = VelocityVerlet(ice, 0.1 * units.fs), []
    dynamics.attach(feature_writer(ice.calc, tmp_path / "oxygen.npy", 5), interval=2)
    dynamics.attach(lambda: frames.append(ice.copy()), interval=2)
    dynamics.run(6)
    stored = np.load(tmp_path / "oxygen.npy")
    assert stored.shape == (5, 16, 17) and stored.dtype == np.float32
    plain = SymmetryFunctions.from_n2p2(RANDOM)
    for n, frame in enumerate(frames):
        np.testing.assert_allclose(stored[n], plain(frame, "O"), rtol=1e-6)
    assert len(frames) == 4 and np.isnan(stored[4]).all()


def test_feature_writer_says_what_is_missing(ice, tmp_path):
    calc = NeuralNetworkPotential(RANDOM)
    with pytest.raises(ValueError, match="n_frames=0: give the number of frames"):
        feature_writer(calc, tmp_path / "f.npy", 0)
    with pytest.raises(ValueError, match="no features of O yet; run a calculation"):
        feature_writer(calc, tmp_path / "f.npy", 3)()


# Extrapolation


def test_extrapolation_warns_once_and_is_counted(ice):
    ice.calc = NeuralNetworkPotential(RANDOM)
    ice.rattle(0.2, seed=1)
    with pytest.warns(UserWarning, match="outside the range of the potential's training data"):
        ice.get_potential_energy()
    first = ice.calc.extrapolations
    lo = {e: s.minimum for e, s in ice.calc.symmetry.scaling.items()}
    hi = {e: s.maximum for e, s in ice.calc.symmetry.scaling.items()}
    outside = sum(int(((g < lo[e]) | (g > hi[e])).sum()) for e, g in ice.calc.features.items())
    assert first == outside > 0
    ice.rattle(0.01, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ice.get_potential_energy()
    assert ice.calc.extrapolations_total == first + ice.calc.extrapolations


def test_a_potential_prints_as_three_lines(ice):
    calc = NeuralNetworkPotential(RANDOM)
    title, nets, seen = repr(calc).splitlines()
    assert title == "NeuralNetworkPotential of H, O, cutoff 6.35 Å, skin 0.6 Å"
    assert "O 17-10-8-1" in nets
    assert seen == "  features: 0 outside the training data's range so far"
    assert title in calc._repr_html_() and "<table>" in calc._repr_html_()


# Bad input


def test_isolated_molecule_has_forces_but_no_stress():
    water = molecule("H2O")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*training data.*")
        water.calc = NeuralNetworkPotential(RANDOM)
        assert np.isfinite(water.get_forces()).all()
    with pytest.raises(PropertyNotImplementedError):
        water.get_stress()


def test_unknown_elements_are_named():
    atoms = Atoms("OSi", positions=[[0, 0, 0], [0, 0, 2]])
    atoms.calc = NeuralNetworkPotential(RANDOM)
    with pytest.raises(ValueError, match="know H, O but the frame holds Si"):
        atoms.get_potential_energy()


def test_nan_positions_and_coinciding_atoms_are_named(ice):
    ice.calc = NeuralNetworkPotential(RANDOM)
    ice.get_potential_energy()
    good = ice.positions.copy()
    ice.positions[5, 1] = np.nan
    with pytest.raises(ValueError, match="atom 5 has a position that is NaN"):
        ice.get_forces()
    ice.positions = good
    ice.positions[7] = ice.positions[3]
    with pytest.raises(ValueError, match="atom [37] coincides with another atom"):
        ice.get_forces()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("input.nn", "input.nn does not exist; give the path"),
        ("scaling.data", "scaling.data does not exist; the net cannot be used without it"),
        ("weights.008.data", "weights.008.data does not exist; O needs it"),
    ],
)
def test_missing_files_are_named(folder, name, message):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        NeuralNetworkPotential(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a folder; give the one that holds"):
        NeuralNetworkPotential(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "global_nodes_short 10 8",
            "global_nodes_short 10 9",
            r"weights.001.data has \d+ weights, but the 14-10-9-1 net of H .* needs \d+; take",
        ),
        ("global_nodes_short 10 8", "global_nodes_short 10", "2 hidden layers of H need 2 values"),
        ("global_nodes_short 10 8", "global_nodes_short 10 x", "needs whole numbers"),
        ("global_nodes_short 10 8", "global_nodes_short 10 0", "has 0 nodes; give 1 or more"),
        ("global_hidden_layers_short 2", "", "number of hidden layers of H is missing"),
        (
            "global_activation_short t t l",
            "global_activation_short t q l",
            "activation function 'q' is not known",
        ),
        ("global_activation_short t t l", "", "need 3 values in 'global_activation_short'"),
        ("conv_length 5.8", "", "without the rest; give all or none"),
        ("conv_energy 2.4E+02", "conv_energy 0.0", "conv_energy 0 must be positive"),
        ("atom_energy H -0.459", "atom_energy H", "'atom_energy' needs an element and a number"),
        ("cutoff_type 2", "cutoff_type 2\nnnp_type 4G-HDNNP", "with charges .* are not supported"),
        ("cutoff_type 2", "cutoff_type 2\nnnp_type Q-HDNNP", "with charges .* are not supported"),
        ("cutoff_type 2", "cutoff_type 2\nnnp_gen 3", "with charges .nnp_gen 3. are not supp"),
        ("cutoff_type 2", "cutoff_type 2\nnnp_gen 4", "with charges .nnp_gen 4. are not supp"),
    ],
)
def test_settings_that_do_not_fit_are_refused(folder, old, new, message):
    edit(folder, old, new)
    with pytest.raises(ValueError, match=message):
        NeuralNetworkPotential(folder)


def test_weights_that_are_no_numbers_are_refused(folder):
    (folder / "weights.001.data").write_text("0.1\nnonsense\n")
    with pytest.raises(ValueError, match="not a finite number: it is not a weights file"):
        NeuralNetworkPotential(folder)


def test_an_element_without_functions_is_named(folder):
    text = (folder / "input.nn").read_text().splitlines()
    (folder / "input.nn").write_text(
        "\n".join(ln for ln in text if not ln.startswith("symfunction_short H"))
    )
    with pytest.raises(ValueError, match="no symmetry functions for H centres"):
        NeuralNetworkPotential(folder)


@pytest.mark.parametrize("keywords", [{"n_jobs": 0}, {"skin": -0.1}, {"skin": np.nan}])
def test_arguments_out_of_range_are_refused(keywords):
    with pytest.raises(ValueError, match="n_jobs=0 is no number of threads|must be 0 or more"):
        NeuralNetworkPotential(RANDOM, **keywords)
