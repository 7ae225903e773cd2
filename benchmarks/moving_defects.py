"""Vacancies and interstitials that move, in single frames of potentials nothing was tuned on.

Silicon of Stillinger-Weber, EDIP, MEAM and SNAP, and Cu, W and Fe of the embedded atom method, at
300 K, half and 0.8 of their melting point; no defect, one vacancy, or one interstitial. What
`find_point_defects` (`identify` calls it) names in each frame alone is compared with Wigner-Seitz
analysis against the perfect lattice, and so are the jumps of the tracks.

    python benchmarks/moving_defects.py [--seeds 1]    # needs the recipes extra; half an hour, and
                                                       # more than one for SNAP
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "recipes"))

import lammps_md  # noqa: E402
import numpy as np  # noqa: E402
from _timing import keep_each  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.build import bulk  # noqa: E402

from defectkit import defects  # noqa: E402

FRACTIONS = {"300 K": None, "0.5 of melting": 0.5, "0.8 of melting": 0.8}
EVERY, SAMPLED = 0.2, 10.0  # ps
TOLERANCE = 0.7  # Å
DEFECTS = ("none", "vacancy", "interstitial")


class Model(NamedTuple):
    atoms: Atoms
    commands: str  # files of LAMMPS in braces
    melting: float  # K: as published for the potential, or the element's; not measured here
    interstitial: tuple  # lattice constants from an atom to where one more starts
    edge: float  # Å, lattice constant of the start


SQUARE, FCC, BCC = (0.5, 0.5, 0.5), (0.4, 0.0, 0.0), (0.25, 0.25, 0.0)
# Zuo et al., J. Phys. Chem. A 124, 731 (2020), as LAMMPS ships it: the coefficients of
# mvl_models/Si/snap in github.com/materialsvirtuallab/mlearn.
SNAP = "pair_style snap\npair_coeff * * {Si_Zuo_JPCA2020.snapcoeff} {Si_Zuo_JPCA2020.snapparam} Si"


def model(symbol, lattice, edge, repeat, commands, melting, interstitial):
    atoms = bulk(symbol, lattice, a=edge, cubic=True) * repeat
    return Model(atoms, commands, melting, interstitial, edge)


MODELS = {
    "Si, SW": model(
        "Si", "diamond", 5.43, 3, "pair_style sw\npair_coeff * * {Si.sw} Si", 1691, SQUARE
    ),
    "Si, EDIP": model(
        "Si", "diamond", 5.43, 3, "pair_style edip\npair_coeff * * {Si.edip} Si", 1530, SQUARE
    ),
    "Si, MEAM": model(
        "Si",
        "diamond",
        5.43,
        3,
        "pair_style meam/spline\npair_coeff * * {Si_1.meam.spline} Si",
        1687,
        SQUARE,
    ),
    "Si, SNAP": model("Si", "diamond", 5.46, 3, SNAP, 1687, SQUARE),
    "Cu, EAM": model(
        "Cu",
        "fcc",
        3.615,
        4,
        "pair_style eam/alloy\npair_coeff * * {Cu_mishin1.eam.alloy} Cu",
        1327,
        FCC,
    ),
    "W, EAM": model(
        "W",
        "bcc",
        3.165,
        5,
        "pair_style eam/alloy\npair_coeff * * {W_zhou.eam.alloy} W",
        3695,
        BCC,
    ),
    "Fe, EAM": model(
        "Fe", "bcc", 2.855, 5, "pair_style eam/fs\npair_coeff * * {Fe_mm.eam.fs} Fe", 1772, BCC
    ),
}


def force_field(given):
    commands = given.commands
    for name in [part.split("}")[0] for part in commands.split("{")[1:]]:
        commands = commands.replace("{" + name + "}", str(lammps_md.potential_file(name)))
    return lammps_md.ForceField((given.atoms.symbols[0],), commands)


def start_of(given, defect):
    """The cell with its defect; no atom on a face."""
    atoms = given.atoms.copy()
    atoms.positions += 0.1
    one = len(atoms) // 2
    if defect == "vacancy":
        del atoms[one]
    elif defect == "interstitial":
        place = atoms.positions[one] + given.edge * np.array(given.interstitial)
        atoms += Atoms([atoms.symbols[0]], [place])
    return atoms


def simulated(given, defect, temperature, seed):
    """Frames of one run at no pressure, and the perfect crystal they are compared with."""
    settle = {"thermostat": "langevin", "temperature": temperature, "ps": 0.5}
    hold = {"thermostat": "nose-hoover", "temperature": temperature}
    free = hold | {"barostat": "iso", "ps": 2}
    look = hold | {"ps": SAMPLED, "every": EVERY}
    start = start_of(given, defect)
    run = lammps_md.simulate(start, [settle, free, look], seed, field=force_field(given))
    symbols = start.get_chemical_symbols()
    frames = [Atoms(symbols, positions=p, cell=run["cell"], pbc=True) for p in run["positions"]]
    return frames, given.atoms.copy()


def kinds(sites, vacant):
    return [site for site in sites if (site.kind in defects.VACANT) == vacant]


def judged(frames, reference, defect):
    """Frames located, other defects named, and jumps beside Wigner-Seitz'."""
    truth = defects.wigner_seitz(frames, reference)
    sites = [defects.find_point_defects(atoms).sites for atoms in frames]
    cells = np.array([atoms.cell.array for atoms in frames])
    if defect == "none":
        return {"frames": len(frames), "false_alarms": sum(map(bool, sites))}
    vacant = defect == "vacancy"
    clean = [k for k, t in enumerate(truth) if len(t.vacant) == vacant and len(t.shared) != vacant]
    mine = [kinds(sites[k], vacant) for k in clean]
    more = {}
    if vacant:
        there = [truth[k].vacancies for k in clean]
        more["halves"] = [truth[k].halves for k in clean]
    else:
        there = [truth[k].interstitials for k in clean]
        more["truth_atoms"] = [truth[k].interstitial_atoms for k in clean]
    found = defects.score(mine, there, cells[clean], tolerance=TOLERANCE, **more)
    right = found["located_either"] if vacant else found["found_atoms"]
    others = sum(len(sites[k]) - len(m) for k, m in zip(clean, mine, strict=True))
    false = found["false_alarms_either_per_frame" if vacant else "false_atoms_per_frame"]
    return {
        "frames": len(clean),
        "located": right,
        "located_strictly": found["located"],
        "median_error_A": found["median_error_A"],
        "false_per_frame": false + others / len(clean),
        "hops": hops(mine, cells[clean], reference),
        "hops_wigner_seitz": hops(there, cells[clean], reference),
    }


