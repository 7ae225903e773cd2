"""What `identify` says of small files of kinds that nobody prepared for."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, graphene, molecule, mx2, nanotube, surface
from ase.cluster import Decahedron, Icosahedron
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
    result, names = answer(rattled(silicon))
    assert names == {"diamond", "interface"} and not len(result.defects)
    assert all(d.startswith("between Ge and Si") for d in result.extended["description"])
    assert len(result.extended) == 2


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


@pytest.mark.parametrize(("symbol", "bond"), [("H", 0.76), ("N", 1.1), ("Cl", 1.99)])
@pytest.mark.parametrize("times", [1, 2])
def test_a_diatomic_molecule_in_a_box_is_no_graphite(symbol, bond, times):
    atoms = Atoms(symbol * 2, [(0, 0, 0), (bond, 0, 0)], cell=[6.0] * 3, pbc=True) * times
    atoms.rattle(0.02, seed=0)
    result = dk.identify(atoms, progress=False)
    assert set(result.phases["name"]) == {f"molecules of {symbol}2"}
    assert set(result.structure) == {"other"}


@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("Cu2", [(0, 0, 0), (2.2, 0, 0)]),
        Atoms("NaCl", [(0, 0, 0), (2.4, 0, 0)]),
        Atoms("AlNi2", [(0, 0, 0), (1.44, 1.44, 1.44), (1.44, 1.44, -1.44)]),
    ],
    ids=["Cu2", "NaCl", "AlNi2"],
)
def test_a_few_atoms_in_a_box_are_no_crystal(atoms):
    atoms.cell, atoms.pbc = [9.0] * 3, True
    assert set(dk.identify(atoms, progress=False).phases["name"]) == {"too few atoms to name"}


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
    assert names == {"white tin (A5)"} and not len(result.defects)
    assert answer(bulk("Po", "sc", a=3.35) * 4)[1] == {"simple cubic"}


def test_a_particle_is_not_called_liquid():
    block = bulk("Fe", cubic=True) * 5
    block.pbc = False
    assert answer(rattled(block))[1] == {"cluster surface", "below the surface", "bcc"}


@pytest.mark.parametrize(
    "particle, name, hcp",
    [
        (Icosahedron("Cu", 4), "icosahedron, multiply twinned", 30 / 55),
        (Icosahedron("Cu", 5), "icosahedron, multiply twinned", 90 / 147),
        (Decahedron("Ag", 5, 4, 0), "close-packed, multiply twinned", 0.5),
        (Decahedron("Pd", 4, 2, 0), "close-packed, multiply twinned", 0.75),
        (Decahedron("Pt", 4, 3, 0), "close-packed, multiply twinned", 0.65),
    ],
    ids=["Cu147", "Cu309", "Ag decahedron", "Pd decahedron", "Pt decahedron"],
)
def test_a_multiply_twinned_particle_is_no_unknown_structure(particle, name, hcp):
    result, names = answer(rattled(particle))
    assert names == {"cluster surface", name} and not len(result.defects)
    told = result.phases.set_index("name")["basis"][name]
    told = told if isinstance(told, str) else told.iloc[0]
    share = float(told.partition("% hcp")[0].split()[-1]) / 100
    assert abs(share - hcp) < 0.12 and "twin planes" in told


def test_the_icosahedron_of_55_atoms_is_no_droplet():
    result, names = answer(rattled(Icosahedron("Ni", 3)))
    assert names == {"cluster surface", "icosahedron, multiply twinned"}
    assert not len(result.defects)


def test_a_free_cube_of_salt_is_rock_salt_inside():
    cube = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 3
    cube.pbc = False
    result, names = answer(rattled(cube))
    assert names == {"cluster surface", "rock salt NaCl"} and not len(result.defects)
    assert result.extended["description"].tolist() == [
        "curved surface of rock salt, 152 atoms, no one plane"
    ]


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


def test_extra_atoms_that_stand_together_are_told_once():
    silicon = bulk("Si", cubic=True) * 3
    edge = silicon.cell[0, 0] / 3
    hole = silicon.positions[0] + edge / 2
    pair = silicon + Atoms("Si2", [hole - 0.11 * edge, hole + 0.11 * edge])
    far = hole + edge * np.array([1.0, 1.0, 1.0])
    pair += Atoms("Si", [far])
    told = [s for s in dk.identify(pair, progress=False).summary().split("\n") if "inters" in s]
    assert len(told) == 2 and told[0].count("Å and (") + told[1].count("Å and (") == 1
    assert sorted(s.split(" at ")[0] for s in told) == [
        "1 Si di-interstitial",
        "1 Si interstitial",
    ]


def crowdion(symbol, size, width=1.0, shift=0.0):
    """A row of n + 1 atoms on n sites, its middle `shift` steps from midway between two."""
    atoms = bulk(symbol, cubic=True) * size
    along = np.array([1.0, 1, 1] if symbol == "W" else [1.0, 1, 0])
    step = along * atoms.cell[0, 0] / size / 2
    sites = atoms.positions[0] + np.arange(2 * size)[:, None] * step
    away = atoms.positions[:, None] - sites
    away -= np.round(away / atoms.cell[0, 0]) * atoms.cell[0, 0]
    atoms = atoms[np.linalg.norm(away, axis=2).min(axis=1) > 0.1]
    k = np.arange(2 * size + 1)
    moved = k - 2 / np.pi * np.arctan(np.exp((k - size - shift) / width))
    atoms += Atoms([symbol] * len(k), moved[:, None] * step)
    atoms.wrap()
    return rattled(atoms), (size - 0.5) * step


@pytest.mark.parametrize("symbol, size", [("W", 4), ("Cu", 4)])
def test_a_crowdion_is_told_by_its_row(symbol, size):
    atoms, middle = crowdion(symbol, size)
    (site,) = find_point_defects(atoms).sites
    away = site.position - middle
    away -= np.round(away / atoms.cell[0, 0]) * atoms.cell[0, 0]
    assert site.kind == "crowdion" and np.linalg.norm(away) < 0.2
    row = np.arange(len(atoms) - 2 * size - 1, len(atoms))
    assert set(site.atoms) <= set(row) and len(site.atoms) >= 5
    assert f"{len(site.atoms)} atoms of a row share {len(site.atoms) - 1} sites" in site.evidence


def test_two_atoms_about_one_site_of_a_row_are_a_dumbbell():
    atoms, _ = crowdion("W", 4, shift=0.5)
    (site,) = find_point_defects(atoms).sites
    assert site.kind == "dumbbell" and len(site.atoms) == 2


@pytest.mark.parametrize(
    "atoms, site, far, partner, gives_way",
    [
        (bulk("UO2", "fluorite", a=5.47, cubic=True) * 2, 40, 1.12, 0.95, 0.72),
        (bulk("Na", cubic=True) * 4, 60, 1.75, 1.42, 1.05),
    ],
    ids=["UO2", "Na"],
)
def test_a_pair_about_its_site_is_a_dumbbell_though_its_neighbour_gives_way(
    atoms, site, far, partner, gives_way
):
    site = int(np.flatnonzero(atoms.symbols == atoms.symbols[0])[site // 3])
    place, along = atoms.positions[site].copy(), np.ones(3) / 3**0.5
    away = atoms.get_distances(site, range(len(atoms)), mic=True, vector=True)
    ahead = np.linalg.norm(away, axis=1) * (away @ along > 0.99 * np.linalg.norm(away, axis=1))
    next_to = int(np.argmin(np.where(ahead > 0.1, ahead, np.inf)))
    atoms.positions[next_to] += gives_way * along
    atoms.positions[site] += far * along
    atoms += Atoms(atoms.symbols[site], [place - partner * along])
    (found,) = find_point_defects(rattled(atoms, 0.02)).sites
    assert found.kind == "dumbbell" and set(found.atoms) == {site, len(atoms) - 1}
    off = (found.position - place) @ np.linalg.inv(atoms.cell)
    assert np.linalg.norm((off - np.round(off)) @ atoms.cell) < 0.3


def test_a_cation_that_pushes_an_anion_away_shares_no_site_with_it():
    salt = bulk("CsCl", "cesiumchloride", a=4.12, cubic=True) * 4
    anion = int(np.flatnonzero(salt.symbols == "Cl")[30])
    place = salt.positions[anion].copy()
    along = np.array([1.0, 0, 0])
    salt.positions[anion] -= 1.3 * along
    salt += Atoms("Cs", [place + 1.9 * along])
    (found,) = find_point_defects(rattled(salt)).sites
    assert (found.kind, found.element) == ("interstitial", "Cs")
    assert set(found.atoms) == {len(salt) - 1}


def test_an_interstitial_in_a_void_is_no_crowdion():
    copper = bulk("Cu", cubic=True) * 3
    copper += Atoms("Cu", [copper.positions[40] + [1.805, 0, 0]])
    away = copper.positions[:-1] - copper.positions[-1]
    length = np.linalg.norm(away, axis=1, keepdims=True)
    copper.positions[:-1] += np.where(length < 2, 0.2, 0) * away / length
    (site,) = find_point_defects(rattled(copper)).sites
    assert site.kind == "interstitial"


def water_box(n_ions, seed=0):
    """512 molecules at random; every second ion takes the place of one: Na, Cl, Na ..."""
    from ase.neighborlist import neighbor_list

    rng, side = np.random.default_rng(seed), 24.8
    oxygen = Atoms("O512", rng.uniform(0, side, (512, 3)), cell=[side] * 3, pbc=True)
    for _ in range(150):
        i, d, step = neighbor_list("idD", oxygen, 2.75)
        push = 0.25 * (2.75 - d) / np.maximum(d, 0.1)
        np.add.at(oxygen.positions, i, -push[:, None] * step)
    box = Atoms(cell=oxygen.cell, pbc=True)
    for k, place in enumerate(oxygen.positions):
        if k < n_ions:
            box += Atoms("Na" if k % 2 else "Cl", [place])
            continue
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.positions += place - one.positions[0]
        box += one
    return box


def test_ions_in_water_leave_it_water():
    result, names = answer(water_box(20))
    assert names == {"liquid water", "ions in liquid water"}
    ions = result.phases[result.phases["name"] == "ions in liquid water"]
    assert sorted(ions["elements"]) == ["Cl", "Na"] and ions["atoms"].sum() == 20
    assert "ions by themselves: Cl, Na" in " ".join(result.steps)


@pytest.mark.parametrize(
    "symbol, a, c, z", [("Bi", 4.546, 11.862, 0.234), ("As", 3.76, 10.55, 0.227)]
)
def test_grey_arsenic_is_not_fcc(symbol, a, c, z):
    unit = crystal(symbol, [(0, 0, z)], spacegroup=166, cellpar=[a, a, c, 90, 90, 120])
    assert answer(unit)[1] == answer(rattled(unit * (3, 3, 1)))[1] == {"grey arsenic (A7)"}
    assert answer(rattled(bulk("Zn") * (5, 5, 3)))[1] == {"hcp"}


def test_thirteen_atoms_of_copper_together_are_a_precipitate():
    aluminium = bulk("Al", cubic=True) * 5
    away = aluminium.get_distances(200, range(len(aluminium)), mic=True)
    aluminium.symbols[away < 2.9] = "Cu"
    result, names = answer(rattled(aluminium))
    assert result.extended["kind"].tolist() == ["precipitate"]
    assert len(result.extended["atoms"][0]) == 13 and not len(result.defects)
    alloyed = bulk("Al", cubic=True) * 5
    some = np.random.default_rng(0).permutation(len(alloyed))[:60]
    alloyed.symbols[some] = "Cu"
    assert not len(answer(rattled(alloyed))[0].extended)


def test_a_plate_of_one_layer_is_a_precipitate_and_no_row_of_substitutionals():
    atoms = bulk("Al", cubic=True).repeat(8)
    away = atoms.positions - atoms.positions[1124]
    plate = (np.abs(away[:, 2]) < 0.1) & (np.linalg.norm(away, axis=1) < 8)
    atoms.symbols[plate] = "Cu"
    result, _ = answer(rattled(atoms))
    assert result.extended["kind"].tolist() == ["precipitate"] and len(result.defects) == 0
    assert result.extended["description"][0].startswith(f"{plate.sum()} Cu atoms gathered")


@pytest.mark.parametrize("seed", [0, 1])
def test_two_percent_of_copper_at_random_are_substitutionals(seed):
    atoms = bulk("Al", cubic=True).repeat(5)
    drawn = np.random.default_rng(seed).permutation(len(atoms))[:10]
    atoms.symbols[drawn] = "Cu"
    result, _ = answer(rattled(atoms))
    assert len(result.extended) == 0
    assert result.defects["kind"].tolist() == ["substitutional"] * 10


def test_helium_gathered_in_a_metal_is_a_bubble():
    iron = bulk("Fe", cubic=True) * 7
    middle = iron.cell.array.sum(axis=0) / 2
    iron = iron[np.linalg.norm(iron.positions - middle, axis=1) > 4.0]
    corners = np.array(list(np.ndindex(2, 2, 2))) * 2 - 1
    iron += Atoms("He9", np.vstack([[middle], middle + 1.05 * corners]))
    result, names = answer(rattled(iron))
    (row,) = result.extended.to_dict("records")
    assert row["kind"] == "gas bubble" and row["description"].startswith(
        "gas bubble of 9 He atoms"
    )
    assert np.linalg.norm(np.subtract(row["position_A"], middle)) < 1.0
    assert not len(result.defects) and {"bcc", "gas bubble"} <= names


def test_a_frame_half_molten_has_a_melt_and_no_point_defects():
    from ase.neighborlist import neighbor_list

    metal = bulk("Al", cubic=True) * (4, 4, 10)
    molten = metal.positions[:, 2] > metal.cell[2, 2] / 2
    metal.positions[molten] += np.random.default_rng(1).normal(0, 0.9, (molten.sum(), 3))
    for _ in range(60):
        i, d, step = neighbor_list("idD", metal, 2.45)
        push = 0.25 * (2.45 - d) / np.maximum(d, 0.1)
        np.add.at(metal.positions, i, np.where(molten[i], -push, 0)[:, None] * step)
    result, names = answer(rattled(metal, 0.1))
    assert not len(result.defects)
    (row,) = result.extended[result.extended["kind"] == "disordered region"].to_dict("records")
    assert "through the whole cell: liquid or amorphous" in row["description"]
    assert molten[list(row["atoms"])].mean() > 0.9 and len(row["atoms"]) > 0.6 * molten.sum()
    assert "fcc" in names


def test_the_sites_of_one_element_are_not_the_crystal():
    salt = crystal(
        ["K", "Pt", "Cl"],
        [(0.25, 0.25, 0.25), (0, 0, 0), (0.24, 0, 0)],
        spacegroup=225,
        cellpar=[9.7] * 3 + [90] * 3,
    )
    names = answer(rattled(salt * (2, 2, 2)))[1]
    assert "unknown crystal, atoms on fcc sites" in names and "fcc" not in names
    assert all(name.startswith("unknown crystal") for name in names)
    pyrite = crystal(
        ["Fe", "S"],
        [(0, 0, 0), (0.385, 0.385, 0.385)],
        spacegroup=205,
        cellpar=[5.42] * 3 + [90] * 3,
    )
    assert answer(rattled(pyrite * (2, 2, 2)))[1] == {"pyrite FeS2"}


@pytest.mark.parametrize("seed", [41, 42, 43])
def test_a_layer_of_one_element_on_one_of_two_has_no_edge(seed):
    """Graphene on boron nitride: 3.35 Å between the layers are no bonds that some lack."""
    carbon = graphene(size=(5, 5, 1))
    carbon.cell[2], carbon.pbc = [0, 0, 20], True
    nitride = carbon.copy()
    nitride.numbers[::2], nitride.numbers[1::2] = 5, 7
    nitride.positions[:, 2] += 3.35
    both = carbon + nitride
    both.center(8, axis=2)
    both.rattle(0.03, seed=seed)
    assert not len(answer(both)[0].extended)


def test_a_small_ordered_cell_is_no_random_alloy():
    """MoSi2 and MoPt2 in cells whose neighbours are too few to tell order from chance."""
    disilicide = crystal(
        ["Mo", "Si"],
        [(0, 0, 0), (0, 0, 1 / 3)],
        spacegroup=139,
        cellpar=[3.2, 3.2, 7.85, 90, 90, 90],
    )
    ordered = crystal(
        ["Mo", "Pt"],
        [(0, 0, 0), (0, 1 / 3, 0)],
        spacegroup=71,
        cellpar=[2.75, 8.27, 3.92, 90, 90, 90],
    ).repeat((2, 1, 2))
    for atoms in (disilicide, ordered):
        result, names = answer(atoms)
        assert not any("alloy" in name for name in names)
        assert not len(result.defects)
