"""What the compiled functions get by address: tables, work arrays, by name."""

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numba import from_dtype, types
from numba.extending import intrinsic

from ..._compiled import INT, PAD, pointer_to, record_of
from .tables import ANGLE, CHANNEL, CUTOFF, MEMBER, PAIR, RADIAL, Frame, Net, Plan

# A part of every record type, so that kept machine code is dropped when any kernel changes.
VERSION = (
    "of_"
    + hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    ).hexdigest()[:12]
)
MOST_KEPT = 2_000_000  # work numbers that each thread keeps from call to call
_local = threading.local()
BLOCK = 2048  # triples at a time: their work arrays stay in the second-level cache


def _rows(kind, *names):
    return [(name, kind, (BLOCK + PAD,)) for name in names]


# Triples (i, j, k) of one centre i and one channel.
TRIPLES = np.dtype(
    [
        (VERSION, "u8", (8,)),  # so that rows begin at multiples of 64 bytes
        *_rows(
            "f8",
            "cosine",  # of the angle at i
            "square",  # r_jk^2
            "product",  # r_ij r_ik
            "bare",  # product of the cutoff functions of r_ij and r_ik, with an envelope
        ),
        *_rows("i4", "j", "k"),
    ]
)

# Work arrays of one block of triples.
WORK = np.dtype(
    [
        (VERSION, "u8", (8,)),  # so that rows begin at multiples of 64 bytes
        ("packed", "f8", (BLOCK + PAD, 4)),  # the terms that `slopes.scatter` adds up
        *_rows(
            "f8",
            "cosine",
            "square",
            "product",
            "bare",  # of triples that may be queued
            "distance",  # r_jk
            "squares",  # r_ij^2 + r_ik^2 + r_jk^2
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
WORK_SIZE, TRIPLES_SIZE = WORK.itemsize, TRIPLES.itemsize


def _layout(addresses, **numbers):
    """Of a record of addresses of arrays, and numbers."""
    names = [(VERSION, "i8"), *((name, "i8") for name in addresses.split()), *numbers.items()]
    return np.dtype(names)


# What a compiled function gets as one pointer each; the arrays are those of `tables`.
FRAME = _layout("centres first neigh shift pos cell species weight", n_species="i8")
PLAN = _layout(
    "cutoffs radials pairs channels factors powers angles members",
    n_radials="i8",
    n_pairs="i8",
    n_channels="i8",
    rc="f8",
)
NET = _layout(
    "sizes kinds weights biases offset factor", n_layers="i8", width="i8", low="f8", unit="f8"
)
SPACE = _layout(
    # polar (8, size) of each neighbour: unit vector (3), distance, its inverse, vector (3);
    # index (size,) which atom it is; start (n_species + 1,) where the neighbours of each element
    # begin; F, dF (n_radials, size) radial factors and slopes; bare, bare_slope (size,) cutoff
    # function; blocks, filled, bounds the queue, see `queue_triples`; A, dA (n_angles, ROW)
    # angular factors and slopes; E (n_factors, ROW) Gaussians of the channels with an envelope;
    # work (1, or with slopes n_channels) WORK
    "polar index start F dF bare bare_slope blocks filled bounds A dA E work "
    # Of forces: D (size,) dE/dr_ij; sums, places (size, 8), see `slopes`; row (size,); node, slope
    # (n_layers + 1, width), see `propagate`; coef (n_columns,) the energy's slopes in functions
    "D sums places row node slope coef "
    # Of `single`, in float32: near (8, size) is polar rounded; each of its blocks is (rows, ROW)
    "near",
    size="i8",
    rows="i8",
)
ROW = BLOCK + PAD
COSINE, SQUARE, PRODUCT, FACTORS = range(4)  # rows of a block in single precision

# Their types hold VERSION, so every function that depends on a layout has to take one of them.
FRAME_AT, PLAN_AT = types.CPointer(from_dtype(FRAME)), types.CPointer(from_dtype(PLAN))
NET_AT, SPACE_AT = types.CPointer(from_dtype(NET)), types.CPointer(from_dtype(SPACE))
frame_of, plan_of, net_of, space_of = map(record_of, (FRAME, PLAN, NET, SPACE))
cutoff_of, radial_of, pair_of = map(record_of, (CUTOFF, RADIAL, PAIR))
channel_of, angle_of, member_of = map(record_of, (CHANNEL, ANGLE, MEMBER))
triples_at, work_at = pointer_to(TRIPLES_AT), pointer_to(WORK_AT)


def row_of(name: str, layout: np.dtype = WORK) -> Any:
    """For compiled functions: address of a record, or pointer, to its row of this name."""
    kind, offset = layout.fields[name]
    pointer = types.CPointer(from_dtype(kind.base))

    @intrinsic
    def row(typingctx, record):
        def code(context, builder, signature, args):
            bytes_at = context.get_value_type(types.voidptr)
            known = isinstance(record, types.CPointer)
            first = (builder.bitcast if known else builder.inttoptr)(args[0], bytes_at)
            place = builder.gep(first, [context.get_constant(INT, offset)])
            return builder.bitcast(place, context.get_value_type(pointer))

        return pointer(record), code

    return row


def filled_record(layout: np.dtype, arrays: Iterable[np.ndarray], *numbers: float) -> np.ndarray:
    """(1,) of a layout with the addresses of arrays, which have to stay in memory, and numbers."""
    arrays, made = tuple(arrays), np.zeros(1, layout)
    assert all(array.flags.c_contiguous for array in arrays)
    made[0] = (0, *(array.ctypes.data for array in arrays), *numbers)
    return made


def frame_record(frame: Frame) -> np.ndarray:
    """The FRAME of a `Frame`."""
    return filled_record(FRAME, frame, len(frame.weight))


def plan_record(plan: Plan) -> np.ndarray:
    """The PLAN of a `Plan`."""
    counts = len(plan.radials), len(plan.pairs), len(plan.channels)
    return filled_record(PLAN, plan[:8], *counts, plan.rc[0])


def net_record(net: Net) -> np.ndarray:
    """The NET of a `Net`."""
    return filled_record(NET, net[:6], *net.biases.shape, net.low[0], net.unit[0])


def _memory(size):
    """Numbers from a multiple of 64 bytes on; the same each time, since new pages take long."""
    kept = _local.__dict__.get("memory", ())
    if len(kept) >= size:
        return kept
    raw = np.empty(size + 8)
    made = raw[-raw.ctypes.data % 64 // 8 :][:size]
    if size <= MOST_KEPT:
        _local.memory = made
    return made


def make_space(
    plan: Plan,
    size: int,
    n_species: int,
    net: Net | None = None,
    n_columns: int = 0,
    single: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Work arrays for centres of up to `size` neighbours: their SPACE, and the memory they are in.

    With a net also those of forces; `single`: those of `single`, not of forces.  The next call of
    this thread may give the same memory.
    """
    n_channels, n_angles = len(plan.channels), len(plan.angles)
    most = n_channels * (size * (size - 1) // (2 * BLOCK) + 1)
    size = -(-size // 8) * 8 + PAD
    nodes = (len(net.kinds) + 1) * net.biases.shape[1] if net else 0
    of_forces = size if net else 0
    n_work = max(n_channels, 1) if net else 1
    rows = FACTORS + int(np.diff(plan.channels["factors"]).max(initial=1)) if single else 0
    block = rows * ROW // 2 if single else TRIPLES_SIZE // 8
    length = np.array(
        [
            *(8 * size, size, n_species + 1),
            *(len(plan.radials) * size,) * 2,
            *(size, size, most * block, most, n_channels + 1),
            *(n_angles * ROW, n_angles * ROW, len(plan.factors) * ROW, n_work * WORK_SIZE // 8),
            *(of_forces, 8 * of_forces, 8 * of_forces, of_forces, nodes, nodes, n_columns),
            4 * size if single else 0,
        ]
    )
    ends = np.cumsum(-(-length // 8) * 8)  # each begins at a multiple of 64 bytes
    begins = ends - -(-length // 8) * 8
    memory = _memory(ends[-1])
    made = np.zeros(1, SPACE)
    made[0] = (0, *(memory.ctypes.data + 8 * begins).tolist(), size, rows)
    return made, memory
