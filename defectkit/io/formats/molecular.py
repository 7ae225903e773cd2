"""XTC, TRR and DCD, which hold no elements, and whatever else chemfiles reads.

The first three are not left to chemfiles: it takes a file that breaks off for one that ends, and
a damaged one can bring down the process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..elements import element_of
from ..frame import finished, sites
from ..source import Cut
from .plain_binary import dcd, trr
from .xtc import xtc

#: Name of the format in chemfiles, by the ending of the file's name.
OTHERS = {
    ".mol2": "MOL2",
    ".sdf": "SDF",
    ".mmcif": "mmCIF",
    ".mmtf": "MMTF",
    ".cml": "CML",
    ".cssr": "CSSR",
    ".tng": "TNG",
    ".ncrst": "Amber Restart",
    ".arc": "Tinker",
    ".psf": "PSF",
    ".tpr": "TPR",
    ".trj": "TRJ",
}
_READERS = {"XTC": xtc, "TRR": trr, "DCD": dcd}
_MAGIC = {b"\x00\x00\x07\xcb": "XTC", b"\x00\x00\x07\xe7": "XTC", b"\x00\x00\x07\xc9": "TRR"}


def kind_of(head: bytes) -> str | None:
    """Kind of a file by its first bytes: "XTC", "TRR" or "DCD", else None."""
    if head[:4] in _MAGIC:
        return _MAGIC[head[:4]]
    return "DCD" if b"CORD" in (head[4:8], head[8:12]) or b"VELD" in (head[4:8],) else None


def binary_frames(path: Path, kind: str, topology: Atoms, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each whole frame, then `Cut` where the file breaks off within one.

    `topology`: ase.Atoms in the file's order, virtual sites with number 0.
    """
    for n, (positions, cell, time) in enumerate(_READERS[kind](path)):
        yield _made(positions, cell, time, topology, f"{where}, frame {n}", path)


def _made(positions, cell, time, topology, where, path):
    if len(positions) != len(topology):
        raise ValueError(
            f"{path} has {len(positions)} atoms a frame, the topology "
            f"{len(topology)}; give the topology of this trajectory."
        )
    atoms = Atoms(numbers=topology.numbers, positions=positions, cell=cell, pbc=bool(cell.any()))
    if "left_out" in topology.info:
        atoms.info["left_out"] = topology.info["left_out"]
    if time is not None and np.isfinite(time):
        atoms.info["time"] = round(float(time), 6)
    return finished(atoms, where)


def other_frames(path: Path, kind: str, elements: Any, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each frame of a format that chemfiles reads, with all of its sites."""
    import chemfiles

    n = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = chemfiles.Trajectory(str(path), "r", kind)
        with file:
            for n in range(file.nsteps):
                yield _named(file.read(), elements, f"{where}, frame {n}")
    except (chemfiles.ChemfilesError, UnicodeDecodeError, OverflowError, MemoryError) as err:
        if n == 0:
            raise ValueError(
                f"{path} cannot be read ({_said(err)}); convert it, e.g. to extended XYZ."
            ) from None
        raise Cut from None


def _named(frame, elements, where):
    labels = []
    for atom in frame.atoms:
        label = next((name for name in (atom.type, atom.name) if element_of(name)), atom.name)
        labels.append(label or atom.type or "X")
    cell = np.array(frame.cell.matrix).T
    return sites(where, labels, np.array(frame.positions), cell, bool(cell.any()), elements)


def _said(err):
    return " ".join(str(err).split()) if not isinstance(err, UnicodeDecodeError) else "damaged"
