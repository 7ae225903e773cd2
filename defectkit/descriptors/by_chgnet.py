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

from .._types import FilePath
from ..io.download import sha256_of
from .networks import device_of, layer_of, network_descriptor, output_of
from .optional import library
from .protocol import AtomDescriptor
from .weights import given_file, read_weights

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


def chgnet_from_file(path: FilePath, layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """As `chgnet`, with weights that you have trained: a checkpoint of CHGNet's trainer.

    A saved model records the digest of the file, not the file: give the descriptor to
    `load_model` again.
    """
    library("chgnet.model.model", "chgnet")
    path = given_file(
        path,
        "are no weights",
        "give the file that CHGNet's trainer wrote, or take descriptors.chgnet() with its own",
    )
    digest = sha256_of(path)
    return _described(
        path, {"weights_sha256": digest, "layer": int(layer)}, "", layer, device, None
    )


def _described(path, parameters, rebuild, layer, device, model):
    device = device_of(device, "chgnet")
    net = read_weights(
        path, lambda content: _built(content, model), "CHGNet", "give a checkpoint of its trainer"
    ).to(device)
    convolutions = net.atom_conv_layers
    layer = layer_of(layer, len(convolutions))
    cutoff = float(net.graph_converter.atom_graph_cutoff)
    return network_descriptor(
        lambda closed: _features(net, convolutions[layer], closed),
        "CHGNet",
        parameters,
        cutoff,
        layer + 1,
        MOST,
        library="chgnet",
        elements=[e for e in chemical_symbols[1:95] if e not in UNSEEN],
        rebuild=rebuild,
    )


def _built(content, model):
    """The network, with the options that its own loader gives the weights of its wheel."""
    options: dict[str, Any] = (
        {} if model is None else {"mlp_out_bias": model == "0.2.0", "version": model}
    )
    with redirect_stdout(StringIO()):
        net = library("chgnet.model.model", "chgnet").CHGNet.from_dict(content["model"], **options)
    net.graph_converter.on_isolated_atoms = "ignore"
    return net.eval()


def _features(net, convolution, closed):
    """Output (n_atoms, 64) of one convolution."""
    structure = library("pymatgen.core", "chgnet").Structure(
        closed.cell.array, closed.get_chemical_symbols(), closed.get_scaled_positions()
    )
    graph = net.graph_converter(structure)
    out = output_of(convolution, lambda: net.predict_graph(graph, task="e"))
    return out.cpu().numpy().astype(np.float64)
