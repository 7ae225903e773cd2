"""Checks the water and ice trajectories and writes them as XTC with a PDB frame and metadata.

    python recipes/water_pack.py

Needs chemfiles (XTC) and mdapy (CHILL+, independent of this project).
"""

import json
import os
from pathlib import Path

import chemfiles
import mdapy
import numpy as np
import polars
import water
import water_md
from ase.io import write

AVOGADRO, WATER = 0.602214076, 18.01528  # 1e24 / mol, g / mol
CHILL = ("other", "hexagonal", "cubic", "interfacial", "hydrate", "interfacial hydrate")
ICE_LIQUID = {
    "ice": "Ice Ih, proton-disordered, without a dipole (GenIce2), 360 molecules",
    "liquid": "Supercooled liquid water, 360 molecules, cooled from the equilibrated 300 K "
    "liquid that n2p2 distributes",
}
SAYS = {
    "ice": "The cell followed the pressure axis by axis until it settled; production in its mean.",
    "liquid": "Cooled linearly from 300 K to 250 K and held there at 0 bar for a few ps, then "
    "production at the mean density. That is far shorter than the liquid's slow "
    "relaxation at 250 K: `drift` states what is left. The paper equilibrated with "
    "parallel tempering.",
}
DIFFERS = {
    "ice": "The same potential and state; 360 molecules in another proton order, and some ps at "
    "0 bar before production instead of 700.",
    "liquid": "The same potential and state; 360 molecules, cooled and held for some ps instead "
    "of 8 ns of parallel tempering and 2 ns of production.",
}


def pack(work, out, names=("ice", "liquid")):
    for name in names:
        folder = Path(work) / f"water-{name}"
        log = np.loadtxt(folder / "log.txt", ndmin=2)
        stages = water.STAGES[name]
        start = sum(s.steps for s in stages[:-1])
        atoms = (
            water.ice(water.SEED[name])
            if name == "ice"
            else water.liquid(water.datasets.potential_folder("h2o-rpbe-d3"))
        )
        frames = stored(folder, len(atoms))
        log = log[log[:, 0] <= start + len(frames) * water.EVERY]
        made = log[log[:, 0] > start]
        atoms.set_cell(np.diag(made[0, 5:8]))
        atoms.positions = frames[0]
        results = checks(atoms, frames, made)
        print(name, json.dumps(results, indent=1))
        accept(name, results)
        stem = Path(out) / f"water-{name}"
        write_xtc(stem.with_suffix(".xtc"), frames, atoms.cell.lengths())
        write(stem.with_suffix(".pdb"), atoms)
        info = metadata(name, stages, len(frames), log, results)
        stem.with_suffix(".json").write_text(json.dumps(info, indent=1, ensure_ascii=False) + "\n")


