"""Copper with a stacking fault and a vacancy, molecular dynamics with effective medium theory.

python recipes/cu_fault.py          # a few minutes; writes defectkit/data/cu-fault.*
"""

import json
import sys
from pathlib import Path

import ase
import numpy as np
from ase import units
from ase.build import fcc111
from ase.calculators.emt import EMT
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import lammps_md as md  # noqa: E402

LAYERS, ACROSS = 11, 6  # 3 n - 1 layers: where the cell repeats, ABC... goes on as AB|AB...
TEMPERATURE, SEED = 300.0, 20263
STEP, EVERY, WARM, FRAMES = 2.0, 10, 2000, 160  # fs, steps, steps
A = 3.612  # Å, lattice constant; a first run at 3.640 Å was under 3.1 GPa of tension


def crystal():
    """(111) layers of copper, one intrinsic stacking fault, one atom missing far from it."""
    atoms = fcc111("Cu", (ACROSS, ACROSS, LAYERS), a=A, orthogonal=True)
    atoms.cell[2] = [0.0, 0.0, LAYERS * A / np.sqrt(3.0)]
    atoms.pbc = True
    middle = atoms.cell.sum(axis=0) / 2.0
    del atoms[int(np.argmin(np.linalg.norm(atoms.positions - middle, axis=1)))]
    return atoms


def main():
    atoms = crystal()
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=0.05)
    rng = np.random.default_rng(SEED)
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE, rng=rng)
    atoms.set_momenta(atoms.get_momenta() - atoms.get_momenta().mean(axis=0))
    run = Bussi(atoms, STEP * units.fs, TEMPERATURE, 100.0 * units.fs, rng=rng)
    run.run(WARM)
    frames, kelvin, pressure = [], [], []
    for n in tqdm(range(FRAMES), desc="frames"):
        run.run(EVERY)
        frame = ase.Atoms(atoms.numbers, np.round(atoms.positions, 4), cell=atoms.cell, pbc=True)
        frame.info |= {"phase": "fcc with defects", "time_ps": (n + 1) * EVERY * STEP * 1e-3}
        frames.append(frame)
        kelvin.append(atoms.get_temperature())
        pressure.append(-atoms.get_stress()[:3].mean() / units.GPa)
    stem = md.DATA / "cu-fault"
    md.write_frames(md.DATA / "cu-fault.extxyz.gz", frames)
    info = {
        "name": "cu-fault",
        "description": "Copper at 300 K with an intrinsic stacking fault and a vacancy, "
        f"{len(atoms)} atoms; molecular dynamics with effective medium theory.",
        "recipe": "recipes/cu_fault.py",
        "kind_key": "phase",
        "potential": "effective medium theory as in ASE: Jacobsen, Stoltze, Norskov, "
        "Surf. Sci. 366, 394 (1996)",
        "ensemble": "NVT, stochastic velocity rescaling (0.1 ps)",
        "licence": "CC BY 4.0",
        "citation": "the defectkit developers, embedded copper MD data",
        "units": "Å, ps, K",
        "time_step_ps": STEP * 1e-3,
        "dt_ps": EVERY * STEP * 1e-3,
        "seed": SEED,
        "software": {"ase": ase.__version__, "numpy": np.__version__},
        "difference_from_paper": "Not in the paper: another material, to show the package on.",
        "truth": {},
        "n_frames": len(frames),
        "checks": {
            "temperature_K": round(float(np.mean(kelvin)), 1),
            "pressure_GPa": round(float(np.mean(pressure)), 2),
        },
    }
    stem.with_suffix(".json").write_text(
        json.dumps(info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(info["checks"])


if __name__ == "__main__":
    main()
