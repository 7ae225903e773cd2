"""What several test files read: numbers of n2p2, rows of a table."""

from pathlib import Path

import numpy as np
from ase import Atoms

from defectkit.clusters import describe

REFERENCE = Path(__file__).parent / "reference" / "n2p2"
# Functions of two elements of every type: with an envelope (and powers of a Gaussian), narrow
# without one, wide, weighted; some beside others of one channel.
EVERY_TYPE = """
Si 2 Si 0.1 0.0 5.0
Si 2 C 2.0 2.4 4.0
Si 3 Si Si 0.01 1 1 5.0
Si 3 Si Si 0.02 -1 4 5.0
Si 3 Si Si 0.31 -1 2 5.0
Si 3 Si C 0.05 -1 16 5.0
Si 3 Si C 0.03 1 3.5 4.0
Si 3 C C 0.2 1 64 4.5 1.1
Si 3 C C 0.1 1 0.5 4.5
Si 3 C C 0.2 1 2 4.5 1.1
Si 3 C C 0.0 1 0 4.5
Si 9 Si Si 0.03 0.5 1 5.0
Si 9 Si C 0.03 -1 6 4.0
Si 12 0.05 0.5 5.0
Si 13 0.02 0.3 1.0 2.0 4.0
Si 20 Si 0.0 5.0 p1
Si 20 C 1.0 4.0 e
Si 21 Si C 0.5 4.8 40.0 140.0 p2
Si 21 Si Si 0.0 5.0 90.0 270.0 p3a
Si 21 Si Si 0.0 5.0 -60.0 60.0 e
Si 22 Si Si 0.5 4.8 40.0 140.0 p4
Si 22 C C 0.0 4.0 30.0 100.0 p1a
Si 23 0.0 5.0 p2a
Si 24 0.0 4.0 60.0 170.0 p2
Si 25 1.0 4.5 90.0 270.0 p4a
C 2 Si 0.4 0.0 5.0
C 22 Si Si 0.0 4.0 0.0 180.0 p2
""".strip().splitlines()


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
