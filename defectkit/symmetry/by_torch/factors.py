"""Cutoff functions, radial and angular factors of n2p2 in torch, as `kernels.cutoffs` has them.

Their slopes are torch's own; where a derivative is infinite or missing (a straight angle, the end
of a range) it is zero, as in the kernels.
"""

from __future__ import annotations

from math import pi, tanh
from typing import Any

import torch
from torch import Tensor

TANH_NORM = 1.0 / tanh(1.0) ** 3


def _rise(coefficients, y):
    """Polynomial step 0 -> 1 of n2p2 at 0 <= y <= 1/2, lowest coefficient first."""
    power = torch.pow(y, len(coefficients))
    value = torch.full_like(y, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value * y + c
    return power * value


def _polynomial(*coefficients):
    """Step 1 -> 0, from its smaller half: the other would cancel digits near its end."""

    def step(x):
        late = x > 0.5
        value = _rise(coefficients, torch.where(late, 1.0 - x, x))
        return torch.where(late, value, 1.0 - value)

    return step


def _bump(x):
    d = 1.0 - x * x
    inside = d > 1e-3
    return torch.where(inside, torch.exp(1.0 - 1.0 / torch.where(inside, d, 1.0)), 0.0)


STEPS = {
    1: _polynomial(3.0, -2.0),
    2: _polynomial(10.0, -15.0, 6.0),
    3: _polynomial(35.0, -84.0, 70.0, -20.0),
    4: _polynomial(126.0, -420.0, 540.0, -315.0, 70.0),
    5: _bump,
}


def cutoff_values(kind: int, inner: float, rc: float, r: Tensor) -> Tensor:
    """n2p2's cutoff functions 0-8 at distances, zero from rc on; `inner` in units of rc."""
    if kind == 0:
        return (r < rc).to(r.dtype)
    if kind in (2, 3):
        t = torch.tanh(torch.clamp(1.0 - r / rc, min=0.0))
        return torch.pow(t, 3) * TANH_NORM if kind == 3 else torch.pow(t, 3)
    x = torch.clamp((r - inner * rc) / (rc - inner * rc), 0.0, 1.0)
    if kind == 1:
        return 0.5 + 0.5 * torch.cos(pi * x)
    return STEPS[kind - 4 if kind > 4 else 5](x)


def cutoff_of(plan: Any, row: int, r: Tensor) -> Tensor:
    """Cutoff function `row` of a plan."""
    kind, inner, rc = plan.cutoffs[row].tolist()
    return cutoff_values(kind, inner, rc, r)


def compact_values(kind: int, left: float, right: float, x: Tensor) -> Tensor:
    """Compact functions of n2p2, zero outside (left, right); kinds above 10 are asymmetric."""
    u = torch.clamp(torch.abs(x - 0.5 * (left + right)) * (2.0 / (right - left)), max=1.0)
    return STEPS[kind % 10](u + u * (1.0 - u) if kind > 10 else u)


def gaussian_values(eta: float, centre: float, r: Tensor, cutoff: Tensor) -> Tensor:
    """Gaussians times their cutoff function."""
    d = r - centre if centre else r
    return torch.exp(-eta * torch.square(d)) * cutoff


def radial_values(plan: Any, row: int, r: Tensor, cutoffs: dict[int, Tensor]) -> Tensor:
    """Radial factor `row` of a plan without the weight of an element.

    cutoffs  cutoff functions at these distances that other factors have needed
    """
    radial = plan.radials[row]
    kind, a, b, cut = (radial[name].item() for name in ("kind", "a", "b", "cutoff"))
    if kind > 0:
        return compact_values(kind, a, b, r)
    if cut not in cutoffs:
        cutoffs[cut] = cutoff_of(plan, cut, r)
    return gaussian_values(a, b, r, cutoffs[cut])


def angle_values(cosine: Tensor) -> Tensor:
    """Angles in [0, pi]; straight ones have no slope."""
    inside = 1.0 - cosine * cosine > 1e-30
    straight = torch.where(cosine > 0.0, torch.zeros_like(cosine), pi)
    return torch.where(inside, torch.acos(torch.where(inside, cosine, 0.0)), straight)


def power_values(lam: float, zeta: float, cosine: Tensor) -> Tensor:
    """(1 + lam cos(theta))^zeta, zero where the base is negative."""
    x = lam * cosine + 1.0
    if zeta in (1.0, 2.0, 4.0):
        x = torch.clamp(x, min=0.0)
        x = x if zeta == 1.0 else torch.square(x)
        return torch.square(x) if zeta == 4.0 else x
    positive = x > 0.0
    return torch.where(positive, torch.pow(torch.where(positive, x, 1.0), zeta), 0.0)
