"""Labels of atoms while their trajectory is read, or still running, or spread over machines."""

import csv
import hashlib
import io
import json
import os
import time
from collections import deque
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path

import ase.io
import numpy as np
from ase.units import Bohr
from tqdm.auto import tqdm

from .averaging.means import _checked, stream_average
from .io.atomic_write import atomic_write, clear_errors
from .io.trajectory import parse, raw_frames

__all__ = ["classify_trajectory", "label_observer"]

NOT_A_CENTRE = -2
VACANT = ("vacancy", "divacancy", "split vacancy")
_GO_ON = "the same call goes on from the last whole frame"
RECORD_EVERY = 1.0  # s between two records of how far a run has come; each waits for the disk


def classify_trajectory(source, model, window=None, output="labelled.extxyz", topology=None,
                        elements=None, length_unit=Bohr, defect=None, client=None, chunk=None,
                        progress=None):
    """Table (list of dict) of the classes in each frame; labels of its atoms go to `output`.

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
        Extended XYZ with the columns `label` (index into model.classes_; -2 for atoms that are
        no centres), `unlike` (1 where it is unlike anything the model was shown) and
        `probability`. Beside it the table, OUTPUT.csv, and OUTPUT.progress, from which a run that
        was killed goes on: the same call again neither loses nor repeats a frame.
    defect : class or sequence of classes, optional
        Whose atoms are a defect: adds the columns vacancies, interstitials and sites
        (`defects.locate_defects`; positions in Å).
    client : dask.distributed.Client, optional
        Its workers share the frames, in chunks of `chunk`; this process reads and writes. A chunk
        whose worker dies is computed again.
    progress : bool, optional
        A bar; by default where it takes more than 2 s.

    Returns
    -------
    list of dict: frame, the number of atoms in each class, unlike, and with `defect` the sites.

    Raises
    ------
    ValueError
        A model without symmetry functions; an unknown class; an output that another call has
        made; fewer frames than `window`; what `iter_frames` raises. A file that breaks off gives
        its whole frames and a warning.
    """
    model = _model(model)
    window = _checked(model.window if window is None else window)
    defect = _flagged(model, defect)
    writer = _Writer(output, _fingerprint(source, model, window, defect))
    raws = islice(raw_frames(source, topology, elements, length_unit), writer.done, None)
    if client is None:
        push = _labeller(model, window, defect, writer.done)
        done = (made for raw in raws if (made := push(parse(raw))) is not None)
    else:
        done = _distributed(client, raws, model, window, defect, writer.done,
                            chunk or max(16, 8 * (window - 1)))
    with writer:
        for frame in tqdm(done, desc="classify", unit="frame", delay=2, initial=writer.done,
                          disable=progress is False):
            writer.write(*frame)
    if writer.done == 0:
        raise ValueError(f"the trajectory has fewer frames than window={window}; use a shorter "
                         "window or load more frames.")
    return read_table(writer.table)


def label_observer(atoms, model, output, window=None, defect=None):
    """A function for ASE's `dynamics.attach` that labels the atoms while the simulation runs.

    Each call takes the frame as it is, adds it to the running average and, once `window` frames
    have come, appends the middle one to `output` and its table, as `classify_trajectory` does;
    it returns that row of the table, else None. Files of an earlier run are refused.
    """
    model = _model(model)
    window = _checked(model.window if window is None else window)
    defect = _flagged(model, defect)
    writer = _Writer(output, None)
    push = _labeller(model, window, defect, 0)

    def observe():
        made = push(atoms)
        if made is None:
            return None
        with writer:
            writer.write(*made)
        return next(_parsed([made[1]]))

    return observe


