"""The widgets of every notebook: live, at 900 pixels in the dark, reopened."""

import re
from pathlib import Path

import nbformat
import pytest
from cells import needed
from lab import CANVAS, coloured, cut_off, explorer_parts, reopen

ROOT = Path(__file__).parents[2]
WIDGETS = re.compile(r"(?:view\.(?:scene|chooser|explorer)|\.(?:explore|view))\(")
NOTEBOOKS = [
    path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if WIDGETS.search(path.read_text())
]

#: Maps of a fifth of the usual steps: whether they are right is what make test-notebooks asks.
FEWER_STEPS = """
import defectkit as dk
STEPS = {"umap": {"n_epochs": 50}, "pacmap": {"num_iters": (40, 30, 30)}}
whole = dk.embed
dk.embed = lambda X, method="pacmap", **given: whole(X, method, **STEPS.get(method, {}) | given)
"""


def use_menus(lab, output):
    """Another method and window in a chooser: another figure comes."""
    image, menu = output.locator("img"), output.locator("select").first
    first = image.get_attribute("src")
    menu.select_option(index=menu.locator("option").count() - 1)
    lab.wait(lambda: image.get_attribute("src") != first, 120)
    handle, second = output.locator(".noUi-handle"), image.get_attribute("src")
    if handle.count():
        handle.focus()
        handle.press("ArrowRight")
        lab.wait(lambda: image.get_attribute("src") != second, 120)


def shortened(lab, path):
    """A copy of a notebook with what its widgets need; its name and its source."""
    notebook = nbformat.read(path, 4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    shown = {n for n, source in enumerate(sources) if WIDGETS.search(source)}
    sources = [FEWER_STEPS, *needed(sources, shown).values()]
    notebook.cells = list(map(nbformat.v4.new_code_cell, sources))
    (lab.folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, lab.folder / "notebooks" / path.name)
    return f"notebooks/{path.name}", "\n".join(cell.source for cell in notebook.cells)


def widgets_work(lab, name, source):
    """Scenes and figures are coloured, menus change figures, the lasso chooses."""
    scenes = [
        c
        for c in lab.page.locator(CANVAS).all()
        if c.bounding_box()
        and c.get_attribute("class") != "histogram"
        and c.bounding_box()["height"] > 100
    ]
    assert len(scenes) >= len(re.findall(r"view\.scene\(|\.view\(|\.explore\(", source))
    for number, scene in enumerate(scenes):
        lab.wait(
            lambda scene=scene, number=number: (
                coloured(lab.picture(scene, f"{name}_{number}")) > 300
            ),
            60,
        )
    menus = lab.page.locator(".jp-OutputArea-output .widget-image")
    assert menus.count() >= len(re.findall(r"view\.chooser\(", source))
    for number in range(menus.count()):
        assert coloured(lab.picture(menus.nth(number), f"{name}_menu_{number}")) > 200
    for output in lab.page.locator(".jp-OutputArea-output", has=menus).all():
        use_menus(lab, output)
    if re.search(r"\.explore\(", source):
        plot, _, output = explorer_parts(lab)
        lab.lasso(plot, (0.5, 0.5), 150)
        lab.wait(lambda: re.search(r"chosen: [1-9]", output.inner_text()))
        lab.picture(output, f"{name}_explorer")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_shows_atoms_and_figures(lab, path):
    """Live, then at 900 pixels in the dark, then reopened without its kernel."""
    name, source = shortened(lab, path)
    lab.run(name, timeout=900)
    widgets_work(lab, path.stem, source)
    lab.page.set_viewport_size({"width": 900, "height": 1000})
    lab._execute("apputils:change-theme", theme="JupyterLab Dark")
    for output in lab.page.locator(".jp-OutputArea-output", has=lab.page.locator("canvas")).all():
        lab.wait(lambda output=output: not cut_off(output))
        lab.picture(output, f"{path.stem}_narrow")
    lab._execute("apputils:change-theme", theme="JupyterLab Light")
    reopen(lab, name)
    still = lab.page.locator(".defectkit-still")
    lab.wait(
        lambda: (
            still.count() == len(WIDGETS.findall(source))
            and all(one.is_visible() for one in still.all())
        ),
        60,
    )
    for number, one in enumerate(still.all()):
        assert coloured(lab.picture(one, f"{path.stem}_reopened_{number}")) > 200
    text = lab.page.locator(".jp-Notebook").inner_text()
    assert "Error displaying widget" not in text and "VBox(" not in text
