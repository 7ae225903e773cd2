"""Few environments: groups, rare ones, and two populations that touch."""

import os
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

import defectkit as dk
from defectkit.averaging import neighbour_average
from defectkit.clusters import group_equal_environments, rare_environments, two_populations

CRYSTALS = {
    "copper": bulk("Cu", cubic=True) * (3, 3, 3),
    "silicon": bulk("Si", cubic=True) * (2, 2, 2),
    "iron": bulk("Fe", cubic=True) * (3, 3, 3),
    "magnesium": bulk("Mg") * (4, 4, 2),
    "rock salt": bulk("NaCl", "rocksalt", 5.64, cubic=True) * (2, 2, 2),
    "zinc blende": bulk("GaAs", "zincblende", 5.65, cubic=True) * (2, 2, 2),
}


def field(name):
    folder = os.environ.get("DEFECTKIT_FIELD_DATA")
    if not folder:
        pytest.skip("DEFECTKIT_FIELD_DATA is not set: no files of other people to read")
    return ase.io.read(Path(folder) / name)


def features(atoms, centre=None):
    symmetry = dk.SymmetryFunctions.for_elements(sorted(set(atoms.symbols)))
    return symmetry(atoms, centre or atoms[0].symbol)


def members(labels):
    return [np.flatnonzero(labels == k).tolist() for k in range(labels.max() + 1)]


# groups


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("displaced", [0.0, 0.03, 0.08, 0.15])
def test_a_perfect_crystal_is_one_group(name, displaced):
    for seed in range(1 if displaced == 0 else 4):
        atoms = CRYSTALS[name].copy()
        atoms.rattle(displaced, seed=seed)
        for element in set(atoms.symbols):
            assert group_equal_environments(features(atoms, element)).max() == 0, (name, seed)


@pytest.mark.parametrize("decimals", [2, 3, 4])
def test_rounded_positions_of_a_file_make_no_groups(decimals):
    atoms = CRYSTALS["silicon"].copy()
    atoms.positions = atoms.positions.round(decimals)
    assert group_equal_environments(features(atoms)).max() == 0


def test_around_a_vacancy_are_its_neighbours():
    atoms = CRYSTALS["copper"].copy()
    near = np.flatnonzero(atoms.get_distances(0, range(len(atoms)), mic=True) < 2.7)
    del atoms[0]
    bulk_like, *others = members(group_equal_environments(features(atoms)))
    assert len(bulk_like) >= 80 and len(others) <= 3
    assert sorted(near[near > 0] - 1) in [sorted(g) for g in others]


def test_layers_of_a_slab_are_told_apart():
    atoms = CRYSTALS["copper"] * (1, 1, 2)
    atoms.center(vacuum=8.0, axis=2)
    atoms.rattle(0.05, seed=0)
    height = atoms.positions[:, 2]
    outer = np.flatnonzero((height < height.min() + 0.5) | (height > height.max() - 0.5))
    assert sorted(outer) in [sorted(g) for g in members(group_equal_environments(features(atoms)))]


def test_groups_follow_a_permutation():
    atoms = CRYSTALS["copper"].copy()
    del atoms[[0, 50]]
    atoms.rattle(0.02, seed=1)
    X = features(atoms)
    order = np.random.default_rng(0).permutation(len(X))
    assert (
        dk.clusters.agreement(
            group_equal_environments(X)[order], group_equal_environments(X[order])
        )
        == 1.0
    )


def test_a_tolerance_divides_finer():
    X = 10 + np.repeat([[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]], [20, 10, 10], axis=0)
    assert group_equal_environments(X).max() == 1
    assert group_equal_environments(X, tolerance=0.1).max() == 2


