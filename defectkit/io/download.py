"""Downloads that are the file expected, whole, or are not there."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .._progress import tqdm
from .._types import FilePath
from .atomic_write import REMEDIES, atomic_write, user_path

__all__ = ["blob_of", "fetch", "fetch_blob", "sha256_of", "write_checked"]

LARGEST = 2**30  # bytes that a download may have where the caller names no limit
_BLOCK = 1 << 16
_NAMES = {64: "SHA-256", 40: "git's SHA-1"}


def fetch(
    url: str, sha256: str, path: FilePath, progress: bool = True, max_bytes: int = LARGEST
) -> Path:
    """Path of a downloaded file whose SHA-256 is the one expected.

    A file that is there and right is not fetched again. The download goes to a temporary name
    in the same folder, is checked, then renamed, so that ``path`` is whole or absent.

    Raises ValueError where the content is not the expected, or larger than `max_bytes` (nothing
    is kept), and FileNotFoundError where ``url`` cannot be reached.
    """
    _check_sha256(sha256)
    return _fetched(url, sha256, path, sha256_of, progress, max_bytes)


def fetch_blob(
    url: str, blob: str, path: FilePath, progress: bool = True, max_bytes: int = LARGEST
) -> Path:
    """As `fetch`, for a file whose name in git (`blob_of`, 40 digits) is what is known of it."""
    return _fetched(url, blob, path, blob_of, progress, max_bytes)


def _fetched(url, expected, path, digest_of, progress, max_bytes):
    path, digits = user_path(path), f"{_NAMES[len(expected)]} {expected}"
    if path.exists():
        if digest_of(path) == expected:
            return path
        raise ValueError(f"{path} is not the file expected ({digits}); delete it and load again.")
    try:
        with urllib.request.urlopen(url, timeout=30) as source:
            size = _size(source.headers.get("Content-Length"), url)
            if size is not None and size > max_bytes:
                raise ValueError(
                    f"{url} has {size} bytes, more than the {max_bytes} expected at "
                    "most; nothing was fetched, check the address."
                )
            with tqdm(
                total=size,
                unit="B",
                unit_scale=True,
                desc=path.name,
                delay=2,
                disable=not progress,
            ) as bar:
                write_checked(source, path, expected, max_bytes, bar, digest_of)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as err:
        if getattr(err, "errno", None) in REMEDIES:  # the disk, not the network
            raise
        raise FileNotFoundError(
            f"{url} cannot be fetched ({getattr(err, 'reason', err)}); go online, or put the file "
            f"with {digits} at {path} by hand."
        ) from err
    return path


def sha256_of(path: FilePath) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_of(path: FilePath) -> str:
    """git's name of the content of a file: 40 hexadecimal digits, a SHA-1 of all of it."""
    digest = hashlib.sha1(b"blob %d\0" % os.path.getsize(path), usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_checked(
    source: IO[bytes],
    path: Path,
    expected: str,
    max_bytes: int = LARGEST,
    bar: Any = None,
    digest_of: Callable[[Path], str] = sha256_of,
) -> None:
    """Writes what `source` yields to `path` if it has the digest expected and is not too large.

    Raises ValueError otherwise; nothing is kept then.
    """
    size = 0
    with atomic_write(path) as temporary:
        with open(temporary, "wb") as target:
            while block := source.read(_BLOCK):
                size += len(block)
                if size > max_bytes:
                    raise ValueError(
                        f"{path.name} is larger than the {max_bytes} bytes expected at "
                        "most; nothing was kept, check the address."
                    )
                target.write(block)
                if bar is not None:
                    bar.update(len(block))
        found = digest_of(temporary)
        if found != expected:
            raise ValueError(
                f"{path.name} arrived corrupt or cut off ({_NAMES[len(expected)]} {found}, not "
                f"{expected}); nothing was kept, try again."
            )


def _check_sha256(sha256):
    if not isinstance(sha256, str) or len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(
            f"sha256={sha256!r} has to be 64 digits 0-9, a-f; a part of them, or "
            "none, does not check a file."
        )


def _size(stated, url):
    """Size in bytes that the server states, None where it states none."""
    if not stated:
        return None
    if not str(stated).strip().isdecimal():
        raise ValueError(
            f"{url} states a Content-Length of {str(stated)[:40]!r}, which is no "
            "size; nothing was fetched, check the address or the proxy."
        )
    return int(stated)
