"""Named data sets: embedded, fetched with a checksum, or the user's own files.

Embedded sets lie in ``defectkit/data`` as NAME.extxyz.gz, or NAME.xtc with the topology NAME.pdb,
beside NAME.json, which says what made them. Fetched files go to a cache folder:
the environment variable DEFECTKIT_CACHE, or the user's usual cache folder.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from ._checks import whole_number
from ._shown import Shown
from ._types import Elements, FilePath, Topology
from .io import si_gap
from .io.archive import read_archive
from .io.atomic_write import atomic_write, user_path
from .io.download import fetch
from .io.extxyz import check_column, for_extxyz
from .io.packaged import data_file
from .io.trajectory import iter_frames
from .io.trajectory import read_frames as _read

_DATA = Path(__file__).parent / "data"
_GAP = "si-gap-18"
_GAP_INFO = {
    "name": _GAP,
    "description": "The DFT database of the GAP potential for silicon (Bartok et al. 2018), the "
    "paper's own data: 2475 structures by config_type. Fetched, not embedded.",
    "licence": "CC BY-NC-SA 4.0",
    "citation": "A. P. Bartok, J. Kermode, N. Bernstein, G. Csanyi, Phys. Rev. X 8, 041048 "
    "(2018), doi:10.1103/PhysRevX.8.041048",
    "units": "Å, eV",
}
_N2P2 = (
    "https://raw.githubusercontent.com/CompPhysVienna/n2p2/"
    "61daa0dfd065c842eaabc40ab283658510e066a5/examples/"
)
_WATER = "interface-LAMMPS/H2O_RPBE-D3/"
#: Sets whose features are embedded, see `nucleus_features`.
_NUCLEI = ("ice-nucleus-large", "ice-nucleus-article")
_POTENTIALS: dict[str, Any] = {
    "h2o-rpbe-d3": {
        "folder": "h2o_rpbe_d3",
        "licence": "GPL-3.0 (distributed with n2p2); cite T. Morawietz, A. Singraber, C. Dellago, "
        "J. Behler, PNAS 113, 8368 (2016), doi:10.1073/pnas.1602375113",
        "files": {
            "input.nn": (
                _WATER + "hdnnp-data/input.nn",
                "a0983db646016aeaf4bb82c87390bd14d08e759bd0751a92456347e7f2667ef2",
            ),
            "scaling.data": (
                _WATER + "hdnnp-data/scaling.data",
                "468998f9b880d96f4b49f192fc8c3c8229e3ca53b9036c7ec6e66ae58a54c1e3",
            ),
            "weights.001.data": (
                _WATER + "hdnnp-data/weights.001.data",
                "207728de9f248d4d8440620075086b60c6ab188a82ae8af91ac403e2aecf3379",
            ),
            "weights.008.data": (
                _WATER + "hdnnp-data/weights.008.data",
                "f0337923e3cf2425741d408aa4ea6c457aea67c0d743808cd7e4addc45db3fd8",
            ),
        },
    }
}


@dataclass(frozen=True, repr=False)
class Dataset(Shown):
    """Frames with what is known about them.

    ``frames``: list of ase.Atoms. ``truth``: dict of arrays; ``truth["frame"]`` gives the frame
    of each environment (each atom of the concatenated frames), and a label array such as
    ``truth["phase"]`` indexes ``classes``. ``dt``: time (ps) between consecutive frames of one
    run, or None where frames are decorrelated. ``info``: all metadata.
    """

    name: str
    frames: list
    truth: dict
    classes: tuple
    dt: float | None
    units: str
    licence: str
    citation: str
    description: str
    info: dict

    def split(self, values: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
        """Values of all environments (n, ...) split by frame: a list of arrays.

        Raises ValueError unless there is one value for each atom of the frames.

        >>> data = load("si-phases-test", kinds=["diamond"])
        >>> len(data.split(data.truth["phase"])) == len(data.frames)
        True
        """
        sizes = [len(frame) for frame in self.frames]
        if len(values) != sum(sizes):
            raise ValueError(
                f"{len(values)} values do not match the {sum(sizes)} atoms of "
                f"{self.name}; give one for each atom of each frame."
            )
        return np.split(np.asarray(values), np.cumsum(sizes)[:-1])

    def runs(self) -> list[list[Atoms]]:
        """Lists of consecutive frames, one for each run of molecular dynamics.

        Raises ValueError for a set of separate structures.
        """
        if "run" not in self.truth:
            raise ValueError(f"{self.name} has no runs, its frames are separate structures.")
        run = self.truth["run"]
        return [[self.frames[n] for n in np.flatnonzero(run == r)] for r in np.unique(run)]

    def _summary(self):
        atoms = [len(frame) for frame in self.frames] or [0]
        size = f"{min(atoms)} to {max(atoms)}" if min(atoms) < max(atoms) else f"{atoms[0]}"
        time = f", {self.dt:g} ps apart" if self.dt else ""
        shapes = {n: getattr(v, "shape", f"({len(v)}, ...)") for n, v in self.truth.items()}
        truth = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        return f"Dataset {self.name}: {self.description}", [
            ("frames", f"{len(self.frames)} of {size} atoms{time}"),
            ("classes", ", ".join(map(str, self.classes))),
            ("truth", truth),
            ("licence", f"{self.licence}; {self.citation}"),
        ]


def cache_folder() -> Path:
    """Folder (Path) of fetched files: DEFECTKIT_CACHE, or the user's cache folder."""
    if os.environ.get("DEFECTKIT_CACHE"):
        return user_path(os.environ["DEFECTKIT_CACHE"])
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "defectkit"