@pytest.mark.parametrize(
    "name, element, wanted",
    [
        ("gan_v_N.extxyz", "Ga", [0, 2, 4, 9]),
        ("cdte_Cd_i_C3v.extxyz", "Cd", [32]),
        ("si_gb112_dft.extxyz", "Si", [21, 37]),
        ("si_gb112_dft.extxyz", "Si", [22, 36]),
    ],
)
def test_defects_of_static_cells_are_groups(name, element, wanted):
    atoms = field(name)
    index = np.flatnonzero(atoms.symbols == element)
    groups = members(group_equal_environments(features(atoms, element)))
    assert wanted in [index[g].tolist() for g in groups] and len(groups) <= 5


# rare environments


def test_the_neighbours_of_a_vacancy_are_rare():
    atoms = CRYSTALS["silicon"].copy()
    near = np.flatnonzero(atoms.get_distances(0, range(len(atoms)), mic=True) < 2.5)
    near = near[near > 0] - 1
    del atoms[0]
    for seed in range(4):
        moved = atoms.copy()
        moved.rattle(0.05, seed=seed)
        scores, flagged = rare_environments(features(moved))
        assert flagged[near].all() and set(np.argsort(-scores)[:4]) == set(near)


def test_more_features_than_environments_do_no_harm():
    rng = np.random.default_rng(0)
    flags = []
    for _ in range(20):
        X = 5 + rng.normal(size=(32, 8)) @ rng.normal(size=(8, 150))
        scores, flagged = rare_environments(X)
        assert np.isfinite(scores).all()
        flags.append(flagged.sum())
        X[3] += 60 * rng.normal(size=150)
        assert rare_environments(X)[1][3]
    assert np.mean(flags) < 0.2


def test_a_perfect_crystal_has_nothing_rare():
    assert not rare_environments(features(CRYSTALS["copper"]))[1].any()
    flagged = []
    for name in ("copper", "iron"):
        for seed in range(8):
            atoms = CRYSTALS[name].copy()
            atoms.rattle(0.08, seed=seed)
            flagged.append(rare_environments(features(atoms))[1].any())
    assert np.mean(flagged) <= 0.2


@pytest.mark.parametrize(
    "name, element, wanted",
    [
        ("si_vac_1frame.vasp", "Si", [6, 22, 37, 53]),
        ("ga2o3_Ovac_frame0.extxyz", "Ga", [0, 2, 41]),
    ],
)
def test_defects_of_thermal_cells_are_rare(name, element, wanted):
    atoms = field(name)
    index = np.flatnonzero(atoms.symbols == element)
    flagged = index[rare_environments(features(atoms, element))[1]]
    assert set(wanted) <= set(flagged.tolist()) and len(flagged) <= 6


# two populations


def oxygens(name, frame):
    atoms = dk.load(name).frames[frame]
    return atoms[atoms.symbols == "O"]


def averaged(atoms, first_shell, cutoff=None, times=2):
    symmetry = dk.SymmetryFunctions.for_elements(sorted(set(atoms.symbols)), cutoff=cutoff)
    X = symmetry(atoms)
    for _ in range(times):
        X = neighbour_average(X, atoms, first_shell)
    return X


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize(
    "case", ["copper", "iron", "magnesium", "liquid water", "ice", "molten silicon"]
)
def test_one_phase_is_one_population(case, times):
    if case in CRYSTALS:
        atoms = CRYSTALS[case] * (2, 1, 1)
        atoms.rattle(0.15, seed=0)
        shell, cutoff = {"copper": 3.1, "iron": 3.4, "magnesium": 3.9}[case], None
    elif case == "molten silicon":
        atoms, shell, cutoff = dk.load("si-melting").frames[-1], 2.9, None
    else:
        atoms = oxygens("water-liquid" if case == "liquid water" else "water-ice", 100)
        shell, cutoff = 3.5, 8.0
    X = averaged(atoms, shell, cutoff, times)
    neighbours = len(neighbor_list("i", atoms, shell)) / len(atoms)
    labels, evidence = two_populations(X, averaged_over=1 + neighbours * (times > 0))
    assert evidence["populations"] == 1 and (labels == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("times, agree", [(1, 0.99), (2, 0.99)])
def test_ice_and_water_at_one_temperature_are_two(times, agree):
    X = np.concatenate(
        [averaged(oxygens(name, 100), 3.5, 8.0, times) for name in ("water-ice", "water-liquid")]
    )
    labels, evidence = two_populations(X)
    assert evidence["populations"] == 2 and evidence["overlap"] < 0.01
    truth = np.repeat([0, 1], 360)
    assert max(np.mean(labels == truth), np.mean(labels != truth)) >= agree


def test_two_populations_follow_a_permutation_and_leave_the_input_alone():
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(300, 6)), rng.normal(size=(120, 6)) + 1.9])
    before, order = X.copy(), rng.permutation(420)
    labels, evidence = two_populations(X)
    assert evidence["populations"] == 2 and np.bincount(labels)[0] > 250
    again, _ = two_populations(X[order])
    assert np.mean(labels[order] == again) > 0.995 and (X == before).all()


