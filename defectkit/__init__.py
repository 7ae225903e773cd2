"""Find crystal defects, surfaces, interfaces and phases in atomistic simulations without labels.

The public names below are imported on first use, so that ``import defectkit`` stays fast.
"""

from importlib import import_module

from ._deprecated import module_getattr

__version__ = "0.1.0"

_HOME = {
    "SymmetryFunctions": "symmetry",
    "features": "symmetry",
    "NeuralNetworkPotential": "potential",
    "load": "datasets",
    "available": "datasets",
    "moving_average": "averaging",
    "standardise": "embedding",
    "embed": "embedding",
    "embed_all": "embedding",
    "density_balanced_sample": "imbalance",
    "embed_density_balanced": "imbalance",
    "cluster": "clusters",
    "stability_report": "stability",
    "ParametricMap": "parametric",
    "EnvironmentClassifier": "parametric",
    "load_model": "parametric",
    "iter_frames": "io.trajectory",
    "read_frames": "io.trajectory",
    "classify_trajectory": "streaming",
    "label_observer": "streaming",
    "identify": "workflow",
    "open_result": "workflow",
}
_MODULES = (
    "averaging",
    "clusters",
    "datasets",
    "defects",
    "descriptors",
    "embedding",
    "hydrogen_bonds",
    "imbalance",
    "nucleus",
    "parametric",
    "plots",
    "potential",
    "stability",
    "streaming",
    "symmetry",
    "trajectory",
    "view",
    "workflow",
)

__all__ = sorted(_HOME)


_old = module_getattr(
    __name__,
    {
        "equalised_sample": "imbalance.density_balanced_sample",
        "embed_equalised": "imbalance.embed_density_balanced",
    },
    4,
)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    return _old(name)


def __dir__():
    return sorted({*globals(), *_HOME, *_MODULES} - {"import_module", "module_getattr"})
