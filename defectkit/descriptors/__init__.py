"""Descriptors of any potential, or your own function, wherever the loop takes symmetry functions.

``from_function`` wraps a function. The adapters import their library when they are called:
``soap``, ``acsf``, ``lmbtr`` (DScribe), ``power_spectrum``, ``spherical_expansion`` (featomic),
``ace`` (python-ace), ``snap`` (LAMMPS), ``nep`` (calorine), and the networks ``chgnet``,
``sevennet``, ``mace``, ``mattersim_from_file``. ``neighbour_averaged`` smooths any of them in
space; `Features` makes any of them a step of a scikit-learn pipeline.
"""

from importlib import import_module

from .protocol import AtomDescriptor, Descriptor, check_descriptor, from_function, knows
from .records import as_dict, difference, fingerprint, from_dict

_HOME = {
    "soap": "by_dscribe",
    "acsf": "by_dscribe",
    "lmbtr": "by_dscribe",
    "power_spectrum": "by_featomic",
    "spherical_expansion": "by_featomic",
    "chgnet": "by_chgnet",
    "chgnet_from_file": "by_chgnet",
    "sevennet": "by_sevenn",
    "sevennet_from_file": "by_sevenn",
    "mace": "by_mace",
    "mace_from_file": "by_mace",
    "mattersim_from_file": "by_mattersim",
    "nep": "by_calorine",
    "snap": "by_lammps",
    "ace": "by_pyace",
    "ace_from_file": "by_pyace",
    "neighbour_averaged": "by_neighbours",
    "Features": "transformer",
}

__all__ = [
    "AtomDescriptor",
    "Descriptor",
    "as_dict",
    "check_descriptor",
    "difference",
    "fingerprint",
    "from_dict",
    "from_function",
    "knows",
    *_HOME,
]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module 'defectkit.descriptors' has no attribute {name!r}")
