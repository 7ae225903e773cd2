"""Cells with phases, surfaces, planar and line defects whose answer is known.

`cells(seed)` yields (name, atoms, truth). Metals of EMT are hot from molecular dynamics, all else
from displacements of a seed as large as at the stated part of the melting temperature. truth has
"types" (names per atom, or None), "kinds" (what must be named, sorted), "atoms" (flags of the
defect's atoms by common neighbour analysis of the cell before it was heated, or None).
"""

import numpy as np
from ase import Atoms, units
from ase.build import (
    add_adsorbate,
    bcc100,
    bcc110,
    bulk,
    diamond100,
    diamond111,
    fcc100,
    fcc110,
    fcc111,
    hcp0001,
)
from ase.calculators.emt import EMT
from ase.lattice.cubic import BodyCenteredCubic, Diamond, FaceCenteredCubic
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.neighborlist import neighbor_list
from ase.optimize import FIRE

MELTS = {"Cu": 1358, "Al": 933, "Ni": 1728, "Ag": 1235, "Au": 1337, "Pd": 1828, "Pt": 2041}
LATTICE = {"fcc": FaceCenteredCubic, "bcc": BodyCenteredCubic, "diamond": Diamond}
EDGE = {"fcc": ("Cu", 3.61), "bcc": ("Fe", 2.87), "diamond": ("Si", 5.43)}
HOT, WARM = 0.125, 0.06  # rms displacement over the distance of neighbours: 0.8 of melting, 300 K
SMALL = (
    "intrinsic stacking fault",
    "extrinsic stacking fault",
    "twin boundary",
    "grain boundary",
    "dislocation",
    "stacking fault",
)


def shaken(atoms, part, nearest, rng):
    """A copy with Gaussian displacements of rms `part` times the nearest distance."""
    atoms = atoms.copy()
    atoms.positions += rng.normal(0, part * nearest / np.sqrt(3), (len(atoms), 3))
    return atoms


def md(atoms, temperature, steps, rng):
    atoms = atoms.copy()
    atoms.calc = EMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
    Langevin(
        atoms, 4 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
    ).run(steps)
    atoms.calc = None
    return atoms


def nearest(atoms):
    return neighbor_list("d", atoms, 4.6).min()


def hot_crystals(seed, rng):
    metal = list(MELTS)[seed % len(MELTS)]
    start = bulk(metal, cubic=True) * 4
    start.set_cell(start.cell * 1.018, scale_atoms=True)
    yield f"hot fcc {metal} (EMT)", md(start, 0.8 * MELTS[metal], 150, rng), "fcc"
    for name, atoms, kind in (
        ("Mo", bulk("Mo", cubic=True) * 7, "bcc"),
        ("Mg", bulk("Mg") * (7, 7, 5), "hcp"),
        ("Zn", bulk("Zn") * (7, 7, 5), "hcp"),
        ("Si", bulk("Si", cubic=True) * 4, "diamond"),
        ("Cu triclinic", bulk("Cu") * (8, 7, 6), "fcc"),
    ):
        yield f"hot {kind} {name}", shaken(atoms, HOT, nearest(atoms), rng), kind


def layers(sequence, diamond, n=5):
    """Close-packed layers by letters, periodic."""
    element, d = ("Si", 3.84) if diamond else ("Cu", 2.553)
    a1, a2, h = np.array([d, 0, 0]), np.array([d / 2, d * 3**0.5 / 2, 0]), d * (2 / 3) ** 0.5
    at = {"A": np.zeros(3), "B": (a1 + a2) / 3, "C": 2 * (a1 + a2) / 3}
    positions = [
        i * a1 + j * a2 + at[s] + [0, 0, k * h + z]
        for k, s in enumerate(sequence)
        for i in range(n)
        for j in range(n)
        for z in ((0, 0.75 * h) if diamond else (0,))
    ]
    return Atoms(
        f"{element}{len(positions)}",
        positions,
        cell=[n * a1, n * a2, [0, 0, len(sequence) * h]],
        pbc=True,
    )


