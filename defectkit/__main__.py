"""Command line: `python -m defectkit demo` and `python -m defectkit identify FILE`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__
from .io.archive import read_archive
from .io.atomic_write import atomic_write, clear_errors, user_path
from .io.source import COMPRESSED

if TYPE_CHECKING:
    import pandas as pd

PAPER = {"pca": None, "umap": 0.10, "pacmap": 0.08}  # misclassified, %
#: What `identify` writes for every file (the map only where there is one), and its tables.
ENDS = {"map": ".png", "atoms": ".png", "labelled": ".extxyz", "result": ".npz", "report": ".html"}
TABLES = ("phases", "defects", "extended", "tracks")


def demo(folder: Path, n_environments: int, seed: int) -> None:
    """The silicon-phases case: prints the table, writes map, labelled atoms and numbers."""
    import matplotlib

    matplotlib.use("Agg")
    import defectkit as dk
    from defectkit import clusters, datasets, plots

    start = time.perf_counter()
    data = dk.load("si-phases")
    print(
        f"{data.description}\n{len(data.frames)} frames, {len(data.truth['phase'])} atoms; "
        f"{data.licence}; {data.citation}\n"
    )
    G = np.concatenate(dk.features(data.frames, dk.SymmetryFunctions.silicon()))
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(G))[:n_environments])
    phase = data.truth["phase"][chosen]
    rows, maps, labels = [], {}, {}
    for method in PAPER:
        print(f"{method} of {len(chosen)} environments ...", flush=True)
        Y = dk.embed(G[chosen], method, seed=seed)
        labels[method], maps[method] = dk.cluster(Y), Y
        rows.append(
            {
                "method": method,
                "clusters": int(labels[method].max()) + 1,
                "lof_%": 100 * clusters.lof_error(Y, phase)[0],
                "knn_%": 100 * clusters.knn_error(Y, phase)[0],
                "paper_%": PAPER[method],
            }
        )
    print(f"\n{table(rows)}\n")
    folder.mkdir(parents=True, exist_ok=True)
    axes = plots.embeddings(maps, phase, data.classes)
    axes.flat[0].figure.savefig(folder / "si_phases_maps.png", dpi=150)
    _write_atoms(datasets, folder / "si_phases_labelled.extxyz", data, chosen, labels, maps)
    (folder / "si_phases.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(
        f"{folder}/si_phases_maps.png: the maps\n"
        f"{folder}/si_phases_labelled.extxyz: atoms with phase, cluster and map columns, for "
        f"OVITO or ASE\n{folder}/si_phases.json: the table\n{time.perf_counter() - start:.0f} s"
    )


def table(rows: Sequence[Any]) -> str:
    """Misclassified environments by method, beside the paper's number, as text."""
    lines = [
        f"{'method':8s} {'clusters':>8s} {'LOF':>10s} {'10-neighbour knn':>18s} "
        f"{'paper (LOF)':>12s}   misclassified"
    ]
    for row in rows:
        paper = "not given" if row["paper_%"] is None else f"{row['paper_%']:.2f} %"
        lines.append(
            f"{row['method']:8s} {row['clusters']:8d} {row['lof_%']:8.2f} % "
            f"{row['knn_%']:16.2f} % {paper:>12s}"
        )
    return "\n".join(lines)


def _write_atoms(datasets, path, data, chosen, labels, maps):
    """Every frame with its atoms' phase and clusters; atoms that were not drawn have -2."""
    size = len(data.truth["phase"])
    columns = {"phase": data.truth["phase"]}
    for method in labels:
        cluster, xy = np.full(size, -2), np.full((size, 2), np.nan)
        cluster[chosen], xy[chosen] = labels[method], maps[method]
        columns |= {f"cluster_{method}": cluster, f"map_{method}": xy}
    datasets.write_frames(path, data.frames, **columns)


def identify(given: Any) -> None:
    """What the atoms of a user's file are: summary, tables, labelled atoms, pictures, a page."""
    import matplotlib

    matplotlib.use("Agg")
    import defectkit as dk

    _has_result(given.output, given.file)
    result = dk.identify(
        given.file,
        method=given.method,
        window=given.window,
        dt=given.dt,
        centres=given.centres,
        topology=given.topology,
        elements=given.elements,
        seed=given.seed,
    )
    print(result.summary())
    with clear_errors(given.output, "what was written before is whole"):
        again = _has_result(given.output, given.file)
        written = _write_result(result, given.output, _stem(given.file))
        if again:
            _remove_others(written, given.output, _stem(given.file))


def _stem(path):
    """How the files written for an input begin: its name without the ending, `run.7` whole."""
    name = Path(path.name)
    if name.suffix.lower() in COMPRESSED:
        name = Path(name.stem)
    return name.name if name.suffix[1:].isdecimal() else name.stem


def _has_result(folder, path):
    """Whether the result of an earlier run of the same file is there; ValueError for another's."""
    there = folder / f"{_stem(path)}_result.npz"
    if not there.exists():
        return False
    try:
        of = read_archive(there, "result")[0]["info"]["source"]
    except (ValueError, KeyError, TypeError):
        of = None
    if of != [os.path.abspath(path)]:
        raise ValueError(
            f"{there} is the result of {' and '.join(of or ['a file that it does not name'])}; "
            "choose another --output folder."
        )
    return True


