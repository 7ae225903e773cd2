"""Running the notebooks leaves the checkout as it is, and tells a number that changed."""

import json

import pytest
import run_notebooks


def test_a_number_that_changed_is_told():
    kept = {"found_percent": 98.3, "error_A": 0.0608, "jumps": 14, "net_per_core_s": 3.0,
            "method": "umap"}
    alike = kept | {"net_per_core_s": 1.0, "found_percent": 97.8}
    assert run_notebooks.differences(alike, kept) == []
    new = {"found_percent": 96.0, "error_A": 0.0700, "jumps": 16, "net_per_core_s": 3.0,
           "method": "pca"}
    assert [text.split()[0] for text in run_notebooks.differences(new, kept)] == [
        "found_percent", "error_A", "jumps", "method"]


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


def test_the_longest_notebooks_come_first_and_unknown_ones_are_refused():
    every = {path.stem for path in run_notebooks.NOTEBOOKS.glob("*.ipynb")}
    assert set(run_notebooks.names([])) == every
    assert run_notebooks.names(["05", "04"])[0].startswith("05")
    with pytest.raises(SystemExit, match="no notebook begins with 99"):
        run_notebooks.names(["99"])
