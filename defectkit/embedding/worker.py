"""Maps computed in a process of their own, so that they can be stopped and a notebook stays awake.

The process reads X.npy in a folder and writes Y.npy there. It ends with its parent, however that
ends: its standard input is a pipe that closes then.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import ArrayLike

from .._types import FilePath
from .methods import check_seed, check_settings, embed, method_name
from .scaling import feature_table
from .scaling import standardise as scaled

__all__ = ["Stopped", "compute", "embed_all", "share_done"]

_LAST = 450  # PaCMAP's iterations
_BESIDE_FROM = 4096  # environments; below, starting a process takes longer than the map
_ROOT = str(Path(__file__).resolve().parents[2])
# With -P neither the current folder nor the script's is searched, where a file may have the name
# of a library. The package's own folder comes last, for a checkout that is not installed.
# Looking for garbage while the libraries are imported takes a quarter of that time.
_START = (
    "import gc, sys; gc.disable(); sys.path.append(sys.argv.pop(1)); "
    "from defectkit.embedding.worker import main; main(*sys.argv[1:])"
)


class Stopped(Exception):
    """The user has stopped the work."""


def compute(
    X: ArrayLike,
    method: str,
    seed: int = 0,
    report: Callable[[float | None, str], Any] = lambda share, text: None,
    stop: Callable[[], bool] = lambda: False,
    standardise: bool = True,
) -> np.ndarray:
    """The map :func:`defectkit.embedding.embed` gives, from another process.

    Parameters
    ----------
    X, method, seed, standardise
        As for `embed`.
    report : callable
        Told the share done (None: unknown) and what is going on.
    stop : callable
        Asked often; once it returns True the process is ended and Stopped is raised.

    Raises
    ------
    Stopped, RuntimeError (the process failed), OSError (no process to be had)
    """
    method = method_name(method)
    if method == "pca" or not sys.executable:  # done before another process would have started
        return embed(X, method, seed=seed, standardise=standardise)
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", X)
        output = Path(folder) / "output.txt"
        with open(output, "wb") as file:
            child = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    _START,
                    _ROOT,
                    folder,
                    method,
                    str(check_seed(seed)),
                    str(int(standardise)),
                ],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )
        try:
            _follow(child, output, method, report, stop)
        finally:
            child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()
        return np.load(Path(folder) / "Y.npy", allow_pickle=False)


def _follow(child, output, method, report, stop):
    """Until the process ends: what it has printed, as progress."""
    while True:
        try:
            code = child.wait(0.1)
        except subprocess.TimeoutExpired:
            code = None
        text = output.read_text(errors="replace")
        if stop():
            raise Stopped
        if code:
            last = (text.strip() or f"exit status {code}").splitlines()[-1]
            raise RuntimeError(f"{method} failed: {last}")
        if code == 0:
            return
        report(share_done(method, text), method)


def share_done(method: str, text: str) -> float | None:
    """Share of a map's work that its output tells of, or None.

    Examples
    --------
    >>> share_done("umap", "Epochs completed:  10%| # 20/200"), share_done("umap", "Building")
    (0.1, None)
    """
    if method == "umap":
        found = re.findall(r"(\d+)%\|", text)
        return int(found[-1]) / 100 if found else None
    found = re.findall(r"[Ii]teration\D*(\d+)", text)
    return min(1.0, int(found[-1]) / _LAST) if found else None


def main(folder: FilePath, method: str, seed: int, standardise: bool) -> None:
    """The map of ``X.npy`` in `folder`, as the process of its own that `compute` starts."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import_module(method)
    gc.freeze()
    gc.enable()
    folder = Path(folder)
    Y = embed(
        np.load(folder / "X.npy", allow_pickle=False),
        method,
        seed=int(seed),
        verbose=True,
        standardise=bool(int(standardise)),
    )
    np.save(folder / "Y.npy", Y)


def _end_with_parent():
    """Ends this process once the pipe from its parent is closed."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def embed_all(
    X: ArrayLike,
    methods: Sequence[str] = ("pca", "umap", "pacmap"),
    *,
    seed: int = 0,
    standardise: bool = True,
) -> dict:
    """Coordinates of every environment under several methods, for comparing them.

    Bit by bit the maps of :func:`embed` with its settings. From 4096 environments on, and where
    there is a second core, PaCMAP works in a process of its own beside UMAP.

    Parameters
    ----------
    X : array (n, n_features)
    methods : sequence of str
    seed : int
    standardise : bool

    Returns
    -------
    dict {method: array (n, 2), float64}

    Raises
    ------
    ValueError
        As :func:`embed`, before the work begins.
    """
    X, names = feature_table(X, "X"), [method_name(m) for m in methods]
    for name in names:
        check_settings(len(X), name)
    check_seed(seed)
    X = scaled(X) if standardise else X

    def one(name):
        return embed(X, name, seed=seed, standardise=False)

    beside = (
        len(X) >= _BESIDE_FROM
        and cpu_count() > 1
        and bool(sys.executable)
        and {"umap", "pacmap"} <= set(names)
    )
    maps = _two_at_once(X, names, seed, one) if beside else {n: one(n) for n in names}
    return {given: maps[name] for given, name in zip(methods, names, strict=True)}


def _two_at_once(X, names, seed, one):
    """Maps of all methods, PaCMAP's from another process; ended at once if anything is raised."""
    ended = threading.Event()
    pool = ThreadPoolExecutor(1)
    try:
        beside = pool.submit(compute, X, "pacmap", seed, stop=ended.is_set, standardise=False)
        maps = {n: one(n) for n in names if n != "pacmap"}
        try:
            maps["pacmap"] = beside.result()
        except (OSError, RuntimeError):  # no other process to be had
            maps["pacmap"] = one("pacmap")
    finally:
        ended.set()
        pool.shutdown()
    return maps
