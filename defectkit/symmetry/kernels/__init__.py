"""Compiled loops: flat arrays in, flat arrays out.

The modules compile when they are imported, so they are imported where they are first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..._loading import load

if TYPE_CHECKING:
    import numpy as np

    from .tables import Frame, Net, Plan


#: Module and name of what computes features.
FEATURES = {"double": ("evaluate", "features_of"), "single": ("single", "features_of_single")}


def compiled(module: str, name: str) -> Any:
    """A compiled function of a module here, or loaded from disk; it takes numbers and addresses.

    It releases the interpreter's lock.
    """
    load(f"symmetry.kernels.{module}")
    return load("_compiled").for_python(name)


def features_of(
    frame: Frame, plan: Plan, out: np.ndarray, precision: str = "double"
) -> Callable[[int, int], None]:
    """A function (begin, end) that adds the functions of some of the centres to rows of `out`.

    NaN where atoms coincide.

    out        (n_centres, n_columns) of float64, C order
    precision  "single": of the triples; other parts and the sums are in double all the same
    """
    records, run = load("symmetry.kernels.records"), compiled(*FEATURES[precision])
    given = records.frame_record(frame), records.plan_record(plan)

    def part(begin, end):
        size, single = frame.most(begin, end), precision == "single"
        space, _memory = records.make_space(plan, size, len(frame.weight), single=single)
        at = [array.ctypes.data for array in (*given, space, out)]
        run(begin, end, *at[:3], out.shape[1], at[3])

    return part


def forces_of(
    chunks: int,
    frame: Frame,
    plan: Plan,
    net: Net,
    slopes: bool,
    out: np.ndarray,
    energy: np.ndarray,
    force: np.ndarray,
    virial: np.ndarray,
) -> Callable[[int, int], None]:
    """As `features_of`, and energies and (slopes) forces; begin and end count chunks of centres.

    chunks  equal ones; their number, not that of the threads, fixes the bits of the sums
    energy  (n_centres,) output of the net
    force   (chunks, n_atoms, 3) added to
    virial  (chunks, 3, 3) sum of r_ij (x) f_j, added to
    """
    records, run = load("symmetry.kernels.records"), compiled("forces", "forces_of")
    given = records.frame_record(frame), records.plan_record(plan), records.net_record(net)
    n = len(frame.centres)

    def part(begin, end):
        most = frame.most(n * begin // chunks, n * end // chunks)
        space, _memory = records.make_space(plan, most, len(frame.weight), net, out.shape[1])
        results = [array.ctypes.data for array in (out, energy, force, virial)]
        at = [array.ctypes.data for array in (*given, space)]
        run(begin, end, chunks, n, force.shape[1], *at, slopes, out.shape[1], *results)

    return part
