"""Point defects of any crystal from one frame, without labels and without a reference."""

import os
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, mx2
from ase.geometry import find_mic
from ase.spacegroup import crystal

from defectkit.defects import find_point_defects


def perovskite(n=2):
    return Atoms(
        "SrTiO3",
        cell=[3.905] * 3,
        pbc=True,
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    ) * (n, n, n)


def sheet():
    atoms = mx2("MoS2", size=(5, 5, 1), vacuum=7)
    atoms.pbc = (True, True, False)
    return atoms


CRYSTALS = {
    "fcc Cu": lambda: bulk("Cu", cubic=True) * (3, 3, 3),
    "bcc Fe": lambda: bulk("Fe", cubic=True) * (3, 3, 3),
    "hcp Mg": lambda: bulk("Mg") * (4, 4, 2),
    "diamond Si": lambda: bulk("Si", cubic=True) * (2, 2, 2),
    "diamond Si, primitive cell": lambda: bulk("Si") * (4, 4, 4),
    "zinc blende GaAs": lambda: bulk("GaAs", "zincblende", a=5.65, cubic=True) * (2, 2, 2),
    "wurtzite GaN": lambda: bulk("GaN", "wurtzite", a=3.19, c=5.19) * (2, 2, 2),
    "rock salt NaCl": lambda: bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2),
    "CsCl": lambda: bulk("CsCl", "cesiumchloride", a=4.12) * (3, 3, 3),
    "fluorite CaF2": lambda: bulk("CaF2", "fluorite", a=5.46, cubic=True) * (2, 2, 2),
    "rutile TiO2": lambda: (
        crystal(
            ["Ti", "O"],
            [(0, 0, 0), (0.305, 0.305, 0)],
            spacegroup=136,
            cellpar=[4.594, 4.594, 2.959, 90, 90, 90],
        )
        * (2, 2, 3)
    ),
    "perovskite SrTiO3": perovskite,
    "quartz SiO2": lambda: (
        crystal(
            ["Si", "O"],
            [(0.4697, 0, 0), (0.4133, 0.2672, 0.1188)],
            spacegroup=152,
            cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
        )
        * (2, 2, 2)
    ),
    "MoS2 sheet": sheet,
}


def hot(atoms, seed, width):
    atoms = atoms.copy()
    atoms.rattle(width, seed=seed)
    return atoms


def away(site, place, atoms):
    return find_mic(site.position - place, atoms.cell, atoms.pbc)[1]


def without(atoms, *sites):
    damaged = atoms.copy()
    del damaged[list(sites)]
    return damaged


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("width", [0, 0.12])
def test_perfect_cells_have_no_defects(name, width):
    found = find_point_defects(hot(CRYSTALS[name](), 1, width))
    assert found.decided, found.reason
    assert found.sites == [] and not found.flagged.any()


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("width", [0, 0.12])
def test_vacancies_of_each_element(name, width):
    ideal = CRYSTALS[name]()
    for element in sorted(set(ideal.symbols)):
        missing = int(np.flatnonzero(ideal.symbols == element)[3])
        atoms = hot(without(ideal, missing), 2, width)
        (site,) = find_point_defects(atoms).sites
        assert (site.kind, site.element) == ("vacancy", element), name
        assert away(site, ideal.positions[missing], atoms) < 0.25, name
        assert 0.5 < site.confidence <= 1 and "vacant" in site.evidence


def test_neighbours_of_a_vacancy_are_the_first_shell():
    shells = {
        "fcc Cu": 12,
        "bcc Fe": 8,
        "diamond Si": 4,
        "rock salt NaCl": 6,
        "hcp Mg": 12,
        "wurtzite GaN": 4,
    }
    for name, count in shells.items():
        (site,) = find_point_defects(hot(without(CRYSTALS[name](), 5), 3, 0.05)).sites
        assert len(site.atoms) == count, name


@pytest.mark.parametrize("change", ["rotated", "permuted", "moved", "unwrapped"])
def test_the_same_whatever_the_frame_of_reference(change):
    ideal = CRYSTALS["wurtzite GaN"]()
    atoms, place = hot(without(ideal, 9), 4, 0.08), ideal.positions[9].copy()
    (first,) = find_point_defects(atoms).sites
    rng = np.random.default_rng(5)
    if change == "rotated":
        atoms.positions = atoms.positions - place
        atoms.rotate(37, (1, 2, 3), rotate_cell=True)
        place = np.zeros(3)
    elif change == "permuted":
        atoms = atoms[rng.permutation(len(atoms))]
    elif change == "moved":
        atoms.positions += [13.1, -7, 2.2]
        place = place + [13.1, -7, 2.2]
    else:
        atoms.positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    (site,) = find_point_defects(atoms).sites
    assert (site.kind, site.element) == (first.kind, first.element)
    assert away(site, place, atoms) < 0.2


