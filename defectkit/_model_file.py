"""Fitted nets as one file: arrays (.npz without pickle) beside a JSON description."""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import __version__
from ._files import whole
from ._plan import Function
from .n2p2 import Scaling
from .symmetry import SymmetryFunctions

FORMAT = 1  # raise it when an older defectkit could not read the file
_MARK = "defectkit model"


def save_model(path, model):
    """Writes `model`; the file appears only when it is whole."""
    arrays = {"mean": model.mean_, "factor": model.factor_}
    for n, (weight, bias) in enumerate(model.weights_):
        arrays |= {f"weight{n}": weight, f"bias{n}": bias}
    header = {"mark": _MARK, "format": FORMAT, "kind": type(model).__name__,
              "versions": {"defectkit": __version__, "numpy": np.__version__},
              "symmetry": symmetry_as_dict(model.symmetry), "centres": model.centres,
              "window": int(model.window), "hidden": list(model.hidden), "seed": model.seed,
              "n_features": model.n_features_in_, "curve": model.curve_}
    if hasattr(model, "classes_"):
        arrays |= {f"density_{name}": value for name, value in model.density_.items()}
        header |= {"classes": model.classes_.tolist(), "threshold": model.threshold_,
                   "false_alarm": model.false_alarm_,
                   "left_out": list(model.left_out_.items())}
    text = json.dumps(header).encode()
    with whole(path) as partial, open(partial, "wb") as file:
        np.savez(file, header=np.frombuffer(text, np.uint8), **arrays)


def load_model(path, symmetry=None):
    """The fitted `ParametricMap` or `EnvironmentClassifier` of a file.

    The file is a .npz of plain arrays and a JSON description, with symmetry functions, scaling,
    window and versions; reading it executes nothing (no pickle).

    path      as given to `save`
    symmetry  a `SymmetryFunctions`; the model is refused where it was fitted with others

    Raises FileNotFoundError; ValueError for a file that is damaged or something else, one written
    by a newer defectkit, or other symmetry functions.
    """
    from . import parametric

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    header, arrays = _read(path)
    if not isinstance(header, dict) or header.get("mark") != _MARK:
        raise ValueError(f"{path} is no model of defectkit; give a file that save has written.")
    if header["format"] > FORMAT:
        raise ValueError(f"{path} was written by defectkit {header['versions']['defectkit']} in "
                         f"format {header['format']}, this version reads up to {FORMAT}; update "
                         "defectkit.")
    kinds = {c.__name__: c for c in (parametric.ParametricMap, parametric.EnvironmentClassifier)}
    try:
        model = _filled(kinds[header["kind"]], header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise _damaged(path) from err
    if symmetry is not None:
        ours, theirs = symmetry_as_dict(symmetry), header["symmetry"]
        if json.loads(json.dumps(ours)) != theirs:
            raise ValueError(f"{path} was fitted with other symmetry functions; compute features "
                             "with model.symmetry, or fit a model on yours.")
    return model


def _damaged(path):
    return ValueError(f"{path} is damaged or cut off; copy it again, or fit and save the model "
                      "again.")


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(bytes(arrays.pop("header")))
    except zipfile.BadZipFile as err:
        raise _damaged(path) from err
    except (KeyError, TypeError, AttributeError) as err:
        raise ValueError(f"{path} is no model of defectkit; give a file that save has "
                         "written.") from err
    except Exception as err:  # zlib.error, EOFError, struct.error, ValueError, ...
        raise _damaged(path) from err
    return header, arrays


def _filled(kind, header, arrays):
    """An estimator with the numbers of the file, its shapes checked."""
    model = kind(symmetry_from_dict(header["symmetry"]), header["centres"], header["window"],
                 tuple(header["hidden"]), header["seed"])
    model.n_features_in_, model.curve_ = header["n_features"], header["curve"]
    model.mean_, model.factor_ = arrays["mean"], arrays["factor"]
    n_layers = len(header["hidden"]) + 1
    model.weights_ = [(arrays[f"weight{n}"], arrays[f"bias{n}"]) for n in range(n_layers)]
    sizes = [header["n_features"], *header["hidden"]]
    shapes = [weight.shape[0] for weight, _ in model.weights_]
    if shapes != sizes or model.mean_.shape != model.factor_.shape != (sizes[0],):
        raise ValueError("shapes")
    if "classes" in header:
        model.classes_ = np.array(header["classes"])
        model.threshold_, model.false_alarm_ = header["threshold"], header["false_alarm"]
        model.left_out_ = dict(header["left_out"])
        model.density_ = {n: arrays[f"density_{n}"] for n in ("mean", "whiten", "constant")}
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise ValueError("numbers")
    return model


def symmetry_as_dict(symmetry):
    """Everything that decides the features, as JSON can hold it; None for None."""
    if symmetry is None:
        return None
    return {"functions": {e: [asdict(f) for f in fs] for e, fs in symmetry.functions.items()},
            "cutoff_type": symmetry.cutoff_type, "inner": symmetry.inner,
            "elements": list(symmetry.elements),
            "scaling": {e: {k: np.asarray(v).tolist() for k, v in asdict(s).items()}
                        for e, s in symmetry.scaling.items()}}


def symmetry_from_dict(given):
    """The `SymmetryFunctions` of `symmetry_as_dict`."""
    if given is None:
        return None
    functions = {e: [Function(**(f | {"neighbours": tuple(f["neighbours"])})) for f in fs]
                 for e, fs in given["functions"].items()}
    scaling = {e: Scaling(**{k: np.array(v) if isinstance(v, list) else v for k, v in s.items()})
               for e, s in given["scaling"].items()}
    return SymmetryFunctions(functions, given["cutoff_type"], given["inner"], given["elements"],
                             scaling)
