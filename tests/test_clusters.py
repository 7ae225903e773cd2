"""Clusters, error rates and descriptions against planted answers and independent references."""

import math
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st
from reference_data import records
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors

import defectkit as dk
from defectkit.clusters import (
    ErrorRate,
    agreement,
    cluster,
    cluster_error,
    describe,
    knn_error,
    linear_error,
    lof_error,
)


def disc(n, centre=(0, 0), radius=1.0, seed=0):
    rng = np.random.default_rng(seed)
    r, t = radius * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return np.column_stack([r * np.cos(t), r * np.sin(t)]) + centre


def ring(n, radius, seed=0):
    rng = np.random.default_rng(seed)
    r, t = radius + 0.2 * rng.random(n), 2 * np.pi * rng.random(n)
    return np.column_stack([r * np.cos(t), r * np.sin(t)])


@pytest.fixture(scope="module")
def rare():
    """A large phase, a ring, and a group of 1 %."""
    Y = np.vstack([disc(2700), ring(1260, 4.0), disc(40, (8, 0), 0.1)])
    return Y, np.repeat([0, 1, 2], [2700, 1260, 40])


@pytest.fixture(scope="module")
def two_discs():
    """Two phases of 400, far apart; five of the "ice" lie inside the water."""
    Y = np.vstack([disc(400, seed=1), disc(400, (10, 0), seed=2)])
    Y[:5] = disc(5, (10, 0), 0.8, seed=3)
    return Y, np.repeat(["ice", "water"], 400)


# cluster


def test_rare_and_bent_clusters_are_found_and_numbered_by_size(rare):
    assert (cluster(rare[0]) == rare[1]).all()


@given(st.floats(1e-3, 1e3), st.floats(0, 6.3), st.integers(0, 1000))
def test_scale_rotation_and_order_do_not_matter(rare, scale, angle, seed):
    Y, truth = rare
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    order = np.random.default_rng(seed).permutation(len(Y))
    assert (cluster(scale * (Y @ turn)[order] + 5) == truth[order]).all()


@pytest.mark.parametrize("n", [300, 3000, 12000])
@pytest.mark.parametrize(
    "shape", [disc, lambda n: np.random.default_rng(0).normal(size=(n, 2)), lambda n: ring(n, 3.0)]
)
def test_one_cloud_stays_in_one_piece(n, shape):
    labels = cluster(shape(n))
    assert labels.max() == 0
    assert (labels == 0).mean() > 0.9  # the thin rim of a Gaussian may be noise


def test_lone_points_are_noise():
    Y = np.vstack([disc(500), disc(500, (10, 0), seed=1), [[5, 5], [5, -5], [5, 0]]])
    labels = cluster(Y)
    assert labels[-3:].tolist() == [-1, -1, -1]
    assert np.bincount(labels[:-3]).tolist() == [500, 500]


def test_gap_is_measured_in_typical_spacings():
    Y = np.vstack([disc(2000), disc(2000, (2.3, 0), seed=1)])
    spacing = np.median(NearestNeighbors(n_neighbors=10).fit(Y).kneighbors()[0][:, -1])
    assert cluster(Y, gap=0.2 / spacing).max() == 1
    assert cluster(Y, gap=0.5 / spacing).max() == 0


def test_min_size_decides_whether_a_group_counts():
    Y = np.vstack([disc(3000), disc(30, (5, 0), 0.1)])
    assert (cluster(Y)[3000:] == 1).all()
    assert (cluster(Y, min_size=31)[3000:] == -1).all()