def read_table(path):
    """Rows (list of dict) of a table written by `classify_trajectory` or `label_observer`."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(_parsed(csv.DictReader(file)))


def _parsed(rows):
    for row in rows:
        yield {k: json.loads(v) if k == "sites" else int(v) for k, v in row.items()}


def _model(model):
    from .parametric.estimators import load_model

    model = load_model(model) if isinstance(model, str | Path) else model
    if not hasattr(model, "classes_"):
        raise ValueError(f"a {type(model).__name__} names no classes here; give a fitted "
                         "EnvironmentClassifier.")
    if model.symmetry is None:
        raise ValueError("this model holds no symmetry functions; fit it as "
                         "EnvironmentClassifier(symmetry=...).")
    return model


def _flagged(model, defect):
    """Indices of the classes that are the defect."""
    if defect is None:
        return None
    names = [defect] if isinstance(defect, str | int) else list(defect)
    known = model.classes_.tolist()
    for name in names:
        if name not in known:
            raise ValueError(f"the model has no class {name!r}; it has "
                             f"{', '.join(map(str, known))}.")
    return tuple(known.index(name) for name in names)


def _fingerprint(source, model, window, defect):
    """What has to be the same for a run to go on: file name, net, window, defect."""
    digest = hashlib.sha256()
    for weight, bias in model.weights_:
        digest.update(weight.tobytes() + bias.tobytes())
    name = Path(source).name if isinstance(source, str | Path) else "frames"
    return {"source": name, "model": digest.hexdigest()[:16], "window": window,
            "defect": defect if defect is None else list(defect)}


def _labeller(model, window, defect, first):
    """A function that takes frame after frame and gives the labelled middle one of each window."""
    frames, queue = deque(maxlen=window), deque()

    def arrived():
        while True:
            yield queue.popleft()

    means = stream_average(arrived(), window)
    state = {"n": first}

    def push(atoms):
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
    chances, unlike = model.predict_proba(mean), model.unlike(mean)
    label = chances.argmax(axis=1)
    row = {"frame": frame}
    row |= {str(c): int(k) for c, k in zip(model.classes_, np.bincount(
        label, minlength=len(model.classes_)), strict=True)}
    row["unlike"] = int(unlike.sum())
    centre = (slice(None) if model.centres is None
              else np.array(atoms.get_chemical_symbols()) == model.centres)
    if defect is not None:
        row |= _sites(atoms[centre], np.isin(label, defect))
    shown = atoms.copy()
    for name, values, other in (("label", label, NOT_A_CENTRE), ("unlike", unlike.astype(int), 0),
                                ("probability", chances.max(axis=1).round(4), 0.0)):
        column = np.full(len(atoms), other)
        column[centre] = values
        shown.arrays[name] = column
    shown.info["frame"] = frame
    text = io.StringIO()
    ase.io.write(text, shown, format="extxyz", write_results=False)
    return text.getvalue(), row


def _sites(atoms, flagged):
    from .defects.sites import locate_defects

    try:
        found = locate_defects(atoms, flagged)
    except ValueError:  # half of the atoms flagged, as while it melts: no point defects
        found = []
    vacant = sum(site.kind in VACANT for site in found)
    return {"vacancies": vacant, "interstitials": len(found) - vacant,
            "sites": json.dumps([[s.kind, *s.position.round(3).tolist()] for s in found])}


def _label_chunk(raws, model, window, defect, first):
    """What a Dask worker does: all labelled frames of a few raw ones."""
    push = _labeller(model, window, defect, first)
    return [made for raw in raws if (made := push(parse(raw))) is not None]


def _distributed(client, raws, model, window, defect, first, chunk):
    """Labelled frames in order; no more chunks are under way than the workers need.

    Chunks travel with their task, so that a dead worker takes nothing with it.
    """
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
            pending.append(client.submit(_label_chunk, list(held), model, window, defect, first,
                                         pure=False))
            first += len(held) - window + 1
            for _ in range(len(held) - window + 1):
                held.popleft()
        while pending and (len(pending) >= limit or not full or stopped):
            yield from pending.popleft().result()
        if stopped:
            raise stopped
        if not full:
            return


def _progress(path):
    try:
        state = json.loads(path.read_bytes())
        numbers = state["done"], *state["bytes"]
        if ([type(n) for n in (*numbers, state["run"])] != [int, int, int, dict]
                or min(numbers) < 0):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged; delete it and the output it belongs to, and run "
                         "again.") from None
    return state


class _Writer:
    """Appends frames and rows; the progress file says how many bytes of both are on the disk."""

    def __init__(self, output, fingerprint):
        self.output = Path(output)
        if self.output.suffix not in (".xyz", ".extxyz"):
            raise ValueError(f"{output} is not a name for extended XYZ; end it in .extxyz.")
        self.table = self.output.with_name(self.output.name + ".csv")
        self.progress = self.output.with_name(self.output.name + ".progress")
        self.state = {"done": 0, "bytes": [0, 0]} | {"run": fingerprint}
        self.files = None
        if self.progress.is_file() and fingerprint is not None:
            self.state = _progress(self.progress)
            if self.state["run"] != fingerprint:
                raise ValueError(f"{self.output} was made by another call ({self.state['run']}); "
                                 "give another output, or delete it and its .progress file.")
        elif self.output.exists():
            raise ValueError(f"{self.output} exists; give another output, or delete it with its "
                             ".csv and .progress files.")
        self.done = self.state["done"]

    def __enter__(self):
        with clear_errors(self.output, _GO_ON):
            self.output.parent.mkdir(parents=True, exist_ok=True)
            self.files = [open(path, "ab") for path in (self.output, self.table)]
            for file, size in zip(self.files, self.state["bytes"], strict=True):
                if file.seek(0, 2) < size:
                    raise ValueError(f"{file.name} is shorter than its .progress file says; "
                                     "delete both and run again.")
                file.truncate(size)  # what a killed run wrote beyond its last record
        self._record()
        return self

    def write(self, text, row):
        if self.done == 0:
            self._append(1, ",".join(row) + "\n")
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row.values())
        self._append(0, text)
        self._append(1, line.getvalue())
        self.done += 1
        self.state |= {"done": self.done, "bytes": [file.tell() for file in self.files]}
        if time.monotonic() - self.recorded >= RECORD_EVERY:
            self._record()

    def _append(self, which, text):
        with clear_errors(self.output, _GO_ON):
            self.files[which].write(text.encode())
            self.files[which].flush()

    def _record(self):
        """Frames first, then in one step the progress file: up to its count none can be lost."""
        with clear_errors(self.output, _GO_ON):
            for file in self.files:
                os.fsync(file.fileno())
        with atomic_write(self.progress) as partial:
            partial.write_text(json.dumps(self.state))
        self.recorded = time.monotonic()

    def __exit__(self, _, error, __):
        kept = suppress(OSError) if error else nullcontext()  # the first error is the one to tell
        with kept:
            self._record()
        for file in self.files:
            with suppress(OSError) if error else nullcontext():
                file.close()
