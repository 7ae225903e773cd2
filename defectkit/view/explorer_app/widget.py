"""Map, atoms and time linked in a notebook: the widget; its state and pictures are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np

from ..._deprecated import warn
from ..._types import FilePath
from ...io.atomic_write import atomic_write, user_path
from ..boxes import PictureBox, png
from . import export, jobs
from .atoms_view import draw_atoms, look_at, look_back
from .connect import connect, draw_legend, say, say_again
from .figure import static_figure
from .layout import layout
from .map_view import colour_map, draw_map, filter_map, following, mark_map
from .state import State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AT_ONCE = 20_000  # atoms whose surroundings are looked at when the explorer opens


class Explorer(PictureBox):
    """The explorer that :func:`defectkit.view.explorer` makes; `state` is all but the widgets."""

    def __init__(self, state: State, height: int):
        super().__init__(self._picture, f"explorer of {len(state.labels)} environments")
        self.state, self.height = state, height
        self.following = self.job = self.error = self.scene = self.scatter = self.looks_at = None
        self.thinned: dict = {}  # points that are drawn, by map
        self.old_maps: list = []  # replaced, to be closed
        self.entries: list = []  # of the legend
        self.filtered = self.map_waits = False  # whether the map hides points; is to be drawn anew
        if sum(map(len, state.data.frames)) <= _AT_ONCE:
            state.quantity("coordination")
        self.children = layout(self, widgets)
        connect(self)
        self.follow()
        draw_atoms(self)  # first: nglview's code keeps a page busy for longer than maps may take
        draw_map(self)
        draw_legend(self)
        self.say()
        if state.left_out(state.choice):
            jobs.begin(self, state.choice)

    labels = property(lambda self: self.state.labels, doc="Cluster of each environment.")
    names = property(lambda self: self.state.names, doc="Names of clusters.")
    maps = property(lambda self: self.state.maps, doc="Maps by method and window.")
    data = property(lambda self: self.state.data, doc="What the explorer was given.")
    options = property(lambda self: self.state.options, doc="What the menus offer.")
    choice = property(lambda self: self.state.choice, doc="What is shown.")
    selection = property(lambda self: self.state.selection, doc="The chosen environments.")
    lock = property(lambda self: self.state.lock, doc="Held while the state changes.")

    def _picture(self):
        return png(self.figure())

    def say(self, text: str | None = None, bad: bool = False) -> None:
        """The lines at the bottom."""
        say(self, text, bad)

    def attempt(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what a user asked for; an error is shown, and raised."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            self.say(f"{type(error).__name__}: {error}", bad=True)
            raise

    def choose(self, **choice: Any) -> None:
        """Another method, window, colour, frame or kind of atoms, as by the menus."""
        with self.lock:
            state, wanted = self.state, self.state.checked(choice)
            if {"method", "window"} & set(choice):
                self.cancel()
            if self.job is not None and "colour" in choice:  # comes with what is computed
                self.job["wanted"] = self.job["wanted"] | {"colour": choice["colour"]}
            if not state.lacks(wanted):
                self.apply(wanted)
                if self.job is None and state.left_out(wanted):
                    jobs.begin(self, wanted)
                return
            if state.data.rows is None:
                self.follow()
                raise ValueError(
                    f"there is no map of {wanted['method']} with a window of "
                    f"{wanted['window']}, and nothing to make it from; give the "
                    "trajectory or features."
                )
            at_once = {name: wanted[name] for name in ("frame", "atoms", "bulk")}
            self.apply(state.choice | at_once)
            self.follow(wanted)
            if self.job is None:
                jobs.begin(self, wanted)

    def cancel(self) -> None:
        """Stop computing; the map that was there stays."""
        with self.lock:
            job = self.job
            if job is not None:
                job["stop"].set()
                jobs.end(self, job)
                if self.state.left_out(job["wanted"]):  # not begun again with the next choice
                    key = job["wanted"]["method"], job["wanted"]["window"]
                    self.state.places[key] = self.maps[key]
                self.follow()
                self.say("cancelled: the map is the one from before")

    def wait(self, timeout: float | None = None) -> None:
        """Until what is being computed is there; raises what went wrong."""
        job = self.job
        if job is not None:
            job["thread"].join(timeout)
        with self.lock:  # the last thing that is done is to show it
            if self.error is not None:
                raise self.error

    def apply(self, wanted: Any, redraw: bool = False, keep: bool = False) -> None:
        """Show a choice all of which is ready; only what changes is drawn.

        `redraw`: the map too; `keep`: what was said last stays.
        """
        with self.lock:
            old, self.state.choice = self.state.choice, wanted
            changed = {name for name in wanted if wanted[name] != old[name]}
            other = {"frame", "atoms"} & changed or ("colour" in changed and self.state.hidden)
            if "colour" in changed:
                self.state.hidden = set()
            self.follow()
            if redraw or {"method", "window"} & changed:
                draw_map(self)
            elif "colour" in changed:
                colour_map(self)
            if changed != {"method"}:
                draw_atoms(self, moved=bool(other))
            if {"colour", "window"} & changed:
                draw_legend(self)
            (say_again if keep else say)(self)

    def follow(self, choice: Any = None) -> None:
        """The menus show the present choice, or the one that is being computed."""
        choice = choice or self.choice | jobs.wanted(self)
        with following(self):
            for name, value in choice.items():
                self.controls[name].value = value

    def select(
        self,
        frame: Any = None,
        atoms: Any = None,
        index: Any = None,
        cluster: int | None = None,
        add: bool = False,
    ) -> None:
        """Choose environments: atoms of frames, rows, or a cluster; without any, none."""
        with self.lock:
            rows = self.state.rows(frame, atoms, index, cluster)
            self.choose_rows(np.union1d(self.selection.index, rows) if add else rows)

    def choose_rows(self, rows: Any, mark: bool = True) -> None:
        """Choose these rows; without `mark` the map shows them already."""
        with self.lock:
            self.state.select(rows)
            if mark:
                mark_map(self)
            draw_atoms(self, moved=self.choice["atoms"] == "near the chosen")
            if not len(self.selection):
                look_back(self)
            self.say()

    def go_to(self, atom: int) -> None:
        """Choose an atom of the frame, and look at it, until none is chosen."""
        with self.lock:
            self.select(frame=self.choice["frame"], atoms=[atom])
            look_at(self, atom)

    def isolate(self, value: Any) -> None:
        """Only this cluster (or value of the colour) is shown; all, if it is alone already."""
        with self.lock:
            others = {entry[0] for entry in self.entries} - {value}
            self._hide(set() if self.state.hidden == others else others)

    def hide(self, value: Any) -> None:
        """Hide this cluster (or value of the colour), or show it again."""
        self._hide(self.state.hidden ^ {value})

    def _hide(self, hidden):
        with self.lock:
            self.state.hidden = hidden
            filter_map(self)
            draw_atoms(self)
            draw_legend(self)
            here = f"{len(hidden)} of {len(self.entries)} entries of the legend are hidden"
            self.say(here if hidden else "nothing is hidden")

    def legend_click(self, value: Any) -> None:
        """What a click in the legend does, by the menu beside it."""
        act = self.click.value
        if act == "chooses":
            self.choose_rows(np.flatnonzero(self.state.coloured()[0] == value))
        else:
            (self.isolate if act == "isolates" else self.hide)(value)

    def _relabelled(self, text):
        if self.choice["colour"] == "cluster":
            self.state.hidden &= set(np.unique(self.labels).tolist())
        colour_map(self)
        draw_atoms(self, moved=bool(self.state.hidden))
        draw_legend(self)
        self.say(text)

    def rename(self, cluster: int, name: str) -> None:
        """Give a cluster a name, in every view and file."""
        with self.lock:
            self._relabelled(self.state.rename(cluster, name))

    def merge(self, clusters: Sequence[int]) -> None:
        """Join clusters under the number, colour and name of the first."""
        with self.lock:
            self._relabelled(self.state.merge(clusters))

    def split_off(self, name: str | None = None) -> int:
        """The chosen environments become a cluster of their own; returns its number."""
        with self.lock:
            number, text = self.state.split_off(name)
            self._relabelled(text)
        return number

    def part_off(self, name: str | None = None) -> int:
        """Old name of :meth:`split_off`."""
        warn("part_off", "split_off")
        return self.split_off(name)

    def cluster_map(self) -> None:
        """New clusters, those of the map that is shown (`dk.cluster`); names are forgotten.

        What the map left out follows its ten nearest, see `State.recluster`.
        """
        self.say("finding clusters ...")
        with self.lock:
            state, window = self.state, self.choice["window"]
            every = np.isfinite(state.maps[state.key][:, 0]).all()
            if not every and window not in state.X and state.data.rows is not None:
                state.X = {window: state.data.rows(window, lambda *_: None, lambda: False)}
            self._relabelled(state.recluster(state.X.get(window)))

    def undo(self) -> None:
        """Take back the last change of clusters or names."""
        with self.lock:
            self._relabelled(self.state.step(back=True))

    def redo(self) -> None:
        """Make the change again that `undo` took back."""
        with self.lock:
            self._relabelled(self.state.step(back=False))

    def export(self, path: FilePath) -> None:
        """Write labels and map, or the two pictures; the ending decides.

        .extxyz, .csv, .json for chemiscope; .png, .svg or .pdf.
        """
        state, ending = self.state, str(path)[str(path).rfind(".") :].lower()
        if ending in export.PICTURES:
            figure = self.figure()
            with atomic_write(user_path(path)) as partial:
                figure.savefig(partial, format=ending[1:], dpi=200)
            plt.close(figure)
        else:
            with self.lock:
                export.export(
                    path,
                    state.data.frames,
                    state.data.frame,
                    state.data.atom,
                    state.labels,
                    state.names,
                    state.maps[state.key],
                    state.selection.index,
                    state.data.cutoff,
                )
        self.say(f"{path} is written")

    def figure(self, axes: Any = None) -> Figure:
        """The explorer as a matplotlib figure: the map and the atoms of the frame.

        Waits for environments that are being placed. `axes`: two matplotlib axes, optional.
        """
        if self.job is not None and self.state.left_out(self.choice):
            self.wait()
        return static_figure(self, axes)