def hops(sites, cells, reference):
    """Rate (per ps) and diffusion coefficient (cm^2/s) of the longest track, with errors."""
    spacing = reference.get_all_distances(mic=True)[0, 1:].min()
    tracks = defects.track(sites, cells, max_jump=2 * spacing, min_jump=0.5 * spacing)
    found = defects.hopping(tracks[0], EVERY)
    return {
        "rate": [found.rate, found.rate_error],
        "diffusion": [found.diffusion, found.diffusion_error],
    }


def measure(name, seeds):
    given, rows = MODELS[name], {}
    for title, fraction in FRACTIONS.items():
        temperature = fraction * given.melting if fraction else 300.0
        for defect in DEFECTS:
            for seed in seeds:
                frames, reference = simulated(given, defect, temperature, seed)
                row = judged(frames, reference, defect)
                print(f"{name}, {defect}, {title}, seed {seed}: {row}", flush=True)
                rows[f"{defect}, {title}, seed {seed}"] = rounded(row)
    return {"melting_K": given.melting, "atoms": len(given.atoms), "runs": rows}


def rounded(row):
    if isinstance(row, dict):
        return {k: rounded(v) for k, v in row.items()}
    if isinstance(row, list):
        return [rounded(v) for v in row]
    if isinstance(row, int):
        return row
    return float(f"{row:.4g}") if np.isfinite(row) else None


if __name__ == "__main__":
    keep_each("moving_defects", __doc__, MODELS, measure)
