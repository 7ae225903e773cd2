"""General grids of symmetry functions, as the lines of an input.nn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.units import Bohr

from .._checks import checked_elements


def silicon() -> list[str]:
    """20 radial and 15 angular functions (Å)."""
    lines = [f"Si 2 Si {0.5 / 0.2**2} {1.8 + 0.15 * n} 5.0" for n in range(20)]
    lines += [
        f"Si 22 Si Si {-rc} {rc} {centre - 45} {centre + 45} p2"
        for rc in (3.0, 4.0, 5.0)
        for centre in (0, 45, 90, 135, 180)
    ]
    return lines


def water(cutoff: float) -> list[str]:
    """The 30 oxygen-centred functions of the RPBE-D3 potential (bohr), for a cutoff in Å."""
    rc = repr(float(cutoff) / Bohr)
    lines = [
        f"O 2 {e} {eta} {rs if eta > 0.1 else 0.0} {rc}"
        for e, rs in (("H", 0.9), ("O", 4.0))
        for eta in (0.001, 0.01, 0.03, 0.06, 0.15, 0.3, 0.6, 1.5)
    ]
    grid = {
        "H H": ((0.07, 1), (0.03, 1), (0.01, 4)),
        "O H": ((0.03, 1), (0.001, 4)),
        "O O": ((0.03, 1), (0.001, 4)),
    }
    lines += [
        f"O 3 {pair} {eta} {lam} {zeta} {rc}"
        for pair, rows in grid.items()
        for eta, zeta in rows
        for lam in (1.0, -1.0)
    ]
    return lines


def for_elements(elements: Sequence[str], cutoff: float) -> list[str]:
    """Functions that tell the elements of neighbours apart (Å)."""
    pairs = [(a, b) for n, a in enumerate(elements) for b in elements[n:]]
    lines = [
        f"{e} 2 {other} {shell}"
        for e in elements
        for other in elements
        for shell in _shells(cutoff)
    ]
    lines += [
        f"{e} 22 {a} {b} {window}"
        for e in elements
        for a, b in pairs
        for window in _windows(cutoff)
    ]
    return lines


def of_all_elements(elements: Sequence[str], cutoff: float) -> list[str]:
    """Functions summed over the neighbours of all elements (Å)."""
    lines = [
        f"{e} {kind} {rest}"
        for e in elements
        for kind, grid in ((12, _shells(cutoff)), (25, _windows(cutoff)))
        for rest in grid
    ]
    return lines


def elements_and_cutoff(elements: Sequence[str], cutoff: float | None) -> tuple[list[str], float]:
    """Sorted symbols, and the cutoff (Å) or its default."""
    elements = list(checked_elements(elements))
    if cutoff is None:
        cutoff = round(max(4.5, 4.5 * max(covalent_radii[atomic_numbers[e]] for e in elements)), 2)
    if not 0.0 < cutoff < np.inf:
        raise ValueError(f"cutoff={cutoff} Å must be positive; leave it out for the default.")
    return elements, cutoff


def _shells(cutoff):
    """Gaussians of the general grid: eta, r_s and cutoff as in input.nn."""
    at = np.linspace(0.25, 0.95, 12) * cutoff
    return [f"{0.5 / (at[1] - at[0]) ** 2} {r} {cutoff}" for r in at]


def _windows(cutoff):
    """Compact angular functions of the general grid, as in input.nn."""
    return [
        f"{-share * cutoff} {share * cutoff} {angle - 45} {angle + 45} p2"
        for share in (0.6, 0.8, 1.0)
        for angle in (0, 45, 90, 135, 180)
    ]
