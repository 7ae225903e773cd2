"""Formats that are left to ASE, each called by its name so that no path is taken for a command."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.io
import numpy as np
from ase.io.formats import ioformats
from ase.io.trajectory import TrajectoryReader

from ..frame import finished
from ..source import Cut, read_head, shortened, tail

if TYPE_CHECKING:
    from ase import Atoms

#: Formats of ASE for single structures and trajectories of other programs.
KNOWN = (
    "cif",
    "cfg",
    "xsf",
    "gen",
    "res",
    "vasp-out",
    "vasp-xml",
    "castep-cell",
    "castep-castep",
    "castep-geom",
    "castep-md",
    "espresso-in",
    "espresso-out",
    "aims",
    "aims-output",
    "cp2k-restart",
    "gpaw-out",
    "nwchem-in",
    "nwchem-out",
    "dlp4",
    "dlp-history",
    "eon",
    "gromos",
    "crystal",
    "cube",
    "dftb",
    "dmol-car",
    "dmol-arc",
    "gaussian-out",
    "mol",
    "sdf",
    "mustem",
    "v-sim",
    "xsd",
    "xtd",
    "struct",
    "siesta-xv",
    "turbomole",
    "onetep-out",
    "orca-output",
    "qbox",
    "rmc6f",
    "gpumd",
    "exciting",
    "elk",
    "magres",
    "cjson",
)

#: What stands at the end of a whole file, where ASE does not miss it.
_ENDS = {"vasp-xml": b"</modeling>", "vasp-out": b"Voluntary context switches"}
#: One structure a file, whose atoms ASE counts as far as they go.
_UNCOUNTED = ("res", "dlp4", "v-sim", "aims", "turbomole")


def frames(path: Path, kind: str, text: Any, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each frame; `Cut` after the whole ones of a file that breaks off.

    text : open text file, already decompressed
    """
    form = ioformats[kind]
    source = (
        str(path)
        if not form.acceptsfd
        else (io.BytesIO(text.read().encode()) if form.isbinary else text)
    )
    n = 0
    try:
        made = ase.io.iread(source, slice(None), format=kind, do_not_split_by_at_sign=True)
        while (atoms := _next(made)) is not None:
            if kind in _UNCOUNTED and _breaks_off(path, kind, atoms):
                raise Cut
            yield checked(atoms, f"{where}, frame {n}")
            n += 1
    except Exception as err:  # each of ASE's readers raises its own kind
        if getattr(err, "told", False) or isinstance(err, Cut):
            raise
        _refuse(path, kind, err, n)
    if n == 0:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one frame.")
    if kind in _ENDS and _ENDS[kind] not in tail(path):
        raise Cut


def _breaks_off(path, kind, atoms):
    """Whether the last line is cut, the end is not there, or atoms are fewer than stated."""
    if kind == "res":
        return b"END" not in tail(path).upper()
    if kind == "dlp4":
        stated = read_head(path).split(b"\n", 2)[1].split()[2:3]
        return bool(stated) and stated[0].isdigit() and int(stated[0]) != len(atoms)
    return shortened(tail(path).decode(errors="replace").splitlines(keepends=True))


def _next(made):
    """The next frame or None; ASE's remarks on its own future and on CASTEP are not passed on."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", module=r"ase\.(calculators|io\.castep)")
        return next(made, None)


def checked(atoms: Atoms, where: str) -> Atoms:
    """A frame that is whole in itself: finite, dense as matter is, of known elements."""
    try:
        if len(atoms) and not atoms.numbers.any():
            raise ValueError(f"{where} has atoms without an element (X); write the elements.")
        occupancy = atoms.info.get("occupancy")
        if occupancy and any(
            sum(site.values()) < 1 or len(site) > 1 for site in occupancy.values()
        ):
            raise ValueError(
                f"{where} has sites that are occupied in part or by several "
                "elements; give a structure with one atom on each site."
            )
        if not atoms.numbers.all():
            atoms.info["left_out"] = f"{int(np.sum(atoms.numbers == 0))} X"
        return finished(atoms, where)
    except ValueError as err:
        told: Any = err
        told.told = True
        raise


def _refuse(path, kind, err, n):
    if n:
        raise Cut from None
    detail = " ".join(str(err).split())[:200] or type(err).__name__
    raise ValueError(
        f"ASE cannot read {path} as {kind} ({detail}); convert it, e.g. to extended "
        "XYZ, or give another file."
    ) from err


def traj(path: Path, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each frame of ASE's own .traj file."""
    n = 0
    try:
        with TrajectoryReader(path) as file:
            total = len(file)
            for n in range(total):  # noqa: B007
                yield checked(file[n], f"{where}, frame {n}")
                n += 1
    except Exception as err:  # ASE's own kinds, among them IndexError and struct.error
        if getattr(err, "told", False):
            raise
        if n:
            raise Cut from None
        raise ValueError(
            f"{path} is damaged or breaks off in its first frame ({err}); write it again."
        ) from err


def database(path: Path, kind: str, where: str) -> Iterator[Atoms]:
    """ase.Atoms of each row of an ASE database, JSON or SQLite; nothing in it is changed."""
    import ase.db

    try:
        rows = ase.db.connect(str(path), type=kind, use_lock_file=False).select()
        frames = [row.toatoms() for row in rows]
    except Exception as err:  # json, sqlite3 and ASE each raise their own kinds
        raise ValueError(
            f"{path} cannot be read as a database of ASE ({err or type(err).__name__}"
            "); convert it, e.g. to extended XYZ."
        ) from None
    if not frames:
        raise ValueError(f"{where} has no atoms in it; give a file with at least one frame.")
    for n, atoms in enumerate(frames):
        yield checked(atoms, f"{where}, frame {n}")
