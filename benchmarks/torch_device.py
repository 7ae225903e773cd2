"""Symmetry functions and dynamics by torch on a device against one core with compiled kernels.

Features of 10^5 atoms of liquid water (30 functions of each oxygen) and of silicon (35 of each
atom), and, where a potential is at hand, molecular dynamics of 79 200 water molecules; what part
of the time neighbours take (always on the processor) and sending their list; the largest
difference. Kept in results/torch_device.json under the name of the card. On the device cpu a small
case runs on one thread and is only printed: it shows that all works, not how fast a card is.

    python benchmarks/torch_device.py [--device cuda] [--rounds 3] [--potential FOLDER]
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from _timing import RESULTS, digits, interleaved, keep, ratio  # noqa: E402
from ase import units  # noqa: E402
from ase.build import bulk  # noqa: E402
from ase.md.velocitydistribution import thermalize_momenta  # noqa: E402
from ase.md.verlet import VelocityVerlet  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit.symmetry import neighbour_list  # noqa: E402
from defectkit.symmetry.by_torch import devices  # noqa: E402

STEPS = 10


def card(device):
    """Its name, or that of the processor's kind."""
    found = torch.device(device)
    return torch.cuda.get_device_name(found) if found.type == "cuda" else str(found)


def water(repeat):
    return dk.load("water-liquid").frames[-1] * repeat


def silicon(n):
    atoms = bulk("Si", cubic=True) * (n, n, n)
    atoms.rattle(0.1, seed=0)
    return atoms


def difference(one, other):
    """Largest, in units of the largest number of each column."""
    size = np.abs(one).max(axis=0)
    return digits(np.max(np.abs(one - other).max(axis=0) / np.where(size > 0.0, size, 1.0)))


def features(atoms, sf, centres, given, clock):
    """Seconds, their ratio and what neighbours take of them."""
    on_device, lists = sf.using(device=given.device), neighbour_list(atoms, sf.cutoff)
    in_single = on_device.using(precision="single")
    frame = sf.geometry(atoms, np.arange(len(atoms)), *lists)

    def send():
        devices.place(frame._replace(neigh=frame.neigh.copy()), given.device).pos.sum().item()

    tasks = {
        "one core": lambda: sf(atoms, centres),
        "device": lambda: on_device(atoms, centres),
        "device, single precision": lambda: in_single(atoms, centres),
        "neighbours": lambda: neighbour_list(atoms, sf.cutoff),
        "sending": send,
    }
    send(), in_single(atoms, centres)
    both = sf(atoms, centres), on_device(atoms, centres)
    seconds = interleaved(tasks, given.rounds, clock)
    return {
        "atoms": len(atoms),
        "centres": len(both[0]),
        "s": {name: digits(np.median(s)) for name, s in seconds.items()},
        **{
            f"one core over {name}": ratio(seconds["one core"], seconds[name])
            for name in ("device", "device, single precision")
        },
        "largest difference": difference(*both),
    }


def dynamics(atoms, given, clock):
    """Steps a second of NVE from 300 K, lists made anew as atoms move; forces compared."""
    rates, forces = {}, []
    for name, device, steps in (("one core", None, 2), ("device", given.device, STEPS)):
        atoms.calc = dk.NeuralNetworkPotential(given.potential, n_jobs=1, device=device)
        moving = atoms.copy()
        moving.calc = atoms.calc
        forces.append(atoms.get_forces())
        thermalize_momenta(moving, 300, rng=np.random.default_rng(0))
        run = VelocityVerlet(moving, 0.5 * units.fs)
        run.run(1)
        start = clock()
        run.run(steps)
        rates[name] = digits(steps / (clock() - start))
    return {
        "molecules": len(atoms) // 3,
        "steps_per_s": rates,
        "device over one core": digits(rates["device"] / rates["one core"]),
        "largest difference": difference(*forces),
    }


def main(given):
    warnings.simplefilter("ignore")  # of extrapolation, which is no matter here
    small = torch.device(given.device).type == "cpu"
    clock = time.process_time if small else time.perf_counter
    torch.set_num_threads(1)
    print(f"{card(given.device)}, torch {torch.__version__}", flush=True)
    if not small:
        torch.cuda.reset_peak_memory_stats()
    numbers = {
        "torch": torch.__version__,
        "water": features(
            water((1, 1, 1) if small else (5, 5, 4)),
            dk.SymmetryFunctions.water(),
            "O",
            given,
            clock,
        ),
        "silicon": features(
            silicon(5 if small else 23), dk.SymmetryFunctions.silicon(), "Si", given, clock
        ),
    }
    if given.potential:
        numbers["dynamics"] = dynamics(water((1, 1, 1) if small else (4, 5, 11)), given, clock)
    if small:
        print(json.dumps(numbers, indent=1))
        return
    numbers["peak_device_memory_GB"] = digits(torch.cuda.max_memory_allocated() / 1e9)
    path = RESULTS / "torch_device.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    keep("torch_device", kept | {card(given.device): numbers})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--potential", type=Path, help="folder of the RPBE-D3 water potential")
    main(parser.parse_args())
