"""Which environments a map is made from, and what the others are told by."""

import warnings

import numpy as np
import pytest
from ase.build import bulk

from defectkit import identify
from defectkit.clusters import hdbscan, knn_labels
from defectkit.embedding.libraries import nearest_rows
from defectkit.workflow.sampling import draw, lottery, without_copies

HOT = np.random.default_rng(1).normal(3, 1, (200, 12))


@pytest.mark.parametrize("times", [2, 3])
def test_exact_copies_of_all_count_once(times):
    rng = np.random.default_rng(times)
    rows = np.tile(HOT, (times, 1)) + rng.normal(0, 1e-9, (200 * times, 12))
    rows = rows[rng.permutation(len(rows))]
    kept, like = without_copies(rows)
    assert len(kept) == 200 and (np.diff(kept) > 0).all()
    assert (np.bincount(like) == times).all()
    np.testing.assert_allclose(rows[kept][like], rows, atol=1e-7)


def test_what_is_common_stays_as_common_as_it_was():
    counts = [600, 4, 2, 8, 2]
    kept, like = without_copies(np.repeat(HOT[:5], counts, axis=0))
    found = np.unique(np.repeat(HOT[:5], counts, axis=0)[kept], axis=0, return_counts=True)[1]
    assert sorted(found) == [1, 1, 2, 4, 300]
    assert np.bincount(like).tolist() == [2] * 308


@pytest.mark.parametrize(
    "rows",
    [
        HOT,
        np.vstack([np.repeat(HOT[:1], 500, axis=0), HOT[1:]]),  # a crystal as built, in its melt
        np.vstack([HOT, HOT + 1e-4]),
        np.vstack([HOT, HOT, HOT[:1]]),
    ],
)
def test_others_keep_their_rows(rows):
    kept, like = without_copies(rows)
    assert kept.tolist() == like.tolist() == list(range(len(rows)))


def test_a_large_perfect_crystal_is_one_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = identify(bulk("Cu") * (9, 9, 9), progress=False)
    assert (result.labels == 0).all() and "fcc" in result.names[0]


def test_a_lottery_known_already_draws_the_same():
    known = lottery(HOT, 5)
    assert draw(HOT, 50, 5, known).tolist() == draw(HOT, 50, 5).tolist()
    assert draw(HOT, 50, 6).tolist() != draw(HOT, 50, 5).tolist()


def test_a_search_in_cells_finds_nearly_all_neighbours():
    rng = np.random.default_rng(2)
    known, others = rng.normal(size=(2500, 5)), rng.normal(size=(300, 5))
    labels = (known[:, 0] > 0).astype(int)
    exact = knn_labels(known, labels, others)[1]
    found = nearest_rows(known, others, 10)
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)]) > 9.9
    np.testing.assert_array_equal(nearest_rows(known, others, 10), found)
    all_ = nearest_rows(known, others[:3], 2000)  # more than 16 cells hold
    assert all(len(set(row)) == 2000 and min(row) >= 0 for row in all_)


def test_many_pairs_are_searched_in_cells_only_where_that_is_enough(monkeypatch):
    rng = np.random.default_rng(3)
    known, others = rng.normal(size=(400, 3)), rng.normal(size=(50, 3))
    labels = (known[:, 0] > 0).astype(int)
    monkeypatch.setattr(hdbscan, "MANY_PAIRS", 100)
    monkeypatch.setattr(hdbscan, "nearest_rows", lambda *_: np.zeros((50, 10), int))
    assert (knn_labels(known, labels, others, exact=False)[0] == labels[0]).all()
    assert len(np.unique(knn_labels(known, labels, others)[0])) == 2
