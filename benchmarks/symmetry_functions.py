"""Symmetry functions against DScribe's ACSF and SOAP, on one and two cores, and against size.

Water at 1 g/cm^3. ACSF and ours compute, for each of 1080 atoms, about as many functions of the
same kinds: 57 of the RPBE-D3 water potential here (30 per O, 27 per H: 16 radial, 14 or 11
angular), 8 radial (G2) per element and 4 angular (G4) per pair of elements in DScribe (28 per
atom). SOAP is that of notebook 05 (390 components), on oxygens, with the cutoff used there, 4.5 Å,
and with the 6.35 Å of our functions. Neighbour search is
counted on both sides. Ratios are medians and ranges over interleaved rounds in processor time, so
that other work on the machine does not count; the speed-up on two cores is in wall time, and kept
as it was with --one-core, where the second core is not free.

Single precision (`using(precision="single")`) is timed against double, and its labels are compared
with those of double on three of the notebooks' data sets. So are those of double after a
disturbance of 1e-10 of each column's standard deviation, since UMAP and PaCMAP give the few
environments between two clusters to another one after any change at all.

    python benchmarks/symmetry_functions.py [rounds] [--one-core | --single]
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}

import numpy as np  # noqa: E402
from _timing import RESULTS, digits, interleaved, keep, ratio  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.build import bulk, molecule  # noqa: E402
from ase.units import Bohr  # noqa: E402
from dscribe.descriptors import ACSF, SOAP  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402
from sklearn.metrics import adjusted_rand_score  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit import SymmetryFunctions, averaging, features  # noqa: E402
from defectkit._threads import limited  # noqa: E402
from defectkit.symmetry import neighbour_list  # noqa: E402

CUTOFF = 12.0 * Bohr
RADIAL = (0.001, 0.01, 0.03, 0.06, 0.15, 0.3, 0.6, 1.5)
ANGULAR = ((0.03, 1, 1), (0.03, 1, -1), (0.001, 4, 1), (0.001, 4, -1))


def water_box(seed=0):
    """360 molecules at 1 g/cm^3, turned at random on a shaken grid."""
    rng = np.random.default_rng(seed)
    spacing = 3.105
    grid = np.stack(np.meshgrid(*map(np.arange, (6, 6, 10)), indexing="ij"), -1).reshape(-1, 3)
    box = Atoms(cell=np.array([6, 6, 10]) * spacing, pbc=True)
    for cell, turn in zip(grid, Rotation.random(len(grid), random_state=rng), strict=True):
        one = molecule("H2O")
        one.positions = turn.apply(one.positions) + (cell + 0.2 * rng.random(3)) * spacing
        box += one
    return box


def ours():
    """57 functions: those of `SymmetryFunctions.water` and their like for hydrogen centres."""
    lines = ["elements H O", "cutoff_type 2"]
    for centre in "HO":
        for other, shift in (("H", 0.9), ("O", 4.0)):
            lines += [
                f"symfunction_short {centre} 2 {other} {eta} {shift if eta > 0.1 else 0} 12"
                for eta in RADIAL
            ]
    angular = {"O": ("H H", "O H", "O O"), "H": ("O H", "O O")}
    for centre, pairs in angular.items():
        for n, pair in enumerate(pairs):
            grid = ANGULAR + (((0.07, 1, 1), (0.07, 1, -1)) if n == 0 else ())
            grid += ((0.2, 1, 1),) if n == 0 and centre == "H" else ()
            lines += [
                f"symfunction_short {centre} 3 {pair} {eta} {lam} {zeta} 12"
                for eta, zeta, lam in grid
            ]
    return lines


def one_core(atoms, sf, rounds):
    """µs per atom, and how many times longer each of DScribe's takes."""
    oxygens = np.flatnonzero(atoms.numbers == 8).tolist()
    tasks = {
        "DScribe ACSF, all atoms": lambda: acsf().create(atoms, n_jobs=1),
        "DScribe SOAP 4.5 Å, oxygens": lambda: soap(4.5).create(atoms, oxygens, n_jobs=1),
        "DScribe SOAP 6.35 Å, oxygens": lambda: soap(CUTOFF).create(atoms, oxygens, n_jobs=1),
        "defectkit, all atoms": lambda: sf.by_element(atoms),
        "defectkit, oxygens": lambda: sf(atoms, "O"),
        "defectkit, neighbours only": lambda: neighbour_list(atoms, sf.cutoff),
    }
    with limited(1):
        for task in tasks.values():
            task()
        seconds = interleaved(tasks, rounds)
    cost = {name: digits(1e6 * np.median(s) / len(atoms)) for name, s in seconds.items()}
    return {
        "us_per_atom_of_the_box": cost,
        "ACSF over defectkit, all atoms": ratio(
            seconds["DScribe ACSF, all atoms"], seconds["defectkit, all atoms"]
        ),
        **{
            f"SOAP {r} Å over defectkit 6.35 Å, oxygens": ratio(
                seconds[f"DScribe SOAP {r} Å, oxygens"], seconds["defectkit, oxygens"]
            )
            for r in ("4.5", "6.35")
        },
    }


