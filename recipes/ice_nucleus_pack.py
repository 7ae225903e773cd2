"""Checks the run of ice_nucleus.py and writes its end as XTC with a topology and metadata.

    python recipes/ice_nucleus_pack.py

Needs chemfiles (XTC) and mdapy (CHILL+, independent of this
project).
"""

import gzip
import io
import json

import ice_nucleus
import numpy as np
import water
import water_md
import water_pack
from ase import Atoms
from ase.io import write

from defectkit import averaging

SIZE = ice_nucleus.SMALL
AVERAGE = 0.75  # ps, the article's
LEAST_MOLECULES = 700


def pack():
    folder = SIZE.folder
    start = np.load(folder / "start.npz")
    frames = water_pack.stored(folder, len(start["numbers"]))
    window = averaging.window_from_ps(AVERAGE, water.EVERY * water.DT * 1e-3)
    before = SIZE.stages[0].steps + len(frames) * water.EVERY
    frames = frames[-window:]
    log = np.loadtxt(folder / "log.txt", ndmin=2)
    log = log[(log[:, 0] > before - window * water.EVERY) & (log[:, 0] <= before)]
    atoms = Atoms(start["numbers"], positions=frames[-1], cell=start["cell"], pbc=True)
    results, chill = checks(atoms, frames, log)
    print(json.dumps(results, indent=1))
    accept(results)
    stem = ice_nucleus.DATA / "ice-nucleus"
    water_pack.write_xtc(stem.with_suffix(".xtc"), frames, atoms.cell.lengths())
    text = io.StringIO()
    write(text, atoms, format="proteindatabank")
    stem.with_suffix(".pdb.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    info = metadata(start, len(frames), before, results, chill)
    stem.with_suffix(".json").write_text(json.dumps(info, ensure_ascii=False) + "\n")


def checks(atoms, frames, log):
    """What was measured over the frames kept, and the class of each molecule by CHILL+."""
    oxygen = frames[:, atoms.numbers == 8].astype(float)
    hydrogen = frames[:, atoms.numbers == 1].astype(float).reshape(len(frames), -1, 2, 3)
    bond = np.linalg.norm(hydrogen - oxygen[:, :, None], axis=3)
    lengths = atoms.cell.lengths()
    chill = water_pack.chill_plus_classes(oxygen.mean(axis=0), lengths)
    mass = len(oxygen[0]) * water_pack.WATER / water_pack.AVOGADRO
    return {
        "temperature_K": float(log[:, 1].mean()),
        "temperature_error_K": water_pack.block_error(log[:, 1]),
        "pressure_bar": float(log[:, 4].mean()),
        "pressure_error_bar": water_pack.block_error(log[:, 4]),
        "density_g_cm3": float(mass / np.prod(lengths)),
        "conserved_energy_drift_meV_per_atom_per_ps": float(
            np.polyfit(log[:, 0] * water.DT * 1e-3, log[:, 3], 1)[0] / len(atoms) * 1e3
        ),
        "longest_OH_bond_A": float(bond.max()),
        "mean_OH_bond_A": float(bond.mean()),
        "chill_plus": {name: int((chill == k).sum()) for k, name in enumerate(water_pack.CHILL)},
        "crystalline_molecules": int(np.isin(chill, (1, 2)).sum()),
    }, chill


def accept(c):
    """Raises ValueError where the run is not a nucleus in water at 255 K."""
    wrong = water_pack.faults(c, ice_nucleus.TEMPERATURE)
    if c["crystalline_molecules"] + c["chill_plus"]["interfacial"] < LEAST_MOLECULES:
        wrong.append("too small a crystal")
    if wrong:
        raise ValueError(f"ice-nucleus is not accepted: {', '.join(wrong)}")


def stages(ps):
    classical = [
        {
            "model": "TIP4P/Ice, rigid, Langevin 0.2 ps",
            "ps": length,
            "start_K": first,
            "end_K": last,
            "ball": "held" if held else "free",
        }
        for held, first, last, length in SIZE.classical.stages
    ]
    return classical + [
        {
            "model": "RPBE-D3 neural network",
            "name": s.name,
            "ps": s.steps * ps,
            "start_K": s.start,
            "end_K": s.end,
            "thermostat_ps": s.thermostat,
        }
        for s in SIZE.stages
    ]


def metadata(start, n_frames, steps, results, chill):
    ps = water.DT * 1e-3
    n = len(start["numbers"]) // 3
    return {
        "name": "ice-nucleus",
        "description": f"A round piece of ice Ih in supercooled water, {n} molecules; the last "
        f"{n_frames * water.EVERY * ps:.2f} ps of molecular dynamics at 255 K with "
        "free O-H bonds.",
        "recipe": "recipes/ice_nucleus.py",
        "files": {"trajectory": "ice-nucleus.xtc", "topology": "ice-nucleus.pdb.gz"},
        "atoms": "O, H, H per molecule; unwrapped positions to 0.001 Å",
        "phase": "ice nucleus in water",
        "potential": "neural network potential for RPBE-D3 water, n2p2 commit 61daa0df; before it "
        "TIP4P/Ice, see stages",
        "potential_citation": "T. Morawietz, A. Singraber, C. Dellago, J. Behler, PNAS 113, 8368 "
        "(2016), doi:10.1073/pnas.1602375113; J. L. F. Abascal, E. Sanz, "
        "R. García Fernández, C. Vega, J. Chem. Phys. 122, 234511 (2005)",
        "licence": "CC BY 4.0",
        "citation": "the defectkit developers, embedded water MD data; cite with it the potential",
        "units": "Å, ps, K",
        "ensemble": "NVT: stochastic velocity rescaling, fixed cell, with room for ice and water "
        "at the densities of water-ice and water-liquid (250 K, 0 bar)",
        "difference_from_paper": f"{n} molecules instead of 78 856, a share of ice three times "
        "as large, and "
        f"{steps * ps:.2f} ps with the neural network potential.",
        "software": {
            "start": "GenIce2",
            "TIP4P/Ice": "LAMMPS",
            "MD": "recipes/water_md.py with defectkit's NeuralNetworkPotential",
            "checks": "mdapy (CHILL+)",
            "XTC": "chemfiles",
        },
        "stages": stages(ps),
        "neural_network_ps": steps * ps,
        "time_step_ps": ps,
        "dt_ps": water.EVERY * ps,
        "n_frames": n_frames,
        "production_ps": n_frames * water.EVERY * ps,
        "seed": SIZE.seed,
        "checks": results,
        "centre_A": [round(float(x), 3) for x in start["centre"]],
        "held_molecules": start["ball"].tolist(),
        "chill_plus_classes": list(water_pack.CHILL),
        "chill_plus": "".join(map(str, chill)),
        "chill_plus_of": f"oxygens at their mean positions over {AVERAGE} ps, a digit a molecule",
        "log_columns": list(water_md.COLUMNS),
    }


if __name__ == "__main__":
    pack()
