"""Running the notebooks leaves the checkout as it is, and tells a number that changed."""

import base64
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import run_notebooks
from PIL import Image

from defectkit import plots


def test_a_number_that_changed_is_told():
    kept = {
        "found_percent": 98.3,
        "error_A": 0.0608,
        "jumps": 14,
        "net_per_core_s": 3.0,
        "method": "umap",
    }
    alike = kept | {"net_per_core_s": 1.0, "found_percent": 97.8}
    assert run_notebooks.differences(alike, kept) == []
    new = {
        "found_percent": 95.0,
        "error_A": 0.0700,
        "jumps": 16,
        "net_per_core_s": 3.0,
        "method": "pca",
    }
    assert [text.split()[0] for text in run_notebooks.differences(new, kept)] == [
        "found_percent",
        "error_A",
        "jumps",
        "method",
    ]


def test_results_are_compared_by_file(tmp_path, capsys):
    (tmp_path / "results").mkdir()
    kept = json.loads((run_notebooks.NOTEBOOKS / "results" / "si_phases.json").read_text())
    (tmp_path / "results" / "si_phases.json").write_text(json.dumps(kept))
    assert run_notebooks.compare(tmp_path) == 0
    kept["umap_ari"] = 0.5
    (tmp_path / "results" / "si_phases.json").write_text(json.dumps(kept))
    assert run_notebooks.compare(tmp_path) == 1
    assert "si_phases.json: umap_ari is 0.5" in capsys.readouterr().out


def test_renewed_notebooks_come_without_widget_state(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    (checkout / "results").mkdir(parents=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text("{}")
    cell = {"cell_type": "code", "metadata": {"execution": {}, "tags": []}, "source": []}
    made = {"metadata": {"widgets": {"big": 1}, "kernelspec": {}}, "cells": [cell]}
    (tmp_path / "00_a.ipynb").write_text(json.dumps(made))
    monkeypatch.setattr(run_notebooks, "NOTEBOOKS", checkout)
    run_notebooks.renew(tmp_path, ["00_a"])
    kept = json.loads((checkout / "00_a.ipynb").read_text())
    assert kept["metadata"] == {"kernelspec": {}} and (checkout / "results" / "a.json").exists()
    assert kept["cells"][0]["metadata"] == {"tags": []}


def test_pictures_are_stored_small_and_alike():
    rng = np.random.default_rng(0)
    rgba = np.full((200, 300, 4), 255, np.uint8)
    rgba[50:150, 50:250, :3] = 180 + np.round(15 * rng.random((100, 200, 1)))
    png = io.BytesIO()
    Image.fromarray(rgba).save(png, "PNG")
    output = {"data": {"image/png": base64.b64encode(png.getvalue()).decode()}}
    run_notebooks.compact(output)
    stored = base64.b64decode(output["data"]["image/png"])
    kept = Image.open(io.BytesIO(stored))
    assert kept.mode == "P" and kept.size == (300, 200) and len(stored) < len(png.getvalue())
    assert np.abs(np.asarray(kept.convert("RGB"), int) - rgba[..., :3]).max() < 12
    run_notebooks.compact({"data": {"text/plain": "5"}})  # nothing to do


def test_colours_of_the_palette_outlive_storing():
    """Shaded atoms have thousands of colours; the dots of a legend beside them few pixels."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)
    dots = np.array(run_notebooks.OWN, np.uint8)
    rgb[0, : len(dots)] = dots
    png = io.BytesIO()
    Image.fromarray(rgb).save(png, "PNG")
    encoded = base64.b64encode(png.getvalue()).decode()
    page = f"<style>x {{background: url(data:image/png;base64,{encoded})}}</style>"
    output = {"data": {"image/png": encoded, "text/html": [page]}}
    for colours in (256, 64):
        run_notebooks.compact(output, colours)
        stored = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
        seen = np.asarray(stored.convert("RGB"))[0, : len(dots)]
        assert np.abs(seen.astype(int) - dots).max() <= 1
        assert len(np.unique(np.asarray(stored))) <= colours
        assert "data:image/webp;base64," in "".join(output["data"]["text/html"])
    run_notebooks.compact(output, 64, scale=0.5)
    assert Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"]))).size == (150, 150)


def test_a_map_is_stored_without_the_rims_of_its_points_other_pictures_as_they_are():
    ax = plots.embedding(np.random.default_rng(0).normal(size=(4000, 2)), np.arange(4000) % 3)
    png = io.BytesIO()
    ax.figure.savefig(png, dpi=200)
    plt.close(ax.figure)
    before = Image.open(png).convert("RGB")
    after = run_notebooks.without_rims(before)
    old, new = np.asarray(before, int), np.asarray(after, int)
    coloured = np.ptp(new, axis=-1) > 12
    _, often = np.unique(new[coloured], axis=0, return_counts=True)
    assert np.sort(often)[-3:].sum() > 0.999 * coloured.sum()
    assert abs(coloured.mean() - (np.ptp(old, axis=-1) > 12).mean()) < 0.1
    grey = np.ptp(old, axis=-1) <= 12  # lettering
    np.testing.assert_array_equal(new[grey], old[grey])
    shaded = np.random.default_rng(0).integers(0, 255, (100, 100, 3)).astype(np.uint8)
    shaded[:5, :5] = 0, 114, 178
    same = np.asarray(run_notebooks.without_rims(Image.fromarray(shaded)))
    np.testing.assert_array_equal(same, shaded)


def test_the_longest_notebooks_come_first_and_unknown_ones_are_refused():
    every = {path.stem for path in run_notebooks.NOTEBOOKS.glob("*.ipynb")}
    assert set(run_notebooks.names([])) == every
    assert run_notebooks.names(["05", "04"])[0].startswith("05")
    with pytest.raises(SystemExit, match="no notebook begins with 99"):
        run_notebooks.names(["99"])


def test_a_picture_without_colours_of_the_project_stays_as_it_is():
    grey = Image.fromarray(np.full((30, 40, 3), 200, np.uint8))
    assert np.array_equal(np.asarray(run_notebooks.without_rims(grey)), np.asarray(grey))
