"""Make si-melting: a crystal of silicon that a melt eats up (half a minute, one core).

    python recipes/si_melting.py

Diamond silicon of 2 x 2 x 8 cubic cells, periodic. First one half melts at 4500 K while the
other is held; then all atoms move at a temperature well above melting, and the frames are stored.
Checked with mdapy's identification of diamond: about half of the atoms at first, none at last.
"""

import lammps_md as md
import numpy as np
from ase.build import bulk
from si_phases import diamond_labels

NAME = "si-melting"
SEED = 20250606
VOLUME = 19.3  # Å^3 per atom, between crystal and liquid
TEMPERATURE = 2050  # K; superheated: it melts within 10 ps
LENGTH, EVERY = 20.0, 0.1  # ps


def melt(name, seed):
    """Frames of a crystal that melts, and what `lammps_md` says of the run."""
    start = bulk("Si", cubic=True, a=(8 * VOLUME) ** (1 / 3)) * (2, 2, 8)
    held = np.flatnonzero(start.get_scaled_positions()[:, 2] < 0.5)
    half = start.copy()
    half.positions = md.stored_run(
        {"name": f"{name} half"},
        start,
        [{"thermostat": "langevin", "temperature": 4500, "ps": 3.0, "every": 3.0}],
        seed,
        held,
    )["positions"][-1]
    run = md.stored_run(
        {"name": name},
        half,
        [{"thermostat": "langevin", "temperature": TEMPERATURE, "ps": LENGTH, "every": EVERY}],
        seed + 10,
    )
    positions = md.without_drift(run["positions"], half.positions)
    frames = []
    for xyz, time in zip(positions, run["time"], strict=True):
        atoms = start.copy()
        atoms.positions = xyz
        atoms.info = {"phase": "melting", "time_ps": round(float(time), 3)}
        atoms.info["diamond_fraction"] = round(float(np.mean(diamond_labels(atoms) > 0)), 4)
        frames.append(atoms)
    return frames, run


def make_set(name):
    frames, run = melt(name, SEED)
    share = [frames[n].info["diamond_fraction"] for n in (0, len(frames) // 2, -1)]
    if not (0.3 < share[0] < 0.6 and share[-1] < 0.05):
        raise SystemExit(f"{name}: diamond in first, middle, last frame: {share}; not written.")
    md.write_frames(md.DATA / f"{name}.extxyz.gz", frames, decimals=2)
    md.write_json(
        md.DATA / f"{name}.json",
        {
            "name": name,
            "description": "A crystal of silicon that melts from one half: 256 atoms, "
            f"{LENGTH:g} ps at {TEMPERATURE} K, for streaming.",
            "recipe": "recipes/si_melting.py",
            "classes": ["melting"],
            "truth": {
                "diamond_fraction": "share of the atoms that mdapy identifies as diamond or its "
                "neighbours, in each frame"
            },
            **md.POTENTIAL,
            **md.OWNERSHIP,
            "ensemble": "NVT: Langevin (damping 0.1 ps), fixed cell, periodic; before the first "
            "frame 3 ps at 4500 K with half of the atoms held",
            "time_step_ps": md.TIME_STEP,
            "production_ps": LENGTH,
            "dt_ps": EVERY,
            "positions": "Å to 0.01, unwrapped, centre of mass kept",
            "temperature_K": TEMPERATURE,
            "volume_A3_per_atom": VOLUME,
            "seed": SEED,
            "software": md.software(),
            "difference_from_paper": "Not in the paper: it shows no trajectory being classified.",
            "checks": {
                "temperature_K_mean": round(float(run["temperature"].mean()), 1),
                "diamond_fraction_first_middle_last": share,
            },
        },
    )


if __name__ == "__main__":
    md.make_sets(__doc__, [NAME], make_set)
