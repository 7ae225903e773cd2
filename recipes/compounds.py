"""Small cells of GaN, CdTe and NaCl with planted defects, molecular dynamics with LAMMPS.

    python recipes/compounds.py          # some minutes; writes defectkit/data/compounds.*

Vacancies, antisites, an interstitial and a Schottky pair, and perfect cells, relaxed and at 300 K.
A run counts only if each of its frames has the planted defects and no others in its Wigner-Seitz
cells; the JSON file names those that were refused.
"""

import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import ase
import numpy as np
from ase.build import bulk
from ase.geometry import find_mic
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import lammps_md as md  # noqa: E402

TEMPERATURE, SEED = 300, 20269
EQUILIBRATION, PRODUCTION, EVERY = 3.0, 6.0, 1.5  # ps
FRAMES = round(PRODUCTION / EVERY)
ATTEMPTS = 6  # starts of a run before the recipe gives up
APART = 5.0  # Å, the least distance of the two vacancies of a Schottky pair


class Compound(NamedTuple):
    """A crystal, its force field, and the cells it is simulated in."""

    structure: str
    field: md.ForceField
    relaxed: tuple  # lattice constants (Å) at the minimum of the energy
    warm: tuple  # and at 300 K without pressure, from an NPT run of this potential
    small: tuple  # repeats of the cell along its vectors
    large: tuple
    potential: str
    citation: str


def _from_wheel(style, name, elements):
    commands = f"pair_style {style}\npair_coeff * * {md.potential_file(name)} {' '.join(elements)}"
    return md.ForceField(elements, commands)


def _fumi_tosi():
    """A exp((s - r)/rho) - C/r^6 - D/r^8: eV and Å; LAMMPS has the last sign the other way."""
    return md.ForceField(
        ("Na", "Cl"),
        """pair_style born/coul/long 8.0
        pair_coeff 1 1 0.2637 0.317 2.340 1.0486 -0.4993
        pair_coeff 1 2 0.2110 0.317 2.755 6.991 -8.676
        pair_coeff 2 2 0.1582 0.317 3.170 72.40 -145.4
        kspace_style ewald 1e-5""",
        (1.0, -1.0),
    )


def compounds():
    """{formula: Compound}."""
    return {
        "GaN": Compound(
            "wurtzite",
            _from_wheel("tersoff", "GaN.tersoff", ("Ga", "N")),
            (3.1809, 5.1944),
            (3.186, 5.206),
            (3, 2, 2),
            (4, 3, 2),
            "Tersoff form for GaN, file GaN.tersoff as shipped with LAMMPS",
            "J. Nord, K. Albe, P. Erhart, K. Nordlund, J. Phys.: Condens. Matter 15, 5649 "
            "(2003), doi:10.1088/0953-8984/15/32/324",
        ),
        "CdTe": Compound(
            "zincblende",
            _from_wheel("sw", "CdTeZnSeHgS0.sw", ("Cd", "Te")),
            (6.4780,),
            (6.492,),
            (2, 2, 2),
            (3, 3, 3),
            "Stillinger-Weber form for II-VI compounds, file CdTeZnSeHgS0.sw as shipped with "
            "LAMMPS",
            "X. W. Zhou et al., Phys. Rev. B 88, 085309 (2013), doi:10.1103/PhysRevB.88.085309",
        ),
        "NaCl": Compound(
            "rocksalt",
            _fumi_tosi(),
            (5.6220,),
            (5.687,),
            (2, 2, 2),
            (3, 3, 3),
            "Born-Mayer-Huggins with the parameters of Fumi and Tosi, Ewald sums, a uniform "
            "background where a vacancy leaves the cell charged",
            "M. P. Tosi, F. G. Fumi, J. Phys. Chem. Solids 25, 45 (1964), "
            "doi:10.1016/0022-3697(64)90160-X",
        ),
    }


#: kind of frame: compound, and the defects as (kind, element, element of the site)
KINDS = {
    "GaN": ("GaN", []),
    "GaN, N vacancy": ("GaN", [("vacancy", "N", "N")]),
    "GaN, Ga on N": ("GaN", [("antisite", "Ga", "N")]),
    "GaN, N on Ga": ("GaN", [("antisite", "N", "Ga")]),
    "CdTe": ("CdTe", []),
    "CdTe, Cd interstitial": ("CdTe", [("interstitial", "Cd", "")]),
    "CdTe, Te vacancy": ("CdTe", [("vacancy", "Te", "Te")]),
    "NaCl": ("NaCl", []),
    "NaCl, Na vacancy": ("NaCl", [("vacancy", "Na", "Na")]),
    "NaCl, Cl vacancy": ("NaCl", [("vacancy", "Cl", "Cl")]),
    "NaCl, Schottky pair": ("NaCl", [("vacancy", "Na", "Na"), ("vacancy", "Cl", "Cl")]),
}


