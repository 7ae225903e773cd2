"""What adapters of message-passing networks share: device, layer, output of a layer, slabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from .frames import enclosed, in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor


def device_of(name: str, who: str) -> Any:
    """The torch device; ValueError where it is not there."""
    torch = library("torch", who)
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


def layer_of(layer: int, n: int) -> int:
    """The layer counted from 0 of a network with n of them; -1 is the last one."""
    if not -n <= layer < n:
        raise ValueError(f"layer={layer}: this network has the layers 0 to {n - 1}.")
    return range(n)[layer]


def output_of(
    module: Any, run: Callable[[], Any], part: Callable[[Any], Any] = lambda out: out
) -> Any:
    """What a module of a network gives while `run` is called without gradients.

    part  of the output that is kept, taken before later modules change it
    """
    torch = library("torch", "a network")
    kept: list[Any] = []
    handle = module.register_forward_hook(lambda module, given, out: kept.append(part(out)))
    try:
        with torch.no_grad():
            run()
    finally:
        handle.remove()
    return kept[0]


def scalars(values: Any, irreps: Any) -> np.ndarray:
    """Columns of the features that do not change when atoms are turned or mirrored (0e)."""
    parts = [
        values[:, s] for s, (_, ir) in zip(irreps.slices(), irreps, strict=True) if ir.is_scalar()
    ]
    return np.concatenate([part.cpu().numpy() for part in parts], axis=1, dtype=np.float64)


def network_descriptor(
    features: Callable[[Atoms], np.ndarray],
    kind: str,
    parameters: dict[str, Any],
    cutoff: float,
    depth: int,
    most: int,
    *,
    library: str,
    elements: Sequence[str] | None,
    rebuild: str = "",
    handed: bool = False,
) -> AtomDescriptor:
    """A network's features of all atoms of a frame as a descriptor.

    features  describes all atoms of a frame that is periodic on all sides
    depth     layers that atoms hear each other through
    most      atoms of a slab, which bounds the memory
    handed    whether it tells mirror images apart
    """
    reach = depth * cutoff

    def function(atoms, index):
        return in_slabs(atoms, index, reach, most, lambda part: features(enclosed(part, cutoff)))

    return AtomDescriptor(
        function,
        kind,
        parameters,
        cutoff,
        elements=elements,
        version=version_of(library),
        rebuild=rebuild,
        batch=10**9,
        sensitive_to="elements, distances and angles of the neighbours and, through "
        f"{depth} layers, of atoms up to {reach:.0f} Å away"
        + (", their handedness too" if handed else "; not to handedness"),
    )
