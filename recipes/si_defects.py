"""Make si-vacancy, si-interstitial (static and -moving) and si-surface (15 minutes, one core).

    python recipes/si_defects.py [--sets NAME ...]

One defect in a crystal of diamond-structure silicon, and (001) slabs with 2x1 dimers, from MD with
the modified Tersoff potential. The truth beside each frame is Wigner-Seitz analysis against the
perfect lattice with the drift of the lattice removed, checked against mdapy; for the slab it is
the layer of each atom in the unreconstructed crystal. A run of a static set whose defect moved, or
a slab without all its dimers, is refused and counted.
"""

import lammps_md as md
import numpy as np
from ase.build import bulk, diamond100
from ase.geometry import find_mic
from si_defects_truth import (
    INTERSTITIAL_TRUTH,
    SURFACE_TRUTH,
    TRUTH,
    VACANCY_TRUTH,
    dimers,
    layers,
)
from tqdm import tqdm

# Å: the potential's lattice constant at 0 K and its growth with temperature (per K), rounded
LATTICE, EXPANSION = 5.43, 4e-6
STARTS = ("dumbbell", "hexagonal", "tetrahedral")

INTERSTITIAL_NOTES = (
    "The kind of a run names its start. In this potential the tetrahedral site is the most "
    "stable: hexagonal starts relax to it before the first frame, dumbbells later or not at all "
    "(share_of_dumbbell_frames). A tetrahedral atom sits on the border of four Wigner-Seitz "
    "cells, so site_A jumps between them (site_changes) while the atom stays; interstitial_A and "
    "identity_changes (of the atoms off the lattice) are the measure of where it is."
)
SETS = {
    "si-vacancy": {
        "description": "One vacancy in silicon that stays where it is, 63 and 215 atoms, 300 to "
        "800 K, frames 1 ps apart.",
        "defect": "vacancy",
        "truth": VACANCY_TRUTH,
        "seed": 20250404,
        "production": 10.0,
        "every": 0.05,
        "keep": 20,
        "static": True,
        "groups": [
            (n, (t,), "vacancy", runs) for n, runs in ((2, 4), (3, 2)) for t in (300, 600, 800)
        ],
    },
    "si-vacancy-moving": {
        "description": "One vacancy in silicon of 215 atoms that hops at 1000 K, 20 ps with a "
        "frame every 0.05 ps.",
        "defect": "vacancy",
        "truth": VACANCY_TRUTH,
        "seed": 20250505,
        "production": 20.0,
        "every": 0.05,
        "keep": 1,
        "static": False,
        "groups": [(3, (1000,), "vacancy", 2)],
    },
    "si-interstitial": {
        "description": "One extra atom in silicon that stays where it is, 65 and 217 atoms, 150 "
        "and 300 K, started as dumbbell, hexagonal and tetrahedral, frames 1 ps "
        "apart.",
        "defect": "interstitial",
        "truth": INTERSTITIAL_TRUTH,
        "notes": INTERSTITIAL_NOTES,
        "seed": 20250606,
        "production": 10.0,
        "every": 0.05,
        "keep": 20,
        "static": True,
        "groups": [(n, (t,), kind, 2) for n in (2, 3) for t in (150, 300) for kind in STARTS],
    },
    "si-interstitial-moving": {
        "description": "One extra atom in silicon of 217 atoms that moves and changes identity at "
        "600, 800 and 1000 K, 20 ps each with a frame every 0.05 ps.",
        "defect": "interstitial",
        "truth": INTERSTITIAL_TRUTH,
        "notes": INTERSTITIAL_NOTES,
        "seed": 20250707,
        "production": 20.0,
        "every": 0.05,
        "keep": 1,
        "static": False,
        "groups": [(3, (t,), kind, 1) for t, kind in zip((600, 800, 1000), STARTS, strict=True)],
    },
    "si-surface": {
        "description": "Silicon (001) slabs of 144 atoms in 9 layers, 2x1 dimers on both sides, "
        "300 to 700 K, frames 2 ps apart.",
        "defect": "surface",
        "truth": SURFACE_TRUTH,
        "seed": 20250808,
        "production": 8.0,
        "every": 0.05,
        "keep": 40,
        "static": True,
        "groups": [(4, (t,), "surface", 4) for t in (300, 500, 700)],
    },
}


def perfect(repeats, temperature):
    """Cubic cells of diamond-structure silicon at the lattice constant of a temperature."""
    return bulk("Si", cubic=True, a=LATTICE * (1 + EXPANSION * temperature)) * ((repeats,) * 3)


