"""One reader for everything: the frames of any file, or frames that are there already."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from itertools import islice

import numpy as np
from ase import Atoms
from ase.units import Bohr

from .._checks import not_frames
from .._progress import tqdm
from .._types import Elements, Source, Topology
from .elements import as_elements, renamed
from .formats import (
    by_ase,
    cif,
    gro,
    gsd,
    lammps_data,
    lammps_dump,
    molecular,
    n2p2,
    netcdf,
    pdb,
    vasp,
    xyz,
)
from .frame import finished
from .kinds import kind_of
from .objects import frames_of
from .source import Cut, Lines, Raw, existing_file, open_text

__all__ = ["iter_frames", "parse", "raw_frames", "read_frames"]

#: Kinds of text: how it is cut into frames, how one of them is parsed.
_TEXTS = {
    "extxyz": (xyz.cut, xyz.parse),
    "dump": (lammps_dump.cut, lammps_dump.parse),
    "n2p2": (n2p2.cut, n2p2.parse),
    "gro": (gro.cut, gro.parse),
    "pdb": (pdb.cut, pdb.parse),
    "poscar": (vasp.cut_poscar, vasp.parse),
    "xdatcar": (vasp.cut_xdatcar, vasp.parse),
    "data": (lammps_data.cut, lammps_data.parse),
}


def iter_frames(
    source: Source,
    topology: Topology = None,
    elements: Elements = None,
    length_unit: float = Bohr,
    start: int = 0,
) -> Iterator[Atoms]:
    """Atoms of each frame, one after the other.

    Parameters
    ----------
    source : path, ase.Atoms, or iterable of ase.Atoms or paths
        A file: extended XYZ, LAMMPS text dump or data file, POSCAR, XDATCAR, vasprun.xml, OUTCAR,
        .gro, .pdb, .cif, .cfg, ASE .traj or database, n2p2 `input.data`, NetCDF, GSD, what else
        ASE or chemfiles read, or XTC, TRR, DCD, which hold no elements. Text may be compressed
        (gzip, bz2, xz). The content tells the kind, not the name; a name is only a name.
        Or an object of another program: a pymatgen Structure or Molecule, an MDAnalysis Universe
        or AtomGroup (all its frames), an OVITO DataCollection, a dpdata System.
    topology : path or ase.Atoms, optional
        Names the atoms of an XTC, TRR, DCD or NetCDF file, in its order.
    elements : list of str, str or dict, optional
        Symbols of the types 1, 2, ..., or of names, as in ``{"A": "Ni", "MW": None}``; None
        leaves sites out that are no atoms.
    length_unit : float
        Unit of an n2p2 file in Å; default bohr.
    start : int
        Frames to skip; they are not parsed.

    Yields
    ------
    ase.Atoms (Å); only this frame is in memory. Where the file has ids, atoms come in their
    order. Virtual sites, such as the MW of TIP4P, are left out: ``info["left_out"]`` and a
    warning name them.

    Raises
    ------
    FileNotFoundError
        No such file.
    TypeError
        A source that is none of these.
    ValueError
        One sentence with the remedy: an empty, damaged or unknown file, missing elements or
        topology, atoms nearer to each other than matter has them ("these look like nm").

    Warns
    -----
    UserWarning
        The file breaks off: its whole frames have come, and how many they are.

    Examples
    --------
    >>> from ase.build import bulk
    >>> [len(atoms) for atoms in iter_frames([bulk("Si"), bulk("Si", cubic=True)])]
    [2, 8]
    """
    told = set()
    for raw in islice(raw_frames(source, topology, elements, length_unit), start, None):
        yield parse(raw, told)


def read_frames(
    source: Source,
    topology: Topology = None,
    elements: Elements = None,
    length_unit: float = Bohr,
    progress: bool = False,
) -> list[Atoms]:
    """All frames (list of ase.Atoms); formats, arguments, errors and warnings as `iter_frames`.

    `progress` shows a bar where reading takes more than 2 s. Raises ValueError where there is no
    frame at all.
    """
    frames = list(
        tqdm(
            iter_frames(source, topology, elements, length_unit),
            desc="reading",
            unit="frame",
            delay=2,
            disable=not progress,
        )
    )
    if not frames:
        raise ValueError(
            "there are no atoms; give a file with at least one frame, or at least one ase.Atoms."
        )
    return frames


def raw_frames(
    source: Source, topology: Topology = None, elements: Elements = None, length_unit: float = Bohr
) -> Iterator[Raw]:
    """Frames as they are cut out of the file, for `parse`, here or on another machine.

    Skipping one costs no parsing. Arguments, errors and warnings as :func:`iter_frames`; what is
    wrong with the arguments is told at once.
    """
    elements = as_elements(elements)
    if topology is not None and not isinstance(topology, str | os.PathLike | Atoms):
        raise TypeError(
            f"topology={topology!r} is of the kind {type(topology).__name__}; give a "
            "path or ase.Atoms (symbols of types are the argument elements)."
        )
    if not length_unit > 0:
        raise ValueError(f"length_unit={length_unit} has to be above 0, the unit in Å.")
    return _raw_frames(source, topology, elements, length_unit)


def _raw_frames(source, topology, elements, length_unit):
    """As `raw_frames`, with arguments that are checked and `elements` of `as_elements`."""
    if isinstance(source, Atoms):
        source = [source]
    if not isinstance(source, str | os.PathLike):
        if (found := frames_of(source, elements)) is not None:
            source, elements = found, None
        return _given(source, topology, elements, length_unit)
    path = existing_file(source)
    kind, head = kind_of(path)
    if length_unit != Bohr and kind != "n2p2":
        raise ValueError(
            f"{path} has a unit of its own; leave length_unit out, which is for n2p2's input.data."
        )
    if kind in _TEXTS:
        raws = _texts(path, head, kind, elements, length_unit)
    else:
        raws = _others(path, head, kind, topology, elements)
    if topology is not None and kind not in ("XTC", "TRR", "DCD", "netcdf"):
        raws = _agreeing(raws, _names(path, topology, elements), path)
    return _whole(raws, path)


def _agreeing(raws, names, where):
    """Passes frames on; ValueError where the first has other atoms than the topology given."""
    for n, raw in enumerate(raws):
        if n == 0:
            atoms = raw.content if raw.kind == "atoms" else finished(_parsed(raw), raw.where)
            if not np.array_equal(atoms.numbers, names.numbers[names.numbers != 0]):
                raise ValueError(
                    f"{where} names its atoms itself, and others than the topology; leave "
                    "topology out, which is for XTC, TRR, DCD and NetCDF files."
                )
        yield raw


def parse(raw: Raw, told: set | None = None) -> Atoms:
    """ase.Atoms of one of `raw_frames`.

    `told`: a set that the caller keeps, so that a warning about sites left out comes once.
    """
    atoms = raw.content if raw.kind == "atoms" else finished(_parsed(raw), raw.where)
    if "left_out" in atoms.info and raw.kind != "given":
        text = (
            f"{raw.where}: {atoms.info['left_out']} are virtual sites and no atoms; they are "
            'left out (elements={"NAME": "Ar"} makes them atoms).'
        )
        names = frozenset(atoms.info["left_out"].split())
        if told is None or names not in told:
            warnings.warn(text, stacklevel=3)
        if told is not None:
            told.add(names)
    return atoms


def _parsed(raw):
    try:
        return _TEXTS[raw.kind][1](raw.content, raw.where, raw.elements, raw.unit, raw.line)
    except ValueError as err:
        said = " ".join(str(err).split())
        if said.startswith(raw.where):
            raise
        if not said.endswith("."):  # Python's own words
            said = f"({said}); repair the file or convert it to extended XYZ."
        raise ValueError(f"{raw.where} cannot be read: {said}") from None
    except (IndexError, KeyError, TypeError, OverflowError, MemoryError, RecursionError) as err:
        raise ValueError(
            f"{raw.where} cannot be read ({type(err).__name__}); repair the file or "
            "convert it to extended XYZ."
        ) from err


def _given(source, topology, elements, length_unit):
    """Frames that are there already; paths among them are opened in their turn."""
    if hasattr(source, "readline"):
        raise TypeError(f"{source!r} is an open file; give its path, which may be compressed.")
    try:
        items = iter(source)
    except TypeError:
        raise TypeError(not_frames(source)) from None
    return _items(items, topology, elements, length_unit)


def _items(items, topology, elements, length_unit):
    for n, item in enumerate(items):
        if isinstance(item, str | os.PathLike):
            yield from _raw_frames(item, topology, elements, length_unit)
            continue
        if (found := frames_of(item, elements)) is not None:
            yield from _items(found, topology, None, length_unit)
            continue
        if not isinstance(item, Atoms):
            raise ValueError(
                f"frame {n} is a {type(item).__name__}; give a path, ase.Atoms, or "
                "an iterable of ase.Atoms."
            )
        if elements is not None:
            item = renamed(item, elements, f"frame {n}")
        _check_given(item, f"frame {n}")
        raw = Raw(f"frame {n}", "atoms", item, elements)
        if topology is None:
            yield raw
        else:
            yield from _agreeing([raw], _names(raw.where, topology, None), raw.where)


def _check_given(atoms, where):
    from .._checks import check_frame

    if len(atoms) == 0:
        raise ValueError(f"{where} has no atoms in it; leave it out.")
    if not atoms.numbers.all():
        raise ValueError(
            f"{where} has atoms without an element (X); set atoms.symbols, or leave "
            "them out with atoms[atoms.numbers > 0]."
        )
    check_frame(atoms, where)


def _texts(path, head, kind, elements, unit):
    """Frames of a text file; `Cut` where it breaks off."""
    with open_text(path, head) as file:
        cut, n = _TEXTS[kind][0](Lines(file), str(path)), 0
        while True:
            where = f"{path}, frame {n}"
            try:
                content, line = next(cut)
            except StopIteration:
                break
            except ValueError as err:
                if str(err).startswith(str(path)):
                    raise
                raise ValueError(f"{where}: {err}") from None
            yield Raw(where, kind, content, elements, unit, line)
            n += 1
    if n == 0:
        raise ValueError(f"{path} has no atoms in it; give a file with at least one frame.")


def _others(path, head, kind, topology, elements):
    """Frames of files that are not cut here, as ase.Atoms."""
    where, (family, _, name) = str(path), kind.partition(":")
    if kind in ("XTC", "TRR", "DCD"):
        made = molecular.binary_frames(path, kind, _names(path, topology, elements), where)
    elif kind == "netcdf":
        names = None if topology is None else _names(path, topology, elements)
        made = netcdf.frames(path, head, names, elements, where)
    elif kind == "gsd":
        made = gsd.frames(path, elements, where)
    elif kind == "traj":
        made = by_ase.traj(path, where)
    elif kind in ("db", "json"):
        made = by_ase.database(path, kind, where)
    elif family == "chemfiles":
        made = (finished(a, where) for a in molecular.other_frames(path, name, elements, where))
    else:
        made = _by_ase(path, head, name, elements, where)
    for n, atoms in enumerate(made):
        if elements is not None and (kind in ("traj", "db", "json") or family == "ase"):
            atoms = renamed(atoms, elements, f"{path}, frame {n}")
        yield Raw(f"{path}, frame {n}", "atoms", atoms, elements)


def _by_ase(path, head, name, elements, where):
    # ASE's reader of OUTCAR takes constraints from whatever POSCAR lies beside it.
    with open_text(path, head, alone=name == "vasp-out") as text:
        if name == "cif":
            yield from cif.frames(path, text, elements, where)
        else:
            yield from by_ase.frames(path, name, text, where)


def _whole(raws, path):
    """Passes frames on; where the file breaks off, one warning says how many were whole."""
    n = 0
    try:
        for raw in raws:
            yield raw
            n += 1
    except Cut:
        if n == 0:
            raise ValueError(
                f"{path} breaks off within its first frame; write it again."
            ) from None
        frames = "1 whole frame is" if n == 1 else f"{n} whole frames are"
        warnings.warn(f"{path} breaks off; its {frames} kept.", stacklevel=3)


def _names(path, topology, elements):
    """Atoms in the order of a file that has no elements, virtual sites with number 0."""
    if topology is None:
        raise ValueError(f"{path} holds no elements; name a topology, e.g. topology='start.pdb'.")
    if isinstance(topology, Atoms):
        return topology
    there = existing_file(topology, "topology")
    kind, head = kind_of(there)
    try:
        if kind in _TEXTS:
            atoms = _parsed(next(_texts(there, head, kind, elements, Bohr)))
            ids = atoms.arrays.get("id")
            return atoms if ids is None else atoms[np.argsort(ids, kind="stable")]
        if kind.startswith("chemfiles:"):
            return next(
                molecular.other_frames(there, kind.partition(":")[2], elements, str(there))
            )
        return next(_others(there, head, kind, None, elements)).content
    except Cut:
        raise ValueError(
            f"{there} breaks off within its first frame; give a whole topology."
        ) from None
