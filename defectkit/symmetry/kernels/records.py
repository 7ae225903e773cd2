"""The work arrays of a block of triples, by name."""

import hashlib
from pathlib import Path

import numpy as np
from numba import from_dtype, types

from ..._compiled import PAD

# A part of every record type, so that kept machine code is dropped when any kernel changes.
VERSION = (
    "of_"
    + hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    ).hexdigest()[:12]
)
BLOCK = 2048  # triples at a time: their work arrays stay in the second-level cache


def _rows(kind, *names):
    return [(name, kind, (BLOCK + PAD,)) for name in names]


# Triples (i, j, k) of one centre i and one channel.
TRIPLES = np.dtype(
    [
        (VERSION, "u8"),
        # Cosine, r_jk^2, r_ij r_ik, product of the cutoff functions of r_ij and r_ik; later the
        # terms that `slopes.scatter` adds up.
        ("packed", "f8", (BLOCK + PAD, 4)),
        *_rows("i4", "j", "k"),
    ]
)

# Work arrays of one block of triples.
WORK = np.dtype(
    [
        (VERSION, "u8"),
        ("packed", "f8", (BLOCK + PAD, 4)),  # of triples that may be queued
        *_rows(
            "f8",
            "cosine",  # of the angle at i
            "distance",  # r_jk
            "product",  # r_ij r_ik
            "squares",  # r_ij^2 + r_ik^2 + r_jk^2
            "bare",  # product of the cutoff functions of r_ij and r_ik, with an envelope
            "cutoff",
            "cutoff_slope",  # of r_jk
            "factor",
            "factor_slope",  # radial factor F(r_jk)
            "cutoffs",  # product of the three cutoff functions
            "radial",  # product of the three radial factors
            "angle",
            "angle_slope",  # theta, and its slope in cos(theta)
            "angular",  # sum over functions of coefficient times angular factor
            "angular_slope",
            "by_radius",
            "by_square",
            "by_cosine",  # slopes of the energy, see `slopes`
            "along_ij",
            "along_ik",
            "along_jk",
        ),
    ]
)  # slopes in r_ij, r_ik; in r_jk over r_jk

TRIPLES_AT = types.CPointer(from_dtype(TRIPLES))
WORK_AT = types.CPointer(from_dtype(WORK))