def two_cores(atoms, sf, rounds):
    """Wall time on one core over that on two, 24 frames, which both share out whole."""
    frames = [atoms] * 24

    def ours(n):
        return features(frames, sf, "O", n_jobs=n, progress=False)

    tasks = {
        f"{name}, {n}": (lambda make=make, n=n: make(n))
        for n in (1, 2)
        for name, make in (
            ("defectkit", ours),
            ("ACSF", lambda n: acsf().create(frames, n_jobs=n)),
        )
    }
    tasks["ACSF, 2"](), tasks["defectkit, 2"]()
    seconds = interleaved(tasks, min(rounds, 5), time.perf_counter)
    return {
        f"one core over two, {name}, wall time": ratio(
            seconds[f"{name}, 1"], seconds[f"{name}, 2"]
        )
        for name in ("defectkit", "ACSF")
    }


def by_size(box, sf):
    """µs per atom of all atoms' features, boxes of 10^3 to 10^6 atoms, one core."""
    cost = {}
    for repeat in ((1, 1, 1), (2, 1, 1), (3, 1, 1), (3, 3, 1), (3, 3, 3), (5, 5, 4), (10, 10, 10)):
        atoms = box * repeat
        with limited(1):
            best = min(interleaved({"all": lambda: sf.by_element(atoms)}, 2)["all"])  # noqa: B023
        cost[str(len(atoms))] = digits(1e6 * best / len(atoms))
    sizes = np.log([float(n) for n in cost])
    slope = np.polyfit(sizes, sizes + np.log(list(cost.values())), 1)[0]
    return {"us_per_atom_by_number_of_atoms": cost, "exponent_of_time_over_atoms": digits(slope)}


def single_over(box, sf, rounds):
    """How many times longer double precision takes than single, one core."""
    crystals = {
        "silicon": (bulk("Si", cubic=True) * 5, SymmetryFunctions.silicon()),
        "copper": (bulk("Cu", cubic=True) * 6, SymmetryFunctions.for_elements(["Cu"])),
    }
    for atoms, _ in crystals.values():
        atoms.rattle(0.05, seed=1)
    systems = {"water": (box, sf)} | crystals
    found = {}
    for name, (atoms, symmetry) in systems.items():
        single = symmetry.using(precision="single")
        tasks = {
            "double": lambda: symmetry.by_element(atoms),  # noqa: B023
            "single": lambda: single.by_element(atoms),  # noqa: B023
        }
        with limited(1):
            for task in tasks.values():
                task()
            seconds = interleaved(tasks, rounds)
        found[f"double over single precision, {name}"] = ratio(
            seconds["double"], seconds["single"]
        )
    return found


