"""Atom features of SevenNet, an equivariant network; two sets of its weights are in its wheel.

What is trusted: the weights are opened with torch's `weights_only=True` and may hold numbers and
NumPy arrays alone; the network's code is that of the installed package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from .._types import FilePath
from ..io.download import sha256_of
from .networks import device_of, layer_of, network_descriptor, output_of, scalars
from .optional import library
from .protocol import AtomDescriptor
from .weights import given_file, read_weights

MODELS = {"7net-0": "SevenNet_0__11Jul2024", "7net-l3i5": "SevenNet_l3i5"}
MOST = 2000  # atoms of a slab, which bounds the memory
REMEDY = "give a checkpoint of SevenNet (checkpoint_*.pth)"


def sevennet(model: str = "7net-0", layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """What SevenNet knows of each atom after a message-passing layer: its invariant numbers.

    Parameters
    ----------
    model : {"7net-0", "7net-l3i5"}
        Which of the weights that come with the package, both for 89 elements.
    layer : int
        Counted from 0, or from the last one, -1.
    device : str
        "cpu", or "cuda" where there is a GPU.

    Returns
    -------
    AtomDescriptor
        With each layer an atom hears of those 5 Å further on.

    Raises
    ------
    ImportError
        Without sevenn.
    ValueError
        A model, layer or device that there is not.

    Notes
    -----
    Park et al., J. Chem. Theory Comput. 20, 4857 (2024).
    """
    if model not in MODELS:
        raise ValueError(
            f"model={model!r} is none of SevenNet's {', '.join(MODELS)}; for weights from "
            "elsewhere: defectkit.descriptors.sevennet_from_file(path)."
        )
    folder = Path(str(library("sevenn", "sevennet").__file__)).parent / "pretrained_potentials"
    files = sorted((folder / MODELS[model]).glob("*.pth"))
    if not files:
        raise ValueError(
            f"the installed sevenn has no weights {model}; install it anew: pip "
            "install --force-reinstall --no-deps sevenn."
        )
    parameters = {"model": model, "layer": int(layer)}
    return _described(files[0], parameters, "sevennet", layer, device, None)


def sevennet_from_file(
    path: FilePath, layer: int = -1, device: str = "cpu", modal: str | None = None
) -> AtomDescriptor:
    """As `sevennet`, with the weights of a checkpoint that you name.

    modal  which kind of calculation, for networks that know several ("mpa", "omat24")

    A saved model records the digest of the file, not the file: give the descriptor to
    `load_model` again.
    """
    library("sevenn", "sevennet")
    path = given_file(
        path,
        "are no weights",
        "download a checkpoint from SevenNet's releases, put it anywhere and give its path, or "
        "take descriptors.sevennet() with its own",
    )
    parameters = {"weights_sha256": sha256_of(path), "layer": int(layer), "modal": modal}
    return _described(path, parameters, "", layer, device, modal)


def _described(path, parameters, rebuild, layer, device, modal):
    device = device_of(device, "sevennet")
    net = read_weights(path, lambda content: _built(path), "SevenNet", REMEDY, _arrays()).to(
        device
    )
    known = list(net.modal_map or {})
    if modal not in (known or [None]):
        raise ValueError(
            f"modal={modal!r}: this network knows "
            + (
                f"{', '.join(known)}; give one of them."
                if known
                else "one kind only; leave it out."
            )
        )
    gates = [part for name, part in net.named_children() if name.endswith("_equivariant_gate")]
    layer = layer_of(layer, len(gates))
    return network_descriptor(
        lambda closed: _features(net, gates[layer], closed, device, modal),
        "SevenNet",
        parameters,
        float(net.cutoff),
        layer + 1,
        MOST,
        library="sevenn",
        elements=_symbols(net.type_map),
        rebuild=rebuild,
        handed=not any(ir.p < 0 for gate in gates for _, ir in gate.gate.irreps_out),
    )


def _arrays():
    """NumPy's classes, which the statistics in a checkpoint are made of."""
    kinds = {type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "b1")}
    makers: tuple[Any, ...] = (np.array(0.0).__reduce__()[0], np.float64(0).__reduce__()[0])
    old = ("numpy.core.multiarray", "numpy._core.multiarray")
    named = [(made, f"{module}.{made.__name__}") for module in old for made in makers]
    return [np.ndarray, np.dtype, *kinds, *named]


def _built(path):
    """The network, made by the package from a file that was seen to hold numbers only."""
    net = library("sevenn.checkpoint", "sevennet").SevenNetCheckpoint(path).build_model()
    net.set_is_batch_data(False)
    net.delete_module_by_key("force_output")  # needs gradients
    net.key_grad = None
    return net.eval()


def _symbols(numbers):
    return [chemical_symbols[z] for z in sorted(numbers)]


def _features(net, gate, closed, device, modal):
    """Invariant output of one layer's gate, (n_atoms, n_features)."""
    keys = library("sevenn._keys", "sevennet")
    graph = library("sevenn.train.dataload", "sevennet").unlabeled_atoms_to_graph(
        closed, float(net.cutoff)
    )
    data = library("sevenn.atom_graph_data", "sevennet").AtomGraphData.from_numpy_dict(graph)
    if modal is not None:
        data[keys.DATA_MODALITY] = modal
    out = output_of(gate, lambda: net(data.to(device)), lambda out: out[keys.NODE_FEATURE])
    return scalars(out, gate.gate.irreps_out)