def lattice(compound, formula, constants, repeats):
    """Sites of the perfect crystal (ase.Atoms)."""
    if compound.structure == "wurtzite":
        a, c = constants
        return bulk(formula, "wurtzite", a=a, c=c, orthorhombic=True) * repeats
    return bulk(formula, compound.structure, a=constants[0], cubic=True) * repeats


def holes(sites, constants):
    """Tetrahedral holes of zinc blende among four anions, (n, 3) in Å."""
    cations = sites.symbols == sites.symbols[0]
    return sites.positions[cations] + constants[0] / 2.0


def planted(sites, defects, gaps, rng):
    """Atoms (ase.Atoms) with the defects, and the positions of the defects' sites (n, 3)."""
    atoms, where, gone = sites.copy(), [], []
    for kind, element, site_element in defects:
        if kind == "interstitial":
            where.append(gaps[rng.integers(len(gaps))])
            atoms += ase.Atoms(element, [where[-1]])
            continue
        open_ = [
            i
            for i in np.flatnonzero(sites.symbols == site_element)
            if all(sites.get_distance(i, j, mic=True) > APART for j in gone)
        ]
        chosen = int(rng.choice(open_))
        where.append(sites.positions[chosen])
        if kind == "vacancy":
            gone.append(chosen)
        else:
            atoms.symbols[chosen] = element
    del atoms[gone]
    return atoms, np.reshape(where, (-1, 3))


def nearest(points, sites, cell):
    """Index of the site in whose Wigner-Seitz cell each point is, and the vector from it."""
    apart = points[:, None] - sites[None]
    vectors, lengths = find_mic(apart.reshape(-1, 3), cell)
    chosen = lengths.reshape(len(points), -1).argmin(axis=1)
    return chosen, vectors.reshape(*apart.shape)[np.arange(len(points)), chosen]


def on_the_lattice(positions, sites, gaps, cell):
    """Positions shifted so that the mean displacement of the atoms from their sites is zero."""
    every = np.vstack([sites.positions, gaps])
    positions = positions - nearest(positions, every, cell)[1].mean(axis=0)
    return positions - nearest(positions, every, cell)[1].mean(axis=0)


def what_is_there(atoms, sites, gaps):
    """Defects of a frame by Wigner-Seitz cells: sorted list of (kind, element, site's element)."""
    every = np.vstack([sites.positions, gaps])
    names = [*sites.symbols, *[""] * len(gaps)]
    chosen, _ = nearest(atoms.positions, every, atoms.cell)
    found = []
    for n, name in enumerate(names):
        inside = atoms.symbols[chosen == n]
        if name and not len(inside):
            found.append(("vacancy", name, name))
        found += [("antisite", str(e), name) for e in inside[:1] if name and e != name]
        found += [("interstitial", str(e), "") for e in inside[(1 if name else 0) :]]
    return sorted(found)


def frames_of_run(compound, kind, number, attempt):
    """Frames of one run, the relaxed one first, its row of the JSON file, and what is wrong."""
    formula, defects = KINDS[kind]
    seed = zlib.crc32(f"{SEED} {kind} {number} {attempt}".encode()) % 900_000_000
    repeats = compound.large if number % 3 == 2 else compound.small
    made, wrong = [], ""
    row = {"run": f"{kind} {number}", "seed": seed, "temperature_K": 0.0, "pressure_GPa": 0.0}
    for constants in (compound.relaxed, compound.warm):
        warm = constants is compound.warm
        sites = lattice(compound, formula, constants, repeats)
        gaps = holes(sites, constants) if compound.structure == "zincblende" else np.empty((0, 3))
        atoms, where = planted(sites, defects, gaps, np.random.default_rng(seed))
        if warm:
            run = _run(compound, atoms, seed)
            row |= {
                "n_atoms": len(atoms),
                "temperature_K": run["temperature"].mean(),
                "pressure_GPa": run["pressure"].mean(),
            }
            states = run["positions"]
        else:
            states = [md.relaxed(atoms, compound.field).positions]
        origin = np.random.default_rng(seed + 1).uniform(size=3) @ sites.cell
        for n, state in enumerate(states):
            atoms.positions = on_the_lattice(state, sites, gaps, sites.cell)
            if what_is_there(atoms, sites, gaps) != sorted(defects):
                wrong = f"{'at 300 K' if warm else 'relaxed'}: {what_is_there(atoms, sites, gaps)}"
            made.append(_frame(atoms, where, origin, defects))
            made[-1].info |= {
                "kind": kind,
                "run": row["run"],
                "temperature_K": float(TEMPERATURE * warm),
                "time_ps": EVERY * (n + 1) * warm,
            }
    return made, {k: _rounded(v) for k, v in row.items()}, wrong


