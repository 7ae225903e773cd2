"""Energy and forces of one step against the features alone, and against n2p2 where it is built.

Liquid water of 1080 atoms with the RPBE-D3 neural network potential (fetched where it is not in
the cache), a new neighbour list each step. With a folder of n2p2 (its include/ and lib/libnnp.a,
compiled by you) a small driver is compiled against it and runs on the same frame.

    python benchmarks/forces.py [--n2p2 FOLDER] [--potential FOLDER]
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np  # noqa: E402
from _timing import digits, interleaved, keep, ratio  # noqa: E402
from ase.units import Bohr  # noqa: E402

import defectkit as dk  # noqa: E402

ROUNDS = 25
FILES = ("input.nn", "scaling.data", "weights.001.data", "weights.008.data")


def n2p2_tasks(n2p2, potential, atoms, folder):
    """Commands for interleaving: each prints µs per atom of neighbours, G, G with slopes, rest."""
    for name in FILES:
        (folder / name).symlink_to(potential.resolve() / name)
    rows = [
        f"atom {x:.8f} {y:.8f} {z:.8f} {e} 0 0 0 0 0"
        for e, (x, y, z) in zip(atoms.get_chemical_symbols(), atoms.positions / Bohr, strict=True)
    ]
    cell = [f"lattice {x:.8f} {y:.8f} {z:.8f}" for x, y, z in atoms.cell.array / Bohr]
    (folder / "frame.data").write_text(
        "\n".join(["begin", *cell, *rows, "energy 0", "charge 0", "end"]) + "\n"
    )
    subprocess.run(
        [
            "g++",
            "-O3",
            "-march=native",
            "-std=c++11",
            "-fopenmp",
            "-I/usr/include/eigen3",
            Path(__file__).with_name("n2p2_timing.cpp"),
            f"-I{n2p2}/include",
            f"{n2p2}/lib/libnnp.a",
            "-o",
            folder / "timing",
        ],
        check=True,
    )
    return [str(folder / "timing"), "frame.data", "1"]


def main(given):
    potential = given.potential or dk.datasets.potential_folder()
    atoms = dk.load("water-liquid").frames[-1]
    calc = dk.NeuralNetworkPotential(potential)
    calc.skin = 0.0  # a new neighbour list whenever an atom moves, as n2p2's driver has it
    shaken = [atoms.copy() for _ in range(2)]
    shaken[1].rattle(1e-3, seed=1)
    turn = [0]

    def forces():
        turn[0] += 1
        calc.calculate(shaken[turn[0] % 2], ("energy", "forces"))

    tasks = {"features": lambda: calc.symmetry.by_element(atoms), "forces": forces}
    for task in tasks.values():
        task()
    numbers = {"n_atoms": len(atoms)}
    if given.n2p2:
        with tempfile.TemporaryDirectory() as name:
            command = n2p2_tasks(given.n2p2, potential, atoms, Path(name))
            theirs = []
            tasks["n2p2"] = lambda: theirs.append(
                [
                    float(w)
                    for w in subprocess.run(
                        command, cwd=name, check=True, capture_output=True, text=True
                    ).stdout.split()[-4:]
                ]
            )
            seconds = interleaved(tasks, ROUNDS)
        neighbours, plain, slopes, rest = np.array(theirs).T * 1e-6 * len(atoms)
        numbers |= {
            "n2p2 over defectkit, features": ratio(neighbours + plain, seconds["features"]),
            "n2p2 over defectkit, forces": ratio(neighbours + slopes + rest, seconds["forces"]),
        }
    else:
        seconds = interleaved(tasks, ROUNDS)
    numbers["us_per_atom"] = {
        k: digits(1e6 * np.median(s) / len(atoms)) for k, s in seconds.items() if k != "n2p2"
    }
    numbers["forces over features"] = ratio(seconds["forces"], seconds["features"])
    keep("forces", numbers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n2p2", type=Path)
    parser.add_argument("--potential", type=Path)
    main(parser.parse_args())
