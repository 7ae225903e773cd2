"""What an output was made from, so that a run goes on only with the same input and model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from .._types import Elements, FilePath, Source, Topology
from ..io.atomic_write import user_path
from ..parametric.model_file import fingerprint

if TYPE_CHECKING:
    from ..parametric.estimators import EnvironmentClassifier

__all__ = ["ReadFrames", "run_description"]


def run_description(
    source: Source,
    model: EnvironmentClassifier,
    window: int,
    defect: Sequence[Any] | None,
    topology: Topology,
    elements: Elements,
    length_unit: float,
) -> dict:
    """What has to be the same for a run to go on, as JSON holds it."""
    options = hashlib.sha256()
    for part in (_topology(topology), elements, float(length_unit)):
        options.update(repr(part).encode() + b";")
    return {
        "source": _named(source) if isinstance(source, str | os.PathLike) else "frames",
        "model": fingerprint(model),
        "window": window,
        "defect": defect if defect is None else list(defect),
        "options": options.hexdigest()[:16],
    }


class ReadFrames:
    """Iterates over the frames that an earlier run has not done, and knows those that came.

    The digest of all frames that an output was made from is kept with it. Here they are read
    again, without being parsed, and compared: another list, a file that was replaced or is
    shorter is refused, a file that has grown is not.

    raws    iterator of `io.source.Raw`, from the first frame on
    state   of the writer: frames done, frames read for them, and their digest
    """

    def __init__(self, raws: Iterator, state: dict, window: int, output: FilePath) -> None:
        self._raws, self._output = raws, output
        self._done, self._read, self._wanted = state["done"], state["read"], state["frames"]
        self._digest, self._n, self._known = b"", 0, {0: ""}

    def __iter__(self):
        for raw in self._raws:
            self._digest = hashlib.sha256(self._digest + _digest(raw)).digest()
            self._n += 1
            self._known[self._n] = self._digest.hex()
            if self._n == self._read and self._digest.hex() != self._wanted:
                raise self._other(f"the first {self._n} frames are")
            if self._n > self._done:
                yield raw
        if self._n < self._read:
            raise self._other(f"it was made of {self._read} frames and here are {self._n}, it is")

    def up_to(self, n: int) -> tuple[int, str]:
        """(n, digest of the first n frames); those before are forgotten."""
        for old in [k for k in self._known if k < n]:
            del self._known[old]
        return n, self._known[n]

    def _other(self, what):
        return ValueError(
            f"{self._output} was made from other frames ({what} not the same); give "
            "another output, or delete it with its .csv and .progress files."
        )


def _digest(raw):
    if not isinstance(raw.content, Atoms):
        return hashlib.sha256(str(raw.content).encode("utf-8", "surrogatepass")).digest()
    atoms, found = raw.content, hashlib.sha256()
    for values in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc):
        found.update(np.ascontiguousarray(values).tobytes() + b";")
    return found.digest()


def _named(source):
    return str(user_path(source).resolve())


def _topology(given):
    if isinstance(given, Atoms):
        return given.get_chemical_symbols()
    if given is None or not user_path(given).is_file():
        return given  # the reader says that it is missing
    return hashlib.sha256(user_path(given).read_bytes()).hexdigest()
