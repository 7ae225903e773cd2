"""Frames of trajectory files one at a time, in memory that does not grow with the file."""

import gzip
import io
from itertools import count, islice
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.io.trajectory import TrajectoryReader
from ase.units import Bohr

BINARY = (".xtc", ".dcd", ".trr")
_KINDS = ("extended XYZ (.xyz, .extxyz, also .gz), LAMMPS text dump, ASE .traj, n2p2 input.data, "
          "or XTC, TRR, DCD with a topology")


def iter_frames(source, topology=None, elements=None, length_unit=Bohr, start=0):
    """Atoms of each frame of a trajectory file, one after the other.

    Parameters
    ----------
    source : path, ase.Atoms, or iterable of ase.Atoms
        Extended XYZ (plain or .gz), LAMMPS text dump, ASE .traj, n2p2 `input.data`, or XTC, TRR,
        DCD, which hold no elements. Atoms, and whatever yields them, are passed on.
    topology : path or ase.Atoms, optional
        Names the atoms of an XTC, TRR or DCD file, in its order (PDB, GRO, extended XYZ, ...).
    elements : sequence of str, optional
        Symbols of the types 1, 2, ... of a LAMMPS dump.
    length_unit : float
        Unit of an n2p2 file in Å; default bohr.
    start : int
        Frames to skip; they are not parsed.

    Yields
    ------
    ase.Atoms (Å); only this frame is in memory.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        An empty or unknown file, missing topology or elements, a topology of another size. Of a
        file that breaks off, whole frames come first; then the sentence says how many they were.

    Examples
    --------
    >>> from ase.build import bulk
    >>> [len(atoms) for atoms in iter_frames([bulk("Si"), bulk("Si", cubic=True)])]
    [2, 8]
    """
    for raw in islice(raw_frames(source, topology, elements, length_unit), start, None):
        yield parse(raw)


def raw_frames(source, topology=None, elements=None, length_unit=Bohr):
    """Frames as they are cut out of the file, for `parse`, here or on another machine.

    Each is (where, kind, text or Atoms, elements, unit). Skipping one costs no parsing.
    Arguments and errors as `iter_frames`, which see; a missing file is told at once.
    """
    if isinstance(source, Atoms):
        source = [source]
    if not isinstance(source, str | Path):
        return _given(source)
    path = Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; write it again or give another file.")
    if path.suffix.lower() in BINARY:
        return _binary(path, _names(path, topology))
    kind = _kind(path)
    if kind == "traj":
        return _ase(path)
    return _texts(path, kind, None if elements is None else tuple(elements), length_unit)


def parse(raw):
    """ase.Atoms of one of `raw_frames`."""
    where, kind, content, elements, unit = raw
    if kind == "atoms":
        return content
    try:
        if kind == "extxyz":
            atoms = ase.io.read(io.StringIO(content), 0, format="extxyz")
        elif kind == "dump":
            atoms = ase.io.read(io.StringIO(content), 0, format="lammps-dump-text")
        else:
            atoms = _n2p2(content, unit)
    except Exception as err:  # each of ASE's readers raises its own kind
        detail = " ".join(str(err).split()) or type(err).__name__
        raise ValueError(f"{where} cannot be read ({detail}); repair the file or convert it to "
                         "extended XYZ.") from err
    if kind == "dump":
        _name_types(atoms, elements, content, where)
    if np.any(atoms.numbers == 0):
        raise ValueError(f"{where} has atoms without an element (X); write the elements.")
    return atoms


def _given(frames):
    for n, atoms in enumerate(frames):
        if not isinstance(atoms, Atoms):
            raise ValueError(f"frame {n} is a {type(atoms).__name__}; give a path, ase.Atoms, or "
                             "an iterable of ase.Atoms.")
        yield f"frame {n}", "atoms", atoms, None, None


def _open(path):
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8")


def _kind(path):
    """From the first lines: extxyz, dump, n2p2 or traj."""
    with open(path, "rb") as file:
        if file.read(8) == b"- of Ulm":
            return "traj"
    try:
        with _open(path) as file:
            first = next((words for line in file if (words := line.split())), [""])
    except (UnicodeDecodeError, EOFError, OSError):
        first = [""]
    if first[:2] == ["ITEM:", "TIMESTEP"] or first[:2] in (["ITEM:", "UNITS"], ["ITEM:", "TIME"]):
        return "dump"
    if first[0] == "begin":
        return "n2p2"
    if len(first) == 1 and first[0].isdigit():
        return "extxyz"
    raise ValueError(f"{path} is of no kind that is read here; use {_KINDS}.")


def _texts(path, kind, elements, unit):
    """The lines of each frame of a text file."""
    cut = {"extxyz": _xyz_frame, "dump": _dump_frame, "n2p2": _n2p2_frame}[kind]
    with _open(path) as file:
        for n in count():
            try:
                text = cut(file)
            except (EOFError, UnicodeDecodeError, gzip.BadGzipFile):
                raise _broken(path, n) from None
            except ValueError as err:
                raise ValueError(f"{path}, frame {n}: {err}") from None
            if text is None:
                return
            yield f"{path}, frame {n}", kind, text, elements, unit


