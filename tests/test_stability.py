"""Stability of clusters over seeds, starts, settings and samples, as numbers."""

import csv
import json
import re

import numpy as np
import pytest

import defectkit as dk
from defectkit.stability import (
    read_table,
    stability_report,
    summary,
    text_table,
    write_table,
)


def two_phases(n=150, seed=0):
    rng = np.random.default_rng(seed)
    return np.vstack([rng.normal(c, 1, (n, 5)) for c in (0, 12)]), np.repeat(["a", "b"], n)


@pytest.fixture(scope="module")
def report():
    X, truth = two_phases()
    return stability_report(X, "pacmap", seeds=2, truth=truth, halves=2, progress=False)


def test_the_report_holds_each_seed_start_setting_and_half(report):
    assert [(r["test"], r["init"], r["seed"], r["n"]) for r in report] == [
        ("seed", "pca", 0, 300), ("seed", "pca", 1, 300), ("seed", "random", 0, 300),
        ("seed", "random", 1, 300), ("n_neighbors x 0.5", "pca", 0, 300),
        ("n_neighbors x 2", "pca", 0, 300), ("MN_ratio x 0.5", "pca", 0, 300),
        ("MN_ratio x 2", "pca", 0, 300), ("FP_ratio x 0.5", "pca", 0, 300),
        ("FP_ratio x 2", "pca", 0, 300), ("half of the environments", "pca", 0, 150),
        ("half of the environments", "pca", 1, 150)]


def test_phases_far_apart_are_stable_whatever_is_changed(report):
    for r in report:
        assert r["n_clusters"] == 2 and r["noise"] == 0
        assert r["ari_to_first"] == r["ari_to_default"] == r["ari_to_truth"] == 1
        assert r["misclassified"] == r["knn_error"] == 0


def test_a_single_cloud_is_one_cluster_that_misses_every_phase():
    X = np.random.default_rng(0).normal(size=(300, 5))
    truth = np.repeat(["a", "b", "rare"], [200, 95, 5])
    rows = stability_report(X, "pca", truth=truth, halves=1, progress=False)
    assert rows[0]["n_clusters"] == 1 and rows[0]["ari_to_truth"] == pytest.approx(0, abs=0.02)
    assert rows[0]["misclassified"] == pytest.approx(1 / 3 + 2 / 3 * rows[0]["noise"], abs=0.02)
    assert np.isnan(rows[0]["knn_error"])  # five of the rare phase cannot outvote anybody


def test_two_fold_changes_start_from_the_options_given(monkeypatch):
    from defectkit import stability

    seen = []

    def embed(X, method, **given):
        seen.append(given)
        return X[:, :2]

    monkeypatch.setattr(stability, "embed", embed)
    X, _ = two_phases(60)
    stability_report(X, "umap", seeds=[7], halves=0, progress=False, n_neighbors=9, spread=2)
    assert seen[0] == {"seed": 7, "init": "pca", "n_neighbors": 9, "spread": 2}
    assert [s["init"] for s in seen] == ["pca", "spectral", "pca", "pca", "pca", "pca"]
    assert [(s["n_neighbors"], s.get("min_dist")) for s in seen[2:]] == [
        (5, None), (18, None), (9, 0.05), (9, 0.2)]
    assert all(s["spread"] == 2 for s in seen)


def test_the_summary_has_the_worst_of_each_test(report):
    lines = summary([{"case": "made up"} | r for r in report])
    first = lines[0]
    assert (first["case"], first["test"], first["init"], first["maps"]) == ("made up", "seed",
                                                                            "pca", 2)
    assert len(lines) == 9 and first["clusters"] == "2"
    worse = [dict(report[0]), dict(report[1]) | {"n_clusters": 4, "ari_to_default": 0.5,
                                                 "misclassified": 0.2}]
    line, = summary(worse)
    assert (line["clusters"], line["ari_to_default_min"], line["ari_to_default_median"]) == (
        "2 to 4", 0.5, 0.75)
    assert (line["misclassified_median"], line["misclassified_max"]) == (0.1, 0.2)


def test_tables_are_written_read_and_printed(tmp_path, report):
    for name in ("report.csv", "report.json"):
        write_table(tmp_path / name, report)
        assert read_table(tmp_path / name) == report
    with open(tmp_path / "report.csv", newline="") as file:
        assert len(list(csv.reader(file))) == 1 + len(report)
    assert json.loads((tmp_path / "report.json").read_text())[0]["test"] == "seed"
    lines = text_table(report).splitlines()
    assert len(lines) == 1 + len(report) and lines[0].split()[:2] == ["test", "init"]
    assert lines[1].split()[-3:] == ["1.0000", "0.0000", "0.0000"]
    assert text_table([]) == ""


def test_wrong_calls_are_refused_before_the_first_map(tmp_path):
    X, truth = two_phases(60)
    for arguments, text in (({"seeds": []}, "0 seeds and 5 halves: give at least one seed"),
                            ({"halves": -1}, "no negative number of halves"),
                            ({"method": "tsne"}, "unknown method 'tsne'; use one of pca, umap"),
                            ({"truth": truth[:9]}, "truth has 9 entries for 120 environments")):
        with pytest.raises(ValueError, match=re.escape(text)):
            stability_report(X, progress=False, **arguments)
    with pytest.raises(ValueError, match="end it in .csv or .json"):
        write_table(tmp_path / "table.txt", [])
    with pytest.raises(ValueError, match="same columns in the same order"):
        write_table(tmp_path / "table.csv", [{"a": 1}, {"b": 1}])
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        read_table(tmp_path / "none.csv")


def test_the_package_offers_the_report():
    assert dk.stability_report is stability_report
