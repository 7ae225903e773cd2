"""The table beside labelled frames: names of its columns, and its file (CSV)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

import pandas as pd

from .._deprecated import warn
from .._types import FilePath
from ..io.atomic_write import user_path

__all__ = [
    "class_columns",
    "not_a_formula",
    "read_table",
    "table_head",
    "table_line",
    "table_rows",
]

#: Columns that have a meaning of their own; a class of such a name has "class" before it.
OWN_COLUMNS = ("frame", "novel", "unlike", "vacancies", "interstitials", "sites")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # what a spreadsheet would calculate or strip


class Row(dict):
    """A row of the table; its old key "unlike" still works."""

    def __missing__(self, key):
        if key == "unlike" and "novel" in self:
            warn("the column unlike", "novel")
            return self["novel"]
        raise KeyError(key)


def class_columns(classes: Iterable) -> list[str]:
    """The column of each class: its name, with "class" before it where that is taken."""
    taken, columns = set(OWN_COLUMNS), []
    for name in map(str, classes):
        while name in taken:
            name = f"class {name}"
        taken.add(name)
        columns.append(name)
    return columns


def read_table(path: FilePath) -> pd.DataFrame:
    """The table written by `classify_trajectory` or `label_observer`.

    Raises FileNotFoundError; ValueError for a file that is no such table.
    """
    path = user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogatepass") as file:
            return pd.DataFrame(list(table_rows(csv.reader(file))))
    except (ValueError, csv.Error, RecursionError) as err:
        raise ValueError(
            f"{path} is not a table of labels or is damaged; label the trajectory again."
        ) from err


def table_rows(lines: Iterable[list[str]]) -> Iterator[Row]:
    """Rows of the lists of texts of a table, the first of which is its head."""
    lines = iter(lines)
    names = [_plain(name) for name in next(lines, [])]
    for line in lines:
        yield Row(
            (name, json.loads(value) if name == "sites" else int(value))
            for name, value in zip(names, line, strict=True)
        )


def table_head(row: Iterable[str]) -> str:
    """Line of the names. None is a formula: those that would be one have ' before them."""
    return table_line(map(not_a_formula, row))


def not_a_formula(text: str) -> str:
    """The text with ' before it where a spreadsheet would take it for a formula.

    >>> not_a_formula("=1+1"), not_a_formula("-1.5"), not_a_formula("ice Ih")
    ("'=1+1", '-1.5', 'ice Ih')
    """
    return f"'{text}" if _is_formula(text) else text


def table_line(values: Iterable) -> str:
    """One line of a CSV file, with quotes where a value needs them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _is_formula(name):
    if not name.startswith(_FORMULA):
        return False
    try:
        float(name)
    except ValueError:
        return True
    return False


def _plain(name):
    rest = name[1:]
    return rest if name.startswith("'") and _is_formula(rest) else name
