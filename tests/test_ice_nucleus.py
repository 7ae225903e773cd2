"""The embedded nucleus is what its metadata says, and is found on seeds not looked at before."""

import numpy as np
import pytest
from ase import Atoms

import defectkit as dk
from defectkit import averaging, nucleus

SHELL = 3.5  # Å


@pytest.fixture(scope="module")
def data():
    return dk.load("ice-nucleus")


@pytest.fixture(scope="module")
def oxygens(data):
    places = np.mean([f.positions[f.numbers == 8] for f in data.frames], axis=0)
    return Atoms(f"O{len(places)}", places, cell=data.frames[0].cell, pbc=True)


def kinds(data, *names):
    digit = np.array(list(data.info["chill_plus"]), int)
    return np.isin(digit, [data.info["chill_plus_classes"].index(name) for name in names])


def test_ten_thousand_whole_molecules_for_one_average(data):
    assert len(data.frames) * data.dt == pytest.approx(0.75)
    assert (data.frames[0].numbers.reshape(-1, 3) == [8, 1, 1]).all()
    assert len(data.frames[0]) // 3 >= 10_000
    for atoms in (data.frames[0], data.frames[-1]):
        places = atoms.positions.reshape(-1, 3, 3)
        bonds = np.linalg.norm(places[:, 1:] - places[:, :1], axis=2)
        assert 0.8 < bonds.min() and bonds.max() < 1.3


def test_classes_belong_to_these_molecules(data, oxygens):
    """The molecules that CHILL+ calls ice are a ball about the place where it was put."""
    ice = kinds(data, "hexagonal", "cubic", "interfacial")
    group = nucleus.connected(oxygens, ice, SHELL)[0]
    made = nucleus.shape(oxygens, group)
    assert len(group) >= 700 and made["asphericity"] < 0.02 and 16 < made["radius_A"] < 22
    assert np.linalg.norm(made["centre_A"] - data.info["centre_A"]) < 2
    assert np.isin(data.info["held_molecules"], group).mean() > 0.85


@pytest.fixture(scope="module")
def features(data, oxygens):
    sf = dk.SymmetryFunctions.water()
    mean = dk.features(data.frames[::2], sf, "O", progress=False).mean(axis=0)
    return averaging.neighbour_average(mean, oxygens, SHELL)


def found_and_true(data, oxygens, labels):
    """Flags of the nucleus by clusters and by CHILL+, and of its inner ice."""
    group = nucleus.connected(oxygens, labels > 0, SHELL)[0]
    found = np.isin(np.arange(len(oxygens)), group)
    found = nucleus.with_surface(oxygens, nucleus.filled(oxygens, found, SHELL), SHELL)
    ice = kinds(data, "hexagonal", "cubic")
    true = nucleus.connected(oxygens, ice | kinds(data, "interfacial"), SHELL)[0]
    return found, np.isin(np.arange(len(oxygens)), true), ice


@pytest.mark.slow
@pytest.mark.parametrize("seed, method", [(11, "pacmap"), (12, "pacmap"), (13, "umap")])
def test_found_in_a_density_balanced_map(data, oxygens, features, seed, method):
    labels = dk.embed_density_balanced(features, 1000, method, seed=seed)[1]
    found, true, ice = found_and_true(data, oxygens, labels)
    assert (found & true & ice).sum() / (true & ice).sum() > 0.95
    assert (found & true).sum() / found.sum() > 0.95
    halfway = dk.imbalance.halfway_borders(features, labels)
    more = found_and_true(data, oxygens, halfway)[0]
    assert more[true].mean() > found[true].mean() + 0.05
    assert (more & true).sum() / more.sum() > 0.92


@pytest.fixture(scope="module")
def large():
    """(Dataset, features averaged over 0.75 ps, oxygens at their mean places)"""
    data = dk.load("ice-nucleus-large")
    blocks = dk.datasets.nucleus_features()
    assert len(blocks) == len(data.frames) + 1
    water = data.frames[-1].copy()
    water.positions = np.mean([atoms.positions for atoms in data.frames[-3:]], axis=0)
    return data, blocks[-4:-1].mean(axis=0), water


def test_the_large_nucleus_is_as_large_as_the_articles(large):
    data, features, water = large
    assert len(water) >= 20_000 and 3 * data.dt == pytest.approx(0.75)
    assert len(data.truth["chill_plus"]) == len(data.frames) * len(water)
    ice = kinds(data, "hexagonal", "cubic")
    assert 2000 <= ice.sum() <= 2300 and features.shape == (len(water), 30)
    group = nucleus.connected(water, ice | kinds(data, "interfacial"), SHELL)[0]
    made = nucleus.shape(water, group)
    assert made["asphericity"] < 0.01 and 26 < made["radius_A"] < 29
    assert np.linalg.norm(made["centre_A"] - data.info["centre_A"]) < 1


