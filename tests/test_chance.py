"""What chance finds in warm crystals and melts is no crystal, and hides no defect."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.geometry import find_mic
from ase.optimize import FIRE
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.defects import find_point_defects
from defectkit.phases import structure_types
from defectkit.phases.extended import ExtendedDefect
from defectkit.workflow.doubts import without_disturbed


def answer(atoms):
    result = dk.identify(atoms, progress=False)
    return result, set(result.names.values())


def perovskite(symbols, a, rms, seed, vacant):
    cell = crystal(
        symbols,
        [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)],
        spacegroup=221,
        cellpar=[a] * 3 + [90] * 3,
    )
    atoms, rng = cell * 4, np.random.default_rng(seed)
    del atoms[[int(rng.choice(np.flatnonzero(atoms.symbols == element))) for element in vacant]]
    atoms.rattle(rms, seed=seed + 1000)
    return atoms


@pytest.mark.parametrize(
    "symbols, a, rms, seed, vacant",
    [
        (("Sr", "Ti", "O"), 3.905, 0.12, 1, ["O"]),
        (("Sr", "Ti", "O"), 3.905, 0.12, 7, ["O"]),
        (("Cs", "Pb", "Br"), 5.87, 0.12, 2, ["Br"]),
        (("Cs", "Pb", "I"), 6.29, 0.3, 2, []),
    ],
)
def test_anions_of_a_warm_perovskite_that_are_fcc_by_chance_make_no_boundary(
    symbols, a, rms, seed, vacant
):
    atoms = perovskite(symbols, a, rms, seed, vacant)
    assert not (structure_types(atoms).labels == "fcc").any()
    result, _ = answer(atoms)
    assert not len(result.extended)
    assert result.defects["kind"].tolist() == ["vacancy"] * len(vacant)
    assert result.defects["element"].tolist() == vacant


def test_a_site_that_a_boundary_takes_is_not_passed_over_in_silence():
    atoms = bulk("Cu", cubic=True) * 4
    del atoms[100]
    point = find_point_defects(atoms)
    (site,) = point.sites
    wall = ExtendedDefect("grain boundary", site.neighbours, "", None, site.position, 0.9)
    left = without_disturbed(point, [wall], structure_types(atoms), atoms)
    assert not left.sites and left.beside == 1
    told = "not counted: vacant or extra sites beside what is more than a point, 1"
    assert left.reason.endswith(told)


@pytest.mark.parametrize("count, site", [(1, "site"), (2, "sites")])
def test_the_summary_tells_of_sites_beside_a_boundary(count, site):
    result, _ = answer(bulk("Cu", cubic=True) * 3)
    assert result.summary().splitlines()[1] == "no point defect"
    result.info["sites_beside"] = count
    words = f"no point defect, but {count} vacant or extra {site} beside the defects above"
    assert words in result.summary().splitlines()


def melt(first, second, numbers, seed):
    """A random packing, as in cells of ab initio molecular dynamics, pushed apart to 2.2 Å."""
    n, rng = sum(numbers), np.random.default_rng(seed)
    length = (15.0 * n) ** (1 / 3)
    symbols = [first] * numbers[0] + [second] * numbers[1]
    atoms = Atoms(symbols, rng.random((n, 3)) * length, cell=[length] * 3, pbc=True)
    atoms.calc = LennardJones(sigma=2.25, epsilon=1, rc=5.0, smooth=True)
    FIRE(atoms, logfile=None, maxstep=0.1).run(0.5, 60)
    atoms.calc = None
    atoms.rattle(0.25, seed=seed + 5)
    return atoms


@pytest.mark.parametrize(
    "first, second, numbers, seed",
    [("Li", "Si", (38, 38), 0), ("Na", "Cl", (32, 32), 0), ("Al", "Ni", (20, 60), 1)],
)
def test_a_melt_of_few_atoms_is_no_crystal(first, second, numbers, seed):
    _, names = answer(melt(first, second, numbers, seed))
    assert names == {"liquid or amorphous"}


RUTILE = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0.305, 0.305, 0)],
    spacegroup=136,
    cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
)


@pytest.mark.parametrize("vacancy", [False, True])
@pytest.mark.parametrize("rms", [0.12, 0.25])
@pytest.mark.parametrize(
    "name, atoms",
    [
        ("rock salt", bulk("MgO", "rocksalt", a=4.21, cubic=True) * (2, 2, 1)),
        ("rock salt", bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2),
        ("zinc blende", bulk("GaAs", "zincblende", a=5.65, cubic=True) * 2),
        ("wurtzite", bulk("ZnO", "wurtzite", a=3.25, c=5.2, u=0.382) * (3, 3, 2)),
        ("rutile", RUTILE * (2, 1, 3)),
        ("rutile", RUTILE * (2, 2, 3)),
    ],
)
def test_a_hot_crystal_of_few_atoms_keeps_its_name(name, atoms, rms, vacancy):
    atoms = atoms.copy()
    if vacancy:
        del atoms[5]
    atoms.rattle(rms, seed=4)
    assert any(found.startswith(name) for found in answer(atoms)[1])


def test_a_crystal_of_two_cells_keeps_its_name():
    """Too few cells for a lattice; each titanium has six neighbours, nearly each oxygen three."""
    atoms = RUTILE * (1, 1, 2)
    atoms.rattle(0.25, seed=2)
    assert not find_point_defects(atoms).decided
    assert "rutile TiO2" in answer(atoms)[1]


@pytest.mark.parametrize(
    "host, foreign, share", [("Al", "Mg", 0.06), ("Cu", "Zn", 0.16), ("Fe", "Si", 0.1)]
)
def test_a_solid_solution_has_the_name_of_its_host_and_keeps_a_vacancy(host, foreign, share):
    atoms = bulk(host, cubic=True) * 6
    count = round(share * len(atoms))
    drawn = np.random.default_rng(5).choice(np.arange(1, len(atoms)), count, replace=False)
    atoms.symbols[drawn] = foreign
    where = atoms.positions[0].copy()
    del atoms[0]
    atoms.rattle(0.05, seed=5)
    result, _ = answer(atoms)
    share_of = result.phases.set_index("name")["fraction"].groupby("name").sum()
    lattice = "bcc" if host == "Fe" else "fcc"
    assert share_of[f"{lattice} random alloy"] > 0.95
    assert share_of["around point defects"] < 0.03
    assert (result.defects["kind"] == "substitutional").sum() == count
    (vacancy,) = result.defects.query("kind == 'vacancy'")["position_A"]
    assert find_mic(np.array(vacancy) - where, atoms.cell)[1] < 0.5
    told = f"a solid solution, {count} atoms on sites of another element: what is beside them"
    assert any(told in step for step in result.steps)


@pytest.mark.parametrize("plane", [1, 3])
def test_a_vacancy_between_near_twin_planes_is_no_grain_boundary(plane):
    """Six planes of each orientation: atoms beside the vacancy see both."""
    places, order = [(0, 0), (1 / 3, 2 / 3), (2 / 3, 1 / 3)], [0, 1, 2, 0, 1, 2, 0, 2, 1, 0, 2, 1]
    atoms = Atoms(
        "Cu12",
        scaled_positions=[(*places[k], n / 12) for n, k in enumerate(order)],
        cell=[[2.556, 0, 0], [-1.278, 2.556 * 3**0.5 / 2, 0], [0, 0, 12 * 2.087]],
        pbc=True,
    ) * (8, 8, 1)
    taken = np.flatnonzero(np.abs(atoms.positions[:, 2] - plane * 2.087) < 0.1)[20]
    where = atoms.positions[taken].copy()
    del atoms[taken]
    atoms.rattle(0.05, seed=31)
    result, _ = answer(atoms)
    assert result.extended["kind"].tolist() == ["twin boundary"] * 2
    (vacancy,) = result.defects["position_A"]
    assert find_mic(np.array(vacancy) - where, atoms.cell)[1] < 0.5
