"""Share of the atoms of a crystal near melting that get its name: CNA, PTM, and ours.

Perfect crystals of fcc Cu, hcp Mg, bcc Fe and diamond Si at fractions of their potential's melting
point and no pressure, and the melt 5 % above it, where every crystalline atom is a false alarm;
ice Ih and water of TIP4P/Ice at their densities at its melting point, by CHILL+ and by us, whose
name for a molecule of water is CHILL+'s (its interfacial molecules are no crystal here). Single
frames, and means over 0.2 and 0.5 ps. Nothing is tuned on these runs.

    python benchmarks/hot_crystals.py [--seeds 1]    # needs the recipes extra; minutes
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "recipes"))

import lammps_md  # noqa: E402
import numpy as np  # noqa: E402
import tip4p_ice  # noqa: E402
import water  # noqa: E402
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
# CHILL+ has some molecules of any water at the rim of ice or hydrate.
RIMS = ("interfacial ice", "interfacial hydrate")
NO_CRYSTAL = ("other", "icosahedral", "liquid water", *RIMS)
METHODS = {
    "common neighbour analysis": "CNA",
    "polyhedral template matching": "PTM",
    "CHILL+": "CHILL+",
}
ICE = (5, 3, 3)  # cells of 8 molecules
DENSITY = {"ice Ih": 0.906, "liquid": 0.985}  # g/cm^3 of TIP4P/Ice, Abascal et al. (2005)


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
    "O": Model("ice Ih", water.ice(1, ICE), "lj/cut/tip4p/long", "TIP4P/Ice", 272),
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


def run_water(fraction, seed):
    """As `run`, of the oxygens, at a constant volume."""
    model, t = MODELS["O"], fraction * MODELS["O"].melting
    start, n = model.atoms, len(model.atoms) // 3
    wanted = DENSITY["ice Ih" if fraction < 1 else "liquid"]
    scale = (n * tip4p_ice.WATER * 1.66054 / wanted / start.get_volume()) ** (1 / 3)
    molecules = start.positions.reshape(n, 3, 3)
    moved = molecules + (scale - 1) * molecules[:, :1]
    box = Atoms(start.symbols, moved.reshape(-1, 3), cell=scale * start.cell.array, pbc=True)
    melt = ((False, 2 * model.melting, 2 * model.melting, 4),) if fraction > 1 else ()
    stages = (*melt, (False, t, t, 6 if fraction > 1 else 3), (False, t, t, 1))
    frames = []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        path = Path(folder) / "water.npz"
        tip4p_ice.begin(path, box, np.arange(1), box.cell.lengths() / 2)
        settings = tip4p_ice.Settings(stages, piece=EVERY)
        tip4p_ice.equilibrate(path, settings, seed, frames.append)
    oxygen = np.array(frames[-round(1 / EVERY) :])[:, ::3]
    steps = np.diff(oxygen, axis=0)
    steps -= box.cell.lengths() * np.round(steps / box.cell.lengths())  # LAMMPS wraps
    return np.concatenate([oxygen[:1], oxygen[0] + np.cumsum(steps, axis=0)]), box.cell.array


def names(atoms):
    """Names by each method, {method: (n_atoms,)}."""
    by = classical_types(atoms)
    found = {short: by[method] for method, short in METHODS.items() if method in by}
    return found | {"ours": structure_types(atoms).labels}


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
        runs = [
            run_water(fraction, s) if element == "O" else run(element, fraction, s) for s in seeds
        ]
        each = [shares(*one, element, crystal) for one in runs]
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
        "atoms": int(sum(model.atoms.numbers > 1)),
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
