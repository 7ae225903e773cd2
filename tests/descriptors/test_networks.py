"""CHGNet, SevenNet, MACE and MatterSim: layers, weights, what a file may not hold."""

import numpy as np
import pytest
import random_networks
from ase.build import bulk, molecule

import defectkit as dk
from defectkit import descriptors
from defectkit.descriptors import by_chgnet, by_mace, by_sevenn

#: From a file: the library, how the adapter opens it, who writes one.
FROM_FILE = {
    "chgnet": ("chgnet", descriptors.chgnet_from_file, random_networks.chgnet),
    "sevennet": ("sevenn", descriptors.sevennet_from_file, random_networks.sevennet),
    "mattersim": ("mattersim", descriptors.mattersim_from_file, random_networks.mattersim),
}


@pytest.fixture(scope="module", params=sorted(FROM_FILE))
def from_file(request, need, tmp_path_factory):
    """How weights are opened, and a file of them."""
    library, opened, write = FROM_FILE[request.param]
    need(library)
    return opened, write(tmp_path_factory.mktemp(request.param) / "weights.pth")


@pytest.fixture(scope="module")
def random_mace(need):
    need("mace")
    return random_networks.mace()


@pytest.fixture(scope="module")
def any_element(need):
    need("chgnet")
    return descriptors.chgnet()


def test_layers_differ_and_the_last_one_hears_of_more(from_file, salt):
    opened, path = from_file
    first, last = opened(path, layer=0), opened(path)
    assert first(salt).shape == last(salt).shape == (64, 8)
    assert abs(first(salt) - last(salt)).max() > 1e-3
    assert "through 1 layers" in first.sensitive_to and "through 2 layers" in last.sensitive_to
    assert np.array_equal(opened(path, layer=1)(salt), last(salt))
    assert descriptors.fingerprint(first) != descriptors.fingerprint(last)


def test_what_a_network_from_a_file_does_not_have(from_file, tmp_path):
    opened, path = from_file
    for layer in (2, -3):
        with pytest.raises(ValueError, match=f"layer={layer}: this network has the layers 0 to 1"):
            opened(path, layer=layer)
    for device in ("cuda:17", "abacus"):
        with pytest.raises(ValueError, match=f"device='{device}' is not there; take device='cpu'"):
            opened(path, device=device)
    with pytest.raises(
        FileNotFoundError, match=r"there are no weights at .*none\.pth; (give|down)"
    ):
        opened(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="holds no weights of .*, or more than numbers"):
        opened(tmp_path / "text.pth")


