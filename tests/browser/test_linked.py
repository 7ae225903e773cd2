"""The explorer in JupyterLab, seen and used in a real browser."""

import json
import re
import time

import numpy as np
from lab import cut_off, explorer_parts, hues, shares, slider

EXPLORER = """
import numpy as np
from ase.build import bulk
from defectkit import view
rng = np.random.default_rng(0)
crystal = bulk("Si", cubic=True) * (4, 4, 4)
frames = [crystal.copy() for _ in range(8)]
for atoms in frames:
    atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
height = np.tile(crystal.positions[:, 2], 8)
labels = np.digitize(height, [8, 15])
G = rng.normal(size=(8, 512, 6)) + 6 * np.eye(6)[labels].reshape(8, 512, 6)
Y = rng.normal(size=(4096, 2)) + np.array([[-8, -8], [8, -8], [0, 8]])[labels]
explorer = view.explorer(frames, G, labels, {"umap": Y, "map": -Y}, windows=[1, 4])
explorer"""


def test_explorer_links_map_atoms_and_python(lab):
    lab.notebook("explorer.ipynb", EXPLORER)
    plot, atoms, output = explorer_parts(lab)
    clusters = [0, 1, 2]
    lab.wait(lambda: min(shares(lab, plot, "explorer_map", clusters).values()) > 300)
    lab.wait(lambda: min(shares(lab, atoms, "explorer_atoms", clusters).values()) > 300)
    lab.lasso(plot, (0.5, 0.25), 110)  # cluster 2 is at the top, in the middle
    count = lab.wait(lambda: re.search(r"chosen: ([\d\u2009]+)", output.inner_text()))[1]
    chosen = json.loads(lab.text("explorer.selection.index.tolist()"))
    assert int(count.replace("\u2009", "")) == len(chosen) > 500
    labels = np.array(json.loads(lab.text("explorer.labels.tolist()")))
    assert np.mean(labels[chosen] == 2) > 0.99
    where = json.loads(
        lab.text("[explorer.selection.frame.tolist(), explorer.selection.atom.tolist()]")
    )
    assert (np.array(where).T @ [512, 1]).tolist() == chosen
    # In 3D the others fade: their pixels are too pale to count.
    lab.wait(
        lambda: (lambda n: n[2] > 300 and n[0] < 30 and n[1] < 30)(
            shares(lab, atoms, "explorer_chosen", clusters)
        )
    )


def test_clicked_atom_is_marked_in_the_map(lab):
    lab.notebook("click.ipynb", EXPLORER)
    plot, atoms, output = explorer_parts(lab)
    lab.wait(lambda: min(shares(lab, atoms, "click_before", [0, 1, 2]).values()) > 300)
    box = atoms.bounding_box()
    for shift in np.linspace(0, 30, 11):  # until an atom lies there
        lab.page.mouse.click(
            box["x"] + box["width"] / 2 + shift, box["y"] + box["height"] / 2 + shift
        )
        lab.page.wait_for_timeout(500)
        if "chosen: 1," in output.inner_text():
            break
    assert "chosen: 1, of which 1 in this frame" in output.inner_text()
    lab.picture(output, "click_after")
    assert (
        lab.text("explorer.map_widget.selection.tolist() == explorer.selection.index.tolist()")
        == "True"
    )