def test_sparse_graph_gives_the_labels_of_all_distances(rare):
    Y = np.vstack([rare[0], np.random.default_rng(0).normal((20, 0), 1, (2000, 2))])
    spacing = np.median(NearestNeighbors(n_neighbors=10).fit(Y).kneighbors()[0][:, -1])
    plain = HDBSCAN(
        min_cluster_size=20,
        min_samples=11,
        allow_single_cluster=True,
        cluster_selection_epsilon=2.5 * spacing,
        copy=True,
    ).fit_predict(Y)
    labels = cluster(Y)
    kept = labels >= 0
    assert kept.mean() > 0.99  # the far rim of the Gaussian is noise for us
    assert agreement(labels[kept], plain[kept]) > 0.999


@pytest.mark.parametrize(
    "Y, sizes",
    [
        (np.zeros((100, 2)), [100]),
        (np.repeat([[0.0, 0.0], [1.0, 1.0]], [60, 40], axis=0), [60, 40]),
        (np.column_stack([np.arange(200.0), np.zeros(200)]), [200]),
    ],
)
def test_coincident_and_collinear_points(Y, sizes):
    assert np.bincount(cluster(Y)).tolist() == sizes


@pytest.mark.parametrize(
    "Y, arguments, text",
    [
        (np.zeros((0, 2)), {}, "a map must be finite numbers of shape (n, 2), got shape (0, 2)"),
        (np.full((50, 2), np.nan), {}, "a map must be finite numbers"),
        (np.ones((50, 10)), {}, "of shape (n, 2), got shape (50, 10); make one with"),
        (np.ma.masked_less(disc(50), -0.5), {}, "the map has a mask that hides"),
        (disc(15), {"min_size": 20}, "15 points are too few for clusters of min_size=20 with k=3"),
        (disc(50), {"gap": 0}, "use min_size >= 2, gap > 0 and k >= 2"),
    ],
)
def test_bad_maps_are_refused(Y, arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        cluster(Y, **arguments)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 12, 16, 31, 50])
def test_few_points_are_no_error(n):
    labels = cluster(disc(n))
    assert labels.shape == (n,) and (labels >= 0).mean() > 0.7
    assert labels.max() == 0 or n > 20


def test_two_groups_of_sixteen_points_are_found():
    assert np.bincount(cluster(np.vstack([disc(10), disc(6, (20, 0))]))).tolist() == [10, 6]


def test_every_error_rate_is_of_one_kind(two_discs):
    for rate in (
        lof_error(*two_discs),
        knn_error(*two_discs),
        linear_error(*two_discs),
        cluster_error(np.repeat([0, 1], 400), two_discs[1]),
    ):
        assert isinstance(rate, ErrorRate) and set(rate.per_phase) == {"ice", "water"}
        overall, per_phase = rate
        assert overall == rate.overall == float(rate) and per_phase is rate.per_phase


# error rates


@pytest.mark.parametrize("measure", [lof_error, knn_error])
def test_misplaced_environments_are_counted_one_by_one(two_discs, measure):
    overall, per_phase = measure(*two_discs)
    assert overall == 5 / 800
    assert per_phase == {"ice": 5 / 400, "water": 0}


def test_linear_error_counts_what_no_straight_line_can_separate(two_discs):
    assert linear_error(*two_discs) == (5 / 800, {"ice": 5 / 400, "water": 0})


@pytest.mark.parametrize("distance", [2.0, 4.0])
def test_linear_error_of_two_gaussians_is_the_tail_beyond_the_middle(distance):
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(20000, 2))
    Y[10000:, 0] += distance
    expected = 0.5 * math.erfc(distance / 2 / math.sqrt(2))
    spread = math.sqrt(expected / 20000)
    overall, per_phase = linear_error(Y, np.repeat([0, 1], 10000))
    assert abs(overall - expected) < 4 * spread
    assert set(per_phase) == {0, 1}


def test_small_phase_is_not_given_up_by_the_linear_classifier():
    rng = np.random.default_rng(0)
    Y = rng.normal(size=(5100, 2))
    Y[5000:, 0] += 4
    _, per_phase = linear_error(Y, np.repeat([0, 1], [5000, 100]))
    assert per_phase[1] < 0.08  # the middle is 2.3 % away on each side


