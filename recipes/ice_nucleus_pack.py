"""Checks the run of ice_nucleus.py and writes its end as an embedded set.

    python recipes/ice_nucleus_pack.py                # XTC, topology and metadata
    python recipes/ice_nucleus_pack.py --size large   # means of BLOCK ps: oxygens and features
    python recipes/ice_nucleus_pack.py --size article   # one mean over AVERAGE ps

Needs chemfiles (XTC) and mdapy (CHILL+, independent of this project).
"""

import argparse
import gzip
import io
import json

import ice_nucleus
import numpy as np
import water_md
import water_pack
from ase import Atoms
from ase.io import write

from defectkit import SymmetryFunctions, averaging
from defectkit.io.archive import write_archive

AVERAGE = 0.75  # ps, the article's
BLOCK = 0.25  # ps, of the means that are kept of the large run
LEVELS, FEWER = 2**16 - 1, 2**14 - 1  # of a quantised feature; fewer in the largest box
LEAST_MOLECULES = 700


def pack(size):
    start = np.load(size.folder / "start.npz")
    stored = water_pack.stored(size.folder, len(start["numbers"]))
    dt = size.every * size.step * 1e-3
    window = averaging.window_from_ps(AVERAGE, dt)
    before = size.stages[0].steps + len(stored) * size.every
    frames = stored[-window:]
    log = np.loadtxt(size.folder / "log.txt", ndmin=2)
    log = log[(log[:, 0] > before - window * size.every) & (log[:, 0] <= before)]
    atoms = Atoms(start["numbers"], positions=frames[-1], cell=start["cell"], pbc=True)
    results, chill = checks(size, atoms, frames, log)
    print(json.dumps(results, indent=1))
    accept(results)
    info = metadata(size, start, len(frames), before, results, chill)
    stem = ice_nucleus.DATA / size.name
    if size is ice_nucleus.SMALL:
        info |= whole(stem, atoms, frames)
    elif size is ice_nucleus.LARGE:
        info |= means(stem, atoms, stored, dt)
    else:
        info |= one_mean(stem, atoms, frames, chill)
    stem.with_suffix(".json").write_text(json.dumps(info, ensure_ascii=False) + "\n")


def whole(stem, atoms, frames):
    """Writes all frames as XTC; what the metadata say of them."""
    water_pack.write_xtc(stem.with_suffix(".xtc"), frames, atoms.cell.lengths())
    text = io.StringIO()
    write(text, atoms, format="proteindatabank")
    stem.with_suffix(".pdb.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return {
        "files": {"trajectory": f"{stem.name}.xtc", "topology": f"{stem.name}.pdb.gz"},
        "atoms": "O, H, H per molecule; unwrapped positions to 0.001 Å",
    }


