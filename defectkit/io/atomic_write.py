"""Files that are whole or not there: the one way in which this package writes."""

import errno
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

_DAY = 86400.0
#: What can be done where the disk refuses; errors that are not listed are not the disk's.
REMEDIES = {
    errno.ENOSPC: "make room on the disk or write elsewhere",
    errno.EDQUOT: "make room within your quota or write elsewhere",
    errno.EFBIG: "write elsewhere, or raise the limit on the size of a file (ulimit -f)",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "write elsewhere, or get the permission to write there",
    errno.EPERM: "write elsewhere, or get the permission to write there",
    errno.EIO: "check the disk and write elsewhere",
    errno.ENOTDIR: "a part of this path is a file, choose another folder",
    errno.EISDIR: "this is a folder, choose another name",
    errno.EEXIST: "a part of this path is a file, choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def whole(path):
    """A temporary name (Path) beside `path` that takes its place once all of it is on the disk.

    Killed or without power at any moment, the old file or the new one is there, never a part. What
    a killed process left under a temporary name is removed when the same file is next written a
    day later or more; it is never taken for a result.

    Raises OSError of the system's kind with one sentence where the disk is full or refuses; the
    old file is then as it was.
    """
    path = Path(path)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    with clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        try:
            yield partial
            sync(partial)
            partial.replace(path)
            with suppress(OSError):  # some network disks know no syncing of folders
                sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def clear_errors(path, then="a file that was there is as it was"):
    """Makes an error of the disk inside one sentence: the file, the remedy, what is left."""
    try:
        yield
    except OSError as err:
        if err.errno not in REMEDIES or getattr(err, "told", False):
            raise
        clear = type(err)(f"{path} could not be written ({os.strerror(err.errno)}): "
                          f"{REMEDIES[err.errno]}; {then}.")
        clear.errno, clear.told = err.errno, True
        raise clear from err


def sync(path):
    """Returns once the file's content, or the folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_leftovers(path):
    for old in path.parent.glob(".partial-*"):
        if old.name.split("-", 2)[-1] == path.name and _age(old) > _DAY:
            old.unlink(missing_ok=True)


def _age(path):
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another process has renamed it
        return 0.0
