"""The layers of the package hold: no import circle, nothing imports what stands above it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "defectkit"
#: From low to high: a module imports only what stands before it, and its own package.
ORDER = (
    "_types",
    "_deprecated",
    "_shown",
    "_progress",
    "_checks",
    "_threads",
    "_loading",
    "_compiled",
    "io",
    "neighbours",
    "symmetry",
    "potential",
    "descriptors",
    "datasets",
    "embedding",
    "clusters",
    "averaging",
    "imbalance",
    "stability",
    "nucleus",
    "phases",
    "defects",
    "hydrogen_bonds",
    "parametric",
    "streaming",
    "plots",
    "view",
    "result",
    "workflow",
    "compile",
    "__main__",
)
ALIASES = ("trajectory",)  # old import paths, nothing of the package imports them
#: What still breaks the rules. Entries go as they are mended; none may be added.
CIRCLES = set()
PRIVATE = set()


def modules(folder, prefix):
    """{dotted name: path} of the Python files below a folder."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = [prefix, *path.relative_to(folder).with_suffix("").parts]
        found[".".join(p for p in parts if p and p != "__init__")] = path
    return found


def imports(name, path, known):
    """(module, imported name or None) of every import of a file from `known`, at any depth."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in known:
                    yield inner, None
                elif base in known:
                    yield base, alias.name


def attributes(path, name, known):
    """Underscore names that a file takes from modules it imported as a whole, `module._name`."""
    tree, bound = ast.parse(path.read_text(encoding="utf-8")), {}
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            bound |= {
                a.asname or a.name: f"{base}.{a.name}"
                for a in node.names
                if f"{base}.{a.name}" in known
            }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and isinstance(node.value, ast.Name)
            and node.value.id in bound
        ):
            yield f"{bound[node.value.id]}.{node.attr}"


MODULES = modules(PACKAGE, "defectkit")
IMPORTS = {name: set(imports(name, path, MODULES)) for name, path in MODULES.items()}


def place(name):
    return ORDER.index(name.split(".")[1])


def circle(graph):
    """Modules of one import circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return set(error.args[1])
    return set()


def test_every_module_has_a_place_in_the_order():
    parts = {name.split(".")[1] for name in MODULES if "." in name}
    assert parts - {*ORDER, *ALIASES} == set(), "give the new module its place in ORDER"


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"defectkit"}))
def test_no_module_imports_one_above_it(name):
    if name.split(".")[1] in ALIASES:
        return
    for other, _ in IMPORTS[name]:
        if "." in other:
            assert other.split(".")[1] not in ALIASES, f"{name} imports the alias {other}"
            assert place(other) <= place(name), f"{name} imports {other}, which stands above it"


def test_no_circle_of_imports():
    graph = {
        name: {
            other
            for other, _ in found
            if other != name and "." in other and (name, other) not in CIRCLES
        }
        for name, found in IMPORTS.items()
    }
    assert circle(graph) == set()
    for name, other in CIRCLES:
        assert other in {o for o, _ in IMPORTS[name]}, f"{name} -> {other} is mended: take it out"


def test_no_circle_between_recipes():
    scripts = modules(ROOT / "recipes", "")
    graph = {
        name: {other for other, _ in imports(name, path, scripts)}
        for name, path in scripts.items()
    }
    assert len(graph) > 10 and circle(graph) == set()


def test_nothing_reaches_for_underscore_names_of_another_module():
    taken = {
        (name, f"{other}.{what}")
        for name, found in IMPORTS.items()
        for other, what in found
        if what and what.startswith("_") and what != "__version__"
    }
    taken |= {
        (name, what) for name, path in MODULES.items() for what in attributes(path, name, MODULES)
    }
    assert taken - PRIVATE == set()
    assert PRIVATE - taken == set(), "mended: take it out of PRIVATE"


def test_a_planted_circle_and_a_planted_import_from_above_are_seen(tmp_path):
    (tmp_path / "low.py").write_text("def f():\n    from .high import _g\n")
    (tmp_path / "high.py").write_text("from . import low\nlow._h\n")
    known = modules(tmp_path, "p")
    seen = {name: set(imports(name, path, known)) for name, path in known.items()}
    assert seen == {"p.low": {("p.high", "_g")}, "p.high": {("p.low", None)}}
    assert circle({name: {o for o, _ in found} for name, found in seen.items()})
    assert list(attributes(known["p.high"], "p.high", known)) == ["p.low._h"]
