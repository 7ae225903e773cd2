"""Checks the runs of ice_defects.py and writes them as XTC with a PDB frame and metadata.

    python recipes/ice_defects_pack.py

Needs chemfiles (XTC) and mdapy (CHILL+, independent of this
project).
"""

import json

import ice_defects
import numpy as np
import water
import water_md
import water_pack
from ase import Atoms
from ase.io import write

from defectkit import averaging, defects

AVERAGE = 0.75  # ps, the article's
LEAST = 2.0  # ps of production, less is not worth keeping
SAYS = {
    "vacancy": "Ice Ih, 360 sites, with one molecule missing",
    "interstitial": "Ice Ih, 360 sites, with one molecule too many",
}
FROM = {
    "1": "the last frame of water-ice (360 molecules, 250 K)",
    "2": "ideal sites in the cell of water-ice with a new proton ordering, without a dipole "
    "(GenIce2)",
}
HOW = {
    "vacancy": "a random molecule taken out",
    "interstitial": "a molecule put where the channels are widest, in the best of 40 "
    "orientations, and relaxed until no force exceeded 0.5 eV/Å",
}


def pack():
    for name in ice_defects.SEED:
        folder = ice_defects.folder_of(name)
        frames = []
        if (folder / "frames.f32").exists():
            start = np.load(folder / "start.npz")
            frames = water_pack.stored(folder, len(start["numbers"]))
        if len(frames) * water.EVERY * water.DT * 1e-3 < LEAST:
            print(f"{name}: {len(frames)} frames, not packed")
            continue
        log = np.loadtxt(folder / "log.txt", ndmin=2)
        before = sum(s.steps for s in ice_defects.STAGES[:-1])
        log = log[(log[:, 0] > before) & (log[:, 0] <= before + len(frames) * water.EVERY)]
        atoms = Atoms(start["numbers"], positions=frames[0], cell=start["cell"], pbc=True)
        results = water_pack.checks(atoms, frames, log)
        truth = wigner_seitz(atoms, frames)
        accept(name, results, truth)
        stem = ice_defects.DATA / f"ice-{name}"
        water_pack.write_xtc(stem.with_suffix(".xtc"), frames, atoms.cell.lengths())
        write(stem.with_suffix(".pdb"), atoms)
        info = metadata(name, len(frames), start, results, truth)
        print(json.dumps({k: v for k, v in info.items() if k != "reference_oxygens_A"}, indent=1))
        stem.with_suffix(".json").write_text(json.dumps(info, ensure_ascii=False) + "\n")


def wigner_seitz(atoms, frames):
    """What the averaged oxygens show against the sites of the perfect crystal."""
    cell, oxygen = atoms.cell.array, frames[:, atoms.numbers == 8].astype(float)
    window = averaging.window_from_ps(AVERAGE, water.EVERY * water.DT * 1e-3)
    mean = averaging.average_positions(oxygen, cell, window)
    found = defects.wigner_seitz(
        [Atoms(f"O{len(p)}", positions=p, cell=cell, pbc=True) for p in mean], reference(cell)
    )
    counts = {}
    for one in found:
        key = f"vacant {one.vacant.tolist()}, shared {one.shared.tolist()}"
        counts[key] = counts.get(key, 0) + 1
    return {
        "method": f"defects.wigner_seitz of the oxygens averaged over {AVERAGE} ps, every window, "
        "against reference_oxygens_A",
        "structures": counts,
        "one_vacant": float(np.mean([len(o.vacancies) == 1 for o in found])),
        "one_shared": float(np.mean([len(o.interstitials) == 1 for o in found])),
        "none_else": float(np.mean([len(o.vacancies) + len(o.interstitials) == 1 for o in found])),
    }


def reference(cell):
    return Atoms("O360", scaled_positions=ice_defects.sites(), cell=cell, pbc=True)


def accept(name, c, truth):
    """Raises ValueError where a run is not what its name says."""
    wrong = water_pack.faults(c)
    if c["chill_plus_fractions"]["hexagonal"] < 0.85:
        wrong.append("ice that is not solid")
    if truth["one_vacant" if name.startswith("vacancy") else "one_shared"] < 0.95:
        wrong.append("no single defect against the lattice")
    if wrong:
        raise ValueError(f"ice-{name} is not accepted: {', '.join(wrong)}")


def metadata(name, n_frames, start, results, truth):
    kind, number = name.split("-")
    n = len(start["numbers"]) // 3
    ps = water.DT * 1e-3
    return {
        "name": f"ice-{name}",
        "description": f"{SAYS[kind]} ({n}); molecular dynamics at 250 K with free O-H bonds.",
        "recipe": "recipes/ice_defects.py",
        "files": {"trajectory": f"ice-{name}.xtc", "topology": f"ice-{name}.pdb"},
        "atoms": "O, H, H per molecule; unwrapped positions to 0.001 Å",
        "phase": f"ice with {'a vacancy' if kind == 'vacancy' else 'an interstitial'}",
        "start": f"{FROM[number]}, {HOW[kind]}",
        "start_place_A": [round(float(x), 3) for x in start["place"]],
        "potential": "neural network potential for RPBE-D3 water, n2p2 commit 61daa0df",
        "potential_citation": "T. Morawietz, A. Singraber, C. Dellago, J. Behler, PNAS 113, 8368 "
        "(2016), doi:10.1073/pnas.1602375113",
        "licence": "CC BY 4.0",
        "citation": "the defectkit developers, embedded water MD data; cite with it the potential",
        "units": "Å, ps, K",
        "ensemble": "production NVT: stochastic velocity rescaling (1 ps) in the settled mean "
        "cell of water-ice, so the pressure is that of the defect in a fixed volume",
        "difference_from_paper": "The same potential and temperature; a fixed cell, other sites "
        "and proton orders, some ps only.",
        "software": {
            "MD": "recipes/water_md.py with defectkit's NeuralNetworkPotential",
            "start": "GenIce2",
            "checks": "mdapy (CHILL+)",
            "XTC": "chemfiles",
        },
        "stages": [
            {
                "name": s.name,
                "ps": s.steps * ps,
                "start_K": s.start,
                "end_K": s.end,
                "thermostat_ps": s.thermostat,
            }
            for s in ice_defects.STAGES[:-1]
        ],
        "time_step_ps": ps,
        "dt_ps": water.EVERY * ps,
        "n_frames": n_frames,
        "production_ps": n_frames * water.EVERY * ps,
        "seed": ice_defects.SEED[name],
        "checks": results,
        "wigner_seitz": truth,
        "reference_oxygens_A": reference(start["cell"]).positions.round(3).tolist(),
        "log_columns": list(water_md.COLUMNS),
    }


if __name__ == "__main__":
    pack()
