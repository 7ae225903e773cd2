"""Fitted nets as one file: arrays beside a JSON description, see `io.archive`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from .._types import FilePath
from ..descriptors import Descriptor, as_dict, difference, from_dict
from ..io.archive import Refused, read_archive, write_archive
from ..io.atomic_write import user_path
from .novelty import Space

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["fingerprint", "read_model", "write_model"]

FORMAT = 3  # raise it when an older defectkit could not read the file
_MARK = "defectkit model"
_OWN = ("symmetry", "centres", "window", "hidden", "seed")  # have their own place in the header
_SPACE = ("scale", "centre", "factor", "mean", "whiten", "constant")


def write_model(path: FilePath, model: BaseEstimator) -> None:
    """Writes a fitted estimator as .npz, whole or not at all; ValueError for another ending."""
    path = user_path(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path} is not a name for a model; end it in .npz.")
    header, arrays = _described(model)
    write_archive(path, header, arrays, compress=False)


def fingerprint(model: BaseEstimator) -> str:
    """Digest of all that decides what a fitted estimator answers, and of what it is fitted to."""
    header, arrays = _described(model)
    wanted = ("kind", "symmetry", "centres", "n_features", "classes", "thresholds", "line")
    digest = hashlib.sha256(json.dumps([header.get(name) for name in wanted]).encode())
    for name in sorted(arrays):
        digest.update(
            f"{name}{arrays[name].shape}".encode() + np.ascontiguousarray(arrays[name]).tobytes()
        )
    return digest.hexdigest()[:16]


def _described(model):
    arrays = {"mean": model.mean_, "factor": model.factor_}
    for n, (weight, bias) in enumerate(model.weights_):
        arrays |= {f"weight{n}": weight, f"bias{n}": bias}
    parameters = model.get_params(deep=False)
    header = {
        "mark": _MARK,
        "format": FORMAT,
        "kind": type(model).__name__,
        "versions": {"defectkit": __version__, "numpy": np.__version__},
        "symmetry": as_dict(parameters.pop("symmetry")),
        "centres": parameters.pop("centres"),
        "window": int(parameters.pop("window")),
        "hidden": list(parameters.pop("hidden")),
        "seed": parameters.pop("seed"),
        "parameters": parameters,
        "n_features": model.n_features_in_,
        "curve": model.curve_,
    }
    if hasattr(model, "classes_"):
        for n, space in enumerate(model.novelty_):
            arrays |= {f"space{n}_{name}": getattr(space, name) for name in _SPACE}
        header |= {
            "classes": model.classes_.tolist(),
            "false_alarm": model.false_alarm_,
            "thresholds": [space.threshold for space in model.novelty_],
            "left_out": list(model.left_out_.items()),
        }
    else:
        header |= {"line": model.line_}
    return header, arrays


def read_model(path: FilePath, kinds: Iterable[type], symmetry: Descriptor | None = None) -> Any:
    """The fitted estimator of a file, one of the classes `kinds`; see `load_model`."""
    header, arrays = read_archive(path, "model", partial(_check, path))
    try:
        model = _filled({kind.__name__: kind for kind in kinds}[header["kind"]], header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as err:
        raise ValueError(
            f"{path} is damaged or cut off; copy it again, or fit and save the model again."
        ) from err
    if symmetry is not None:
        # Read and described again, a file of an earlier version has today's entries too.
        other = difference(as_dict(model.symmetry), as_dict(symmetry))
        if other:
            raise ValueError(
                f"{path} was fitted with other symmetry functions or another "
                f"descriptor ({other}); compute features with model.symmetry, or fit "
                "a model on yours."
            )
        model.symmetry = symmetry
    return model


def _check(path, header, shapes):
    """Refuses other kinds of archives, and arrays that are not those of the header."""
    if not isinstance(header, dict) or header.get("mark") != _MARK:
        raise Refused(f"{path} is no model of defectkit; give a file that save has written.")
    if _whole_number(header["format"]) > FORMAT:
        raise Refused(
            f"{path} was written by a newer defectkit in format {header['format']}, "
            f"this version reads up to {FORMAT}; update defectkit."
        )
    n = _whole_number(header["n_features"], 1)
    hidden = [_whole_number(size, 1) for size in header["hidden"]]
    (n_out,) = shapes[f"bias{len(hidden)}"]
    sizes = [n, *hidden, n_out]
    wanted: dict[str, tuple[int, ...]] = {"mean": (n,), "factor": (n,)}
    for i, shape in enumerate(zip(sizes, sizes[1:], strict=False)):
        wanted |= {f"weight{i}": shape, f"bias{i}": shape[1:]}
    if "classes" in header:
        if len(header["classes"]) != n_out:
            raise ValueError("classes")
        for prefix, names in _spaces(header):
            parts = shapes[f"{prefix}_constant"][1]
            found = {
                "scale": (n,),
                "centre": (n,),
                "factor": (n,),
                "mean": (n_out, parts, n),
                "whiten": (n_out, parts, n, n),
                "constant": (n_out, parts),
            }
            wanted |= {f"{prefix}_{name}": found[name] for name in names}
    if shapes != wanted:
        raise ValueError("shapes")


def _filled(kind, header, arrays):
    """An estimator with the numbers of the file; raises where they make no sense."""
    for array in arrays.values():
        if array.dtype not in (np.float32, np.float64) or not np.isfinite(array).all():
            raise ValueError("numbers")
    known = kind().get_params(deep=False)
    parameters = {
        k: _parameter(v)
        for k, v in header.get("parameters", {}).items()
        if k in known and k not in _OWN
    }
    model = kind(
        from_dict(header["symmetry"]),
        _text_or_none(header["centres"]),
        _whole_number(header["window"], 1),
        tuple(header["hidden"]),
        _whole_number(header["seed"]),
        **parameters,
    )
    model.n_features_in_ = header["n_features"]
    model.curve_ = {str(k): [float(x) for x in v] for k, v in header["curve"].items()}
    model.mean_, model.factor_ = arrays["mean"], arrays["factor"]
    model.weights_ = [
        (arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(len(header["hidden"]) + 1)
    ]
    if ("classes" in header) != hasattr(kind, "is_novel"):
        raise ValueError("classes")
    if "classes" not in header:
        model.line_ = header.get("line", False)
        if model.line_ not in (True, False) or (model.line_ and len(model.weights_[-1][1]) != 1):
            raise ValueError("line")
        return model
    model.classes_ = np.array(header["classes"])
    if model.classes_.dtype.kind not in "iUb" or len(set(header["classes"])) < 2:
        raise ValueError("classes")
    model.false_alarm_ = _number(header["false_alarm"])
    model.left_out_ = {c: _number(share) for c, share in header["left_out"]}
    given = {
        "scale": np.zeros(model.n_features_in_),
        "centre": model.mean_,
        "factor": model.factor_,
    }  # where the file, of format 1, has none
    thresholds = header.get("thresholds", [header.get("threshold")])
    model.novelty_ = [
        Space(
            **given | {name: arrays[f"{prefix}_{name}"] for name in names},
            threshold=_number(threshold),
        )
        for (prefix, names), threshold in zip(_spaces(header), thresholds, strict=True)
    ]
    return model


def _spaces(header):
    """Prefix of the arrays of each space, and which there are."""
    if header["format"] == 1:
        return [("density", _SPACE[3:])]
    return [(f"space{n}", _SPACE) for n in range(len(header["thresholds"]))]


def _parameter(value):
    if not isinstance(value, bool | int | float | None):
        raise ValueError(f"{value!r} is not a parameter")
    return value


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
