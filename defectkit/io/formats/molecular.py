"""XTC, TRR and DCD, which hold no elements, and whatever else chemfiles reads.

How many whole frames a file has is counted here from its own headers: chemfiles takes a file
that breaks off for one that ends.
"""

import struct
import warnings

import numpy as np
from ase import Atoms

from ..elements import element_of
from ..frame import finished, sites
from ..source import Cut

#: Name of the format in chemfiles, by the ending of the file's name.
OTHERS = {".mol2": "MOL2", ".sdf": "SDF", ".mmcif": "mmCIF", ".mmtf": "MMTF", ".cml": "CML",
          ".cssr": "CSSR", ".tng": "TNG", ".ncrst": "Amber Restart", ".arc": "Tinker",
          ".psf": "PSF", ".tpr": "TPR", ".trj": "TRJ"}
_MAGIC = {b"\x00\x00\x07\xcb": "XTC", b"\x00\x00\x07\xe7": "XTC", b"\x00\x00\x07\xc9": "TRR"}


def kind_of(head):
    """ "XTC", "TRR" or "DCD" from the first bytes of a file, else None."""
    if head[:4] in _MAGIC:
        return _MAGIC[head[:4]]
    return "DCD" if b"CORD" in (head[4:8], head[8:12]) or b"VELD" in (head[4:8],) else None


def binary_frames(path, kind, topology, where):
    """ase.Atoms of each whole frame, then `Cut` where the file breaks off within one.

    `topology`: ase.Atoms in the file's order, virtual sites with number 0.
    """
    import chemfiles

    n, whole = 0, _WALK[kind](path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # chemfiles tells of what does not matter here
            file = chemfiles.Trajectory(str(path), "r", kind)
        with file:
            total = file.nsteps if whole is None else min(file.nsteps, whole[0])
            for n in range(total):  # noqa: B007
                yield _frame(file.read(), topology, f"{where}, frame {n}", path)
                n += 1
    except (chemfiles.ChemfilesError, UnicodeDecodeError, OverflowError, MemoryError) as err:
        if n == 0:
            raise ValueError(f"{path} cannot be read ({_said(err)}); write it again or convert it "
                             "to extended XYZ.") from None
        raise Cut from None
    if whole is not None and (whole[1] or whole[0] > n):
        raise Cut


def _frame(frame, topology, where, path):
    if len(frame.atoms) != len(topology):
        raise ValueError(f"{path} has {len(frame.atoms)} atoms a frame, the topology "
                         f"{len(topology)}; give the topology of this trajectory.")
    cell = np.array(frame.cell.matrix).T
    atoms = Atoms(topology.numbers, np.array(frame.positions), cell=cell, pbc=bool(cell.any()))
    if "left_out" in topology.info:
        atoms.info["left_out"] = topology.info["left_out"]
    if "time" in frame.list_properties() and np.isfinite(time := frame["time"]):
        atoms.info["time"] = round(float(time), 6)
    return finished(atoms, where)


def other_frames(path, kind, elements, where):
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
            raise ValueError(f"{path} cannot be read ({_said(err)}); convert it, e.g. to extended "
                             "XYZ.") from None
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


def _xtc(path):
    """Number of whole frames of an XTC file, and whether more follows."""
    n = 0
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        at = 0
        while at + 56 <= size:
            file.seek(at)
            head = file.read(96)
            magic, atoms = struct.unpack(">ii", head[:8])
            if magic not in (1995, 2023) or atoms < 0:
                return n, True
            if atoms <= 9:
                end = at + 56 + 12 * atoms
            else:
                wide = magic == 2023
                if len(head) < 96:
                    return n, True
                packed = struct.unpack(">q" if wide else ">i", head[88:96 if wide else 92])[0]
                end = at + (96 if wide else 92) + packed + (-packed) % 4
            if end > size or end <= at:
                return n, True
            at, n = end, n + 1
    return n, at < size


def _trr(path):
    """Number of whole frames of a TRR file, and whether more follows."""
    n, at = 0, 0
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        while at + 84 <= size:
            file.seek(at)
            magic, _, length = struct.unpack(">iii", file.read(12))
            if magic != 1993 or not 0 <= length < 256:
                return n, True
            file.seek(at + 12 + length + (-length) % 4)
            sizes = file.read(52)
            if len(sizes) < 52:
                return n, True
            numbers = struct.unpack(">13i", sizes)
            real = _precision(numbers)
            end = file.tell() + 2 * real + sum(numbers[:10])
            if real == 0 or min(numbers[:10]) < 0 or end > size or end <= at:
                return n, True
            at, n = end, n + 1
    return n, at < size


def _precision(numbers):
    """Bytes of a number of a TRR frame, 0 where its header makes no sense."""
    atoms = numbers[10]
    for block, count in ((numbers[2], 9), (numbers[7], 3 * atoms), (numbers[8], 3 * atoms),
                         (numbers[9], 3 * atoms)):
        if block and count > 0:
            return block // count if block in (4 * count, 8 * count) else 0
    return 0


def _dcd(path):
    """Number of whole frames of a DCD file, and whether more follows; None for odd kinds."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(92)
        order = next((o for o in "<>" if struct.unpack(o + "i", head[:4])[0] == 84), None)
        if order is None or len(head) < 92:
            return None
        control = struct.unpack(order + "20i", head[8:88])
        titles = file.read(4)
        if len(titles) < 4:
            return 0, True
        file.seek(struct.unpack(order + "i", titles)[0] + 4, 1)
        count = file.read(12)
        if len(count) < 12:
            return 0, True
        atoms, start = struct.unpack(order + "3i", count)[1], file.tell()
        if control[8] or atoms <= 0:  # fixed atoms: frames of two sizes
            return None
    frame = (56 if control[10] else 0) + (4 if control[11] else 3) * (8 + 4 * atoms)
    return (size - start) // frame, (size - start) % frame != 0


_WALK = {"XTC": _xtc, "TRR": _trr, "DCD": _dcd}
