"""Whether torch can compute on a device, and what a frame is there."""

from __future__ import annotations

import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

    from ..kernels.tables import Frame

_sent: dict[tuple[int, str], tuple[torch.Tensor, ...]] = {}  # lists that exist on the host, too


def import_torch(device: str) -> Any:
    """The module torch; ImportError in one sentence where it is not installed."""
    try:
        return import_module("torch")
    except ImportError as error:
        raise ImportError(
            f"device={device!r} needs torch, which cannot be imported here ({error}); install it "
            "with `pip install torch`, or use device=None (compiled kernels on the processor)."
        ) from error


def check_device(device: str) -> None:
    """Raises ValueError where torch cannot compute with double precision on a device."""
    torch = import_torch(device)
    try:
        there = torch.ones(2, dtype=torch.float64, device=device).sum().item() == 2.0
    except (AssertionError, RuntimeError, NotImplementedError, TypeError):
        there = False
    if there:
        return
    kind, number = str(device).partition(":")[0], torch.cuda.device_count()
    if kind == "cuda":
        seen = f"sees only {number}, cuda:0 to cuda:{number - 1}" if number else "sees none"
        what = f"is a CUDA device, of which this torch ({torch.__version__}) {seen}"
    else:
        what = f"is none on which this torch ({torch.__version__}) has double precision"
    raise ValueError(
        f"device={device!r} {what}; use device=None (compiled kernels on the processor) or a "
        "device that torch has."
    )


class Placed(NamedTuple):
    """A `Frame` in a device's memory; its centres and first neighbours also stay on the host."""

    frame: Frame
    first: torch.Tensor
    neigh: torch.Tensor
    shift: torch.Tensor
    pos: torch.Tensor
    cell: torch.Tensor
    species: torch.Tensor
    weight: torch.Tensor
    centres: torch.Tensor


def place(frame: Frame, device: str) -> Placed:
    """The frame on a device; a neighbour list is sent once as long as it exists on the host."""
    import torch

    def send(array):
        return torch.from_numpy(array).to(device)

    key = id(frame.neigh), str(device)
    lists = _sent.get(key)
    if lists is None:
        lists = tuple(map(send, (frame.first, frame.neigh, frame.shift)))
        if lists[1].device.type != "cpu":  # there the tensors are the host's arrays themselves
            _sent[key] = lists
            weakref.finalize(frame.neigh, _sent.pop, key, None).atexit = False
    rest = frame.pos, frame.cell, frame.species, frame.weight, frame.centres
    return Placed(frame, *lists, *map(send, rest))
