"""SOAP, ACSF and LMBTR, computed by DScribe.

Source: Himanen et al., Comput. Phys. Commun. 247, 106949 (2020); Laakso et al., J. Chem. Phys.
158, 234802 (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from .._checks import checked_elements
from .frames import in_slabs
from .optional import library, version_of
from .protocol import AtomDescriptor

COMPRESSIONS = ("off", "mu2", "mu1nu1", "crossover")
SEES = "elements, distances and angles of the neighbours, not their handedness"
MOST = 1000  # atoms of a slab of LMBTR, whose memory grows with their square
FADED = 1e-3  # weight of a neighbour at LMBTR's cutoff
ETAS, ANGLES = (0.05, 0.2, 0.8, 3.0), (1.0, 4.0, 16.0)  # 1/Å^2, exponents


def soap(
    elements: Sequence[str],
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


def acsf(
    elements: Sequence[str],
    cutoff: float = 5.0,
    etas: Sequence[float] = ETAS,
    zetas: Sequence[float] = ANGLES,
) -> AtomDescriptor:
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


def lmbtr(
    elements: Sequence[str], cutoff: float = 5.0, distances: int = 40, angles: int = 20
) -> AtomDescriptor:
    """Local many-body tensor representation: smooth histograms of distances and of angles.

    Parameters
    ----------
    elements : sequence of str
        All elements of the frames.
    cutoff : float
        Å; weights fall exponentially, to 0.001 at the cutoff.
    distances, angles : int
        Points of the histograms of each element (0 Å to the cutoff) and of each pair of elements
        (cosine -1 to 1); Gaussians are as wide as the spacing of two points.

    Returns
    -------
    AtomDescriptor
        The centre's own element is not encoded.

    Raises
    ------
    ImportError
        Without DScribe.
    ValueError
        Fewer than two points.

    Notes
    -----
    Huo, Rupp, Mach. Learn.: Sci. Technol. 3, 045017 (2022). DScribe counts places for the centre
    as an element of its own, so that some columns are always zero.
    """
    elements = checked_elements(elements)
    if min(distances, angles) < 2:
        raise ValueError(f"distances={distances}, angles={angles}: a histogram needs two points.")
    make = _lmbtr()
    parts = {
        ("distance", 0.0, float(cutoff), int(distances)): -np.log(FADED) / cutoff,
        ("cosine", -1.0, 1.0, int(angles)): -np.log(FADED) / (2 * cutoff),  # of the way round
    }

    def made(periodic):
        return [
            make(
                species=elements,
                geometry={"function": function},
                grid={"min": low, "max": high, "sigma": (high - low) / (n - 1), "n": n},
                weighting={"function": "exp", "scale": scale, "threshold": FADED},
                periodic=periodic,
            )
            for (function, low, high, n), scale in parts.items()
        ]

    engines = {True: made(True), False: made(False)}

    def describe(part):
        centres = list(range(len(part)))
        return np.hstack(
            [one.create(part, centers=centres) for one in engines[bool(part.pbc.any())]]
        )

    return AtomDescriptor(
        lambda atoms, index: in_slabs(atoms, index, cutoff, MOST, describe),
        "LMBTR",
        {
            "elements": list(elements),
            "cutoff": float(cutoff),
            "distances": int(distances),
            "angles": int(angles),
        },
        cutoff,
        elements=elements,
        version=version_of("dscribe"),
        rebuild="lmbtr",
        batch=10**9,
        sensitive_to=SEES,
    )


def _lmbtr():
    """DScribe's class; its frames are mended where ASE does not take them.

    DScribe 2.1.2 hands ASE its arguments by place, and ASE 3.29 has other places (DScribe's issue
    165).
    """
    code: Any = library("dscribe.descriptors.lmbtr", "LMBTR")
    try:
        code.System.from_atoms(Atoms("H"))
    except TypeError:

        class System(code.System):
            def __init__(self, symbols=None, positions=None, cell=None, pbc=None, **others):
                super().__init__(symbols, positions)
                self.set_cell(np.zeros((3, 3)) if cell is None else cell)
                self.pbc = False if pbc is None else pbc

            @staticmethod
            def from_atoms(atoms):
                return System(
                    atoms.get_chemical_symbols(), atoms.positions, cell=atoms.cell, pbc=atoms.pbc
                )

        code.System = System
    return code.LMBTR


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
        sensitive_to=SEES,
    )