def test_interstitial_and_dumbbell():
    ideal = CRYSTALS["zinc blende GaAs"]()
    place = ideal.positions[0] + [5.65 / 2, 0, 0]  # tetrahedral
    (site,) = find_point_defects(hot(ideal + Atoms("Ga", [place]), 1, 0.05)).sites
    assert (site.kind, site.element, site.atoms.tolist()) == ("interstitial", "Ga", [64])
    assert away(site, place, ideal) < 0.2
    metal = CRYSTALS["fcc Cu"]()
    place = metal.positions[40].copy()
    metal.positions[40] += [0, 0, 1.05]
    (site,) = find_point_defects(hot(metal + Atoms("Cu", [place - [0, 0, 1.05]]), 1, 0.05)).sites
    assert site.kind == "dumbbell" and site.atoms.tolist() == [40, 108]
    assert away(site, place, metal) < 0.2


def test_antisite_substitutional_and_foreign_interstitial():
    atoms = CRYSTALS["wurtzite GaN"]()
    nitrogen = int(np.flatnonzero(atoms.symbols == "N")[2])
    atoms.symbols[nitrogen] = "Ga"
    (site,) = find_point_defects(hot(atoms, 1, 0.05)).sites
    assert (site.kind, site.element, site.atoms.tolist()) == ("antisite", "Ga on N", [nitrogen])
    atoms.symbols[nitrogen] = "O"
    (site,) = find_point_defects(hot(atoms, 1, 0.05)).sites
    assert (site.kind, site.element) == ("substitutional", "O on N")
    iron = CRYSTALS["bcc Fe"]() + Atoms("H", [(2.87 / 2, 0, 2.87 / 4)])
    (site,) = find_point_defects(iron).sites
    assert (site.kind, site.element, site.atoms.tolist()) == ("interstitial", "H", [54])


def test_divacancy_split_vacancy_and_two_vacancies():
    ideal = CRYSTALS["diamond Si"]()
    distance = ideal.get_distances(0, range(64), mic=True)
    beside, far = int(np.argsort(distance)[1]), int(distance.argmax())
    assert [s.kind for s in find_point_defects(without(ideal, 0, beside)).sites] == [
        "divacancy"
    ] * 2
    assert [s.kind for s in find_point_defects(without(ideal, 0, far)).sites] == ["vacancy"] * 2
    start = ideal.positions[beside].copy()
    step = find_mic(ideal.positions[0] - start, ideal.cell)[0]
    ideal.positions[beside] += 0.46 * step
    (site,) = find_point_defects(hot(without(ideal, 0), 0, 0.03)).sites
    assert site.kind == "split vacancy"
    assert away(site, [0, 0, 0], ideal) < 0.1
    assert find_mic(site.other - start, ideal.cell)[1] < 0.1


def test_three_vacant_sites_in_a_row_are_a_vacancy_cluster():
    ideal = CRYSTALS["fcc Cu"]()
    distance = ideal.get_distances(0, range(len(ideal)), mic=True)
    first, second = np.argsort(distance)[1:3]
    sites = find_point_defects(hot(without(ideal, 0, int(first), int(second)), 0, 0.03)).sites
    assert [s.kind for s in sites] == ["vacancy cluster"] * 3


def test_frenkel_pair_and_di_interstitial():
    ideal = CRYSTALS["diamond Si"]()
    hole = int(ideal.get_distances(0, range(64), mic=True).argmax())
    atoms = without(ideal + Atoms("Si", [(2.715, 2.715, 2.715)]), hole)
    assert [s.kind for s in find_point_defects(atoms).sites] == ["vacancy", "interstitial"]
    two = ideal + Atoms("Si2", [(2.715, 2.715, 2.715), (5.43, 2.715, 2.715 + 1.9)])
    assert len(find_point_defects(two).sites) == 2


def test_random_alloy_has_vacancies_but_no_antisites():
    atoms = bulk("Cu", cubic=True) * (4, 4, 4)
    atoms.set_chemical_symbols(
        np.random.default_rng(0).choice(["Cr", "Mn", "Fe", "Co", "Ni"], len(atoms))
    )
    assert find_point_defects(hot(atoms, 1, 0.08)).sites == []
    (site,) = find_point_defects(hot(without(atoms, 9), 1, 0.08)).sites
    assert (site.kind, site.element) == ("vacancy", "")


