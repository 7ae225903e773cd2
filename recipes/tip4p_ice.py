"""TIP4P/Ice in LAMMPS in short pieces, each with a checkpoint: an ended run goes on where it was.

J. L. F. Abascal et al., J. Chem. Phys. 122, 234511 (2005); energies in kcal/mol.
"""

import time
from typing import NamedTuple

import lammps_md
import numpy as np
from ase import Atoms

from defectkit.io.atomic_write import atomic_write

EPSILON, SIGMA, CHARGE, OM, OH, HOH, CUTOFF = 0.21084, 3.1668, 0.5897, 0.1577, 0.9572, 104.52, 8.5
WATER = 15.9994 + 2 * 1.008  # u


class Settings(NamedTuple):
    """How TIP4P/Ice is run; mass moved from O to H changes no mean over positions."""

    stages: tuple  # ball held, K at start and end, ps
    step: float = 0.002  # ps
    hydrogen: float = 1.008  # u
    coulomb: float = CUTOFF  # Å, beyond it in reciprocal space
    accuracy: float = 1e-4  # of the Coulomb forces
    skin: float = 2.0  # Å
    piece: float = 0.5  # ps, between checkpoints


class Piece(NamedTuple):
    held: bool
    start: float
    end: float
    release: bool  # the ball is let go before it


def pieces(settings):
    """The stages cut into pieces."""
    cut, before = [], True
    for held, start, end, ps in settings.stages:
        n = round(ps / settings.piece)
        ramp = np.linspace(start, end, n + 1)
        cut += [
            Piece(held, ramp[k], ramp[k + 1], before and not held and k == 0) for k in range(n)
        ]
        before = held
    return cut


def begin(path, atoms, ball, centre):
    """The checkpoint before the first piece: molecules as O, H, H, those held, their centre."""
    write(path, positions=atoms.positions, cell=atoms.cell.array, ball=ball, centre=centre, done=0)


def write(path, **state):
    with atomic_write(path) as partial, open(partial, "wb") as file:
        np.savez(file, **state)


def read(path):
    with np.load(path) as stored:
        return dict(stored)


def compact(state):
    """The checkpoint without velocities, positions in units of 0.001 Å: H counted from its O."""
    units = np.round(state["positions"] * 1000).astype(np.int32).reshape(-1, 3, 3)
    kept = {k: v for k, v in state.items() if k not in ("positions", "velocities")}
    return {
        **kept,
        "oxygen": units[:, 0],
        "hydrogen": (units[:, 1:] - units[:, :1]).astype(np.int16),
    }


def expand(kept):
    """The checkpoint that `compact` made the smaller one of; new velocities are drawn for it."""
    state = {k: v for k, v in kept.items() if k not in ("oxygen", "hydrogen")}
    oxygen = kept["oxygen"][:, None].astype(float)
    molecules = np.concatenate([oxygen, oxygen + kept["hydrogen"]], axis=1)
    return {**state, "positions": molecules.reshape(-1, 3) / 1000}


def equilibrate(path, settings, seed, each=None):
    """Runs the pieces that the checkpoint has not seen; `each` gets the positions after each."""
    state = read(path)
    first, plan = int(state["done"]), pieces(settings)
    if first == len(plan):
        return
    lmp = lammps_md._load_lammps()(
        cmdargs=[
            "-screen",
            "none",
            "-log",
            "none",
            "-nocite",
            "-suffix",
            "omp",
            "-package",
            "omp",
            "0",
        ]
    )
    _set_up(lmp, state, settings, path.with_suffix(".data"))
    _set_velocities(lmp, state, settings, plan[first], seed + first)
    started = time.monotonic()
    for number in range(first, len(plan)):
        _run(lmp, plan[number], settings, seed + number)
        x, v = (np.array(lmp.gather_atoms(name, 1, 3)).reshape(-1, 3) for name in "xv")
        state.update(positions=whole(x, np.diag(state["cell"])), velocities=v, done=number + 1)
        write(path, **state)
        if each:
            each(state["positions"])
        print(
            f"{(number + 1) * settings.piece:.1f} of {len(plan) * settings.piece:.1f} ps, "
            f"{plan[number].end:.0f} K: {lmp.get_thermo('temp'):.1f} K over all, "
            f"{lmp.get_thermo('press') * 1.01325:.0f} bar, "
            f"{(time.monotonic() - started) / (number + 1 - first):.0f} s a piece",
            flush=True,
        )
    lmp.close()


