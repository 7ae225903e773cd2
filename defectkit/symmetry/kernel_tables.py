"""From the lines of an input.nn to the tables that the compiled loops run through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernels.tables import ANGLE, CHANNEL, CUTOFF, MEMBER, PAIR, RADIAL, Plan

WIDE = (9, 22, 25)
WEIGHTED = (12, 13, 23, 24, 25)
RADIAL_KINDS = (2, 12, 20, 23)


@dataclass(frozen=True)
class Function:
    """One symmetry function; lengths in Å, eta in 1/Å^2, angles in degrees."""

    centre: str
    kind: int
    neighbours: tuple
    line: int
    rc: float
    sub: str = ""
    core: int = 0
    rl: float = 0.0
    eta: float = 0.0
    rs: float = 0.0
    lam: float = 0.0
    zeta: float = 1.0
    left: float = 0.0
    right: float = 180.0
    weight: str = "Z"  # of each neighbour in functions of all elements: atomic number, or "1"

    @property
    def weighted(self) -> bool:
        """Whether neighbours count by their atomic numbers."""
        return self.kind in WEIGHTED and self.weight == "Z"

    @classmethod
    def checked(
        cls,
        where: str,
        centre: str,
        kind: int,
        neighbours: tuple[str, ...],
        line: Any,
        sub: Any,
        core: Any,
        value: dict[str, Any],
        unit: float,
    ) -> Function:
        """From a line's numbers in the file's unit; raises ValueError with its place."""
        left, right = value.get("left", 0.0), value.get("right", 180.0)
        if value["rc"] <= 0.0:
            raise ValueError(f"{where}: the cutoff {value['rc']:g} is not positive.")
        if value.get("eta", 0.0) < 0.0:
            raise ValueError(f"{where}: eta = {value['eta']:g} is negative; the Gaussian grows.")
        if not 0.0 <= value.get("zeta", 1.0) <= 1000.0:
            raise ValueError(
                f"{where}: zeta = {value['zeta']:g} is outside 0 to 1000, what "
                "double precision can hold."
            )
        if kind >= 20 and value["rl"] >= value["rc"]:
            raise ValueError(
                f"{where}: the left boundary {value['rl']:g} is not below the "
                f"right one, {value['rc']:g}."
            )
        middle = 0.5 * (left + right)
        if (
            left >= right
            or right - left > 360.0
            or (left < 0.0 and middle != 0.0)
            or (right > 180.0 and middle != 180.0)
        ):
            raise ValueError(
                f"{where}: the angles {left:g} to {right:g} must rise, lie in 0 to "
                "180 degrees, or be centred on 0 or 180."
            )
        for name in ("rc", "rl", "rs"):
            if name in value:
                value[name] *= unit
        if "eta" in value:
            value["eta"] /= unit * unit
        return cls(centre, kind, neighbours, line, sub=sub, core=core, **value)

    def describe(self) -> str:
        """The function in words, for tables and axis labels."""
        every = "all, weighted by Z" if self.weighted else "all alike"
        with_ = "-".join(self.neighbours) or every
        if self.kind in (2, 12):
            return (
                f"G{self.kind} {with_} eta={self.eta:.4g}/Å² rs={self.rs:.4g} rc={self.rc:.4g} Å"
            )
        if self.kind in (3, 9, 13):
            return (
                f"G{self.kind} {with_} eta={self.eta:.4g}/Å² lambda={self.lam:g} "
                f"zeta={self.zeta:g} rs={self.rs:.4g} rc={self.rc:.4g} Å"
            )
        text = f"G{self.kind} {with_} {self.sub} {self.rl:.4g} to {self.rc:.4g} Å"
        return text if self.kind in RADIAL_KINDS else f"{text}, {self.left:g} to {self.right:g}°"

    def sort_key(self, elements: Sequence[str]) -> tuple:
        """Order in which n2p2 numbers the functions of one element."""
        who = tuple(elements.index(e) for e in self.neighbours)
        if self.kind < 20:
            return (self.kind, self.rc, self.eta, self.rs, self.zeta, self.lam, who)
        return (self.kind, self.sub, who, self.rc, self.rl, self.left, self.right)


def make_plan(
    functions: Sequence[Function], elements: Sequence[str], cutoff_type: int, inner: float
) -> Plan:
    """The `Plan` of one element's functions, columns in their order."""
    cuts, channels, pairs, need = [], {}, [], set()

    def row_of(rows, row):
        if row not in rows:
            rows.append(row)
        return rows.index(row)

    def radial(f):
        if f.kind >= 20:
            return (f.core, f.rl, f.rc, f.weighted, -1)
        # n2p2 ignores a negative shift in angular functions of given elements.
        rs = f.rs if f.rs > 0.0 or f.kind not in (3, 9) else 0.0
        return (0, f.eta, rs, f.weighted, row_of(cuts, (cutoff_type, inner, f.rc)))

    rads = sorted({radial(f) for f in functions}, key=lambda r: (r[4], r))
    for column, f in enumerate(functions):
        row = rads.index(radial(f))
        who = [elements.index(e) for e in f.neighbours]
        if f.kind in RADIAL_KINDS:
            need.add(row)
            pairs.append((row, who[0] if who else -1, column))
            continue
        if f.kind >= 20:
            # In n2p2 the asymmetric variant shapes the radial part only.
            ang = (f.core % 10, np.radians(f.left), np.radians(f.right))
            norm = 1.0
        else:
            ang = (0, f.lam, f.zeta)
            norm = 2.0 ** (1.0 - f.zeta)
        key = (*(who or (-1, -1)), int(f.kind not in WIDE))
        channels.setdefault(key, []).append((row, ang, column, norm, f.rc))
    tables = [], [], [], []
    for key in sorted(channels):
        base = _bare_cutoff(key, channels[key], rads)
        need |= {r[0] for r in channels[key]} if base < 0 else {base}
        _add_channel(key, sorted(channels[key]), base, *tables)
    channel, factors, angles, members = tables
    return Plan(
        cutoffs=np.array(cuts, CUTOFF),
        radials=np.array([(*r, n in need) for n, r in enumerate(rads)], RADIAL),
        pairs=np.array(pairs, PAIR),
        channels=np.array(channel, CHANNEL),
        factors=np.array(factors, np.int64),
        powers=np.array(_powers(channel, [rads[row] for row in factors]), np.int64),
        angles=np.array(angles, ANGLE),
        members=np.array(members, MEMBER),
        rc=np.array([max(f.rc for f in functions)]),
    )