def test_slab_with_vacancy_adatom_and_step():
    slab = fcc111("Cu", (4, 4, 5), vacuum=8)
    for pbc in (True, (True, True, False)):
        slab.pbc = pbc
        assert find_point_defects(hot(slab, 1, 0.05)).sites == []
        (site,) = find_point_defects(hot(without(slab, 70), 1, 0.05)).sites
        assert site.kind == "vacancy"
        with_adatom = slab.copy()
        add_adsorbate(with_adatom, "Cu", 2.0, "fcc")
        (site,) = find_point_defects(hot(with_adatom, 1, 0.05)).sites
        assert site.kind == "adatom" and site.atoms.tolist() == [80]
    top = np.flatnonzero(slab.get_tags() == 1)  # half of the last layer is gone
    found = find_point_defects(without(slab, *top[np.argsort(slab.positions[top, 1])[:8]]))
    assert found.sites == [], "a step is not adatoms"
    assert not found.decided or "island or a step" in found.reason


def test_planar_faults_are_no_point_defects():
    layer = {"A": 0, "B": 1 / 3, "C": 2 / 3}
    a, names = 2.556, "ABCABABCABC"
    unit = Atoms(
        f"Cu{len(names)}",
        cell=[[a, 0, 0], [a / 2, a * 3**0.5 / 2, 0], [0, 0, len(names) * 2.087]],
        scaled_positions=[(layer[n], layer[n], k / len(names)) for k, n in enumerate(names)],
        pbc=True,
    )
    atoms = hot(unit * (4, 4, 1), 1, 0.06)
    found = find_point_defects(atoms)
    assert found.decided and found.sites == []
    assert [s.kind for s in find_point_defects(without(atoms, 50)).sites] == ["vacancy"]


def test_flags_help_where_no_lattice_fits_the_whole_cell():
    """Two grains, turned by 37 degrees: two cells along z cannot outvote a defect."""
    grain = bulk("Cu", cubic=True) * (7, 7, 2)
    other = grain.copy()
    other.rotate(36.87, "z", rotate_cell=False)
    side = grain.cell[0, 0]
    other.positions -= other.positions.mean(axis=0) - grain.positions.mean(axis=0)
    inside = (other.positions[:, 0] > 0) & (other.positions[:, 0] < side - 1.0)
    inside &= (other.positions[:, 1] > 0) & (other.positions[:, 1] < side)
    other = other[inside]
    other.positions[:, 0] += side + 1.0
    atoms = grain + other
    atoms.set_cell([2 * side + 1.0, side + 1.0, grain.cell[2, 2]])
    middle = [side / 2, side / 2, grain.cell[2, 2] / 2]
    gone = int(find_mic(atoms.positions - middle, atoms.cell)[1].argmin())
    place = atoms.positions[gone].copy()
    atoms = hot(without(atoms, gone), 1, 0.05)
    alone = find_point_defects(atoms)
    assert not alone.decided and alone.sites == []
    flagged = np.flatnonzero(find_mic(atoms.positions - place, atoms.cell)[1] < 2.9)
    found = find_point_defects(atoms, flagged)
    assert found.decided and [s.kind for s in found.sites] == ["vacancy"]
    assert away(found.sites[0], place, atoms) < 0.3
    assert "no lattice fits the whole cell" in found.reason


def test_divacancy_of_unlike_sites_is_named_at_both():
    ideal = perovskite()
    strontium = int(np.flatnonzero(ideal.symbols == "Sr")[0])
    oxygen = int(
        np.flatnonzero(ideal.symbols == "O")[
            ideal.get_distances(strontium, np.flatnonzero(ideal.symbols == "O"), mic=True).argmin()
        ]
    )
    found = find_point_defects(hot(without(ideal, strontium, oxygen), 2, 0.05)).sites
    assert [s.kind for s in found] == ["divacancy"] * 2
    assert {s.element for s in found} == {"Sr", "O"}


def test_pseudo_symmetry_of_tilted_octahedra_does_not_move_the_vacancy():
    tilted = crystal(
        ["Ca", "Ti", "O", "O"],
        [(0.0356, 0.25, 0.9935), (0, 0, 0.5), (0.4836, 0.25, 0.0716), (0.2888, 0.0371, 0.7108)],
        spacegroup=62,
        cellpar=[5.4423, 7.6401, 5.3796, 90, 90, 90],
    ) * (2, 1, 2)
    missing = int(np.flatnonzero(tilted.symbols == "O")[7])
    (site,) = find_point_defects(without(tilted, missing)).sites
    assert away(site, tilted.positions[missing], tilted) < 0.05


