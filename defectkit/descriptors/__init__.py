"""Descriptors of any potential, or your own function, wherever the loop takes symmetry functions.

``from_function`` wraps a function. The adapters import their library when they are called:
``soap``, ``acsf`` (DScribe), ``power_spectrum`` (featomic), ``chgnet``, ``nep`` (calorine),
``snap`` (LAMMPS), ``ace`` (python-ace). `Features` makes any of them a step of a scikit-learn
pipeline.
"""

from importlib import import_module

from .protocol import AtomDescriptor, Descriptor, check_descriptor, from_function, knows
from .records import as_dict, difference, fingerprint, from_dict

_HOME = {
    "soap": "by_dscribe",
    "acsf": "by_dscribe",
    "power_spectrum": "by_featomic",
    "chgnet": "by_chgnet",
    "chgnet_from_file": "by_chgnet",
    "nep": "by_calorine",
    "snap": "by_lammps",
    "ace": "by_pyace",
    "ace_from_file": "by_pyace",
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