def _remove_others(written, folder, stem):
    """Removes what an earlier run of the same file has written and this one has not."""
    for name, end in (ENDS | dict.fromkeys(TABLES, ".csv")).items():
        old = folder / f"{stem}_{name}{end}"
        if name not in written and old.exists():
            old.unlink()
            print(f"Removed, of the run before: {old}")


def _write_result(result, folder, stem):
    """Writes pictures, atoms and tables; {what: ending} of the files."""
    import matplotlib.pyplot as plt

    written = dict(ENDS)
    drawn = {"map": result.figure, "atoms": result.static_figure}
    if not np.isfinite(result.map).any():
        del written["map"], drawn["map"]
    for name, draw in drawn.items():
        axes = draw()
        figure = (axes if hasattr(axes, "figure") else axes.flat[0]).figure
        with atomic_write(folder / f"{stem}_{name}.png") as partial, open(partial, "wb") as file:
            figure.savefig(file, dpi=200, bbox_inches="tight", format="png")
        plt.close(figure)
    result.write(folder / f"{stem}_labelled.extxyz")
    result.save(folder / f"{stem}_result.npz")
    result.report(folder / f"{stem}_report.html")
    for name in TABLES:
        table = getattr(result, name)
        if len(table):
            with atomic_write(folder / f"{stem}_{name}.csv") as partial:
                flat_table(table).to_csv(partial, index=False)
            written[name] = ".csv"
    what = {
        "map": "the map",
        "atoms": "the atoms of the first frame, by cluster",
        "labelled": "atoms with a column cluster, for OVITO or ASE",
        "result": "for defectkit.open_result",
        "report": "all of it as one page",
        "phases": "clusters and their names",
        "defects": "point defects",
        "extended": "planes, lines, surfaces",
        "tracks": "paths of point defects",
    }
    print(
        "\nWritten:",
        *(f"{folder}/{stem}_{name}{end}: {what[name]}" for name, end in written.items()),
        sep="\n",
    )
    return written


def flat_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a column for each coordinate, and lists of atoms as numbers between blanks."""
    flat = table.copy()
    for name in [c for c in ("position_A", "normal") if c in flat]:
        for k, axis in enumerate("xyz"):
            flat.insert(
                flat.columns.get_loc(name) + k,
                name.replace("position", axis) if name == "position_A" else f"normal_{axis}",
                [None if p is None else p[k] for p in flat[name]],
            )
        flat = flat.drop(columns=name)
    if "atoms" in flat and flat["atoms"].dtype == object:
        flat["atoms"] = [" ".join(map(str, a)) for a in flat["atoms"]]
    return flat


@contextmanager
def _made(folder):
    """Makes the folder before anything is computed; it goes again where nothing came of it."""
    new = not folder.exists()
    with clear_errors(folder, "nothing was computed yet"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    try:
        yield
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _window(text):
    return int(text) if text.strip().lstrip("-").isdecimal() else text


def _set_file_and_elements(given, parser):
    """Elements apart by commas or blanks; a file that stands behind them is none of them."""
    words = list(given.elements or [])
    if given.file is None and len(words) > 1:
        given.file = user_path(words.pop())
    if given.file is None:
        parser.error("there is no file; name it first, as in identify run.dump --elements Cu")
    given.elements = [e for word in words for e in word.split(",") if e] or None


def main(arguments: Sequence[str] | None = None) -> None:
    """What `python -m defectkit` does with these arguments."""
    parser = argparse.ArgumentParser(prog="python -m defectkit", description=__doc__)
    parser.add_argument("--version", action="version", version=f"defectkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("demo", help="silicon phases on the embedded data, no browser")
    shown.add_argument("--output", type=user_path, default=Path("demo-output"), metavar="FOLDER")
    shown.add_argument(
        "--environments",
        type=int,
        default=12_000,
        metavar="N",
        help="atoms drawn at random (default 12000: about a minute)",
    )
    shown.add_argument("--seed", type=int, default=0)
    own = commands.add_parser("identify", help="phases, defects and surfaces of your own file")
    own.add_argument("file", nargs="?", type=user_path, metavar="FILE")
    own.add_argument("--method", default="pacmap", help="pacmap (default), umap or pca")
    own.add_argument(
        "--window",
        type=_window,
        metavar="N or TIME",
        help="average over frames, or over a time such as 0.75ps with --dt",
    )
    own.add_argument("--dt", type=float, metavar="PS", help="time between frames")
    own.add_argument("--centres", metavar="ELEMENT", help="label only these atoms")
    own.add_argument("--topology", type=user_path, help="names the atoms of an XTC or DCD file")
    own.add_argument(
        "--elements",
        nargs="+",
        metavar="ELEMENT",
        help="of the types 1, 2, ... of a LAMMPS dump, such as Si,O or Si O",
    )
    own.add_argument("--output", type=user_path, default=Path("identify-output"), metavar="FOLDER")
    own.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.command == "identify":
        _set_file_and_elements(given, own)
    if given.command == "demo" and given.environments < 1000:
        parser.error("--environments below 1000 leaves too few of each phase; use 1000 or more.")
    if given.output.exists() and not given.output.is_dir():
        sys.exit(f"defectkit: {given.output} is a file; choose another --output folder.")
    try:
        with _made(given.output):
            if given.command == "identify":
                identify(given)
            else:
                demo(given.output, given.environments, given.seed)
    except (ValueError, OSError) as error:
        sys.exit(f"defectkit: {error}")


if __name__ == "__main__":
    main()
