"""The whole loop for somebody's own trajectory: features, average, map, clusters, description."""

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from tqdm.auto import tqdm

from . import datasets, nucleus
from .averaging.means import frame_index, shortest_window, window_from_ps
from .clusters import NOT_LABELLED, cluster, describe, knn_labels
from .embedding.methods import INITS, embed, standardise
from .io.archive import pack_frames, read_archive, unpack_frames, write_archive
from .io.continuity import first_break
from .io.trajectory import read_frames
from .neighbours.bond_order import first_shell, places
from .symmetry import SymmetryFunctions, features_of_each

_FORMAT, _MARK = 2, "defectkit result"
_FARTHEST = 30.0  # Å; no first shell of neighbours reaches that far


@dataclass(frozen=True)
class Result:
    """Clusters of the environments of a trajectory.

    frames  list of ase.Atoms, those that carry labels
    labels  (n,) int, cluster of each environment from 0 (the largest); -1 noise
    map     (n, 2); NaN where an environment was not drawn for the map and got the label of its
            neighbours in feature space
    frame   (n,) int, position in `frames`
    atom    (n,) int, index of its atom
    info    dict: method, window (frames), cutoff (Å), centres, seed, in words what was done
    """

    frames: list
    labels: np.ndarray
    map: np.ndarray
    frame: np.ndarray
    atom: np.ndarray
    info: dict

    def atom_labels(self):
        """Labels of all atoms of all frames, (n_atoms of all frames,); NOT_LABELLED elsewhere."""
        starts = np.concatenate([[0], np.cumsum([len(atoms) for atoms in self.frames])])
        labels = np.full(starts[-1], NOT_LABELLED)
        labels[starts[self.frame] + self.atom] = self.labels
        return labels

    def describe(self):
        """What each cluster is made of, a list of dict.

        As `clusters.describe` of the atoms of that element, and `group`: the mean number of
        atoms of the cluster that lie together, linked up to their second neighbours. Where only a
        part of the atoms was looked at, `per_frame` is the number expected of all, and `group`
        NaN. `place` (3 floats): where the cluster sits along each cell vector (Å), NaN along one
        over which it is spread.
        """
        cutoff, sampled = self.info["cutoff"], self.info["sampled"]
        labels = np.split(self.atom_labels(), np.cumsum([len(f) for f in self.frames])[:-1])
        alike = [atoms.symbols == self.info["centres"] for atoms in self.frames]
        frames = [atoms[here] for atoms, here in zip(self.frames, alike, strict=True)]
        labels = [of_frame[here] for of_frame, here in zip(labels, alike, strict=True)]
        rows = describe(np.concatenate(labels), self.frames, cutoff, self.info["centres"])
        sites = places(frames, labels, [row["label"] for row in rows])
        for row, at in zip(rows, sites, strict=True):
            row["per_frame"] /= sampled or 1.0
            row["place"] = at.tolist()
            row["group"] = float("nan") if sampled else row["size"] / sum(
                len(nucleus.connected(atoms, of_frame == row["label"], 1.7 * cutoff))
                for atoms, of_frame in zip(frames, labels, strict=True))
        return rows

    def words(self):
        """One sentence for each cluster."""
        return [_sentence(row, self.info["centres"]) for row in self.describe()]

    def figure(self, **options):
        """The map, coloured by cluster (`plots.embedding`)."""
        from . import plots

        drawn = np.isfinite(self.map[:, 0])
        return plots.embedding(self.map[drawn], self.labels[drawn], **options)

    def still(self, frame=0, **options):
        """One frame as a picture, coloured by cluster (`plots.atoms3d`)."""
        from . import plots

        return plots.atoms3d(*self._frame(frame), **options)

    def view(self, frame=0, **options):
        """One frame in 3D, coloured by cluster (`view.scene`)."""
        from . import view

        return view.scene(*self._frame(frame), **options)

    def explore(self, trajectory=None, **options):
        """Map, atoms and time linked in a notebook (`view.explorer`).

        `trajectory`, the file or frames that `identify` was given, lets other methods and windows
        be computed; a file that needs a topology or elements: give its frames.
        """
        from . import view

        if trajectory is not None:
            trajectory = _read(trajectory, None, None, False)
        return view.explorer(self, trajectory=trajectory, **options)

    def _frame(self, frame):
        if not -len(self.frames) <= frame < len(self.frames):
            raise ValueError(f"frame={frame}: the result has {len(self.frames)} frames.")
        here = self.frame == frame % len(self.frames)
        atoms = self.frames[frame][self.atom[here]]
        atoms.wrap()
        return atoms, self.labels[here]

    def write(self, path):
        """Extended XYZ of the frames with a column `cluster`, for OVITO or ASE."""
        datasets.write_frames(path, self.frames, cluster=self.atom_labels())

    def save(self, path):
        """One .npz file without pickled objects, for `open_result`."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"{path} is not a name for a result; end it in .npz.")
        described, arrays = pack_frames(self.frames)
        header = {"mark": _MARK, "format": _FORMAT, "info": self.info, "frames": described}
        write_archive(path, header, arrays | {"labels": self.labels, "map": self.map,
                                              "frame": self.frame, "atom": self.atom})


def open_result(path):
    """The `Result` that `Result.save` wrote. Nothing in the file is executed.

    Raises FileNotFoundError, and ValueError for another kind of file, a damaged one, or one from
    a newer version.
    """
    header, values = read_archive(path, "result")
    try:
        newer = header.get("mark") in (_MARK, None) and header["format"] > _FORMAT
        result = None if newer else _restored(values, header)
    except Exception as err:  # ASE's readers and changed descriptions raise every kind
        raise ValueError(f"{path} is not a saved result or is damaged ({type(err).__name__}); "
                         "save it again.") from None
    if newer:
        raise ValueError(f"{path} was written by a newer version; update defectkit.")
    return result


def _restored(values, header):
    """A `Result`; raises where its arrays do not fit its frames."""
    if header.get("mark") == _MARK:
        info, frames = header["info"], unpack_frames(header["frames"], values)
    else:  # format 1, frames as text
        text = values["frames"].tobytes().decode()
        info = {k: v for k, v in header.items() if k != "format"}
        frames = ase.io.read(io.StringIO(text), ":", format="extxyz")
    arrays = [values[name] for name in ("labels", "frame", "atom")]
    labels, frame, atom = arrays
    fits = (all(a.dtype.kind == "i" and a.shape == labels.shape for a in arrays)
            and labels.ndim == 1 and labels.min() >= -1 and values["map"].dtype == float
            and values["map"].shape == (len(labels), 2) and frame.min() >= 0 and atom.min() >= 0
            and np.all(atom < np.array([len(atoms) for atoms in frames])[frame])
            and isinstance(info["centres"], str) and info["window"] >= 1
            and 0 < float(info["cutoff"]) < _FARTHEST
            and (info["sampled"] is None or 0 < info["sampled"] <= 1))
    if not fits:
        raise ValueError("arrays")
    return Result(frames, labels, values["map"], frame, atom, info)


def identify(source, symmetry=None, method="pacmap", window=None, dt=None, centres=None,
             topology=None, elements=None, max_points=20_000, max_environments=500_000, seed=0,
             n_jobs=None, progress=True):
    """Clusters of the atoms of a trajectory, without labels: the loop of the article's Fig. 4.

    Parameters
    ----------
    source : path, ase.Atoms, or iterable of ase.Atoms
        Any format that ASE reads, and those of :func:`defectkit.trajectory.iter_frames`, which
        also explains `topology` and `elements`.
    symmetry : SymmetryFunctions, optional
        Default `SymmetryFunctions.for_elements` of the elements found.
    method : {"pacmap", "umap", "pca"}
    window : int or str, optional
        Length of the average over time: frames, or a time such as "0.75 ps" with `dt`. Default:
        for a trajectory (no atom moves on between frames) of at least 24 frames the shortest
        window whose clusters last (:func:`defectkit.averaging.shortest_window`), else 1.
    dt : float, optional
        Time between frames (ps).
    centres : str, optional
        Element whose atoms are labelled. Default: the only one, or the most frequent but H.
    max_points : int
        Environments drawn at random for the map; the others get the label that most of their ten
        nearest neighbours in feature space have.
    max_environments : int
        Beyond this only a random choice of atoms is looked at, and a warning says so.
    seed, n_jobs, progress

    Returns
    -------
    Result

    Raises
    ------
    ValueError, FileNotFoundError
        As the parts; a window that the frames cannot fill.

    Examples
    --------
    >>> from ase.build import bulk
    >>> silver = bulk("Ag", cubic=True) * (4, 4, 4)
    >>> silver.rattle(0.05, seed=1)
    >>> result = identify(silver, method="pca", progress=False)
    >>> result.labels.shape, int(result.labels.max()) + 1  # one cluster
    ((256,), 1)
    """
    if method not in INITS:
        raise ValueError(f"unknown method {method!r}; use {', '.join(INITS)}.")
    frames = _read(source, topology, elements, progress)
    if not frames or not any(len(atoms) for atoms in frames):
        raise ValueError("there are no atoms; give a file with at least one frame.")
    centres = centres or _main_element(frames)
    symmetry = symmetry or SymmetryFunctions.for_elements(
        sorted({s for atoms in frames for s in atoms.symbols}))
    broken = first_break(frames)
    connected = broken is None and len(frames) > 1
    window = _frames_of(window, dt, len(frames), connected, broken)
    index = [np.flatnonzero(atoms.symbols == centres) for atoms in frames]
    index, sampled = _thinned(index, max_environments, connected, seed)
    wanted = index if sampled else [centres] * len(frames)
    G = features_of_each(zip(frames, wanted, strict=True), symmetry, n_jobs, progress)
    reason = "none" if window == 1 else "given"
    if window is None:
        window, reason = _shortest(G, dt, method, seed, progress)
    X, which = _averaged(G, window)
    labels, Y = _clusters(X, method, max_points, seed, progress)
    part = frames[0][(frames[0].numbers != 1) | (centres == "H")]
    info = {"method": method, "window": window, "window_reason": reason, "dt": dt,
            "centres": centres, "cutoff": first_shell(part, symmetry.cutoff),
            "seed": seed, "features": symmetry.names(centres), "sampled": sampled}
    kept = [frames[n] for n in which]
    atoms_of = [index[n] for n in which]
    return Result(kept, labels, Y, np.repeat(np.arange(len(which)), [len(i) for i in atoms_of]),
                  np.concatenate(atoms_of), info)


def _read(source, topology, elements, progress):
    """All frames, by the one reader."""
    return read_frames(source, topology, elements, progress=progress)


def _sentence(row, centres):
    name = "noise" if row["label"] < 0 else f"cluster {row['label']}"
    groups = f", in groups of {row['group']:.1f}" if np.isfinite(row["group"]) else ""
    return (f"{name}: {row['fraction']:.2%} of the {centres} atoms ({row['per_frame']:.1f} per "
            f"frame{groups}), {row['coordination']:.1f} ± "
            f"{row['coordination_std']:.1f} neighbours, the nearest at {row['nearest']:.2f} Å, "
            f"q4 {row['q4']:.2f}, q6 {row['q6']:.2f}"
            + (", at an open side" if row["one_sided"] > 0.3 else "") + _where(row["place"]))


def _where(place):
    sharp = [f"{x:.1f} Å along {axis}" for axis, x in zip("abc", place, strict=True)
             if np.isfinite(x)]
    kind = {1: "in a layer at", 2: "along a line at", 3: "around"}
    return f", {kind[len(sharp)]} {', '.join(sharp)}" if sharp else ""


def _main_element(frames):
    names, counts = np.unique(np.concatenate([atoms.symbols[:] for atoms in frames]),
                              return_counts=True)
    heavy = counts * ((names != "H") | (len(names) == 1))
    return str(names[heavy.argmax()])


def _frames_of(window, dt, n_frames, connected, broken=None):
    """Window in frames, or None where it is to be found."""
    if window is None:
        return None if connected and n_frames >= 24 else 1
    if isinstance(window, str):
        match = re.fullmatch(r"\s*([0-9.]+(?:e-?\d+)?)\s*(ps|fs)\s*", window)
        if not match:
            raise ValueError(f"window={window!r} is not a time; write it like '0.75 ps'.")
        if dt is None:
            raise ValueError(f"window={window!r} needs the time between frames; give dt in ps.")
        window = window_from_ps(float(match[1]) * (1.0 if match[2] == "ps" else 1e-3), dt)
    if window > n_frames:
        raise ValueError(f"a window of {window} frames does not fit into {n_frames}; give a "
                         "shorter window or more frames.")
    if window > 1 and not connected:
        raise ValueError(f"these frames do not follow one another in time ({broken}): they "
                         "cannot be averaged; leave window out, or give the frames of one run.")
    return window


def _thinned(index, most, connected, seed):
    """Fewer atoms where there are too many environments; the same ones all along a trajectory."""
    total = sum(map(len, index))
    if total <= most:
        return index, None
    warnings.warn(f"{total} environments are more than max_environments={most}: a random "
                  f"{most / total:.0%} of the atoms are looked at, the others stay unlabelled "
                  f"({NOT_LABELLED}).", stacklevel=3)
    rng = np.random.default_rng(seed)
    share, kept = most / total, None
    result = []
    for i in index:
        if kept is None or not connected:
            kept = np.sort(rng.permutation(len(i))[:max(1, int(share * len(i)))])
        result.append(i[kept])
    return result, share


def _shortest(G, dt, method, seed, progress):
    window, _ = shortest_window(np.stack(G), dt, method=method, seed=seed, max_points=3000,
                                allow_splits=True, progress=progress)
    if window is None:
        return 1, "no window up to a quarter of the trajectory gives lasting clusters: none taken"
    return window, "the shortest whose clusters last"


def _averaged(G, window):
    """Features, one row an environment, and the frame each window belongs to."""
    if window == 1:
        return np.concatenate(G), np.arange(len(G))
    starts = np.arange(0, len(G) - window + 1, window)
    means = np.concatenate([np.mean(G[s:s + window], axis=0) for s in starts])
    return means, frame_index(len(G), window)[starts]


def _clusters(X, method, max_points, seed, progress):
    """Label of each row, and the map of those drawn (NaN elsewhere)."""
    steps = tqdm(total=3, desc=f"{method} map", unit="step", leave=False, disable=not progress)
    drawn = np.arange(len(X))
    if len(X) > max_points:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(X))[:max_points])
    Y = np.full((len(X), 2), np.nan)
    Y[drawn] = embed(X[drawn], method, seed=seed)
    steps.update()
    steps.set_description("clusters")
    labels = np.empty(len(X), int)
    labels[drawn] = cluster(Y[drawn])
    steps.update()
    steps.set_description("labels of environments that are not in the map")
    rest = np.setdiff1d(np.arange(len(X)), drawn)
    if len(rest):
        Z = standardise(X, X[drawn])
        labels[rest], _ = knn_labels(Z[drawn], labels[drawn], Z[rest])
    steps.close()
    return labels, Y
