"""Whatever is public says which types it takes and gives back."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: What numba compiles: it infers the types, or has them in the decorator.
COMPILED = {"leaf", "part", "fast", "kernel", "njit", "intrinsic"}


def public_modules():
    """Modules with an `__all__`, and those that docs/api.md names."""
    named = set(re.findall(r"automodule:: (\S+)", (ROOT / "docs/api.md").read_text("utf-8")))
    for path in sorted((ROOT / "defectkit").rglob("*.py")):
        if any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for node in ast.parse(path.read_text("utf-8")).body
        ):
            parts = path.relative_to(ROOT).with_suffix("").parts
            named.add(".".join(p for p in parts if p != "__init__"))
    return sorted(named)


def names(module):
    """Its `__all__`, or what it defines itself without an underscore."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    return getattr(module, "__all__", own)


def functions(thing):
    """(name, function) of a function, or of the methods and properties that a class defines."""
    if not inspect.isclass(thing):
        if inspect.isfunction(thing):
            yield thing.__qualname__, thing
        return
    for name, member in vars(thing).items():
        if isinstance(member, property):
            member = member.fget
        member = inspect.unwrap(getattr(member, "__func__", member))
        written = inspect.isfunction(member) and not member.__code__.co_filename.startswith("<")
        if written and (not name.startswith("_") or name in ("__init__", "__call__")):
            if member.__module__ != "typing":  # which gives a Protocol its __init__
                yield member.__qualname__, member


def untyped(function):
    """Its parameters, and "return", that have no annotation."""
    signature = inspect.signature(function)
    bare = [
        p.name
        for n, p in enumerate(signature.parameters.values())
        if p.annotation is p.empty and not (n == 0 and p.name in ("self", "cls"))
    ]
    none = signature.return_annotation is signature.empty and function.__name__ != "__init__"
    return bare + ["return"] * none


def bare_functions(module):
    found = {}
    for name in names(module):
        for qualified, function in functions(getattr(module, name)):
            if missing := untyped(function):
                found[qualified] = missing
    return found


@pytest.mark.parametrize("name", public_modules())
def test_public_functions_are_annotated(name):
    assert bare_functions(import_module(name)) == {}


def bare_definitions(text):
    """Functions and methods of a module without underscore that are not annotated, by its text."""
    tree = ast.parse(text)
    owners = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    for node in (node for owner in (tree, *owners) for node in owner.body):
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if {ast.unparse(d).split("(")[0] for d in node.decorator_list} & COMPILED:
            continue
        a = node.args
        given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        if not node.returns or any(
            x.annotation is None and x.arg not in ("self", "cls") for x in given
        ):
            yield node.name


@pytest.mark.parametrize(
    "path",
    [p for p in sorted((ROOT / "defectkit").rglob("*.py")) if "kernels" not in str(p)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_what_other_modules_may_call_is_annotated(path):
    assert list(bare_definitions(path.read_text("utf-8"))) == []


def test_a_bare_definition_is_seen():
    text = "def f(a: int, *, b=1) -> int: ...\nclass A:\n    def g(self): ...\n"
    assert list(bare_definitions(text)) == ["f", "g"]
    assert list(bare_definitions("def f(a: int) -> int: ...\ndef _g(x): ...\n")) == []


def test_a_missing_annotation_is_seen():
    class Planted:
        def __init__(self, x):
            pass

        @classmethod
        def made(cls, y: int):
            return cls(y)

        @property
        def size(self):
            return 1

        def _inner(self, z):
            return z

    def whole(a: int, *rest: int, flag: bool = True, **options: int) -> int:
        return a

    found = {name.rpartition(".")[2]: untyped(function) for name, function in functions(Planted)}
    assert found == {"__init__": ["x"], "made": ["return"], "size": ["return"]}
    assert untyped(whole) == []
    for gone, missing in (("rest", ["rest"]), ("flag", ["flag"]), ("return", ["return"])):
        kept = whole.__annotations__.pop(gone)
        assert untyped(whole) == missing
        whole.__annotations__[gone] = kept


def test_the_walk_reaches_what_people_call():
    import defectkit

    reached = {name for m in public_modules() for name in names(import_module(m))}
    assert {*defectkit.__all__, "locate_vacancies", "wigner_seitz", "atoms3d"} <= reached
    methods = dict(functions(defectkit.SymmetryFunctions))
    assert {"SymmetryFunctions.__call__", "SymmetryFunctions.from_n2p2"} <= methods.keys()
