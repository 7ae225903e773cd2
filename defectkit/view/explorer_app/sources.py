"""What the explorer is given, checked and in one form: environments, maps, features on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...averaging.means import frame_index, moving_average
from .quantities import readable

METHODS = ("pca", "umap", "pacmap")
_WINDOWS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, eq=False)
class Source:
    """Labelled environments, the maps that are there, and what others can be made from.

    frames  list of ase.Atoms
    frame, atom  (n,) int, where each environment is
    labels  (n,) int
    maps  {(method, window): (n, 2)}, NaN where an environment has no place
    truth  {name: (n,) int or text}
    columns  names of the features
    windows  averages on offer (frames)
    rows  callable(window, report, stop) that returns features (n, n_features), or None
    cutoff  where the first shell of neighbours ends (Å), or None
    group  (n,) int, atoms of different groups have features that are not compared
    """

    frames: list
    frame: np.ndarray
    atom: np.ndarray
    labels: np.ndarray
    maps: dict
    truth: dict
    columns: list
    windows: list
    rows: Any
    cutoff: float | None
    group: np.ndarray


def from_result(
    result: Any,
    trajectory: Any = None,
    symmetry: Any = None,
    windows: Sequence[int] | None = None,
    truth: Any = None,
) -> Source:
    """Source of a `Result`; `trajectory`, the frames it was made from, opens other choices."""
    method, window = result.info["method"], result.info["window"]
    if trajectory is None and window == 1:
        trajectory = result.frames
    rows, columns, offered = None, [], [window]
    if trajectory is not None:
        fits = window <= len(trajectory)
        starts = frame_index(len(trajectory), window)[::window] if fits else []
        if len(starts) != len(result.frames) or any(
            len(trajectory[t]) != len(atoms)
            or not np.allclose(trajectory[t].positions, atoms.positions, atol=1e-3)
            for t, atoms in zip(starts, result.frames, strict=True)
        ):
            raise ValueError(
                "these are not the frames that the result was made from; give the "
                "file or frames that identify was given."
            )
        steady = len({tuple(atoms.numbers) for atoms in trajectory}) == 1
        offered = _offered(len(trajectory), windows, window) if steady else [window]
        rows = computed(
            trajectory,
            symmetry or _functions(result, trajectory),
            starts[result.frame],
            result.atom,
            steady,
        )
        columns = readable(result.info["features"])
    if rows is None and not np.isfinite(result.map).any():
        raise ValueError(
            "this result has no map, as its environments are too few for one; give "
            "the trajectory that identify was given, to make one."
        )
    return Source(
        result.frames,
        result.frame,
        result.atom,
        np.asarray(result.labels),
        _side_by_side(result, method, window, rows),
        _known(truth, len(result.labels)),
        columns,
        offered,
        rows,
        result.info["cutoff"],
        result.group,
    )


def _functions(result, trajectory):
    """The descriptor that the result was made with, or what `identify` takes by itself."""
    from ...symmetry import SymmetryFunctions

    if result.info.get("descriptor"):
        from ...descriptors import from_dict

        return from_dict(result.info["descriptor"])

    elements = sorted({s for frame in trajectory for s in set(frame.symbols)})
    alloy = any(name.endswith("random alloy") for name in result.info.get("groups", ()))
    make = SymmetryFunctions.element_blind if alloy else SymmetryFunctions.for_elements
    return make(elements, result.info.get("reach"))


def _side_by_side(result, method, window, rows):
    """{(method, window): map} with the maps of several groups beside one another.

    Empty where no environment has a place and a map can be computed.
    """
    Y, shift = np.array(result.map, float), 0.0
    if rows is not None and not np.isfinite(Y).any():
        return {}
    for group in np.unique(result.group):
        mine = (result.group == group) & np.isfinite(Y[:, 0])
        if mine.any():
            low, width = Y[mine].min(axis=0), np.ptp(Y[mine, 0])
            Y[mine] += [shift - low[0], -low[1]] if group or shift else [0.0, 0.0]
            shift = Y[mine, 0].max() + 0.15 * width
    return {(method, window): Y}


def from_arrays(
    frames: Any,
    features: Any = None,
    labels: Any = None,
    maps: Any = None,
    frame: Any = None,
    atom: Any = None,
    truth: Any = None,
    windows: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
) -> Source:
    """Source of plain arrays; without `frame` and `atom` every atom of every frame is one row."""
    frames = list(frames)
    if not frames:
        raise ValueError("there are no frames; give at least one.")
    if (frame is None) != (atom is None):
        raise ValueError("frame and atom belong together; give both or neither.")
    if frame is None:
        frame = np.repeat(np.arange(len(frames)), [len(atoms) for atoms in frames])
        atom = np.concatenate([np.arange(len(atoms)) for atoms in frames])
    frame, atom = np.asarray(frame), np.asarray(atom)
    _check_places(frames, frame, atom)
    n = len(frame)
    rows, offered, names = _rows(features, frame, atom, len(frames), windows)
    if columns is not None and len(columns) != len(names):
        raise ValueError(f"{len(columns)} columns for {len(names)} features; name all or none.")
    names = names if columns is None else readable(list(columns))
    maps = _maps(maps, n, offered[0])
    if not maps and rows is None:
        raise ValueError("there is no map and nothing to make one from; give maps or features.")
    labels = np.zeros(n, int) if labels is None else np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < -1:
        raise ValueError(
            f"labels must be {n} integers from -1 (noise) up, one for each "
            f"environment, got {labels.dtype} of shape {labels.shape}."
        )
    offered = sorted({*offered, *(window for _, window in maps)})
    labels, truth, group = labels.astype(int), _known(truth, n), np.zeros(n, int)
    return Source(frames, frame, atom, labels, maps, truth, names, offered, rows, None, group)


def _check_places(frames, frame, atom):
    """Refuses numbers of frames and atoms that are not there."""
    sizes = np.array([len(atoms) for atoms in frames])
    if frame.shape != atom.shape or frame.ndim != 1 or len(frame) == 0:
        raise ValueError(
            f"frame {frame.shape} and atom {atom.shape} must be lists of the same "
            "length; give one of each for every environment."
        )
    if (
        frame.min() < 0
        or frame.max() >= len(frames)
        or (atom < 0).any()
        or (atom >= sizes[frame]).any()
    ):
        raise ValueError(
            f"frame or atom points beyond the {len(frames)} frames or their atoms; "
            "count both from 0."
        )


def _rows(features, frame, atom, n_frames, windows):
    """Features by window, the windows on offer and the columns' names."""
    if features is None:
        return None, list(windows or [1]), []
    if isinstance(features, list | tuple):
        features = (
            np.stack(features)
            if len({len(part) for part in features}) == 1
            else np.concatenate(features)
        )
    features = np.asarray(features)
    names = [f"feature {k}" for k in range(features.shape[-1])]
    if features.ndim == 2 and len(features) == len(frame):
        return lambda window, report, stop: features, [1], names
    if features.ndim != 3 or len(features) != n_frames:
        raise ValueError(
            f"features of shape {features.shape} fit neither {len(frame)} "
            f"environments nor {n_frames} frames; give (n, n_features) or (n_frames, "
            "n_atoms, n_features)."
        )
    ids = np.unique(atom)
    place = np.searchsorted(ids, atom) if features.shape[1] == len(ids) else atom
    if place.max() >= features.shape[1]:
        raise ValueError(
            f"features of {features.shape[1]} atoms do not match atom {place.max()}; "
            "give features of all labelled atoms."
        )
    return (
        lambda window, report, stop: averaged(features, window, frame, place),
        _offered(n_frames, windows),
        names,
    )


