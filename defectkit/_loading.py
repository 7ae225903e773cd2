"""Imports of compiled modules, which are put off until they are needed."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType:
    """A module of this package, `name` as from its top, imported without looking for garbage.

    numba makes some 100 000 objects, all of which stay; searching them again and again for garbage
    takes longer than loading the compiled functions.
    """
    name = f"{__package__}.{name}"
    search = gc.isenabled() and name not in sys.modules
    if search:
        gc.disable()
    try:
        return import_module(name)
    finally:
        if search:
            gc.freeze()
            gc.unfreeze()  # what there is counts as old now: no search for garbage is due
            gc.enable()
