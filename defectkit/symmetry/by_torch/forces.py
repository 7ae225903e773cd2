"""Energies, forces and virial of a neural network potential by torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..kernels.tables import ACTIVATIONS
from .devices import place
from .functions import finished, functions, in_batches, most_triples
from .triples import neighbours

if TYPE_CHECKING:
    from ..kernels.tables import Frame, Net, Plan

_ACTIVATIONS = {
    "l": lambda x: x,
    "t": torch.tanh,
    "s": torch.sigmoid,
    "p": lambda x: torch.log1p(torch.exp(-torch.abs(x))) + torch.clamp(x, min=0.0),
    "r": torch.relu,
    "g": lambda x: torch.exp(-0.5 * x * x),
    "c": torch.cos,
    "S": lambda x: torch.sigmoid(-x),
    "e": lambda x: torch.exp(-x),
    "h": lambda x: x * x,
}


class AtomNet:
    """The net of one element: energies (n,) of raw features (n, n_functions)."""

    def __init__(self, net: Net, device: torch.device) -> None:
        def send(array):
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.offset, self.factor = send(net.offset), send(net.factor)
        self.low, self.unit = float(net.low[0]), float(net.unit[0])
        sizes = net.sizes.tolist()
        self.layers = [
            (send(w[:n_in, :n_out]), send(b[:n_out]), _ACTIVATIONS[ACTIVATIONS[kind]])
            for w, b, kind, n_in, n_out in zip(
                net.weights, net.biases, net.kinds, sizes, sizes[1:], strict=False
            )
        ]

    def __call__(self, features: Tensor) -> Tensor:
        """Energies of atoms."""
        x = self.low + (features - self.offset) * self.factor
        for weights, biases, activation in self.layers:
            x = activation(x @ weights + biases)
        return self.unit * x[:, 0]


def add_forces(
    device: str,
    frame: Frame,
    plan: Plan,
    net: Net,
    slopes: bool,
    out: np.ndarray,
    energy: np.ndarray,
    force: np.ndarray,
    virial: np.ndarray,
) -> None:
    """Fills features and energies of the centres and (slopes) adds their forces.

    out     (n_centres, n_functions); NaN where atoms coincide
    energy  (n_centres,) output of the net
    force   (n_atoms, 3) added to
    virial  (3, 3) sum of r_ij (x) f_j, added to
    """
    placed = place(frame, device)
    of_net = AtomNet(net, placed.pos.device)
    forces, virials = torch.zeros_like(placed.pos), torch.zeros_like(placed.cell)

    def work(begin, end):
        near = neighbours(placed, begin, end, float(plan.rc[0]), torch.float64, slopes)
        values = functions(near, plan, placed.weight)
        energies = of_net(values)
        out[begin:end] = finished(near, values)
        energy[begin:end] = energies.detach().cpu().numpy()
        if not slopes:
            return
        on = -torch.autograd.grad(energies.sum(), near.vector)[0]
        centre, back = placed.centres[begin:end][near.row], -on
        virials.add_(near.vector.detach().T @ on)
        forces.index_add_(0, near.atom, on).index_add_(0, centre, back)

    with torch.set_grad_enabled(slopes):
        in_batches(frame, most_triples(placed.pos.device), work)
    force += forces.cpu().numpy()
    virial += virials.cpu().numpy()
