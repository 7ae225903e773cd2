"""The explorer without a browser; tests/browser lassoes and clicks in a real one."""

import csv
import dataclasses
import gzip
import json
import sys
import threading
import time
from pathlib import Path

import ase.io
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from matplotlib.colors import to_rgb

import defectkit as dk
from defectkit import plots, view
from defectkit.embedding import worker as _map_job
from defectkit.view.explorer_app import atoms_view, jobs, map_view, quantities
from defectkit.view.explorer_app import environments as env
from defectkit.view.explorer_app import sources as _sources

pytest.importorskip("nglview", reason="nglview is not installed (extra 'lab')")
pytest.importorskip("jscatter", reason="jupyter-scatter is not installed (extra 'lab')")


def silicon(n_frames=6, repeat=2, seed=0):
    """Frames, features (n_frames, n_atoms, 4), labels by height (-1 now and then), a map."""
    rng = np.random.default_rng(seed)
    crystal = bulk("Si", cubic=True) * (repeat, repeat, repeat)
    frames = []
    for _ in range(n_frames):
        frames.append(crystal.copy())
        frames[-1].positions += rng.normal(0, 0.03, crystal.positions.shape)
    height = np.tile(crystal.positions[:, 2], n_frames)
    labels = np.digitize(height, np.quantile(height, [0.5, 0.8]))
    labels[::50] = -1
    G = rng.normal(size=(n_frames, len(crystal), 4))
    G[..., 0] += 5 * labels.reshape(n_frames, -1)
    Y = rng.normal(size=(len(labels), 2)) + 8 * np.eye(3)[np.clip(labels, 0, None)][:, :2]
    return frames, G, labels, Y


@pytest.fixture
def ex():
    frames, G, labels, Y = silicon()
    maps = {("pacmap", 1): Y, ("umap", 1): -Y, ("umap", 2): 2 * Y}
    return view.explorer(
        frames, G, labels, maps, names=["lower", "upper", "top"], truth={"phase": labels > 0}
    )


def code_sent(ex):
    """JavaScript of the last message to the 3D view."""
    return [c for c in ex.scene.view._callbacks_before_loaded if "explorer" in c._ngl_msg][
        -1
    ]._ngl_msg["args"][0]


def sent(ex):
    """The last message to the 3D view, as colours and positions of its atoms."""
    call = [c for c in ex.scene.view._callbacks_before_loaded if "explorer" in c._ngl_msg]
    assert len(call) == 1  # older ones are out of date
    code = call[0]._ngl_msg["args"][0]
    import base64
    import re

    colours = eval(re.search(r"colours = (\[.*?\])", code)[1])
    codes = re.search(r'codes = "(.*?)"', code)[1]
    xyz = np.frombuffer(base64.b64decode(re.search(r'decode_base64\("(.*?)"', code)[1]), "f4")
    return [colours[ord(c) - 0x100] for c in codes], xyz.reshape(-1, 3)


def legend(ex):
    """Text of the legend: its buttons, and the scale of a number."""
    return " ".join([*(button.description for button in ex.legend.children), ex.scale.value])


def hexes(rgb):
    return [
        int(round(255 * r)) << 16 | int(round(255 * g)) << 8 | int(round(255 * b))
        for r, g, b in rgb
    ]


def test_map_and_atoms_have_the_colours_of_plots(ex):
    data = ex.map_widget.data
    np.testing.assert_array_equal(data[["x", "y"]], ex.maps["pacmap", 1])
    drawn = np.array(ex.scatter.color()["map"])[data["c"].cat.codes]
    np.testing.assert_allclose(drawn[:, :3], plots.colours(ex.labels), atol=1e-6)
    colours, xyz = sent(ex)
    assert colours == hexes(plots.colours(ex.labels[:64]))
    atoms = ex.data.frames[0].copy()
    atoms.wrap()
    np.testing.assert_allclose(xyz, atoms.positions, atol=1e-5)
    assert "lower (" in legend(ex) and legend(ex).index("noise") > (legend(ex).index("top"))


def test_lassoed_points_are_known_by_frame_and_atom_and_stand_out_in_3d(ex):
    ex.choose(frame=2)
    rows = np.array([3, 2 * 64 + 5, 2 * 64 + 9, 4 * 64 + 1])
    ex.map_widget.selection = rows.astype("uint32")
    assert ex.selection.frame.tolist() == [0, 2, 2, 4]
    assert ex.selection.atom.tolist() == [3, 5, 9, 1]
    colours, _ = sent(ex)
    full = hexes(plots.colours(ex.labels[128:192]))
    assert [n for n in range(64) if colours[n] == full[n]] == [5, 9]
    assert "chosen: 4, of which 2 in this frame" in ex.status.value


def test_atoms_clicked_are_marked_in_the_map(ex):
    ex.choose(frame=1)
    ex.scene.view.picked = {"atom1": {"index": 7}}
    assert (ex.selection.frame.tolist(), ex.selection.atom.tolist()) == ([1], [7])
    assert ex.scatter.selection().tolist() == [64 + 7]
    ex.add.value = True
    atoms_view.clicked(ex, {"atom1": {"index": 8}})
    assert ex.selection.atom.tolist() == [7, 8]
    atoms_view.clicked(ex, {"atom1": {"index": 7}})
    assert ex.selection.atom.tolist() == [8]
    ex.add.value = False
    atoms_view.clicked(ex, {"atom1": {"index": 8}})
    assert len(ex.selection) == 0
    atoms_view.clicked(ex, {})
    atoms_view.clicked(ex, {"atom1": {"index": 64}})


