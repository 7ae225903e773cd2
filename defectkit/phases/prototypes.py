"""Ideal cells of the compounds that `compounds` compares with."""

from functools import cache

from ase import Atoms
from ase.spacegroup import crystal

_CUBIC = [90, 90, 90]
#: Elements, fractional positions, space group (and setting), edges (Å) and angles (degrees).
_BY_SPACE_GROUP = {
    "rock salt": (["Na", "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)], 225, [5.64] * 3 + _CUBIC),
    "zinc blende": (["Zn", "S"], [(0, 0, 0), (0.25, 0.25, 0.25)], 216, [5.41] * 3 + _CUBIC),
    "wurtzite": (
        ["Zn", "S"],
        [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.375)],
        186,
        [3.82, 3.82, 3.82 * 1.633, 90, 90, 120],
    ),
    "fluorite": (["Ca", "F"], [(0, 0, 0), (0.25, 0.25, 0.25)], 225, [5.46] * 3 + _CUBIC),
    "rutile": (["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], 136, [4.594, 4.594, 2.959, *_CUBIC]),
    "anatase": (["Ti", "O"], [(0, 0, 0), (0, 0, 0.208)], 141, [3.785, 3.785, 9.514, *_CUBIC]),
    "nickel arsenide": (
        ["Ni", "As"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.25)],
        194,
        [3.62, 3.62, 5.03, 90, 90, 120],
    ),
    "corundum": (
        ["Al", "O"],
        [(0, 0, 0.352), (0.306, 0, 0.25)],
        167,
        [4.758, 4.758, 12.99, 90, 90, 120],
    ),
    "spinel": (
        ["Mg", "Al", "O"],
        [(1 / 8, 1 / 8, 1 / 8), (0.5, 0.5, 0.5), (0.262, 0.262, 0.262)],
        (227, 2),
        [8.08] * 3 + _CUBIC,
    ),
    "pyrite": (["Fe", "S"], [(0, 0, 0), (0.385, 0.385, 0.385)], 205, [5.42] * 3 + _CUBIC),
    "alpha quartz": (
        ["Si", "O"],
        [(0.47, 0, 2 / 3), (0.414, 0.267, 0.786)],
        154,
        [4.913, 4.913, 5.405, 90, 90, 120],
    ),
    "D0_3": (
        ["Al", "Fe", "Fe"],
        [(0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)],
        225,
        [5.79] * 3 + _CUBIC,
    ),
    "A15": (["Si", "Cr"], [(0, 0, 0), (0.25, 0, 0.5)], 223, [4.56] * 3 + _CUBIC),
}
#: Elements, fractional positions and edges (Å) of cells that are written out.
_WRITTEN_OUT = {
    "caesium chloride (B2)": ("CsCl", [(0, 0, 0), (0.5, 0.5, 0.5)], [4.12] * 3),
    "perovskite": (
        "SrTiO3",
        [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)],
        [3.9] * 3,
    ),
    "L1_2": ("AuCu3", [(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], [3.75] * 3),
    "L1_0": (
        "AuCuAuCu",
        [(0, 0, 0), (0.5, 0, 0.5), (0.5, 0.5, 0), (0, 0.5, 0.5)],
        [3.96, 3.96, 3.68],
    ),
}


@cache
def prototypes() -> dict[str, Atoms]:
    """Ideal cells by the name of the compound's structure."""
    return (
        {name: _from_space_group(*given) for name, given in _BY_SPACE_GROUP.items()}
        | {
            name: Atoms(symbols, scaled_positions=sites, cell=edges, pbc=True)
            for name, (symbols, sites, edges) in _WRITTEN_OUT.items()
        }
        | _sheets()
    )


def _from_space_group(symbols, sites, group, cell):
    number, setting = group if isinstance(group, tuple) else (group, 1)
    return crystal(symbols, sites, spacegroup=number, setting=setting, cellpar=cell)


def _sheets():
    """One layer each; the third vector of the cell is vacuum."""
    a, half = 3.16, 1.56
    flat = {"pbc": [True, True, False]}
    molybdenite = Atoms(
        "MoS2",
        [(0, 0, 0), (a / 2, a / 12**0.5, half), (a / 2, a / 12**0.5, -half)],
        cell=[[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, 12]],
        **flat,
    )
    nitride = Atoms(
        "BN",
        [(0, 0, 0), (1.25, 0.7217, 0)],
        cell=[[2.5, 0, 0], [-1.25, 2.165, 0], [0, 0, 12]],
        **flat,
    )
    return {"2H molybdenite sheet": molybdenite, "boron nitride sheet": nitride}