def computed(
    trajectory: Any, symmetry: Any, times: np.ndarray, atoms: np.ndarray, steady: Any
) -> Callable[..., np.ndarray]:
    """Function that computes the features of a trajectory once and then averages them.

    `times`, `atoms`: frame of the trajectory and atom of each environment. Without a `steady`
    list of atoms only the frames asked for are looked at, and there is no average.
    """
    from ...symmetry import SymmetryFunctions, features

    kept = {}

    def rows(window, report, stop):
        sf = symmetry or SymmetryFunctions.for_elements(
            sorted({s for frame in trajectory for s in frame.symbols})
        )
        wanted = np.arange(len(trajectory)) if steady else np.unique(times)
        for done, t in enumerate(wanted):
            if stop():
                from ...embedding.worker import Stopped

                raise Stopped
            if t not in kept:
                report(done / len(wanted), f"features of frame {done + 1} of {len(wanted)}")
                index = np.unique(atoms if steady else atoms[times == t])
                kept[t] = features(trajectory[t], sf, index, 1, False)[0]
        if steady:
            return averaged(
                np.stack([kept[t] for t in wanted]),
                window,
                times,
                np.searchsorted(np.unique(atoms), atoms),
            )
        place = np.zeros(len(atoms), int)
        for t in wanted:
            mine = times == t
            place[mine] = np.searchsorted(np.unique(atoms[mine]), atoms[mine])
        return np.stack([kept[t][p] for t, p in zip(times, place, strict=True)])

    return rows


