"""Scenes and menus in JupyterLab, seen by a real browser: pixels, not only widgets."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.utils import rotate
from lab import canvas, hues, reopen, shown


def test_clusters_have_their_palette_colours(lab):
    lab.notebook(
        "silicon.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
atoms = bulk("Si", cubic=True) * (2, 2, 2)
box = view.scene(atoms, np.arange(64) % 4 - 1, names=["a", "b", "c"], sites=[[5.43] * 3])
box""",
    )
    seen = canvas(lab, "silicon", [0, 1, 2])
    assert np.mean(seen[seen != -1] == -2) < 0.03
    assert "noise (16)" in shown(lab).inner_text()


def test_skewed_cell_is_seen_where_the_twin_draws_it(lab):
    """Four single-atom clusters in a left-handed triclinic cell, at their projected places."""
    cell = np.array([[5.6, 0.9, -0.4], [1.7, 0.2, 6.3], [-1.2, 7.1, 1.0]])
    atoms = Atoms(
        "Sn8",
        scaled_positions=[[i, j, k] for i in (0.1, 0.6) for j in (0.1, 0.6) for k in (0.1, 0.6)],
        cell=cell,
        pbc=True,
    )
    assert np.linalg.det(cell) < 0
    labels = np.array([0, -1, 1, -1, -1, 2, -1, 3])
    lab.notebook(
        "triclinic.ipynb",
        f"""
import numpy as np
from ase import Atoms
from defectkit import view
atoms = Atoms("Sn8", scaled_positions=np.{atoms.get_scaled_positions()!r}, pbc=True,
              cell=np.{cell!r})
box = view.scene(atoms, {labels.tolist()}, radius=0.5, style="spacefill")
box""",
    )
    clusters = [0, 1, 2, 3]
    seen = canvas(lab, "triclinic", clusters)
    middle = np.array([np.argwhere(seen == c).mean(axis=0)[::-1] for c in clusters])
    true = (atoms.positions @ rotate("12z,-78x"))[
        [np.flatnonzero(labels == c)[0] for c in clusters], :2
    ]
    middle, true = middle - middle.mean(axis=0), true - true.mean(axis=0)
    middle[:, 1] *= -1
    scale = np.sum(middle * true) / np.sum(true**2)
    assert scale > 5
    np.testing.assert_allclose(middle / scale, true, atol=0.25)


def test_recolouring_a_second_view_and_five_thousand_atoms(lab):
    lab.notebook(
        "large.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
atoms = bulk("Si", cubic=True) * (9, 9, 8)
upper = (atoms.positions[:, 2] > 21).astype(int)
box = view.scene(atoms, upper)
box""",
        "box.view",
    )
    canvas(lab, "large", [0, 1])
    # The same widget shown twice: what the second view was told by replay.
    canvas(lab, "large_again", [0, 1], number=1)
    lab.cell("view.recolour(box, upper + 2)")
    seen = canvas(lab, "large_recoloured", [2, 3])
    assert np.mean(seen[seen != -1] == -2) < 0.03


def test_the_mouse_tells_atom_element_and_cluster(lab):
    lab.notebook(
        "told.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * 2
box = view.scene(atoms, np.zeros(64, int), names=["salt"], style="spacefill", radius=1.3)
box""",
    )
    picture = shown(lab).locator("canvas").first
    lab.wait(lambda: (hues(lab.picture(picture, "told"), [0]) == 0).sum() > 1000)

    def told(cluster):
        """What the mouse tells somewhere over the picture."""
        box = picture.bounding_box()
        for shift in np.linspace(-0.15, 0.15, 20):
            lab.page.mouse.move(
                box["x"] + (0.5 + shift) * box["width"], box["y"] + 0.5 * box["height"]
            )
            lab.page.wait_for_timeout(300)
            text = lab.page.evaluate("() => document.body.innerText")
            if match := re.search(rf"atom (\d+) \((Na|Cl)\), {cluster}\b", text):
                return match
        return None

    match = told("salt")
    assert match and (int(match[1]) % 2 == 0) == (match[2] == "Na")
    assert "[MOL]" not in lab.page.evaluate("() => document.body.innerText")
    lab.cell("view.recolour(box, np.ones(64, int), names={1: 'rock'})")
    picture.scroll_into_view_if_needed()
    assert told("rock")