def _run(compound, atoms, seed):
    stages = [
        {"thermostat": "langevin", "temperature": TEMPERATURE, "ps": EQUILIBRATION},
        {
            "thermostat": "nose-hoover",
            "temperature": TEMPERATURE,
            "ps": PRODUCTION,
            "every": EVERY,
        },
    ]
    return md.simulate(atoms, stages, seed, field=compound.field)


def _frame(atoms, where, origin, defects):
    """A frame with its truth; an interstitial is where its atom is, all others at their site."""
    frame = ase.Atoms(atoms.symbols, atoms.positions + origin, cell=atoms.cell, pbc=True)
    where = where.copy()
    for n, (kind, _, _) in enumerate(defects):
        if kind == "interstitial":
            away = find_mic(atoms.positions - where[n], atoms.cell)[1]
            where[n] = atoms.positions[away.argmin()]
    sites = ase.Atoms("X" * len(where), where + origin, cell=atoms.cell, pbc=True)
    frame.wrap()
    sites.wrap()
    frame.info |= {
        "site_kind": [d[0] for d in defects],
        "site_element": [d[1] for d in defects],
        "site_A": np.round(sites.positions, 3).tolist(),
    }
    return frame


def _rounded(value):
    return round(float(value), 3) if isinstance(value, float) else value


def all_runs():
    """Frames of all runs that count, their rows, and a sentence for each that was refused."""
    frames, rows, refused = [], [], []
    known = compounds()
    plan = [(kind, n) for kind, (_, defects) in KINDS.items() for n in range(3 if defects else 6)]
    for kind, number in tqdm(plan, desc="runs"):
        for attempt in range(ATTEMPTS):
            made, row, wrong = frames_of_run(known[KINDS[kind][0]], kind, number, attempt)
            if not wrong:
                break
            refused.append(f"{row['run']}, seed {row['seed']}, {wrong}")
        else:
            raise SystemExit(f"{kind} does not stay: {refused[-1]}")
        frames += made if KINDS[kind][1] or number in (0, 2) else made[1:]
        rows.append(row)
    return frames, rows, refused


def description(frames, rows, refused):
    """Content of compounds.json."""
    known = compounds()
    kinds = [atoms.info["kind"] for atoms in frames]
    return {
        "name": "compounds",
        "description": "GaN, CdTe and NaCl, 62 to 216 atoms, perfect and with vacancies, "
        "antisites, an interstitial, a Schottky pair; relaxed and at 300 K.",
        "recipe": "recipes/compounds.py",
        "kind_key": "kind",
        "classes": list(KINDS),
        "truth": {
            "site_A": "for each frame (n, 3), its planted defects: the empty or wrongly occupied "
            "site of the lattice, or the atom of an interstitial (Å)",
            "site_kind": "for each frame (n,) vacancy, antisite or interstitial",
            "site_element": "for each frame (n,) the element that is missing, extra, or on "
            "another's site",
        },
        "potential": {name: c.potential for name, c in known.items()},
        "potential_citation": {name: c.citation for name, c in known.items()},
        "licence": "CC BY 4.0",
        "citation": "the defectkit developers, embedded compound MD data; cite with it the "
        "potentials: " + "; ".join(f"{n}: {c.citation}" for n, c in known.items()),
        "units": "Å, ps, K",
        "lattice_A": {name: {"relaxed": c.relaxed, "300 K": c.warm} for name, c in known.items()},
        "ensemble": "one frame at the minimum of the energy; NVT at 300 K: Langevin (damping "
        "0.1 ps) to equilibrate, then Nose-Hoover chains (damping 0.1 ps), fixed cell",
        "time_step_ps": md.TIME_STEP,
        "equilibration_ps": EQUILIBRATION,
        "production_ps": PRODUCTION,
        "sampling_ps": EVERY,
        "selection": "runs are refused in which a Wigner-Seitz analysis of any frame finds "
        "anything but the planted defects",
        "refused": refused,
        "seed": SEED,
        "software": md.software(),
        "difference_from_paper": "Not in the paper: compounds, to show the package on.",
        "difference_from_dft": "Classical potentials: no charge states, no dimers or Jahn-Teller "
        "distortions, no polarisation of ions; relaxations round a defect "
        "and where an interstitial sits may differ from DFT's.",
        "n_frames": len(frames),
        "frames": {kind: kinds.count(kind) for kind in KINDS},
        "runs": rows,
    }


def make(_):
    """Writes compounds.extxyz.gz and compounds.json."""
    frames, rows, refused = all_runs()
    md.write_frames(md.DATA / "compounds.extxyz.gz", frames)
    md.write_json(md.DATA / "compounds.json", description(frames, rows, refused))
    print(*refused, sep="\n")


if __name__ == "__main__":
    md.make_sets(__doc__, ["compounds"], make)
