"""n2p2's (RuNNer's) `input.data`: blocks from `begin` to `end`, lengths usually in bohr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..frame import lines_of, numbers, sites
from ..source import Cut

if TYPE_CHECKING:
    from ase import Atoms

    from ..source import Lines


def cut(lines: Lines, where: str) -> Iterator[tuple[str, int]]:
    """Text of the frames, one after the other, with the number of the first line of each."""
    while (first := lines.full()) is not None:
        start, got = lines.number, [first]
        while got[-1].split()[:1] != ["end"]:
            line = lines.next()
            if line is None:
                raise Cut
            got.append(line)
        yield "".join(got), start


def parse(text: str, where: str, elements: Any, unit: float, line: int) -> Atoms:
    """ase.Atoms (Å) of the text of one frame; `unit` is that of the file in Å."""
    rows = [words for row in lines_of(text) if (words := row.split())]
    atoms = [row for row in rows if row[0] == "atom"]
    lattice = np.array([numbers(row[1:4]) for row in rows if row[0] == "lattice"])
    positions = np.array([numbers(row[1:4]) for row in atoms]).reshape(-1, 3)
    if lattice.shape not in ((0,), (3, 3)):
        raise ValueError(
            f"{where} has {len(lattice)} lines 'lattice', not three or none; repair the file."
        )
    periodic = len(lattice) == 3
    return sites(
        where,
        [row[4] for row in atoms],
        positions * unit,
        lattice * unit if periodic else None,
        periodic,
        elements,
    )