def test_a_long_crystal_is_seen_whole_in_a_narrow_page(lab):
    lab.page.set_viewport_size({"width": 900, "height": 1000})
    lab.notebook(
        "long.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
atoms = bulk("Si", cubic=True) * (9, 2, 2)
view.scene(atoms, (atoms.positions[:, 0] > 24).astype(int))""",
    )
    seen = canvas(lab, "long", [0, 1])
    assert (seen[:, [0, 1, -2, -1]] == -1).all()
    columns = np.flatnonzero((seen != -1).any(axis=0))
    assert np.ptp(columns) > 0.7 * seen.shape[1]


def test_points_and_what_is_left_out(lab):
    lab.notebook(
        "points.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
atoms = bulk("Si", cubic=True) * (16, 16, 16)
distance = np.linalg.norm(atoms.positions - atoms.cell.sum(axis=0) / 2, axis=1)
labels = (distance < 20).astype(int)
box = view.scene(atoms, labels)
box""",
        "view.scene(atoms, labels, names=['bulk', 'nucleus'], max_atoms=5000)",
    )
    seen = canvas(lab, "points", [0])
    assert np.mean(seen[seen != -1] == -2) < 0.03
    seen = canvas(lab, "left_out", [1], number=1)
    assert not (seen == 0).any()
    assert "bulk left out" in shown(lab).inner_text()


def test_menu_and_slider_change_the_figure(lab):
    lab.notebook(
        "chooser.ipynb",
        """
import time
import numpy as np
from defectkit import view
drawn = []
def draw(method, window):
    if method == "broken":
        raise RuntimeError("no <map> here")
    drawn.append(method)
    time.sleep(1)
    rng = np.random.default_rng(window)
    Y = rng.normal(size=(20_000, 2)) * (1, 3 if method == "umap" else 1)
    return Y, rng.integers(0, 4, 20_000)
box = view.chooser({"method": ["pca", "umap", "broken"], "window": [0, 10, 20]}, draw)
box""",
    )
    output = lab.page.locator(".jp-OutputArea-output", has=lab.page.locator("select")).last
    image, menu = output.locator("img"), output.locator("select")

    def source():
        return image.get_attribute("src") or None

    def status():
        return output.locator(".widget-html-content").inner_text()

    first = lab.wait(source)
    pca = lab.picture(image, "chooser_pca")
    menu.select_option("umap")
    lab.wait(lambda: status().startswith("computing method umap"))
    lab.wait(lambda: source() != first)
    umap = lab.picture(image, "chooser_umap")
    assert pca.shape != umap.shape or np.abs(pca - umap).mean() > 0.01
    second = source()
    menu.select_option("pca")
    lab.wait(lambda: source() != second)
    menu.select_option("broken")
    lab.wait(lambda: "RuntimeError: no <map> here" in status())
    third = source()
    menu.select_option("umap")
    lab.wait(lambda: source() != third)
    handle = output.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    lab.wait(lambda: "window 10" in status() and "computing" not in status())
    lab.picture(output, "chooser_slider")
    assert lab.text("drawn") == "['pca', 'umap', 'umap']"  # a figure drawn before is kept


def lines_below(lab):
    """What stands below each view that was displayed, in the style sheet's words."""
    return lab.page.evaluate("""() => [...document.querySelectorAll(".defectkit-box")]
        .map(box => getComputedStyle(box, "::after").content)""")


def test_pictures_take_the_place_of_widgets_when_reopened(lab):
    lab.notebook(
        "reopened.ipynb",
        """
import numpy as np
from ase.build import bulk
from defectkit import view
labels = np.arange(64) % 2
view.scene(bulk("Si", cubic=True) * 2, labels)""",
        """
view.chooser({"method": ["pca", "umap"]}, lambda method: (np.random.rand(64, 2), labels))""",
    )
    still = lab.page.locator(".defectkit-still")
    lab.wait(lambda: still.count() == 2)
    canvas(lab, "reopened_before", [0, 1])
    assert not any(one.is_visible() for one in still.all())
    lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    line = "The kernel of this view is gone: run the cell to use it again."
    lab.wait(lambda: lines_below(lab) == 2 * [f'"{line}"'])
    lab.picture(lab.page.locator(".jp-Notebook"), "reopened_restarted")
    reopen(lab, "reopened.ipynb")
    lab.wait(lambda: still.count() == 2 and all(one.is_visible() for one in still.all()), 60)
    for number in range(2):
        seen = hues(lab.picture(still.nth(number), f"reopened_{number}"), [0, 1])
        assert min((seen == c).sum() for c in (0, 1)) > 300
    assert still.first.inner_text() == line
    text = lab.page.locator(".jp-Notebook").inner_text()
    assert "Error displaying widget" not in text and "VBox(" not in text


def test_an_error_in_a_cell_is_noticed(lab):
    with pytest.raises(pytest.fail.Exception, match="ZeroDivisionError"):
        lab.notebook("broken.ipynb", "1 / 0", "'never reached'")
