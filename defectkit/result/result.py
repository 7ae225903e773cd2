"""The answer of `identify`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import nucleus
from .._deprecated import warn
from .._types import FilePath, Source
from ..clusters import NOT_LABELLED, describe
from ..datasets import write_frames
from ..io import read_frames
from ..neighbours.bond_order import places
from . import agreement, doors, html, saved, summary

if TYPE_CHECKING:
    from ipywidgets import VBox
    from matplotlib.axes import Axes

    from ..view.explorer_app.widget import Explorer

EMPTY = pd.DataFrame()


@dataclass(frozen=True, eq=False)
class Result:
    """Phases, defects and surfaces of a simulation, and the clusters behind them.

    Attributes
    ----------
    frames : list of ase.Atoms
        Those that carry labels; of an average over time the middle ones. `source_frames` says
        which of the trajectory they are.
    labels : array (n,) of int
        Cluster of each environment from 0 (the largest); -1 noise.
    map : array (n, 2)
        NaN where an environment was not drawn for the map and got the label of its neighbours in
        feature space, or where so few made no map.
    frame, atom : arrays (n,) of int
        Position in `frames`, and index of the atom.
    info : dict
        source (absolute paths of the files read), method, window (frames), cutoff of the first
        shell and reach of the descriptors (Å), groups, seed; `steps`, what was done, in sentences.
    group : array (n,) of int
        Index into info["groups"]: atoms that share a map.
    structure : array (n,) of str
        Crystal at each environment by template; "" where its frame was not looked at.
    phases : pandas.DataFrame
        cluster, name, elements, atoms, fraction, coordination, nearest_A, orientation (rotation
        from the crystal's axes to the frame's), basis, confidence. Where clusters were found by
        name, `atoms` and `fraction` are those in the frames of info["analysed_frames"].
    defects : pandas.DataFrame
        Point defects: frame (position in `frames`), source_frame (its number in the trajectory),
        kind, element, position_A, neighbours, atoms, confidence, evidence.
    extended : pandas.DataFrame
        Planar defects, lines, surfaces, clouds: frame, source_frame, kind, description,
        position_A, normal, n_atoms, atoms, confidence.
    tracks : pandas.DataFrame
        Paths of point defects through time, where frames follow one another.
    """

    frames: list
    labels: np.ndarray
    map: np.ndarray
    frame: np.ndarray
    atom: np.ndarray
    info: dict
    group: np.ndarray = None  # type: ignore[assignment]
    structure: np.ndarray = None  # type: ignore[assignment]
    followers: list | None = None
    phases: pd.DataFrame = field(default_factory=pd.DataFrame)
    defects: pd.DataFrame = field(default_factory=pd.DataFrame)
    extended: pd.DataFrame = field(default_factory=pd.DataFrame)
    tracks: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self):
        n = len(self.labels)
        if self.group is None:
            object.__setattr__(self, "group", np.zeros(n, int))
        if self.structure is None:
            object.__setattr__(self, "structure", np.full(n, "", dtype="<U1"))

    def with_tables(self, **tables: pd.DataFrame | None) -> Result:
        """A copy with these tables; None leaves one as it is."""
        return replace(self, **{k: v for k, v in tables.items() if v is not None})

    @property
    def surfaces(self) -> pd.DataFrame:
        """The rows of `extended` that are surfaces, with what sits on them."""
        if "kind" not in self.extended:
            return self.extended
        kind = self.extended["kind"].str
        return self.extended[
            kind.contains("surface")
            | kind.contains("adatom")
            | kind.contains("step")
            | kind.contains("terrace")
        ]

    @property
    def source_frames(self) -> list[int]:
        """Number of each of `frames` in the trajectory that identify was given, from 0."""
        return list(self.info.get("source_frames", range(len(self.frames))))

    @property
    def steps(self) -> list[str]:
        """What was done, one sentence each."""
        return list(self.info.get("steps", []))

    @property
    def names(self) -> dict[int, str]:
        """{cluster: name}."""
        if "name" not in self.phases:
            return {}
        return {
            int(c): n for c, n in zip(self.phases["cluster"], self.phases["name"], strict=True)
        }

    @property
    def captions(self) -> dict[int, str]:
        """{cluster: name}, with elements and number where several clusters share a name."""
        if "name" not in self.phases:
            return {}
        shared = self.phases["name"].duplicated(keep=False)
        rows = zip(
            self.phases["cluster"],
            self.phases["name"],
            self.phases["elements"],
            shared,
            strict=True,
        )
        return {
            int(c): f"{name}: {elements}, cluster {c}" if several else name
            for c, name, elements, several in rows
        }

    def summary(self) -> str:
        """The answer in some lines: phases, defects, surfaces, and what they rest on."""
        return summary.text(self)

    def words(self) -> list[str]:
        """Old name of the lines of :meth:`summary`."""
        warn("Result.words()", "Result.summary(), one text")
        return self.summary().splitlines()

    def __repr__(self):
        return self.summary()

    def _repr_html_(self):
        return html.fragment(self)

    def atom_labels(self) -> np.ndarray:
        """Labels of all atoms of all frames, (n_atoms of all frames,); NOT_LABELLED elsewhere.

        Hydrogens of water have the label of their oxygen.
        """
        starts = np.concatenate([[0], np.cumsum([len(atoms) for atoms in self.frames])])
        labels = np.full(starts[-1], NOT_LABELLED)
        labels[starts[self.frame] + self.atom] = self.labels
        if self.followers is not None:
            for start, owner in zip(starts, self.followers, strict=False):
                led = np.flatnonzero((owner >= 0) & (owner != np.arange(len(owner))))
                labels[start + led] = labels[start + owner[led]]
        return labels

    def describe(self) -> pd.DataFrame:
        """What each cluster is made of, one row for each.

        As :func:`defectkit.clusters.describe`, with neighbours of every element, and `group`: the
        mean number of atoms of the cluster that lie together, linked up to their second
        neighbours. Where only a part of the atoms was looked at, `per_frame` is the number
        expected of all, and `group` NaN. `place` (3 floats): where the cluster sits along each
        cell vector (Å), NaN along one over which it is spread.
        """
        cutoff, sampled = self.info["cutoff"], self.info["sampled"]
        frames, labels = self._heavy()
        table = describe(np.concatenate(labels), frames, cutoff)
        parts = [
            float("nan")
            if sampled
            else sum(
                len(nucleus.connected(atoms, of_frame == label, 1.7 * cutoff))
                for atoms, of_frame in zip(frames, labels, strict=True)
            )
            for label in table["label"]
        ]
        sites = places(frames, labels, table["label"].tolist())
        return table.assign(
            per_frame=table["per_frame"] / (sampled or 1.0),
            place=[at.tolist() for at in sites],
            group=table["size"] / np.array(parts, float),
        )

    def _heavy(self):
        """Frames, and labels of each; of water without the hydrogens."""
        labels = doors.labels_of_frames(self)
        if self.followers is None:
            return self.frames, labels
        kept = [atoms.numbers != 1 for atoms in self.frames]
        return (
            [atoms[k] for atoms, k in zip(self.frames, kept, strict=True)],
            [of_frame[k] for of_frame, k in zip(labels, kept, strict=True)],
        )

    def figure(self, **options: Any) -> Any:
        """The map of each group of atoms, coloured by cluster; matplotlib axes.

        Options as :func:`defectkit.plots.embedding`. Where there was no map, the frame in 3D.
        """
        return summary.figure(self, **options)

    def static_figure(self, frame: int = 0, **options: Any) -> Axes:
        """One frame as a picture, coloured by cluster (:func:`defectkit.plots.atoms3d`)."""
        from .. import plots

        atoms, labels = self._frame(frame)
        return plots.atoms3d(atoms, labels, **{"names": self.captions or None} | options)

    def still(self, frame: int = 0, **options: Any) -> Axes:
        """Old name of :meth:`static_figure`."""
        warn("Result.still()", "Result.static_figure()")
        return self.static_figure(frame, **options)

    def view(self, frame: int = 0, **options: Any) -> VBox:
        """One frame in 3D, coloured by cluster (:func:`defectkit.view.scene`)."""
        from .. import view

        atoms, labels = self._frame(frame)
        return view.scene(atoms, labels, **{"names": self.captions or None} | options)

    def explore(self, trajectory: Source = None, **options: Any) -> Explorer:
        """Map, atoms and time linked in a notebook (:func:`defectkit.view.explorer`).

        `trajectory`, the file or frames that `identify` was given, lets other methods and windows
        be computed; a file that needs a topology or elements: give its frames.
        """
        from .. import view

        if trajectory is not None:
            trajectory = read_frames(trajectory)
        return view.explorer(self, trajectory=trajectory, **options)

    def check(self) -> pd.DataFrame:
        """How far the clusters agree with classical methods, a judge on request.

        Common neighbour analysis, polyhedral template matching, CHILL+ for water, and the lattice
        for point defects: see :func:`defectkit.result.agreement.check`.
        """
        return agreement.check(self)

    def _frame(self, frame):
        if not -len(self.frames) <= frame < len(self.frames):
            raise ValueError(f"frame={frame}: the result has {len(self.frames)} frames.")
        here = self.frame == frame % len(self.frames)
        atoms = self.frames[frame][self.atom[here]]
        atoms.wrap()
        return atoms, self.labels[here]

    def write(self, path: FilePath) -> None:
        """Extended XYZ of the frames with a column `cluster`, for OVITO or ASE.

        Raises ValueError where `path` is a file that `identify` read: its frames would be lost.
        """
        saved.refuse_source(self, path)
        write_frames(path, self.frames, cluster=self.atom_labels())

    def to_ovito(self) -> Callable[[int, Any], None]:
        """A modifier function for OVITO's pipeline (:func:`defectkit.result.doors.to_ovito`)."""
        return doors.to_ovito(self)

    def to_mdanalysis(self, universe: Any, frame: int = 0) -> np.ndarray:
        """Adds the labels of one frame to an MDAnalysis Universe, attribute `defectkit_clusters`.

        See :func:`defectkit.result.doors.to_mdanalysis`.
        """
        return doors.to_mdanalysis(self, universe, frame)

    def to_pymatgen(self, structure: Any, frame: int = 0) -> Any:
        """A copy of a pymatgen Structure with the site property `defectkit_cluster`."""
        return doors.to_pymatgen(self, structure, frame)

    def to_dpdata(self, system: Any) -> Any:
        """A copy of a dpdata System with its labels as data, `defectkit_clusters`."""
        return doors.to_dpdata(self, system)

    def report(self, path: FilePath) -> Path:
        """One HTML page with tables and pictures that needs no network; its path."""
        return html.page(self, path)

    def save(self, path: FilePath) -> None:
        """One .npz file without pickled objects, for :func:`defectkit.open_result`."""
        saved.save(self, path)
