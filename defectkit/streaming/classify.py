"""Labels frame by frame: in this process, by Dask's workers, or while ASE's dynamics run."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase.units import Bohr

from .._progress import tqdm
from .._types import Elements, FilePath, Source, Topology
from ..averaging.means import stream_average
from ..io.continuity import OrderCheck
from ..io.trajectory import parse, raw_frames
from .origin import ReadFrames, run_description
from .output import Writer, frame_text
from .table import class_columns, read_table, table_rows

if TYPE_CHECKING:
    from ase import Atoms

    from ..parametric.estimators import EnvironmentClassifier
    from .table import Row

__all__ = ["classify_trajectory", "label_observer"]

NOT_A_CENTRE = -2
_TASK_BYTES = 8_000_000
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT_BYTES = 1 << 25  # the largest that the second of them takes


def classify_trajectory(
    source: Source,
    model: EnvironmentClassifier | FilePath,
    window: int | None = None,
    output: FilePath = "labelled.extxyz",
    topology: Topology = None,
    elements: Elements = None,
    length_unit: float = Bohr,
    defect: Any = None,
    client: Any = None,
    chunk: int | None = None,
    progress: bool | None = None,
    trust_order: bool = False,
) -> pd.DataFrame:
    """Table of the classes in each frame; labels of its atoms go to `output`.

    Frame by frame: features, their running average, classes. Memory does not grow with the
    length of the trajectory, except for the table that is returned at the end.

    Parameters
    ----------
    source, topology, elements, length_unit
        As `trajectory.iter_frames`: a file, or frames.
    model : EnvironmentClassifier with symmetry functions, or the path of a saved one
    window : int, optional
        Frames in the average; default the model's own. Each average belongs to the middle frame,
        so the first and last frames of the trajectory have none.
    output : path
        Extended XYZ with the columns `label` (index into ``model.classes_``; -2 for atoms that are
        no centres), `novel` (1 where it is unlike anything the model was shown) and
        `probability`. Beside it the table, OUTPUT.csv, and OUTPUT.progress, from which a run that
        was killed goes on: the same call again neither loses nor repeats a frame. A call with
        another input, model or window is refused, and so is one while another writes there.
    defect : class or sequence of classes, optional
        Whose atoms are a defect: adds the columns vacancies, interstitials and sites
        (`defects.locate_defects`; positions in Å).
    client : dask.distributed.Client, optional
        Its workers share the frames, in chunks of `chunk`; this process reads and writes. A chunk
        whose worker dies is computed again.
    chunk : int, optional
        Default: 16 frames, or 8 to 16 for each that two chunks share, fewer of large ones.
    progress : bool, optional
        A bar; by default where it takes more than 2 s.
    trust_order : bool
        True: atoms are taken to come in the same order in every frame. Default: where frames are
        averaged, each has to follow from the one before (`io.continuity.OrderCheck`).

    Returns
    -------
    pandas.DataFrame: frame, the number of atoms in each class, novel, and with `defect` the sites,
    one row for each frame. A class named like one of these columns has "class" before it. In the
    CSV file a name that a spreadsheet would take for a formula has ' before it; `read_table`
    takes it off.

    Raises
    ------
    ValueError
        A model without symmetry functions; an unknown class; an output that another call has
        made or is writing; fewer frames than `window`; a frame that does not follow from the one
        before, after those before it have been written; what `iter_frames` raises. A file that
        breaks off gives its whole frames and a warning.
    """
    model = _model(model)
    window = _window(model.window if window is None else window)
    defect = _flagged(model, defect)
    task = (model, window, defect, trust_order)
    raws = raw_frames(source, topology, elements, length_unit)
    with Writer(
        output, run_description(source, model, window, defect, topology, elements, length_unit)
    ) as writer:
        read = ReadFrames(raws, writer.state, window, writer.output)
        if client is None:
            push = _labeller(*task, writer.done)
            done = (made for raw in read if (made := push(parse(raw))) is not None)
        else:
            done = _distributed(client, read, task, writer.done, chunk)
        for frame in tqdm(
            done,
            desc="classify",
            unit="frame",
            delay=2,
            initial=writer.done,
            disable=progress is False,
        ):
            writer.write(*frame, *read.up_to(writer.done + window))
        if writer.done == 0:
            raise ValueError(
                f"the trajectory has fewer frames than window={window}; use a "
                "shorter window or load more frames."
            )
    return read_table(writer.table)


def label_observer(
    atoms: Atoms,
    model: EnvironmentClassifier | FilePath,
    output: FilePath,
    window: int | None = None,
    defect: Any = None,
) -> Callable[[], Row | None]:
    """A function for ASE's `dynamics.attach` that labels the atoms while the simulation runs.

    Each call takes the frame as it is, adds it to the running average and, once `window` frames
    have come, appends the middle one to `output` and its table, as `classify_trajectory` does;
    it returns that row of the table, else None. Files of an earlier run are refused.
    """
    model = _model(model)
    window = _window(model.window if window is None else window)
    writer = Writer(output, None)
    push = _labeller(model, window, _flagged(model, defect), True, 0)

    def observe():
        made = push(atoms)
        if made is None:
            return None
        with writer:
            writer.write(*made)
        return next(table_rows([list(made[1]), list(made[1].values())]))

    return observe


def _model(model):
    from ..parametric.estimators import load_model

    model = load_model(model) if isinstance(model, str | os.PathLike) else model
    if not hasattr(model, "classes_"):
        raise ValueError(
            f"a {type(model).__name__} names no classes here; give a fitted EnvironmentClassifier."
        )
    if model.symmetry is None:
        raise ValueError(
            "this model holds no symmetry functions; fit it as "
            "EnvironmentClassifier(symmetry=...)."
        )
    return model


def _flagged(model, defect):
    """Indices of the classes that are the defect."""
    if defect is None:
        return None
    names = [defect] if isinstance(defect, str | int) else list(defect)
    known = model.classes_.tolist()
    for name in names:
        if name not in known:
            raise ValueError(
                f"the model has no class {name!r}; it has {', '.join(map(_shown, known))}."
            )
    return tuple(known.index(name) for name in names)


def _shown(name):
    return str(name) if str(name).isprintable() else repr(name)


def _window(window):
    if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 1:
        raise ValueError(
            f"window={window!r} has to be a whole number of frames, at least 1; "
            "averaging.window_from_ps converts a time."
        )
    return int(window)


def _labeller(model, window, defect, trust_order, first):
    """A function that takes frame after frame and gives the labelled middle one of each window."""
    frames, queue, check = deque(maxlen=window), deque(), OrderCheck(first)

    def arrived():
        while True:
            yield queue.popleft()

    # Without an average frames may differ in their number of atoms.
    means = arrived() if window == 1 else stream_average(arrived(), window)
    state = {"n": first}

    def push(atoms):
        found = check(atoms) if window > 1 and not trust_order else None
        if found is not None:
            raise ValueError(
                f"{found}. An average over time takes frames that follow one "
                f"another: label those before frame {found.frame} and those from it "
                "on apart, or use window=1; where atoms just move far between "
                "frames, trust_order=True."
            )
        queue.append(model.symmetry(atoms, model.centres))
        frames.append(atoms.copy())
        if len(frames) < window:
            return None
        middle = state["n"] + (window - 1) // 2
        state["n"] += 1
        return _labelled(frames[(window - 1) // 2], next(means), model, defect, middle)

    return push


def _labelled(atoms, mean, model, defect, frame):
    """Text in extended XYZ, and the row of the table, of one frame."""
    chances, novel = model.predict_proba(mean), model.is_novel(mean)
    label = chances.argmax(axis=1)
    counts = np.bincount(label, minlength=len(model.classes_)).tolist()
    row = {"frame": frame} | dict(zip(class_columns(model.classes_), counts, strict=True))
    row["novel"] = int(novel.sum())
    centre = (
        slice(None)
        if model.centres is None
        else np.array(atoms.get_chemical_symbols()) == model.centres
    )
    if defect is not None:
        row |= _sites(atoms[centre], np.isin(label, defect))
    columns = {}
    for name, values, other in (
        ("label", label, NOT_A_CENTRE),
        ("novel", novel.astype(int), 0),
        ("probability", chances.max(axis=1).round(4), 0.0),
    ):
        columns[name] = np.full(len(atoms), other)
        columns[name][centre] = values
    return frame_text(atoms, columns, frame), row


def _sites(atoms, flagged):
    from ..defects.sites import VACANT, locate_defects

    try:
        found = locate_defects(atoms, flagged)
    except ValueError:  # half of the atoms flagged, as while it melts: no point defects
        found = []
    vacant = sum(site.kind in VACANT for site in found)
    return {
        "vacancies": vacant,
        "interstitials": len(found) - vacant,
        "sites": json.dumps([[s.kind, *s.position.round(3).tolist()] for s in found]),
    }


@cache
def _keep_memory():
    """Has the C library keep tens of megabytes that it would give back and ask for again.

    Dask starts its workers with a setting that makes every array of more than 128 kB such a
    request, which costs a fifth of the time here.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        adjust = ctypes.CDLL(None).mallopt
        for setting in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            adjust(setting, _KEPT_BYTES)


