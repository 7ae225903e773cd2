"""Frames of trajectory files one at a time, in memory that does not grow with the file."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

BINARY = (".xtc", ".dcd", ".trr")


def iter_frames(source, topology=None):
    """ase.Atoms of each frame of an XTC, TRR or DCD file, whose elements `topology` names."""
    import chemfiles

    names = read(topology)
    with chemfiles.Trajectory(str(Path(source))) as file:
        for _ in range(file.nsteps):
            frame = file.read()
            yield Atoms(names.numbers, positions=np.array(frame.positions),
                        cell=np.array(frame.cell.matrix).T, pbc=True)
