"""Silicon that melts: the classifier's share of diamond against template matching's.

Runs like `si-melting` (2050 K, 200 frames of 256 atoms) from other seeds, and that set itself.
"plain" and "for heat": the two classifiers of notebook 08. How far the second one's cells are
shaken was chosen on seeds 7001 to 7004, which are refused here. Beside it template matching with
a smaller and a larger limit than the 0.15 that is compared with.

    python benchmarks/melting.py [--seeds 8001 8002 8003 8004]    # needs the recipes extra
"""

import argparse
import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "recipes"))

import numpy as np  # noqa: E402
import si_melting  # noqa: E402
from _timing import digits, keep  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit.descriptors import neighbour_averaged  # noqa: E402
from defectkit.parametric import EnvironmentClassifier  # noqa: E402
from defectkit.phases import _mdapy  # noqa: E402

TUNED = range(7001, 7005)
NETS, EPOCHS = 5, 30
BOND = 2.9  # Å, between the first and the second shell
WIDTHS = (0.1, 0.2)  # Å along each axis
LIMITS = (0.12, 0.15, 0.18)  # of template matching; the second is the one compared with
MEAN = 5  # frames of the running mean, 0.5 ps
POINTS = 3.0


def shaken(frames, width):
    """Copies with every atom moved at random by `width` (Å) along each axis."""
    copies = [atoms.copy() for atoms in frames]
    for n, atoms in enumerate(copies):
        atoms.rattle(width, seed=round(1e4 * width) + n)
    return copies


def classifiers(data, symmetry, widths):
    """One for each seed of the net."""
    cells = [*data.frames, *(a for width in widths for a in shaken(data.frames, width))]
    X = np.concatenate(dk.features(cells, symmetry, progress=False))
    times = 1 + len(widths)
    names = np.tile(np.array(data.classes)[data.truth["phase"]], times)
    groups = np.tile(data.truth["frame"], times)
    return [
        EnvironmentClassifier(symmetry, "Si", seed=seed, max_epochs=EPOCHS, progress=False).fit(
            X, names, groups
        )
        for seed in range(NETS)
    ]


def matched(frames):
    """Share of diamond (%) of each frame by template matching at each limit."""
    shares = []
    for atoms in frames:
        points = _mdapy.frame(atoms.positions, atoms.cell.complete().array, atoms.pbc, 20.0)
        near = _mdapy.nearest(points)[0]
        codes, _, rmsd, _ = _mdapy.match_templates(points, near, max_rmsd=max(LIMITS))
        names = np.array(_mdapy.TEMPLATES)[codes][: points.size]
        within = rmsd[: points.size, None] <= np.array(LIMITS)
        shares.append(100 * ((names == "diamond")[:, None] & within).mean(axis=0))
    return np.array(shares).T


def apart(share, wanted):
    """How far a share is from the one of template matching, in points, and how often near it."""
    off = share - wanted
    mean = np.convolve(off, np.full(MEAN, 1 / MEAN), "valid")
    crystal = wanted > 2  # as long as there is one
    return {
        "mean_while_a_crystal": off[crystal].mean(),
        "frames_within_3": 100 * np.mean(np.abs(off) <= POINTS),
        "largest": np.abs(off).max(),
        "means_within_3": 100 * np.mean(np.abs(mean) <= POINTS),
        "largest_of_means": np.abs(mean).max(),
    }


def summed_up(rows):
    """Mean over runs and nets, smallest and largest net mean of every number."""
    by_net = {
        key: np.mean([[row[key] for row in run] for run in rows], axis=0) for key in rows[0][0]
    }
    return {
        key: {"mean": digits(v.mean()), "nets": [digits(v.min()), digits(v.max())]}
        for key, v in by_net.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[8001, 8002, 8003, 8004])
    seeds = parser.parse_args().seeds
    if set(seeds) & set(TUNED):
        raise SystemExit(f"seeds {TUNED.start} to {TUNED.stop - 1} were tuned on; take others.")
    runs = [dk.load("si-melting").frames]
    runs += [si_melting.melt(f"si-melting {seed}", seed)[0] for seed in seeds]
    templates = [matched(frames) for frames in runs]
    data, silicon = dk.load("si-phases"), dk.SymmetryFunctions.silicon()
    found = {}
    for name, symmetry, widths in (
        ("plain", silicon, ()),
        ("for heat", neighbour_averaged(silicon, BOND), WIDTHS),
    ):
        models, rows = classifiers(data, symmetry, widths), []
        for frames, template in zip(runs, templates, strict=True):
            G = dk.features(frames, symmetry, progress=False)
            diamond = [[(m.predict(g) == "diamond").mean() for g in G] for m in models]
            rows.append([apart(100 * np.array(share), template[1]) for share in diamond])
        found[name] = summed_up(rows)
    for limit, n in zip(LIMITS[::2], (0, 2), strict=True):
        rows = [[apart(template[n], template[1])] for template in templates]
        found[f"template matching, limit {limit}"] = summed_up(rows)
    keep("melting", {"runs": ["si-melting", *seeds], "nets": NETS, "points": found}, here=False)


if __name__ == "__main__":
    main()
