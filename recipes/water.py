"""Ice Ih and supercooled water with the RPBE-D3 neural network potential at 250 K and 0 bar.

python recipes/water.py run ice      # hours; ended runs go on where they were
python recipes/water.py run liquid
python recipes/water_pack.py         # checks, then defectkit/data/water-*.xtc and .json
"""

import argparse
import random
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import Bohr

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import water_md  # noqa: E402
from water_md import Stage  # noqa: E402

from defectkit import datasets  # noqa: E402
from defectkit.potential import NeuralNetworkPotential  # noqa: E402

WORK = HERE / "work"
SEED = {"ice": 20261, "liquid": 20262}
DT = 0.5  # fs
EVERY = 25  # steps between frames: 12.5 fs
PS = 2000  # steps
STAGES = {
    "ice": [
        Stage("warm", PS // 2, 250, 250, thermostat=0.05),
        Stage(
            "cell", 5 * PS // 2, 250, 250, thermostat=0.2, barostat="axes", compressibility=1e-5
        ),
        # The cell had not settled: it rested at its mean so far (the pressure was 0.9 kbar), then
        # followed the pressure faster.
        Stage("rest", 10200, 250, 250, thermostat=1.0, mean_cell=3 * PS // 2),
        Stage("settle", PS, 250, 250, thermostat=0.2, barostat="axes"),
        Stage("production", 18 * PS, 250, 250, thermostat=1.0, mean_cell=PS // 2, every=EVERY),
    ],
    "liquid": [
        Stage("warm", PS // 2, 300, 300, thermostat=0.1, barostat="volume"),
        Stage("cool", 3 * PS, 300, 250, thermostat=0.2, barostat="volume"),
        Stage("hold", 4 * PS, 250, 250, thermostat=0.2, barostat="volume"),
        Stage("production", 12 * PS, 250, 250, thermostat=1.0, mean_cell=2 * PS, every=EVERY),
    ],
}

# Ice Ih, orthorhombic cell of 8 molecules: fractions of the cell, and its edges in nm for the
# density of 0.92 g/cm^3 that GenIce takes for ice I.
ICE_CELL = (0.45328691711, 0.784813412606925, 0.737735062301457)
ICE_SITES = [
    (1 / 4, 1 / 3, 1 / 8),
    (3 / 4, 5 / 6, 1 / 8),
    (1 / 4, 2 / 3, 1 / 4),
    (3 / 4, 1 / 6, 1 / 4),
    (1 / 4, 2 / 3, 5 / 8),
    (3 / 4, 1 / 6, 5 / 8),
    (3 / 4, 5 / 6, 3 / 4),
    (1 / 4, 1 / 3, 3 / 4),
]
ICE_REPEAT = (5, 3, 3)


def ice(seed, repeat=ICE_REPEAT):
    """Proton-disordered ice Ih without a dipole, 360 molecules or 8 per cell; each as O, H, H."""
    import genice2.lattices
    from genice2.cell import cellvectors
    from genice2.genice import GenIce
    from genice2.plugin import Format, Molecule

    # The whole box is one cell to GenIce: the cell of 8 is too small for its search of bonds.
    cells = np.array(list(np.ndindex(*repeat)))
    sites = ((np.array(ICE_SITES)[None] + cells[:, None]) / repeat).reshape(-1, 3)

    class Lattice(genice2.lattices.Lattice):
        def __init__(self):
            self.density, self.bondlen = 0.92, 3
            self.waters, self.coord = sites, "relative"
            self.cell = cellvectors(*(10.0 * np.array(ICE_CELL) * repeat))

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  GenIce draws from the global state
    made = GenIce(Lattice()).generate_ice(
        formatter=Format("gromacs"), water=Molecule("physical_water"), depol="strict"
    )
    lines = made.splitlines() if isinstance(made, str) else list(made)
    n = int(lines[1])
    positions = (
        np.array(
            [[float(ln[20 + 8 * k : 28 + 8 * k]) for k in range(3)] for ln in lines[2 : 2 + n]]
        )
        * 10.0
    )
    box = np.array(lines[2 + n].split()[:3], float) * 10.0
    return Atoms("OHH" * (n // 3), positions=positions, cell=box, pbc=True)


def liquid(folder):
    """The potential's 360 molecules of water at 300 K, each as O, H, H."""
    rows = [ln.split() for ln in open(folder / "liquid_360mol.n2p2-data")]
    cell = np.array([r[1:4] for r in rows if r and r[0] == "lattice"], float) * Bohr
    atoms = [r for r in rows if r and r[0] == "atom"]
    made = Atoms(
        [r[4] for r in atoms],
        cell=cell,
        pbc=True,
        positions=np.array([r[1:4] for r in atoms], float) * Bohr,
    )
    return molecules(made)


def molecules(atoms):
    """Atoms ordered as O, H, H per molecule and each molecule in one piece."""
    oxygen = np.flatnonzero(atoms.numbers == 8)
    order, positions = [], []
    for o in oxygen:
        d = atoms.get_distances(o, np.flatnonzero(atoms.numbers == 1), mic=True, vector=True)
        near = np.argsort(np.linalg.norm(d, axis=1))[:2]
        order += [o, *np.flatnonzero(atoms.numbers == 1)[near]]
        positions += [atoms.positions[o], *(atoms.positions[o] + d[near])]
    if len(set(order)) != len(atoms):
        raise ValueError("some hydrogen is nearest to two oxygens or to none")
    made = atoms[order]
    made.positions = positions
    return made


def run(name):
    folder = datasets.potential_folder("h2o-rpbe-d3")
    atoms = ice(SEED["ice"]) if name == "ice" else liquid(folder)
    atoms.calc = NeuralNetworkPotential(folder)
    water_md.run(atoms, STAGES[name], WORK / f"water-{name}", SEED[name], DT)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run"])
    parser.add_argument("name", choices=["ice", "liquid"])
    run(parser.parse_args().name)


if __name__ == "__main__":
    main()
