"""Atom features of MACE, an equivariant network, from a model that you have.

What is trusted: MACE stores its models as pickled programs, which can do anything when they are
opened; torch's `weights_only=True` cannot read them. So a file is opened only with
``trusted=True``, which says that you know where it comes from.
"""

from __future__ import annotations

from typing import Any

from ase.data import chemical_symbols

from .._types import FilePath
from ..io.download import sha256_of
from .networks import device_of, layer_of, network_descriptor, output_of, scalars
from .optional import library
from .protocol import AtomDescriptor
from .weights import given_file

MOST = 2000  # atoms of a slab, which bounds the memory


def mace(model: Any, layer: int = -1, device: str = "cpu") -> AtomDescriptor:
    """What a MACE model knows of each atom after a message-passing layer: its invariant numbers.

    Parameters
    ----------
    model : mace.modules.MACE or MACECalculator
        A model that you have opened.
    layer : int
        Counted from 0, or from the last one, -1.
    device : str
        "cpu", or "cuda" where there is a GPU.

    Returns
    -------
    AtomDescriptor
        With each layer an atom hears of those one cutoff further on. A saved model records what
        it gives for a test structure, not the network: give the descriptor to `load_model` again.

    Raises
    ------
    ImportError
        Without mace-torch.
    ValueError
        Something else than one model; a layer or device that there is not.

    Notes
    -----
    Batatia et al., NeurIPS 35, 11423 (2022).
    """
    kinds = library("mace.modules", "mace")
    models = getattr(model, "models", [model])
    if len(models) != 1 or not isinstance(models[0], kinds.MACE):
        raise ValueError(
            f"a {type(model).__name__} is no single MACE model; give a mace.modules.MACE, a "
            "MACECalculator with one model, or a file: descriptors.mace_from_file(path)."
        )
    return _described(models[0], {"layer": int(layer)}, layer, device)


def mace_from_file(
    path: FilePath, layer: int = -1, device: str = "cpu", trusted: bool = False
) -> AtomDescriptor:
    """As `mace`, from a `.model` file that you name.

    trusted  that the file comes from somebody you trust: opening it runs what is in it

    A saved model records the digest of the file, not the file: give the descriptor to
    `load_model` again.
    """
    library("mace.modules", "mace")
    path = given_file(
        path,
        "is no model",
        "download one from the releases of MACE's foundation models (a file *.model), put it "
        "anywhere and give its path",
    )
    if trusted is not True:
        raise ValueError(
            f"{path} is a pickled program, which can do anything when it is opened; give "
            "trusted=True if you know where it comes from."
        )
    device_of(device, "mace")
    model = _opened(path)
    parameters = {"model_sha256": sha256_of(path), "layer": int(layer)}
    return _described(model, parameters, layer, device)


def _opened(path):
    torch = library("torch", "mace")
    remedy = "give a model that MACE's training wrote"
    try:
        model = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # torch and pickle raise every kind
        if "CUDA" in str(error):
            remedy = (
                "it was stored for a GPU: store it anew on a machine with one, "
                "torch.save(torch.load(path).cpu(), path)"
            )
        raise ValueError(
            f"{path} is no model of MACE that opens here ({type(error).__name__}); {remedy}."
        ) from error
    if not isinstance(model, library("mace.modules", "mace").MACE):
        raise ValueError(f"{path} holds a {type(model).__name__}, no model of MACE; {remedy}.")
    return model


def _described(model: Any, parameters: dict[str, Any], layer: int, device: str) -> AtomDescriptor:
    device = device_of(device, "mace")
    layer = layer_of(layer, int(model.num_interactions))
    model = model.to(device).eval()
    cutoff = float(model.r_max)
    return network_descriptor(
        lambda closed: _features(model, layer, closed, cutoff, device),
        "MACE",
        parameters,
        cutoff,
        layer + 1,
        MOST,
        library="mace",
        elements=[chemical_symbols[z] for z in model.atomic_numbers.tolist()],
    )


def _features(model, layer, closed, cutoff, device):
    """Invariant output of one layer's product basis, (n_atoms, n_features)."""
    data, tools = library("mace.data", "mace"), library("mace.tools", "mace")
    with tools.torch_tools.default_dtype(next(model.parameters()).dtype):
        graph = data.AtomicData.from_config(
            data.config_from_atoms(closed),
            z_table=tools.AtomicNumberTable(model.atomic_numbers.tolist()),
            cutoff=cutoff,
            heads=model.heads,
        )
        batch = tools.torch_geometric.Batch.from_data_list([graph]).to(device)
    product = model.products[layer]
    out = output_of(product, lambda: model(batch.to_dict(), compute_force=False))
    return scalars(out, product.linear.irreps_out)
