"""What several test files read: numbers of n2p2, rows of a table."""

from pathlib import Path

import numpy as np
from ase import Atoms

from defectkit.clusters import describe

REFERENCE = Path(__file__).parent / "reference" / "n2p2"


def read_n2p2_structure(path, unit):
    """First structure of an n2p2 data file as Atoms; `unit` is the file's length unit in Å."""
    words = [line.split() for line in Path(path).read_text().splitlines() if line.split()]
    lattice = np.array([w[1:4] for w in words if w[0] == "lattice"], float)
    rows = [w for w in words if w[0] == "atom"]
    atoms = Atoms([w[4] for w in rows], np.array([w[1:4] for w in rows], float) * unit)
    if len(lattice):
        atoms.set_cell(lattice * unit)
        atoms.pbc = True
    return atoms


def read_n2p2_values(path):
    """Columns' lines of input.nn per element, and (element, values) per atom, of a `.sf` file."""
    lines, rows = {}, []
    for line in Path(path).read_text().splitlines():
        words = line.split()
        if words[0] == "#" and words[2] == "columns":
            lines[words[1]] = [int(w) for w in line.split(":")[1].split()]
        elif words[0] != "#":
            rows.append((words[0], np.array(words[1:], float)))
    return lines, rows


def records(*arguments, **options):
    """Rows of `defectkit.clusters.describe`, a dict each."""
    return describe(*arguments, **options).to_dict("records")