def test_selecting_from_python(ex):
    ex.select(frame=3, atoms=[1, 2])
    assert ex.scatter.selection().tolist() == [193, 194]
    ex.select(atoms=5)
    assert ex.selection.frame.tolist() == list(range(6)) and set(ex.selection.atom) == {5}
    ex.select(index=[0], add=True)
    assert len(ex.selection) == 7
    ex.select(cluster=1)
    assert len(ex.selection) == np.sum(ex.labels == 1)
    ex.select()
    assert len(ex.selection) == 0 and len(ex.scatter.selection()) == 0


def test_menus_change_what_is_drawn(ex):
    ex.controls["method"].value = "umap"
    np.testing.assert_array_equal(ex.map_widget.data[["x", "y"]], ex.maps["umap", 1])
    ex.controls["window"].value = 2
    np.testing.assert_array_equal(ex.map_widget.data["x"], ex.maps["umap", 2][:, 0])
    ex.controls["frame"].value = 5
    np.testing.assert_allclose(np.sort(sent(ex)[1][:, 2])[-1] < 10.87, True)
    assert ex.choice == {
        "method": "umap",
        "window": 2,
        "colour": "cluster",
        "frame": 5,
        "atoms": "labelled",
        "bulk": "small",
    }
    ex.controls["colour"].value = "phase"
    assert "False (" in legend(ex) and "True (" in legend(ex)
    ex.choose(method="umap", window=1, frame=0)
    assert ex.controls["window"].value == 1 and ex.controls["frame"].value == 0


def test_what_is_chosen_while_another_thread_draws_counts(ex):
    """JupyterLab hands messages of widgets to threads beside that of the cells."""
    drawing, done = threading.Event(), threading.Event()

    def draws():
        with map_view.following(ex):
            drawing.set()
            done.wait(0.3)

    other = threading.Thread(target=draws)
    other.start()
    drawing.wait()
    ex.controls["frame"].value = 2
    other.join()
    assert ex.choice["frame"] == 2
    with map_view.following(ex):  # what the explorer sets itself calls nothing
        ex.controls["frame"].value = 1
    assert ex.choice["frame"] == 2


def test_features_colour_both_views_by_their_window(ex):
    ex.choose(colour="feature 0")
    ex.wait()
    values = ex.data.rows(1, None, None)[:, 0]
    low, high = np.percentile(values, (1, 99))
    colours, _ = sent(ex)
    order = np.argsort(values[:64])
    brightness = [sum((colours[n] >> s) & 255 for s in (0, 8)) - (colours[n] & 255) for n in order]
    assert np.corrcoef(brightness, np.arange(64))[0, 1] > 0.8
    assert f"{low:.4g}" in legend(ex) and f"{high:.4g}" in legend(ex)


def test_clusters_are_renamed_merged_and_made_of_the_chosen(ex):
    n = np.bincount(ex.labels + 1)
    ex.rename(2, " surface ")
    assert f"surface ({n[3]})" in legend(ex)
    ex.merge([2, 0])
    assert set(ex.labels) == {-1, 1, 2} and f"surface ({n[1] + n[3]})" in legend(ex)
    ex.select(frame=0, atoms=[1, 2, 3])
    assert ex.split_off("mine") == 0 and np.flatnonzero(ex.labels == 0).tolist() == [1, 2, 3]
    assert "mine (3)" in legend(ex)
    ex.undo()
    with pytest.warns(DeprecationWarning, match="part_off is now called split_off"):
        assert ex.part_off("mine") == 0
    assert ("mine (3)", 0) in ex.edit["clusters"].options
    ex.cluster_map()
    assert set(ex.labels) >= {0, 1} and ex.names == {}
    np.testing.assert_array_equal(ex.labels, dk.cluster(ex.maps["pacmap", 1]))


def test_buttons_do_the_same(ex, tmp_path):
    ex.edit["rename"].click()
    assert "ValueError: no cluster is marked in the list; mark one" in ex.status.value
    ex.edit["clusters"].value, ex.edit["name"].value = [1], "layer"
    ex.edit["rename"].click()
    assert ex.edit["name"].value == "" and ex.edit["clusters"].value == ()
    ex.edit["clusters"].value = [1]
    ex.edit["choose"].click()
    assert len(ex.selection) == np.sum(ex.labels == 1)
    ex.edit["path"].value = str(tmp_path / "a.csv")
    ex.edit["export"].click()
    assert "layer" in (tmp_path / "a.csv").read_text()
    ex.edit["none"].click()
    assert len(ex.selection) == 0


def test_merging_and_parting_keep_the_other_numbers():
    labels = np.array([0, 1, 2, 3, -1])
    assert env.merge(labels, [3, -1]).tolist() == [0, 1, 2, 3, 3]
    parted, number = env.split_off(labels, [0, 4])
    assert number == 4 and parted.tolist() == [4, 1, 2, 3, 4]
    assert labels.tolist() == [0, 1, 2, 3, -1]


