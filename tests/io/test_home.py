"""A leading ~ is the home folder for everything that takes a path; no folder of that name."""

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit import stability
from defectkit.__main__ import main


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    yield folder
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_frames_and_tables_are_written_and_read_at_home(home):
    dk.datasets.write_frames("~/new/a.extxyz", [bulk("Si")], label=np.zeros(2, int))
    assert len(dk.read_frames("~/new/a.extxyz")[0]) == 2
    stability.write_table("~/table.csv", [{"a": 1}])
    assert (home / "table.csv").read_text().startswith("a")


def test_missing_files_at_home_are_named_in_full(home):
    for read in (
        dk.open_result,
        dk.read_frames,
        dk.NeuralNetworkPotential,
        dk.SymmetryFunctions.from_n2p2,
    ):
        with pytest.raises(FileNotFoundError, match="home.missing"):
            read("~/missing")


def test_a_quoted_tilde_on_the_command_line(home, capsys):
    with pytest.raises((SystemExit, FileNotFoundError, ValueError)) as raised:
        main(["identify", "~/missing.xyz", "--output", "~/out"])
    said = str(raised.value) + capsys.readouterr().err
    assert "home/missing.xyz" in said
