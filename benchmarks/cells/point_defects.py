"""Cells of many crystals with planted point defects, and the score of `find_point_defects`.

    python -m benchmarks.cells.point_defects            # seeds for judging: 3, 4, 6
    python -m benchmarks.cells.point_defects 0 1 2 5    # seeds for tuning

Heat is that of a network of springs: displacements drawn from its normal modes, so that
neighbours move together as in a crystal; long waves are the widest. Copper-like metals also come
from molecular dynamics (EMT), silicon from the embedded runs.
"""

import sys
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk, graphene, mx2
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal
from scipy.spatial import cKDTree

from defectkit.defects import find_point_defects, wigner_seitz

TUNING, JUDGING = (0, 1, 2, 5), (3, 4, 6)
TOLERANCE = 0.5  # Å

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
WURTZITE = {"GaN": (3.189, 5.185), "ZnO": (3.25, 5.207), "AlN": (3.11, 4.98),
            "CdS": (4.137, 6.714)}
PEROVSKITE = {"SrTiO3": 3.905, "BaTiO3": 4.0, "KTaO3": 3.989, "CsPbI3": 6.29, "LaAlO3": 3.79}
RUTILE = {"TiO2": (4.594, 2.959, 0.305), "SnO2": (4.737, 3.186, 0.306)}
SHEETS = {"MoS2": (3.16, 3.17), "WSe2": (3.28, 3.34)}


def _other(name):
    """Crystals of lower symmetry or with larger primitive cells."""
    if name == "Ni3Al":
        return crystal(["Al", "Ni"], [(0, 0, 0), (0, 0.5, 0.5)], spacegroup=221,
                       cellpar=[3.572] * 3 + [90] * 3) * (3, 3, 3)
    if name == "anatase TiO2":
        return crystal(["Ti", "O"], [(0, 0, 0), (0, 0, 0.2081)], spacegroup=141,
                       cellpar=[3.785, 3.785, 9.514, 90, 90, 90]) * (3, 3, 1)
    if name == "corundum Al2O3":
        return crystal(["Al", "O"], [(0, 0, 0.352), (0.306, 0, 0.25)], spacegroup=167,
                       cellpar=[4.759, 4.759, 12.99, 90, 90, 120]) * (2, 2, 1)
    if name == "quartz SiO2":
        return crystal(["Si", "O"], [(0.4697, 0, 0), (0.4133, 0.2672, 0.1188)], spacegroup=152,
                       cellpar=[4.916, 4.916, 5.405, 90, 90, 120]) * (2, 2, 2)
    if name == "beta-Ga2O3":
        return crystal(["Ga", "Ga", "O", "O", "O"],
                       [(0.0905, 0, 0.7948), (0.3414, 0, 0.6857), (0.1674, 0, 0.1011),
                        (0.4957, 0, 0.2553), (0.8279, 0, 0.4365)], spacegroup=12,
                       cellpar=[12.23, 3.04, 5.80, 90, 103.7, 90]) * (1, 4, 2)
    if name == "spinel MgAl2O4":
        return crystal(["Mg", "Al", "O"], [(0.125,) * 3, (0.5,) * 3, (0.2624,) * 3],
                       spacegroup=227, setting=2, cellpar=[8.083] * 3 + [90] * 3) * (2, 1, 1)
    if name == "Cu2O":
        return Atoms("Cu4O2", cell=[4.27] * 3, pbc=True,
                     scaled_positions=[(.25, .25, .25), (.75, .75, .25), (.75, .25, .75),
                                       (.25, .75, .75), (0, 0, 0), (.5, .5, .5)]) * (3, 3, 2)
    raise ValueError(name)


OTHERS = ("Ni3Al", "anatase TiO2", "corundum Al2O3", "quartz SiO2", "beta-Ga2O3",
          "spinel MgAl2O4", "Cu2O")


@dataclass
class Truth:
    """Planted defects: (kind, element, position in Å) of each, and where the cell comes from."""

    defects: list
    prototype: str
    material: str
    heat: float
    label: str = ""


def _pick(rng, table):
    name = list(table)[rng.integers(len(table))]
    return name, table[name]


