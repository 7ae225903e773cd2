"""What `identify` says of small files of kinds that nobody prepared for."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule, mx2, nanotube, surface
from ase.cluster import Icosahedron
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.defects import find_point_defects
from defectkit.workflow.molecules import molecules


def rattled(atoms, rms=0.04, seed=0):
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(0, rms, (len(atoms), 3))
    return atoms


def answer(atoms):
    result = dk.identify(atoms, progress=False)
    return result, set(result.names.values())


def kinds(result):
    return result.defects["kind"].tolist()


@pytest.mark.parametrize(
    "atoms, site, name",
    [
        (bulk("Si", cubic=True) * 2, 7, "diamond"),
        (bulk("Al", cubic=True) * 3, 5, "fcc"),
        (mx2("MoS2", size=(5, 5, 1), vacuum=8), 30, "2H molybdenite sheet MoS2"),
        (bulk("GaN", "wurtzite", a=3.19, c=5.19, u=0.377) * (3, 3, 2), 10, "wurtzite GaN"),
        (graphene(size=(6, 6, 1), vacuum=8), 20, "graphene"),
    ],
    ids=["Si:P", "Al:P", "MoS2:P", "GaN:P", "C:P"],
)
def test_an_impurity_does_not_hide_the_crystal(atoms, site, name):
    atoms = rattled(atoms)
    atoms.pbc = True
    host = atoms.symbols[site]
    atoms.symbols[site] = "P"
    result, names = answer(atoms)
    assert names == {name, "around point defects"}
    assert kinds(result) == ["substitutional"]
    assert result.defects["element"][0] == f"P on {host}"


def test_layers_of_graphene_on_each_other_are_graphite():
    layer = graphene(size=(5, 5, 1), a=2.46)
    layer.cell[2, 2], layer.pbc = 3.35, True
    other = layer.copy()
    other.positions += [0, 2.46 / 3**0.5, 3.35]
    crystal = layer + other
    crystal.cell[2, 2] = 6.7
    assert answer(rattled(crystal * (1, 1, 2)))[1] == {"graphite"}


def test_a_molten_salt_is_no_crystal():
    from ase.neighborlist import neighbor_list

    salt = bulk("LiF", "rocksalt", a=4.4, cubic=True) * 3
    salt.positions += np.random.default_rng(3).normal(0, 0.9, (len(salt), 3))
    for _ in range(80):  # like ions at 2.5 Å or more, unlike ones at 1.8
        i, j, d, step = neighbor_list("ijdD", salt, 2.5)
        least = np.where(salt.numbers[i] == salt.numbers[j], 2.5, 1.8)
        push = 0.25 * np.clip(least - d, 0, None) / np.maximum(d, 0.1)
        np.add.at(salt.positions, i, -push[:, None] * step)
    assert answer(salt)[1] == {"liquid or amorphous"}


def test_a_void_is_one_cavity_and_no_vacancies():
    tungsten = bulk("W", cubic=True) * 8
    middle = tungsten.cell.array.sum(axis=0) / 2
    tungsten = tungsten[np.linalg.norm(tungsten.positions - middle, axis=1) > 5.5]
    result, names = answer(rattled(tungsten))
    assert result.extended["kind"].tolist() == ["cavity"] and not len(result.defects)
    assert names <= {"bcc", "cavity", "below the surface", "noise"}


def test_an_interface_of_two_elements_on_one_lattice_has_its_name():
    silicon = bulk("Si", cubic=True) * (2, 2, 6)
    silicon.symbols[silicon.positions[:, 2] > silicon.cell[2, 2] / 2] = "Ge"
    assert answer(rattled(silicon))[1] == {"diamond"}


def test_a_boron_nitride_sheet_has_a_name():
    sheet = graphene("BN", a=2.5, size=(5, 5, 1), vacuum=8)
    sheet.pbc = True
    del sheet[np.flatnonzero(sheet.symbols == "B")[7]]
    result, names = answer(rattled(sheet))
    assert names == {"boron nitride sheet BN", "around point defects"}
    assert kinds(result) == ["vacancy"] and result.defects["element"][0] == "B"


def test_molecules_are_no_crystal():
    methane, box = molecule("CH4"), Atoms(cell=[12.0] * 3, pbc=True)
    rng = np.random.default_rng(0)
    for place in np.ndindex(3, 3, 3):
        one = methane.copy()
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.positions += 4.0 * np.array(place)
        box += one
    result, names = answer(box)
    assert names == {"molecules of CH4"}
    assert not len(result.defects) and not len(result.extended)
    ball = molecule("C60")
    ball.center(vacuum=5)
    ball.pbc = True
    assert answer(ball)[1] == {"molecules of C60"}


@pytest.mark.parametrize(
    "atoms",
    [
        bulk("C", cubic=True),
        bulk("Si", cubic=True) * 3,
        bulk("NaCl", "rocksalt", a=5.64),
        graphene(size=(3, 3, 1), vacuum=5),
        bulk("Cu"),
        Icosahedron("Cu", 2),
        Atoms("Ar"),
    ],
    ids=["diamond", "Si", "NaCl", "graphene", "Cu", "Cu13", "Ar"],
)
def test_networks_and_metals_are_no_molecules(atoms):
    assert molecules(atoms) is None


def test_a_bond_of_stone_and_wales():
    sheet = graphene(size=(6, 6, 1), vacuum=8)
    sheet.pbc = True
    one = 40
    two = int(np.argsort(sheet.get_distances(one, range(len(sheet)), mic=True))[1])
    bond = sheet.get_distance(one, two, mic=True, vector=True)
    middle, turned = sheet.positions[one] + bond / 2, np.array([-bond[1], bond[0], 0]) / 2
    sheet.positions[one], sheet.positions[two] = middle - 0.9 * turned, middle + 0.9 * turned
    (site,) = find_point_defects(rattled(sheet, 0.02)).sites
    assert site.kind == "rotated bond" and set(site.atoms) == {one, two}
    away = (site.position - middle) @ np.linalg.inv(sheet.cell)
    assert np.linalg.norm((away - np.round(away)) @ sheet.cell) < 0.1
    assert len(site.neighbours) == 4


def test_a_tube_has_no_surface_and_keeps_its_vacancy():
    tube = nanotube(10, 0, length=4, vacuum=6)
    tube.pbc = [False, False, True]
    place = tube.positions[70]
    del tube[70]
    result, _ = answer(rattled(tube, 0.02))
    assert kinds(result) == ["vacancy"] and not len(result.extended)
    away = np.subtract(result.defects["position_A"][0], place)
    away[2] -= tube.cell[2, 2] * np.round(away[2] / tube.cell[2, 2])
    assert np.linalg.norm(away) < 0.3


def test_the_vacancy_of_a_compounds_surface_has_its_element():
    slab = surface(bulk("MgO", "rocksalt", a=4.21, cubic=True), (1, 0, 0), 3, vacuum=8)
    slab = slab * (3, 3, 1)
    slab.pbc = True
    top = np.flatnonzero(slab.positions[:, 2] > slab.positions[:, 2].max() - 0.1)
    gone = next(int(k) for k in top if slab.symbols[k] == "O")
    place = slab.positions[gone]
    del slab[gone]
    result, names = answer(rattled(slab))
    (row,) = result.defects.to_dict("records")
    assert row["kind"] == "surface vacancy" and row["element"] == "O"
    away = (np.array(row["position_A"]) - place) @ np.linalg.inv(slab.cell)
    assert np.linalg.norm((away - np.round(away)) @ slab.cell) < 0.5
    assert "rock salt MgO" in names
    assert any("(100) surface of rock salt" in words for words in result.extended["description"])


def test_one_cell_of_a_compound_has_its_name():
    cell = Atoms(
        "SrTiO3",
        cell=[3.9] * 3,
        pbc=True,
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    )
    assert answer(cell)[1] == {"perovskite SrTiO3"}


def test_white_tin_is_not_simple_cubic():
    tin = crystal(
        "Sn", [(0, 0, 0)], spacegroup=141, setting=1, cellpar=[5.83, 5.83, 3.18, 90, 90, 90]
    ) * (3, 3, 4)
    result, names = answer(rattled(tin, 0.08))
    assert len(names) == 1 and names.pop().startswith("unknown structure")
    assert not len(result.defects)
    assert answer(bulk("Po", "sc", a=3.35) * 4)[1] == {"simple cubic"}


def test_a_particle_is_not_called_liquid():
    block = bulk("Fe", cubic=True) * 5
    block.pbc = False
    assert answer(rattled(block))[1] == {"cluster surface", "below the surface", "bcc"}
    assert answer(rattled(Icosahedron("Cu", 4)))[1] == {
        "cluster surface",
        "close-packed, multiply twinned",
    }


def test_neighbours_of_an_anion_are_cations():
    fluorite = bulk("CaF2", "fluorite", a=5.46, cubic=True) * 2
    del fluorite[np.flatnonzero(fluorite.symbols == "F")[9]]
    (site,) = find_point_defects(rattled(fluorite, 0.08)).sites
    assert site.kind == "vacancy" and len(site.neighbours) == 4
    assert set(fluorite.symbols[site.neighbours]) == {"Ca"}


def test_a_hot_sheet_has_no_surface():
    sheet = mx2("MoS2", size=(6, 6, 1), vacuum=8)
    sheet.pbc = True
    for seed in range(3):
        hot = rattled(sheet, 0.18, seed)
        result, names = answer(hot)
        assert names == {"2H molybdenite sheet MoS2"} and not len(result.extended)


def test_a_lopsided_dumbbell_is_one():
    platinum = bulk("Pt", cubic=True) * 3
    along = np.array([0.745, 0.66, 0.075]) / np.linalg.norm([0.745, 0.66, 0.075])
    site, beyond = 40, platinum.positions[40] + [1.96, 1.96, 0]
    pushed = int(np.argmin([abs(platinum.positions[k] - beyond).sum() for k in range(108)]))
    platinum.positions[pushed] += 0.3 * along
    place = platinum.positions[site].copy()
    platinum.positions[site] -= 0.96 * along
    platinum += Atoms("Pt", [place + 1.33 * along])
    (found,) = find_point_defects(rattled(platinum)).sites
    assert found.kind == "dumbbell" and set(found.atoms) == {site, 108}
    assert np.linalg.norm(found.position - place) < 0.4


def test_a_divacancy_is_told_once_and_a_cluster_of_vacancies_by_its_size():
    copper = bulk("Cu", cubic=True) * 4
    near = np.argsort(copper.get_distances(0, range(len(copper)), mic=True))
    far = np.argsort(copper.get_distances(int(near[-1]), range(len(copper)), mic=True))
    pairs = copper.copy()
    del pairs[[0, near[1], near[-1], far[1]]]
    told = [s for s in dk.identify(pairs, progress=False).summary().split("\n") if "vacan" in s]
    assert len(told) == 2
    assert all(s.startswith("1 Cu divacancy at (") and "Å and (" in s for s in told)
    assert all("18 neighbours" in s for s in told)
    del copper[near[:5]]
    told = [s for s in dk.identify(copper, progress=False).summary().split("\n") if "vacan" in s]
    (line,) = told
    assert line.startswith("1 Cu vacancy cluster of 5 sites, one at (")