def test_names_of_every_kind_fit_their_files(ex, tmp_path):
    name = r'=1+1 "$\frac{$"'
    ex.rename(0, name)
    ex.export(tmp_path / "a.extxyz")
    (first, *_) = dk.read_frames(tmp_path / "a.extxyz")
    assert "0: =1+1 _$_frac{$_" in first.info["clusters"]
    ex.export(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        named = {row["cluster"]: row["name"] for row in csv.DictReader(file)}
    assert named["0"] == "'" + name


def test_files_can_be_read_back(ex, tmp_path):
    ex.rename(0, "bulk; below")
    ex.select(frame=0, atoms=[4])
    ex.export(tmp_path / "a.extxyz")
    frames = ase.io.read(tmp_path / "a.extxyz", ":")
    assert np.concatenate([a.arrays["cluster"] for a in frames]).tolist() == ex.labels.tolist()
    np.testing.assert_allclose(
        np.concatenate([a.arrays["map"] for a in frames]), ex.maps["pacmap", 1], atol=1e-6
    )
    assert "0: bulk; below" in frames[0].info["clusters"]
    ex.export(tmp_path / "a.csv")
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert rows[0].startswith("frame,atom,element,x_A") and len(rows) == 1 + len(ex.labels)
    assert rows[5].startswith("0,4,Si,") and rows[5].endswith(",1") and rows[6].endswith(",0")
    ex.export(tmp_path / "a.json.gz")
    with gzip.open(tmp_path / "a.json.gz", "rt") as file:
        content = json.load(file)
    assert [s["size"] for s in content["structures"]] == 6 * [64]
    assert content["structures"][0]["cell"][0] == pytest.approx(10.86)
    for values in content["properties"].values():
        assert values["target"] == "atom" and len(values["values"]) == len(ex.labels)
    assert content["environments"][70] == {"structure": 1, "center": 6, "cutoff": 3.5}
    assert content["properties"]["cluster"]["values"][3] == "bulk; below"
    with pytest.raises(ValueError, match="unknown ending; use .extxyz, .csv, .json for"):
        ex.export(tmp_path / "a.doc")


def test_environments_without_a_place_are_left_out_of_map_and_chemiscope(tmp_path):
    frames, _, labels, Y = silicon()
    Y[::3] = np.nan
    ex = view.explorer(frames, labels=labels, maps=Y)
    assert len(ex.map_widget.data) == np.isfinite(Y[:, 0]).sum()
    assert "environments have no place in this map" in ex.map_note.value
    ex.map_widget.selection = np.array([0, 1], "uint32")
    assert ex.selection.index.tolist() == [1, 2]
    ex.select(index=[0])
    assert len(ex.scatter.selection()) == 0 and len(ex.selection) == 1
    ex.export(tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert len(content["environments"]) == np.isfinite(Y[:, 0]).sum()


def test_large_maps_keep_small_clusters_whole_and_choose_what_is_left_out():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [9000, 950, 50])
    Y = rng.normal(size=(10_000, 2)) + 10 * np.eye(3)[labels][:, :2]
    drawn, nearest = env.thin(Y, labels, 1500)
    assert np.bincount(labels[drawn]).tolist() == [725, 725, 50]
    assert (nearest >= 0).all() and (labels[drawn][nearest] == labels).mean() > 0.99
    frames = 10 * [Atoms("H1000", rng.uniform(0, 20, (1000, 3)), cell=3 * [20], pbc=True)]
    ex = view.explorer(frames, labels=labels, maps={"umap": Y}, max_points=1500)
    assert "1\u2009500 of 10\u2009000 points are drawn: small clusters whole" in ex.map_note.value
    ex.map_widget.selection = np.flatnonzero(labels[ex.drawn] == 1).astype("uint32")
    assert set(ex.selection.index) >= set(drawn[labels[drawn] == 1])
    assert len(set(ex.selection.index) ^ set(np.flatnonzero(labels == 1))) < 20


def water(n_frames=3):
    """Frames of 27 molecules; oxygens are atoms 0, 3, ..."""
    rng = np.random.default_rng(1)
    places = 3.1 * np.array(np.meshgrid(*3 * [range(3)])).reshape(3, -1).T
    one = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    return [
        Atoms(
            27 * "OHH",
            (places[:, None] + one).reshape(-1, 3) + rng.normal(0, 0.02, (81, 3)),
            cell=3 * [9.3],
            pbc=True,
        )
        for _ in range(n_frames)
    ]


def test_oxygens_only_all_atoms_or_a_region():
    frames = water()
    frame, atom = np.repeat(range(3), 27), np.tile(np.arange(0, 81, 3), 3)
    labels = (atom == 30).astype(int)
    Y = np.random.default_rng(0).normal(size=(81, 2))
    ex = view.explorer(frames, None, labels, Y, frame, atom, region=12)
    assert ex.shown.tolist() == list(range(0, 81, 3))
    assert "27 of 81 atoms are drawn: those with labels" in ex.atoms_note.value
    ex.choose(atoms="all")
    colours, _ = sent(ex)
    assert len(colours) == 81 and colours[1] == hexes([atoms_view.UNLABELLED])[0]
    atoms_view.clicked(ex, {"atom1": {"index": 1}})  # hydrogen has no environment
    assert len(ex.selection) == 0
    ex.choose(atoms="near the chosen")
    assert "12 of 81 atoms are drawn, the nearest to cluster 1, as none is chosen" in (
        ex.atoms_note.value
    )
    distance = frames[0].get_distances(30, range(81), mic=True)
    assert ex.shown.tolist() == sorted(np.argsort(distance)[:12])
    ex.select(frame=0, atoms=[60])
    assert 60 in ex.shown and "the nearest to the chosen" in ex.atoms_note.value


def test_more_atoms_than_can_be_drawn_are_said_to_be_left_out():
    frames, _, labels, Y = silicon()
    ex = view.explorer(frames, labels=labels, maps=Y, max_atoms=30)
    kept = np.isin(labels[:64], [-1, 1])
    assert ex.shown.tolist() == np.flatnonzero(kept).tolist()
    assert f"{kept.sum()} of 64 atoms are drawn: cluster 0, cluster 2 left out" in (
        ex.atoms_note.value
    )


def test_frames_of_different_size_share_one_scene():
    frames, _, labels, Y = silicon()
    del frames[2][[0, 1, 2]]
    keep = np.ones(len(labels), bool)
    keep[128:131] = False
    ex = view.explorer(frames, labels=labels[keep], maps=Y[keep])
    scene = ex.scene
    ex.choose(frame=2)
    assert ex.scene is scene
    colours, xyz = sent(ex)
    assert len(colours) == 64 and (xyz[61:] == xyz[0]).all() and set(colours[61:]) == {colours[0]}
    frames[1].set_cell(1.1 * frames[1].cell, scale_atoms=True)
    ex.choose(frame=1)
    assert ex.scene is scene  # so the camera stays; the cell's edges are sent
    assert str(round(1.1 * 10.86, 3)) in code_sent(ex)


def test_a_map_is_computed_in_the_background_and_is_that_of_embed():
    frames, G, labels, Y = silicon()
    ex = view.explorer(frames, G, labels, {"umap": Y})
    ex.choose(method="pca", window=2, frame=1)
    ex.wait(60)
    assert ex.choice["method"] == "pca" and ex.choice["frame"] == 1
    X = _sources.averaged(G, 2, ex.data.frame, ex.data.atom)
    np.testing.assert_array_equal(ex.maps["pca", 2], dk.embed(X, "pca", seed=0))
    assert ex.progress.layout.display == "none" and ex.job is None


def test_cancelled_maps_leave_the_old_one(monkeypatch):
    frames, G, labels, Y = silicon()
    ex = view.explorer(frames, G, labels, {"umap": Y})

    def endless(X, method, seed, report, stop):
        report(0.4, "umap")
        while not stop():
            time.sleep(0.01)
        raise _map_job.Stopped

    monkeypatch.setattr("defectkit.view.explorer_app.jobs.compute", endless)
    ex.choose(method="pacmap")
    thread = ex.job["thread"]
    end = time.monotonic() + 10
    while ex.progress.value != 0.4 and time.monotonic() < end:
        time.sleep(0.01)
    assert ex.cancel_button.layout.display == "" and "computing" in ex.work.value
    ex.choose(frame=2)  # the rest goes on, and the menu says what is being computed
    assert ex.choice["frame"] == 2 and ex.controls["method"].value == "pacmap"
    ex.cancel_button.click()
    thread.join(10)
    assert not thread.is_alive() and set(ex.maps) == {("umap", 1)}
    assert ex.controls["method"].value == "umap" and "cancelled" in ex.status.value


def test_what_goes_wrong_in_the_background_is_shown_and_raised(monkeypatch):
    frames, G, labels, Y = silicon()
    ex = view.explorer(frames, G, labels, {"umap": Y})

    def broken(*_):
        raise RuntimeError("no <memory>")

    monkeypatch.setattr("defectkit.view.explorer_app.jobs.compute", broken)
    ex.choose(method="pca")
    with pytest.raises(RuntimeError, match="no <memory>"):
        ex.wait(10)
    assert "RuntimeError: no &lt;memory&gt;" in ex.status.value
    assert ex.controls["method"].value == "umap"


def test_another_process_is_ended_at_once_and_its_errors_are_told(monkeypatch):
    monkeypatch.setattr(_map_job, "_START", "raise ValueError('no map')")
    with pytest.raises(RuntimeError, match="umap failed: ValueError: no map"):
        _map_job.compute(np.eye(3), "umap")
    code = "import time; time.sleep(60)"
    monkeypatch.setattr(
        _map_job.subprocess, "Popen", lambda args, **kw: _popen([sys.executable, "-c", code], **kw)
    )
    start = time.monotonic()
    with pytest.raises(_map_job.Stopped):
        _map_job.compute(np.eye(3), "umap", stop=lambda: True)
    assert time.monotonic() - start < 50


_popen = _map_job.subprocess.Popen


def test_a_result_is_explored_with_its_trajectory(tmp_path):
    few = dk.identify(silicon(8)[0], method="pca", window=4, progress=False)
    with pytest.raises(ValueError, match="this result has no map, as its environments are too "):
        few.explore()
    frames = silicon(12, repeat=3)[0]
    result = dk.identify(frames, method="pca", window=4, progress=False)
    ex = result.explore()
    assert ex.names == result.captions != {}
    assert ex.options["method"] == ["pca"] and ex.options["window"] == [4]
    with pytest.raises(ValueError, match="method='umap' is not offered; choose from pca"):
        ex.choose(method="umap")
    dk.datasets.write_frames(tmp_path / "a.extxyz", frames)
    ex = result.explore(tmp_path / "a.extxyz", names=["all"])
    assert ex.options["window"] == [1, 2, 4, 5] and "umap" in ex.options["method"]
    del ex.maps["pca", 4]
    ex.choice["window"] = 1  # so that the choice is a change
    ex.choose(window=4)
    ex.wait(60)
    np.testing.assert_allclose(ex.maps["pca", 4], result.map, atol=1e-4)
    assert ex.data.columns == quantities.readable(result.info["features"])
    with pytest.raises(ValueError, match="not the frames that the result was made from"):
        view.explorer(result, trajectory=frames[1:])


def test_frames_of_other_atoms_have_no_average_but_other_methods():
    small, large = silicon(1, 3)[0] + silicon(1, 4)[0]
    result = dk.identify([small, large], method="pca", progress=False)
    ex = view.explorer(result)
    assert ex.options["window"] == [1] and ex.options["method"] == ["pca", "umap", "pacmap"]
    X = ex.data.rows(1, lambda *_: None, lambda: False)
    assert X.shape == (216 + 512, len(result.info["features"]))
    np.testing.assert_allclose(dk.embed(X, "pca"), result.map, atol=1e-6)


def test_still_twin_shows_the_points_and_the_chosen(ex):
    figure = ex.figure()
    left, right = figure.axes
    assert sum(len(c.get_offsets()) for c in left.collections) == len(ex.labels)
    assert right.get_images()
    ex.select(frame=0, atoms=[1, 2])
    left = ex.figure().axes[0]
    np.testing.assert_array_equal(left.collections[-1].get_offsets(), ex.maps["pacmap", 1][1:3])
    ex.choose(colour="feature 1")
    ex.wait()
    assert len(ex.figure().axes) == 3  # with a scale
    plt.close("all")


def test_what_is_there_is_shown_without_anything_being_computed(ex, monkeypatch):
    """How long the answers take stands in benchmarks/explorer.py."""

    def begin(box, wanted):
        raise AssertionError(f"began to compute {wanted}")

    monkeypatch.setattr("defectkit.view.explorer_app.jobs.begin", begin)
    ex.maps["pca", 1] = ex.maps["pacmap", 1][:, ::-1]
    ex.choose(method="pca")
    ex.choose(frame=1)
    ex.select(cluster=1)
    ex.merge([0, 1])
    assert ex.choice["method"] == "pca" and ex.choice["frame"] == 1
    with pytest.raises(AssertionError, match="began to compute"):
        ex.choose(method="pca", window=2)


FRAMES, G, LABELS, Y = silicon()


@pytest.mark.parametrize(
    "change, text",
    [
        ({"source": []}, "there are no frames; give at least one"),
        ({"maps": None}, "there is no map and nothing to make one from; give maps or features"),
        ({"maps": {"umap": Y[1:]}}, r"map 'umap' has shape \(383, 2\), not \(384, 2\)"),
        ({"maps": {"umap": np.nan * Y}}, "map 'umap' has no finite place; compute it again"),
        ({"labels": LABELS[1:]}, "labels must be 384 integers from -1"),
        ({"labels": LABELS + 0.5}, "labels must be 384 integers from -1"),
        ({"frame": np.zeros(384, int)}, "frame and atom belong together; give both or neither"),
        ({"frame": [0], "atom": [0, 1]}, "must be lists of the same length"),
        ({"frame": [6], "atom": [0]}, "points beyond the 6 frames or their atoms"),
        ({"features": G[:, :, 0]}, r"features of shape \(6, 64\) fit neither 384 environments"),
        ({"features": G[:, :60]}, "features of 60 atoms do not match atom 63"),
        ({"features": G, "columns": ["a"]}, "1 columns for 4 features; name all or none"),
        ({"features": G, "windows": [7]}, "a window of 7 frames does not fit into 6; use 1 to 6"),
        ({"truth": LABELS[1:]}, r"'known label' has shape \(383,\), not \(384,\)"),
        ({"max_points": 0}, "max_points, max_atoms and region must be at least 1"),
    ],
)
def test_bad_input(change, text):
    given = {"source": FRAMES, "labels": LABELS, "maps": {"umap": Y}} | change
    with pytest.raises(ValueError, match=text):
        view.explorer(given.pop("source"), **given)


@pytest.mark.parametrize(
    "act, text",
    [
        (
            lambda ex: ex.choose(seed=1),
            "unknown option 'seed'; choose from method, window, colour",
        ),
        (lambda ex: ex.choose(frame=9), "frame=9 is not offered; choose from 0, 1, 2"),
        (
            lambda ex: ex.select(frame=9),
            "frame 9 has no labelled environment; choose among 0 to 5",
        ),
        (lambda ex: ex.select(atoms=[64]), "atom 64 has no labelled environment; choose among 0"),
        (lambda ex: ex.select(index=[400]), "index 400 to 400 goes beyond the 384 environments"),
        (lambda ex: ex.select(cluster=8), "there is no cluster 8; choose from -1, 0, 1, 2"),
        (lambda ex: ex.merge([1]), "merging needs two clusters or more"),
        (lambda ex: ex.merge([-1, 1]), "the first of them not noise"),
        (lambda ex: ex.merge([1, 7]), "there is no cluster 7"),
        (lambda ex: ex.rename(1, ""), "a cluster needs a name that is not empty"),
        (lambda ex: ex.rename(1, "two\nlines"), "a cluster's name is one line of printable"),
        (lambda ex: ex.rename(-1, "x"), "noise keeps its own"),
        (lambda ex: ex.rename(1, "top"), "another cluster is called 'top'; merge the two"),
        (lambda ex: ex.split_off(), "nothing is chosen; lasso points of the map or click atoms"),
    ],
)
def test_bad_requests(ex, act, text):
    with pytest.raises(ValueError, match=text):
        act(ex)


def test_maps_that_cannot_be_made_are_refused():
    ex = view.explorer(FRAMES, labels=LABELS, maps={("umap", 1): Y, ("pca", 2): Y})
    with pytest.raises(ValueError, match="no map of umap with a window of 2, and nothing to make"):
        ex.choose(window=2)
    assert ex.controls["window"].value == 1


@pytest.mark.parametrize("missing", ["jscatter", "nglview", "ipywidgets"])
def test_missing_packages_say_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"need {missing}: pip install nglview==4.0 ipywidgets"):
        view.explorer(FRAMES, labels=LABELS, maps=Y)


