"""Map, atoms and time linked in a notebook: the widgets; what they do to data is elsewhere."""

import html
import threading
from functools import partial

import numpy as np

from ...embedding.worker import Stopped, compute
from ..choosers import require
from . import drawing as draw
from . import sources
from . import state as env
from .figure import still
from .layout import layout


def explorer(source, features=None, labels=None, maps=None, frame=None, atom=None, *, truth=None,
             names=None, trajectory=None, symmetry=None, windows=None, columns=None,
             max_points=40_000, max_atoms=50_000, region=2_000, seed=0, height=420):
    """Map of environments, the atoms of one frame and time, each following the others.

    Lasso points of the map (second button of its toolbar) or click atoms: in both pictures the
    others fade, and `.selection` tells which environments were chosen. A method or window without
    a map is computed in another process, with progress and a button to cancel.

    Parameters
    ----------
    source : Result of :func:`defectkit.identify`, or list of ase.Atoms
        With a `Result` give nothing but `truth`, `trajectory` and what follows it.
    features : array (n, n_features) or (n_frames, n_atoms, n_features), optional
        One row an environment; or by frame and labelled atom, to average over windows.
    labels : array (n,) of int, optional
        Cluster of each environment, -1 is noise.
    maps : array (n, 2), {method: array} or {(method, window): array}, optional
        Maps that are ready; NaN where an environment has no place.
    frame, atom : array (n,) of int, optional
        Where each environment is. Default: all atoms of all frames, in their order.
    truth : array (n,) or {name: array}, optional
        Known labels, numbers or words.
    names : dict {cluster: name} or sequence of str, optional
    trajectory : list of ase.Atoms, optional
        The frames a `Result` was made from; with it other methods and windows can be computed.
    symmetry : SymmetryFunctions, optional
        Default as `identify`.
    windows : sequence of int, optional
        Averages to choose from (frames).
    columns : sequence of str, optional
        Names of the features.
    max_points, max_atoms, region : int
        Points and atoms drawn at most, and atoms of the choice "near the chosen"; a line below
        each picture says what is left out.
    seed : int
    height : int, of the pictures (pixels)

    Returns
    -------
    ipywidgets.VBox
        `.selection`: `.index`, `.frame`, `.atom` of the chosen environments. `.labels`,
        `.names`: clusters as they are now. As a user does, without a browser:
        ``.choose(method=, window=, colour=, frame=, atoms=)``, ``.select(frame=, atoms=)`` or
        ``.select(index=)`` or ``.select(cluster=)``, ``.rename(cluster, name)``,
        ``.merge(clusters)``, ``.part_off(name)`` (the chosen become a cluster),
        ``.cluster_map()``, ``.cancel()``, ``.wait()``, ``.export(path)``, and ``.figure()``, the
        still twin.

    Raises
    ------
    ImportError
        nglview, jupyter-scatter or ipywidgets is missing.
    ValueError
        Arrays that do not fit one another, or nothing to draw.
    """
    if hasattr(source, "info"):
        data = sources.from_result(source, trajectory, symmetry, windows, truth)
    else:
        data = sources.from_arrays(source, features, labels, maps, frame, atom, truth, windows,
                                   columns)
    if min(max_points, max_atoms, region) < 1:
        raise ValueError("max_points, max_atoms and region must be at least 1.")
    for package in ("jscatter", "nglview"):
        require(package)
    widgets = require("ipywidgets")
    box = widgets.VBox()
    _start(box, data, names)
    box.limits = {"points": max_points, "atoms": max_atoms, "region": region}
    box.seed, box.height = seed, height
    for name, function in {"choose": choose, "select": select, "rename": rename, "merge": merge,
                           "part_off": part_off, "cluster_map": cluster_map, "undo": undo,
                           "redo": redo, "cancel": cancel,
                           "wait": wait, "export": export, "figure": still,
                           "choose_rows": choose_rows}.items():
        setattr(box, name, partial(function, box))
    box.children = layout(box, widgets)
    draw.connect(box)
    _follow(box)
    draw.draw_map(box)
    draw.draw_atoms(box)
    draw.say(box)
    return box