def _supercell(unit, rng, lower=30, upper=216):
    """Repeats of a unit cell with a number of atoms in the range, none much longer than wide."""
    lengths, options = unit.cell.lengths(), []
    for repeat in np.ndindex(8, 8, 8):
        repeat = np.array(repeat) + 1
        size = lengths * repeat
        if lower <= len(unit) * repeat.prod() <= upper and size.max() < 2.0 * size.min() \
                and size.min() > 5.5:
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
        unit = bulk(name, prototype, a=a,
                    **({} if prototype == "cesiumchloride" else {"cubic": rng.random() < 0.7}))
    elif prototype == "wurtzite":
        name, (a, c) = _pick(rng, WURTZITE)
        unit = bulk(name, "wurtzite", a=a, c=c, u=0.377)
    elif prototype == "perovskite":
        name, a = _pick(rng, PEROVSKITE)
        first, second, third = Atoms(name).symbols[[0, 1, 2]]
        unit = Atoms([first, second, third, third, third], cell=[a] * 3, pbc=True,
                     scaled_positions=[(0, 0, 0), (.5, .5, .5), (.5, .5, 0), (.5, 0, .5),
                                       (0, .5, .5)])
    elif prototype == "rutile":
        name, (a, c, u) = _pick(rng, RUTILE)
        unit = crystal([name[:2], "O"], [(0, 0, 0), (u, u, 0)], spacegroup=136,
                       cellpar=[a, a, c, 90, 90, 90])
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


def spacing_of(atoms):
    """Shortest distance between atoms, Å."""
    return neighbor_list("d", atoms, 4.0).min()


def warm(atoms, amplitude, rng):
    """A copy with thermal displacements, `amplitude` Å rms along one direction.

    Drawn from the normal modes of springs between near atoms, a quarter as stiff across as along.
    """
    moved = atoms.copy()
    if amplitude == 0:
        return moved
    i, j, vector = neighbor_list("ijD", atoms, 1.6 * spacing_of(atoms))
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    unit, n_atoms = vector / length, len(atoms)
    stiff = (0.75 * unit[:, :, None] * unit[:, None, :] + 0.25 * np.eye(3))
    stiff *= (length.min() / length[..., None]) ** 4
    matrix = np.zeros((n_atoms, 3, n_atoms, 3))
    np.add.at(matrix, (i, slice(None), j), -stiff)
    np.add.at(matrix, (i, slice(None), i), stiff)
    value, mode = np.linalg.eigh(matrix.reshape(3 * n_atoms, -1))
    wide = np.where(value > 1e-6, 1 / np.sqrt(np.maximum(value, 1e-6)), 0)
    shift = (mode @ (wide * rng.normal(size=3 * n_atoms))).reshape(-1, 3)
    moved.positions += shift * amplitude / np.sqrt((shift**2).mean())
    return moved


def voids(atoms, rng, count=150):
    """Places (n, 3) of the local voids of a crystal, the widest first, and their radii (Å)."""
    from defectkit.defects.geometry import ghosts

    points, _ = ghosts(atoms.positions, atoms.cell.array, np.array(atoms.pbc), 8.0)
    tree = cKDTree(points)
    inside = atoms.positions[rng.integers(len(atoms), size=count)] + rng.normal(0, 1.2, (count, 3))
    for _ in range(60):
        away, near = tree.query(inside, k=16)
        step = inside[:, None] - points[near]
        weight = np.exp(-8 * (away - away[:, :1]))
        inside = inside + 0.03 * (weight[..., None] * step / away[..., None]).sum(1) \
            / np.maximum(weight.sum(1), 1)[:, None]
    radius = tree.query(inside)[0]
    order = np.argsort(-radius)
    return inside[order], radius[order]


def relax_around(atoms, place, factor, rng):
    """Move the neighbours of a place radially by a fraction of their distance, in place."""
    step, away = find_mic(atoms.positions - place, atoms.cell, atoms.pbc)
    near = (away > 1e-3) & (away < 1.2 * np.sort(away[away > 1e-3])[0])
    atoms.positions[near] += factor * step[near]


def push_out(atoms, members, least):
    """Move the neighbours of the members away until they are `least` Å apart, in place."""
    for _ in range(20):
        for m in members:
            step, away = find_mic(atoms.positions - atoms.positions[m], atoms.cell, atoms.pbc)
            near = (away > 1e-3) & (away < least)
            near[members] = False
            part = 0.5 * (least - away[near]) / away[near]
            atoms.positions[near] += part[:, None] * step[near]


