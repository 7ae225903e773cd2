"""Modules and functions stay small enough to be read at once."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    p for folder in ("defectkit", "benchmarks", "recipes") for p in (ROOT / folder).rglob("*.py")
)
MODULE, FUNCTION = 400, 60


def lengths(text):
    """{function: lines without its docstring} of a module."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            found[node.name] = lines
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_and_no_function_is_too_long(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE, "split it by what its parts do"
    assert {name: n for name, n in lengths(text).items() if n > FUNCTION} == {}


def test_a_long_function_is_seen_and_its_docstring_does_not_count():
    body = "\n".join(f"    x = {n}" for n in range(FUNCTION))
    assert lengths(f"def f():\n{body}\n") == {"f": FUNCTION + 1}
    assert lengths(f'def f():\n    """{chr(10) * 20}"""\n{body}\n') == {"f": FUNCTION + 1}
