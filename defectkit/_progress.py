"""Progress bars, where there is a place to draw them."""

import sys

from tqdm import auto

__all__ = ["tqdm"]


class tqdm(auto.tqdm):
    """`tqdm.auto.tqdm`, silent where standard error is closed or absent, instead of failing."""

    def __init__(self, *arguments, disable=False, **keywords):
        stream = keywords.get("file") or sys.stderr
        super().__init__(
            *arguments,
            disable=disable or stream is None or getattr(stream, "closed", False),
            **keywords,
        )
