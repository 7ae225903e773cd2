"""Ideal cells of the compounds that `compounds` compares with."""

from functools import cache

from ase import Atoms
from ase.spacegroup import crystal

from .space_groups import space_group

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
    "marcasite": (["Fe", "S"], [(0, 0, 0), (0.2, 0.378, 0)], 58, [4.44, 5.42, 3.39, *_CUBIC]),
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
    "D0_22": (
        ["Ti", "Al", "Al"],
        [(0, 0, 0), (0, 0, 0.5), (0, 0.5, 0.25)],
        139,
        [3.85, 3.85, 8.6, *_CUBIC],
    ),
    "tungsten carbide": (
        ["W", "C"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.5)],
        187,
        [2.906, 2.906, 2.837, 90, 90, 120],
    ),
    "cadmium iodide": (
        ["Cd", "I"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.25)],
        164,
        [4.24, 4.24, 6.84, 90, 90, 120],
    ),
    "skutterudite": (
        ["Co", "Sb"],
        [(0.25, 0.25, 0.25), (0, 0.335, 0.158)],
        204,
        [9.04] * 3 + _CUBIC,
    ),
    "bixbyite": (
        ["Y", "Y", "O"],
        [(0.25, 0.25, 0.25), (-0.0327, 0, 0.25), (0.391, 0.152, 0.380)],
        206,
        [10.6] * 3 + _CUBIC,
    ),
    "alpha-NaFeO2": (
        ["Li", "Co", "O"],
        [(0, 0, 0.5), (0, 0, 0), (0, 0, 0.26)],
        166,
        [2.816, 2.816, 14.05, 90, 90, 120],
    ),
    "garnet": (
        ["Y", "Al", "Al", "O"],
        [(1 / 8, 0, 1 / 4), (0, 0, 0), (3 / 8, 0, 1 / 4), (-0.0306, 0.0512, 0.15)],
        230,
        [12.01] * 3 + _CUBIC,
    ),
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


#: Crystals of one element that no template fits; A7 and A8 have two free numbers: several each.
_OF_ELEMENTS = {
    "A7 (As)": (["As"], [(0, 0, 0.227)], 166, [3.76, 3.76, 10.55, 90, 90, 120]),
    "A7 (Sb)": (["Sb"], [(0, 0, 0.234)], 166, [4.307, 4.307, 11.27, 90, 90, 120]),
    "A7 (Bi)": (["Bi"], [(0, 0, 0.234)], 166, [4.546, 4.546, 11.86, 90, 90, 120]),
    "A8 (Se)": (["Se"], [(0.2254, 0, 1 / 3)], 152, [4.366, 4.366, 4.954, 90, 90, 120]),
    "A8 (Te)": (["Te"], [(0.2636, 0, 1 / 3)], 152, [4.457, 4.457, 5.929, 90, 90, 120]),
    "white tin (A5)": (["Sn"], [(0, 0, 0)], 141, [5.83, 5.83, 3.18, *_CUBIC]),
    "A15": (["W", "W"], [(0, 0, 0), (0.25, 0, 0.5)], 223, [5.04] * 3 + _CUBIC),
}
#: What the variants of one structure are called.
COMMON = {f"A7 ({e})": "grey arsenic (A7)" for e in ("As", "Sb", "Bi")} | {
    f"A8 ({e})": "trigonal selenium (A8)" for e in ("Se", "Te")
}
COMMON["1T cadmium iodide sheet (thick)"] = "1T cadmium iodide sheet"


@cache
def of_elements() -> dict[str, Atoms]:
    """Ideal cells of elements by the name of the structure and, in brackets, of the variant."""
    return {name: _from_space_group(*given) for name, given in _OF_ELEMENTS.items()}


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


@cache
def sites_of(name: str) -> int | None:
    """Atoms in the primitive cell of a prototype; None of a sheet and where no table has it."""
    variants = {COMMON.get(n, n): cell for n, cell in of_elements().items()}
    ideal = prototypes().get(name, variants.get(name))
    group = None if ideal is None else space_group(ideal)
    return None if group is None else group.n_primitive


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
    iodide, thick = (
        Atoms(
            "CdI2",
            [(0, 0, 0), (a / 2, a / 12**0.5, height), (0, a / 3**0.5, -height)],
            cell=molybdenite.cell,
            **flat,
        )
        for height in (1.26, half)  # as in CdI2, and as in 1T MoS2
    )
    nitride = Atoms(
        "BN",
        [(0, 0, 0), (1.25, 0.7217, 0)],
        cell=[[2.5, 0, 0], [-1.25, 2.165, 0], [0, 0, 12]],
        **flat,
    )
    return {
        "2H molybdenite sheet": molybdenite,
        "1T cadmium iodide sheet": iodide,
        "1T cadmium iodide sheet (thick)": thick,
        "boron nitride sheet": nitride,
    }
