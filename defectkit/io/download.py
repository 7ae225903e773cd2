"""Downloads that are the file expected, whole, or are not there."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

from .._progress import tqdm
from .._types import FilePath
from .atomic_write import REMEDIES, atomic_write, user_path

__all__ = ["blob_digest", "blob_of", "fetch", "sha256_of", "write_checked"]

LARGEST = 2**30  # bytes that a download may have where the caller names no limit
_BLOCK = 1 << 16
_NAMES = {"sha256": "SHA-256", "sha1": "git's SHA-1"}


def fetch(
    url: str, sha256: str, path: FilePath, progress: bool = True, max_bytes: int = LARGEST
) -> Path:
    """Path of a downloaded file whose SHA-256 is the one expected.

    A file that is there and right is not fetched again. The download goes to a temporary name
    in the same folder, is checked, then renamed, so that ``path`` is whole or absent.

    Raises ValueError where the content is not the expected, or larger than `max_bytes` (nothing
    is kept), and FileNotFoundError where ``url`` cannot be reached.
    """
    path = user_path(path)
    _check_sha256(sha256)
    if path.exists():
        if sha256_of(path) == sha256:
            return path
        raise ValueError(
            f"{path} is not the file expected (SHA-256 {sha256}); delete it and load again."
        )
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
                write_checked(source, path, sha256, max_bytes, bar)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as err:
        if getattr(err, "errno", None) in REMEDIES:  # the disk, not the network
            raise
        raise FileNotFoundError(
            f"{url} cannot be fetched ({getattr(err, 'reason', err)}); go online, or put the file "
            f"with SHA-256 {sha256} at {path} by hand."
        ) from err
    return path


def write_checked(
    source: IO[bytes],
    path: Path,
    expected: str,
    max_bytes: int = LARGEST,
    bar: Any = None,
    digest: Any = None,
) -> None:
    """Writes what `source` yields to `path` if it has the digest expected and is not too large.

    `digest`: of hashlib, by default a SHA-256. Raises ValueError otherwise; nothing is kept then.
    """
    digest, size = digest or hashlib.sha256(), 0
    with atomic_write(path) as temporary, open(temporary, "wb") as target:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > max_bytes:
                raise ValueError(
                    f"{path.name} is larger than the {max_bytes} bytes expected at "
                    "most; nothing was kept, check the address."
                )
            target.write(block)
            digest.update(block)
            if bar is not None:
                bar.update(len(block))
        if digest.hexdigest() != expected:
            raise ValueError(
                f"{path.name} arrived corrupt or cut off ({_NAMES[digest.name]} "
                f"{digest.hexdigest()}, not {expected}); nothing was kept, try "
                "again."
            )


def sha256_of(path: FilePath) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def blob_digest(size: int) -> Any:
    """The digest by which git names a file of `size` bytes (SHA-1), before its content.

    >>> digest = blob_digest(6)
    >>> digest.update(b"hello\\n")
    >>> digest.hexdigest()[:8]
    'ce013625'
    """
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def blob_of(path: FilePath) -> str:
    """git's name (40 hexadecimal digits) of the content of a file."""
    digest = blob_digest(os.path.getsize(path))
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


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