def _start(box, data, names):
    """The explorer's state: what is known, offered, shown and chosen at first."""
    box.data, box.labels, box.maps = data, data.labels.copy(), dict(data.maps)
    box.names = dict(names if isinstance(names, dict) else enumerate(names or ()))
    box.lock, box.following = threading.RLock(), None
    box.job = box.error = box.scene = box.scatter = None
    box.X = {}  # features at one window, for colours
    box.changes, box.undone = [], []  # (labels, names) before and after each change
    box.thinned = {}  # points that are drawn, by map
    box.selection = _selection(box, [])
    methods = list(dict.fromkeys([*(method for method, _ in box.maps),
                                  *(sources.METHODS if data.rows else ())]))
    if not box.maps:  # a first one that takes no time
        key = "pca", data.windows[0]
        box.maps[key] = compute(data.rows(key[1], lambda *_: None, lambda: False), "pca")
    first = next(iter(box.maps))
    kinds = ["labelled", "all", "near the chosen"]
    complete = len(data.frame) == sum(map(len, data.frames))
    box.options = {"method": methods, "window": list(data.windows),
                   "colour": list(dict.fromkeys(["cluster", *data.truth, *data.columns])),
                   "frame": np.unique(data.frame).tolist(),
                   "atoms": [k for k in kinds if not (k == "all" and complete)]}
    box.choice = {"method": first[0], "window": first[1], "colour": "cluster",
                  "frame": box.options["frame"][0], "atoms": "labelled"}


def choose(box, **choice):
    """Another method, window, colour, frame or kind of atoms, as by the menus."""
    for name, value in choice.items():
        if name not in box.options:
            raise ValueError(f"unknown option {name!r}; choose from {', '.join(box.options)}.")
        if value not in box.options[name]:
            offered = ", ".join(map(str, box.options[name][:8]))
            raise ValueError(f"{name}={value!r} is not offered; choose from {offered}"
                             f"{' and others' if len(box.options[name]) > 8 else ''}.")
    with box.lock:
        wanted = box.choice | choice
        key = wanted["method"], wanted["window"]
        if {"method", "window"} & set(choice):
            cancel(box)
        if key in box.maps and not _lacks_features(box, wanted):
            return _apply(box, wanted)
        if box.data.rows is None:
            _follow(box)
            raise ValueError(f"there is no map of {key[0]} with a window of {key[1]}, and nothing "
                             "to make it from; give the trajectory or features.")
        if box.job is None:
            _apply(box, box.choice | {name: wanted[name] for name in ("frame", "atoms")})
            _follow(box, wanted)
            box.job = job = {"wanted": wanted, "stop": threading.Event()}
            job["thread"] = threading.Thread(target=_work, args=(box, job), daemon=True)
            box.error, box.progress.layout.display = None, ""
            box.cancel_button.layout.display = ""
            job["thread"].start()


def _lacks_features(box, wanted):
    return wanted["colour"] in box.data.columns and wanted["window"] not in box.X


def _work(box, job):
    """In a thread: features, average and map that are missing; then they are shown."""
    wanted, stop = job["wanted"], job["stop"].is_set
    key = wanted["method"], wanted["window"]

    def report(share, text):
        box.progress.value = share or 0.0
        box.progress.bar_style = "info" if share is None else ""
        box.status.value = f"computing {html.escape(text)} ..."

    try:
        report(None, f"{key[0]}, window {key[1]}")
        X = box.data.rows(key[1], report, stop)
        Y = box.maps.get(key)
        if Y is None:
            drawn = np.sort(np.random.default_rng(box.seed).permutation(len(X))
                            [:box.limits["points"]])
            Y = np.full((len(X), 2), np.nan)
            Y[drawn] = compute(X[drawn], key[0], box.seed, report, stop)
        with box.lock:
            if stop():
                raise Stopped
            box.maps[key], box.X = Y, {key[1]: X}
            box.thinned.pop(key, None)
            _end(box, job)
            _apply(box, box.choice | {n: wanted[n] for n in ("method", "window", "colour")})
    except Stopped:
        pass
    except Exception as error:
        with box.lock:
            box.error = error
            _end(box, job)
            _follow(box)
            draw.say(box, f"{type(error).__name__}: {error}", bad=True)


def _end(box, job):
    if box.job is job:
        box.job = None
    box.progress.layout.display = box.cancel_button.layout.display = "none"


def cancel(box):
    """Stop computing; the map that was there stays."""
    with box.lock:
        job = box.job
        if job is not None:
            job["stop"].set()
            _end(box, job)
            _follow(box)
            draw.say(box, "cancelled: the map is the one from before")


def wait(box, timeout=None):
    """Until the map that is being computed is there; raises what went wrong."""
    job = box.job
    if job is not None:
        job["thread"].join(timeout)
    if box.error is not None:
        raise box.error


def _apply(box, wanted):
    """Show a choice all of which is ready; only what changes is drawn."""
    old, box.choice = box.choice, wanted
    changed = {name for name in wanted if wanted[name] != old[name]}
    _follow(box)
    if {"method", "window"} & changed:
        draw.draw_map(box)
    elif "colour" in changed:
        draw.colour_map(box)
    if changed != {"method"}:
        draw.draw_atoms(box, moved=bool({"frame", "atoms"} & changed))
    draw.say(box)