def _label_chunk(raws, task, first):
    """What a Dask worker does: labelled frames of a few raw ones, and the error that ends it."""
    _keep_memory()
    model, window, defect, trust_order = task
    push, made = _labeller(model, window, defect, trust_order, first), []
    try:
        for raw in raws:
            if (frame := push(parse(raw))) is not None:
                made.append(frame)
    except ValueError as err:  # a frame that is none: what came before it counts
        return made, err
    return made, None


def _chunk(frames, window):
    """Frames of a task: 8 to 16 for each that two tasks share, as many as make some megabytes."""
    fit = _TASK_BYTES // max(map(len, map(pickle.dumps, frames)), default=1)
    return max(16, min(max(8, fit // max(1, window - 1)), 16) * (window - 1))


def _distributed(client, raws, task, first, chunk):
    """Labelled frames in order; no more chunks are under way than the workers need.

    Chunks travel with their task, so that a dead worker takes nothing with it.
    """
    window, raws = task[1], iter(raws)
    if chunk is None:
        some = list(islice(raws, 1))
        chunk, raws = _chunk(some, window), chain(some, raws)
    pending, held = deque(), deque(maxlen=chunk + window - 1)
    stopped = None
    limit = 2 * max(1, sum(client.nthreads().values()))
    while True:
        try:
            held.extend(islice(raws, chunk + window - 1 - len(held)))
        except ValueError as err:  # the file breaks off: what came before it counts
            stopped = err
        full = len(held) == chunk + window - 1
        if len(held) >= window:
            pending.append(client.submit(_label_chunk, list(held), task, first, pure=False))
            first += len(held) - window + 1
            for _ in range(len(held) - window + 1):
                held.popleft()
        while pending and (len(pending) >= limit or not full or stopped):
            made, error = pending.popleft().result()
            yield from made
            if error is not None:
                raise error
        if stopped:
            raise stopped
        if not full:
            return
