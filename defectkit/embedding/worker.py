"""Maps computed in a process of their own, so that they can be stopped and a notebook stays awake.

Run as ``python -m defectkit.embedding.worker FOLDER METHOD SEED STANDARDISE``: reads X.npy,
writes Y.npy.
"""

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .methods import embed

_LAST = 450  # PaCMAP's iterations


class Stopped(Exception):
    """The user has stopped the work."""


def compute(X, method, seed=0, report=lambda share, text: None, stop=lambda: False,
            standardise=True):
    """The map :func:`defectkit.embedding.embed` gives, from another process.

    Parameters
    ----------
    X, method, seed, standardise
        As for `embed`.
    report : callable
        Told the share done (None: unknown) and what is going on.
    stop : callable
        Asked often; once it returns True the process is ended and Stopped is raised.
    """
    if method == "pca":  # done before another process would have started
        return embed(X, method, seed=seed, standardise=standardise)
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", X)
        output = Path(folder) / "output.txt"
        with open(output, "wb") as file:
            child = subprocess.Popen([sys.executable, "-m", __spec__.name, folder, method,
                                      str(seed), str(int(standardise))], stdout=file, stderr=file)
        try:
            _follow(child, output, method, report, stop)
        finally:
            child.kill()
            child.wait()
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


def share_done(method, text):
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


def main(folder, method, seed, standardise):
    folder = Path(folder)
    Y = embed(np.load(folder / "X.npy", allow_pickle=False), method, seed=int(seed), verbose=True,
              standardise=bool(int(standardise)))
    np.save(folder / "Y.npy", Y)


if __name__ == "__main__":
    main(*sys.argv[1:])