def _broken(path, n):
    return ValueError(f"{path} breaks off after {n} whole frames (a text file has to end with a "
                      "new line); write it again, or go on with these.")


def _lines(file, n):
    lines = list(islice(file, n))
    if len(lines) < n or not lines[-1].endswith("\n"):
        raise EOFError
    return lines


def _xyz_frame(file):
    first = next((line for line in file if line.strip()), None)
    if first is None:
        return None
    if not first.strip().isdigit():
        raise ValueError(f"a number of atoms is expected, not {first.strip()[:40]!r}; repair the "
                         "file.")
    return "".join([first, *_lines(file, 1 + int(first))])


def _dump_frame(file):
    head = []
    for line in file:
        head.append(line)
        if line.startswith("ITEM: ATOMS"):
            break
    else:
        if any(line.strip() for line in head):
            raise EOFError
        return None
    at = next((n for n, line in enumerate(head) if line.startswith("ITEM: NUMBER OF ATOMS")), None)
    if at is None or not head[at + 1].strip().isdigit():
        raise ValueError("'ITEM: NUMBER OF ATOMS' is missing; repair the dump.")
    return "".join([*head, *_lines(file, int(head[at + 1]))])


def _n2p2_frame(file):
    lines = []
    for line in file:
        lines.append(line)
        if line.split()[:1] == ["end"]:
            return "".join(lines)
    if any(line.strip() for line in lines):
        raise EOFError
    return None


def _n2p2(text, unit):
    rows = [line.split() for line in text.splitlines() if line.split()]
    atoms = [row for row in rows if row[0] == "atom"]
    lattice = np.array([row[1:4] for row in rows if row[0] == "lattice"], float)
    made = Atoms([row[4] for row in atoms], np.array([row[1:4] for row in atoms], float) * unit)
    if len(lattice):
        made.set_cell(lattice * unit)
        made.pbc = True
    return made


def set_elements(atoms, elements, where):
    """Gives atoms of types 1, 2, ... the elements named in this order."""
    types = atoms.arrays["type"]
    if not 1 <= types.min() <= types.max() <= len(elements):
        raise ValueError(f"{where} has atom types up to {types.max()}, but elements names "
                         f"{len(elements)}; name one for each type.")
    atoms.symbols = [elements[t - 1] for t in types]


def _name_types(atoms, elements, text, where):
    """Elements of a dump: its own column, or those the caller names."""
    columns = text[text.index("ITEM: ATOMS"):].split("\n", 1)[0].split()[2:]
    if elements is not None and "type" in atoms.arrays:
        set_elements(atoms, elements, where)
    elif "element" not in columns:
        raise ValueError(f"{where} has atom types but no elements; name them in the order of the "
                         'types, e.g. elements=["Si"].')


def _ase(path):
    try:
        with TrajectoryReader(path) as file:
            for n in range(len(file)):
                yield f"{path}, frame {n}", "atoms", file[n], None, None
    except Exception as err:  # ASE's own kinds, among them IndexError and struct.error
        raise ValueError(f"{path} is damaged or breaks off ({err}); write it again.") from err


def _names(path, topology):
    """Atoms in the order of a file that has no elements."""
    if topology is None:
        raise ValueError(f"{path} holds no elements; name a topology, e.g. topology='start.pdb'.")
    if isinstance(topology, Atoms):
        return topology
    if not Path(topology).is_file():
        raise FileNotFoundError(f"{topology} does not exist or is not a file; check the topology.")
    try:
        return ase.io.read(topology)
    except Exception as err:  # each of ASE's readers raises its own kind
        raise ValueError(f"{topology} cannot be read as a topology ({err}); use PDB, GRO or "
                         "extended XYZ.") from err


def _binary(path, names):
    import chemfiles

    n = 0
    try:
        with chemfiles.Trajectory(str(path)) as file:
            for n in range(file.nsteps):  # noqa: B007
                frame = file.read()
                if len(frame.atoms) != len(names):
                    raise ValueError(f"{path} has {len(frame.atoms)} atoms a frame, the topology "
                                     f"{len(names)}; give the topology of this trajectory.")
                cell = np.array(frame.cell.matrix).T
                atoms = Atoms(names.numbers, positions=np.array(frame.positions), cell=cell,
                              pbc=bool(np.any(cell)))
                yield f"{path}, frame {n}", "atoms", atoms, None, None
    except chemfiles.ChemfilesError as err:  # a BaseException
        if n == 0:
            raise ValueError(f"{path} cannot be read ({err}); write it again or convert it to "
                             "extended XYZ.") from None
        raise _broken(path, n) from None