def available() -> dict[str, str]:
    """One line for every data set that ``load`` knows (dict, by name)."""
    embedded = {
        path.stem: _metadata(path.stem)["description"] for path in sorted(_DATA.glob("*.json"))
    }
    return embedded | {_GAP: _GAP_INFO["description"]}


def load(name: str, kinds: Sequence[str] | None = None, every: int = 1) -> Dataset:
    """Frames of a named data set with the truth beside them.

    Parameters
    ----------
    name : a key of ``available()``.
    kinds : keep only these kinds of frame: the ``classes`` of an embedded set, the
        ``config_type`` of si-gap-18 ("dia", "bt", "sh", "liq", "vacancy", "interstitial",
        "surface_001", ...). Default: all.
    every : keep only every n-th of the set's frames; `dt` grows with it.

    Returns
    -------
    Dataset

    Raises ValueError for an unknown name or kind (the sentence lists the known) or `every`, and
    FileNotFoundError, with where to put the file by hand, when si-gap-18 cannot be fetched, or
    one of the large sets that an installed package leaves out (a checkout has them all).

    >>> data = load("si-phases-test", kinds=["diamond"])
    >>> data.classes
    ('diamond',)
    """
    kinds = [kinds] if isinstance(kinds, str) else kinds
    every = whole_number("every", every)
    known = available()
    if name not in known:
        raise ValueError(f"Unknown data set {name!r}; the known ones are {', '.join(known)}.")
    if name == _GAP:
        warnings.warn(
            f"Si-GAP-18 is covered by {_GAP_INFO['licence']}; cite {_GAP_INFO['citation']}.",
            stacklevel=2,
        )
        found = si_gap.frames(cache_folder())[::every]
        return _labelled(found, "config_type", kinds, _GAP_INFO, every)
    info = _metadata(name)
    if "files" in info:
        frames = _trajectory(info)[::every]
    else:
        text = _unzipped(_file(f"{name}.extxyz.gz"))
        frames = ase.io.read(text, f"::{every}", format="extxyz")
    return _labelled(frames, info.get("kind_key", "phase"), kinds, info, every)


def _file(name):
    return data_file(name, _DATA, cache_folder())


