"""What kind of file this is: from what is in it, and where that does not tell, from its name.

A new format is added here, as a test in one of the tables, and in `trajectory` as its reader.
"""

from __future__ import annotations

import re
from pathlib import Path

from ase.io.formats import UnknownFileTypeError, ioformats, match_magic

from .formats import by_ase, molecular, vasp
from .source import compression, encoding, read_head, stem_and_suffix, suffix

READ = (
    "extended XYZ, LAMMPS dump (text) or data file, POSCAR, XDATCAR, vasprun.xml, OUTCAR, "
    ".gro, .pdb, .cif, .cfg, ASE .traj or .json, n2p2 input.data, NetCDF, GSD, or XTC, TRR, "
    "DCD with a topology"
)
_GRO_ROW = re.compile(r".{5}.{5}.{5}.{5}\s*-?\d+\.\d+\s*-?\d+\.\d+\s*-?\d+\.\d+")
_PDB = ("HEADER", "CRYST1", "ATOM  ", "HETATM", "REMARK", "TITLE ", "MODEL ", "COMPND", "AUTHOR")
_NAMES = (
    ("poscar", re.compile(r".*(poscar|contcar|centcar).*|.*\.(vasp|poscar)")),
    ("xdatcar", re.compile(r".*xdatcar.*")),
    ("ase:vasp-out", re.compile(r".*outcar.*")),
    ("data", re.compile(r".*\.(lmp|data|lammps)|data\..*|.*\.lammps-data|.*\.lammpsdata")),
)
_ASE_SUFFIX = {
    ".cif": "cif",
    ".cfg": "cfg",
    ".xsf": "xsf",
    ".axsf": "xsf",
    ".gen": "gen",
    ".res": "res",
    ".shelx": "res",
    ".cell": "castep-cell",
    ".castep": "castep-castep",
    ".geom": "castep-geom",
    ".md": "castep-md",
    ".pwi": "espresso-in",
    ".pwo": "espresso-out",
    ".in": "aims",
    ".con": "eon",
    ".g96": "gromos",
    ".cube": "cube",
    ".car": "dmol-car",
    ".xtl": "mustem",
    ".ascii": "v-sim",
    ".xsd": "xsd",
    ".xtd": "xtd",
    ".struct": "struct",
    ".xv": "siesta-xv",
    ".rmc6f": "rmc6f",
    ".mol": "mol",
    ".restart": "cp2k-restart",
}


def kind_of(path: Path) -> tuple[str, bytes]:
    """The kind, and the first 64 kB (decompressed) it was told from.

    Raises ValueError: one sentence with the remedy for what is not read here.
    """
    head = read_head(path)
    kind = _binary(path, head)
    if kind is None:
        text = head.decode(encoding(head), errors="replace")
        kind = _text(path, text) or _by_name(path, text) or _by_ase(path, head)
    if kind is None:
        raise ValueError(f"{path} is of no kind that is read here; use {READ}.")
    if compression(path) is not open and not _from_text(kind):
        raise ValueError(f"{path} is compressed; unpack it and give what was inside.")
    return kind, head


def _from_text(kind):
    return kind in ("extxyz", "dump", "n2p2", "gro", "pdb", "poscar", "xdatcar", "data") or (
        kind.startswith("ase:") and ioformats[kind[4:]].acceptsfd
    )


def _binary(path, head):
    """The kind of a file of bytes; a sentence where another program has to help."""
    ending = suffix(path)
    if head.startswith((b"- of Ulm", b"AFFormat")):
        if b"GPAW" in head[:24]:
            raise ValueError(f"{path} is a restart file of GPAW; write its atoms as extended XYZ.")
        return "traj"
    if head.startswith(b"SQLite format 3\0"):
        return "db"
    if head.startswith(b"\xdf\x65\xdf\x65\xdf\x65\xdf\x65"):
        return "gsd"
    if head.startswith(b"CDF") or (head.startswith(b"\x89HDF") and ending in (".nc", ".netcdf")):
        return "netcdf"
    if found := molecular.kind_of(head):
        return found
    for there, what in (
        (
            b"DUMPATOM" in head[:40] or b"DUMPCUSTOM" in head[:40],
            "a binary dump of LAMMPS; make it text with its tool binary2txt, or dump text",
        ),
        (
            ending == ".bin",
            "a binary file, of LAMMPS perhaps; make it text with "
            "its tool binary2txt, or dump text",
        ),
        (head.startswith(b"\x89HDF"), "HDF5, such as H5MD; convert it, e.g. to extended XYZ"),
        (head[257:262] == b"ustar", "packed with tar; unpack it and give what was inside"),
    ):
        if there:
            raise ValueError(f"{path} is {what}.")
    if ending in molecular.OTHERS and (b"\0" in head or ending not in (".trj", ".arc")):
        return f"chemfiles:{molecular.OTHERS[ending]}"
    if ending in (".xtc", ".trr", ".dcd"):
        raise ValueError(
            f"{path} cannot be read (it does not begin as {ending[1:].upper()} "
            "does); write it again or convert it to extended XYZ."
        )
    return None


def _text(path, text):
    """The kind of a text that shows what it is."""
    lines = text.splitlines()
    full = [line for line in lines if line.strip()]
    first = full[0].split() if full else [""]
    ending = suffix(path)
    if first[:1] == ["ITEM:"]:
        return "dump"
    if first[0] == "begin":
        return "n2p2"
    if first[0].lower() in ("&control", "&system"):
        return "ase:espresso-in"
    if any(re.match(r"\s*(Direct|Cartesian) configuration\s*=", line) for line in full[5:9]):
        return "xdatcar"
    if ending == ".gro" or (
        len(lines) > 2
        and lines[1].strip().isdecimal()
        and _GRO_ROW.match(lines[2])
        and len(first) != 1
    ):
        return "gro"
    if full and full[0][:6].ljust(6) in _PDB or ending in (".pdb", ".ent"):
        return "pdb"
    if any(re.fullmatch(r"\s*\d+\s+atoms\s*(#.*)?", line) for line in lines[:40]):
        return "data"
    if len(first) == 1 and first[0].isdecimal():
        return "extxyz"
    if full and full[0].lstrip().startswith("<?xml") and "<modeling>" in text:
        return "ase:vasp-xml"
    if full and full[0].startswith("{") and ending in (".json", ".db", "") and '"ids"' in text:
        return "json"
    if any(line.startswith("Number of particles") for line in full[:20]):
        return "ase:cfg"
    return None


def _by_name(path, text):
    name = stem_and_suffix(path)
    if "\0" in text[:1000]:
        return None
    for kind, pattern in _NAMES:
        if pattern.fullmatch(name):
            return kind
    if name.endswith(".xml") and "vasp" in name:
        return "ase:vasp-xml"
    if name.endswith(".json") and text.lstrip().startswith("{"):
        return "json"
    if vasp.is_poscar(text):
        return "poscar"
    ending = suffix(path)
    if ending in _ASE_SUFFIX:
        return f"ase:{_ASE_SUFFIX[ending]}"
    if text.lstrip().startswith("data_") or "_cell_length_a" in text:
        return "ase:cif"
    return None


def _by_ase(path, head):
    """A format of ASE's that is known by its content or by its whole name."""
    name = path.name
    try:
        found = match_magic(head[:5000]).name
    except UnknownFileTypeError:
        found = next((form for form in by_ase.KNOWN if ioformats[form].match_name(name)), None)
    return f"ase:{found}" if found in by_ase.KNOWN and b"\0" not in head[:1000] else None
