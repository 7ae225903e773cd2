"""README.md and the gallery say what was measured, and name what there is."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import defectkit as dk

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
spec = importlib.util.spec_from_file_location("readme", ROOT / "recipes" / "readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)
STALE = "is older than what it is made from; run python recipes/readme.py"
#: A number that somebody measured: with a unit, or a multiple.
MEASURED = re.compile(r"\d+(?:\.\d+)?\s?(?:%|Å\b|times\b|x\b|µs\b|ms\b|s\b|minutes\b|GB\b|MB\b)")

#: Versions, licences, articles, addresses and headings: numbers that nobody measures.
NAMED = re.compile(
    r"Python \d\.\d+ to \d\.\d+|CC BY[\w-]* [\d.]+|arXiv:[\d.]+|, 20\d\d;|\]\([^)]*\)"
    r"|<[^>]*>|^#.*$",
    re.MULTILINE,
)
#: A number of three digits or more, or with decimals; thousands apart by blanks.
BARE = re.compile(r"(?<![\w.,-])(?:\d{1,3}(?: \d{3})+|\d{3,}|\d+\.\d+)(?![\w-])")
RECORDS = ("notebooks/results", "benchmarks/results", "defectkit/data")


def prose(text):
    """A page without its written parts and without code."""
    for start, end in readme.MARKS.values():
        text = re.sub(re.escape(start) + ".*?" + re.escape(end), "", text, flags=re.DOTALL)
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", readme.PAGES)
def test_written_parts_are_those_of_notebooks_benchmarks_and_examples(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert readme.parts(page, text) == text, f"{page} {STALE}"
    for name in readme.PAGES[page]:
        assert all(text.count(mark) == 1 for mark in readme.MARKS[name])


@pytest.mark.parametrize("text", [README, CHANGELOG], ids=["README", "CHANGELOG"])
def test_no_measured_number_is_written_by_hand(text):
    assert MEASURED.findall(prose(text)) == [], "let recipes/readme.py write it from its file"


def test_a_number_written_by_hand_is_seen():
    assert MEASURED.search("it is 7.5 times faster") and MEASURED.search("found in 98 %")
    assert not MEASURED.search("Python 3.11 to 3.13, CC BY 4.0, 2x1 dimers in ten lines")


def numbers_in(value):
    """Every number of a JSON value, in its keys and texts too."""
    if isinstance(value, dict):
        return set().union(*(numbers_in(v) | numbers_in(k) for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    found = re.findall(r"\d+(?:\.\d+)?", value) if isinstance(value, str) else []
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return {float(n) for n in found} | ({float(value)} if plain else set())


def bare_numbers(text):
    return {float(n.replace(" ", "")) for n in BARE.findall(NAMED.sub("", prose(text)))}


@pytest.mark.parametrize("text", [README, CHANGELOG], ids=["README", "CHANGELOG"])
def test_numbers_without_a_unit_stand_in_a_file_of_results_or_data(text):
    files = [path for folder in RECORDS for path in (ROOT / folder).glob("*.json")]
    known = set().union(*(numbers_in(json.loads(path.read_text("utf-8"))) for path in files))
    assert bare_numbers(text) - known == set(), "name a file that holds it, or leave it out"


def test_bare_numbers_are_seen_and_names_are_none():
    assert bare_numbers("a nucleus of 10 368 molecules, 12.5 faster, 4711 frames") == {
        10368.0,
        12.5,
        4711.0,
    }
    text = "# Version 0.2.0\nPython 3.11 to 3.13, CC BY 4.0, arXiv:2405.01320, [a](b/2025/300)"
    assert bare_numbers(text) == set()


@pytest.mark.parametrize("name", readme.GALLERY)
def test_pictures_are_those_of_the_notebooks(name):
    shown = (readme.PICTURES / f"{name}.png").read_bytes()
    assert readme.source_of(shown) == readme.source_of(readme.picture(name)), f"{name} {STALE}"


def test_a_key_that_no_notebook_writes_is_refused():
    assert readme.filled("{a_0.5ps:.1f} %", {"a_0.5ps": 2.0}) == "2.0 %"
    with pytest.raises(KeyError, match="names a result that the notebooks do not write"):
        readme.filled("{b:.1f}", {"a": 1.0})


def test_unseen_cells_are_shown_once_they_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(readme, "BENCHMARKS", tmp_path)
    assert "not measured yet" in readme.field()
    row = {
        "kind": "vacancy, fcc",
        "n": 40,
        "right_percent": 97.5,
        "false_alarms_percent": 0.0,
        "seeds": [0, 1, 2],
    }
    (tmp_path / "field.json").write_text(json.dumps([row]))
    assert "| vacancy, fcc | 40 | 98 % | 0 % | 3 |" in readme.field()
    (tmp_path / "field.json").write_text(json.dumps([row | {"false_alarms_percent": None}]))
    assert "| vacancy, fcc | 40 | 98 % |  | 3 |" in readme.field()


@pytest.mark.slow
@pytest.mark.parametrize("name", readme.RUNS)
def test_examples_print_what_the_readme_shows(name, tmp_path):
    shown = (readme.EXAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    printed = readme.printed(readme.RUNS[name], tmp_path).splitlines()
    words = [re.sub(r"[\d.,]+", "#", line).split() for line in shown]
    assert [re.sub(r"[\d.,]+", "#", line).split() for line in printed] == words
    for one, other in zip(printed, shown, strict=True):
        numbers = [[float(n) for n in re.findall(r"\d+(?:\.\d+)?", line)] for line in (one, other)]
        # An atom more or less at the rim of a cluster, where processors round differently.
        assert numbers[0] == pytest.approx(numbers[1], rel=0.01, abs=10), STALE


def test_every_notebook_package_and_module_is_named():
    gallery = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"`{path.stem}`" in README
        assert f"`{path.stem}`" in gallery
    for path in (ROOT / "defectkit").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert f"`{path.name}`" in CONTRIBUTING, f"CONTRIBUTING's table misses {path.name}"
        elif (path / "__init__.py").exists():
            assert f"`{path.name}/`" in CONTRIBUTING, f"CONTRIBUTING's table misses {path.name}/"


def test_links_lead_to_files_of_the_checkout():
    for text in (README, CONTRIBUTING):
        for target in re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text):
            name = (target[0] or target[1]).partition("#")[0]
            if "://" not in name:
                assert (ROOT / name).exists(), name


def test_public_names_in_the_pages_exist():
    pages = [README, *(p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md"))]
    for name in set(re.findall(r"\bdk\.([A-Za-z_]+)", "".join(pages))):
        assert hasattr(dk, name), name


def test_pages_install_from_the_checkout_as_nothing_of_that_name_can_be_had():
    folders = ("defectkit/**/*.py", "docs/**/*.md", "notebooks/*.ipynb", "*.md")
    paths = [path for folder in folders for path in ROOT.glob(folder)]
    assert len(paths) > 200
    told = [path.name for path in paths if "defectkit[" in path.read_text(encoding="utf-8")]
    assert told == []
