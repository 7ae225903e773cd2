"""Frames and rows that are appended to files, and the record from which a killed run goes on."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import ase.io

from .._types import FilePath
from ..io.archive import parse_json
from ..io.atomic_write import atomic_write, clear_errors, user_path
from ..io.extxyz import for_extxyz
from .table import table_head, table_line

if TYPE_CHECKING:
    from ase import Atoms

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

__all__ = ["Writer", "frame_text"]

RECORD_EVERY = 1.0  # s between two records of how far a run has come; each waits for the disk
_GO_ON = "the same call goes on from the last whole frame"
#: What the run that made an output differs in, in words.
_DIFFERS = {
    "source": "file",
    "model": "model (its net, symmetry functions or classes)",
    "window": "window",
    "defect": "defect",
    "options": "topology, elements or unit",
}


def frame_text(atoms: Atoms, columns: dict, frame: int) -> str:
    """Extended XYZ of one frame, with columns {name: (n_atoms,)} and its number.

    Entries of `info` and arrays that extended XYZ cannot hold (texts of several lines, objects)
    are left out.
    """
    shown = for_extxyz(atoms)
    shown.info["frame"] = frame
    shown.arrays |= columns
    text = StringIO()
    ase.io.write(text, shown, format="extxyz", write_results=False)
    return text.getvalue()


def read_progress(path: Path) -> dict[str, Any]:
    """What a progress file says; ValueError where it is damaged."""
    try:
        state = parse_json(path.read_bytes())
        numbers = state["done"], *state["bytes"], state["read"]
        if [type(n) for n in (*numbers, state["run"], state["frames"])] != [
            int,
            int,
            int,
            int,
            dict,
            str,
        ] or min(numbers) < 0:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is damaged; delete it and the output it belongs to, and run again."
        ) from None
    return state


class Writer:
    """Appends frames and rows; the progress file says how many bytes of both are on the disk.

    Used as a context: within it the output is locked against other processes and threads. `run`
    is what has to be the same for an output to be continued; None: it never is.
    """

    def __init__(self, output: FilePath, run: dict[str, Any] | None) -> None:
        self.output = user_path(output)
        if self.output.suffix.lower() not in (".xyz", ".extxyz"):
            raise ValueError(f"{output} is not a name for extended XYZ; end it in .extxyz.")
        self.table = self.output.with_name(self.output.name + ".csv")
        self.progress = self.output.with_name(self.output.name + ".progress")
        self.state: dict[str, Any] = {"done": 0, "bytes": [0, 0], "read": 0, "frames": ""} | {
            "run": run
        }
        self.files: list[BinaryIO] = []
        self.entered, self.fresh = False, run is None
        if self.output.exists() and (self.fresh or not self.progress.is_file()):
            raise self._exists()

    @property
    def done(self) -> int:
        """Frames that are written."""
        return self.state["done"]

    def _exists(self):
        return ValueError(
            f"{self.output} exists; give another output, or delete it with its "
            ".csv and .progress files."
        )

    def __enter__(self):
        with clear_errors(self.output, _GO_ON):
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self.files = [open(self.output, "ab")]
        try:
            self._lock()
            if not self.entered:
                self._continue()
            with clear_errors(self.output, _GO_ON):
                self.files.append(open(self.table, "ab"))
                for file, size in zip(self.files, self.state["bytes"], strict=True):
                    if file.seek(0, 2) < size:
                        raise ValueError(
                            f"{file.name} is shorter than its .progress file says; "
                            "delete both and run again."
                        )
                    file.truncate(size)  # what a killed run wrote beyond its last record
            self._record()
        except BaseException:
            self._close(quiet=True)
            raise
        self.entered = True
        return self

    def _lock(self):
        """Given back by the system when the file is closed, also when the process is killed."""
        try:
            if fcntl is not None:
                fcntl.flock(self.files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                self.files[0].seek(0)
                msvcrt.locking(self.files[0].fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as err:
            if err.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return  # a disk that knows no locks
            raise ValueError(
                f"{self.output} is being written by another call at this moment; "
                "wait for it to end, or give another output."
            ) from None

    def _continue(self):
        """Takes over what an earlier run has recorded; refuses what another call made."""
        if self.progress.is_file() and not self.fresh:
            run, self.state = self.state["run"], read_progress(self.progress)
            if self.state["run"] != run:
                other = [
                    words
                    for name, words in _DIFFERS.items()
                    if self.state["run"].get(name) != run.get(name)
                ]
                raise ValueError(
                    f"{self.output} was made by another call: another "
                    f"{' and another '.join(other) or 'version'}; give another "
                    "output, or delete it with its .csv and .progress files."
                )
        elif self.files[0].seek(0, 2) > 0 or self.progress.is_file():
            raise self._exists()

    def write(self, text: str, row: Mapping[str, Any], read: int = 0, frames: str = "") -> None:
        """Appends a frame and its row; `read` frames were read for it, `frames` their digest."""
        if self.done == 0:
            self._append(1, table_head(row))
        self._append(0, text)
        self._append(1, table_line(row.values()))
        self.state |= {
            "done": self.done + 1,
            "bytes": [file.tell() for file in self.files],
            "read": read,
            "frames": frames,
        }
        if time.monotonic() - self.recorded >= RECORD_EVERY:
            self._record()

    def _append(self, which, text):
        with clear_errors(self.output, _GO_ON):
            self.files[which].write(text.encode("utf-8", "surrogatepass"))
            self.files[which].flush()

    def _record(self):
        """Frames first, then in one step the progress file: up to its count none can be lost."""
        with clear_errors(self.output, _GO_ON):
            for file in self.files:
                os.fsync(file.fileno())
        with atomic_write(self.progress) as partial:
            partial.write_text(json.dumps(self.state))
        self.recorded = time.monotonic()

    def __exit__(self, _, error, __):
        with suppress(OSError) if error else nullcontext():  # the first error is the one to tell
            if self.done:
                self._record()
            else:  # nothing came of it: a call with other arguments finds no files in its way
                for path in (self.table, self.progress, self.output):
                    with suppress(OSError):  # Windows removes no open files
                        path.unlink()
        self._close(quiet=error is not None)

    def _close(self, quiet):
        for file in self.files:
            with suppress(OSError) if quiet else nullcontext():
                file.close()
        self.files = []
