"""Notebooks as they are stored, exported by ``jupyter nbconvert --to html`` and looked at."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from lab import coloured
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
VIEW = "application/vnd.jupyter.widget-view+json"
#: A scene and an explorer; a chooser and a scene. tests/test_view.py exports all, unseen.
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in ("00_start_here", "05_water_ice")]
SMALL = """import numpy as np
from ase.build import bulk
from defectkit import view
labels, frame = np.arange(64) % 2, bulk("Si", cubic=True) * 2
Y = np.random.default_rng(0).normal(size=(64, 2))
{}"""


def exported(folder, path, *options):
    """The page that nbconvert makes of a notebook, and its text."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", *options, str(path)]
    done = subprocess.run(
        [*command, "--output-dir", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / f"{path.stem}.html"


def seen(chromium, page, pictures):
    """Text of a page in the browser, and the pictures of a selector that have colours."""
    tab = chromium.new_page(viewport={"width": 1000, "height": 1000})
    try:
        tab.goto(page.as_uri(), wait_until="domcontentloaded")
        shown = tab.locator(pictures)
        shown.first.wait_for(state="visible", timeout=60_000)
        many = 0
        for number, one in enumerate(shown.all()):
            file = page.parent / f"{page.stem}_{number}.png"
            one.screenshot(path=file)
            many += coloured(imread(file)[..., :3]) > 200
        return tab.locator("body").inner_text(), many
    finally:
        tab.close()


def unwanted(text):
    return re.findall(r"Error displaying widget|VBox\(|model_id|Loading widget", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_shows_pictures_where_its_widgets_were(chromium, tmp_path, path):
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    views = sum(VIEW in o.get("data", {}) for o in outputs)
    stored = sum("image/png" in o.get("data", {}) for o in outputs)
    page = exported(tmp_path, path)
    text, pictures = seen(chromium, page, ".jp-RenderedImage img")
    assert unwanted(text) == [] and "Error displaying widget" not in page.read_text()
    assert pictures == stored >= views > 0
    assert "The kernel of this view is gone" not in text  # nor a picture twice


def test_a_notebook_executed_by_nbconvert_shows_pictures_too(chromium, tmp_path):
    """It stores the widgets' state, which a page without their code cannot show."""
    cells = (
        "view.scene(frame, labels)",
        'view.chooser({"method": ["a", "b"]}, lambda method: (Y, labels))',
        "view.explorer([frame], labels=labels, maps=Y)",
    )
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SMALL.format(cell)) for cell in cells]
    )
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, tmp_path / "small.ipynb")
    page = exported(tmp_path, tmp_path / "small.ipynb", "--execute")
    text, pictures = seen(chromium, page, ".defectkit-still")
    assert unwanted(text) == [] and pictures == len(cells)
