"""Atom features of CHGNet, a network for nearly every element, whose weights are in its wheel.

What is trusted: the weights are opened with torch's `weights_only=True`, which refuses anything
but numbers; the network's code is that of the installed package.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from ..io.atomic_write import user_path
from ..io.download import sha256_of
from .frames import enclosed, in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor

MODELS = ("0.3.0", "0.2.0", "r2scan")
#: Of those that the network has a place for, the ones that no structure it was trained on holds.
UNSEEN = ("Po", "At", "Rn", "Fr", "Ra")
MOST = 3000  # atoms of a slab: some 2 GB


def chgnet(model: str = "0.3.0", layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """What CHGNet knows of each atom after a message-passing layer: 64 numbers, any element.

    Parameters
    ----------
    model : {"0.3.0", "0.2.0", "r2scan"}
        Which of the weights that come with the package.
    layer : int
        Counted from 0, or from the last one, -1.
    device : str
        "cpu", or "cuda" where there is a GPU.

    Returns
    -------
    AtomDescriptor
        With each layer an atom hears of those 6 Å further on.

    Raises
    ------
    ImportError
        Without chgnet.
    ValueError
        A model or layer that there is not; a GPU that there is not.

    Notes
    -----
    Deng et al., Nat. Mach. Intell. 5, 1031 (2023). The features are scalars, so all of them are
    invariant.
    """
    if model not in MODELS:
        raise ValueError(
            f"model={model!r} is none of CHGNet's {', '.join(MODELS)}; for weights "
            "of your own: defectkit.descriptors.chgnet_from_file(path)."
        )
    library("chgnet", "chgnet")
    folder = Path(library("chgnet.model.model", "chgnet").__file__).parents[1] / "pretrained"
    files = sorted((folder / model).glob("*.pth.tar"))
    if not files:
        raise ValueError(
            f"the installed chgnet has no weights {model}; install it anew: pip "
            "install --force-reinstall --no-deps chgnet."
        )
    return _described(
        files[0], {"model": model, "layer": int(layer)}, "chgnet", layer, device, model
    )


def chgnet_from_file(path, layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """As `chgnet`, with weights that you have trained: a checkpoint of CHGNet's trainer.

    A saved model records the digest of the file, not the file: give the descriptor to
    `load_model` again.
    """
    library("chgnet.model.model", "chgnet")
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"there are no weights at {path}; give the file that CHGNet's "
            "trainer wrote, or take descriptors.chgnet() with its own."
        )
    digest = sha256_of(path)
    return _described(
        path, {"weights_sha256": digest, "layer": int(layer)}, "", layer, device, None
    )


def _described(path, parameters, rebuild, layer, device, model):
    net = _network(path, model, _device(device))
    convolutions = net.atom_conv_layers
    if not -len(convolutions) <= layer < len(convolutions):
        raise ValueError(
            f"layer={layer}: this network has the layers 0 to {len(convolutions) - 1}."
        )
    cutoff = float(net.graph_converter.atom_graph_cutoff)
    depth = range(len(convolutions))[layer] + 1

    def function(atoms, index):
        return in_slabs(
            atoms,
            index,
            depth * cutoff,
            MOST,
            lambda part: _features(net, convolutions[layer], part, cutoff),
        )

    return AtomDescriptor(
        function,
        "CHGNet",
        parameters,
        cutoff,
        version=version_of("chgnet"),
        rebuild=rebuild,
        elements=[e for e in chemical_symbols[1:95] if e not in UNSEEN],
        batch=10**9,
        sensitive_to=f"elements, distances and angles of the neighbours and, through {depth} "
        f"layers, of atoms up to {depth * cutoff:.0f} Å away; not to handedness",
    )


def _device(name):
    torch = library("torch", "chgnet")
    try:
        device = torch.device(name)
        there = (
            device.type == "cpu"
            or (device.type == "cuda" and torch.cuda.is_available())
            or (device.type == "mps" and torch.backends.mps.is_available())
        )
    except (RuntimeError, TypeError):
        there = False
    if not there:
        raise ValueError(
            f"device={name!r} is not there; take device='cpu', or a machine with a "
            "GPU that torch can use."
        )
    return device


def _network(path, model, device):
    torch, code = library("torch", "chgnet"), library("chgnet.model.model", "chgnet")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
        options: dict[str, Any] = (
            {} if model is None else {"mlp_out_bias": model == "0.2.0", "version": model}
        )
        with redirect_stdout(StringIO()):
            net = code.CHGNet.from_dict(state, **options)
    except Exception as error:  # torch, pickle and CHGNet raise every kind
        raise ValueError(
            f"{path} holds no weights of CHGNet, or more than numbers "
            f"({type(error).__name__}); give a checkpoint of its trainer."
        ) from error
    net.graph_converter.on_isolated_atoms = "ignore"
    return net.to(device).eval()


def _features(net, convolution, atoms, cutoff):
    """Output (n_atoms, 64) of one convolution."""
    torch = library("torch", "chgnet")
    closed = enclosed(atoms, cutoff)
    structure = library("pymatgen.core", "chgnet").Structure(
        closed.cell.array, closed.get_chemical_symbols(), closed.get_scaled_positions()
    )
    kept = []
    handle = convolution.register_forward_hook(lambda module, given, out: kept.append(out))
    try:
        with torch.no_grad():
            net.predict_graph(net.graph_converter(structure), task="e")
    finally:
        handle.remove()
    return kept[0].cpu().numpy().astype(np.float64)
