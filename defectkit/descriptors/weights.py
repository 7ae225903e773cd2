"""Files that the user names, and networks' weights in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .._types import FilePath
from ..io.atomic_write import user_path
from .optional import library


def given_file(path: FilePath, what: str, remedy: str) -> Path:
    """The path of a file that is there; FileNotFoundError says what to give instead.

    >>> given_file("nowhere.txt", "is no potential", "give the nep.txt that GPUMD wrote")
    Traceback (most recent call last):
    FileNotFoundError: there is no potential at nowhere.txt; give the nep.txt that GPUMD wrote.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there {what} at {path}; {remedy}.")
    return path


def read_weights(
    path: Path, build: Callable[[Any], Any], who: str, remedy: str, allowed: Sequence[Any] = ()
) -> Any:
    """What `build` makes of the content of a file of torch, which may hold nothing but numbers.

    allowed  classes that it may hold besides; torch refuses every other one

    Weights that were stored on a GPU come to the processor. Raises ValueError for a file that
    holds something else.
    """
    torch = library("torch", who)
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content = torch.load(path, map_location="cpu", weights_only=True)
        return build(content)
    except Exception as error:  # torch, pickle and the networks raise every kind
        raise ValueError(
            f"{path} holds no weights of {who}, or more than numbers "
            f"({type(error).__name__}); {remedy}."
        ) from error
