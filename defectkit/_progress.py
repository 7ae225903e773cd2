"""Progress bars, where there is a place to draw them."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import auto

__all__ = ["tqdm"]


class tqdm(auto.tqdm):
    """`tqdm.auto.tqdm`, silent where standard error is closed or absent, instead of failing."""

    def __init__(self, *arguments: Any, disable: bool | None = False, **keywords: Any) -> None:
        stream = keywords.get("file") or sys.stderr
        super().__init__(
            *arguments,
            disable=disable or stream is None or getattr(stream, "closed", False),
            **keywords,
        )