def test_no_crystal_no_point_defects():
    rng = np.random.default_rng(3)
    for atoms in (
        Atoms("Ar108", rng.random((108, 3)) * 17, cell=[17] * 3, pbc=True),
        hot(CRYSTALS["fcc Cu"](), 0, 0.6),
    ):
        found = find_point_defects(atoms)
        assert not found.decided and found.sites == []
        assert "point defects are not defined" in found.reason
    few = find_point_defects(Atoms("Cu2", [(0, 0, 0), (0, 0, 2.5)], cell=[5] * 3, pbc=True))
    assert not few.decided and "2 atoms are too few" in few.reason


def test_ordered_vacancies_of_a_compound_are_not_reported():
    bixbyite = crystal(
        ["In", "In", "O"],
        [(0.25, 0.25, 0.25), (0.4668, 0, 0.25), (0.3905, 0.1529, 0.3832)],
        spacegroup=206,
        cellpar=[10.117] * 3 + [90] * 3,
    )
    assert find_point_defects(bixbyite).sites == []


def test_a_frame_that_would_take_too_long_is_left_with_a_reason():
    found = find_point_defects(CRYSTALS["fcc Cu"](), max_seconds=0.001)
    assert not found.decided and "108 atoms take about 0 s, more than" in found.reason
    assert find_point_defects(CRYSTALS["fcc Cu"](), max_seconds=60).decided


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda a: a.positions.__setitem__((3, 1), np.nan),
            "1 atoms are not finite, the first is",
        ),
        (
            lambda a: a.set_cell(np.diag([9.0, 9.0, np.inf])),
            "The cell is not finite; set atoms.cell",
        ),
        (
            lambda a: a.set_cell(np.diag([9.0, 9.0, 0.0])),
            "A periodic direction has no cell vector",
        ),
        (
            lambda a: a.set_cell([[9, 0, 0], [9, 1e-6, 0], [0, 0, 9]]),
            "cell vectors lie in a plane",
        ),
    ],
)
def test_frames_that_cannot_be(change, message):
    atoms = CRYSTALS["fcc Cu"]()
    change(atoms)
    with pytest.raises(ValueError, match=message):
        find_point_defects(atoms)
    with pytest.raises(ValueError, match="The frame has no atoms; give one"):
        find_point_defects(Atoms())
    for given in ([atoms], "run.xyz"):
        with pytest.raises(ValueError, match="one frame .* is wanted, not a (list|str); take one"):
            find_point_defects(given)


@pytest.mark.parametrize(
    "flagged, message",
    [
        ([True] * 3, r"flagged has shape \(3,\) for a frame of 108 atoms"),
        ([-1], "flagged has indices from -1 to -1 for a frame of 108 atoms"),
        (np.zeros(108), "flagged is of type float64"),
        (np.arange(108) // 100, "flagged has the same number several times .*, as labels do"),
    ],
)
def test_flags_are_checked_where_a_lattice_fits_too(flagged, message):
    with pytest.raises(ValueError, match=message):
        find_point_defects(CRYSTALS["fcc Cu"](), flagged)


FIELD = os.environ.get("DEFECTKIT_FIELD_DATA")


@pytest.mark.skipif(not FIELD, reason="set DEFECTKIT_FIELD_DATA to the folder of field files")
@pytest.mark.parametrize(
    "file, kinds, place",
    [
        ("si_vac_1frame.vasp", {"Si vacancy"}, (10.30, 9.32, 5.10)),
        ("Li_vac_missed_19.extxyz", {"Li vacancy", "Li split vacancy"}, "vacancy"),
        ("Li_vac_missed_20.extxyz", {"Li vacancy", "Li split vacancy"}, "vacancy"),
        ("Si_vac_missed_hot24.extxyz", {"Si vacancy", "Si split vacancy"}, "vacancy"),
        ("gan_v_N.extxyz", {"N vacancy"}, (0.00, 1.84, 1.95)),
        ("gan_bulk.extxyz", set(), None),
        ("cdte_Cd_i_C3v.extxyz", {"Cd interstitial"}, None),
        ("pbte_frame0.extxyz", set(), None),
        ("gaas.extxyz", set(), None),
        ("ga2o3_Ovac_frame0.extxyz", {"O vacancy"}, None),
        ("mos2_S_vacancies.extxyz", {"S vacancy"}, None),
        ("si_diint_EXT_1S.extxyz", {"Si di-interstitial"}, None),
    ],
)
def test_field_files(file, kinds, place):
    atoms = ase.io.read(Path(FIELD) / file)
    found = find_point_defects(atoms)
    assert found.decided, found.reason
    names = {f"{s.element} {s.kind}" for s in found.sites}
    assert names <= kinds and bool(names) == bool(kinds)
    if place is not None:
        place = atoms.info["vacancy"] if place == "vacancy" else place
        assert len(found.sites) == 1 and away(found.sites[0], place, atoms) < 0.3
