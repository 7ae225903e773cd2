"""Molecular dynamics of water in stages, with restart files: an ended run goes on where it was.

Velocity Verlet; stochastic velocity rescaling (Bussi, Donadio, Parrinello, J. Chem. Phys. 126,
014101 (2007)); in stages with a barostat the cell follows the pressure by weak coupling
(Berendsen et al., J. Chem. Phys. 81, 3684 (1984)), each axis by itself or all alike. Weak
coupling settles a cell at the right mean but is no ensemble: production keeps the cell fixed.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import units
from ase.md.velocitydistribution import Stationary

COLUMNS = (
    "step",
    "temperature_K",
    "potential_eV",
    "conserved_eV",
    "pressure_bar",
    "length_a_A",
    "length_b_A",
    "length_c_A",
)
BAR = 1e5 * units.Pascal


@dataclass(frozen=True)
class Stage:
    """What to do for `steps` steps; temperatures in K go linearly from `start` to `end`."""

    name: str
    steps: int
    start: float
    end: float
    thermostat: float  # ps
    barostat: str = ""  # "axes" (each by itself), "volume", or "" for a fixed cell
    compressibility: float = 4.5e-5  # 1/bar
    settle: float = 0.5  # ps
    mean_cell: int = 0  # before this stage: take the mean cell of so many past steps
    every: int = 0  # steps between stored frames


def run(atoms, stages, folder, seed, dt=0.5, log_every=25, save_every=200):
    """Runs the stages on atoms that carry a calculator; goes on where `folder` says it stopped.

    folder  log.txt (columns COLUMNS), frames.f32 (n_frames, n_atoms, 3) of unwrapped positions in
            Å, state.npz (written every `save_every` steps under a temporary name, then renamed)
    dt      fs
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    total = sum(s.steps for s in stages)
    if (folder / "state.npz").exists():
        step, work, forces = _load(atoms, folder, rng)
    else:
        sigma = np.sqrt(units.kB * stages[0].start / atoms.get_masses())[:, None]
        atoms.set_velocities(rng.normal(size=(len(atoms), 3)) * sigma)
        Stationary(atoms)
        step, work, forces = 0, 0.0, atoms.get_forces()
        (folder / "log.txt").write_text("# " + " ".join(COLUMNS) + "\n")
        (folder / "frames.f32").write_bytes(b"")
    masses, h = atoms.get_masses()[:, None], dt * units.fs
    with open(folder / "log.txt", "a") as log, open(folder / "frames.f32", "ab") as frames:
        while step < total:
            stage, done = _stage(stages, step)
            if done == 0 and stage.mean_cell:
                log.flush()
                _set_mean_cell(atoms, folder, step, stage.mean_cell)
                forces = atoms.get_forces()
            velocities = atoms.get_velocities() + 0.5 * h * forces / masses
            atoms.positions += h * velocities
            forces = atoms.get_forces()
            velocities += 0.5 * h * forces / masses
            aim = stage.start + (stage.end - stage.start) * done / max(stage.steps, 1)
            scale, gain = _bussi(velocities, masses, aim, dt * 1e-3 / stage.thermostat, rng)
            velocities *= scale
            work += gain
            atoms.set_velocities(velocities)
            step += 1
            pressure = _pressure(atoms, velocities, masses)
            if step % log_every == 0:
                row = (
                    step,
                    atoms.get_temperature(),
                    atoms.get_potential_energy(),
                    atoms.get_total_energy() - work,
                    pressure.mean() / BAR,
                    *atoms.cell.lengths(),
                )
                log.write(" ".join(f"{v:.10g}" for v in row) + "\n")
            if stage.every and (done + 1) % stage.every == 0:
                frames.write(atoms.positions.astype("<f4").tobytes())
            if stage.barostat:
                _follow(atoms, pressure, stage, dt * 1e-3)
            if step % save_every == 0 or step == total:
                for file in (log, frames):
                    file.flush()
                    os.fsync(file.fileno())
                _save(atoms, folder, step, work, forces, rng, stages)
    return atoms


def _stage(stages, step):
    for stage in stages:
        if step < stage.steps:
            return stage, step
        step -= stage.steps
    raise ValueError("past the last stage")


def _bussi(velocities, masses, temperature, fraction, rng):
    """Factor on the velocities and the energy that it adds; fraction = time step / relaxation."""
    n = 3 * len(velocities) - 3
    kinetic = 0.5 * np.sum(masses * velocities * velocities)
    c = np.exp(-fraction)
    share = (1.0 - c) * 0.5 * units.kB * temperature / kinetic
    r = rng.normal()
    factor = c + share * (r * r + rng.chisquare(n - 1)) + 2.0 * r * np.sqrt(c * share)
    return np.sqrt(factor), (factor - 1.0) * kinetic


def _pressure(atoms, velocities, masses):
    """Pressure along each axis, eV/Å^3."""
    kinetic = np.sum(masses * velocities * velocities, axis=0)
    return kinetic / atoms.get_volume() - atoms.get_stress()[:3]


def _follow(atoms, pressure, stage, dt):
    if stage.barostat == "volume":
        pressure = np.full(3, pressure.mean())
    factor = 1.0 + stage.compressibility * dt / stage.settle * (pressure / BAR) / 3.0
    atoms.set_cell(atoms.cell.array * factor, scale_atoms=True)


def _set_mean_cell(atoms, folder, step, past):
    log = np.loadtxt(folder / "log.txt", ndmin=2)
    rows = log[(log[:, 0] > step - past) & (log[:, 0] <= step)]
    atoms.set_cell(np.diag(rows[:, 5:8].mean(axis=0)), scale_atoms=True)


def _save(atoms, folder, step, work, forces, rng, stages):
    temporary = folder / "state.new.npz"
    np.savez(
        temporary,
        positions=atoms.positions,
        momenta=atoms.get_momenta(),
        cell=atoms.cell.array,
        step=step,
        work=work,
        forces=forces,
        rng=json.dumps(rng.bit_generator.state),
        frames=_n_frames(stages, step),
    )
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, folder / "state.npz")


def _load(atoms, folder, rng):
    """Sets atoms and rng as saved and drops log lines and frames written after that."""
    state = np.load(folder / "state.npz")
    atoms.set_cell(state["cell"])
    atoms.positions = state["positions"]
    atoms.set_momenta(state["momenta"])
    rng.bit_generator.state = json.loads(str(state["rng"]))
    step = int(state["step"])
    lines = (folder / "log.txt").read_text().splitlines()
    kept = [
        ln for ln in lines if ln.startswith("#") or (ln.strip() and float(ln.split()[0]) <= step)
    ]
    temporary = folder / "log.new.txt"
    temporary.write_text("\n".join(kept) + "\n")
    os.replace(temporary, folder / "log.txt")
    os.truncate(folder / "frames.f32", int(state["frames"]) * len(atoms) * 12)
    return step, float(state["work"]), state["forces"]


def _n_frames(stages, step):
    count = 0
    for stage in stages:
        done = min(max(step, 0), stage.steps)
        count += done // stage.every if stage.every else 0
        step -= stage.steps
    return count
