"""Liquid or amorphous: no crystal found, and with time whether the atoms diffuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from .crystals import LIQUID_WATER, Structure, structure_types

CRYSTALLINE = 0.35  # fraction of crystalline atoms below which a frame counts as disordered
LINDEMANN = 0.4  # of the spacing; an atom of a solid stays within 0.2


@dataclass
class Disorder:
    """Answer of :func:`is_disordered`; true where the frame is liquid or amorphous.

    Attributes
    ----------
    disordered : bool
    name : str
        "liquid", "amorphous", "liquid or amorphous" (one frame cannot tell), "liquid water" or
        "crystalline".
    crystalline : float, fraction of atoms in a crystal
    diffusion : float
        cm^2/s, from the slope of the mean square displacement; NaN without time.
    words : str
    """

    disordered: bool
    name: str
    crystalline: float
    diffusion: float
    words: str

    def __bool__(self):
        return self.disordered


def is_disordered(
    frames: Atoms | Sequence[Atoms], structure: Structure | None = None, dt: float | None = None
) -> Disorder:
    """Whether a frame lacks crystalline order, and with time whether it flows.

    Parameters
    ----------
    frames : ase.Atoms or sequence of them
        One frame, or frames that follow one another with the same atoms in the same order.
    structure : Structure, optional
        Of the last frame, where it is known already.
    dt : float, optional
        ps between frames; without it several frames are taken as snapshots without time.

    Returns
    -------
    Disorder

    Raises
    ------
    ValueError
        A dt that is not above 0, no frames, or frames of changing size together with dt.
    """
    frames = [frames] if isinstance(frames, Atoms) else list(frames)
    if not frames:
        raise ValueError("There are no frames; give at least one.")
    if dt is not None and not dt > 0:
        raise ValueError(f"dt={dt} ps: give the time between two frames, above 0.")
    structure = structure_types(frames[-1]) if structure is None else structure
    ordered = structure.codes > 0
    water = structure.codes >= LIQUID_WATER
    ordered &= structure.codes != LIQUID_WATER
    part = float(ordered.mean())
    if part >= CRYSTALLINE:
        return Disorder(
            False, "crystalline", part, float("nan"), f"{part:.0%} of the atoms are crystalline"
        )
    words = f"{part:.0%} of the atoms are crystalline"
    if water.any():
        return Disorder(True, "liquid water", part, float("nan"), words + " (CHILL+)")
    if dt is None or len(frames) < 3:
        return Disorder(
            True,
            "liquid or amorphous",
            part,
            float("nan"),
            words + "; one frame cannot tell a liquid from a glass",
        )
    diffusion, moved = _diffusion(frames, dt)
    flows = moved > (LINDEMANN * structure.spacing) ** 2 and diffusion > 1e-7
    name = "liquid" if flows else "amorphous"
    words += (
        f"; mean square displacement {moved:.2f} Å^2 after {dt * (len(frames) - 1):g} ps, "
        f"diffusion {diffusion:.1e} cm^2/s"
    )
    return Disorder(True, name, part, diffusion, words)


def _diffusion(frames, dt):
    """cm^2/s from the second half of the mean square displacement, and its last value (Å^2)."""
    if len({len(f) for f in frames}) > 1:
        raise ValueError(
            "The frames differ in their number of atoms; diffusion needs the same "
            "atoms in every frame. Leave out dt, or give such frames."
        )
    total = np.zeros_like(frames[0].positions)
    moved = [0.0]
    for before, after in zip(frames, frames[1:], strict=False):
        step = after.positions - before.positions
        cell, pbc = after.cell.complete().array, np.asarray(after.pbc)
        step = step - (np.round(step @ np.linalg.inv(cell)) * pbc) @ cell
        total = total + step - step.mean(axis=0)
        moved.append(float((total**2).sum(axis=1).mean()))
    half = len(moved) // 2
    time = np.arange(len(moved)) * dt
    slope = np.polyfit(time[half:], moved[half:], 1)[0] if len(moved) - half > 1 else 0.0
    return float(slope / 6 * 1e-4), moved[-1]
