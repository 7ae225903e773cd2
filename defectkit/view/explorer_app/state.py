"""The explorer's state apart from its widgets; every change holds its lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import plots
from .. import scenes
from . import environments as env
from . import quantities
from .sources import METHODS, Source

KINDS = ("labelled", "all", "near the chosen")
BULK = ("small", "as large as the others")


@dataclass(eq=False)
class State:
    """What is known, offered, shown and chosen.

    data  what the explorer was given
    labels, names  (n,) int and {label: text}, clusters as they are now
    maps  {(method, window): (n, 2)}, NaN where a map has no place for an environment
    places  the same maps with every environment placed, where features allow it
    X  {window: (n, n_features)}, features at hand, of one window
    options, choice  what the menus offer, and what is shown
    limits  points, atoms and region drawn at most
    selection  the chosen environments
    hidden  values of the present colour that are hidden
    changes, undone  (labels, names) before and after each change
    """

    data: Source
    labels: np.ndarray
    names: dict[int, str]
    limits: dict[str, int]
    seed: int
    maps: dict[tuple, np.ndarray]
    options: dict[str, list]
    choice: dict
    selection: env.Selection
    places: dict[tuple, np.ndarray] = field(default_factory=dict)
    X: dict[int, np.ndarray] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    changes: list[tuple] = field(default_factory=list)
    undone: list[tuple] = field(default_factory=list)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    @property
    def key(self) -> tuple:
        """Method and window that are shown."""
        return self.choice["method"], self.choice["window"]

    @property
    def map(self) -> np.ndarray:
        """The map that is shown, with the places of the environments that it left out."""
        return self.places.get(self.key, self.maps[self.key])

    def checked(self, choice: dict) -> dict:
        """The whole choice after a change; raises ValueError for what is not offered."""
        for name, value in choice.items():
            if name not in self.options:
                raise ValueError(
                    f"unknown option {name!r}; choose from {', '.join(self.options)}."
                )
            if value not in self.options[name]:
                offered = ", ".join(map(str, self.options[name][:8]))
                raise ValueError(
                    f"{name}={value!r} is not offered; choose from {offered}"
                    f"{' and others' if len(self.options[name]) > 8 else ''}."
                )
        return self.choice | choice

    def lacks(self, wanted: dict) -> bool:
        """Whether features or a map are missing for a choice."""
        return (wanted["method"], wanted["window"]) not in self.maps or (
            wanted["colour"] in self.data.columns and wanted["window"] not in self.X
        )

    def left_out(self, wanted: dict) -> bool:
        """Whether a map that is there could place environments which it left out."""
        key = wanted["method"], wanted["window"]
        return (
            self.data.rows is not None
            and key in self.maps
            and key not in self.places
            and not np.isfinite(self.maps[key][:, 0]).all()
        )

    def coloured(self) -> tuple[np.ndarray, str, dict]:
        """What the colours mean: values (n,), whether "label" or "number", names of labels."""
        name = self.choice["colour"]
        if name == "cluster":
            return self.labels, "label", self.names
        if name in self.data.columns:
            X = self.X[self.choice["window"]]
            return X[:, self.data.columns.index(name)], "number", {}
        values = self.data.truth.get(name)
        if values is None:
            values = self.quantity(name)
        if values.dtype.kind in "iu":
            return values, "label", {}
        if values.dtype.kind == "f":
            return values, "number", {}
        words, codes = np.unique(values, return_inverse=True)
        return codes, "label", dict(enumerate(words.astype(str).tolist()))

    def quantity(self, name: str) -> np.ndarray:
        """A quantity of `quantities.NAMES`, (n,), computed once."""
        with self.lock:
            if name in ("coordination", "q6") and name not in self.values:
                both = quantities.surroundings(self.data)
                self.values |= dict(zip(("coordination", "q6"), both, strict=True))
            elif name not in self.values:
                self.values[name] = quantities.of_environments(name, self.data)
            return self.values[name]

    def visible(self) -> np.ndarray:
        """Flags (n,) of the environments that are not hidden."""
        if not self.hidden:
            return np.ones(len(self.labels), bool)
        return ~np.isin(self.coloured()[0], list(self.hidden))

    def bulk(self) -> list[int]:
        """The cluster that is drawn small, if any."""
        return scenes.bulk(self.labels) if self.choice["bulk"] == "small" else []

    def rows(
        self,
        frame: int | Sequence[int] | None = None,
        atoms: int | Sequence[int] | None = None,
        index: ArrayLike | None = None,
        cluster: int | None = None,
    ) -> np.ndarray:
        """Rows of the environments asked for, ascending; none without any argument."""
        if index is not None:
            rows = np.unique(np.asarray(index, int))
            if len(rows) and not 0 <= rows[0] <= rows[-1] < len(self.labels):
                raise ValueError(
                    f"index {rows[0]} to {rows[-1]} goes beyond the "
                    f"{len(self.labels)} environments; count from 0."
                )
            return rows
        if cluster is not None:
            env.known(self.labels, [cluster])
            return np.flatnonzero(self.labels == cluster)
        if frame is None and atoms is None:
            return np.empty(0, int)
        return env.rows_of(self.data.frame, self.data.atom, frame, atoms)

    def select(self, rows: np.ndarray) -> None:
        """Choose these rows."""
        with self.lock:
            self.selection = chosen(self.data, rows)

    def change(self, labels: np.ndarray, names: dict) -> None:
        """New labels and names, which `undo` takes back."""
        with self.lock:
            self.undone, self.changes = [], [*self.changes, (self.labels, self.names)]
            self.labels, self.names = labels, names

    def step(self, back: bool) -> str:
        """Undo (`back`) or redo a change of clusters or names; says which."""
        what, source, target = (
            ("undo", self.changes, self.undone) if back else ("redo", self.undone, self.changes)
        )
        with self.lock:
            if not source:
                raise ValueError(f"there is nothing to {what}.")
            target.append((self.labels, self.names))
            self.labels, self.names = source.pop()
        return f"{what}: {len(self.changes)} more to take back, {len(self.undone)} to make again"

    def rename(self, cluster: int, name: str) -> str:
        """Give a cluster a name."""
        with self.lock:
            names = env.rename(self.names, self.labels, cluster, name)
            self.change(self.labels, names)
        return f"cluster {cluster} is called {names[cluster]}"

    def merge(self, clusters: Sequence[int]) -> str:
        """Join clusters under the number, colour and name of the first."""
        with self.lock:
            labels = env.merge(self.labels, clusters)
            told = [plots.cluster_name(c, self.names) for c in clusters]
            self.change(labels, self.names)
        return f"{', '.join(told[1:])} joined {told[0]}"

    def split_off(self, name: str | None = None) -> tuple[int, str]:
        """The chosen environments become a cluster of their own: its number, and a sentence."""
        with self.lock:
            labels, number = env.split_off(self.labels, self.selection.index)
            names = {c: text for c, text in self.names.items() if c != number}
            if name:
                names = env.rename(names, labels, number, name)
            self.change(labels, names)
            return number, (
                f"the chosen ({plots.count(len(self.selection))}) are "
                f"{plots.cluster_name(number, names)} now"
            )

    def recluster(self, X: np.ndarray | None) -> str:
        """New clusters, those of the map that is shown; names are forgotten.

        Environments that the map left out get the label of most of their ten nearest in the
        space of the features `X`, as in `identify`; without features they become noise.
        """
        from ...clusters import cluster

        with self.lock:
            Y = self.maps[self.key]
            drawn = np.isfinite(Y[:, 0])
            labels, note = np.full(len(Y), -1), ""
            labels[drawn] = cluster(Y[drawn])
            if not drawn.all() and X is None:
                note = (
                    f"; {np.count_nonzero(~drawn)} environments have no place in this map and "
                    "no features: they are noise now; undo takes it back"
                )
            elif not drawn.all():
                vote(labels, X, drawn, self.data.group)
            self.change(labels, {})
            number = len(np.unique(labels[labels >= 0]))
            return f"this map has {number} cluster{'s' * (number != 1)}{note}"


def vote(labels: np.ndarray, X: Any, known: np.ndarray, group: np.ndarray) -> None:
    """Fill in the labels not `known` by the vote of the ten nearest that are, in place."""
    for rest, near in env.nearest_known(X, known, group, 10):
        classes = np.unique(labels[near])
        votes = np.stack([(labels[near] == c).sum(axis=1) for c in classes], axis=1)
        labels[rest] = classes[votes.argmax(axis=1)]


def chosen(data: Source, rows: Any) -> env.Selection:
    """A selection of rows, with frame and atom of each."""
    rows = np.asarray(rows, int)
    return env.Selection(rows, data.frame[rows], data.atom[rows])


def start(data: Source, maps: dict, names: Any, limits: dict, seed: int) -> State:
    """The state at first: the first map, the first frame, nothing chosen or hidden."""
    methods = list(
        dict.fromkeys([*(method for method, _ in maps), *(METHODS if data.rows else ())])
    )
    first = next(iter(maps))
    complete = len(data.frame) == sum(map(len, data.frames))
    known = [*data.truth, *(name for name in quantities.NAMES if name not in data.truth)]
    options = {
        "method": methods,
        "window": list(data.windows),
        "colour": list(dict.fromkeys(["cluster", *known, *data.columns])),
        "frame": np.unique(data.frame).tolist(),
        "atoms": [k for k in KINDS if not (k == "all" and complete)],
        "bulk": list(BULK),
    }
    choice = {
        "method": first[0],
        "window": first[1],
        "colour": "cluster",
        "frame": options["frame"][0],
        "atoms": "labelled",
        "bulk": BULK[0],
    }
    names = dict(names if isinstance(names, dict) else enumerate(names or ()))
    return State(
        data,
        data.labels.copy(),
        names,
        limits,
        seed,
        dict(maps),
        options,
        choice,
        chosen(data, []),
    )
