"""Equalised samples keep what is rare, and the map made from one shows it."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import defectkit as dk


def crystal_in_liquid(n_liquid, n_crystal, seed=0, width=0.1):
    """Features of a broad common kind and of a narrow rare one at its edge, and the kinds."""
    rng = np.random.default_rng(seed)
    centre = np.zeros(8)
    centre[:2] = 3.5
    X = np.concatenate(
        [rng.normal(0, 1, (n_liquid, 8)), centre + rng.normal(0, width, (n_crystal, 8))]
    )
    return X, np.repeat([0, 1], [n_liquid, n_crystal])


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_dense_kind_is_kept_whole(seed):
    X, kind = crystal_in_liquid(4000, 80, seed)
    chosen = dk.density_balanced_sample(X, 800, seed=seed)
    assert len(chosen) == len(np.unique(chosen)) == 800
    assert (kind[chosen] == 1).sum() == 80


@pytest.mark.parametrize("seed", range(3))
def test_a_rare_thin_kind_is_kept_whole(seed):
    X, kind = crystal_in_liquid(80, 4000, seed)
    chosen = dk.density_balanced_sample(X, 800, seed=seed)
    assert (kind[chosen] == 0).sum() == 80


def test_kinds_as_frequent_and_as_dense_stay_balanced():
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(0, 1, (2000, 6)), rng.normal(6, 1, (2000, 6))])
    chosen = dk.density_balanced_sample(X, 1000)
    assert abs((chosen < 2000).mean() - 0.5) < 0.06


def test_all_are_kept_where_all_are_asked_for_and_copies_do_no_harm():
    X, _ = crystal_in_liquid(300, 40)
    assert dk.density_balanced_sample(X, len(X)).tolist() == list(range(len(X)))
    X[:50] = X[0]
    chosen = dk.density_balanced_sample(X, 100)
    assert len(chosen) == 100


def test_the_seed_decides_and_input_stays():
    X, _ = crystal_in_liquid(500, 50)
    before = X.copy()
    one, again, other = (dk.density_balanced_sample(X, 100, seed=s) for s in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    assert (X == before).all()


@pytest.mark.parametrize("n", [500, 5000])  # all pairs, and by cells
def test_samples_with_the_spacing_given_are_the_same(n):
    X, _ = crystal_in_liquid(n, 50)
    spacing = dk.imbalance.local_spacing(X)
    for seed in (0, 1):
        given = dk.density_balanced_sample(X, 100, seed=seed, spacing=spacing)
        assert (given == dk.density_balanced_sample(X, 100, seed=seed)).all()
    labels = dk.embed_density_balanced(X, 100, "pca", spacing=spacing)[1]
    assert (labels == dk.embed_density_balanced(X, 100, "pca")[1]).all()


@pytest.mark.parametrize("method", ["pacmap", "umap"])
def test_map_and_clusters_of_all_from_the_sample(method):
    X, kind = crystal_in_liquid(3000, 60)
    Y, labels, chosen = dk.embed_density_balanced(X, 600, method)
    assert Y.shape == (3060, 2) and np.isfinite(Y).all()
    assert (Y[chosen] == dk.embed(X[chosen], method)).all()
    assert adjusted_rand_score(labels, kind) > 0.95


def test_a_sample_of_all_is_the_plain_map():
    X, _ = crystal_in_liquid(300, 60)
    Y, labels, chosen = dk.embed_density_balanced(X, len(X))
    plain = dk.embed(X)
    assert (Y == plain).all() and (labels == dk.cluster(plain)).all() and len(chosen) == len(X)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n": 0}, "n=0 of 350 environments cannot be kept; use 1 to 350, a number"),
        ({"n": 0.5}, "n=0.5 of 350 environments cannot be kept; use 1 to 350, a number of"),
        ({"n": 351}, "n=351 of 350 environments cannot be kept"),
        ({"strata": 1}, "strata=1 tells no densities apart; use at least 2."),
        (
            {"X": np.ones((400, 3))},
            "all environments have ten that equal them; thin out the copies.",
        ),
        ({"X": np.ones((5, 3)), "n": 2}, "5 environments are too few to tell their density"),
        ({"X": np.full((20, 3), np.nan), "n": 2}, "NaN or infinite"),
        ({"spacing": np.ones(349)}, "spacing of shape .349,. is no distance for each of 350"),
        ({"spacing": np.full(350, -1.0)}, "give what local_spacing returns"),
    ],
)
def test_samples_that_cannot_be(change, message):
    arguments = {"X": crystal_in_liquid(300, 50)[0], "n": 100, "standardise": False} | change
    with pytest.raises(ValueError, match=message):
        dk.density_balanced_sample(**arguments)


def rim_lost(seed, lost=0.3):
    """Two kinds of unlike number, the kinds, and labels that give the rare one's rim away."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3150, 6))
    X[3000:] += 2.2
    kind = np.repeat([0, 1], [3000, 150])
    labels = kind.copy()
    labels[3000 + np.argsort(X[3000:].sum(axis=1))[: round(150 * lost)]] = 0
    return X, kind, labels


@pytest.mark.parametrize("seed", range(5, 8))
def test_a_rare_cluster_gets_its_rim_back(seed):
    X, kind, labels = rim_lost(seed)
    again = dk.imbalance.halfway_borders(X, labels)
    assert (labels[kind == 1] == 1).mean() < 0.71
    assert (again[kind == 1] == 1).mean() > 0.98
    assert (again[kind == 0] == 0).mean() > 0.99


def test_borders_do_not_depend_on_the_unit_or_the_sense_of_a_feature():
    X, _, labels = rim_lost(9)
    scale = np.array([1, 1e3, -1, 1e-3, 5, 1.0])
    one, other = (dk.imbalance.halfway_borders(of, labels) for of in (X, X * scale))
    assert (one == other).all()


def test_noise_joins_a_cluster_and_input_stays():
    X, kind, labels = rim_lost(10)
    labels[:40] = -1
    before = labels.copy()
    again = dk.imbalance.halfway_borders(X, labels)
    assert set(again) == {0, 1} and (again[:40] == kind[:40]).mean() > 0.9
    assert (labels == before).all()


def test_one_cluster_has_no_border():
    X, _, labels = rim_lost(11)
    labels = np.where(labels, 0, -1)
    assert (dk.imbalance.halfway_borders(X, labels) == labels).all()


@pytest.mark.parametrize(
    "labels, message",
    [([0, 1], "labels of shape \\(2,\\) do not match 3"), ([0, 1, 2], "one environment only")],
)
def test_labels_that_make_no_borders(labels, message):
    with pytest.raises(ValueError, match=message):
        dk.imbalance.halfway_borders(np.arange(6.0).reshape(3, 2), labels)
