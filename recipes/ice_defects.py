"""Ice Ih at 250 K with one molecule missing or one too many, RPBE-D3 neural network potential.

    python recipes/ice_defects.py run vacancy-1      # half an hour; goes on where it stopped
    python recipes/ice_defects_pack.py               # checks, then defectkit/data/ice-*

vacancy-1 and interstitial-1 start from the last frame of the embedded water-ice, vacancy-2 and
interstitial-2 from a new proton ordering on ideal sites; all four in the cell of water-ice.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.optimize import FIRE
from scipy.spatial import cKDTree

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import water  # noqa: E402
import water_md  # noqa: E402
from water_md import Stage  # noqa: E402

from defectkit import datasets  # noqa: E402
from defectkit.potential import NeuralNetworkPotential  # noqa: E402

DATA = HERE.parent / "defectkit" / "data"
SEED = {"vacancy-1": 20271, "interstitial-1": 20272, "vacancy-2": 20273, "interstitial-2": 20274}
STAGES = [
    Stage("warm", water.PS // 2, 250, 250, thermostat=0.05),
    Stage("hold", water.PS // 4, 250, 250, thermostat=0.2),
    Stage("production", 10 * water.PS, 250, 250, thermostat=1.0, every=water.EVERY),
]
ORIENTATIONS = 40  # tried for the molecule too many
RELAXED = 0.5  # eV/Å, largest force after it is put in
GEOMETRY = (0.98, np.radians(105.0))  # O-H in Å and H-O-H of the molecule too many


def host(name):
    """The perfect crystal that `name` starts from."""
    ice = read(DATA / "water-ice.pdb")
    if name.endswith("-1"):
        import chemfiles

        with chemfiles.Trajectory(str(DATA / "water-ice.xtc")) as file:
            last = file.read_step(file.nsteps - 1)
            ice.positions = np.array(last.positions)
            ice.set_cell(np.diag(last.cell.lengths))
        ice.pbc = True
        return ice
    new = water.ice(SEED[name])
    oxygen = np.repeat(new.positions[::3], 3, axis=0)
    scale = json.loads((DATA / "water-ice.json").read_text())["checks"]["cell_A"]
    moved = oxygen * (np.array(scale) / new.cell.lengths())
    new.positions += moved - oxygen  # whole molecules: the bonds keep their length
    new.set_cell(scale)
    return new


def build(name, calc):
    """The starting structure of a run, and where the molecule was taken or put (Å)."""
    rng = np.random.default_rng(SEED[name])
    atoms = host(name)
    if name.startswith("vacancy"):
        gone = 3 * rng.integers(len(atoms) // 3)
        place = atoms.positions[gone].copy()
        del atoms[gone : gone + 3]
        return atoms, place
    place = rng.permutation(cages(atoms))[0]
    best, energy = None, np.inf
    for turn in orientations(rng, ORIENTATIONS):
        trial = atoms + Atoms("OHH", positions=place + molecule() @ turn)
        trial.calc = calc
        if trial.get_potential_energy() < energy:
            best, energy = trial, trial.get_potential_energy()
    best.calc = calc
    FIRE(best, logfile=None, maxstep=0.05).run(fmax=RELAXED, steps=300)
    return best, place


def cages(atoms, spacing=0.4, share=0.98):
    """Points (n, 3) of the crystal's open channels: no oxygen nearer, but for 2 %, anywhere."""
    oxygen = atoms.positions[atoms.numbers == 8]
    lengths = atoms.cell.lengths()
    shape = np.ceil(lengths / spacing).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1).reshape(-1, 3)
    grid = (grid + 0.5) / shape * lengths
    away, _ = cKDTree(oxygen % lengths, boxsize=lengths).query(grid)
    return grid[away >= share * away.max()]


def molecule():
    """Positions (3, 3) of O, H, H about the oxygen."""
    bond, angle = GEOMETRY
    half = 0.5 * angle
    return bond * np.array(
        [[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]
    )


def orientations(rng, n):
    from scipy.spatial.transform import Rotation

    return Rotation.random(n, rng=rng).as_matrix()


def sites():
    """Oxygen sites (360, 3) of the perfect crystal as fractions of the cell: the reference."""
    cells = np.array(list(np.ndindex(*water.ICE_REPEAT)))
    return ((np.array(water.ICE_SITES)[None] + cells[:, None]) / water.ICE_REPEAT).reshape(-1, 3)


def folder_of(name):
    return water.WORK / f"ice-{name}"


def run(name):
    calc = NeuralNetworkPotential(datasets.potential_folder("h2o-rpbe-d3"))
    folder = folder_of(name)
    start = folder / "start.npz"
    if not start.exists():
        folder.mkdir(parents=True, exist_ok=True)
        atoms, place = build(name, calc)
        np.savez(
            folder / "start.new.npz",
            numbers=atoms.numbers,
            positions=atoms.positions,
            cell=atoms.cell.array,
            place=place,
            energy=calc.results.get("energy", np.nan),
        )
        (folder / "start.new.npz").replace(start)
    made = np.load(start)
    atoms = Atoms(made["numbers"], positions=made["positions"], cell=made["cell"], pbc=True)
    atoms.calc = calc
    water_md.run(atoms, STAGES, folder, SEED[name], water.DT)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run"])
    parser.add_argument("name", choices=list(SEED))
    run(parser.parse_args().name)


if __name__ == "__main__":
    main()
