"""Atom features of MatterSim, a network for 94 elements, with weights from a file that you have.

What is trusted: the weights are opened with torch's `weights_only=True`, which refuses anything
but numbers; the network's code is that of the installed package.
"""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from .._types import FilePath
from ..io.download import sha256_of
from .networks import device_of, layer_of, network_descriptor, output_of
from .optional import library
from .protocol import AtomDescriptor
from .weights import given_file, read_weights

MOST = 2000  # atoms of a slab, which bounds the memory
REMEDY = "give a checkpoint of MatterSim (mattersim-v1.0.0-1M.pth)"


def mattersim_from_file(path: FilePath, layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """What MatterSim's M3GNet knows of each atom after a message-passing layer; all invariant.

    Parameters
    ----------
    path : path
        Weights, such as `mattersim-v1.0.0-1M.pth`.
    layer : int
        Counted from 0, or from the last one, -1.
    device : str
        "cpu", or "cuda" where there is a GPU.

    Returns
    -------
    AtomDescriptor
        With each layer an atom hears of those one cutoff further on. A saved model records the
        digest of the file, not the file: give the descriptor to `load_model` again.

    Raises
    ------
    ImportError
        Without mattersim.
    FileNotFoundError, ValueError
        No such file, or one that holds something else; a layer or device that there is not.

    Notes
    -----
    Yang et al., arXiv:2405.04967 (2024); Chen, Ong, Nat. Comput. Sci. 2, 718 (2022).
    """
    library("mattersim.forcefield.m3gnet.m3gnet", "mattersim")
    path = given_file(
        path,
        "are no weights",
        "download mattersim-v1.0.0-1M.pth from MatterSim's repository (pretrained_models), put it "
        "anywhere and give its path",
    )
    device = device_of(device, "mattersim")
    net = read_weights(path, _built, "MatterSim", REMEDY).to(device)
    net.device = net.normalizer.device = device
    layer = layer_of(layer, len(net.graph_conv))
    cutoff = float(net.model_args["cutoff"])
    return network_descriptor(
        lambda closed: _features(net, layer, closed, cutoff, device),
        "MatterSim",
        {"weights_sha256": sha256_of(path), "layer": layer},
        cutoff,
        layer + 1,
        MOST,
        library="mattersim",
        elements=chemical_symbols[1 : net.max_z + 1],
    )


def _built(content):
    code = library("mattersim.forcefield.m3gnet.m3gnet", "mattersim")
    net = code.M3Gnet(device="cpu", **content["model_args"])
    net.load_state_dict(content["model"])
    return net.eval()


def _features(net, layer, closed, cutoff, device):
    """Atom features of one block, (n_atoms, n_features)."""
    build = library("mattersim.datasets.utils.build", "mattersim").build_dataloader
    as_dict = library("mattersim.forcefield.potential", "mattersim").batch_to_dict
    (batch,) = build(
        [closed],
        model_type="m3gnet",
        cutoff=cutoff,
        threebody_cutoff=float(net.model_args["threebody_cutoff"]),
        batch_size=1,
        only_inference=True,
    )
    out = output_of(net.graph_conv[layer], lambda: net(as_dict(batch, device=device)))
    return out[0].cpu().numpy().astype(np.float64)