def means(stem, atoms, frames, dt):
    """Writes oxygens and features as means over BLOCK ps; what the metadata say of them."""
    sf, width = SymmetryFunctions.water(), averaging.window_from_ps(BLOCK, dt)
    blocks = frames[-(len(frames) // width * width) :].reshape(-1, width, *frames.shape[1:])
    features, text = [], io.StringIO()
    for n, block in enumerate(blocks, 1):
        features.append(mean_features(sf, atoms, block))
        mean = mean_oxygens(atoms, block, n * BLOCK)
        write_oxygens(text, mean, chill_plus=chill_of(mean))
    keep(stem, text, np.array([*features, mean_features(sf, atoms, block[-1:])]), sf, LEVELS)
    ps = len(blocks) * BLOCK
    return {
        "description": f"A round piece of ice Ih in supercooled water, {len(mean)} molecules, at "
        f"255 K: means of oxygens and features over {BLOCK} ps each, the last {ps:g} ps.",
        "atoms": f"oxygens at their mean positions over {BLOCK} ps, to 0.001 Å",
        "truth": ["chill_plus"],
        "dt_ps": BLOCK,
        "n_frames": len(blocks),
    }


def one_mean(stem, atoms, frames, chill):
    """Writes oxygens and features as one mean over all frames; what the metadata say of it."""
    sf, text = SymmetryFunctions.water(), io.StringIO()
    mean, thirds = mean_oxygens(atoms, frames, AVERAGE), np.array_split(frames, 3)
    of_thirds = {
        f"chill_plus_{n}": chill_of(mean_oxygens(atoms, part, 0))
        for n, part in enumerate(thirds, 1)
    }
    write_oxygens(text, mean, chill_plus=chill, **of_thirds)
    keep(stem, text, mean_features(sf, atoms, frames)[None], sf, FEWER)
    return {
        "description": f"A round piece of ice Ih in supercooled water, {len(mean)} molecules, at "
        f"255 K: means of oxygens and features over {AVERAGE} ps.",
        "atoms": f"oxygens at their mean positions over {AVERAGE} ps, to 0.001 Å",
        "truth": ["chill_plus", *of_thirds],
        "dt_ps": AVERAGE,
        "n_frames": 1,
    }


def mean_features(sf, atoms, frames):
    """Of the oxygens, over some frames."""
    total = 0.0
    for positions in frames:
        atoms.positions = positions
        total = total + sf(atoms, centres="O")
    return total / len(frames)


def mean_oxygens(atoms, frames, time):
    places = frames[:, atoms.numbers == 8].astype(float).mean(axis=0)
    mean = Atoms(f"O{len(places)}", places, cell=atoms.cell, pbc=True)
    mean.info |= {"phase": "ice nucleus in water", "time_ps": time}
    return mean


def chill_of(oxygens):
    return water_pack.chill_plus_classes(oxygens.positions, oxygens.cell.lengths())


def write_oxygens(text, oxygens, **columns):
    oxygens.positions = oxygens.positions.round(3)
    oxygens.arrays |= columns
    write(text, oxygens, format="extxyz", columns=["symbols", "positions", *columns])


def keep(stem, text, features, sf, most):
    """Writes oxygens, and their features (blocks, n, n_features) in steps of range / most."""
    stem.with_suffix(".extxyz.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    low, high = features.min(axis=(0, 1)), features.max(axis=(0, 1))
    step = np.where(high > low, (high - low) / most, 1.0)
    about = {"mark": "defectkit features", "recipe": "recipes/ice_nucleus_pack.py"}
    about["symmetry_functions"] = sf.names("O")
    levels = np.rint((features - low) / step).astype(np.uint16)
    write_archive(stem.with_suffix(".npz"), about, {"levels": levels, "low": low, "step": step})


def checks(size, atoms, frames, log):
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
            np.polyfit(log[:, 0] * size.step * 1e-3, log[:, 3], 1)[0] / len(atoms) * 1e3
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


def stages(size):
    classical = [
        {
            "model": "TIP4P/Ice, rigid, Langevin 0.2 ps",
            "ps": length,
            "start_K": first,
            "end_K": last,
            "ball": "held" if held else "free",
        }
        for held, first, last, length in size.classical.stages
    ]
    return classical + [
        {
            "model": "RPBE-D3 neural network",
            "name": s.name,
            "ps": s.steps * size.step * 1e-3,
            "start_K": s.start,
            "end_K": s.end,
            "thermostat_ps": s.thermostat,
        }
        for s in size.stages
    ]


def metadata(size, start, n_frames, steps, results, chill):
    ps = size.step * 1e-3
    heavy = "" if size is ice_nucleus.SMALL else f", hydrogens of {size.classical.hydrogen} u"
    n = len(start["numbers"]) // 3
    share = "" if n > 78_000 else ", so a larger share of ice"
    return {
        "name": size.name,
        "description": f"A round piece of ice Ih in supercooled water, {n} molecules; the last "
        f"{n_frames * size.every * ps:.2f} ps of molecular dynamics at 255 K with "
        "free O-H bonds.",
        "recipe": "recipes/ice_nucleus.py",
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
        "difference_from_paper": f"{n} molecules instead of 78 856{share}, and "
        f"{steps * ps:.2f} ps with the neural network potential{heavy}.",
        "software": {
            "start": "GenIce2",
            "TIP4P/Ice": "LAMMPS",
            "MD": "recipes/water_md.py with defectkit's NeuralNetworkPotential",
            "checks": "mdapy (CHILL+)",
            "XTC": "chemfiles",
        },
        "stages": stages(size),
        "neural_network_ps": steps * ps,
        "time_step_ps": ps,
        "dt_ps": size.every * ps,
        "n_frames": n_frames,
        "production_ps": n_frames * size.every * ps,
        "seed": size.seed,
        "checks": results,
        "centre_A": [round(float(x), 3) for x in start["centre"]],
        "held_molecules": start["ball"].tolist(),
        "chill_plus_classes": list(water_pack.CHILL),
        "chill_plus": "".join(map(str, chill)),
        "chill_plus_of": f"oxygens at their mean positions over {AVERAGE} ps, a digit a molecule",
        "log_columns": list(water_md.COLUMNS),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=list(ice_nucleus.SIZES), default="small")
    pack(ice_nucleus.SIZES[parser.parse_args().size])
