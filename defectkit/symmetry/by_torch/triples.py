"""Neighbours and triples of many centres as flat tensors, by index arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .devices import Placed

COINCIDE = 1e-12  # Å^2


class Neighbours(NamedTuple):
    """Neighbours of a batch of centres, sorted by centre."""

    n_rows: int
    row: Tensor  # (n,) centre, counted within the batch
    lengths: Tensor  # (n_rows,) how many neighbours each has
    atom: Tensor  # (n,)
    species: Tensor  # (n,)
    vector: Tensor  # (n, 3) from the centre; slopes are taken in it
    doubled: Tensor  # (n_rows,) whether another atom coincides with the centre


class Triples(NamedTuple):
    """Triples of a channel, sorted by centre: numbers of their neighbours in `Neighbours`."""

    row: Tensor
    lengths: Tensor
    j: Tensor
    k: Tensor


def lengths_of(row: Tensor, n_rows: int) -> Tensor:
    """How often each of 0 to n_rows - 1 occurs in a sorted row."""
    edges = torch.arange(n_rows + 1, device=row.device)
    return torch.diff(torch.searchsorted(row, edges))


def expanded(first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Which range, and which number, of all numbers of ranges that begin at `first`."""
    begin = torch.cumsum(counts, 0) - counts
    which = torch.repeat_interleave(counts)
    return which, torch.arange(len(which), device=which.device) + (first - begin)[which]


def neighbours(
    placed: Placed, begin: int, end: int, rc: float, dtype: torch.dtype, slopes: bool
) -> Neighbours:
    """Neighbours nearer than rc of centres `begin` to `end`, without atoms that coincide."""
    centres = placed.centres[begin:end]
    first = placed.first[centres]
    row, pair = expanded(first, placed.first[centres + 1] - first)
    atom = placed.neigh[pair]
    vector = (
        placed.pos[atom] - placed.pos[centres[row]] + placed.shift[pair].double() @ placed.cell
    )
    square = (vector * vector).sum(1)
    doubled = torch.zeros(end - begin, dtype=torch.bool, device=row.device)
    doubled[row[square <= COINCIDE]] = True
    near = torch.nonzero((square < rc * rc) & (square > COINCIDE)).squeeze(1)
    row, atom, vector = row[near], atom[near], vector[near].to(dtype)
    return Neighbours(
        end - begin,
        row,
        lengths_of(row, end - begin),
        atom,
        placed.species[atom],
        vector.requires_grad_(slopes),
        doubled,
    )


@torch.no_grad()
def triples(near: Neighbours, r: Tensor, channel: Any) -> Triples:
    """Triples of a channel whose sides lie inside its cutoffs, each once."""
    rc, e1, e2 = float(channel["rc"]), int(channel["first"]), int(channel["second"])
    inside = r < rc
    own, other = (
        torch.nonzero(inside if e < 0 else inside & (near.species == e)).squeeze(1)
        for e in (e1, e2)
    )
    ends = torch.searchsorted(near.row[other], torch.arange(near.n_rows + 1, device=r.device))
    row = near.row[own]
    first = torch.arange(1, len(own) + 1, device=r.device) if e1 == e2 else ends[row]
    which, k = expanded(first, ends[row + 1] - first)
    j, k = own[which], other[k]
    if channel["narrow"]:
        side = torch.linalg.vector_norm(near.vector[j] - near.vector[k], dim=1)
        near_enough = torch.nonzero(side < rc).squeeze(1)
        j, k = j[near_enough], k[near_enough]
    row = near.row[j]
    return Triples(row, lengths_of(row, near.n_rows), j, k)
