"""README.md says what the notebooks measured, and names what there is."""

import importlib.util
import re
from pathlib import Path

import pytest

import defectkit as dk

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
spec = importlib.util.spec_from_file_location("readme", ROOT / "recipes" / "readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)
STALE = "is older than the notebooks; run python recipes/readme.py"


def test_table_and_gallery_are_those_of_the_notebooks():
    assert readme.parts(README) == README, f"README.md {STALE}"
    for start, end in readme.MARKS.values():
        assert README.count(start) == README.count(end) == 1


@pytest.mark.parametrize("name", readme.GALLERY)
def test_pictures_are_those_of_the_notebooks(name):
    shown = (readme.PICTURES / f"{name}.png").read_bytes()
    assert readme.source_of(shown) == readme.source_of(readme.picture(name)), f"{name} {STALE}"


def test_a_key_that_no_notebook_writes_is_refused():
    assert readme.filled("{a_0.5ps:.1f} %", {"a_0.5ps": 2.0}) == "2.0 %"
    with pytest.raises(KeyError, match="names a result that the notebooks do not write"):
        readme.filled("{b:.1f}", {"a": 1.0})


def test_every_notebook_and_module_is_named():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"`{path.stem}`" in README
    for path in (ROOT / "defectkit").glob("*.py"):
        if not path.name.startswith("__"):
            assert f"`{path.name}`" in README, f"README's table of modules misses {path.name}"


def test_public_names_in_the_readme_exist():
    for name in set(re.findall(r"\bdk\.([A-Za-z_]+)", README)):
        assert hasattr(dk, name), name