def test_unused_colour_numbers_do_not_shift_the_palette():
    codes, table = env.shades(np.array([-1, 2, 13]), "label")
    np.testing.assert_allclose(
        table[codes], [to_rgb(plots.NOISE), to_rgb(plots.PALETTE[2]), to_rgb(plots.PALETTE[1])]
    )
    codes, table = env.shades(np.array([0.0, np.nan, 1.0]), "number")
    assert table[codes[1]].tolist() == list(to_rgb(plots.NOISE)) and codes[0] == 0


def test_clusters_of_a_map_reach_environments_that_it_left_out_and_can_be_undone():
    frames, G, labels, Y = silicon()
    partly = Y.copy()
    partly[1::3] = np.nan
    box = view.explorer(frames, G, labels, {("pacmap", 1): partly})
    before = box.labels.copy()
    box.cluster_map()
    placed = np.isfinite(partly[:, 0])
    assert (box.labels[~placed] >= 0).mean() > 0.9  # all were noise
    np.testing.assert_array_equal(box.labels[placed], dk.cluster(partly[placed]))
    after = box.labels.copy()
    box.undo()
    np.testing.assert_array_equal(box.labels, before)
    box.edit["redo"].click()
    np.testing.assert_array_equal(box.labels, after)
    box.rename(0, "bulk")
    box.undo()
    assert box.names == {}
    box.undo()
    with pytest.raises(ValueError, match="there is nothing to undo"):
        box.undo()