def test_features_of_the_large_nucleus_are_those_of_water_and_ice(large):
    """Means over time of water that is not near the nucleus, against those of another run."""
    data, features, water = large
    liquid = dk.load("water-liquid")
    sf = dk.SymmetryFunctions.water()
    other = np.mean([sf(atoms, centres="O") for atoms in liquid.frames[-480::24]], axis=0)
    centre = np.asarray(data.info["centre_A"])
    far = np.linalg.norm(water.get_positions() - centre, axis=1) > 35
    assert far.sum() > 5000
    spread = other.std(axis=0)
    assert np.all(np.abs(features[far].mean(axis=0) - other.mean(axis=0)) < spread)


@pytest.mark.slow
@pytest.mark.parametrize("seed, method", [(21, "pacmap"), (22, "umap")])
def test_the_large_nucleus_is_found_in_a_density_balanced_map(large, seed, method):
    data, features, water = large
    smooth = averaging.neighbour_average(features, water, SHELL)
    labels = dk.embed_density_balanced(smooth, 1000, method, seed=seed)[1]
    found, true, ice = found_and_true(data, water, labels)
    assert (found & true & ice).sum() / (true & ice).sum() > 0.97
    assert (found & true).sum() / true.sum() > 0.92
    assert (found & true).sum() / found.sum() > 0.94
    halfway = dk.imbalance.halfway_borders(smooth, labels)
    more = found_and_true(data, water, halfway)[0]
    assert more[true & ice].mean() > 0.99 and more[true].mean() > 0.95
    assert (more & true).sum() / more.sum() > 0.93


@pytest.fixture(scope="module")
def article():
    """(Dataset, features averaged over 0.75 ps, oxygens, flags of ice, of the nucleus)"""
    data = dk.load("ice-nucleus-article")
    features = dk.datasets.nucleus_features("ice-nucleus-article")[0]
    kind, classes = data.truth["chill_plus"], data.info["chill_plus_classes"]
    ice = np.isin(kind, [classes.index(name) for name in ("hexagonal", "cubic")])
    rim = kind == classes.index("interfacial")
    group = nucleus.connected(data.frames[0], ice | rim, SHELL)[0]
    return data, features, data.frames[0], ice, np.isin(np.arange(len(kind)), group)


def test_the_articles_box_has_its_proportion_of_ice_to_water(article):
    data, features, water, ice, member = article
    assert 78_000 < len(water) < 80_000 and features.shape == (len(water), 30)
    assert data.dt == pytest.approx(0.75) and len(data.frames) == 1
    assert 1800 < (ice & member).sum() < 2300
    made = nucleus.shape(water, np.flatnonzero(member))
    assert made["asphericity"] < 0.01 and 26 < made["radius_A"] < 29
    assert np.linalg.norm(made["centre_A"] - data.info["centre_A"]) < 1


def test_water_of_both_boxes_of_one_recipe_is_the_same(article, large):
    """Features of the water away from the nucleus, mean and spread."""
    data, features, water, _, _ = article
    other, more, less_water = large

    def far(data, features, water):
        away = water.get_positions() - np.asarray(data.info["centre_A"])
        return features[np.linalg.norm(away, axis=1) > 35]

    one, two = far(data, features, water), far(other, more, less_water)
    spread = two.std(axis=0)
    assert np.all(np.abs(one.mean(axis=0) - two.mean(axis=0)) < 0.1 * spread)
    assert np.all(np.abs(one.std(axis=0) - spread) < 0.1 * spread)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [31, 32])
def test_the_nucleus_is_found_in_the_articles_box(article, seed):
    data, features, water, ice, member = article
    smooth = averaging.neighbour_average(features, water, SHELL)
    labels = dk.embed_density_balanced(smooth, 1000, seed=seed)[1]
    found = dk.imbalance.halfway_borders(smooth, labels) > 0
    assert found[ice & member].mean() > 0.95 and found[member].mean() > 0.85
    assert (found & member).sum() / found.sum() > 0.9


def test_features_of_a_set_that_has_none_are_refused():
    with pytest.raises(
        ValueError, match="no features of 'water-ice'; choose ice-nucleus-large or"
    ):
        dk.datasets.nucleus_features("water-ice")