def _set_up(lmp, state, settings, data):
    atoms = Atoms(
        "OHH" * (len(state["positions"]) // 3),
        positions=state["positions"],
        cell=state["cell"],
        pbc=True,
    )
    write_data(data, atoms, settings.hydrogen)
    lmp.commands_string(f"""
        units real
        atom_style full
        bond_style harmonic
        angle_style harmonic
        pair_style lj/cut/tip4p/long 1 2 1 1 {OM} {CUTOFF} {settings.coulomb}
        kspace_style pppm/tip4p {settings.accuracy}
        read_data {data}
        pair_coeff * * 0 0
        pair_coeff 1 1 {EPSILON} {SIGMA}
        bond_coeff 1 450 {OH}
        angle_coeff 1 55 {HOH}
        neighbor {settings.skin} bin
        neigh_modify delay 0 every 2 check yes
        group held molecule {" ".join(str(i + 1) for i in state["ball"])}
        group mobile subtract all held""")


def _set_velocities(lmp, state, settings, piece, seed):
    """The checkpoint's, or new ones; before the first piece some short, bounded steps too."""
    if "velocities" in state:
        lmp.scatter_atoms("v", 1, 3, np.ctypeslib.as_ctypes(state["velocities"].ravel()))
        return
    group = "mobile" if piece.held else "all"
    lmp.command(f"velocity {group} create {piece.start} {seed} mom yes rot no dist gaussian")
    if state["done"] == 0:
        lmp.commands_string(f"""
            timestep 0.5
            fix relax mobile nve/limit 0.05
            fix damp mobile langevin {piece.start} {piece.start} 50 {seed}
            fix rigid mobile shake 1e-4 50 0 b 1 a 1
            run 400
            unfix rigid
            unfix damp
            unfix relax""")


def _run(lmp, piece, settings, seed):
    group = "mobile" if piece.held else "all"
    if piece.release:
        lmp.command(f"velocity held create {piece.start} {seed} mom yes rot no")
    lmp.commands_string(f"""
        timestep {1000 * settings.step}
        fix rigid {group} shake 1e-4 50 0 b 1 a 1
        fix bath {group} langevin {piece.start} {piece.end} 200 {seed}
        fix move {group} nve
        run {round(settings.piece / settings.step)}
        unfix move
        unfix bath
        unfix rigid""")


def whole(positions, lengths):
    """Positions of O, H, H with each molecule in one piece."""
    molecules = positions.reshape(-1, 3, 3)
    bonds = molecules - molecules[:, :1]
    return (molecules[:, :1] + bonds - lengths * np.round(bonds / lengths)).reshape(-1, 3)


def write_data(path, atoms, hydrogen):
    """Molecules O, H, H as a LAMMPS data file of style full: one bond and angle type."""
    n, cell = len(atoms) // 3, atoms.cell.lengths()
    lines = [
        "water",
        "",
        f"{3 * n} atoms",
        f"{2 * n} bonds",
        f"{n} angles",
        "2 atom types",
        "1 bond types",
        "1 angle types",
        "",
    ]
    lines += [f"0 {length} {a}lo {a}hi" for a, length in zip("xyz", cell, strict=True)]
    lines += [
        "",
        "Masses",
        "",
        f"1 {WATER - 2 * hydrogen}",
        f"2 {hydrogen}",
        "",
        "Atoms # full",
        "",
    ]
    charge = {1: -2 * CHARGE, 2: CHARGE}
    for i, (number, xyz) in enumerate(zip(atoms.numbers, atoms.positions, strict=True)):
        kind = 1 if number == 8 else 2
        x, y, z = xyz
        lines.append(f"{i + 1} {i // 3 + 1} {kind} {charge[kind]} {x:.8f} {y:.8f} {z:.8f}")
    lines += ["", "Bonds", ""]
    lines += [f"{2 * m + h} 1 {3 * m + 1} {3 * m + 1 + h}" for m in range(n) for h in (1, 2)]
    lines += ["", "Angles", ""]
    lines += [f"{m + 1} 1 {3 * m + 2} {3 * m + 1} {3 * m + 3}" for m in range(n)]
    path.write_text("\n".join(lines) + "\n")