def test_sparse_rim_of_a_phase_far_from_the_other_is_no_error():
    rng = np.random.default_rng(0)
    Y = np.vstack([rng.standard_t(2, (500, 2)), rng.normal((1000, 0), 1, (500, 2))])
    assert lof_error(Y, np.repeat([0, 1], 500), n_neighbors=20)[0] == 0


def test_overlapping_phases_escape_lof_but_not_knn():
    Y, truth = disc(2000), np.arange(2000) % 2
    assert lof_error(Y, truth)[0] < 0.01
    assert knn_error(Y, truth)[0] == pytest.approx(0.38, abs=0.05)  # P(6 or more of 10)


def test_a_point_is_not_its_own_neighbour():
    x = np.arange(40)
    Y = np.column_stack([10.0 * (x // 2) + x % 2, 0.0 * x])  # pairs of different phases
    assert knn_error(Y, x % 2, k=1) == (1.0, {0: 1.0, 1: 1.0})


@pytest.mark.parametrize("measure", [lof_error, knn_error, linear_error])
@pytest.mark.parametrize(
    "truth, text",
    [
        (np.zeros(99), "truth (99,) does not match a map of 100 points; give one phase for each"),
        (np.zeros(100), "truth names only one phase"),
        (np.repeat(["liquid", "ice"], [98, 2]), "phase ice has 2 environments, too few for"),
    ],
)
def test_unusable_truth_is_refused(measure, truth, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        measure(disc(100), truth)


# agreement


@given(st.integers(0, 10**6))
def test_agreement_counts_pairs(seed):
    """Hubert and Arabie's index from all pairs, noise points being alone."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-1, 3, 40), rng.integers(-1, 3, 40)
    i, j = np.triu_indices(40, 1)
    same_a, same_b = ((x[i] == x[j]) & (x[i] >= 0) for x in (a, b))
    both, na, nb = (same_a & same_b).sum(), same_a.sum(), same_b.sum()
    chance = na * nb / len(i)
    assert agreement(a, b) == pytest.approx((both - chance) / ((na + nb) / 2 - chance))


def test_noise_lowers_agreement_and_names_do_not_matter():
    truth = np.repeat(["a", "b"], 50)
    labels = np.repeat([1, 0], 50)
    assert agreement(labels, truth) == 1
    labels[:10] = -1
    assert 0.5 < agreement(labels, truth) < 0.9
    with pytest.raises(ValueError, match="must be two lists of the same length"):
        agreement(labels, truth[1:])


# errors of clusters


def test_cluster_error_names_each_cluster_after_its_commonest_phase():
    truth = ["ice"] * 6 + ["water"] * 4
    assert cluster_error([0] * 6 + [1] * 4, truth).overall == 0
    assert cluster_error([0] * 3 + [2] * 3 + [1] * 4, truth).overall == 0  # ice in two clusters
    assert cluster_error([0] * 10, truth).overall == pytest.approx(0.4)
    assert cluster_error([-1] + [0] * 5 + [1] * 4, truth).overall == pytest.approx(0.1)
    assert cluster_error([0] * 6 + [1] * 3 + [0], truth).overall == pytest.approx(0.1)
    assert cluster_error([-1] * 10, truth).overall == 1
    with pytest.raises(ValueError, match="two lists of the same length"):
        cluster_error([0, 1], truth)


# describe


def test_four_atoms_around_a_vacancy_have_three_neighbours():
    atoms = bulk("Si", cubic=True) * (2, 2, 2)
    near = atoms.get_distances(0, range(64), mic=True)
    del atoms[0]
    labels = (near[1:] < 2.5).astype(int)
    others, edge = records(labels, [atoms], cutoff=2.8)
    assert (others["size"], others["coordination"], others["coordination_std"]) == (59, 4, 0)
    assert (edge["size"], edge["coordination"], edge["fraction"]) == (4, 3, 4 / 63)
    assert edge["nearest"] == pytest.approx(5.43 * math.sqrt(3) / 4)


def test_simple_hexagonal_and_free_atoms_in_two_frames():
    a = 2.6
    hexagonal = Atoms("Si", cell=[a, a, 0.95 * a, 90, 90, 120], pbc=True) * (2, 2, 2)
    free = Atoms("Si2", [[0, 0, 0], [9, 0, 0]])
    crystal, alone = records([0] * 8 + [-1] * 2, [hexagonal, free], cutoff=2.8)
    assert crystal["coordination"] == 8 and crystal["per_frame"] == 4
    assert crystal["nearest"] == pytest.approx(0.95 * a)
    assert (alone["label"], alone["coordination"]) == (-1, 0) and math.isnan(alone["nearest"])


def test_only_centres_are_counted():
    water = Atoms(
        "OHHOHH", [[0, 0, 0], [0.96, 0, 0], [0, 0.96, 0], [2.8, 0, 0], [3.7, 0, 0], [2.8, 0.96, 0]]
    )
    (row,) = records([0, 0], [water], cutoff=3.3, centres="O")
    assert (row["coordination"], row["nearest"]) == (1, pytest.approx(2.8))


@pytest.mark.parametrize(
    "labels, cutoff, text",
    [
        ([0] * 7, 2.8, "labels (7,) do not match 8 atoms in 1 frames"),
        ([0] * 8, 0, "cutoff=0 must be a positive distance"),
    ],
)
def test_bad_descriptions_are_refused(labels, cutoff, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        describe(labels, [bulk("Si", cubic=True)], cutoff)


# the paper's case


@pytest.mark.slow
@pytest.mark.parametrize("method", ["umap", "pacmap"])
def test_four_silicon_phases_separate_without_labels(method):
    data = dk.load("si-phases-test")
    X = np.concatenate(dk.features(data.frames, dk.SymmetryFunctions.silicon()))
    Y = dk.embed(X, method)
    truth = data.truth["phase"]
    labels = cluster(Y)
    assert labels.max() == 3
    assert agreement(labels, truth) > 0.98
    assert lof_error(Y, truth)[0] <= 0.005
    assert knn_error(Y, truth)[0] <= 0.005


@pytest.mark.parametrize(
    "name, cutoff, number, q4, q6",
    [
        ("Cu", 3.0, 12, 0.1909, 0.5745),
        ("Mg", 3.6, 12, 0.0972, 0.4848),
        ("Fe", 2.7, 8, 0.5092, 0.6285),
        ("Si", 2.8, 4, 0.5092, 0.6285),
    ],
)
def test_order_parameters_of_perfect_crystals(name, cutoff, number, q4, q6):
    """Steinhardt, Nelson and Ronchetti 1983; hcp at the ideal ratio of axes."""
    atoms = bulk(name, "hcp", a=3.2, c=3.2 * np.sqrt(8 / 3)) if name == "Mg" else bulk(name)
    (row,) = records([0] * len(atoms), [atoms], cutoff)
    assert row["coordination"] == number and row["one_sided"] < 1e-9
    assert row["q4"] == pytest.approx(q4, abs=2e-4) and row["q6"] == pytest.approx(q6, abs=2e-4)


def test_open_sides_and_atoms_without_neighbours():
    from ase.build import fcc100

    slab = fcc100("Cu", (3, 3, 5), vacuum=8.0)
    labels = (np.abs(slab.positions[:, 2] - slab.positions[:, 2].mean()) > 3).astype(int)
    inside, outside = records(labels, [slab], 3.0)
    assert inside["one_sided"] < 1e-9 and 0.3 < outside["one_sided"] < 0.7
    (row,) = records([0, 0], [slab[:2]], 0.5)
    assert row["coordination"] == 0 and np.isnan(row["q6"]) and np.isnan(row["nearest"])
