"""Compiled loops: flat arrays in, flat arrays out.

The modules compile when they are imported, so they are imported where they are first needed.
"""

from functools import cache
from importlib import import_module


@cache
def features_kernel():
    """`evaluate.features_of`, compiled or loaded from disk."""
    return import_module(".evaluate", __name__).features_of


@cache
def forces_kernel():
    """`forces.forces_of`, compiled or loaded from disk."""
    return import_module(".forces", __name__).forces_of


def new_work(plan=None):
    """Work arrays of a block of triples, which a kernel takes as its last argument.

    plan  of the energies' kernel, which takes some for each channel
    """
    records = import_module(".records", __name__)
    return records.np.zeros(1 if plan is None else max(1, len(plan.channels)), records.WORK)
