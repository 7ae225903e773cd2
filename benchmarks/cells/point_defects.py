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
from ase.build import bulk
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from benchmarks.cells.perfect import PROTOTYPES, perfect_cell
from defectkit.defects import find_point_defects, wigner_seitz

TUNING, JUDGING = (0, 1, 2, 5), (3, 4, 6)
TOLERANCE = 0.5  # Å


@dataclass
class Truth:
    """Planted defects: (kind, element, position in Å) of each, and where the cell comes from."""

    defects: list
    prototype: str
    material: str
    heat: float
    label: str = ""


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
    stiff = 0.75 * unit[:, :, None] * unit[:, None, :] + 0.25 * np.eye(3)
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
        inside = (
            inside
            + 0.03
            * (weight[..., None] * step / away[..., None]).sum(1)
            / np.maximum(weight.sum(1), 1)[:, None]
        )
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
        places = [
            (
                ("divacancy" if kind == "divacancy" else "vacancy"),
                atoms.symbols[k],
                atoms.positions[k].copy(),
            )
            for k in (site, other)
        ]
        for k in (site, other):
            relax_around(damaged, atoms.positions[k], factor, rng)
        del damaged[sorted([site, other])]
        return damaged, places
    if kind in ("interstitial", "frenkel", "foreign interstitial"):
        return _plant_interstitial(atoms, damaged, kind, d, rng)
    if kind == "dumbbell":
        axis = rng.normal(size=3)
        axis = (
            np.array([(1, 0, 0), (1, 1, 0), (1, 1, 1)][rng.integers(3)])
            if rng.random() < 0.8
            else axis
        )
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


def _plant_interstitial(atoms, damaged, kind, d, rng):
    """One atom more in a void, of its own element or hydrogen, or from a site far away."""
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


KINDS = (
    "perfect",
    "vacancy",
    "vacancy",
    "interstitial",
    "dumbbell",
    "antisite",
    "substitutional",
    "divacancy",
    "two vacancies",
    "frenkel",
    "perfect",
    "vacancy",
)


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
            yield (
                atoms,
                Truth(
                    [(kind_, el, p + shift) for kind_, el, p in truth],
                    prototype,
                    name,
                    float(level),
                    kind,
                ),
            )


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
        kind = ("vacancy", "perfect", "interstitial", "dumbbell", "two vacancies", "divacancy")[
            k % 6
        ]
        atoms, truth = plant(ideal, kind, rng)
        temperature = float(rng.choice([0, 300, 600]))
        atoms.calc = EMT()
        FIRE(atoms, logfile=None).run(fmax=0.05, steps=40)
        if temperature:
            MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
            Langevin(atoms, 3 * units.fs, temperature_K=temperature, friction=0.02, rng=rng).run(
                150
            )
        atoms.calc = None
        found = wigner_seitz(atoms, ideal)
        defects = [
            ("vacancy" if kind != "divacancy" else "divacancy", name, p) for p in found.vacancies
        ]
        defects += [("interstitial or dumbbell", name, p) for p in found.interstitials]
        yield atoms, Truth(defects, "fcc, EMT", name, temperature, kind)


def embedded_cells(seed, count=16):
    """Frames of the embedded silicon runs (Tersoff), with their truth."""
    from defectkit import datasets

    rng = np.random.default_rng([seed, 7])
    for name, key, kind in (
        ("si-vacancy", "vacancy_A", "vacancy"),
        ("si-interstitial", "interstitial_A", "interstitial or dumbbell"),
    ):
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
                    print(
                        f"  seed {seed} cell {number}: {truth.prototype} {truth.material} "
                        f"{len(atoms)} atoms, heat {truth.heat:g}, {truth.label}: {why}",
                        flush=True,
                    )
    return dict(rows)


def table(rows):
    """The rows as text."""
    lines = [
        f"{'prototype':16} {'cells':>6} {'right':>7} {'perfect':>8} {'false alarms':>13} "
        f"{'s/cell':>7}"
    ]
    total = np.sum(list(rows.values()), axis=0)
    for name, (cells, right, perfect, false, seconds) in [*rows.items(), ("all", total)]:
        lines.append(
            f"{name:16} {int(cells):6d} {right / cells:7.1%} {int(perfect):8d} "
            f"{int(false):13d} {seconds / cells:7.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(run([int(s) for s in sys.argv[1:]] or JUDGING)))
