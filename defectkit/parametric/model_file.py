"""Fitted nets as one file: arrays (.npz without pickle) beside a JSON description."""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import __version__
from ..io.atomic_write import atomic_write
from ..symmetry.functions import SymmetryFunctions
from ..symmetry.kernel_tables import Function
from ..symmetry.n2p2_files import _ARGUMENTS, _SUBTYPES, Scaling

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
    with atomic_write(path) as partial, open(partial, "wb") as file:
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
    from . import estimators as parametric

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the path.")
    header, arrays = _read(path)
    if not isinstance(header, dict) or header.get("mark") != _MARK:
        raise ValueError(f"{path} is no model of defectkit; give a file that save has written.")
    kinds = {c.__name__: c for c in (parametric.ParametricMap, parametric.EnvironmentClassifier)}
    try:
        newer = _whole_number(header["format"]) > FORMAT
        model = None if newer else _filled(kinds[header["kind"]], header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as err:
        raise _damaged(path) from err
    if newer:
        raise ValueError(f"{path} was written by a newer defectkit in format {header['format']}, "
                         f"this version reads up to {FORMAT}; update defectkit.")
    if symmetry is not None:
        # Read and described again, a file of an earlier version has today's entries too.
        ours, theirs = symmetry_as_dict(symmetry), symmetry_as_dict(model.symmetry)
        if json.dumps(ours) != json.dumps(theirs):
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
    """An estimator with the numbers of the file; raises where they do not fit together."""
    hidden = [_whole_number(n, 1) for n in header["hidden"]]
    model = kind(symmetry_from_dict(header["symmetry"]), _text_or_none(header["centres"]),
                 _whole_number(header["window"], 1), tuple(hidden), _whole_number(header["seed"]))
    n = model.n_features_in_ = _whole_number(header["n_features"], 1)
    model.curve_ = {str(k): [float(x) for x in v] for k, v in header["curve"].items()}
    model.mean_, model.factor_ = _fit(arrays, "mean", (n,)), _fit(arrays, "factor", (n,))
    n_out = len(header["classes"]) if "classes" in header else len(arrays[f"bias{len(hidden)}"])
    sizes = [n, *hidden, n_out]
    model.weights_ = [(_fit(arrays, f"weight{i}", shape), _fit(arrays, f"bias{i}", shape[1:]))
                      for i, shape in enumerate(zip(sizes, sizes[1:], strict=False))]
    if ("classes" in header) != hasattr(kind, "unlike"):
        raise ValueError("classes")
    if "classes" in header:
        model.classes_ = np.array(header["classes"])
        if model.classes_.dtype.kind not in "iUb" or len(set(header["classes"])) < 2:
            raise ValueError("classes")
        model.threshold_, model.false_alarm_ = (_number(header[k]) for k in ("threshold",
                                                                            "false_alarm"))
        model.left_out_ = {c: _number(share) for c, share in header["left_out"]}
        parts = arrays["density_constant"].shape[1]
        shape = (n_out, parts, n)
        model.density_ = {"mean": _fit(arrays, "density_mean", shape),
                          "whiten": _fit(arrays, "density_whiten", (*shape, n)),
                          "constant": _fit(arrays, "density_constant", (n_out, parts))}
    return model


def _fit(arrays, name, shape):
    array = arrays[name]
    if (array.shape != shape or array.dtype not in (np.float32, np.float64)
            or not np.isfinite(array).all()):
        raise ValueError(name)
    return array


def _whole_number(value, least=0):
    if type(value) is not int or value < least:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _number(value):
    if type(value) not in (int, float) or not np.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return value


def _text_or_none(value):
    if not isinstance(value, str | None):
        raise ValueError(f"{value!r} is not a text")
    return value


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
    """The `SymmetryFunctions` of `symmetry_as_dict`; ValueError or TypeError for anything else."""
    if given is None:
        return None
    elements = [str(e) for e in given["elements"]]
    functions = {e: [_function(f, elements) for f in fs] for e, fs in given["functions"].items()}
    scaling = {e: Scaling(*(_scale(s[name], len(functions[e])) for name in (
        "offset", "factor", "low", "minimum", "maximum"))) for e, s in given["scaling"].items()}
    inner = _number(given["inner"])
    if _whole_number(given["cutoff_type"]) > 8 or not 0 <= inner < 1:
        raise ValueError("cutoff function")
    return SymmetryFunctions(functions, given["cutoff_type"], inner, elements, scaling)


def _function(given, elements):
    f = Function(**(given | {"neighbours": tuple(given["neighbours"])}))
    for name in ("rc", "rl", "eta", "rs", "lam", "zeta", "left", "right"):
        _number(getattr(f, name))
    known = _ARGUMENTS[f.kind].split()
    if (f.rc <= 0 or not {f.centre, *f.neighbours} <= set(elements)
            or len(f.neighbours) != ("e1" in known) + ("e2" in known)
            or f.weight not in ("Z", "1")
            or f.core != _SUBTYPES.get(f.sub, 0) or (f.kind >= 20) != (f.core > 0)):
        raise ValueError("function")
    return f


def _scale(value, n):
    if not isinstance(value, list):
        return _number(value)
    if len(value) != n:
        raise ValueError("scaling")
    return np.array([_number(x) for x in value], float)
