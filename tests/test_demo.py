"""`python -m defectkit demo`, as `make demo` calls it, on fewer atoms."""

import json

import ase.io
import numpy as np
import pytest

from defectkit.__main__ import main


def test_the_demo_prints_the_table_and_writes_map_atoms_and_numbers(tmp_path, capsys):
    main(["demo", "--output", str(tmp_path / "out"), "--environments", "2000"])
    printed = capsys.readouterr().out
    table = json.loads((tmp_path / "out/si_phases.json").read_text())
    rows = {row["method"]: row for row in table}
    assert list(rows) == ["pca", "umap", "pacmap"]
    for method, row in rows.items():
        assert f"{row['knn_%']:.2f} %" in printed
        assert f"{method:8s}" in printed
    assert rows["pca"]["knn_%"] > 2.0
    assert max(rows[m]["knn_%"] for m in ("umap", "pacmap")) < 1.5
    assert (tmp_path / "out/si_phases_maps.png").read_bytes().startswith(b"\x89PNG")
    atoms = ase.io.read(tmp_path / "out/si_phases_labelled.extxyz", ":")
    cluster = np.concatenate([a.arrays["cluster_pacmap"] for a in atoms])
    xy = np.concatenate([a.arrays["map_pacmap"] for a in atoms])
    assert np.sum(cluster != -2) == 2000
    np.testing.assert_array_equal(np.isfinite(xy).all(axis=1), cluster != -2)


def test_too_few_environments_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["demo", "--environments", "10"])
    assert "--environments below 1000 leaves too few of each phase" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="defectkit: .*is a file; choose another --output folder"):
        main(["demo", "--output", str(tmp_path / "file")])
