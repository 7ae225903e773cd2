"""What scenes send to the browser, and menus without one; tests/browser looks at the pixels."""

import base64
import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry import get_distances
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure

from defectkit import plots, view

nglview = pytest.importorskip("nglview", reason="nglview is not installed (extra 'lab')")
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def sent(box, method):
    """Messages of one kind that the scene holds for the browser."""
    return [m for m in box.view._ngl_msg_archive if m["methodName"] == method]


def sent_positions(box):
    pdb = sent(box, "loadFile")[0]["args"][0]["data"]
    return np.array(
        [
            [line[30:38], line[38:46], line[46:54]]
            for line in pdb.splitlines()
            if line.startswith("ATOM")
        ],
        float,
    )


def sent_colours(box, number=-1):
    """Scheme's name and the colour of each atom that its JavaScript gives."""
    code = [m["args"][0] for m in sent(box, "executeCode") if "addScheme" in m["args"][0]][number]
    colours = eval(re.search(r"colours = (\[.*?\])", code)[1])
    codes = re.search(r'codes = "(.*?)"', code)[1]
    first = int(re.search(r"charCodeAt\(i\) - (\d+)", code)[1])
    name = re.search(r'ColormakerRegistry.add\("(.*?)"', code)[1]
    return name, [f"#{colours[ord(c) - first]:06X}" for c in codes]


@pytest.fixture
def triclinic():
    """Strained beta-Sn in a left-handed triclinic cell, its axes along no Cartesian one."""
    tin = Atoms(
        "Sn4",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.25], [0.5, 0, 0.75]],
        cell=[5.83, 5.83, 3.18],
        pbc=True,
    )
    tin = tin * (2, 2, 3)
    tin.set_cell(
        tin.cell.array @ [[0.2, 0.9, 0.1], [1.0, -0.2, 0.25], [0.1, -0.1, 1.1]], scale_atoms=True
    )
    return tin