def plant(atoms, kind, rng):
    """A cell with one defect of a kind planted, relaxed by hand: (atoms, list of truth)."""
    d, damaged = spacing_of(atoms), atoms.copy()
    site = int(rng.integers(len(atoms)))
    place, element = atoms.positions[site].copy(), atoms.symbols[site]
    factor = rng.uniform(0.02, 0.10) * rng.choice([-1, 1])
    if kind == "perfect":
        return damaged, []
    if kind == "vacancy":
        relax_around(damaged, place, factor, rng)
        del damaged[site]
        return damaged, [(kind, element, place)]
    if kind in ("divacancy", "two vacancies"):
        away = atoms.get_distances(site, range(len(atoms)), mic=True)
        if kind == "divacancy":
            other = int(np.argsort(away, kind="stable")[1])
        else:
            other = int(away.argmax())
        places = [(("divacancy" if kind == "divacancy" else "vacancy"), atoms.symbols[k],
                   atoms.positions[k].copy()) for k in (site, other)]
        for k in (site, other):
            relax_around(damaged, atoms.positions[k], factor, rng)
        del damaged[sorted([site, other])]
        return damaged, places
    if kind in ("interstitial", "frenkel", "foreign interstitial"):
        found, radius = voids(atoms, rng)
        good = radius > 0.88 * radius[0]
        place = found[rng.integers(good.sum())]
        own = atoms.symbols[rng.integers(len(atoms))]
        element = "H" if kind == "foreign interstitial" else own
        truth = [("interstitial", element, place)]
        damaged += Atoms(element, [place])
        push_out(damaged, [len(damaged) - 1], 0.78 * d)
        if kind == "frenkel":
            away = find_mic(atoms.positions - place, atoms.cell, atoms.pbc)[1]
            away[np.array(list(atoms.symbols)) != element] = 0
            hole = int(away.argmax())
            truth.append(("vacancy", element, atoms.positions[hole].copy()))
            del damaged[hole]
        return damaged, truth
    if kind == "dumbbell":
        axis = rng.normal(size=3)
        axis = np.array([(1, 0, 0), (1, 1, 0), (1, 1, 1)][rng.integers(3)]) if rng.random() < 0.8 \
            else axis
        half = 0.40 * d * axis / np.linalg.norm(axis)
        damaged.positions[site] = place + half
        damaged += Atoms(element, [place - half])
        push_out(damaged, [site, len(damaged) - 1], 0.78 * d)
        return damaged, [("dumbbell", element, place)]
    if kind == "antisite":
        others = sorted(set(atoms.symbols) - {element})
        if not others:
            return plant(atoms, "substitutional", rng)
        new = others[rng.integers(len(others))]
        damaged.symbols[site] = new
        relax_around(damaged, place, factor, rng)
        return damaged, [("antisite", f"{new} on {element}", place)]
    if kind == "substitutional":
        new = ["Mg", "C", "Ge", "Er"][rng.integers(4)]
        new = "Xe" if new in set(atoms.symbols) else new
        damaged.symbols[site] = new
        relax_around(damaged, place, factor, rng)
        return damaged, [("substitutional", f"{new} on {element}", place)]
    raise ValueError(kind)


KINDS = ("perfect", "vacancy", "vacancy", "interstitial", "dumbbell", "antisite",
         "substitutional", "divacancy", "two vacancies", "frenkel", "perfect", "vacancy")


def built_cells(seed, per_prototype=12):
    """(atoms, Truth) for all prototypes, kinds and heats of one seed."""
    for number, prototype in enumerate(PROTOTYPES):
        rng = np.random.default_rng([seed, number])
        for k in range(per_prototype):
            ideal, name = perfect_cell(prototype, rng)
            kind = KINDS[k % len(KINDS)]
            if prototype == "sheet" and kind in ("interstitial", "frenkel", "dumbbell"):
                kind = "vacancy"
            damaged, truth = plant(ideal, kind, rng)
            level = rng.choice([0, 0.02, 0.04, 0.06, 0.08])
            heat = level * spacing_of(ideal)
            atoms = warm(damaged, heat, rng)
            shift = rng.normal(0, 3, 3)
            atoms.positions += shift
            order = rng.permutation(len(atoms))
            atoms = atoms[order]
            if rng.random() < 0.5:
                atoms.wrap()
            yield atoms, Truth([(kind_, el, p + shift) for kind_, el, p in truth], prototype,
                               name, float(level), kind)