def planar(seed, rng):
    shift = seed % 3
    for diamond in (False, True):
        host = "diamond" if diamond else "fcc"
        for kind, sequence, kinds in (
            ("intrinsic", "ABCABC" + "ABC" * shift + "ABABCABC", ["intrinsic stacking fault"]),
            ("extrinsic", "ABCABC" + "ABC" * shift + "ABACABC", ["extrinsic stacking fault"]),
            ("twin", "ABCABCABCA"[: 7 + shift] + "ABCABCABCA"[: 6 + shift][::-1][0:], None),
        ):
            if kinds is None:
                half = "ABCABCABCABC"[: 6 + shift]
                sequence = half + half[::-1][1:-1]
                kinds = ["twin boundary"] * 2
            yield f"{kind} in {host}", layers(sequence, diamond), kinds, WARM
    yield ("fault in hcp", layers("ABABABABCBCBCBCB", False), ["stacking fault"] * 2, WARM)


def tilt_boundary(crystal, u, v, w, size, reps):
    """Two symmetric tilt boundaries across z: a crystal and its image, close pairs merged."""
    element, a = EDGE[crystal]
    one = LATTICE[crystal](
        directions=[u, w, v], size=(*size, reps), symbol=element, latticeconstant=a, pbc=True
    )
    height = one.cell[2, 2]
    other = one.positions * [1, 1, -1] + [0, 0, 2 * height]
    cell = one.cell.array.copy()
    cell[2, 2] = 2 * height
    atoms = Atoms(
        f"{element}{2 * len(one)}", np.vstack([one.positions, other]), cell=cell, pbc=True
    )
    atoms.wrap()
    i, j = neighbor_list("ij", atoms, 0.7 * nearest(one))
    gone = set()
    for a_, b_ in zip(i.tolist(), j.tolist(), strict=True):
        if a_ < b_ and a_ not in gone:
            gone.add(b_)
    del atoms[sorted(gone)]
    if np.linalg.det(atoms.cell.array) < 0:
        atoms.positions[:, 0] *= -1
        atoms.cell[0] *= -1
    return atoms


def boundaries(rng):
    for crystal in EDGE:
        for name, u, v, w, size in (
            ("Sigma 5 (210)", [1, -2, 0], [2, 1, 0], [0, 0, 1], (2, 4)),
            ("Sigma 13 (320)", [2, -3, 0], [3, 2, 0], [0, 0, 1], (1, 4)),
        ):
            reps = 3 if name.startswith("Sigma 5") else 2
            yield (
                f"{name} in {crystal}",
                tilt_boundary(crystal, u, v, w, size, reps),
                ["grain boundary"] * 2,
                WARM,
            )
    twin = tilt_boundary("bcc", [1, -1, 1], [1, -1, -2], [1, 1, 0], (3, 3), 3)
    yield "(112) twin in bcc", twin, ["grain boundary"] * 2, WARM


