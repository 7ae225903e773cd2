"""Symmetry functions against DScribe's ACSF on one water box, single core, interleaved.

Both compute, for each of 1080 atoms, about as many functions of the same kinds: 57 functions of
the RPBE-D3 water potential here (30 per O, 27 per H: 16 radial, 14 or 11 angular), 8 radial (G2)
per element and 4 angular (G4) per pair of elements in DScribe (28 per atom). Neighbour search is
counted on both sides. The table gives the median and the range of the ratio over the rounds,
in processor time, so that other work on the machine does not count.

    python benchmarks/symmetry_functions.py [rounds]
"""

import json
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.build import molecule  # noqa: E402
from ase.units import Bohr  # noqa: E402
from dscribe.descriptors import ACSF  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from defectkit import SymmetryFunctions  # noqa: E402
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
            lines += [f"symfunction_short {centre} 2 {other} {eta} {shift if eta > 0.1 else 0} 12"
                      for eta in RADIAL]
    angular = {"O": ("H H", "O H", "O O"), "H": ("O H", "O O")}
    for centre, pairs in angular.items():
        for n, pair in enumerate(pairs):
            grid = ANGULAR + (((0.07, 1, 1), (0.07, 1, -1)) if n == 0 else ())
            grid += ((0.2, 1, 1),) if n == 0 and centre == "H" else ()
            lines += [f"symfunction_short {centre} 3 {pair} {eta} {lam} {zeta} 12"
                      for eta, zeta, lam in grid]
    return lines


def main(rounds):
    atoms = water_box()
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    settings = folder / "water.nn"
    settings.write_text("\n".join(ours()) + "\n")
    sf = SymmetryFunctions.from_n2p2(settings)
    settings.unlink()
    acsf = ACSF(r_cut=CUTOFF, species=["H", "O"], periodic=True,
                g2_params=[[eta / Bohr**2, 0.0] for eta in RADIAL],
                g4_params=[[eta / Bohr**2, zeta, lam] for eta, zeta, lam in ANGULAR])
    tasks = {
        "DScribe ACSF, all atoms": lambda: acsf.create(atoms, n_jobs=1),
        "defectkit, all atoms": lambda: sf.by_element(atoms),
        "defectkit, oxygens only": lambda: sf(atoms, "O"),
        "defectkit, neighbours only": lambda: neighbour_list(atoms, sf.cutoff),
    }
    for task in tasks.values():
        task()
    times = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name].append(1e6 * (time.process_time() - start) / len(atoms))
    base = np.array(times["DScribe ACSF, all atoms"])
    result = {}
    print(f"{'':28s} {'µs per atom':>12s} {'DScribe / this':>15s}   range over {rounds} rounds")
    for name, values in times.items():
        ratio = base / np.array(values)
        result[name] = {"us_per_atom_median": round(float(np.median(values)), 2),
                        "ratio_to_dscribe_median": round(float(np.median(ratio)), 2),
                        "ratio_min": round(float(ratio.min()), 2),
                        "ratio_max": round(float(ratio.max()), 2)}
        print(f"{name:28s} {np.median(values):12.1f} {np.median(ratio):15.1f}   "
              f"{ratio.min():.1f} to {ratio.max():.1f}")
    (folder / "symmetry_functions.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