def emt_cells(seed, count=6):
    """Copper-like metals by molecular dynamics: relaxed, heated for a picosecond."""
    from ase import units
    from ase.calculators.emt import EMT
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.optimize import FIRE

    rng = np.random.default_rng([seed, 99])
    for k in range(count):
        name = ["Cu", "Al", "Ni", "Pd", "Ag", "Pt", "Au"][rng.integers(7)]
        ideal = bulk(name, cubic=True) * ([(2, 2, 2), (3, 3, 3)][rng.integers(2)])
        kind = ("vacancy", "perfect", "interstitial", "dumbbell", "two vacancies",
                "divacancy")[k % 6]
        atoms, truth = plant(ideal, kind, rng)
        temperature = float(rng.choice([0, 300, 600]))
        atoms.calc = EMT()
        FIRE(atoms, logfile=None).run(fmax=0.05, steps=40)
        if temperature:
            MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
            Langevin(atoms, 3 * units.fs, temperature_K=temperature,
                     friction=0.02, rng=rng).run(150)
        atoms.calc = None
        found = wigner_seitz(atoms, ideal)
        defects = [("vacancy" if kind != "divacancy" else "divacancy", name, p)
                   for p in found.vacancies]
        defects += [("interstitial or dumbbell", name, p) for p in found.interstitials]
        yield atoms, Truth(defects, "fcc, EMT", name, temperature, kind)


def embedded_cells(seed, count=16):
    """Frames of the embedded silicon runs (Tersoff), with their truth."""
    from defectkit import datasets

    rng = np.random.default_rng([seed, 7])
    for name, key, kind in (("si-vacancy", "vacancy_A", "vacancy"),
                            ("si-interstitial", "interstitial_A", "interstitial or dumbbell")):
        data = datasets.load(name)
        for k in rng.choice(len(data.frames), count // 2, replace=False):
            atoms = data.frames[k].copy()
            yield atoms, Truth([(kind, "Si", data.truth[key][k])], "Si, Tersoff", name, 0.0, kind)


def named(found, kind):
    """Whether a name is the planted one's."""
    if kind == "interstitial or dumbbell":
        return found in ("interstitial", "dumbbell", "di-interstitial")
    if kind == "vacancy":
        return found in ("vacancy", "split vacancy")
    return found == kind


def judge(atoms, truth, result):
    """Whether all planted defects are named and placed; number of false ones; what went wrong."""
    if not result.decided:
        return False, 0, f"undecided: {result.reason}"
    left, wrong = list(result.sites), []
    for kind, element, place in truth.defects:
        away = [find_mic(s.position - place, atoms.cell, atoms.pbc)[1] for s in left]
        best = int(np.argmin(away)) if left else -1
        if best < 0 or away[best] > TOLERANCE:
            wrong.append(f"{kind} missed" + (f" ({away[best]:.2f} Å)" if left else ""))
            continue
        site = left.pop(best)
        if not named(site.kind, kind):
            wrong.append(f"{kind} called {site.kind}")
        elif site.element != element and kind != "interstitial or dumbbell":
            wrong.append(f"{element} {kind} called {site.element}")
    if left:
        wrong.append(f"{len(left)} too many: {left[0].kind}")
    return not wrong, len(left), "; ".join(wrong)


def run(seeds, verbose=True):
    """Score of all cells of the seeds: rows of prototype, cells, right, false alarms, seconds."""
    rows = defaultdict(lambda: [0, 0, 0, 0, 0.0])
    for seed in seeds:
        for make in (built_cells, emt_cells, embedded_cells):
            for number, (atoms, truth) in enumerate(make(seed)):
                start = time.perf_counter()
                try:
                    right, false, why = judge(atoms, truth, find_point_defects(atoms))
                except Exception as error:
                    right, false, why = False, 0, repr(error)
                row = rows[truth.prototype]
                perfect = not truth.defects
                row[0] += 1
                row[1] += right
                row[2] += perfect
                row[3] += perfect and false > 0
                row[4] += time.perf_counter() - start
                if not right and verbose:
                    print(f"  seed {seed} cell {number}: {truth.prototype} {truth.material} "
                          f"{len(atoms)} atoms, heat {truth.heat:g}, {truth.label}: {why}",
                          flush=True)
    return dict(rows)


def table(rows):
    """The rows as text."""
    lines = [f"{'prototype':16} {'cells':>6} {'right':>7} {'perfect':>8} {'false alarms':>13} "
             f"{'s/cell':>7}"]
    total = np.sum(list(rows.values()), axis=0)
    for name, (cells, right, perfect, false, seconds) in [*rows.items(), ("all", total)]:
        lines.append(f"{name:16} {int(cells):6d} {right / cells:7.1%} {int(perfect):8d} "
                     f"{int(false):13d} {seconds / cells:7.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(run([int(s) for s in sys.argv[1:]] or JUDGING)))