def dislocation(crystal, character, rng):
    """A straight dislocation along z in a cylinder, periodic along it (isotropic elasticity)."""
    element, a = EDGE[crystal]
    axes = {
        "fcc": ([1, -1, 0], [1, 1, 1], [1, 1, -2]),
        "diamond": ([1, -1, 0], [1, 1, 1], [1, 1, -2]),
        "bcc": ([1, 1, 1], [1, -1, 0], [1, 1, -2]),
    }[crystal]
    slip, normal, third = axes
    b = a * {"fcc": 0.5**0.5, "diamond": 0.5**0.5, "bcc": 0.75**0.5}[crystal]
    x, y, z = (slip, normal, third) if character == "edge" else (third, normal, slip)
    one = LATTICE[crystal](directions=[x, y, z], symbol=element, latticeconstant=a, pbc=True)
    atoms = one * np.ceil(np.array([52, 52, 8]) / np.abs(one.cell.array.diagonal())).astype(int)
    if atoms.cell[2, 2] < 0:
        atoms.positions[:, 2] *= -1
        atoms.cell[2, 2] *= -1
    centre = atoms.cell.array.diagonal()[:2] / 2 + rng.uniform(0, 0.8, 2) + 0.3
    p = atoms.positions[:, :2] - centre
    theta, r2 = np.arctan2(p[:, 1], p[:, 0]), (p**2).sum(axis=1)
    if character == "screw":
        atoms.positions[:, 2] += b * theta / (2 * np.pi)
    else:
        nu = 0.3
        atoms.positions[:, 0] += (
            b / (2 * np.pi) * (theta + p[:, 0] * p[:, 1] / (2 * (1 - nu) * r2))
        )
        atoms.positions[:, 1] -= (
            b
            / (2 * np.pi)
            * (
                (1 - 2 * nu) / (4 * (1 - nu)) * np.log(r2)
                + (p[:, 0] ** 2 - p[:, 1] ** 2) / (4 * (1 - nu) * r2)
            )
        )
    atoms = atoms[r2 < 24**2]
    if character == "edge":  # the cut is between planes: no atom may lie on another
        i, j = neighbor_list("ij", atoms, 0.6 * nearest(bulk(element)))
        del atoms[sorted({int(max(s, t)) for s, t in zip(i, j, strict=True)})]
    atoms.pbc = [False, False, True]
    if crystal == "fcc":
        from ase.constraints import FixAtoms

        away = np.linalg.norm(atoms.positions[:, :2] - centre, axis=1)
        atoms.set_constraint(FixAtoms(away > 20))
        atoms.calc = EMT()
        FIRE(atoms, logfile=None).run(fmax=0.05, steps=25)
        atoms.calc = None
        atoms.set_constraint()
    atoms.info["centre"] = centre
    return atoms


SLABS = (
    ("fcc111", fcc111, "Cu", (6, 6, 7), "fcc"),
    ("fcc100", fcc100, "Al", (6, 6, 8), "hollow"),
    ("fcc110", fcc110, "Cu", (5, 6, 10), "hollow"),
    ("bcc110", bcc110, "Fe", (6, 6, 7), "hollow"),
    ("bcc100", bcc100, "W", (6, 6, 9), "hollow"),
    ("hcp0001", hcp0001, "Mg", (6, 6, 8), "fcc"),
    ("diamond111", diamond111, "Si", (5, 5, 10), None),
    ("diamond100", diamond100, "Si", (5, 5, 12), None),
)


def slabs(rng):
    for name, build, element, size, site in SLABS:
        flat = build(element, size, vacuum=8)
        flat.pbc = [True, True, bool(rng.integers(2))]
        top = np.flatnonzero(flat.get_tags() == 1)
        surface = ["surface"] * 2
        yield f"{name} flat", flat, surface
        missing = flat.copy()
        del missing[int(rng.choice(top))]
        yield f"{name} vacancy", missing, ["surface", "surface", "surface vacancy"]
        if site:
            one = flat.copy()
            place = tuple(int(k) for k in rng.integers(0, 5, 2))
            layer = abs(np.diff(np.unique(flat.positions[:, 2].round(3)))[-1])
            add_adsorbate(one, element, layer, site, offset=place)
            yield f"{name} adatom", one, ["adatom", *surface]
        stepped = flat.copy()
        rows = int(rng.integers(2, size[1] - 1))
        del stepped[top[: rows * size[0]]]
        yield f"{name} step", stepped, ["step", *surface]


def soft_liquid(n, density, rng, keep=None):
    """Points pushed apart until none is nearer than 0.85 of the mean spacing; `keep` stay."""
    length = (n / density) ** (1 / 3)
    positions = rng.uniform(0, length, (n, 3))
    if keep is not None:
        middle = keep.mean(axis=0)
        radius = np.linalg.norm(keep - middle, axis=1).max() + 1.0
        while (inside := np.linalg.norm(positions - middle, axis=1) < radius).any():
            positions[inside] = rng.uniform(0, length, (inside.sum(), 3))
        positions[: len(keep)] = keep
    atoms = Atoms(f"Cu{n}", positions, cell=[length] * 3, pbc=True)
    reach = 0.95 * density ** (-1 / 3)
    for _ in range(60):
        i, d, v = neighbor_list("idD", atoms, reach)
        push = np.zeros_like(positions)
        np.add.at(push, i, -v / np.maximum(d, 0.1)[:, None] * (reach - d)[:, None] * 0.3)
        if keep is not None:
            push[: len(keep)] = 0
        atoms.positions += push
    return atoms