def defect_structure(repeats, temperature, kind, rng):
    """The perfect crystal and a copy with one atom removed or added at a random site (Å)."""
    reference = perfect(repeats, temperature)
    atoms = reference.copy()
    site = int(rng.integers(len(atoms)))
    if kind == "vacancy":
        del atoms[site]
        return reference, atoms
    centre = atoms.positions[site].copy()
    vectors, lengths = find_mic(atoms.positions - centre, atoms.cell)
    first, second = vectors[rng.permutation(np.argsort(lengths)[1:5])[:2]]  # two bonds
    if kind == "tetrahedral":
        place = centre - first
    elif kind == "hexagonal":  # midway between two tetrahedral sites
        place = centre - first - second / 2
    else:
        half = rng.permutation([1, rng.choice([-1, 1]), 0]) / np.sqrt(2) * 1.2
        atoms.positions[site] = centre + half
        place = centre - half
    atoms.append("Si")
    atoms.positions[-1] = place
    return reference, atoms


def slab_structure(repeats, temperature, rng):
    """An unreconstructed (001) slab of 9 layers, and a copy with 2x1 dimers on both sides (Å)."""
    a = LATTICE * (1 + EXPANSION * temperature)
    reference = diamond100("Si", (repeats, repeats, 9), a=a, vacuum=8.0)
    reference.pbc = (True, True, False)
    atoms = reference.copy()
    layer = layers(reference)
    for side, inner in ((0, 1), (8, 7)):
        surface, below = np.flatnonzero(layer == side), np.flatnonzero(layer == inner)
        vectors, lengths = find_mic(
            reference.positions[below] - reference.positions[surface[0]],
            reference.cell,
            reference.pbc,
        )
        bonded = np.abs(vectors[lengths.argmin()][:2]).argmax()
        along = 1 - bonded  # dangling bonds point across the bonds to the layer below
        row = np.round(reference.positions[surface, along] / (a / np.sqrt(2))).astype(int)
        row = row - row.min() + rng.integers(2)
        atoms.positions[surface, along] += np.where(row % 2 == 0, 0.7, -0.7)
    return reference, atoms


def agrees_with_mdapy(positions, reference, truth):
    """Whether mdapy's Wigner-Seitz analysis finds the same empty or doubly filled site."""
    import mdapy

    analysis = mdapy.WignerSeitzAnalysis(mdapy.System(ase_atom=reference))
    place = truth["info"].get("vacancy_A", truth["info"].get("site_A"))
    drift = place - reference.positions[truth["site"]]  # up to a lattice vector of the cell
    atoms = reference[[0] * len(positions)]
    atoms.positions = positions - drift
    atoms.wrap()
    occupied = analysis.compute(mdapy.System(ase_atom=atoms))["site_occupancy"]
    unusual = np.flatnonzero(occupied != 1)
    return unusual.tolist() == [truth["site"]]


def check(defect, static, run, positions, reference, found):
    """What was measured on a run, with ``refused`` the reason why it cannot be used or ''."""
    known = [f for f in found if f]
    result = {
        "temperature_K": float(run["temperature"].mean()),
        "frames_without_one_defect": len(found) - len(known),
        "site_changes": sum(
            a["site"] != b["site"] for a, b in zip(known, known[1:], strict=False)
        ),
        "identity_changes": sum(
            a["id"] != b["id"] for a, b in zip(known, known[1:], strict=False)
        ),
        "refused": "",
    }
    if defect == "surface":
        averaged = [positions[i : i + 20].mean(0) for i in range(0, len(positions), 20)]
        result["fewest_dimers"] = min(dimers(p, reference) for p in averaged)
        if result["fewest_dimers"] < 16:
            result["refused"] = "not all 16 dimers in the structure averaged over 1 ps"
        return result
    if static and len(known) < len(found):
        result["refused"] = "not one defect in every frame"
        return result
    key = "vacancy_A" if defect == "vacancy" else "interstitial_A"
    places = np.array([f["info"][key] for f in known])
    away, _ = find_mic(places - places[0], reference.cell)
    away = np.linalg.norm(away - np.median(away, axis=0), axis=1)
    result["defect_leaves_its_place_A"] = float(away.max())
    if defect == "interstitial":
        result["share_of_dumbbell_frames"] = float(np.mean([len(f["id"]) == 2 for f in known]))
    if static and away.max() > 1.2:
        result["refused"] = "the defect moved"
    if not static and result["identity_changes"] < 5:
        result["refused"] = "the defect hardly moved"
    for i in np.linspace(0, len(found) - 1, 10).astype(int):
        if found[i] and not agrees_with_mdapy(positions[i], reference, found[i]):
            raise SystemExit("mdapy's Wigner-Seitz analysis finds another site.")
    return result