def single_labels(seeds=range(8)):
    """ARI of labels from single and from disturbed double features with those from double."""
    found = {}
    for name, make in (("si-phases", phases), ("si-vacancy", vacancies), ("water, ice", water)):
        double, single = make("double"), make("single")
        scale = np.abs(double).max(axis=0)
        differ = np.abs(single - double).max(axis=0) / np.where(scale > 0, scale, 1.0)
        found[name] = {"environments": len(double), "largest_difference": digits(differ.max())}
        for method in ("pca", "umap", "pacmap"):
            pairs = [agreement(double, single, method, seed) for seed in seeds]
            found[name][method] = {"seeds": list(seeds)}
            for what, values in zip(
                ("ARI", "ARI_disturbed"), zip(*pairs, strict=True), strict=True
            ):
                found[name][method][what] = round(float(np.mean(values)), 5)
                found[name][method][f"{what}_min"] = round(min(values), 5)
            print(name, method, found[name][method], flush=True)
    return {"labels of single precision with those of double": found}


def agreement(double, single, method, seed):
    """ARI of labels from both, and from double features and these with a trace of noise."""
    noise = np.random.default_rng(seed).normal(size=double.shape)
    disturbed = double + 1e-10 * double.std(axis=0) * noise
    labels, *others = (
        dk.cluster(dk.embed(X, method, seed=seed)) for X in (double, single, disturbed)
    )
    return [float(adjusted_rand_score(labels, other)) for other in others]


def phases(precision):
    """Features of notebook 01."""
    frames = dk.load("si-phases").frames
    chosen = np.sort(np.random.default_rng(0).permutation(len(frames))[:170])
    symmetry = SymmetryFunctions.silicon().using(precision=precision)
    return np.concatenate(features([frames[n] for n in chosen], symmetry, progress=False))


def vacancies(precision):
    """Features of notebook 02."""
    symmetry = SymmetryFunctions.silicon().using(precision=precision)
    frames = dk.load("si-vacancy", every=2).frames
    return np.concatenate(features(frames, symmetry, progress=False))


def water(precision):
    """Features of notebook 05, averaged over 0.75 ps."""
    symmetry, means = SymmetryFunctions.water().using(precision=precision), []
    for name in ("water-liquid", "water-ice"):
        data = dk.load(name)
        frames = data.frames[-averaging.window_from_ps(10.0, data.dt) :]
        G = features(frames, symmetry, "O", progress=False)
        mean = dk.moving_average(G, averaging.window_from_ps(0.75, data.dt))
        means += [mean[np.linspace(0, len(mean) - 1, 6).astype(int)].reshape(-1, 30)]
    return np.concatenate(means)


def acsf():
    return ACSF(
        r_cut=CUTOFF,
        species=["H", "O"],
        periodic=True,
        g2_params=[[eta / Bohr**2, 0.0] for eta in RADIAL],
        g4_params=[[eta / Bohr**2, zeta, lam] for eta, zeta, lam in ANGULAR],
    )


def soap(cutoff):
    return SOAP(species=["H", "O"], periodic=True, r_cut=cutoff, n_max=6, l_max=4, sigma=0.4)


def before(chosen=lambda name: True):
    """The rows that were measured last."""
    path = RESULTS / "symmetry_functions.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    return {name: row for name, row in kept.items() if name != "machine" and chosen(name)}


def main(rounds, one_core_only, single_only):
    atoms = water_box()
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "water.nn"
        settings.write_text("\n".join(ours()) + "\n")
        sf = SymmetryFunctions.from_n2p2(settings)
    single = single_over(atoms, sf, rounds) | single_labels()
    if single_only:
        keep("symmetry_functions", before() | single)
        return
    wall = before(lambda name: name.endswith("wall time"))
    both = wall if one_core_only else two_cores(atoms, sf, rounds)
    keep("symmetry_functions", one_core(atoms, sf, rounds) | both | single | by_size(atoms, sf))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", type=int, nargs="?", default=7)
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--single", action="store_true", help="only single precision")
    given = parser.parse_args()
    main(given.rounds, given.one_core, given.single)
