"""Labels frame by frame: of a trajectory, or while ASE's dynamics run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase.units import Bohr

from .._progress import tqdm
from .._types import Elements, FilePath, Source, Topology
from ..io.trajectory import parse, raw_frames
from .by_dask import labelled_by_dask
from .labelling import labeller
from .local import check_client, connected
from .origin import ReadFrames, run_description
from .output import Writer
from .table import read_table, table_rows

if TYPE_CHECKING:
    from ase import Atoms

    from ..parametric.estimators import EnvironmentClassifier
    from .table import Row

__all__ = ["classify_trajectory", "label_observer"]


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
    client : dask.distributed.Client or int, optional
        Its workers share the frames, in chunks of `chunk`; this process reads and writes. A chunk
        whose worker dies is computed again. A number: so many processes of this machine
        (`local_client`).
    chunk : int, optional
        At most so many new frames in a chunk, fewer in the first and last. Default: 16, or 8 to 16
        for each that two chunks share, fewer of large ones.
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
    ImportError
        A number of processes without Dask.
    ValueError
        A model without symmetry functions; an unknown class; an output that another call has
        made or is writing; fewer frames than `window`; a frame that does not follow from the one
        before, after those before it have been written; what `iter_frames` raises. A file that
        breaks off gives its whole frames and a warning.
    """
    model = _model(model)
    window = _window(model.window if window is None else window)
    defect = _flagged(model, defect)
    check_client(client)
    task = (model, window, defect, trust_order)
    raws = raw_frames(source, topology, elements, length_unit)
    with (
        Writer(
            output, run_description(source, model, window, defect, topology, elements, length_unit)
        ) as writer,
        connected(client) as workers,
    ):
        read = ReadFrames(raws, writer.state, window, writer.output)
        if workers is None:
            push = labeller(*task, writer.done)
            done = (made for raw in read if (made := push(parse(raw))) is not None)
        else:
            done = labelled_by_dask(workers, read, task, writer.done, chunk)
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
    push = labeller(model, window, _flagged(model, defect), True, 0)

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