class Evil:
    """What runs something when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file was executed",))


def test_a_file_that_would_run_code_is_refused(from_file, tmp_path):
    import torch

    opened, path = from_file
    content = torch.load(path, weights_only=False)
    torch.save(content | {"more": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"or more than numbers \(UnpicklingError\)"):
        opened(tmp_path / "evil.pth")


def test_weights_that_were_stored_on_a_gpu_open_without_one(
    from_file, salt, tmp_path, monkeypatch
):
    import torch

    opened, path = from_file
    content = torch.load(path, weights_only=False)
    with monkeypatch.context() as patched:
        patched.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(content, tmp_path / "gpu.pth")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="on a CUDA device"):
            torch.load(tmp_path / "gpu.pth", weights_only=False)
    assert np.array_equal(opened(tmp_path / "gpu.pth")(salt), opened(path)(salt))


def test_any_element_works_out_of_the_box(any_element):
    for symbol in ("Fe", "W", "U"):
        atoms = bulk(symbol, "bcc", 3.2)
        assert any_element(atoms).shape == (1, 64)
    assert any_element(molecule("CH3CH2OH")).shape == (9, 64)


def test_the_last_layer_but_one_is_what_chgnet_itself_returns(any_element, salt):
    from chgnet.model.model import CHGNet
    from pymatgen.core import Structure

    X = descriptors.chgnet(layer=-2)(salt)
    assert abs(X - any_element(salt)).max() > 1e-2
    structure = Structure(
        salt.cell.array, salt.get_chemical_symbols(), salt.get_scaled_positions()
    )
    net = CHGNet.load(use_device="cpu", verbose=False)
    own = net.predict_structure(structure, task="e", return_atom_feas=True)["atom_fea"]
    assert np.allclose(X, own, atol=1e-5 * abs(X).max())


def test_identify_with_chgnet_finds_a_vacancy(any_element):
    atoms = bulk("W", cubic=True) * (3, 3, 3)
    del atoms[20]
    atoms.rattle(0.02, seed=4)
    result = dk.identify(atoms, any_element, progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    assert any("64 features of CHGNet (chgnet" in step for step in result.steps)


def test_models_that_a_wheel_does_not_bring(any_element, need, monkeypatch):
    with pytest.raises(
        ValueError, match="model='9' is none of CHGNet's 0.3.0, 0.2.0, r2scan; for"
    ):
        descriptors.chgnet("9")
    monkeypatch.setattr(by_chgnet, "MODELS", (*by_chgnet.MODELS, "1.0"))
    with pytest.raises(ValueError, match="has no weights 1.0; install it anew"):
        descriptors.chgnet("1.0")
    need("sevenn")
    with pytest.raises(ValueError, match="model='9' is none of SevenNet's 7net-0, 7net-l3i5; for"):
        descriptors.sevennet("9")
    monkeypatch.setitem(by_sevenn.MODELS, "1.0", "SevenNet_1")
    with pytest.raises(ValueError, match="has no weights 1.0; install it anew"):
        descriptors.sevennet("1.0")


@pytest.mark.slow
def test_the_weights_in_sevennets_wheel_know_89_elements_and_are_made_again(need):
    need("sevenn")
    descriptor = descriptors.sevennet(layer=0)
    assert len(descriptor.elements) == 89 and descriptor.cutoff == 5.0
    X = descriptor(bulk("Cu"))
    assert X.shape == (1, 128)
    again = descriptors.from_dict(descriptors.as_dict(descriptor))
    assert np.allclose(again(bulk("Cu")), X, atol=1e-5)
    assert descriptor(bulk("GaAs", "zincblende", 5.65)).shape == (2, 128)


def test_a_sevennet_of_several_kinds_asks_which(need, salt, tmp_path):
    need("sevenn")
    path = random_networks.sevennet(tmp_path / "several.pth", modal=True)
    with pytest.raises(ValueError, match="modal=None: this network knows pbe, r2scan; give one"):
        descriptors.sevennet_from_file(path)
    pbe = descriptors.sevennet_from_file(path, modal="pbe")
    other = descriptors.sevennet_from_file(path, modal="r2scan")
    assert abs(pbe(salt) - other(salt)).max() > 1e-3
    plain = random_networks.sevennet(tmp_path / "plain.pth", parity=False)
    with pytest.raises(ValueError, match="modal='pbe': this network knows one kind only"):
        descriptors.sevennet_from_file(plain, modal="pbe")
    assert "their handedness too" in descriptors.sevennet_from_file(plain).sensitive_to
    assert "not to handedness" in pbe.sensitive_to


def test_each_layer_of_mace_is_the_invariant_part_that_mace_itself_returns(random_mace, salt):
    from mace.calculators import MACECalculator

    calculator = MACECalculator(models=[random_mace], device="cpu", default_dtype="float32")
    own = calculator.get_descriptors(salt)
    for layer in (0, 1):
        X = descriptors.mace(calculator, layer)(salt)
        assert np.allclose(X, own[:, 8 * layer : 8 * layer + 8], atol=1e-6)
    assert np.allclose(descriptors.mace(random_mace)(salt), own[:, 8:], atol=1e-6)


def test_a_file_of_mace_is_opened_only_where_it_is_trusted(random_mace, salt, tmp_path):
    import torch

    path = tmp_path / "small.model"
    torch.save(random_mace, path)
    with pytest.raises(ValueError, match="is a pickled program, .* give trusted=True if you know"):
        descriptors.mace_from_file(path)
    descriptor = descriptors.mace_from_file(path, trusted=True)
    assert np.allclose(descriptor(salt), descriptors.mace(random_mace)(salt), atol=1e-6)
    assert list(descriptor.parameters) == ["model_sha256", "layer"]


def test_what_is_no_model_of_mace(random_mace, tmp_path, monkeypatch):
    import torch

    with pytest.raises(
        FileNotFoundError, match=r"there is no model at .*; download one .* \*.mod"
    ):
        descriptors.mace_from_file(tmp_path / "none.model", trusted=True)
    torch.save({"a": 1}, tmp_path / "dict.model")
    with pytest.raises(ValueError, match="holds a dict, no model of MACE; give a model that MACE"):
        descriptors.mace_from_file(tmp_path / "dict.model", trusted=True)
    (tmp_path / "text.model").write_text("none")
    with pytest.raises(ValueError, match="is no model of MACE that opens here"):
        descriptors.mace_from_file(tmp_path / "text.model", trusted=True)
    with pytest.raises(
        ValueError, match="a str is no single MACE model; give a mace.modules.MACE"
    ):
        descriptors.mace("small")
    with pytest.raises(ValueError, match="layer=2: this network has the layers 0 to 1"):
        descriptors.mace(random_mace, layer=2)
    with pytest.raises(ValueError, match="device='cuda:17' is not there"):
        descriptors.mace(random_mace, device="cuda:17")

    def needs_a_gpu(*args, **options):
        raise RuntimeError("Attempting to deserialize object on a CUDA device")

    monkeypatch.setattr(by_mace.library("torch", "mace"), "load", needs_a_gpu)
    with pytest.raises(ValueError, match="it was stored for a GPU: store it anew on a machine wi"):
        descriptors.mace_from_file(tmp_path / "dict.model", trusted=True)
