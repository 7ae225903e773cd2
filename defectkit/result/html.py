"""A result as HTML: a fragment for notebooks, a page that needs no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from PIL import Image

from .._types import FilePath
from ..io.atomic_write import atomic_write, user_path

MOST_ROWS = 30
STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#222}table{border-collapse:collapse;margin:1em 0;font-size:90%}"
    "th,td{border-bottom:1px solid #ccc;padding:.25em .6em;text-align:left;"
    "vertical-align:top}img{max-width:100%}pre{white-space:pre-wrap;background:#f6f6f6;"
    "padding:1em}"
)
HIDDEN = ("atoms", "positions_A", "orientation", "evidence")


def fragment(result: Any) -> str:
    """Summary, map, one frame and the tables, for a notebook."""
    picture = "".join(
        f'<img alt="{alt}" src="data:image/png;base64,{data}" style="max-height:330px">'
        for alt, data in pictures(result)
    )
    return f"<pre>{escape(result.summary())}</pre>{picture}" + "".join(
        _table(title, table) for title, table in _tables(result)
    )


def page(result: Any, path: FilePath) -> Path:
    """Writes one HTML page; its path. It appears only when it is whole."""
    path = user_path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path} is not a name for a page; end it in .html.")
    text = (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<title>defectkit: what the atoms are</title>"
        f"<style>{STYLE}</style><body><h1>What the atoms are</h1>{fragment(result)}"
        "</body></html>"
    )
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def pictures(result: Any) -> Iterator[tuple[str, str]]:
    """(what it shows, PNG in base64) of the map, if there is one, and the first frame."""
    made = [("atoms of the first frame, by cluster", result.static_figure)]
    if (result.map == result.map).any():
        made.insert(0, ("map of the environments, by cluster", result.figure))
    for alt, draw in made:
        axes = draw()
        figure = (axes if hasattr(axes, "figure") else axes.flat[0]).figure
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=110, bbox_inches="tight")
        plt.close(figure)
        yield alt, base64.b64encode(_small(data)).decode()


def _small(png):
    """The picture in 256 colours that are spread widely, rare ones too; a third of the size."""
    small = io.BytesIO()
    picture = (
        Image.open(png)
        .convert("RGB")
        .quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()


def _tables(result):
    yield "Phases", result.phases
    yield "Point defects", result.defects
    yield "Planes, lines, surfaces, clouds", result.extended
    yield "Paths", result.tracks


def _table(title, table):
    if not len(table):
        return ""
    shown = table.head(MOST_ROWS)
    shown = shown[
        [
            c
            for c in shown.columns
            if c not in HIDDEN or c == "atoms" and shown[c].dtype.kind == "i"
        ]
    ]
    more = f"<p>{len(table) - MOST_ROWS} more rows.</p>" if len(table) > MOST_ROWS else ""
    rows = shown.to_html(index=False, border=0, float_format=lambda x: f"{x:.3g}", escape=True)
    return f"<h3>{escape(title)}</h3>{rows}{more}"