def test_explorer_at_900_pixels_in_the_dark(lab):
    lab.page.set_viewport_size({"width": 900, "height": 1000})
    lab.notebook("narrow.ipynb", EXPLORER)
    lab._execute("apputils:change-theme", theme="JupyterLab Dark")
    plot, atoms, output = explorer_parts(lab)
    clusters = [0, 1, 2]
    lab.wait(lambda: min(shares(lab, plot, "narrow_map", clusters).values()) > 300)
    lab.wait(lambda: min(shares(lab, atoms, "narrow_atoms", clusters).values()) > 200)
    assert cut_off(output) == []
    handle = slider(lab, output, "frame")
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]")
    assert track.bounding_box()["width"] > 0.5 * output.bounding_box()["width"]
    output.locator("button", has_text="cluster 2 (").click()  # isolates it
    lab.wait(
        lambda: (lambda n: n[2] > 200 and n[0] < 30 and n[1] < 30)(
            shares(lab, atoms, "narrow_isolated", clusters)
        )
    )
    lab.wait(
        lambda: (lambda n: n[2] > 200 and n[0] < 30 and n[1] < 30)(
            shares(lab, plot, "narrow_isolated_map", clusters)
        )
    )
    assert "are hidden" in output.inner_text()
    lab.picture(output, "narrow_dark")


def test_the_mouse_tells_of_points_and_atoms(lab):
    lab.notebook("tips.ipynb", EXPLORER)
    plot, atoms, output = explorer_parts(lab)
    lab.wait(lambda: min(shares(lab, atoms, "tips_before", [0, 1, 2]).values()) > 300)

    def told(canvas, words):
        """Moves over the picture until a tooltip shows these words."""
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        for shift in np.linspace(-0.2, 0.2, 25):
            lab.page.mouse.move(
                box["x"] + (0.5 + shift) * box["width"],
                box["y"] + (0.5 + shift / 2) * box["height"],
            )
            lab.page.wait_for_timeout(400)
            text = lab.page.evaluate("() => document.body.innerText")
            if all(word in text for word in words):
                return True
        return False

    assert told(atoms, ["(Si), cluster ", "4 neighbours"])
    lab.picture(output, "tips_atom")