def _bare_cutoff(key, rows, rads):
    """Row of `rads` with the cutoff that all Gaussians of a channel share unshifted, else -1."""
    used = {rads[row[0]] for row in rows}
    kinds = {(kind, shift, weighted, cut) for kind, _, shift, weighted, cut in used}
    if len(kinds) > 1 or not key[2]:
        return -1
    kind, shift, weighted, cut = kinds.pop()
    if kind or shift or weighted:
        return -1
    base = (0, 0.0, 0.0, False, cut)
    if base not in rads:
        rads.append(base)
    return rads.index(base)


def _powers(channels, factors):
    """Which power, 2 to 31, of its channel's first Gaussian each factor is; 0 for none of them."""
    powers = [0] * len(factors)
    for *_, (begin, end), _, _, base in channels:
        for f in range(begin + 1, end if base >= 0 else 0):
            ratio = factors[f][1] / (factors[begin][1] or np.inf)
            power = round(ratio)
            if 2 <= power <= 31 and abs(ratio - power) < 1e-12 * power:
                powers[f] = power
    return powers


def _add_channel(key, rows, base, channel, factors, angles, members):
    """Appends one channel: the angular functions that share neighbour elements and width."""
    f0, g0, m0 = len(factors), len(angles), len(members)
    for row, angular, column, norm, _ in rows:
        if row not in factors[f0:]:
            factors.append(row)
        if angular not in angles[g0:]:
            angles.append(angular)
        members.append(
            (f0 + factors[f0:].index(row), g0 + angles[g0:].index(angular), column, norm)
        )
    channel.append(
        (
            *key,
            max(r[4] for r in rows),
            (f0, len(factors)),
            (g0, len(angles)),
            (m0, len(members)),
            base,
        )
    )
