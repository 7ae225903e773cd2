"""A round piece of ice Ih in supercooled water at 255 K: 10 368, 21 120 or 78 880 molecules.

    python recipes/ice_nucleus.py build   # TIP4P/Ice in LAMMPS, half an hour; can be stopped
    python recipes/ice_nucleus.py run     # neural network potential, two hours; can be stopped
    python recipes/ice_nucleus_pack.py    # checks, then defectkit/data/NAME.*

With ``--size large`` the ball is the article's, with ``--size article`` the box too (three hours),
and hydrogens weigh 4 u, also with the neural network potential: where atoms are found does not
depend on it, and a step may be 1.25 fs.
``keep`` puts that size's newest state with TIP4P/Ice into recipes/stages/, where ``build`` finds
it on a machine that has none of its own.

A ball of the crystal is held while TIP4P/Ice melts the rest and cools it, then let go. The box
and the ball have the densities that the neural network potential has for water and ice, so that
only the molecules' shape and their local order have to adapt when that potential takes over.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import tip4p_ice  # noqa: E402
import water  # noqa: E402
import water_md  # noqa: E402
import water_pack  # noqa: E402
from water_md import Stage  # noqa: E402

from defectkit import datasets  # noqa: E402
from defectkit.io.atomic_write import atomic_write  # noqa: E402
from defectkit.potential import NeuralNetworkPotential  # noqa: E402

DATA = HERE.parent / "defectkit" / "data"
KEPT = HERE / "stages"
TEMPERATURE = 255.0


class Size(NamedTuple):
    name: str
    seed: int
    repeat: tuple
    radius: float  # Å, of the ball
    classical: tip4p_ice.Settings
    stages: list
    save: int  # steps between restart files
    step: float = water.DT  # fs, with the neural network potential

    @property
    def folder(self):
        return water.WORK / self.name

    @property
    def every(self):
        """Steps between stored frames."""
        return round(water.EVERY * water.DT / self.step)


def net_stages(settle, production, step=water.DT):
    """Stages with the neural network potential, those two of so many ps; step in fs."""
    t, ps, every = TEMPERATURE, 1000 / step, round(water.EVERY * water.DT / step)
    return [
        Stage("warm", round(0.25 * ps), t, t, thermostat=0.05),
        Stage("settle", round(settle * ps), t, t, thermostat=0.2, every=every),
        Stage("production", round(production * ps), t, t, thermostat=1.0, every=every),
    ]


SMALL = Size(
    "ice-nucleus",
    20291,
    (16, 9, 9),
    18.5,
    tip4p_ice.Settings(
        (
            (True, 500.0, 500.0, 5.0),
            (True, 500.0, TEMPERATURE, 6.0),
            (True, TEMPERATURE, TEMPERATURE, 4.0),
            (False, TEMPERATURE, TEMPERATURE, 5.0),
        )
    ),
    net_stages(1.0, 1.0),
    200,
)
LARGE = Size(
    "ice-nucleus-large",
    20301,
    (20, 11, 12),
    27.0,
    tip4p_ice.Settings(
        (
            (True, 500.0, 500.0, 3.0),
            (True, 500.0, TEMPERATURE, 6.0),
            (True, TEMPERATURE, TEMPERATURE, 3.0),
            (False, TEMPERATURE, TEMPERATURE, 3.0),
        ),
        step=0.004,
        hydrogen=4.032,
        coulomb=7.0,
        accuracy=1e-3,
        skin=1.5,
    ),
    net_stages(0.25, 0.75, 1.25),
    50,
    1.25,
)
ARTICLE = LARGE._replace(name="ice-nucleus-article", seed=20311, repeat=(29, 17, 20))
SIZES = {"small": SMALL, "large": LARGE, "article": ARTICLE}


def crystal(size):
    """The box as crystal, the ball's molecules (indices) and the ball's centre (Å).

    The ball keeps the potential's lattice; about it the centres of the other molecules are
    drawn together until the box has room for ice and water at their densities.
    """

    def read(name):
        return json.loads((DATA / f"water-{name}.json").read_text())["checks"]

    atoms = water.ice(size.seed, size.repeat)
    molecules = atoms.positions.reshape(-1, 3, 3)
    oxygen = molecules[:, 0].copy()
    lattice = np.array(read("ice")["cell_A"]) / water.ICE_REPEAT * size.repeat
    placed = oxygen * (lattice / atoms.cell.lengths())
    centre = 0.5 * lattice
    ball = np.flatnonzero(np.linalg.norm(placed - centre, axis=1) < size.radius)
    share = len(ball) / len(oxygen)
    thinner = share + (1 - share) * read("ice")["density_g_cm3"] / read("liquid")["density_g_cm3"]
    shrink = thinner ** (1 / 3)
    outside = np.setdiff1d(np.arange(len(oxygen)), ball)
    moved = placed - centre * (1 - shrink)
    moved[outside] = shrink * placed[outside]
    molecules += (moved - oxygen)[:, None]
    made = Atoms(
        "OHH" * len(oxygen), positions=molecules.reshape(-1, 3), cell=shrink * lattice, pbc=True
    )
    return made, ball, shrink * centre


def build(size):
    path = size.folder / "tip4p.npz"
    kept = KEPT / f"{size.name}.npz"
    if not path.exists() and kept.exists():
        tip4p_ice.write(path, **tip4p_ice.expand(tip4p_ice.read(kept)))
    elif not path.exists():
        atoms, ball, centre = crystal(size)
        tip4p_ice.begin(path, atoms, ball, centre)
    tip4p_ice.equilibrate(path, size.classical, size.seed)
    state = tip4p_ice.read(path)
    print(report(state))
    tip4p_ice.write(
        size.folder / "start.npz",
        numbers=np.tile([8, 1, 1], len(state["positions"]) // 3),
        **{k: state[k] for k in ("positions", "cell", "ball", "centre")},
    )


def report(state):
    """What is ice by CHILL+, in the ball and outside."""
    chill = water_pack.chill_plus_classes(state["positions"][::3], np.diag(state["cell"]))
    ice = np.isin(chill, (1, 2))
    within = np.isin(np.arange(len(ice)), state["ball"])
    return (
        f"{len(ice)} molecules; crystalline by CHILL+: {ice[within].sum()} of the "
        f"{within.sum()} that were held, {ice[~within].sum()} others"
    )


def keep(size):
    state = tip4p_ice.compact(tip4p_ice.read(size.folder / "tip4p.npz"))
    with atomic_write(KEPT / f"{size.name}.npz") as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **state)


def run(size):
    start = np.load(size.folder / "start.npz")
    atoms = Atoms(start["numbers"], positions=start["positions"], cell=start["cell"], pbc=True)
    atoms.set_masses(np.where(atoms.numbers == 1, size.classical.hydrogen, atoms.get_masses()))
    atoms.calc = NeuralNetworkPotential(datasets.potential_folder("h2o-rpbe-d3"))
    water_md.run(atoms, size.stages, size.folder, size.seed, size.step, save_every=size.save)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["build", "keep", "run"])
    parser.add_argument("--size", choices=list(SIZES), default="small")
    arguments = parser.parse_args()
    {"build": build, "keep": keep, "run": run}[arguments.what](SIZES[arguments.size])


if __name__ == "__main__":
    main()