def described_sets() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Environments of three data sets by several descriptors, for notebook 10.

    Returns (about, arrays): what each descriptor is, its cost and how many features it has; and
    "SET: truth" (n,) beside "SET: DESCRIPTOR" (n, components), the principal components of its
    standardised features. "elements: CHGNet" (89, 64) are its features of a close-packed crystal
    of each of `about["elements"]`. Made by `recipes/descriptors.py`.

    >>> about, arrays = described_sets()
    >>> len(arrays["water: truth"]) == len(arrays["water: CHGNet"])
    True
    """
    about, arrays = read_archive(_file("descriptors.npz"), "set of features")
    return about, {
        name: values.astype(np.int64 if values.dtype.kind == "i" else float)
        for name, values in arrays.items()
    }


def nucleus_features(name: str = "ice-nucleus-large") -> np.ndarray:
    """Symmetry functions of the oxygens of an ice nucleus in water (n_means, n, n_features).

    Of "ice-nucleus-large" means over the time of each of the set's frames, then those of the
    run's last instant alone; of "ice-nucleus-article" the one mean. By `SymmetryFunctions.water`,
    quantised to 1/65535 of each function's range (1/16383 in the article's box). Made by
    `recipes/ice_nucleus_pack.py`. ValueError for another name.

    >>> blocks = nucleus_features()
    >>> len(blocks) == len(load("ice-nucleus-large").frames) + 1
    True
    """
    if name not in _NUCLEI:
        raise ValueError(f"there are no features of {name!r}; choose {' or '.join(_NUCLEI)}.")
    _, arrays = read_archive(_file(f"{name}.npz"), "set of features")
    return arrays["levels"] * arrays["step"] + arrays["low"]


def _metadata(name):
    return json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8"))


def _trajectory(info):
    """Frames of an embedded XTC file, of one phase."""
    files = {kind: _file(name) for kind, name in info["files"].items()}
    frames = list(iter_frames(files["trajectory"], topology=files["topology"]))
    for n, atoms in enumerate(frames):
        atoms.info |= {"phase": info["phase"], "time_ps": (n + 1) * info["dt_ps"]}
    return frames


def _unzipped(path):
    """Text in memory: ASE seeks each frame, which in a gzip file starts again from its top."""
    return io.StringIO(gzip.decompress(path.read_bytes()).decode())


def _labelled(frames, key, kinds, info, every):
    """A Dataset of the frames whose ``info[key]`` is in ``kinds``, with the label arrays."""
    found = [str(atoms.info.get(key, "unknown")) for atoms in frames]
    order = info.get("classes") or sorted(set(found))
    classes = tuple(order if kinds is None else kinds)
    if kinds is not None and not (classes and set(classes) <= set(found)):
        unknown = [kind for kind in classes if kind not in found]
        raise ValueError(
            f"{info['name']} {f'has no kind {unknown[0]!r}' if unknown else 'keeps no kind'}"
            f"{f' with every={every}' if every > 1 else ''}; it has "
            f"{', '.join(sorted(set(found)))}."
        )
    frames = [atoms for atoms, kind in zip(frames, found, strict=True) if kind in classes]
    return Dataset(
        info["name"],
        frames,
        _truth(frames, key, classes, info),
        classes,
        info["dt_ps"] * every if info.get("dt_ps") else None,
        info["units"],
        info["licence"],
        info["citation"],
        info["description"],
        info,
    )


def _truth(frames, key, classes, info):
    """Arrays beside the frames: per environment, or per frame."""
    sizes = [len(atoms) for atoms in frames]
    labels = [classes.index(str(atoms.info.get(key, "unknown"))) for atoms in frames]
    truth = {"frame": np.repeat(np.arange(len(frames)), sizes)}
    truth["phase" if key == "config_type" else key] = np.repeat(np.array(labels, int), sizes)
    for name, short in (("temperature_K", "temperature"), ("time_ps", "time")):
        if frames and name in frames[0].info:
            truth[short] = np.array([float(atoms.info[name]) for atoms in frames])
    if frames and "run" in frames[0].info:
        runs = [str(atoms.info["run"]) for atoms in frames]
        numbers = {run: i for i, run in enumerate(dict.fromkeys(runs))}
        truth["run"] = np.array([numbers[run] for run in runs])
    for name in info.get("truth", {}):
        if frames and name in frames[0].arrays:
            truth[name] = np.concatenate([atoms.arrays[name] for atoms in frames])
        elif frames:
            truth[name] = _of_frames([np.asarray(atoms.info[name]) for atoms in frames], name)
    return truth


def _of_frames(values, name):
    """One array, or a list of one a frame where frames have none, one or several sites."""
    if len({value.shape for value in values}) == 1:
        return np.array(values)
    return [value.reshape((-1, 3) if name.endswith("_A") else -1) for value in values]


def read_frames(
    path: FilePath, elements: Elements = None, topology: Topology = None, progress: bool = False
) -> list[Atoms]:
    """Frames (list of ase.Atoms) of a user's own file, in any format that is read here.

    As :func:`defectkit.io.trajectory.read_frames`. ``elements``: symbols of the types
    1, 2, ... where the file has types only.
    """
    return _read(path, topology, elements, progress=progress)


def potential_folder(name: str = "h2o-rpbe-d3", progress: bool = True) -> Path:
    """Folder (Path) of a neural network potential in n2p2's format, fetched where needed.

    Each file is checked against its SHA-256 and kept in ``cache_folder()``. The one potential
    known is "h2o-rpbe-d3" (RPBE-D3 water; Morawietz et al. 2016), which is GPL-3.0 data.
    Raises ValueError for an unknown name or a corrupt file, FileNotFoundError without a network.
    """
    if name not in _POTENTIALS:
        raise ValueError(
            f"Unknown potential {name!r}; the known ones are {', '.join(_POTENTIALS)}."
        )
    entry = _POTENTIALS[name]
    folder = cache_folder() / entry["folder"]
    if not all((folder / file).exists() for file in entry["files"]):
        warnings.warn(f"{name} is covered by {entry['licence']}.", stacklevel=2)
    for file, (address, sha256) in entry["files"].items():
        fetch(_N2P2 + address, sha256, folder / file, progress)
    return folder


def write_frames(
    path: FilePath, frames: Sequence[Atoms], **columns: Sequence[Any] | np.ndarray
) -> None:
    """Writes frames as extended XYZ, one column per array, for OVITO, ASE and the like.

    Parameters
    ----------
    path : file name ending in .extxyz, .xyz, or either with .gz.
    frames : list of ase.Atoms; left as they are.
    columns : arrays (n_atoms of all frames together,) or (…, k), such as ``cluster=labels``;
        in the file the column has the name of the argument.

    What else of a frame extended XYZ cannot hold is left out. Raises ValueError for another
    ending, such a column, or one of another length. The file appears only when it is whole.
    """
    path, frames = user_path(path), list(frames)
    if not path.name.lower().endswith((".extxyz", ".xyz", ".extxyz.gz", ".xyz.gz")):
        raise ValueError(
            f"{path} is not a name for extended XYZ; end it in .extxyz or .extxyz.gz."
        )
    size = sum(map(len, frames))
    for name, values in columns.items():
        check_column(name, np.asarray(values), size, len(frames))
    written, start = [], 0
    for atoms in frames:
        copy = for_extxyz(atoms)
        for name, values in columns.items():
            copy.arrays[name] = np.asarray(values)[start : start + len(atoms)]
        start += len(atoms)
        written.append(copy)
    with atomic_write(path) as partial:
        ase.io.write(partial, written, format="extxyz")


def write_results(path: FilePath, numbers: Mapping[str, float]) -> dict[str, Any]:
    """Writes measured numbers, {name with unit: number}, as JSON to four digits; returns them."""
    text = json.dumps(
        {
            name: value if isinstance(value, int | str) else float(f"{value:.4g}")
            for name, value in numbers.items()
        },
        indent=1,
    )
    with atomic_write(path) as partial:
        partial.write_text(text + "\n")
    return json.loads(text)