def averaged(
    features: np.ndarray, window: int, frame: np.ndarray, place: np.ndarray
) -> np.ndarray:
    """Mean features of each environment over the `window` frames around its own.

    At the ends of the trajectory the window is shifted inwards.

    Parameters
    ----------
    features : array (n_frames, n_atoms, n_features)
    window : int
    frame, place : array (n,) of int
        Frame of each environment and its place along the atoms' axis.

    Examples
    --------
    >>> G = np.array([0.0, 3.0, 6.0, 30.0]).reshape(4, 1, 1)
    >>> averaged(G, 3, [0, 1, 2, 3], 4 * [0]).ravel().tolist()
    [3.0, 3.0, 13.0, 13.0]
    """
    if window == 1:
        return features[frame, place]
    means = moving_average(features, window)
    start = np.clip(np.asarray(frame) - (window - 1) // 2, 0, len(means) - 1)
    return means[start, place]


def _offered(n_frames, windows, own=1):
    """Windows to choose from: those asked for, else a few up to half of the trajectory."""
    if windows is None:
        windows = [w for w in _WINDOWS if w <= max(1, n_frames // 2)]
    wrong = [w for w in windows if not 1 <= w <= n_frames]
    if wrong:
        raise ValueError(
            f"a window of {wrong[0]} frames does not fit into {n_frames}; use 1 to {n_frames}."
        )
    return sorted({own, *(int(w) for w in windows)})


def _maps(maps, n, window):
    """{(method, window): map} from a map, {method: map} or {(method, window): map}."""
    if maps is None:
        return {}
    if not isinstance(maps, dict):
        maps = {"map": maps}
    result = {}
    for key, Y in maps.items():
        Y = np.asarray(Y, float)
        if Y.shape != (n, 2):
            raise ValueError(
                f"map {key!r} has shape {Y.shape}, not ({n}, 2); give one row for "
                "each environment, NaN where it has no place."
            )
        if not np.isfinite(Y).all(axis=1).any():
            raise ValueError(f"map {key!r} has no finite place; compute it again.")
        result[key if isinstance(key, tuple) else (key, window)] = Y
    return result


def _known(truth, n):
    truth = {} if truth is None else truth if isinstance(truth, dict) else {"known label": truth}
    for name, values in truth.items():
        if np.shape(values) != (n,):
            raise ValueError(
                f"{name!r} has shape {np.shape(values)}, not ({n},); give one known "
                "label for each environment."
            )
    return {name: np.asarray(values) for name, values in truth.items()}
