"""Planar and line defects, surfaces and nuclei planted in cells that the test builds itself."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, hcp0001, mx2, surface
from ase.cluster import Octahedron
from ase.lattice.hexagonal import Graphite as graphite
from scipy.spatial.transform import Rotation

from defectkit.phases import extended_defects, regions, structure_types
from defectkit.phases.orientation import misorientation
from defectkit.phases.vacuum import empty_spaces, exposed

ROCK_SALT = bulk("MgO", "rocksalt", a=4.21, cubic=True)


def shaken(atoms, rms, seed=0):
    atoms = atoms.copy()
    rng = np.random.default_rng(seed)
    atoms.positions += rng.normal(0, rms / np.sqrt(3), (len(atoms), 3))
    return atoms


def layers(sequence, diamond=False, n=4):
    d = 3.84 if diamond else 2.553
    a1, a2, h = np.array([d, 0, 0]), np.array([d / 2, d * 3**0.5 / 2, 0]), d * (2 / 3) ** 0.5
    at = {"A": np.zeros(3), "B": (a1 + a2) / 3, "C": 2 * (a1 + a2) / 3}
    positions = [
        i * a1 + j * a2 + at[s] + [0, 0, k * h + z]
        for k, s in enumerate(sequence)
        for i in range(n)
        for j in range(n)
        for z in ((0, 0.75 * h) if diamond else (0,))
    ]
    return Atoms(
        f"{'Si' if diamond else 'Cu'}{len(positions)}",
        positions,
        cell=[n * a1, n * a2, [0, 0, len(sequence) * h]],
        pbc=True,
    )


def found_in(atoms):
    structure = structure_types(atoms)
    return extended_defects(atoms, structure, regions(atoms, structure))


@pytest.mark.parametrize("diamond", [False, True], ids=["fcc", "diamond"])
@pytest.mark.parametrize(
    "sequence, kind, layer",
    [
        ("ABCABCABABCABCABC", "intrinsic stacking fault", 7.5),
        ("ABCABCABACABCABC", "extrinsic stacking fault", 8.0),
    ],
)
def test_stacking_fault(sequence, kind, layer, diamond):
    atoms = shaken(layers(sequence, diamond), 0.2)
    (defect,) = found_in(atoms)
    assert defect.kind == kind and abs(defect.normal[2]) > 0.999
    height = atoms.cell[2, 2] / len(sequence)
    shift = 0.375 * height if diamond else 0
    assert defect.details["height_A"] == pytest.approx(
        layer * height - 0.5 * height * (kind[0] == "i") * 0 + shift, abs=0.6 * height
    )
    assert len(defect.atoms) == 32 * (1 + diamond)
    assert "two" in defect.description and "111" in defect.description.replace("-", "")


@pytest.mark.parametrize("diamond", [False, True], ids=["fcc", "diamond"])
def test_twins(diamond):
    found = found_in(shaken(layers("ABCABCACBACB", diamond), 0.2))
    assert [d.kind for d in found] == ["twin boundary"] * 2
    assert all(d.details["tilt_degrees"] == pytest.approx(60, abs=1.5) for d in found)


@pytest.mark.parametrize("name", ["fcc", "bcc", "hcp", "diamond"])
def test_perfect_hot_crystals_have_none(name):
    atoms = {
        "fcc": bulk("Cu", cubic=True) * 4,
        "bcc": bulk("W", cubic=True) * 5,
        "hcp": bulk("Mg") * (5, 5, 4),
        "diamond": bulk("Si", cubic=True) * 3,
    }[name]
    assert found_in(shaken(atoms, 0.3)) == []


def test_point_defects_are_no_extended_ones():
    atoms = shaken(bulk("Cu", cubic=True) * 4, 0.15)
    del atoms[[5, 100]]
    assert found_in(atoms) == []


def test_slab_with_adatom_vacancy_and_step():
    slab = fcc111("Cu", (6, 6, 7), vacuum=8)
    top = np.flatnonzero(slab.get_tags() == 1)
    assert [d.description for d in found_in(slab)] == ["(111) surface of fcc, 36 atoms"] * 2
    gone = slab.copy()
    place = slab.positions[top[14]]
    del gone[top[14]]
    vacancy = next(d for d in found_in(shaken(gone, 0.12)) if d.kind == "surface vacancy")
    away = vacancy.position - place
    assert np.linalg.norm(away - np.round(away @ np.linalg.inv(slab.cell)) @ slab.cell) < 0.3
    more = slab.copy()
    add_adsorbate(more, "Cu", 2.0, "fcc", offset=(2, 2))
    adatom = next(d for d in found_in(shaken(more, 0.12)) if d.kind == "adatom")
    assert adatom.atoms.tolist() == [len(slab)]
    stepped = slab.copy()
    del stepped[top[:18]]
    assert Counter(d.kind for d in found_in(shaken(stepped, 0.12))) == {"surface": 2, "step": 1}


def test_hcp_basal_plane_and_open_axis():
    slab = hcp0001("Mg", (5, 5, 6), vacuum=9)
    slab.pbc = [True, True, False]
    assert [d.description for d in found_in(shaken(slab, 0.15))] == [
        "(0001) surface of hcp, 25 atoms"
    ] * 2


def test_particle_has_a_curved_surface():
    particle = Octahedron("Cu", 9, 3)
    found = found_in(particle)
    assert [d.kind for d in found] == ["cluster surface"]


@pytest.mark.parametrize("size", [60.0, 1e4, 9e6])
def test_a_cell_much_larger_than_what_is_in_it_costs_nothing(size):
    ball = bulk("Cu", cubic=True) * (4, 4, 4)
    ball.center(vacuum=0.5 * size)
    ball.rotate(20, (1, 2, 3), rotate_cell=True)
    ball.positions += [0.3 * size, 0.0, 0.5 * size]  # across the boundary
    ball.pbc = True
    ball.wrap()
    spaces = empty_spaces(ball, structure_types(ball))
    assert len(spaces) == 1 and len(spaces[0].periodic) == 3 and not spaces[0].outside
    assert len(spaces[0].centres) < 300_000
    atoms, normals = exposed(ball, structure_types(ball), spaces)
    assert 0.4 < len(atoms) / len(ball) < 0.7 and np.abs(normals.mean(axis=0)).max() < 0.05


SLABS = {
    "Pt (111)": lambda: fcc111("Pt", (4, 4, 6), vacuum=0),
    "Si (100)": lambda: surface(bulk("Si", cubic=True), (1, 0, 0), 4).repeat((3, 3, 1)),
    "MgO (100)": lambda: surface(ROCK_SALT, (1, 0, 0), 4).repeat((3, 3, 1)),
}


@pytest.mark.parametrize("name", SLABS)
def test_a_gap_into_which_no_ball_fits_parts_two_surfaces(name):
    def touched(gap):
        slab = SLABS[name]()
        slab.cell[2] = [0, 0, np.ptp(slab.positions[:, 2]) + gap]
        slab.pbc = True
        found = found_in(shaken(slab, 0.05))
        assert [d.kind for d in found] == ["surface", "surface"]
        return sorted(tuple(d.atoms) for d in found)

    assert touched(5.0) == touched(6.5) == touched(8.0) == touched(14.0)


@pytest.mark.parametrize(
    "crystal",
    [
        bulk("Cs", "bcc", a=6.14, cubic=True) * (3, 3, 3),  # planes 4.3 Å apart
        graphite("C", latticeconstant={"a": 2.46, "c": 6.71}, size=(5, 5, 3)),
        mx2("MoS2", a=3.16, size=(5, 5, 1)),
    ],
)
def test_planes_of_a_crystal_that_lie_far_apart_are_no_surfaces(crystal):
    if crystal.cell.rank < 3 or crystal.cell[2, 2] == 0:
        crystal.cell[2] = [0, 0, 6.15]  # one layer above the other
    crystal.pbc = True
    assert found_in(shaken(crystal, 0.05)) == []


def test_tilt_boundaries_of_silicon_like_cell():
    from ase.lattice.cubic import FaceCenteredCubic

    one = FaceCenteredCubic(
        directions=[[2, -1, 0], [0, 0, 1], [-1, -2, 0]],
        size=(2, 3, 3),
        symbol="Cu",
        latticeconstant=3.61,
        pbc=True,
    )
    height = one.cell[2, 2]
    other = one.positions * [1, 1, -1] + [0, 0, 2 * height]
    cell = one.cell.array.copy()
    cell[2, 2] *= 2
    atoms = Atoms(f"Cu{2 * len(one)}", np.vstack([one.positions, other]), cell=cell, pbc=True)
    distance = atoms.get_all_distances(mic=True)
    np.fill_diagonal(distance, 9)
    gone = {max(pair) for pair in np.argwhere(distance < 0.7).tolist()}
    atoms = atoms[[k for k in range(len(atoms)) if k not in gone]]
    found = found_in(shaken(atoms, 0.12))
    assert [d.kind for d in found] == ["grain boundary"] * 2
    assert all(d.details["angle_degrees"] == pytest.approx(36.9, abs=1) for d in found)
    assert all(d.details["axis"] == "<100>" and abs(d.normal[2]) > 0.99 for d in found)
    assert found[0].details["planes"] == ("(210)", "(210)")


def test_screw_dislocation_and_its_burgers_vector():
    from ase.lattice.cubic import BodyCenteredCubic

    one = BodyCenteredCubic(
        directions=[[1, 1, -2], [-1, 1, 0], [1, 1, 1]], symbol="Fe", latticeconstant=2.87, pbc=True
    )
    atoms = one * (6, 10, 3)
    centre = atoms.cell.array.diagonal()[:2] / 2 + [0.4, 0.7]
    away = atoms.positions[:, :2] - centre
    b = 2.87 * 0.75**0.5
    atoms.positions[:, 2] += b * np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi)
    atoms = atoms[np.linalg.norm(away, axis=1) < 18]
    atoms.pbc = [False, False, True]
    line = next(d for d in found_in(shaken(atoms, 0.1)) if d.kind == "dislocation")
    assert line.details["burgers"] == "1/2<111>" and line.details["character"] == "screw"
    assert abs(line.normal[2]) > 0.99
    assert np.linalg.norm(line.position[:2] - centre) < 3


def polycrystal(length=36.0, grains=4):
    """Grains of aluminium, each nearest its own of as many centres, in a periodic box."""
    from ase.neighborlist import neighbor_list

    lattice = bulk("Al", cubic=True) * 16
    lattice = lattice.positions - lattice.positions.mean(axis=0)
    centres = np.random.default_rng(1).uniform(0, length, (grains, 3))
    parts = []
    for k, centre in enumerate(centres):
        grain = lattice @ Rotation.random(random_state=k).as_matrix().T + centre
        grain = grain[((grain > 0) & (grain < length)).all(axis=1)]
        away = (grain[:, None] - centres + length / 2) % length - length / 2
        parts.append(grain[np.linalg.norm(away, axis=2).argmin(axis=1) == k])
    places = np.concatenate(parts)
    atoms = Atoms(f"Al{len(places)}", places, cell=[length] * 3, pbc=True)
    i, j = neighbor_list("ij", atoms, 2.2)
    del atoms[sorted({max(pair) for pair in zip(i.tolist(), j.tolist(), strict=True)})]
    return atoms


def test_walls_that_are_not_flat_leave_the_grains_alone():
    atoms = shaken(polycrystal(), 0.1)
    walls = np.concatenate([d.atoms for d in found_in(atoms) if d.kind == "grain boundary"])
    crystal = structure_types(atoms).codes == 1
    assert np.isin(np.flatnonzero(crystal), walls).mean() < 0.3


def test_a_wall_about_a_grain_has_the_turn_of_the_grains_and_no_plane():
    turns = [Rotation.random(random_state=k).as_matrix() for k in range(2)]
    wanted, _ = misorientation(*turns, code=1)
    found = found_in(shaken(polycrystal(grains=2), 0.1))
    (wall,) = [defect for defect in found if defect.kind == "grain boundary"]
    assert wall.details["angle_degrees"] == pytest.approx(wanted, abs=2)
    assert "curved" in wall.description and "plane" not in wall.description
    assert np.isnan(wall.normal).all() and np.isnan(wall.position).all()


def screw_in_silicon():
    """A straight screw dislocation along [1-10] (elasticity), and its core by the cold frame."""
    from ase.lattice.cubic import Diamond

    one = Diamond(
        directions=[[1, 1, -2], [1, 1, 1], [1, -1, 0]], symbol="Si", latticeconstant=5.43, pbc=True
    )
    atoms = one * (7, 5, 3)
    away = atoms.positions[:, :2] - atoms.cell.array.diagonal()[:2] / 2 - [0.9, 0.8]
    slip = 5.43 / 2**0.5 / (2 * np.pi) * np.arctan2(away[:, 1], away[:, 0])
    atoms.positions[:, 2] += np.sign(atoms.cell[2, 2]) * slip
    if atoms.cell[2, 2] < 0:
        atoms.positions[:, 2] *= -1
        atoms.cell[2, 2] *= -1
    kept = np.linalg.norm(away, axis=1) < 20
    atoms, away = atoms[kept], away[kept]
    atoms.pbc = [False, False, True]
    odd = structure_types(atoms).codes == 0
    return atoms, odd & (np.linalg.norm(away, axis=1) < 11)


@pytest.mark.parametrize("seed", [0, 1])
def test_heat_hides_no_row_of_a_dislocation_core(seed):
    atoms, core = screw_in_silicon()
    line = next(d for d in found_in(shaken(atoms, 0.14, seed)) if d.kind == "dislocation")
    assert core.sum() > 20 and np.isin(np.flatnonzero(core), line.atoms).mean() >= 0.95
    assert len(line.atoms) < 1.5 * core.sum()


def test_crystal_only_without_its_heat_is_doubtful():
    atoms, core = screw_in_silicon()
    structure = structure_types(shaken(atoms, 0.14))
    assert structure.doubtful[core].any() and not structure.doubtful[structure.codes == 0].any()
    hot = bulk("Cu", cubic=True) * 5
    assert not structure_types(shaken(hot, 0.32)).doubtful.any()
    assert not structure_types(hot).doubtful.any()


def test_nucleus_has_radius_and_centre():
    rng = np.random.default_rng(2)
    length = 24.0
    crystal = bulk("Cu", cubic=True) * 7
    ball = crystal.positions - crystal.positions.mean(axis=0)
    ball = ball[np.linalg.norm(ball, axis=1) < 8.5] + length / 2
    loose = rng.uniform(0, length, (900, 3))
    loose = loose[np.linalg.norm(loose - length / 2, axis=1) > 10]
    atoms = Atoms(
        f"Cu{len(ball) + len(loose)}", np.vstack([ball, loose]), cell=[length] * 3, pbc=True
    )
    (nucleus,) = (d for d in found_in(atoms) if d.kind == "nucleus")
    assert np.linalg.norm(nucleus.position - length / 2) < 1.5
    assert nucleus.details["radius_A"] == pytest.approx(8, abs=1.8)
    inside = np.arange(len(atoms)) < len(ball)
    assert inside[nucleus.atoms].mean() > 0.9
    assert np.isin(np.flatnonzero(inside), nucleus.atoms).mean() > 0.9


def test_one_fault_has_the_same_indices_in_every_frame():
    fault = layers("ABCABCABABCABCABC")
    told = {
        found_in(shaken(fault, 0.25, seed))[0].description.split(" (in")[0] for seed in range(6)
    }
    assert len(told) == 1 and told.pop().startswith("two hcp layers in fcc, normal to [")


@pytest.mark.parametrize("code, turns", [(1, (90, 180, 120)), (2, (60, 120, 180))])
def test_equal_orientations_have_one_representative(code, turns):
    from scipy.spatial.transform import Rotation

    from defectkit.phases.orientation import mean_orientation

    crystal = Rotation.from_euler("zyx", [20, 50, -70], degrees=True)
    axes = (
        {90: [0, 0, 1], 180: [1, 1, 0], 120: [1, 1, 1]}
        if code == 1
        else {60: [0, 0, 1], 120: [0, 0, 1], 180: [1, 0, 0]}
    )
    alone = mean_orientation(crystal.as_matrix()[None], code)[0]
    for turn in turns:
        axis = np.array(axes[turn]) / np.linalg.norm(axes[turn])
        same = crystal * Rotation.from_rotvec(turn * axis, degrees=True)
        again, spread = mean_orientation(same.as_matrix()[None], code)
        np.testing.assert_allclose(again, alone, atol=1e-9)
        assert spread < 1e-3
