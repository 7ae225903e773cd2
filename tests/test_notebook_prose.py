"""What the notebooks say is what they show: numbers in prose, structure, pictures."""

import base64
import html
import io
import json
import re
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
FACTS = json.loads((Path(__file__).parent / "article_facts.json").read_text(encoding="utf-8"))
DATA = ROOT / "defectkit" / "data"
NUMBER = r"\d+(?:[ \u2009]\d{3})*(?:\.\d+)?"
#: One or several numbers and their unit: "0.3 %", "98 to 100 %", "1.14 / 0.68 %", "5, 6 and 7 Å".
MEASURED = re.compile(
    rf"(?<![\w.])({NUMBER}(?:\s*(?:to|and|or|/|,|±)\s+{NUMBER})*)\s?"
    r"(%|Å|(?:ps|fs|ns|K|GPa|bar|meV)\b)"
)
#: Every number of an output or of the code.
ANY = re.compile(rf"(?<![\w.])-?{NUMBER}(?:e-?\d+)?")
HEADER = ("**What you will learn.**", "**You need to know**", "**Time:**", "**Data:**")


def source(cell):
    return "".join(cell["source"])


def cells(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def paragraphs(notebook):
    """Prose without code, paragraph by paragraph."""
    for cell in cells(notebook, "markdown"):
        text = re.sub(r"```.*?```", "", source(cell), flags=re.DOTALL)
        yield from re.split(r"\n\s*\n", re.sub(r"`[^`]*`", "", text))


def shown(notebook):
    """Text of the code cells and of what they put out."""
    for cell in cells(notebook, "code"):
        yield source(cell)
        for output in cell["outputs"]:
            yield "".join(output.get("text", ""))
            data = output.get("data", {})
            yield "".join(data.get("text/plain", ""))
            yield html.unescape(re.sub(r"<[^>]*>", " ", "".join(data.get("text/html", ""))))


def conditions(notebook):
    """How the data sets that are loaded were made: temperature, sampling, as their files say."""
    code = "".join(source(cell) for cell in cells(notebook, "code"))
    for path in DATA.glob("*.json"):
        if path.stem in code:
            of_set = json.loads(path.read_text(encoding="utf-8"))
            yield from (str(v) for v in of_set.values() if isinstance(v, str | int | float))


def value(text):
    return float(re.sub(r"[ \u2009]", "", text))


def borne_out(number, unit, values):
    """Whether a value rounds to the number as it is written, for a percentage also a fraction."""
    digits = len(number.partition(".")[2])
    scales = (1, 100) if unit == "%" else (1,)
    # What is shown was rounded before: half a unit in the last place, and a hair.
    return any(
        abs(abs(v) * scale - value(number)) <= 0.5001 * 10.0**-digits
        for v in values
        for scale in scales
    )


def unfounded(notebook, facts):
    """Numbers with a unit that neither the page shows nor the article states."""
    values = {
        value(n) for text in (*shown(notebook), *conditions(notebook)) for n in ANY.findall(text)
    }
    missing = []
    for paragraph in paragraphs(notebook):
        of_article = facts if "article" in paragraph.lower() else []
        for numbers, unit in MEASURED.findall(paragraph):
            missing += [
                f"{n} {unit}"
                for n in re.findall(NUMBER, numbers)
                if f"{n} {unit}" not in of_article and not borne_out(n, unit, values)
            ]
    return missing


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_measured_number_in_prose_is_in_an_output_or_the_articles(name):
    assert unfounded(NOTEBOOKS[name], FACTS.get(name, [])) == [], (
        "write what the page shows, or show it; execute the notebook anew where the code changed"
    )


def page(prose, output, code="x"):
    outputs = [{"output_type": "stream", "text": [output]}]
    return {
        "cells": [
            {"cell_type": "markdown", "source": [prose]},
            {"cell_type": "code", "source": [code], "outputs": outputs},
        ]
    }


@pytest.mark.parametrize(
    "prose, output, missing",
    [
        ("It is found in 98 % of them.", "located 98.33", []),
        ("It is found in 98 % of them.", "located 0.9833", []),
        ("It is found in 98 % of them.", "located 97.2", ["98 %"]),
        ("Between 96 to 97 % are right.", "96.4 91.0", ["97 %"]),
        ("0.06 Å away", "error 0.061", []),
        ("0.06 Å away", "error 6.1", ["0.06 Å"]),
        ("the article's 89 %", "98", []),
        ("we have 89 %", "98", ["89 %"]),
        ("the box of `12 ps`, 10 368 atoms at 1000 K", "T 1000.2", []),
    ],
)
def test_a_stale_number_is_seen(prose, output, missing):
    assert unfounded(page(prose, output), ["89 %"]) == missing


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_what_it_teaches_and_ends_with_solved_exercises(name):
    notebook = NOTEBOOKS[name]
    first, text = source(notebook["cells"][0]), "\n\n".join(paragraphs(notebook))
    assert all(word in first for word in HEADER), HEADER
    asked = re.findall(r"(?m)^(\d)\. ", text.rpartition("## Exercises")[2])
    solved = [
        cell for cell in cells(notebook, "code") if "solution" in cell["metadata"].get("tags", [])
    ]
    assert asked == [source(cell).split()[1].strip(":") for cell in solved] and len(asked) >= 2
    assert all(
        "hide-cell" in c["metadata"]["tags"] and c["metadata"]["jupyter"]["source_hidden"]
        for c in solved
    ), "a solution is folded"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_are_short_and_the_numbers_of_the_page_are_hidden(name):
    notebook, lengths = NOTEBOOKS[name], []
    for cell in cells(notebook, "code"):
        lines, tags = source(cell).splitlines(), cell["metadata"].get("tags", [])
        assert max(map(len, lines)) <= 100, lines
        if "numbers" in tags:
            assert "hide-input" in tags and cell["metadata"]["jupyter"]["source_hidden"]
        else:
            lengths.append(len(lines))
            assert "write_results" not in source(cell), "tag the numbers of the page"
    assert 3 <= median(lengths) <= 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_was_executed_in_order_without_errors_or_warnings(name):
    code = cells(NOTEBOOKS[name], "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", "".join(output["text"])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pictures_are_stored_small_and_figures_at_200_dpi(name):
    pngs = [
        base64.b64decode("".join(output["data"]["image/png"]))
        for cell in cells(NOTEBOOKS[name], "code")
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    assert pngs and all(Image.open(io.BytesIO(png)).mode == "P" for png in pngs)
    for cell in cells(NOTEBOOKS[name], "code"):  # figures, of 100 dpi on the page: 200 stored
        for output in cell["outputs"]:
            if shown_as := output.get("metadata", {}).get("image/png"):
                png = base64.b64decode("".join(output["data"]["image/png"]))
                assert Image.open(io.BytesIO(png)).width >= 2 * shown_as["width"]
    assert (ROOT / "notebooks" / f"{name}.ipynb").stat().st_size < 700_000
