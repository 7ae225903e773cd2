"""SOAP and ACSF, computed by DScribe.

Its third local descriptor, LMBTR, is missing: DScribe 2.1.2 cannot compute it of periodic frames
under ASE 3.29. Source: Himanen et al., Comput. Phys. Commun. 247, 106949 (2020); Laakso et al., J.
Chem. Phys. 158, 234802 (2023).
"""

from __future__ import annotations

import numpy as np

from .._checks import checked_elements
from .optional import library, version_of
from .protocol import AtomDescriptor

COMPRESSIONS = ("off", "mu2", "mu1nu1", "crossover")
ETAS, ANGLES = (0.05, 0.2, 0.8, 3.0), (1.0, 4.0, 16.0)  # 1/Å^2, exponents


def soap(
    elements,
    cutoff: float = 5.0,
    n_max: int = 8,
    l_max: int = 6,
    sigma: float = 0.5,
    compression: str = "off",
) -> AtomDescriptor:
    """Power spectrum of the smooth density of neighbours (SOAP) around each atom.

    Parameters
    ----------
    elements : sequence of str
        All elements of the frames.
    cutoff : float
        Å.
    n_max, l_max : int
        Radial functions and the highest angular momentum.
    sigma : float
        Width of the Gaussian at each neighbour (Å).
    compression : {"off", "mu2", "mu1nu1", "crossover"}
        How densities of different elements are combined; "mu2" does not tell elements apart.

    Returns
    -------
    AtomDescriptor

    Raises
    ------
    ImportError
        Without DScribe.
    ValueError
        A compression that DScribe does not have.

    Notes
    -----
    Bartok, Kondor, Csanyi, Phys. Rev. B 87, 184115 (2013). The number of features grows with the
    square of the number of elements.
    """
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression={compression!r} is none of {', '.join(COMPRESSIONS)}.")
    elements = checked_elements(elements)
    options = {"n_max": int(n_max), "l_max": int(l_max), "sigma": float(sigma)}
    make = library("dscribe.descriptors", "SOAP").SOAP
    return _described(
        "SOAP",
        "soap",
        elements,
        cutoff,
        {**options, "compression": compression},
        lambda periodic: make(
            species=elements,
            r_cut=cutoff,
            periodic=periodic,
            compression={"mode": compression, "species_weighting": None},
            **options,
        ),
    )


def acsf(elements, cutoff: float = 5.0, etas=ETAS, zetas=ANGLES) -> AtomDescriptor:
    """Atom-centred symmetry functions in DScribe's parametrisation.

    elements, cutoff  as `soap`
    etas    widths of the radial functions G2, at the centre (1/Å^2)
    zetas   exponents of the angular functions G4, for both signs of lambda

    Raises ImportError without DScribe. Behler, J. Chem. Phys. 134, 074106 (2011).
    """
    elements = checked_elements(elements)
    etas, zetas = [float(x) for x in etas], [float(x) for x in zetas]
    make = library("dscribe.descriptors", "ACSF").ACSF
    return _described(
        "ACSF",
        "acsf",
        elements,
        cutoff,
        {"etas": etas, "zetas": zetas},
        lambda periodic: make(
            species=elements,
            r_cut=cutoff,
            periodic=periodic,
            g2_params=[[eta, 0.0] for eta in etas],
            g4_params=[[0.01, zeta, sign] for zeta in zetas for sign in (1, -1)],
        ),
    )


def _described(kind, adapter, elements, cutoff, parameters, make):
    """Descriptor around DScribe's objects, one for periodic and one for open frames."""
    made = {}

    def function(atoms, index):
        periodic = bool(atoms.pbc.any())
        if periodic not in made:
            made[periodic] = make(periodic)
        return np.atleast_2d(made[periodic].create(atoms, centers=index.tolist()))

    decides = {"elements": list(elements), "cutoff": float(cutoff), **parameters}
    return AtomDescriptor(
        function,
        kind,
        decides,
        cutoff,
        elements=elements,
        version=version_of("dscribe"),
        rebuild=adapter,
        sensitive_to="elements, distances and angles of the neighbours, not their handedness",
    )
