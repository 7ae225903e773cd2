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

# Of a batch, before those beyond the cutoffs are dropped.
TRIPLES = {"cpu": 2**17}  # whose arrays stay in the caches
BYTES = 220  # of each at most, with tens of functions
BOUNDS = 2**20, 2**26  # on a card: fewer do not fill it, more no longer help; at most 15 GB


def sums(values: Tensor, lengths: Tensor) -> Tensor:
    """Sums of numbers sorted by row, always in the same order."""
    if len(values) == 0:  # which not every device takes
        return values.new_zeros(len(lengths))
    return torch.segment_reduce(values.contiguous(), "sum", lengths=lengths, unsafe=True)


class _SumOfProducts(torch.autograd.Function):
    """Sums by row (n_rows, n_members) of products of a factor of one kind and one of another.

    members  (n_members) of (number of the first, number of the second among all, norm)
    """

    @staticmethod
    def forward(ctx, row, lengths, members, *factors):
        ctx.save_for_backward(row, *factors)
        ctx.members = members
        found = [norm * sums(factors[f] * factors[g], lengths) for f, g, norm in members]
        return torch.stack(found, dim=1)

    @staticmethod
    def backward(ctx, slope):
        row, *factors = ctx.saved_tensors
        slopes: list[Any] = [None] * len(factors)
        for (f, g, norm), column in zip(ctx.members, slope.unbind(1), strict=True):
            of_row = (norm * column).index_select(0, row)
            for one, other in ((f, g), (g, f)):
                if slopes[one] is None:
                    slopes[one] = of_row * factors[other]
                else:
                    slopes[one].addcmul_(of_row, factors[other])
        return None, None, None, *slopes


class _SumOfRows(torch.autograd.Function):
    """`sums` with slopes."""

    @staticmethod
    def forward(ctx, values, row, lengths):
        ctx.save_for_backward(row)
        return sums(values, lengths)

    @staticmethod
    def backward(ctx, slope):
        return slope.index_select(0, ctx.saved_tensors[0]), None, None


def functions(near: Neighbours, plan: Plan, weight: Tensor) -> Tensor:
    """Symmetry functions (n_rows, n_functions) of a batch of centres."""
    r = torch.sqrt(torch.square(near.vector).sum(1))
    of_neighbour = _radial_factors(near, plan, weight, r)
    columns: dict[int, Tensor] = {}
    for radial, species, column in plan.pairs.tolist():
        values = of_neighbour[radial]
        if species >= 0:
            values = torch.where(near.species == species, values, 0.0)
        columns[column] = _SumOfRows.apply(values, near.row, near.lengths)
    for channel in plan.channels:
        _add_channel(near, plan, channel, r, of_neighbour, columns)
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


def _add_channel(near, plan, channel, r, of_neighbour, columns):
    """Adds the angular functions of one channel to the columns."""
    at = triples(near, r, channel)
    a, b = r.index_select(0, at.j), r.index_select(0, at.k)
    dot = (near.vector.index_select(0, at.j) * near.vector.index_select(0, at.k)).sum(1)
    two = torch.square(a) + torch.square(b)
    square = torch.sub(two, dot, alpha=2.0) if channel["narrow"] else None
    radials = _radials_of_triples(near, plan, channel, of_neighbour, at, two, square)
    angles = _angles(plan, channel, dot / (a * b))
    first, g0 = channel["factors"][0], channel["angles"][0] - len(radials)
    members = plan.members[slice(*channel["members"])].tolist()
    pairs = [(factor - first, angle - g0, norm) for factor, angle, _, norm in members]
    found = _SumOfProducts.apply(at.row, at.lengths, pairs, *radials, *angles)
    for (_, _, column, _), values in zip(members, found.unbind(1), strict=True):
        columns[column] = values


def _radials_of_triples(near, plan, channel, of_neighbour, at, two, square):
    """Product of the radial factors of a channel's triples, one for each of its factors.

    two     sum of the squared distances of j and k
    square  squared third side, None where it does not count
    """
    rows, base = plan.factors[slice(*channel["factors"])], int(channel["envelope"])

    def of_two(row):
        values = of_neighbour[row]
        return values.index_select(0, at.j) * values.index_select(0, at.k)

    if square is None:
        return [of_two(row) for row in rows.tolist()]
    side = torch.sqrt(square)
    if base >= 0:
        envelope = of_two(base) * cutoff_of(plan, plan.radials["cutoff"][base], side)
        two = two + square
        return [envelope * torch.exp(-eta * two) for eta in plan.radials["a"][rows].tolist()]
    cutoffs: dict[int, Tensor] = {}
    return [of_two(row) * radial_values(plan, row, side, cutoffs) for row in rows.tolist()]


def _angles(plan, channel, cosine):
    """Angular factors of a channel's triples."""
    found, theta = [], None
    for kind, a, b in plan.angles[slice(*channel["angles"])].tolist():
        if kind == 0:
            found.append(power_values(a, b, cosine))
            continue
        theta = angle_values(cosine) if theta is None else theta
        found.append(compact_values(kind, a, b, theta))
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
    """Triples of a batch before those beyond the cutoffs are dropped, by free memory of a card."""
    if device.type != "cuda" or device.type in TRIPLES:
        return TRIPLES.get(device.type, 2**22)
    free = torch.cuda.mem_get_info(device)[0]
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(np.clip(free // (4 * BYTES), *BOUNDS))


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
