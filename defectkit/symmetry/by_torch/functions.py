"""Symmetry functions of batches of centres, differentiable in the vectors to the neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .devices import Placed, place
from .factors import angle_values, compact_values, cutoff_of, power_values, radial_values
from .triples import Neighbours, neighbours, triples

if TYPE_CHECKING:
    from ..kernels.tables import Frame, Plan

TRIPLES = {"cpu": 2**17}  # of a batch, before those beyond the cutoffs are dropped
MOST_TRIPLES = 2**22  # elsewhere


class _SumOfRows(torch.autograd.Function):
    """Sums of numbers sorted by row, always in the same order."""

    @staticmethod
    def forward(ctx, values, row, lengths):
        ctx.save_for_backward(row)
        return torch.segment_reduce(values.contiguous(), "sum", lengths=lengths, unsafe=True)

    @staticmethod
    def backward(ctx, slope):
        return slope[ctx.saved_tensors[0]], None, None


def functions(near: Neighbours, plan: Plan, weight: Tensor) -> Tensor:
    """Symmetry functions (n_rows, n_functions) of a batch of centres."""
    r = torch.sqrt((near.vector * near.vector).sum(1))
    unit = near.vector / r[:, None]
    of_neighbour = _radial_factors(near, plan, weight, r)
    columns: dict[int, Tensor] = {}
    for radial, species, column in plan.pairs.tolist():
        values = of_neighbour[radial]
        if species >= 0:
            values = torch.where(near.species == species, values, 0.0)
        columns[column] = _SumOfRows.apply(values, near.row, near.lengths)
    for channel in plan.channels:
        _add_channel(near, plan, channel, r, unit, of_neighbour, columns)
    return torch.stack([columns[n] for n in range(len(columns))], dim=1)


def _radial_factors(near, plan, weight, r):
    """Every wanted radial factor of the neighbours, by its row."""
    cutoffs: dict[int, Tensor] = {}
    found = {}
    for row in np.flatnonzero(plan.radials["wanted"]).tolist():
        found[row] = radial_values(plan, row, r, cutoffs)
        if plan.radials["weighted"][row]:
            found[row] = found[row] * weight[near.species]
    return found


def _add_channel(near, plan, channel, r, unit, of_neighbour, columns):
    """Adds the angular functions of one channel to the columns."""
    at = triples(near, r, unit, channel)
    a, b = r[at.j], r[at.k]
    cosine = (unit[at.j] * unit[at.k]).sum(1)
    product = a * b
    angles = _angles(plan, channel, cosine)
    base = int(channel["envelope"])
    if channel["narrow"]:
        square = a * a + b * b - 2.0 * product * cosine
        side = torch.sqrt(square)
    if base >= 0:
        bare = of_neighbour[base]
        envelope = bare[at.j] * bare[at.k] * cutoff_of(plan, plan.radials["cutoff"][base], side)
        squares = 2.0 * (square + product * cosine)
    members = plan.members[slice(*channel["members"])]
    cutoffs: dict[int, Tensor] = {}
    for f in range(*channel["factors"]):
        row = int(plan.factors[f])
        if base >= 0:
            radial = envelope * torch.exp(-float(plan.radials["a"][row]) * squares)
        else:
            radial = of_neighbour[row][at.j] * of_neighbour[row][at.k]
            if channel["narrow"]:
                radial = radial * radial_values(plan, row, side, cutoffs)
        for _, angle, column, norm in members[members["factor"] == f].tolist():
            values = radial * angles[angle]
            columns[column] = norm * _SumOfRows.apply(values, at.row, at.lengths)


def _angles(plan, channel, cosine):
    """Angular factors of a channel's triples, by their row."""
    found, theta = {}, None
    for g in range(*channel["angles"]):
        kind, a, b = plan.angles[g].item()
        if kind == 0:
            found[g] = power_values(a, b, cosine)
            continue
        theta = angle_values(cosine) if theta is None else theta
        found[g] = compact_values(kind, a, b, theta)
    return found


def in_batches(frame: Frame, most: int, work: Callable[[int, int], Any]) -> None:
    """Calls work(begin, end) for batches of centres with at most so many possible triples each.

    An atom that alone has more is a batch of its own.  Where memory does not suffice the batch,
    and all after it, are halved.  Raises MemoryError where that of one atom does not.
    """
    number = (frame.first[frame.centres + 1] - frame.first[frame.centres]).astype(float)
    total, begin = np.append(0.0, np.cumsum(0.5 * number * (number + 1.0))), 0
    while begin < len(number):
        limit = total[begin] + most
        end = max(int(np.searchsorted(total, limit, side="right")) - 1, begin + 1)
        try:
            work(begin, end)
            begin, enough = end, True
        except torch.OutOfMemoryError:
            enough = False
        if not enough:  # outside of the handler, which keeps what was computed in memory
            if end == begin + 1:
                raise MemoryError(
                    f"atom {frame.centres[begin]} has {number[begin]:.0f} neighbours, whose "
                    "triples do not fit into the memory of the device; use device=None "
                    "(compiled kernels on the processor)."
                )
            most = int(total[end] - total[begin]) // 2
            torch.cuda.empty_cache()


def most_triples(device: torch.device) -> int:
    """Triples of a batch, before those beyond the cutoffs are dropped."""
    return TRIPLES.get(device.type, MOST_TRIPLES)


def add_features(device: str, single: bool, frame: Frame, plan: Plan, out: np.ndarray) -> None:
    """Fills the rows of `out` (n_centres, n_functions); NaN where atoms coincide.

    single  True computes with single precision
    """
    placed, dtype = place(frame, device), torch.float32 if single else torch.float64
    weight = placed.weight.to(dtype)

    def work(begin, end):
        near = neighbours(placed, begin, end, float(plan.rc[0]), dtype, False)
        out[begin:end] = finished(near, functions(near, plan, weight))

    with torch.no_grad():
        in_batches(frame, most_triples(placed.pos.device), work)


def finished(near: Neighbours, values: Tensor) -> np.ndarray:
    """Functions for the host; NaN in the rows of centres that coincide with another atom."""
    values = torch.where(near.doubled[:, None], torch.nan, values.detach())
    return values.cpu().numpy()


__all__ = ["Placed", "add_features", "finished", "functions", "in_batches", "most_triples"]