def _follow(box, choice=None):
    """The menus show the present choice, or the one that is being computed."""
    with draw.following(box):
        for name, value in (choice or box.choice).items():
            box.controls[name].value = value


def select(box, frame=None, atoms=None, index=None, cluster=None, add=False):
    """Choose environments: atoms of frames, rows, or a cluster; without any, none."""
    if index is not None:
        rows = np.unique(np.asarray(index, int))
        if len(rows) and not 0 <= rows[0] <= rows[-1] < len(box.labels):
            raise ValueError(f"index {rows[0]} to {rows[-1]} goes beyond the {len(box.labels)} "
                             "environments; count from 0.")
    elif cluster is not None:
        env.known(box.labels, [cluster])
        rows = np.flatnonzero(box.labels == cluster)
    elif frame is None and atoms is None:
        rows = np.empty(0, int)
    else:
        rows = env.rows_of(box.data.frame, box.data.atom, frame, atoms)
    with box.lock:
        choose_rows(box, np.union1d(box.selection.index, rows) if add else rows)


def _selection(box, rows):
    rows = np.asarray(rows, int)
    return env.Selection(rows, box.data.frame[rows], box.data.atom[rows])


def choose_rows(box, rows, mark=True):
    """Choose these rows; without `mark` the map shows them already."""
    with box.lock:
        box.selection = _selection(box, rows)
        if mark:
            draw.mark_map(box)
        draw.draw_atoms(box, moved=box.choice["atoms"] == "near the chosen")
        draw.say(box)


def _relabelled(box):
    draw.colour_map(box)
    draw.draw_atoms(box, moved=False)
    draw.say(box)


def _change(box, labels, names):
    """New labels and names, which `undo` takes back."""
    with box.lock:
        box.undone, box.changes = [], [*box.changes, (box.labels, box.names)]
        box.labels, box.names = labels, names
        _relabelled(box)


def undo(box):
    """Take back the last change of clusters or names."""
    _step(box, box.changes, box.undone, "undo")


def redo(box):
    """Make the change again that `undo` took back."""
    _step(box, box.undone, box.changes, "redo")


def _step(box, source, target, what):
    with box.lock:
        if not source:
            raise ValueError(f"there is nothing to {what}.")
        target.append((box.labels, box.names))
        box.labels, box.names = source.pop()
        _relabelled(box)


def rename(box, cluster, name):
    """Give a cluster a name, in every view and file."""
    with box.lock:
        _change(box, box.labels, env.rename(box.names, box.labels, cluster, name))


def merge(box, clusters):
    """Join clusters under the number, colour and name of the first."""
    with box.lock:
        _change(box, env.merge(box.labels, clusters), box.names)


def part_off(box, name=None):
    """The chosen environments become a cluster of their own; returns its number."""
    with box.lock:
        labels, number = env.part_off(box.labels, box.selection.index)
        names = {c: text for c, text in box.names.items() if c != number}
        if name:
            names = env.rename(names, labels, number, name)
        _change(box, labels, names)
    return number


def cluster_map(box):
    """New clusters, those of the map that is shown (`dk.cluster`); names are forgotten.

    Environments that have no place in the map get the label of most of their ten nearest that
    have one, in the space of features, as in `identify`. Without features they become noise, and
    that is said.
    """
    from ...clusters import cluster, knn_labels
    from ...embedding import standardise

    Y = draw.map_of(box)
    drawn = np.isfinite(Y[:, 0])
    labels, note = np.full(len(Y), -1), ""
    labels[drawn] = cluster(Y[drawn])
    if not drawn.all():
        X = _features_at_hand(box)
        if X is None:
            note = (f"{(~drawn).sum()} environments have no place in this map and no features: "
                    "they are noise now; undo takes it back")
        else:
            Z = standardise(X, X[drawn])
            labels[~drawn] = knn_labels(Z[drawn], labels[drawn], Z[~drawn])[0]
    _change(box, labels, {})
    if note:
        draw.say(box, note)


def _features_at_hand(box):
    """Features at the window that is shown, or None where there is nothing to make them from."""
    window = box.choice["window"]
    if window not in box.X and box.data.rows is not None:
        box.X = {window: box.data.rows(window, lambda *_: None, lambda: False)}
    return box.X.get(window)


def export(box, path):
    """Write labels and map; the ending decides: .extxyz, .csv, or .json for chemiscope."""
    env.export(path, box.data.frames, box.data.frame, box.data.atom, box.labels, box.names,
               draw.map_of(box), box.selection.index, box.data.cutoff)
    draw.say(box, f"{path} is written")
