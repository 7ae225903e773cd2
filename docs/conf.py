"""Sphinx: pages in MyST Markdown, API reference from docstrings, notebooks as they were run."""

import shutil
from pathlib import Path

import defectkit

HERE = Path(__file__).parent
# Sphinx reads sources from its own folder only; the copies are not kept by git.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
(HERE / "notebooks").mkdir()
for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
    shutil.copy2(notebook, HERE / "notebooks")

project, author = "defectkit", "the defectkit developers"
project_copyright = author
version = release = defectkit.__version__
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "defectkit"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
nb_execution_mode = "off"
# Widgets have no kernel here: the picture beside each is shown.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings state types with shapes and units
# Heavy packages of the extras are imported inside functions; the reference needs none of them.
suppress_warnings = [
    "mystnb.unknown_mime_type",  # widgets: each has a static twin beside it
    "ref.term",
    "ref.ref",  # references of scikit-learn's own docstrings to its own pages
]