def test_import_loads_neither_nglview_nor_widgets():
    code = (
        "import sys, defectkit.view; sys.exit(bool({'nglview', 'ipywidgets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_atoms_have_the_colours_of_their_clusters_in_every_figure(diamond):
    labels = np.arange(64) % 14 - 1
    box = view.scene(diamond, labels)
    name, colours = sent_colours(box)
    wanted = [plots.NOISE if c < 0 else plots.PALETTE[c % len(plots.PALETTE)] for c in labels]
    assert colours == [c.upper() for c in wanted]
    (representation,) = sent(box, "addRepresentation")
    assert representation["kwargs"]["color"] == name
    assert representation["args"] == ["ball+stick"]
    np.testing.assert_allclose(sent_positions(box), diamond.positions, atol=6e-4)


def test_without_labels_atoms_are_coloured_by_element(diamond):
    box = view.scene(diamond)
    assert "color" not in sent(box, "addRepresentation")[0]["kwargs"]
    assert box.caption.value == ""


def test_legend_names_and_counts_clusters_with_noise_last(diamond):
    box = view.scene(diamond, np.r_[[-1] * 4, [1] * 20, [0] * 40], names=["bulk", "<110>"])
    text = re.sub("<[^1].*?>|●", "", box.caption.value)
    assert re.sub("&emsp;", "|", text).replace(" ", "") == "bulk(40)|&lt;110&gt;(20)|noise(4)"


def test_skewed_cell_is_not_turned_away_from_its_sites(triclinic):
    assert triclinic.cell.handedness == -1
    before = triclinic.copy()
    sites = triclinic.positions[[0, -1]] + 0.1
    box = view.scene(triclinic, sites=sites)
    np.testing.assert_allclose(sent_positions(box), triclinic.positions, atol=6e-4)
    edges, spheres = (m["args"][1] for m in sent(box, "addShape"))
    np.testing.assert_allclose([s[1] for s in spheres], sites)
    vectors = np.array([np.subtract(e[2], e[1]) for e in edges])
    assert len(vectors) == 12
    for axis in triclinic.cell.array:
        assert np.isclose(vectors, axis).all(axis=1).sum() == 4
    assert triclinic == before
    # The trap that this avoids: with its cell, ASE writes the frame turned.
    turned = nglview.ASEStructure(triclinic).get_structure_string()
    x = float(next(line for line in reversed(turned.splitlines()) if "ATOM" in line)[30:38])
    assert abs(x - triclinic.positions[-1, 0]) > 0.5


def test_no_cell_and_open_directions(diamond):
    assert not sent(view.scene(diamond, cell=False), "addShape")
    slab = diamond.copy()
    slab.set_cell(np.diag([10.86, 10.86, 0]))
    edges = sent(view.scene(slab), "addShape")[0]["args"][1]
    assert all(e[1] != e[2] for e in edges)


def test_style_follows_the_number_of_atoms():
    for repeat, style in (
        ((4, 4, 3), "ball+stick"),
        ((4, 4, 4), "spacefill"),
        ((14, 14, 13), "point"),
    ):
        box = view.scene(bulk("Si", cubic=True) * repeat)
        assert sent(box, "addRepresentation")[0]["args"] == [style]


def test_metals_have_no_bonds_unless_asked_for():
    for metal in (bulk("Cu", cubic=True) * 3, bulk("NaCl", "rocksalt", a=5.64, cubic=True)):
        assert sent(view.scene(metal), "addRepresentation")[0]["args"] == ["spacefill"]
    box = view.scene(bulk("Cu", cubic=True), style="ball+stick")
    assert sent(box, "addRepresentation")[0]["args"] == ["ball+stick"]


def test_the_bulk_around_a_defect_recedes_by_default(diamond):
    labels = np.r_[np.zeros(56, int), np.ones(8, int)]
    assert view.scene(diamond, labels).faint == (0,)
    radii = sent(view.scene(diamond, labels), "addRepresentation")[0]["kwargs"]["radiusData"]
    assert radii[0] < 0.5 * radii[63]
    assert view.scene(diamond, labels, faint=()).faint == ()
    assert view.scene(diamond, np.arange(64) % 2).faint == ()  # neither is the bulk


def test_faint_clusters_are_small_and_pale(diamond):
    labels = np.arange(64) % 2
    box = view.scene(diamond, labels, faint=[0], style="spacefill", radius=0.8)
    radii = sent(box, "addRepresentation")[0]["kwargs"]["radiusData"]
    assert radii[0] == pytest.approx(0.36) and radii[1] == pytest.approx(0.8)
    colours = sent_colours(box)[1]
    assert colours[1] == plots.PALETTE[1].upper()
    assert sum(to_rgb(colours[0])) > sum(to_rgb(plots.PALETTE[0])) + 0.5


def test_recolouring_takes_a_fresh_name(diamond):
    box = view.scene(diamond, np.zeros(64, int))
    first = sent_colours(box)[0]
    view.recolour(box, np.arange(64) % 2 + 1, names=["x", "a", "b"])
    name, colours = sent_colours(box)
    assert name != first
    assert colours[:2] == [plots.PALETTE[1].upper(), plots.PALETTE[2].upper()]
    assert sent(box, "setParameters")[-1]["kwargs"]["colorScheme"] == name
    assert "a (32)" in box.caption.value
    with pytest.raises(ValueError, match="63 labels do not match 64 atoms"):
        view.recolour(box, np.zeros(63, int))


def test_beyond_max_atoms_the_nearest_to_a_site_are_drawn(triclinic):
    site = triclinic.positions[:1]
    box = view.scene(triclinic, np.arange(48) % 3, sites=site, max_atoms=12)
    distance = get_distances(site, triclinic.positions, triclinic.cell, True)[1][0]
    assert list(box.shown) == sorted(np.argsort(distance)[:12])
    far = f"more than {np.sort(distance)[11]:.1f} Å from a site"
    assert "12 of 48 atoms are drawn" in box.caption.value and far in box.caption.value
    np.testing.assert_allclose(sent_positions(box), triclinic.positions[box.shown], atol=6e-4)
    wanted = [plots.PALETTE[i % 3].upper() for i in box.shown]
    assert sent_colours(box)[1] == wanted


def test_beyond_max_atoms_the_smaller_clusters_are_drawn_whole(diamond):
    labels = np.r_[np.zeros(50, int), np.ones(10, int), [-1] * 4]
    box = view.scene(diamond, labels, names=["bulk", "defect"], max_atoms=20)
    assert list(box.shown) == list(range(50, 64))
    assert box.caption.value.endswith("14 of 64 atoms are drawn: bulk left out.")
    assert "bulk (50)" in box.caption.value


def test_beyond_max_atoms_a_slice_is_drawn_when_there_is_nothing_to_prefer(diamond):
    for labels in (None, np.zeros(64, int)):
        box = view.scene(diamond, labels, max_atoms=30)
        assert len(box.shown) == 30
        assert "30 of 64 atoms are drawn: a slice" in box.caption.value
        y = diamond.positions[:, 1] - np.median(diamond.positions[:, 1])
        assert np.abs(y[box.shown]).max() <= np.abs(np.delete(y, box.shown)).min()


@pytest.mark.parametrize(
    "change, text",
    [
        ({"labels": [0, 1]}, "2 labels do not match 64 atoms; give one for each"),
        ({"labels": np.zeros(64)}, "labels must be a list of integers"),
        ({"labels": np.arange(64), "names": ["a"]}, "1 names are too few for cluster 63"),
        ({"style": "cartoon"}, "unknown style 'cartoon'; choose from auto, ball"),
        ({"sites": [1.0, 2.0, 3.0]}, r"sites must have shape \(n, 3\), got \(3,\)"),
        ({"max_atoms": 0}, "max_atoms=0 leaves nothing to show; use 1 or more"),
    ],
)
def test_bad_input_of_scenes(diamond, change, text):
    with pytest.raises(ValueError, match=text):
        view.scene(diamond, **change)


def test_frames_without_atoms_or_with_nan(diamond):
    with pytest.raises(ValueError, match="there are no atoms to show; check the selection"):
        view.scene(diamond[:0])
    diamond.positions[3, 1] = np.nan
    with pytest.raises(ValueError, match="positions are NaN or infinite; show an earlier frame"):
        view.scene(diamond)


@pytest.mark.parametrize("missing", ["nglview", "ipywidgets"])
def test_missing_packages_say_what_to_install(diamond, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"need {missing}: pip install nglview==4.0 ipywidgets"):
        view.scene(diamond)


def test_scenes_and_menus_carry_a_picture_for_pages_without_a_kernel(diamond, menu):
    labels = np.arange(64) % 3 - 1
    atoms = view.scene(diamond, labels, ["a", "b"], sites=[[5.43] * 3])
    for box, words in (
        (atoms, "3D view of 64 atoms; run the cell"),
        (view.scene(diamond), "3D view of 64 atoms"),
        (menu[0], "menu of figures by method and window; run the cell"),
    ):
        bundle = box._repr_mimebundle_()
        assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == box.model_id
        picture = plt.imread(io.BytesIO(base64.b64decode(bundle["image/png"])))[..., :3]
        assert min(picture.shape[:2]) > 150 and np.ptp(picture) > 0.5
        assert bundle["text/plain"].startswith(words) and "VBox" not in bundle["text/plain"]
    picture = plt.imread(io.BytesIO(atoms.picture()))[..., :3]
    for colour in plots.PALETTE[:2]:  # shaded, so by hue
        hue = rgb_to_hsv(to_rgb(colour))[0]
        seen = rgb_to_hsv(picture)
        assert ((abs(seen[..., 0] - hue) < 0.03) & (seen[..., 1] > 0.3)).sum() > 500
    view.recolour(atoms, labels + 2)
    open_before = plt.get_fignums()
    assert atoms.picture() != b"" and plt.get_fignums() == open_before


def test_an_exported_notebook_shows_the_picture_instead_of_the_widget(tmp_path):
    nbclient, nbconvert = pytest.importorskip("nbclient"), pytest.importorskip("nbconvert")
    cell = """from ase.build import bulk
from defectkit import view
view.scene(bulk("Si", cubic=True), [0, 0, 0, 0, 0, 0, 0, 1])"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    notebook.metadata.pop("widgets", None)  # JupyterLab does not save their state
    first, second = notebook.cells[0].outputs
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(first.data)
    assert "the kernel of this view is gone: run the cell" in second.data["text/html"].lower()
    page = nbconvert.HTMLExporter().from_notebook_node(notebook)[0]
    assert first.data["image/png"][:60] in page.replace("\\n", "")
    for unwanted in ("Error displaying widget", "VBox(", "model_id"):
        assert unwanted not in page
    text = nbconvert.MarkdownExporter().from_notebook_node(notebook)[0]
    assert "![png]" in text and "VBox(" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_exported_with_its_pictures(path):
    nbconvert = pytest.importorskip("nbconvert")
    notebook = nbformat.read(path, 4)
    page = nbconvert.HTMLExporter().from_notebook_node(notebook)[0]
    for unwanted in ("Error displaying widget", "VBox(", "model_id"):
        assert unwanted not in page
    stored = [o for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    assert page.count('src="data:image/png') >= sum("image/png" in o.data for o in stored) > 0


@pytest.fixture
def menu():
    """A chooser over two methods and three windows, and the list of calls of its `draw`."""
    calls = []

    def draw(method, window):
        calls.append((method, window, box[0].status.value if box else ""))
        if method == "broken":
            raise RuntimeError("no <map>")
        figure = Figure(figsize=(2, 2))
        figure.subplots().plot([0, window], [0, len(method)])
        return figure

    box = []
    box.append(view.chooser({"method": ["pca", "umap", "broken"], "window": [0, 5, 10]}, draw))
    return box[0], calls


def test_each_choice_is_drawn_once(menu):
    box, calls = menu
    first = bytes(box.image.value)
    assert first.startswith(b"\x89PNG") and len(calls) == 1
    box.controls["method"].value = "umap"
    assert box.image.value != first
    assert calls[1] == ("umap", 0, "computing method umap, window 0 ...")
    assert box.status.value.startswith("method umap, window 0 (")
    box.controls["window"].value = 10
    box.controls["method"].value = "pca"
    box.controls["window"].value = 0
    assert box.image.value == first
    assert [c[:2] for c in calls] == [("pca", 0), ("umap", 0), ("umap", 10), ("pca", 10)]
    box.controls["window"].value = 10
    assert len(calls) == 4


def test_rendering_moves_the_controls_and_draws_only_that_choice(menu):
    box, calls = menu
    png = box.render(method="umap", window=5)
    assert box.image.value == png
    assert {n: c.value for n, c in box.controls.items()} == {"method": "umap", "window": 5}
    assert [c[:2] for c in calls] == [("pca", 0), ("umap", 5)]


def test_errors_are_shown_and_raised(menu):
    box, _ = menu
    shown = box.image.value
    with pytest.raises(RuntimeError, match="no <map>"):
        box.render(method="broken")
    assert "RuntimeError: no &lt;map&gt;" in box.status.value
    assert isinstance(box.error, RuntimeError) and box.image.value == shown
    assert box.image.layout.display == "none"  # it is not the figure of the choice
    with pytest.raises(RuntimeError, match="no <map>"):
        box.controls["method"].value = "broken"
    box.controls["method"].value = "umap"
    assert box.error is None and "RuntimeError" not in box.status.value
    assert box.image.layout.display == ""


def test_a_choice_that_does_not_exist_is_refused_and_the_others_are_drawn_before():
    def draw(method, start):
        if (method, start) == ("pacmap", "spectral"):
            raise ValueError("pacmap has no start 'spectral'")
        return np.eye(2), np.array([0, 1])

    box = view.chooser(
        {"method": ["umap", "pacmap"], "start": ["pca", "spectral"]}, draw, precompute=True
    )
    assert len(box.drawn) == 3
    box.controls["start"].value = "spectral"
    assert "start spectral" in box.status.value
    with pytest.raises(ValueError, match="pacmap has no start"):
        box.controls["method"].value = "pacmap"
    assert "pacmap has no start" in box.status.value and box.image.layout.display == "none"


def test_numbers_get_sliders_and_names_menus():
    box = view.chooser(
        {"window": [0.0, 0.375, 0.75], "method": ["pca"], "log": [False, True]},
        lambda **choice: (np.eye(2), np.array([0, 1])),
        precompute=True,
    )
    kinds = [type(c).__name__ for c in box.controls.values()]
    assert kinds == ["SelectionSlider", "Dropdown", "Dropdown"]
    assert len(box.drawn) == 6
    assert box.controls["window"].continuous_update
    assert box.controls["window"].value == 0.0


def test_maps_are_drawn_as_plots_does(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "embedding", lambda *a, ax: drawn.append((a, ax)))
    Y, labels = np.eye(3)[:, :2], np.array([0, 1, -1])
    view.chooser({"method": ["pca"]}, lambda method: (Y, labels, ["a", "b"]))
    ((given, ax),) = drawn
    assert given[0] is Y and given[1] is labels and given[2] == ["a", "b"]


def test_figures_do_not_appear_a_second_time_below_the_cell():
    view.chooser({"method": ["pca"]}, lambda method: plt.subplots()[1])
    assert plt.get_fignums() == []


def test_bad_input_of_choosers(menu):
    for options in ({}, {"method": []}):
        with pytest.raises(ValueError, match="there is nothing to choose from"):
            view.chooser(options, lambda: None)
    with pytest.raises(ValueError, match="draw returned dict; let it return a matplotlib figure"):
        view.chooser({"method": ["pca"]}, lambda method: {})
    with pytest.raises(ValueError, match="unknown option 'seed'; choose from method, window"):
        menu[0].render(seed=1)
    with pytest.raises(ValueError, match="method='tsne' is not offered; choose from pca, umap"):
        menu[0].render(method="tsne")
