"""Compiled modules are imported without searches for garbage, which go on afterwards."""

import gc
import sys

import pytest

from defectkit import _loading


@pytest.mark.parametrize("search", [True, False])
def test_searches_for_garbage_are_left_as_they_were(monkeypatch, search):
    seen = []

    def import_module(name):
        seen.append((name, gc.isenabled()))
        return sys

    monkeypatch.setattr(_loading, "import_module", import_module)
    before = gc.isenabled()
    try:
        (gc.enable if search else gc.disable)()
        assert _loading.load("not_yet") is sys
        assert gc.isenabled() == search
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == [("defectkit.not_yet", False)]


def test_a_failing_import_leaves_them_on():
    gc.enable()
    with pytest.raises(ModuleNotFoundError):
        _loading.load("no_such_module")
    assert gc.isenabled()
