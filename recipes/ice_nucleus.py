"""A round piece of ice Ih in supercooled water at 255 K: 10 368 molecules.

    python recipes/ice_nucleus.py build   # TIP4P/Ice in LAMMPS, half an hour
    python recipes/ice_nucleus.py run     # neural network potential, two hours; can be stopped
    python recipes/ice_nucleus_pack.py    # checks, then defectkit/data/ice-nucleus.*

A ball of the crystal is held while TIP4P/Ice melts the rest and cools it, then let go. The box
and the ball have the densities that the neural network potential has for water and ice, so that
only the molecules' shape and their local order have to adapt when that potential takes over.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import lammps_md  # noqa: E402
import water  # noqa: E402
import water_md  # noqa: E402
from water_md import Stage  # noqa: E402

from defectkit import datasets  # noqa: E402
from defectkit.potential import NeuralNetworkPotential  # noqa: E402

DATA = HERE.parent / "defectkit" / "data"
FOLDER = water.WORK / "ice-nucleus"
SEED = 20291
REPEAT = (16, 9, 9)
RADIUS = 18.5       # Å, of the ball
TEMPERATURE = 255.0
CLASSICAL = [       # held, K at start and end, ps
    (True, 500.0, 500.0, 5.0),
    (True, 500.0, TEMPERATURE, 6.0),
    (True, TEMPERATURE, TEMPERATURE, 4.0),
    (False, TEMPERATURE, TEMPERATURE, 5.0),
]
STAGES = [
    Stage("warm", water.PS // 4, TEMPERATURE, TEMPERATURE, thermostat=0.05),
    Stage("settle", water.PS, TEMPERATURE, TEMPERATURE, thermostat=0.2, every=water.EVERY),
    Stage("production", water.PS, TEMPERATURE, TEMPERATURE, thermostat=1.0, every=water.EVERY),
]
# TIP4P/Ice: J. L. F. Abascal et al., J. Chem. Phys. 122, 234511 (2005); energies in kcal/mol.
TIP4P_ICE = {"epsilon": 0.21084, "sigma": 3.1668, "charge": 0.5897, "om": 0.1577,
             "oh": 0.9572, "hoh": 104.52, "cutoff": 8.5}


def crystal():
    """The box as crystal, the ball's molecules (indices) and the ball's centre (Å).

    The ball keeps the potential's lattice; about it the centres of the other molecules are
    drawn together until the box has room for ice and water at their densities.
    """
    def read(name):
        return json.loads((DATA / f"water-{name}.json").read_text())["checks"]

    atoms = water.ice(SEED, REPEAT)
    molecules = atoms.positions.reshape(-1, 3, 3)
    oxygen = molecules[:, 0].copy()
    lattice = np.array(read("ice")["cell_A"]) / water.ICE_REPEAT * REPEAT
    placed = oxygen * (lattice / atoms.cell.lengths())
    centre = 0.5 * lattice
    ball = np.flatnonzero(np.linalg.norm(placed - centre, axis=1) < RADIUS)
    share = len(ball) / len(oxygen)
    thinner = share + (1 - share) * read("ice")["density_g_cm3"] / read("liquid")["density_g_cm3"]
    shrink = thinner ** (1 / 3)
    outside = np.setdiff1d(np.arange(len(oxygen)), ball)
    moved = placed - centre * (1 - shrink)
    moved[outside] = shrink * placed[outside]
    molecules += (moved - oxygen)[:, None]
    made = Atoms("OHH" * len(oxygen), positions=molecules.reshape(-1, 3), cell=shrink * lattice,
                 pbc=True)
    return made, ball, shrink * centre


def equilibrate(atoms, ball):
    """The box after CLASSICAL with TIP4P/Ice: whole molecules, positions in Å."""
    lmp = lammps_md._load_lammps()(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    n = len(atoms)
    write_lammps(FOLDER / "start.data", atoms)
    t = TIP4P_ICE
    lmp.commands_string(f"""
        units real
        atom_style full
        bond_style harmonic
        angle_style harmonic
        pair_style lj/cut/tip4p/long 1 2 1 1 {t["om"]} {t["cutoff"]} {t["cutoff"]}
        kspace_style pppm/tip4p 1e-4
        read_data {FOLDER / "start.data"}
        pair_coeff * * 0 0
        pair_coeff 1 1 {t["epsilon"]} {t["sigma"]}
        bond_coeff 1 450 {t["oh"]}
        angle_coeff 1 55 {t["hoh"]}
        neigh_modify delay 0 every 2 check yes
        group held molecule {" ".join(str(i + 1) for i in ball)}
        group mobile subtract all held
        velocity all create {CLASSICAL[0][1]} {SEED} mom yes rot no dist gaussian
        velocity held set 0 0 0
        timestep 0.5
        fix relax mobile nve/limit 0.05
        fix damp mobile langevin {CLASSICAL[0][1]} {CLASSICAL[0][1]} 50 {SEED}
        fix rigid mobile shake 1e-4 50 0 b 1 a 1
        run 400
        unfix rigid
        unfix damp
        unfix relax
        timestep 2.0""")
    for number, (held, start, end, ps) in enumerate(CLASSICAL):
        group = "mobile" if held else "all"
        if not held:
            lmp.command(f"velocity held create {start} {SEED + number} mom yes rot no")
        lmp.commands_string(f"""
            fix rigid {group} shake 1e-4 50 0 b 1 a 1
            fix bath {group} langevin {start} {end} 200 {SEED + number}
            fix move {group} nve
            run {round(ps / 0.002)}
            unfix move
            unfix bath
            unfix rigid""")
        print(f"{ps} ps to {end} K: {lmp.get_thermo('temp'):.1f} K over all, "
              f"{lmp.get_thermo('press') * 1.01325:.0f} bar", flush=True)
    positions = np.array(lmp.gather_atoms("x", 1, 3)).reshape(n // 3, 3, 3)
    lmp.close()
    cell = atoms.cell.lengths()
    bonds = positions - positions[:, :1]
    whole = positions[:, :1] + bonds - cell * np.round(bonds / cell)
    return Atoms(atoms.numbers, positions=whole.reshape(-1, 3), cell=cell, pbc=True)


def write_lammps(path, atoms):
    """Molecules O, H, H as a LAMMPS data file of style full: one bond and angle type."""
    n, cell = len(atoms) // 3, atoms.cell.lengths()
    lines = ["water", "", f"{3 * n} atoms", f"{2 * n} bonds", f"{n} angles", "2 atom types",
             "1 bond types", "1 angle types", ""]
    lines += [f"0 {length} {a}lo {a}hi" for a, length in zip("xyz", cell, strict=True)]
    lines += ["", "Masses", "", "1 15.9994", "2 1.008", "", "Atoms # full", ""]
    charge = {1: -2 * TIP4P_ICE["charge"], 2: TIP4P_ICE["charge"]}
    for i, (number, xyz) in enumerate(zip(atoms.numbers, atoms.positions, strict=True)):
        kind = 1 if number == 8 else 2
        x, y, z = xyz
        lines.append(f"{i + 1} {i // 3 + 1} {kind} {charge[kind]} {x:.8f} {y:.8f} {z:.8f}")
    lines += ["", "Bonds", ""]
    lines += [f"{2 * m + h} 1 {3 * m + 1} {3 * m + 1 + h}" for m in range(n) for h in (1, 2)]
    lines += ["", "Angles", ""]
    lines += [f"{m + 1} 1 {3 * m + 2} {3 * m + 1} {3 * m + 3}" for m in range(n)]
    path.write_text("\n".join(lines) + "\n")


def build():
    FOLDER.mkdir(parents=True, exist_ok=True)
    atoms, ball, centre = crystal()
    print(f"{len(ball)} of {len(atoms) // 3} molecules are held", flush=True)
    made = equilibrate(atoms, ball)
    np.savez(FOLDER / "start.new.npz", numbers=made.numbers, positions=made.positions,
             cell=made.cell.array, ball=ball, centre=centre)
    (FOLDER / "start.new.npz").replace(FOLDER / "start.npz")


def run():
    start = np.load(FOLDER / "start.npz")
    atoms = Atoms(start["numbers"], positions=start["positions"], cell=start["cell"], pbc=True)
    atoms.calc = NeuralNetworkPotential(datasets.potential_folder("h2o-rpbe-d3"))
    water_md.run(atoms, STAGES, FOLDER, SEED, water.DT)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "run"])
    {"build": build, "run": run}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