def test_explorer_menus_and_sliders(lab):
    lab.notebook("menus.ipynb", EXPLORER, "explorer.choose(method='map'); explorer.wait()")
    plot, atoms, output = explorer_parts(lab)

    def top():
        """Clusters whose points lie in the upper third of the map."""
        seen = hues(lab.picture(plot, "menus_map"), [0, 1, 2])
        return {c for c in (0, 1, 2) if (seen[: len(seen) // 3] == c).sum() > 200}

    # Also a choice made while the browser prepares the map is drawn.
    lab.wait(lambda: top() == {0, 1})
    output.locator("select").first.select_option("umap")
    lab.wait(lambda: top() == {2})
    start = time.perf_counter()
    output.locator("select").first.select_option("map")
    lab.wait(lambda: "map, window 1" in output.inner_text())
    print(f"another map of 4096 points was there after {time.perf_counter() - start:.2f} s")
    frame = slider(lab, output, "frame")
    frame.focus()
    frame.press("ArrowRight")
    lab.wait(lambda: "frame 1" in output.inner_text())
    window = slider(lab, output, "window (frames)")
    output.locator("select").first.select_option("pca")  # not there yet: computed
    lab.wait(lambda: "pca, window 1, frame 1" in output.inner_text())
    window.focus()
    window.press("ArrowRight")
    lab.wait(lambda: "pca, window 4, frame 1" in output.inner_text())
    assert json.loads(lab.text("list(explorer.maps['pca', 4].shape)")) == [4096, 2]
    lab.picture(output, "menus_after")


def test_a_running_map_is_cancelled_and_clusters_are_edited_beside_it(lab):
    lab.notebook("cancel.ipynb", EXPLORER)
    _, _, output = explorer_parts(lab)
    method = output.locator("select").first
    cancel = output.locator("button", has_text="cancel")

    def press(name, answer):
        output.locator("button", has_text=name).first.click()
        lab.wait(lambda: answer in output.inner_text())

    method.select_option("pacmap")
    lab.wait(cancel.is_visible)
    lab.picture(output, "cancel_running")
    press("cancel", "cancelled: the map is the one from before")
    assert method.input_value() == "umap" and not cancel.is_visible()
    method.select_option("pacmap")
    lab.wait(cancel.is_visible)
    listed = output.locator("select[multiple]")
    listed.select_option(index=2)
    output.get_by_placeholder("name of the cluster").fill("top")
    press("rename", "cluster 2 is called top")
    lab.page.wait_for_timeout(500)  # a list made anew has nothing marked
    listed.select_option(index=[1, 2])
    press("merge", "top joined cluster 1")
    press("undo", "undo: 1 more to take back, 1 to make again")
    press("export", "labels.extxyz is written")
    press("merge", "ValueError: no cluster is marked in the list")
    lab.wait(lambda: "pacmap, window 1, frame 0" in output.inner_text(), 120)
    assert "ValueError: no cluster is marked in the list" in output.inner_text()
    lab.picture(output, "cancel_edited")


def test_explorer_of_many_points_and_atoms_answers(lab):
    lab.notebook(
        "many.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
crystal = bulk("Si", cubic=True) * (17, 17, 17)
rng = np.random.default_rng(0)
labels = np.tile((np.linalg.norm(crystal.positions - 46, axis=1) < 20).astype(int), 2)
Y = rng.normal(size=(len(labels), 2)) + 8 * labels[:, None]
explorer = view.explorer([crystal, crystal], labels=labels, maps={"umap": Y, "map": -Y})
explorer""",
    )
    plot, atoms, output = explorer_parts(lab)
    lab.wait(lambda: min(shares(lab, plot, "many_map", [0, 1]).values()) > 300)
    lab.wait(lambda: shares(lab, atoms, "many_atoms", [0, 1])[0] > 300)
    assert "40\u2009000 of 78\u2009608 points are drawn" in output.inner_text()
    start = time.perf_counter()
    lab.cell("explorer.select(cluster=1); explorer.choose(method='map')")
    print(f"choosing a cluster of 78 608 took {time.perf_counter() - start:.2f} s in all")
    lab.picture(output, "many_chosen")


def test_maps_and_frames_of_20_000_points_change_to_and_fro(lab):
    """Times are printed, not judged: a busy machine is no fault of the explorer."""
    lab.notebook(
        "twenty.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
crystal = bulk("Si", cubic=True) * (8, 8, 10)
rng = np.random.default_rng(0)
labels = np.tile(np.digitize(crystal.positions[:, 2], [18, 36]), 4)[:20_000]
frame, atom = np.divmod(np.arange(20_000), 5120)
Y = rng.normal(size=(20_000, 2)) + np.array([[-8, -8], [8, -8], [0, 8]])[labels]
explorer = view.explorer(4 * [crystal], labels=labels, maps={"umap": Y, "map": -Y}, frame=frame,
                         atom=atom)
explorer""",
    )
    plot, atoms, output = explorer_parts(lab)
    lab.wait(lambda: min(shares(lab, atoms, "twenty_atoms", [0, 1, 2]).values()) > 300)
    took = {"map": [], "frame": []}
    for method in ("map", "umap", "map", "umap"):
        start = time.perf_counter()
        output.locator("select").first.select_option(method)
        lab.page.wait_for_function(
            "([e, t]) => e.innerText.includes(t)",
            polling=10,
            arg=[output.element_handle(), f"{method}, window 1"],
        )
        took["map"].append(time.perf_counter() - start)
    frame = slider(lab, output, "frame")
    frame.focus()
    for n in (1, 2, 3):
        start = time.perf_counter()
        frame.press("ArrowRight")
        lab.page.wait_for_function(
            "([e, t]) => e.innerText.includes(t)",
            polling=10,
            arg=[output.element_handle(), f"frame {n}"],
        )
        took["frame"].append(time.perf_counter() - start)
    print(
        "20 000 points, until Python's answer is in the page: "
        + ", ".join(f"{what} {np.median(times):.2f} s" for what, times in took.items())
    )
    lab.wait(lambda: min(shares(lab, plot, "twenty_map", [0, 1, 2]).values()) > 300)
