"""Maps: the settings really used, the start really used, the same bits for the same seed."""

import json
import logging
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from defectkit.clusters import agreement, cluster
from defectkit.embedding import (
    INITS,
    METHODS,
    canonical_order,
    embed,
    embed_all,
    libraries,
    standardise,
    umap_cache,
    variance_shares,
    worker,
)


@pytest.fixture(scope="module")
def blobs():
    """Four groups of 100 in 12 dimensions, with features of very different scale."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 6, (4, 12))
    truth = np.repeat(np.arange(4), 100)
    return (centres[truth] + rng.normal(size=(400, 12))) * 10.0 ** np.arange(-6, 6) + 3, truth


def same_axes(a, b):
    """Smallest absolute correlation between matching columns."""
    return min(abs(np.corrcoef(a[:, k], b[:, k])[0, 1]) for k in (0, 1))


# standardise


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 1e3), st.floats(-1e3, 1e3))
def test_standardised_features_have_no_scale_or_origin(seed, scale, shift):
    X = np.random.default_rng(seed).normal(size=(50, 3))
    Z = standardise(X)
    assert np.allclose(Z.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(Z.var(axis=0), 1)
    assert np.allclose(standardise(scale * X + shift), Z, atol=1e-8)


def test_constant_features_become_zero_also_when_only_round_off_varies():
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[:, 0], X[:, 1] = 0.1, 7 * (1 + 1e-15 * X[:, 1])
    before = X.copy()
    Z = standardise(X)
    assert (Z[:, :2] == 0).all() and Z[:, 2].std() == pytest.approx(1)
    assert (X == before).all()


def test_reference_sets_the_scale():
    Z = standardise([[3.0, 1.0]], reference=[[0.0, 5.0], [2.0, 5.0]])
    assert Z.tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize(
    "X, text",
    [
        ([[1.0, np.nan], [1, 2]], "X has NaN or infinite features in 1 of 2 rows, first in row 0"),
        ([[1.0, 2.0], [np.inf, 2]], "first in row 1; check the positions of that atom"),
        (np.zeros((3, 4, 5)), "np.concatenate(features) joins frames"),
        (np.zeros((0, 5)), "X is empty (shape (0, 5))"),
        ([np.zeros((3, 5)), np.zeros((2, 5))], "rows differ in length or hold something"),
        (np.ma.masked_greater(np.eye(5), 0.5), "X has a mask that hides 5 values; leave"),
    ],
)
def test_bad_features_are_refused(X, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        standardise(X)
    with pytest.raises(ValueError, match=re.escape(text)):
        embed(X, "umap")


def test_reference_must_have_the_same_features():
    with pytest.raises(ValueError, match="reference has 2 features but X has 3"):
        standardise(np.eye(3), reference=np.eye(2))


# embed: bad input


@pytest.mark.parametrize(
    "n, arguments, text",
    [
        (
            10,
            {"method": "umap", "n_neighbors": 15},
            "n_neighbors=15 needs more than 15 environments, got 10; use n_neighbors <= 9",
        ),
        (
            5,
            {"method": "umap"},
            "a map by umap needs at least 6 environments, got 5; add frames or",
        ),
        (
            7,
            {"method": "PaCMAP"},
            "a map by pacmap needs at least 8 environments, got 7; add frames",
        ),
        (
            50,
            {"seed": None},
            "seed=None must be a whole number from 0 to 4294967295, so that the map",
        ),
        (50, {"seed": 0.5}, "seed=0.5 must be a whole number"),
        (50, {"seed": -1}, "seed=-1 must be a whole number"),
        (50, {"method": 3}, "unknown method 3; use one of pca, umap, pacmap"),
        (50, {"method": "umap", "n_neighbors": 1}, "n_neighbors=1 is too few; use at least 2"),
        (50, {"method": "tsne"}, "unknown method 'tsne'; use one of pca, umap, pacmap"),
        (
            50,
            {"method": "pacmap", "init": "spectral"},
            "pacmap has no initialisation 'spectral'; use one of pca, random",
        ),
        (50, {"method": "umap", "snapshots": [0]}, "snapshots are kept by pacmap only"),
        (
            50,
            {"method": "pacmap", "snapshots": [451]},
            "snapshots must be iterations from 0 to 450",
        ),
        (50, {"method": "pca", "n_neighbors": 5}, "pca takes no n_neighbors"),
        (2, {"method": "pca"}, "a map by pca needs at least 3 environments, got 2"),
    ],
)
def test_bad_settings_are_refused(n, arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        embed(np.random.default_rng(0).normal(size=(n, 4)), **arguments)


@pytest.mark.parametrize("method", INITS)
def test_one_feature_is_no_map(method):
    with pytest.raises(ValueError, match="X has one feature, which is no map of two coordinates"):
        embed(np.arange(60.0)[:, None], method)


@pytest.mark.parametrize("method", ["pca", "umap", "pacmap"])
def test_identical_environments_are_refused(method):
    with pytest.raises(ValueError, match="all 60 environments have the same features"):
        embed(np.full((60, 4), 0.3), method)


# embed: what comes out


def test_pca_is_the_singular_value_decomposition(blobs):
    Z = standardise(blobs[0])
    left, values, _ = np.linalg.svd(Z, full_matrices=False)
    assert np.allclose(abs(embed(blobs[0], "pca")), abs(left[:, :2] * values[:2]))


@pytest.mark.parametrize("method", ["umap", "pacmap"])
def test_planted_groups_are_found_and_the_input_is_left_alone(blobs, method):
    X, truth = blobs
    before = X.copy()
    Y = embed(X, method, seed=3)
    assert Y.shape == (400, 2) and Y.dtype == float
    assert adjusted_rand_score(truth, cluster(Y)) == 1
    assert (X == before).all()


@pytest.mark.parametrize("method, init", [(m, i) for m in ("umap", "pacmap") for i in INITS[m]])
def test_same_seed_same_bits(blobs, method, init):
    first = embed(blobs[0], method, seed=1, init=init)
    assert (embed(blobs[0], method, seed=1, init=init) == first).all()
    assert not np.allclose(embed(blobs[0], method, seed=2, init=init), first)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")
@pytest.mark.parametrize("method", ["umap", "pacmap"])
def test_same_bits_on_one_and_two_threads(blobs, method):
    maps = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        maps.append(embed(blobs[0], method))
        assert numba.get_num_threads() == threads
    assert (maps[0] == maps[1]).all()


def test_scale_of_a_feature_matters_only_without_standardising(blobs):
    X = blobs[0]
    assert np.allclose(embed(X * np.arange(1, 13), "pca"), embed(X, "pca"))
    raw = embed(X, "pca", standardise=False)
    largest = X[:, -1] - X[:, -1].mean()
    assert abs(np.corrcoef(raw[:, 0], largest)[0, 1]) > 0.999


def test_pacmap_starts_from_pca_and_ends_at_the_map(blobs):
    pca = embed(blobs[0], "pca")
    end, start = embed(blobs[0], "pacmap", snapshots=[450, 0])
    scale = start.std(axis=0) / pca.std(axis=0)
    assert scale[0] == pytest.approx(scale[1], rel=1e-4)  # proportions kept
    assert same_axes(start, pca) > 0.99999
    assert (end == embed(blobs[0], "pacmap")).all()
    (random,) = embed(blobs[0], "pacmap", init="random", snapshots=[0])
    assert same_axes(random, pca) < 0.3


def test_umap_starts_from_pca(blobs):
    pca = embed(blobs[0], "pca")
    assert same_axes(embed(blobs[0], "umap", n_epochs=0), pca) > 0.9999
    assert same_axes(embed(blobs[0], "umap", n_epochs=0, init="random"), pca) < 0.3
    assert same_axes(embed(blobs[0], "umap", n_epochs=0, init="spectral"), pca) < 0.98


def test_the_papers_settings_reach_the_libraries(blobs, monkeypatch):
    import pacmap
    import umap

    made = {}

    def recorded(library):
        class Recorded(library):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                made[library.__name__] = self

        return Recorded

    monkeypatch.setattr(pacmap, "PaCMAP", recorded(pacmap.PaCMAP))
    embed(blobs[0], "pacmap")
    used = made["PaCMAP"]
    assert (used.n_neighbors, used.n_MN, used.n_FP) == (10, 5, 25)
    assert tuple(used.num_iters) == (100, 100, 250)
    monkeypatch.setattr(umap, "UMAP", recorded(umap.UMAP))
    embed(blobs[0], "umap", n_epochs=1)
    used = made["UMAP"]
    assert (used.n_neighbors, used.min_dist, used.init) == (15, 0.1, "pca")


def test_options_change_the_map(blobs):
    base = embed(blobs[0], "umap")
    spread = embed(blobs[0], "umap", min_dist=0.9)
    assert not np.allclose(base, spread)
    with pytest.raises(TypeError, match="min_distance"):
        embed(blobs[0], "umap", min_distance=0.9)


def test_too_few_points_for_all_pairs_warn(blobs):
    with pytest.warns(UserWarning, match="30 environments are too few for 40 pairs each"):
        embed(blobs[0][:390:13], "pacmap")


def test_pacmap_leaves_no_trace_in_global_state(blobs, caplog):
    import faiss
    import pacmap.pacmap

    faiss.omp_set_num_threads(2)
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with caplog.at_level(logging.WARNING):
        embed(blobs[0], "pacmap", init="random")
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert faiss.omp_get_max_threads() == 2
    assert pacmap.pacmap._RANDOM_STATE is None
    assert not caplog.records


# the neighbours that UMAP is given


@pytest.mark.parametrize("n, exact_up_to", [(500, 30_000), (5000, 30_000), (5000, 0)])
def test_umap_gets_the_nearest_neighbours(monkeypatch, n, exact_up_to):
    monkeypatch.setattr(libraries, "_EXACT_UP_TO", exact_up_to)
    X = np.random.default_rng(1).normal(size=(n, 6)).astype(np.float32)
    index, distance = libraries._nearest(X, 15)
    known_distance, known = NearestNeighbors(n_neighbors=15).fit(X).kneighbors(X)
    found = np.mean([np.isin(a, b).mean() for a, b in zip(index, known, strict=True)])
    assert found > (0.9999 if exact_up_to else 0.999) and np.array_equal(index[:, 0], np.arange(n))
    assert np.quantile(np.abs(distance - known_distance), 0.99) < 1e-5
    assert (np.diff(distance, axis=1) >= 0).all()


def test_close_and_identical_environments_keep_their_order():
    """Squares of float32 lose distances of 1e-4 beside coordinates of 30."""
    X = np.linspace(0, 1e-2, 101)[:, None] * [[1.0, 0, 0]] + [[0, 30, -30]]
    X = np.concatenate([X, X[:1], -X]).astype(np.float32)
    index, distance = libraries._nearest(X, 3)
    assert index[50].tolist() in ([50, 49, 51], [50, 51, 49])
    assert index[0].tolist() == [0, 101, 1] and distance[0, 1] == 0


@pytest.mark.slow
def test_another_metric_is_left_to_umap(blobs):
    X, truth = blobs
    turned = embed(X, "umap", metric="cosine")
    assert agreement(cluster(turned), truth) > 0.9
    assert not np.array_equal(turned, embed(X, "umap"))


# several methods at once


@pytest.fixture
def three_groups(monkeypatch):
    """So many environments as are mapped side by side: here a tenth of what is usual."""
    monkeypatch.setattr(worker, "_BESIDE_FROM", 410)
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [200, 150, 100])
    return rng.normal(size=(450, 8)) + 6 * np.eye(3)[truth] @ rng.normal(size=(3, 8)), truth


def test_all_methods_of_few_environments_are_those_of_embed(blobs):
    X, _ = blobs
    maps = embed_all(X, seed=2)
    assert list(maps) == ["pca", "umap", "pacmap"]
    for method, Y in maps.items():
        assert np.array_equal(Y, embed(X, method, seed=2))


@pytest.mark.slow
@pytest.mark.parametrize(("cores", "standardise"), [(1, True), (2, True), (2, False)])
def test_two_methods_side_by_side_are_those_of_embed(
    monkeypatch, cores, standardise, three_groups
):
    monkeypatch.setattr(worker, "cpu_count", lambda: cores)
    X, truth = three_groups
    maps = embed_all(X, ("umap", "pacmap"), seed=3, standardise=standardise)
    for method, Y in maps.items():
        assert np.array_equal(Y, embed(X, method, seed=3, standardise=standardise))
        assert agreement(cluster(Y), truth) > 0.99


def test_without_another_process_all_is_done_in_this_one(monkeypatch, three_groups):
    monkeypatch.setattr(worker, "cpu_count", lambda: 2)
    monkeypatch.setattr(worker.sys, "executable", "/absent/python")
    X, truth = three_groups
    assert agreement(cluster(embed_all(X, ("pacmap", "umap"))["pacmap"]), truth) > 0.99


@pytest.mark.parametrize("error", [ZeroDivisionError, RuntimeError])
def test_a_failure_ends_the_other_process(monkeypatch, error, three_groups):
    """Also one of the kind that tells of another process that did not work."""

    def fails(*_):
        raise error

    monkeypatch.setattr(worker, "cpu_count", lambda: 2)
    monkeypatch.setattr(libraries, "_umap", fails)
    with pytest.raises(error):
        embed_all(three_groups[0], ("umap", "pacmap"))


def test_all_methods_are_checked_before_the_first_begins():
    with pytest.raises(ValueError, match="unknown method 'tsne'"):
        embed_all(np.zeros((50, 3)), ("pca", "tsne"))


# any caller, any thread, any surroundings


def test_the_name_of_a_method_is_known_in_capitals(blobs):
    X, _ = blobs
    assert np.array_equal(embed(X, "PCA"), embed(X, "pca"))
    maps = embed_all(X, ("PCA", "PaCMAP"))
    assert list(maps) == ["PCA", "PaCMAP"]
    assert np.array_equal(maps["PaCMAP"], embed(X, "pacmap"))
    assert METHODS["pacmap"].axes == ("PaCMAP 1", "PaCMAP 2")


@pytest.mark.filterwarnings("ignore:.*environments are")
@pytest.mark.parametrize("n", [8, 11, 16, 30])
@pytest.mark.parametrize("method", METHODS)
def test_few_environments_have_a_map(method, n):
    X = np.random.default_rng(0).normal(size=(n, 5))
    X[n // 2 :] += 20
    Y = embed(X, method)
    assert Y.shape == (n, 2) and np.isfinite(Y).all()
    assert cluster(Y).shape == (n,)


def test_few_environments_are_said_to_be_few():
    with pytest.warns(
        UserWarning,
        match="16 environments are few for a map by umap: it keeps 5 "
        "neighbours of each close instead of 15",
    ):
        embed(np.random.default_rng(0).normal(size=(16, 4)), "umap")


def test_maps_of_three_threads_are_those_of_one(blobs):
    from concurrent.futures import ThreadPoolExecutor

    work = [(blobs[0], "pacmap", s) for s in (1, 2, 3)] + [
        (blobs[0], "umap", 4),
        (blobs[0], "pca", 0),
    ]
    alone = [embed(X, method, seed=seed) for X, method, seed in work]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda w: embed(w[0], w[1], seed=w[2]), work))
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a, b)


def test_pandas_output_of_scikit_learn_changes_nothing(blobs):
    import sklearn

    expected = {m: embed(blobs[0], m) for m in METHODS}
    with sklearn.config_context(transform_output="pandas"):
        for method, Y in expected.items():
            assert np.array_equal(embed(blobs[0], method), Y)


@pytest.mark.parametrize("method", METHODS)
def test_a_permutation_of_the_rows_is_a_permutation_of_the_map(blobs, method):
    X, order = blobs[0], np.random.default_rng(0).permutation(400)
    assert np.array_equal(
        embed(X[order], method, canonical=True), embed(X, method, canonical=True)[order]
    )


def test_the_canonical_order_knows_no_round_off_and_no_rows():
    X = np.random.default_rng(0).normal(size=(500, 4))
    X[:, 0] = 7.0  # a feature that does not vary
    X[:, 1] = np.round(X[:, 1])  # ties
    order = np.random.default_rng(1).permutation(500)
    sorted_rows = X[canonical_order(X)]
    again = (X * (1 + 1e-13))[order]
    assert np.allclose(again[canonical_order(again)], sorted_rows, rtol=1e-9, atol=0)
    assert canonical_order(np.ones((5, 3))).tolist() == [0, 1, 2, 3, 4]


# the other process

CHILD_OF = """
import sys, numpy as np
from defectkit.embedding import worker
X = np.random.default_rng(0).normal(size=(20000, 12))
popen = worker.subprocess.Popen
def noted(*args, **options):
    child = popen(*args, **options)
    print(child.pid, flush=True)
    return child
