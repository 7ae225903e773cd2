"""Progress bars, where there is a place to draw them."""

from __future__ import annotations

import sys
import time
from typing import Any

__all__ = ["describe", "tqdm"]


def tqdm(*arguments: Any, disable: bool | None = False, **keywords: Any) -> Any:
    """`tqdm.auto.tqdm`, silent where standard error is closed or absent, instead of failing.

    An iterable whose bar is disabled comes back as it is; tqdm is imported for the first bar.
    """
    stream = keywords.get("file") or sys.stderr
    disable = disable or stream is None or getattr(stream, "closed", False)
    if disable and arguments:
        return arguments[0]
    from tqdm import auto

    return auto.tqdm(*arguments, disable=disable, **keywords)


def describe(bar: Any, text: str) -> None:
    """Another text before a bar; tqdm alone would draw it at once, whatever its delay."""
    late = not bar.disable and time.time() >= bar.start_t + bar.delay
    bar.set_description(text, refresh=late)