def test_skewed_and_heavy_tailed_features_are_one_population():
    rng = np.random.default_rng(0)
    for X in (
        rng.gamma(2.0, size=(600, 6)),
        rng.standard_t(3, size=(600, 6)),
        np.exp(rng.normal(size=(600, 6))),
    ):
        assert two_populations(X)[1]["populations"] == 1


def test_ice_beside_water_in_one_frame_of_another_water_model():
    """94 % as CHILL+; a supervised linear model of the same features reaches 95.5 %."""
    mdapy = pytest.importorskip("mdapy")
    polars = pytest.importorskip("polars")
    atoms = field("ice_water_ox.gro")
    atoms.symbols[:] = "O"
    position = atoms.get_positions(wrap=True)
    data = polars.DataFrame(
        dict(zip("xyz", position.T, strict=True)) | {"element": ["O"] * len(atoms)}
    )
    system = mdapy.System(data=data, box=mdapy.Box(atoms.cell.array))
    system.cal_chill_plus()
    ice = np.isin(system.data["chill_plus"].to_numpy(), (1, 2))  # hexagonal, cubic
    labels, evidence = two_populations(averaged(atoms, 3.5, 8.0), averaged_over=5)
    assert evidence["populations"] == 2
    assert max(np.mean(labels == ice), np.mean(labels != ice)) >= 0.94


@pytest.mark.parametrize(
    "function, X, text",
    [
        (group_equal_environments, [[np.nan, 1.0]], "X must be finite features"),
        (rare_environments, np.ma.masked_less(np.eye(9), 0.5), "X has a mask that hides 72"),
        (
            group_equal_environments,
            np.zeros((6001, 2)),
            "6001 environments are more than 6000; use ",
        ),
        (rare_environments, np.zeros((7, 3)), "7 environments are too few to say which are rare"),
        (two_populations, np.zeros((49, 3)), "49 environments are too few to tell one population"),
    ],
)
def test_what_cannot_be_answered_is_refused(function, X, text):
    with pytest.raises(ValueError, match=text):
        function(X)


@pytest.mark.parametrize(
    "function, options, text",
    [
        (group_equal_environments, {"tolerance": 0.0}, "tolerance=0.0 must be above 0"),
        (rare_environments, {"false_alarm": 1.0}, "false_alarm=1.0 must lie between 0 and 1"),
        (two_populations, {"min_fraction": 0.5}, "min_fraction=0.5 must lie between 0 and 0.5"),
        (two_populations, {"averaged_over": 0}, "averaged_over=0 must be at least 1"),
        (two_populations, {"n_components": 9}, "n_components=9 must lie between 1 and 3"),
    ],
)
def test_settings_out_of_range_are_refused(function, options, text):
    with pytest.raises(ValueError, match=text):
        function(np.random.default_rng(0).normal(size=(60, 3)), **options)


@pytest.mark.parametrize("function", [two_populations, rare_environments])
def test_copies_of_one_environment_are_no_error(function):
    X = np.full((60, 4), 0.3)
    result = function(X)
    assert not np.any(result[1] if function is rare_environments else result[0])