worker.subprocess.Popen = noted
worker.compute(X, "pacmap")
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_map_process_ends_with_its_parent(how):
    parent = subprocess.Popen(
        [sys.executable, "-c", CHILD_OF],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    child = int(parent.stdout.readline())
    time.sleep(1.0)
    parent.send_signal(how)
    assert parent.wait(timeout=15) != 0
    parent.stdout.close()
    end = time.monotonic() + 30
    while alive(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(child)


MAP = """
import numpy as np
import pacmap
from defectkit.embedding import embed
X = np.random.default_rng(0).normal(size=(20000, 12))
print("begun", flush=True)
try:
    embed(X, "pacmap")
except KeyboardInterrupt:
    print("interrupted", flush=True)
else:
    print("finished", flush=True)
"""


@pytest.mark.slow
def test_a_map_in_this_process_stops_at_an_interrupt():
    child = subprocess.Popen(
        [sys.executable, "-c", MAP], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout.readline() == "begun\n"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    assert child.stdout.read() == "interrupted\n"
    child.stdout.close()
    assert child.wait(timeout=60) == 0


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_interrupt_ends_the_other_process_at_once(monkeypatch, three_groups):
    started = []

    def endless(*_, stop, **__):
        started.append(True)
        while not stop():
            time.sleep(0.01)
        raise worker.Stopped

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "cpu_count", lambda: 2)
    monkeypatch.setattr(worker, "compute", endless)
    monkeypatch.setattr(libraries, "_umap", lambda X, *_: X[:, :2])
    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        embed_all(three_groups[0], ("umap", "pacmap"))
    assert started and time.monotonic() - start < 50


def test_a_library_of_that_name_in_the_current_folder_is_not_run(tmp_path, monkeypatch):
    (tmp_path / "faiss.py").write_text("raise SystemExit('the file in the folder was run')\n")
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(60, 4))
    assert np.array_equal(worker.compute(X, "pacmap", 1), embed(X, "pacmap", seed=1))


def test_without_an_interpreter_all_is_done_in_this_process(monkeypatch, three_groups):
    monkeypatch.setattr(worker, "cpu_count", lambda: 2)
    monkeypatch.setattr(worker.sys, "executable", None)
    X, truth = three_groups
    assert agreement(cluster(embed_all(X, ("pacmap", "umap"))["pacmap"]), truth) > 0.99


# UMAP's compiled functions

UMAP_TWICE = """
import hashlib, json
from importlib import import_module
import numpy as np
from defectkit.embedding import embed
from defectkit.embedding.umap_cache import COMPILED
Y = embed(np.random.default_rng(0).normal(size=(60, 4)), "umap", n_epochs=3)
stats = [getattr(import_module(module), name).stats for module, name in COMPILED]
print(json.dumps([hashlib.sha256(Y.tobytes()).hexdigest(),
                  [sum(s.cache_hits.values()) for s in stats],
                  [sum(s.cache_misses.values()) for s in stats]]))
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing_of_umap():
    def run():
        done = subprocess.run(
            [sys.executable, "-c", UMAP_TWICE], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])

    (first, _, _), (second, found, compiled) = run(), run()
    assert found == [1, 1, 1] and compiled == [0, 0, 0]
    assert first == second


def test_another_umap_is_used_as_it_is(blobs, monkeypatch):
    expected = embed(blobs[0], "umap")
    monkeypatch.setattr(
        umap_cache,
        "COMPILED",
        (("umap.umap_", "renamed"), ("umap.umap_", "make_epochs_per_sample")),
    )
    assert umap_cache.cache_compiled() == []
    assert (embed(blobs[0], "umap") == expected).all()


def test_nowhere_to_write_leaves_umap_uncached(monkeypatch):
    class Refuses:
        stats = type("Stats", (), {"cache_path": None})

        def enable_caching(self):
            raise RuntimeError("cannot cache function: no locator available")

    import umap.umap_

    monkeypatch.setattr(umap.umap_, "smooth_knn_dist", Refuses())
    assert "smooth_knn_dist" not in umap_cache.cache_compiled()


def test_variance_shares_are_those_of_the_pca_map(blobs):
    X, _ = blobs
    shares, Y = variance_shares(X), embed(X, "pca")
    assert shares == pytest.approx(Y.var(axis=0) / X.shape[1])  # standardised: 1 for each feature
    assert 0 < shares[1] <= shares[0] < 1
    assert variance_shares([[0.0], [1.0]]).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="no feature varies"):
        variance_shares(np.ones((5, 3)))
