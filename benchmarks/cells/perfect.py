"""Perfect cells of many crystals, for planting defects."""

import numpy as np
from ase import Atoms
from ase.build import bulk, graphene, mx2
from ase.spacegroup import crystal

# prototype: {material: lattice constants}, all from experiment, in Å
METALS = {
    "fcc": {"Cu": 3.615, "Al": 4.05, "Ni": 3.524, "Ag": 4.086, "Pt": 3.924, "Pb": 4.951},
    "bcc": {"Fe": 2.866, "W": 3.165, "Mo": 3.147, "Na": 4.29, "Li": 3.51, "V": 3.03},
    "diamond": {"C": 3.567, "Si": 5.431, "Ge": 5.658, "Sn": 6.489},
}
HCP = {"Mg": (3.209, 5.211), "Ti": (2.951, 4.684), "Zn": (2.665, 4.947), "Zr": (3.232, 5.147)}
BINARY = {
    "zincblende": {"GaAs": 5.653, "InP": 5.869, "CdTe": 6.48, "ZnS": 5.41, "SiC": 4.36},
    "rocksalt": {"NaCl": 5.64, "MgO": 4.212, "PbTe": 6.462, "LiF": 4.026, "TiN": 4.24},
    "cesiumchloride": {"CsCl": 4.123, "NiAl": 2.887, "CuZn": 2.95, "TlBr": 3.986},
    "fluorite": {"CaF2": 5.463, "UO2": 5.471, "CeO2": 5.411, "SrCl2": 6.98},
}
WURTZITE = {
    "GaN": (3.189, 5.185),
    "ZnO": (3.25, 5.207),
    "AlN": (3.11, 4.98),
    "CdS": (4.137, 6.714),
}
PEROVSKITE = {"SrTiO3": 3.905, "BaTiO3": 4.0, "KTaO3": 3.989, "CsPbI3": 6.29, "LaAlO3": 3.79}
RUTILE = {"TiO2": (4.594, 2.959, 0.305), "SnO2": (4.737, 3.186, 0.306)}
SHEETS = {"MoS2": (3.16, 3.17), "WSe2": (3.28, 3.34)}


# Crystals of lower symmetry or with larger primitive cells: elements, sites, space group (and
# setting), a, b, c, angles, repetitions.
OTHER = {
    "Ni3Al": (
        ("Al", "Ni"),
        [(0, 0, 0), (0, 0.5, 0.5)],
        (221, 1),
        [3.572] * 3 + [90] * 3,
        (3, 3, 3),
    ),
    "anatase TiO2": (
        ("Ti", "O"),
        [(0, 0, 0), (0, 0, 0.2081)],
        (141, 1),
        [3.785, 3.785, 9.514, 90, 90, 90],
        (3, 3, 1),
    ),
    "corundum Al2O3": (
        ("Al", "O"),
        [(0, 0, 0.352), (0.306, 0, 0.25)],
        (167, 1),
        [4.759, 4.759, 12.99, 90, 90, 120],
        (2, 2, 1),
    ),
    "quartz SiO2": (
        ("Si", "O"),
        [(0.4697, 0, 0), (0.4133, 0.2672, 0.1188)],
        (152, 1),
        [4.916, 4.916, 5.405, 90, 90, 120],
        (2, 2, 2),
    ),
    "beta-Ga2O3": (
        ("Ga", "Ga", "O", "O", "O"),
        [
            (0.0905, 0, 0.7948),
            (0.3414, 0, 0.6857),
            (0.1674, 0, 0.1011),
            (0.4957, 0, 0.2553),
            (0.8279, 0, 0.4365),
        ],
        (12, 1),
        [12.23, 3.04, 5.80, 90, 103.7, 90],
        (1, 4, 2),
    ),
    "spinel MgAl2O4": (
        ("Mg", "Al", "O"),
        [(0.125,) * 3, (0.5,) * 3, (0.2624,) * 3],
        (227, 2),
        [8.083] * 3 + [90] * 3,
        (2, 1, 1),
    ),
}


