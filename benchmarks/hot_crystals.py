"""Share of the atoms of a crystal near melting that get its name: CNA, PTM, and ours.

Perfect crystals of fcc Cu, hcp Mg, bcc Fe and diamond Si at fractions of their potential's melting
point and no pressure, and the melt 5 % above it, where every crystalline atom is a false alarm.
Single frames, and means over 0.2 and 0.5 ps. Nothing is tuned on these runs.

    python benchmarks/hot_crystals.py [--seeds 1]    # needs the recipes extra; minutes
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

from defectkit import averaging  # noqa: E402
from defectkit.phases import structure_types  # noqa: E402
from defectkit.phases.classical import classical_types  # noqa: E402

FRACTIONS = (0.5, 0.7, 0.9, 0.98)
LIQUID = 1.05
EVERY = 0.02  # ps
WINDOWS = {"single frame": 1, "0.2 ps": 10, "0.5 ps": 25}  # frames
OF_EACH = 5  # single frames or means looked at, evenly over 1 ps; fewer where they would overlap
NO_CRYSTAL = ("other", "icosahedral")


class Model(NamedTuple):
    crystal: str
    atoms: Atoms
    style: str
    file: str
    melting: float  # K, as published for the potential; not measured here


MODELS = {
    "Cu": Model("fcc", bulk("Cu", cubic=True) * 5, "eam/alloy", "Cu_mishin1.eam.alloy", 1327),
    "Mg": Model("hcp", bulk("Mg", orthorhombic=True) * (6, 4, 4), "eam/fs", "Mg_mm.eam.fs", 914),
    "Fe": Model("bcc", bulk("Fe", cubic=True) * 6, "eam/fs", "Fe_mm.eam.fs", 1772),
    "Si": Model("diamond", bulk("Si", cubic=True) * 4, "sw", "Si.sw", 1691),
}


def run(element, fraction, seed):
    """Frames (n, n_atoms, 3) of 1 ps in the cell that the pressure settled, and that cell."""
    model = MODELS[element]
    t = fraction * model.melting
    start = model.atoms.copy()
    start.positions += 0.1
    settle = {
        "thermostat": "nose-hoover",
        "ps": 2,
        "barostat": "aniso" if model.crystal == "hcp" else "iso",
    }
    stages = [
        settle | {"temperature": t},
        {"thermostat": "nose-hoover", "temperature": t, "ps": 1, "every": EVERY},
    ]
    if fraction > 1:
        stages.insert(0, settle | {"temperature": 2 * model.melting, "barostat": "iso"})
    field = lammps_md.ForceField(
        (element,),
        f"pair_style {model.style}\npair_coeff * * "
        f"{lammps_md.potential_file(model.file)} {element}",
    )
    made = lammps_md.simulate(start, stages, seed, field=field)
    return made["positions"], made["cell"]


def names(atoms):
    """Names by each method, {method: (n_atoms,)}."""
    by = classical_types(atoms)
    return {
        "CNA": by["common neighbour analysis"],
        "PTM": by["polyhedral template matching"],
        "ours": structure_types(atoms).labels,
    }


def shares(frames, cell, element, crystal):
    """{window: {method: share}}; `crystal` None: of any crystal."""
    result = {}
    for title, window in WINDOWS.items():
        means = averaging.moving_average(frames, window)
        count = min(OF_EACH, len(frames) // window)
        found = {}
        for k in np.linspace(0, len(means) - 1, count).round().astype(int):
            atoms = Atoms(f"{element}{len(means[k])}", positions=means[k], cell=cell, pbc=True)
            for method, label in names(atoms).items():
                right = ~np.isin(label, NO_CRYSTAL) if crystal is None else label == crystal
                found.setdefault(method, []).append(right.mean())
        result[title] = {method: float(np.mean(v)) for method, v in found.items()}
    return result


def measure(element, seeds):
    model, result = MODELS[element], {}
    for fraction in (*FRACTIONS, LIQUID):
        crystal = model.crystal if fraction < 1 else None
        each = [shares(*run(element, fraction, seed), element, crystal) for seed in seeds]
        row = {
            window: {
                method: digits_of([e[window][method] for e in each]) for method in each[0][window]
            }
            for window in WINDOWS
        }
        result[f"{model.crystal if crystal else 'liquid'} {element}, {fraction:g}"] = row
    return {
        "potential": model.file,
        "melting_K": model.melting,
        "atoms": len(model.atoms),
        "seeds": seeds,
        "share": result,
    }


def digits_of(values):
    """Mean and range over the seeds."""
    return {
        "mean": round(float(np.mean(values)), 5),
        "min": round(min(values), 5),
        "max": round(max(values), 5),
    }


if __name__ == "__main__":
    keep_each("hot_crystals", __doc__, MODELS, measure, option="--elements")