def nucleus(rng):
    density = 4 / 3.61**3
    radius = rng.uniform(8.5, 10)
    length = (2048 / density) ** (1 / 3)
    crystal = bulk("Cu", cubic=True) * 9
    away = crystal.positions - crystal.cell.array.sum(axis=0) / 2
    ball = away[np.linalg.norm(away, axis=1) < radius]
    atoms = soft_liquid(2048, density, rng, ball + length / 2)
    return atoms, np.arange(2048) < len(ball)


def alloy(rng):
    atoms = bulk("Ni", cubic=True) * 6
    atoms.numbers = rng.choice([24, 25, 26, 27, 28], len(atoms))
    return shaken(atoms, 0.09, 2.49, rng)


def compounds(rng):
    from defectkit.phases.prototypes import COMMON, prototypes

    for name, ideal in prototypes().items():
        repeat = [3 if p else 1 for p in ideal.pbc] if len(ideal) < 13 else [2, 2, 1]
        cell = ideal * repeat
        strain = np.eye(3) * rng.uniform(0.9, 1.1) + rng.normal(0, 0.004, (3, 3))
        cell.set_cell(cell.cell.array @ strain, scale_atoms=True)
        yield COMMON.get(name, name), shaken(cell, 0.08, nearest(cell), rng)


def reference_defects(atoms):
    """Flags of the atoms that are not of the commonest crystal before heating."""
    from defectkit.phases import _mdapy

    points = _mdapy.frame(atoms.positions, atoms.cell.complete().array, atoms.pbc)
    neighbours = _mdapy.nearest(points)[0]
    if atoms.get_chemical_symbols()[0] == "Si":
        return _mdapy.diamond_types(points, neighbours) != 1
    codes = _mdapy.common_neighbours(points, neighbours)
    return codes != np.bincount(codes[codes > 0]).argmax()


def cells(seed):
    """Yields (name, atoms, truth) of one seed."""
    rng = np.random.default_rng(seed)
    for name, atoms, kind in hot_crystals(seed, rng):
        yield name, atoms, {"types": [kind] * len(atoms), "kinds": [], "atoms": None}
    for name, atoms, kinds, heat in (*planar(seed, rng), *boundaries(rng)):
        truth = {"types": None, "kinds": kinds, "atoms": reference_defects(atoms)}
        yield name, shaken(atoms, heat, nearest(atoms), rng), truth
    for crystal in EDGE:
        for character in ("screw", "edge"):
            atoms = dislocation(crystal, character, rng)
            away = np.linalg.norm(atoms.positions[:, :2] - atoms.info["centre"], axis=1)
            truth = {
                "types": None,
                "kinds": ["dislocation"],
                "character": character,
                "atoms": reference_defects(atoms) & (away < 17),
            }
            yield (
                f"{character} dislocation in {crystal}",
                shaken(atoms, WARM, nearest(atoms), rng),
                truth,
            )
    for name, atoms, kinds in slabs(rng):
        yield (
            name,
            shaken(atoms, WARM, nearest(atoms), rng),
            {"types": None, "kinds": kinds, "atoms": None},
        )
    atoms, inside = nucleus(rng)
    yield (
        "nucleus in melt",
        shaken(atoms, WARM, 2.55, rng),
        {"types": None, "kinds": ["nucleus"], "atoms": inside},
    )
    liquid = soft_liquid(1000, 4 / 3.7**3, rng)
    yield "liquid", liquid, {"types": ["other"] * 1000, "kinds": [], "atoms": None}
    yield (
        "five-element alloy",
        alloy(rng),
        {"types": ["fcc"] * 864, "kinds": [], "atoms": None, "prototype": "fcc random alloy"},
    )
    for name, atoms in compounds(rng):
        kinds = ["surface"] * 2 if not atoms.pbc.all() else []
        yield name, atoms, {"types": None, "kinds": kinds, "atoms": None, "prototype": name}