def _other(name):
    if name == "Cu2O":
        corners = (0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.75, 0.25, 0.75), (0.25, 0.75, 0.75)
        sites = [*corners, (0, 0, 0), (0.5, 0.5, 0.5)]
        return Atoms("Cu4O2", cell=[4.27] * 3, pbc=True, scaled_positions=sites) * (3, 3, 2)
    symbols, sites, (group, setting), cell, repeat = OTHER[name]
    made = crystal(list(symbols), sites, spacegroup=group, setting=setting, cellpar=cell)
    return made * repeat


OTHERS = (
    "Ni3Al",
    "anatase TiO2",
    "corundum Al2O3",
    "quartz SiO2",
    "beta-Ga2O3",
    "spinel MgAl2O4",
    "Cu2O",
)


def _pick(rng, table):
    name = list(table)[rng.integers(len(table))]
    return name, table[name]


def _supercell(unit, rng, lower=30, upper=216):
    """Repeats of a unit cell with a number of atoms in the range, none much longer than wide."""
    lengths, options = unit.cell.lengths(), []
    for repeat in np.ndindex(8, 8, 8):
        repeat = np.array(repeat) + 1
        size = lengths * repeat
        if (
            lower <= len(unit) * repeat.prod() <= upper
            and size.max() < 2.0 * size.min()
            and size.min() > 5.5
        ):
            options.append(repeat)
    return unit * tuple(options[rng.integers(len(options))])


def perfect_cell(prototype, rng):
    """A perfect supercell of a random material of the prototype, and its name."""
    if prototype in METALS:
        name, a = _pick(rng, METALS[prototype])
        unit = bulk(name, prototype, a=a, cubic=bool(rng.random() < 0.7))
    elif prototype == "hcp":
        name, (a, c) = _pick(rng, HCP)
        unit = bulk(name, "hcp", a=a, c=c, orthorhombic=bool(rng.random() < 0.4))
    elif prototype in BINARY:
        name, a = _pick(rng, BINARY[prototype])
        unit = bulk(
            name,
            prototype,
            a=a,
            **({} if prototype == "cesiumchloride" else {"cubic": rng.random() < 0.7}),
        )
    elif prototype == "wurtzite":
        name, (a, c) = _pick(rng, WURTZITE)
        unit = bulk(name, "wurtzite", a=a, c=c, u=0.377)
    elif prototype == "perovskite":
        name, a = _pick(rng, PEROVSKITE)
        first, second, third = Atoms(name).symbols[[0, 1, 2]]
        unit = Atoms(
            [first, second, third, third, third],
            cell=[a] * 3,
            pbc=True,
            scaled_positions=[
                (0, 0, 0),
                (0.5, 0.5, 0.5),
                (0.5, 0.5, 0),
                (0.5, 0, 0.5),
                (0, 0.5, 0.5),
            ],
        )
    elif prototype == "rutile":
        name, (a, c, u) = _pick(rng, RUTILE)
        unit = crystal(
            [name[:2], "O"], [(0, 0, 0), (u, u, 0)], spacegroup=136, cellpar=[a, a, c, 90, 90, 90]
        )
    elif prototype == "sheet":
        if rng.random() < 0.6:
            name, (a, thick) = _pick(rng, SHEETS)
            unit = mx2(name, a=a, thickness=thick)
        else:
            name, a = ("C", 2.46) if rng.random() < 0.5 else ("BN", 2.50)
            unit = graphene("C2" if name == "C" else "BN", a=a)
        n = int(rng.integers(4, 8))
        atoms = unit * (n, n, 1)
        atoms.center(vacuum=7.5, axis=2)
        atoms.pbc = True if rng.random() < 0.5 else (True, True, False)
        return atoms, name
    else:
        name = OTHERS[rng.integers(len(OTHERS))]
        return _other(name), name
    return _supercell(unit, rng), name


PROTOTYPES = (*METALS, "hcp", *BINARY, "wurtzite", "perovskite", "rutile", "sheet", "other")
