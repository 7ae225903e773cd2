"""Stability of clusters over seeds, initialisations, settings and samples, as numbers."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import defectkit as dk
from defectkit.stability import read_table, stability_report, summary, write_table


def two_phases(n=150, seed=0):
    rng = np.random.default_rng(seed)
    return np.vstack([rng.normal(c, 1, (n, 5)) for c in (0, 12)]), np.repeat(["a", "b"], n)


@pytest.fixture(scope="module")
def report():
    X, truth = two_phases()
    return stability_report(X, "pacmap", seeds=2, truth=truth, halves=2, progress=False)


def test_the_report_holds_each_seed_initialisation_setting_and_half(report):
    assert list(report[["test", "init", "seed", "n"]].itertuples(index=False, name=None)) == [
        ("seed", "pca", 0, 300),
        ("seed", "pca", 1, 300),
        ("seed", "random", 0, 300),
        ("seed", "random", 1, 300),
        ("n_neighbors x 0.5", "pca", 0, 300),
        ("n_neighbors x 2", "pca", 0, 300),
        ("MN_ratio x 0.5", "pca", 0, 300),
        ("MN_ratio x 2", "pca", 0, 300),
        ("FP_ratio x 0.5", "pca", 0, 300),
        ("FP_ratio x 2", "pca", 0, 300),
        ("half of the environments", "pca", 0, 150),
        ("half of the environments", "pca", 1, 150),
    ]


def test_phases_far_apart_are_stable_whatever_is_changed(report):
    assert (report["n_clusters"] == 2).all()
    assert (report[["ari_to_first", "ari_to_default", "ari_to_truth"]] == 1).all(axis=None)
    assert (report[["noise", "misclassified", "knn_error"]] == 0).all(axis=None)


def test_a_single_cloud_is_one_cluster_that_misses_every_phase():
    X = np.random.default_rng(0).normal(size=(300, 5))
    truth = np.repeat(["a", "b", "rare"], [200, 95, 5])
    row = stability_report(X, "pca", truth=truth, halves=1, progress=False).iloc[0]
    assert row["n_clusters"] == 1 and row["ari_to_truth"] == pytest.approx(0, abs=0.02)
    assert row["misclassified"] == pytest.approx(1 / 3 + 2 / 3 * row["noise"], abs=0.02)
    assert np.isnan(row["knn_error"])  # five of the rare phase cannot outvote anybody


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
        (5, None),
        (18, None),
        (9, 0.05),
        (9, 0.2),
    ]
    assert all(s["spread"] == 2 for s in seen)


def test_the_summary_has_the_worst_of_each_test(report):
    condensed = summary(pd.DataFrame({"case": "made up"} | report.to_dict("series")))
    assert condensed.iloc[0, :5].tolist() == ["made up", "seed", "pca", 2, "2"]
    assert len(condensed) == 9
    worse = report.iloc[:2].copy()
    worse.loc[1, ["n_clusters", "ari_to_default", "misclassified"]] = 4, 0.5, 0.2
    (line,) = summary(worse).to_dict("records")
    assert (line["clusters"], line["ari_to_default_min"], line["ari_to_default_median"]) == (
        "2 to 4",
        0.5,
        0.75,
    )
    assert (line["misclassified_median"], line["misclassified_max"]) == (0.1, 0.2)
    without = report.drop(columns=["ari_to_truth", "misclassified"])
    assert "ari_to_truth_min" not in summary(without)


def test_tables_are_written_and_read(tmp_path, report):
    report = report.assign(noise=1 / 3, knn_error=float("nan"))
    for name in ("report.csv", "report.json"):
        write_table(tmp_path / name, report)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), report, check_dtype=False)
    assert len((tmp_path / "report.csv").read_text().splitlines()) == 1 + len(report)
    assert json.loads((tmp_path / "report.json").read_text())[0]["test"] == "seed"


def test_the_old_way_to_print_a_table_still_works(report):
    with pytest.warns(DeprecationWarning, match=r"text_table\(table\) is now called table.to_str"):
        lines = dk.stability.text_table(report).splitlines()
    assert len(lines) == 1 + len(report) and lines[0].split()[:2] == ["test", "init"]


def test_wrong_calls_are_refused_before_the_first_map(tmp_path):
    X, truth = two_phases(60)
    for arguments, text in (
        ({"seeds": []}, "0 seeds and 5 halves: give at least one seed"),
        ({"halves": -1}, "no negative number of halves"),
        ({"method": "tsne"}, "unknown method 'tsne'; use one of pca, umap"),
        ({"truth": truth[:9]}, "truth has 9 entries for 120 environments"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            stability_report(X, progress=False, **arguments)
    for method, most in (("pacmap", 20), ("umap", 30)):
        with pytest.raises(ValueError, match=f"20 environments are too few .* tries {most} neigh"):
            stability_report(X[:20], method, progress=False)
    with pytest.raises(ValueError, match="120 environments are too few.*give at least 161"):
        stability_report(X, n_neighbors=80, progress=False)
    with pytest.raises(ValueError, match="end it in .csv or .json"):
        write_table(tmp_path / "table.txt", [])
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        read_table(tmp_path / "none.csv")


def test_the_package_offers_the_report():
    assert dk.stability_report is stability_report
