"""Progress bars, where there is a place to draw them."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["tqdm"]


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
