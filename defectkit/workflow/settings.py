"""What the caller asked for, checked before anything expensive."""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import Any

from .._checks import whole_number
from ..averaging import window_from_ps
from ..descriptors import check_descriptor

LEAST_FRAMES = 24  # of a trajectory, for a search for the window


def check_symmetry(symmetry: Any, descriptor: Any = None) -> Any:
    """The descriptor under either of its names, or None; ValueError for what is none."""
    if symmetry is not None and descriptor is not None:
        raise ValueError("symmetry and descriptor are two names of one thing; give one of them.")
    if descriptor is not None:
        return check_descriptor(descriptor, "descriptor")
    return check_descriptor(symmetry, "symmetry")


def check_centres(centres: Any) -> None:
    """ValueError where `centres` is neither one symbol nor None."""
    if centres is not None and not isinstance(centres, str):
        raise ValueError(f"centres={centres!r} is not one element; give its symbol, like 'Cu'.")


def check_counts(max_points: Any, max_environments: Any, max_frames: Any) -> None:
    """ValueError where one of these is no count."""
    whole_number("max_points", max_points)
    whole_number("max_frames", max_frames)
    if max_environments is not None:
        whole_number("max_environments", max_environments)


def check_interval(dt: float | None) -> float | None:
    """Time between frames in ps, or None; ValueError for what is no time."""
    if dt is None:
        return None
    if isinstance(dt, bool) or not isinstance(dt, Real) or not 0 < float(dt) < float("inf"):
        raise ValueError(f"dt={dt!r} is not a time in ps; give a number such as dt=0.02.")
    return float(dt)


def frames_of_window(
    window: int | str | None, dt: float | None, n_frames: int, broken: str | None
) -> int | None:
    """Window in frames, or None where it is to be found.

    `broken` says why the frames do not follow one another in time, None where they do.
    """
    if window is None:
        return None if broken is None and n_frames >= LEAST_FRAMES else 1
    if isinstance(window, str):
        window = _from_text(window, dt)
    if isinstance(window, bool) or not isinstance(window, Integral) or window < 1:
        raise ValueError(
            f"window={window!r} is not a number of frames from 1; for a time write "
            "it as text, like window='0.75 ps', with dt."
        )
    window = int(window)
    if window > n_frames:
        raise ValueError(
            f"a window of {window} frames does not fit into {n_frames}; give a "
            "shorter window or more frames."
        )
    if window > 1 and broken is not None:
        raise ValueError(
            "these frames do not follow one another in time and cannot be averaged: "
            f"{broken.rstrip('.')}; leave window out."
        )
    return window


def why_none(asked: Any, n_frames: int, broken: str | None) -> str:
    """Why nothing is averaged over time; "none" where the caller wants it or a frame is all."""
    if asked is not None or n_frames == 1:
        return "none"
    return broken or f"{n_frames} frames are fewer than the {LEAST_FRAMES} that tell a window"


def said_of_window(window: int, reason: str) -> str:
    """The average over time and its reason in words."""
    if window > 1:
        return f"average over time: {window} frames ({reason})"
    return "no average over time" + ("" if reason == "none" else f": {reason}")


def _from_text(text, dt):
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e-?\d+)?)\s*(ps|fs)\s*", text)
    if not match:
        number = "; for frames give a number without quotes" if text.strip().isdecimal() else ""
        raise ValueError(f"window={text!r} is not a time; write it like '0.75 ps'{number}.")
    if dt is None:
        raise ValueError(f"window={text!r} needs the time between frames; give dt in ps.")
    return window_from_ps(float(match[1]) * (1.0 if match[2] == "ps" else 1e-3), dt)
