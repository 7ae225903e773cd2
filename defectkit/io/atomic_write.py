"""Files that are whole or not there: the one way in which this package writes."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._deprecated import module_getattr
from .._types import FilePath

_DAY = 86400.0
_LONGEST = 200  # characters of a file's name that its temporary name repeats
#: What can be done where the disk refuses; errors that are not listed are not the disk's.
REMEDIES = {
    errno.ENOSPC: "make room on the disk or write elsewhere",
    errno.EDQUOT: "make room within your quota or write elsewhere",
    errno.EFBIG: "write elsewhere, or raise the limit on the size of a file (ulimit -f)",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "write elsewhere, or get the permission to write there",
    errno.EPERM: "write elsewhere, or get the permission to write there",
    errno.ENOENT: "choose a folder in which files can be made",
    errno.EIO: "check the disk and write elsewhere",
    errno.ENOTDIR: "a part of this path is a file, choose another folder",
    errno.EISDIR: "this is a folder, choose another name",
    errno.EEXIST: "a part of this path is a file, choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "these links lead round in a circle, choose another name",
}


@contextmanager
def atomic_write(path: FilePath) -> Iterator[Path]:
    """A temporary file (Path) beside `path` that takes its place once all of it is on the disk.

    Killed or without power at any moment, the old file or the new one is there, never a part. The
    temporary name is drawn at random and created exclusively, so that writers of one file do not
    meet and no link planted there is followed. Where `path` is a link, the file that it points to
    is replaced and the link stays. A leading ``~`` is the home folder. What a killed process left
    under a temporary name is removed when the same file is next written a day later or more; it
    is never taken for a result.

    Raises OSError of the system's kind with one sentence where the disk is full or refuses, or
    where `path` is a device or a pipe; the old file is then as it was.
    """
    path = user_path(path)
    with clear_errors(path):
        target = Path(os.path.realpath(path, strict=False)) if path.is_symlink() else path
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode(target)
        _remove_leftovers(target)
        partial = _created(target)
        try:
            yield partial
            sync(partial)
            if mode is not None:
                partial.chmod(mode)
            partial.replace(target)
            with suppress(OSError):  # some network disks know no syncing of folders
                sync(target.parent)
        finally:
            partial.unlink(missing_ok=True)


def user_path(path: FilePath) -> Path:
    """The path (Path) that a person means by `path`: a leading ``~`` is the home folder.

    Nothing else in a name is special, neither ``@`` nor a beginning such as ``postgres``.
    """
    return Path(os.path.expanduser(path))


@contextmanager
def clear_errors(
    path: FilePath, then: str = "a file that was there is as it was"
) -> Iterator[None]:
    """Makes an error of the disk inside one sentence: the file, the remedy, what is left."""
    try:
        yield
    except OSError as err:
        if err.errno not in REMEDIES or getattr(err, "told", False):
            raise
        clear: Any = type(err)(
            f"{path} could not be written ({os.strerror(err.errno)}): "
            f"{REMEDIES[err.errno]}; {then}."
        )
        clear.errno, clear.told = err.errno, True
        raise clear from err


def sync(path: Path) -> None:
    """Returns once the file's content, or the folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _created(target):
    """An empty new file beside `target`, which no other writer has."""
    path = target.with_name(f".partial-{secrets.token_hex(8)}-{target.name[-_LONGEST:]}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path


def _mode(target):
    """Permissions of the file that is there, None where there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(
            f"{target} is a device or a pipe, which cannot be replaced by a file; "
            "choose another name."
        )
    return stat.S_IMODE(mode)


def _remove_leftovers(target):
    for old in target.parent.glob(".partial-*"):
        if old.name.split("-", 2)[-1] == target.name[-_LONGEST:] and _age(old) > _DAY:
            old.unlink(missing_ok=True)


def _age(path):
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:  # another process has renamed it
        return 0.0


__getattr__ = module_getattr(__name__, {"whole": "atomic_write"})
