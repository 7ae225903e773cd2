"""Descriptors of a neuroevolution potential (NEP), computed by calorine.

What is trusted: `nep.txt` is a text of numbers.
"""

from __future__ import annotations

import numpy as np

from .._types import FilePath
from ..io.download import sha256_of
from .frames import enclosed, in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor
from .weights import given_file

MOST = 20_000  # atoms of a slab


def nep(path: FilePath) -> AtomDescriptor:
    """Radial and angular descriptors of each atom, as the potential of a `nep.txt` has them.

    Parameters
    ----------
    path : path
        `nep.txt` as GPUMD writes it.

    Returns
    -------
    AtomDescriptor
        Elements and cutoff are those of the potential. A saved model records the file's digest,
        not the file: give the descriptor to `load_model` again.

    Raises
    ------
    ImportError
        Without calorine.
    FileNotFoundError, ValueError
        No such file, or one that is no NEP.

    Notes
    -----
    Fan et al., J. Chem. Phys. 157, 114801 (2022).
    """
    code = library("calorine.nep", "nep")
    path = given_file(path, "is no potential", "give the nep.txt that GPUMD wrote")
    try:
        model = code.read_model(str(path))
        elements, cutoff = (
            list(model.types),
            float(np.max([model.radial_cutoff, model.angular_cutoff])),
        )
    except Exception as error:  # calorine raises every kind
        raise ValueError(
            f"{path} is no NEP that calorine reads ({type(error).__name__}: {error});"
            " give the nep.txt that GPUMD wrote."
        ) from error

    def function(atoms, index):
        return in_slabs(
            atoms,
            index,
            cutoff,
            MOST,
            lambda part: code.get_descriptors(enclosed(part, cutoff), model_filename=str(path)),
        )

    return AtomDescriptor(
        function,
        "NEP",
        {"nep_sha256": sha256_of(path)},
        cutoff,
        elements=elements,
        version=version_of("calorine"),
        batch=10**9,
        sensitive_to="elements, distances and angles of the neighbours, not their handedness",
    )