def make_run(name, plan, group, number):
    """Frames (or None where refused) and the record of one run."""
    repeats, (temperature,), kind, _ = plan["groups"][group]
    rng = np.random.default_rng(np.random.SeedSequence([plan["seed"], group, number]))
    if kind == "surface":
        reference, start = slab_structure(repeats, temperature, rng)
    else:
        reference, start = defect_structure(repeats, temperature, kind, rng)
    seed = int(rng.integers(1, 800_000_000))
    first = 700 if kind == "surface" else 10  # at 300 K broken dimers take too long to close
    stages = [
        {"thermostat": "langevin", "temperature": first, "ps": 2.0},
        {"thermostat": "langevin", "temperature": (first, temperature), "ps": 2.0},
        {"thermostat": "langevin", "temperature": temperature, "ps": 2.0},
        {
            "thermostat": "nose-hoover",
            "temperature": temperature,
            "ps": plan["production"],
            "every": plan["every"],
        },
    ]
    run = md.stored_run({"set": name, "kind": kind}, start, stages, seed)
    positions = md.without_drift(run["positions"], start.positions)
    found = TRUTH[plan["defect"]](positions, reference)
    result = check(plan["defect"], plan["static"], run, positions, reference, found)
    label = f"{kind}-{len(start)}-{temperature}K-{number:02d}"
    record = {
        "run": label,
        "set_temperature_K": temperature,
        "n_atoms": len(start),
        "seed": seed,
        **result,
    }
    if result["refused"]:
        return None, record
    frames = []
    for i in range(plan["keep"] - 1, len(positions), plan["keep"]):
        if found[i]:
            atoms = start.copy()
            atoms.positions = positions[i]
            atoms.info = {
                "kind": f"{kind} {len(start)}",
                "temperature_K": temperature,
                "run": label,
                "time_ps": round(float(run["time"][i] - run["time"][0]), 3),
                **{k: np.round(v, 3) for k, v in found[i]["info"].items()},
            }
            atoms.arrays |= found[i]["arrays"]
            frames.append(atoms)
    return frames, record


def make_set(name):
    """Simulate, check and write one set; exits without writing where a group falls short."""
    plan = SETS[name]
    frames, records = [], []
    with tqdm(total=sum(g[3] for g in plan["groups"]), desc=name, unit=" runs") as bar:
        for group, (_, _, kind, wanted) in enumerate(plan["groups"]):
            kept = number = 0
            while kept < wanted:
                if number >= 6 * wanted + 6:
                    raise SystemExit(
                        f"{name}: {kind} in {plan['groups'][group]} was refused too "
                        f"often ({records[-1]['refused']}); nothing written."
                    )
                new, record = make_run(name, plan, group, number)
                records.append(record)
                number += 1
                if new:
                    frames += new
                    kept += 1
                    bar.update()
    write_set(name, plan, frames, records)


def write_set(name, plan, frames, records):
    """Write the frames with their truth, and what made them."""
    columns = [key for key in plan["truth"] if key in frames[0].arrays]
    md.write_frames(md.DATA / f"{name}.extxyz.gz", frames, columns=columns)
    refused = [{k: r[k] for k in ("run", "seed", "refused")} for r in records if r["refused"]]
    kinds = list(dict.fromkeys(atoms.info["kind"] for atoms in frames))
    md.write_json(
        md.DATA / f"{name}.json",
        {
            "name": name,
            "description": plan["description"],
            "recipe": "recipes/si_defects.py",
            "kind_key": "kind",
            "classes": kinds,
            "truth": plan["truth"],
            **md.POTENTIAL,
            **md.OWNERSHIP,
            "ensemble": "NVT: Langevin (damping 0.1 ps) from 10 K (slabs: from 700 K) to "
            "equilibrate, then Nose-Hoover chains (damping 0.1 ps), fixed cell, lattice "
            f"constant {LATTICE} Å (1 + {EXPANSION:g} T/K)",
            "time_step_ps": md.TIME_STEP,
            "equilibration_ps": 6.0,
            "production_ps": plan["production"],
            "dt_ps": round(plan["every"] * plan["keep"], 3),
            "selection": "runs whose defect moved are refused"
            if plan["static"]
            else "runs whose defect hardly moved are refused: rates of jumps from this set "
            "are too high",
            "notes": plan.get("notes", ""),
            "positions": "Å to 0.001, unwrapped, centre of mass kept (the lattice drifts as the "
            "defect moves; the truth takes that out)",
            "seed": plan["seed"],
            "software": md.software(),
            "difference_from_paper": "The paper takes these structures from the DFT database of "
            "the GAP potential of Bartok et al. (2018). Ours are classical MD with a modified "
            "Tersoff potential, in which the tetrahedral interstitial is the most stable and "
            "surface dimers do not buckle as in DFT.",
            "counts": {
                "frames": len(frames),
                "runs": len(records) - len(refused),
                "environments": sum(map(len, frames)),
                "frames_of_each_kind": {
                    k: sum(a.info["kind"] == k for a in frames) for k in kinds
                },
            },
            "runs": [
                {k: (round(v, 3) if isinstance(v, float) else v) for k, v in r.items()}
                for r in records
                if not r["refused"]
            ],
            "refused_runs": refused,
        },
    )
    size = (md.DATA / f"{name}.extxyz.gz").stat().st_size
    tqdm.write(
        f"{name}: {len(frames)} frames, {sum(map(len, frames))} environments, "
        f"{len(refused)} runs refused, {size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    md.make_sets(__doc__, SETS, make_set)