def stored(folder, n_atoms):
    """Whole frames (n, n_atoms, 3) in Å of a run of water_md."""
    frames, size = np.fromfile(folder / "frames.f32", "<f4"), 3 * n_atoms
    return frames[: len(frames) // size * size].reshape(-1, n_atoms, 3)


def write_xtc(path, frames, lengths):
    """XTC with positions to 0.001 Å; made under a temporary name, then renamed."""
    temporary = path.with_suffix(".new.xtc")
    with chemfiles.Trajectory(str(temporary), "w") as file:
        for n, positions in enumerate(frames):
            frame = chemfiles.Frame()
            frame.resize(len(positions))
            frame.positions[:] = positions
            frame.cell = chemfiles.UnitCell(lengths)
            frame.step = (n + 1) * water.EVERY
            frame["time"] = (n + 1) * water.EVERY * water.DT * 1e-3
            frame["xtc_precision"] = 10000.0  # per nm
            file.write(frame)
    temporary.chmod(0o644)  # chemfiles makes it executable
    os.replace(temporary, path)


def checks(atoms, frames, log):
    """What a reader needs to trust a trajectory, from its frames and its log of production."""
    ps = log[:, 0] * water.DT * 1e-3
    n = len(atoms)
    oxygen = frames[:, atoms.numbers == 8].astype(float)
    lengths = atoms.cell.lengths()
    r, g = oxygen_rdf(oxygen[::20], lengths)
    lag, msd = mean_square_displacement(oxygen, water.EVERY * water.DT * 1e-3)
    late = lag >= 0.5 * lag[-1]
    slope = np.polyfit(lag[late], msd[late], 1)[0]
    hydrogen = frames[:, atoms.numbers == 1].astype(float).reshape(len(frames), -1, 2, 3)
    bond = np.linalg.norm(hydrogen - oxygen[:, :, None], axis=3)
    return {
        "temperature_K": float(log[:, 1].mean()),
        "temperature_error_K": block_error(log[:, 1]),
        "density_g_cm3": float(n / 3 * WATER / AVOGADRO / np.prod(lengths)),
        "pressure_bar": float(log[:, 4].mean()),
        "pressure_error_bar": block_error(log[:, 4]),
        "cell_A": [round(float(x), 4) for x in lengths],
        "potential_energy_drift_meV_per_atom_per_ps": float(
            np.polyfit(ps, log[:, 2], 1)[0] / n * 1e3
        ),
        "conserved_energy_drift_meV_per_atom_per_ps": float(
            np.polyfit(ps, log[:, 3], 1)[0] / n * 1e3
        ),
        "oxygen_rdf_first_peak_A": float(r[g.argmax()]),
        "oxygen_rdf_first_peak_height": float(g.max()),
        "oxygen_msd_at_half_length_A2": float(msd[len(msd) // 2]),
        "oxygen_msd_slope_A2_per_ps": float(slope),
        "oxygen_diffusion_1e-9_m2_per_s": float(slope / 6.0 * 10.0),
        "longest_OH_bond_A": float(bond.max()),
        "mean_OH_bond_A": float(bond.mean()),
        "chill_plus_fractions": chill_plus(oxygen[::40], lengths),
    }


def accept(name, c):
    """Raises ValueError where a trajectory is not what its name says."""
    hexagonal = c["chill_plus_fractions"]["hexagonal"]
    wrong = faults(c)
    if name == "ice" and (hexagonal < 0.9 or c["oxygen_msd_at_half_length_A2"] > 0.5):
        wrong.append("ice that is not solid")
    if name == "liquid" and (hexagonal > 0.05 or c["oxygen_msd_slope_A2_per_ps"] < 0.02):
        wrong.append("water that is not liquid")
    if wrong:
        raise ValueError(f"water-{name} is not accepted: {', '.join(wrong)}")


def faults(c, temperature=250.0):
    """What makes any trajectory of water at this temperature (K) wrong."""
    wrong = []
    if abs(c["temperature_K"] - temperature) > 4.0:
        wrong.append(f"temperature {c['temperature_K']:.1f} K")
    if abs(c["conserved_energy_drift_meV_per_atom_per_ps"]) > 0.2:
        wrong.append("drift of the conserved energy")
    if c["longest_OH_bond_A"] > 1.5:
        wrong.append("a broken O-H bond")
    return wrong


def block_error(values, blocks=5):
    return float(
        np.std([b.mean() for b in np.array_split(values, blocks)], ddof=1) / np.sqrt(blocks)
    )


def oxygen_rdf(frames, lengths, width=0.05, reach=7.0):
    edges = np.arange(0.0, reach + width, width)
    count = np.zeros(len(edges) - 1)
    upper = np.triu_indices(frames.shape[1], 1)
    for p in frames:
        d = p[upper[0]] - p[upper[1]]
        d -= np.round(d / lengths) * lengths
        count += np.histogram(np.linalg.norm(d, axis=1), edges)[0]
    shell = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    pairs = len(frames) * len(upper[0])
    return 0.5 * (edges[1:] + edges[:-1]), count / pairs / shell * np.prod(lengths)


def mean_square_displacement(positions, dt):
    """Over lags of up to half the length, all starting times, centre of mass at rest."""
    positions = positions - positions.mean(axis=1, keepdims=True)
    lags = np.unique(np.linspace(1, len(positions) // 2, 60).astype(int))
    return lags * dt, np.array(
        [np.mean(np.sum((positions[k:] - positions[:-k]) ** 2, axis=2)) for k in lags]
    )


def chill_plus_classes(oxygen, lengths):
    """Class of each molecule (index in CHILL) of one frame of oxygens (n, 3) in Å."""
    p = oxygen % lengths
    data = polars.DataFrame({"x": p[:, 0], "y": p[:, 1], "z": p[:, 2], "element": ["O"] * len(p)})
    system = mdapy.System(data=data, box=mdapy.Box(np.diag(lengths)))
    system.cal_chill_plus()
    return system.data["chill_plus"].to_numpy()


def chill_plus(frames, lengths):
    """Mean fractions of molecules in each class of CHILL+ (Nguyen, Molinero 2015), by mdapy."""
    total = np.zeros(len(CHILL))
    for p in frames:
        total += np.bincount(chill_plus_classes(p, lengths), minlength=len(CHILL))
    return {name: float(v) for name, v in zip(CHILL, total / total.sum(), strict=True)}


def drift(stages, log):
    """Means over four blocks of each stage."""
    n, step = 1080, 0
    found = {}
    for stage in stages:
        rows = log[(log[:, 0] > step) & (log[:, 0] <= step + stage.steps)]
        step += stage.steps
        if len(rows) < 4:
            continue
        found[stage.name] = [
            {
                "time_ps": [float(b[0, 0] * water.DT * 1e-3), float(b[-1, 0] * water.DT * 1e-3)],
                "temperature_K": round(float(b[:, 1].mean()), 2),
                "potential_meV_per_atom": round(float((b[:, 2].mean() - log[-1, 2]) / n * 1e3), 3),
                "density_g_cm3": round(
                    float(np.mean(360 * WATER / AVOGADRO / np.prod(b[:, 5:8], axis=1))), 5
                ),
                "pressure_bar": round(float(b[:, 4].mean()), 0),
            }
            for b in np.array_split(rows, 4)
        ]
    return found


def metadata(name, stages, n_frames, log, results):
    return {
        "name": f"water-{name}",
        "description": f"{ICE_LIQUID[name]}; molecular dynamics at 250 K with free O-H bonds.",
        "recipe": "recipes/water.py",
        "files": {"trajectory": f"water-{name}.xtc", "topology": f"water-{name}.pdb"},
        "atoms": "O, H, H per molecule; unwrapped positions to 0.001 Å",
        "phase": {"ice": "ice", "liquid": "water"}[name],
        "potential": "neural network potential for RPBE-D3 water, n2p2 commit 61daa0df",
        "potential_citation": "T. Morawietz, A. Singraber, C. Dellago, J. Behler, PNAS 113, 8368 "
        "(2016), doi:10.1073/pnas.1602375113",
        "licence": "CC BY 4.0",
        "citation": "the defectkit developers, embedded water MD data; cite with it the potential",
        "units": "Å, ps, K",
        "ensemble": "production NVT: stochastic velocity rescaling (1 ps), fixed cell; before it "
        "the cell followed 0 bar by weak coupling",
        "equilibration": SAYS[name],
        "difference_from_paper": DIFFERS[name],
        "software": {
            "MD": "recipes/water_md.py with defectkit's NeuralNetworkPotential",
            "start": {"ice": "GenIce2", "liquid": "n2p2's example box"}[name],
            "checks": "mdapy (CHILL+)",
            "XTC": "chemfiles",
        },
        "stages": [
            {
                "name": s.name,
                "ps": s.steps * water.DT * 1e-3,
                "start_K": s.start,
                "end_K": s.end,
                "barostat": s.barostat or None,
            }
            for s in stages[:-1]
        ],
        "time_step_ps": water.DT * 1e-3,
        "dt_ps": water.EVERY * water.DT * 1e-3,
        "n_frames": n_frames,
        "production_ps": n_frames * water.EVERY * water.DT * 1e-3,
        "seed": water.SEED[name],
        "drift": drift(stages, log),
        "drift_columns": "four blocks of each stage; potential relative to the last logged step",
        "checks": results,
        "published": {
            "density_g_cm3_at_300_K": [0.894, 0.905],
            "source": "the cells of the two equilibrated NpT liquids that n2p2 "
            "distributes with the potential (2880 and 360 molecules)",
        },
        "log_columns": list(water_md.COLUMNS),
    }


if __name__ == "__main__":
    pack(water.WORK, water.HERE.parent / "defectkit" / "data")