def test_without_features_what_the_map_left_out_is_said_to_be_noise():
    frames, _, labels, Y = silicon()
    Y[1::3] = np.nan
    box = view.explorer(frames, labels=labels, maps={("pacmap", 1): Y})
    box.cluster_map()
    assert "128 environments have no place in this map and no features" in box.status.value
    assert (box.labels[1::3] == -1).all()


def test_a_compound_is_explored_with_its_maps_side_by_side():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (6, 6, 6)
    atoms.rattle(0.08, seed=1)
    result = dk.identify(atoms, method="pca", progress=False)
    box = result.explore()
    Y = box.maps["pca", 1]
    first, second = (Y[(result.group == g) & np.isfinite(Y[:, 0])] for g in (0, 1))
    assert first[:, 0].max() < second[:, 0].min()
    X = box.data.rows(1, lambda *_: None, lambda: False)
    assert X.shape[1] == len(result.info["features"])


def test_environments_that_the_map_left_out_are_placed_by_their_neighbours():
    frames, G, labels, Y = silicon()
    G = G + 5 * labels.reshape(6, 64, 1)
    partly, gone = Y.copy(), np.zeros(len(Y), bool)
    gone[1::3] = True
    partly[gone] = np.nan
    ex = view.explorer(frames, G, labels, {("pacmap", 1): partly})
    ex.wait(60)
    full = ex.state.map
    np.testing.assert_array_equal(full[~gone], Y[~gone])
    np.testing.assert_array_equal(ex.maps["pacmap", 1], partly)  # the map itself is as it was
    centres = np.array([Y[labels == c].mean(axis=0) for c in (0, 1, 2)])
    rest = gone & (labels >= 0)
    nearest = np.linalg.norm(full[rest][:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == labels[rest]).mean() > 0.95
    assert f"{gone.sum()} environments that the map left out are placed" in ex.map_note.value
    paler = np.array(ex.scatter.color()["map"])[ex.map_widget.data["c"].cat.codes][:, :3]
    np.testing.assert_allclose(paler[gone], plots.pale(plots.colours(labels[gone])), atol=0.01)
    # A lasso round an island marks its atoms in every frame, and the count is theirs.
    island = np.flatnonzero(np.linalg.norm(full - centres[2], axis=1) < 4)
    ex.map_widget.selection = np.flatnonzero(np.isin(ex.drawn, island)).astype("uint32")
    np.testing.assert_array_equal(ex.selection.index, island)
    here = np.sum(ex.data.frame[island] == 0)
    assert f"chosen: {len(island)}, of which {here} in this frame" in ex.status.value
    atoms_view.clicked(ex, {"atom1": {"index": 1}})  # an atom that the map left out
    assert ex.selection.index.tolist() == [1] and len(ex.scatter.selection()) == 1


def test_placing_that_was_cancelled_does_not_begin_again(monkeypatch):
    frames, G, labels, Y = silicon()
    Y[::3] = np.nan

    def endless(window, report, stop):
        while not stop():
            time.sleep(0.01)
        raise _map_job.Stopped

    data = _sources.from_arrays(frames, G, labels, Y)
    monkeypatch.setattr(
        "defectkit.view.explorer_app.sources.from_arrays",
        lambda *_: dataclasses.replace(data, rows=endless),
    )
    ex = view.explorer(frames)
    assert ex.job is not None and "computing" in ex.work.value
    ex.cancel_button.click()
    ex.choose(frame=3)
    assert ex.job is None and "128 environments have no place" in ex.map_note.value


def test_a_chosen_atom_is_large_in_both_pictures(ex):
    ex.select(index=[3])
    assert ex.scatter.options()["regl_scatterplot_options"]["pointSizeSelected"] >= 8
    assert 'Array.from("0002' in code_sent(ex)


def test_the_bulk_is_small_unless_asked_otherwise():
    frames, _, labels, Y = silicon()
    labels = np.where(np.arange(len(labels)) % 64 < 8, 1, 0)
    ex = view.explorer(frames, labels=labels, maps=Y)
    assert 'Array.from("00000000111' in code_sent(ex)
    ex.controls["bulk"].value = "as large as the others"
    assert 'Array.from("000000000000' in code_sent(ex)


def test_the_browser_has_the_map_s_code_at_once_and_reads_it_with_the_picture(ex):
    """anywidget drops what is sent to a model whose code took more than two seconds to load."""
    import jscatter

    bundle = Path(jscatter.__file__).with_name("bundle.js").read_text(encoding="utf-8")
    sent = ex.map_widget.get_state()
    assert sent["bundle"] == bundle and "render" in sent["_esm"] and len(sent["_esm"]) < 1000


def test_what_is_hidden_is_hidden_too_in_a_map_that_the_browser_did_not_report(ex):
    """Such a map, on a slow machine, hears of no change: another takes its place."""
    silent = ex.map_widget
    ex.isolate(1)
    assert ex.map_widget is not silent and ex.map_place.children == (ex.map_widget,)
    assert set(ex.labels[ex.drawn][ex.map_widget.filter]) == {1}
    reported = ex.map_widget
    reported.set_trait("dom_element_id", "here")
    assert reported.asked == 1 and silent.comm is not None
    reported.heard = 1  # as the browser answers
    assert silent.comm is None
    ex.hide(2)
    assert ex.map_widget is reported and set(ex.labels[ex.drawn][reported.filter]) == {1, 2}


def test_points_wait_until_the_browser_has_drawn_those_before(ex):
    """It takes none meanwhile; the last choice is drawn, what lay between is not."""
    ex.map_widget.set_trait("dom_element_id", "here")
    ex.map_widget.heard = 1  # as the browser answers
    shown, sent = ex.map_widget, []
    shown.observe(lambda change: sent.append(change["new"][:, :2]), "points")
    ex.choose(method="umap")
    assert len(sent) == 1 and shown.asked == 2
    first = shown.data[["x", "y"]]
    ex.choose(method="pacmap")
    ex.choose(colour="element")
    assert ex.map_widget is shown and len(sent) == 1
    np.testing.assert_array_equal(first, ex.maps["umap", 1])
    shown.heard = 2
    assert len(sent) == 2 and shown.asked == 3
    np.testing.assert_array_equal(shown.data[["x", "y"]], ex.maps["pacmap", 1])
    shown.heard = 3
    assert len(sent) == 2


def test_another_map_is_drawn_after_clusters_were_edited(ex):
    ex.map_widget.set_trait("dom_element_id", "here")
    ex.map_widget.heard = 1  # as the browser answers: no other map takes its place
    reported = ex.map_widget
    ex.merge([0, 1])
    ex.choose(method="umap")
    reported.heard = reported.asked
    assert ex.map_widget is reported
    np.testing.assert_array_equal(reported.data[["x", "y"]], ex.maps["umap", 1])
    drawn = np.array(ex.scatter.color()["map"])[reported.data["c"].cat.codes]
    np.testing.assert_allclose(drawn[:, :3], plots.colours(ex.labels), atol=1e-6)


def test_a_click_in_the_legend_isolates_hides_or_chooses(ex):
    number = [button.description.split(" (")[0] for button in ex.legend.children]
    assert number == ["lower", "upper", "top", "noise"]
    ex.legend.children[1].click()
    assert (ex.labels[ex.shown_rows] == 1).all() and len(ex.shown) == (ex.labels[:64] == 1).sum()
    assert (ex.labels[ex.drawn][ex.scatter._filtered_points_idxs] == 1).all()
    assert ex.legend.children[0].style.text_decoration == "line-through"
    assert "are hidden" in ex.atoms_note.value
    ex.legend.children[1].click()
    assert len(ex.shown) == 64 and not ex.state.hidden
    ex.click.value = "hides"
    ex.legend.children[0].click()
    assert set(ex.labels[ex.shown_rows]) == {-1, 1, 2}
    for button in ex.legend.children[1:]:
        button.click()
    assert len(ex.shown) == 0 and ex.figure().axes
    plt.close("all")
    ex.choose(colour="element")
    assert len(ex.shown) == 64  # hidden were clusters
    ex.choose(colour="cluster")
    ex.click.value = "chooses"
    ex.legend.children[2].click()
    assert len(ex.selection) == np.sum(ex.labels == 2)


def test_both_pictures_tell_frame_atom_element_cluster_and_neighbours(ex):
    row = ex.map_widget.data.iloc[70]
    assert row[["frame", "atom", "element", "cluster", "neighbours"]].tolist() == [
        1,
        6,
        "Si",
        plots.cluster_name(ex.labels[70], ex.names),
        4,
    ]
    ex.rename(0, "bulk")
    first = np.flatnonzero(ex.labels == 0)[0]
    assert '"bulk", "upper", "top"' in code_sent(ex) and "neighbours" in code_sent(ex)
    assert ex.map_widget.data["cluster"].iloc[first] == "bulk"


def test_colours_by_element_coordination_order_and_time():
    frames = water()
    frame, atom = np.repeat(range(3), 27), np.tile(np.arange(0, 81, 3), 3)
    Y = np.random.default_rng(0).normal(size=(81, 2))
    ex = view.explorer(frames, None, None, Y, frame, atom)
    ex.choose(colour="element")
    assert "O (81)" in legend(ex)
    for name in ("coordination", "q6", "time (frame)"):
        ex.choose(colour=name)
        assert name in legend(ex)
    np.testing.assert_array_equal(ex.state.coloured()[0], frame)
    diamond = view.explorer(
        [bulk("Si", cubic=True) * 3],
        labels=np.zeros(216, int),
        maps=np.random.default_rng(0).normal(size=(216, 2)),
    )
    diamond.choose(colour="coordination")
    assert (diamond.state.coloured()[0] == 4).all()
    diamond.choose(colour="q6")
    np.testing.assert_allclose(diamond.state.coloured()[0], 0.629, atol=0.001)


def test_features_have_readable_names():
    silicon_names = dk.SymmetryFunctions.for_elements(["Si"]).names("Si")
    names = quantities.readable(silicon_names)
    assert len(set(names)) == len(silicon_names) and names[0].startswith("Si near 1.")
    assert quantities.readable(["a", "a"]) == ["a [a]", "a [a]"]


def test_go_to_an_atom_and_play(ex):
    ex.choose(frame=2)
    ex.edit["atom"].value = 9
    ex.edit["go_to"].click()
    assert (ex.selection.frame.tolist(), ex.selection.atom.tolist()) == ([2], [9])
    assert ex.play.max == 5 and ex.controls["frame"].layout.flex.startswith("1")
    with pytest.raises(ValueError, match="atom 99 has no labelled environment"):
        ex.go_to(99)


def test_pictures_are_written(ex, tmp_path):
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")):
        ex.export(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
        assert f"{name} is written" in ex.status.value
    assert not plt.get_fignums()


def test_clusters_are_edited_while_a_map_is_computed(monkeypatch, tmp_path):
    frames, G, labels, Y = silicon()
    ex = view.explorer(frames, G, labels, {"umap": Y})
    release = threading.Event()

    def slow(X, method, seed, report, stop):
        report(0.25, "pacmap")
        release.wait(20)
        report(0.5, "pacmap")
        return X[:, :2]

    monkeypatch.setattr("defectkit.view.explorer_app.jobs.compute", slow)
    ex.choose(method="pacmap")
    end = time.monotonic() + 10
    while "left" not in ex.work.value and time.monotonic() < end:
        time.sleep(0.01)
    said = []
    for act in (
        lambda: ex.rename(0, "below"),
        lambda: ex.merge([1, 2]),
        ex.undo,
        ex.redo,
        lambda: ex.select(index=[0]),
        lambda: ex.split_off("one"),
        ex.cluster_map,
        lambda: ex.export(tmp_path / "a.csv"),
    ):
        act()
        said.append(ex.status.value)
    wanted = [
        "cluster 0 is called below",
        "cluster 2 joined cluster 1",
        "undo: 1 more to take",
        "redo: 2 more",
        "chosen: 1",
        "the chosen (1) are one now",
        "this map has",
        "a.csv is written",
    ]
    assert all(text in line for text, line in zip(wanted, said, strict=True))
    with pytest.raises(ValueError):
        ex.attempt(ex.merge, [1])
    assert "merging needs two clusters" in ex.status.value
    release.set()
    ex.wait(20)
    assert ex.choice["method"] == "pacmap" and ex.work.value == ""
    np.testing.assert_array_equal(ex.maps["pacmap", 1], G.reshape(-1, 4)[:, :2])
    assert "pacmap, window 1, frame 0" in ex.status.value  # and the error is still to be read
    assert "merging needs two clusters" in ex.status.value


def test_time_left():
    assert jobs.left(10, 0.5) == "about 10 s left" and jobs.left(4, None) == "4 s so far"
    assert jobs.left(300, 0.25) == "about 15 min left"


def test_the_explorer_carries_a_picture(ex):
    bundle = ex._repr_mimebundle_()
    assert bundle["text/plain"] == "explorer of 384 environments; run the cell to use it"
    assert len(bundle["image/png"]) > 10_000
