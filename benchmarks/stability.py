"""Stability of the clusters: seeds, initialisations, two-fold settings, halves of the data.

Each case takes the features, averages and atoms of its notebook, thinned to about N environments
so that the 29 to 31 maps of each method take minutes. Every (case, method) is written as soon as
it is done, and a call goes on where an earlier one stopped.

    python benchmarks/stability.py [case ...]        # rows in results/stability.csv
    python benchmarks/stability.py --summary         # table and figure of what there is
"""

import argparse
import os
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.geometry import find_mic  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit import averaging, defects, hydrogen_bonds, nucleus, stability  # noqa: E402

N = 2500  # environments of a case, about
MANY = 4000  # interstitials: one atom in 65, and half the data must still hold a cluster
REGION = {"vacancy": 80, "interstitial": 40}  # oxygens nearest to a defect in ice: of 2500 spread
# over whole structures seven would be the extra molecule, too few to cluster
SEED = 0  # of the choice of environments
METHODS = ("umap", "pacmap")
RESULTS = Path(__file__).parent / "results"


def silicon(name, n=N, size=None):
    """Frames of a set (of `size` atoms), drawn until they hold n, their features, their atoms."""
    data = dk.load(name)
    right = [i for i, atoms in enumerate(data.frames) if size in (None, len(atoms))]
    order = np.random.default_rng(SEED).permutation(right)
    kept = np.sort(
        order[: np.searchsorted(np.cumsum([len(data.frames[i]) for i in order]), n) + 1]
    )
    frames = [data.frames[i] for i in kept]
    G = np.concatenate(dk.features(frames, dk.SymmetryFunctions.silicon(), progress=False))
    return data, kept, frames, G, np.isin(data.truth["frame"], kept)


def si_phases():
    """Random atoms of all four phases (notebook 01)."""
    data, _, _, G, here = silicon("si-phases", 4 * N)
    some = np.sort(np.random.default_rng(SEED).permutation(len(G))[:N])
    return G[some], np.array(data.classes)[data.truth["phase"][here][some]]


def si_vacancy():
    """Cells of 63 atoms; truth: the four atoms nearest to the Wigner-Seitz vacancy."""
    data, kept, frames, G, _ = silicon("si-vacancy", size=63)
    beside = []
    for atoms, place in zip(frames, data.truth["vacancy_A"][kept], strict=True):
        distance = find_mic(atoms.positions - place, atoms.cell, atoms.pbc)[1]
        beside.append(np.argsort(np.argsort(distance)) < 4)
    return G, np.where(np.concatenate(beside), "beside", "bulk")


def si_interstitial():
    """Cells of 65 atoms; truth: the atoms off the lattice by Wigner-Seitz."""
    data, _, _, G, here = silicon("si-interstitial", MANY, size=65)
    return G, np.where(data.truth["interstitial"][here] > 0, "off the lattice", "lattice")


def si_surface():
    """Random slabs; truth: the outermost layer on either side."""
    data, _, _, G, here = silicon("si-surface")
    layer = data.truth["layer"]
    outermost = np.minimum(layer, layer.max() - layer) == 0
    return G, np.where(outermost[here], "surface", "bulk")


def water_means(name, ps):
    data = dk.load(name)
    frames = data.frames[-averaging.window_from_ps(ps, data.dt) :]
    G = dk.features(frames, dk.SymmetryFunctions.water(), "O", progress=False)
    return dk.moving_average(G, averaging.window_from_ps(0.75, data.dt))


def water_ice():
    """Molecules averaged over 0.75 ps at four times of the last 5 ps of each phase."""
    rng = np.random.default_rng(SEED)
    X, truth = [], []
    for name in ("water-ice", "water-liquid"):
        means = water_means(name, 5.0)
        chosen = means[np.linspace(0, len(means) - 1, 4).astype(int)].reshape(-1, means.shape[2])
        X.append(chosen[np.sort(rng.permutation(len(chosen))[: N // 2])])
        truth += [name.removeprefix("water-")] * len(X[-1])
    return np.concatenate(X), np.array(truth)


def ice_defect(kind, every):
    """Averages over 0.75 ps, `every` (ps), of one run; the oxygens nearest to the defect."""
    data = dk.load(f"ice-{kind}-1")
    window, step = (averaging.window_from_ps(ps, data.dt) for ps in (0.75, every))
    G = dk.features(data.frames, dk.SymmetryFunctions.water(), "O", progress=False)
    cell = data.frames[0].cell
    places = averaging.average_positions(
        [f.positions[f.numbers == 8] for f in data.frames], cell.array, window
    )[::step]
    frames = [Atoms(f"O{len(p)}", p, cell=cell, pbc=True) for p in places]
    crystal = Atoms("O360", data.info["reference_oxygens_A"], cell=cell, pbc=True)
    truth = defects.wigner_seitz(frames, crystal)
    bonds = np.stack(hydrogen_bonds.count_hydrogen_bonds(data.frames, distance=3.2), axis=2)
    return (
        dk.moving_average(G, window)[::step],
        frames,
        truth,
        dk.moving_average(bonds, window)[::step],
    )


def near(frames, places, n):
    """Indices of the n oxygens nearest to one place in each frame."""
    return [
        np.argsort(find_mic(f.positions - p, f.cell)[1])[:n]
        for f, p in zip(frames, places, strict=True)
    ]


def ice_vacancy():
    """Oxygens around the vacancy, every 0.25 ps; truth: which lack a hydrogen bond, and which."""
    means, frames, truth, bonds = ice_defect("vacancy", 0.25)
    at = near(frames, [t.vacancies[0] for t in truth], REGION["vacancy"])
    given, taken = np.concatenate([b[i] for b, i in zip(bonds, at, strict=True)]).T
    lacks = np.where(
        given + taken > 3.5,
        "whole",
        np.where(taken < given, "misses a donor", "misses an acceptor"),
    )
    return np.concatenate([m[i] for m, i in zip(means, at, strict=True)]), lacks


def ice_interstitial():
    """Oxygens around the extra molecule, every 0.125 ps; truth: that molecule."""
    means, frames, truth, _ = ice_defect("interstitial", 0.125)
    at = near(frames, [t.interstitials[0] for t in truth], REGION["interstitial"])
    extra = [
        np.isin(i, np.concatenate(t.interstitial_atoms)) for t, i in zip(truth, at, strict=True)
    ]
    return (
        np.concatenate([m[i] for m, i in zip(means, at, strict=True)]),
        np.where(np.concatenate(extra), "extra", "lattice"),
    )


def cu_fault():
    """Averages over ten frames; truth: common neighbour analysis of the mean positions."""
    import mdapy

    data = dk.load("cu-fault")
    G = dk.features(data.frames, dk.SymmetryFunctions.for_elements(["Cu"]), progress=False)
    means = dk.moving_average(G, 10)[::10][: 1 + N // len(data.frames[0])]
    mean = data.frames[0].copy()
    mean.positions = np.mean([atoms.positions for atoms in data.frames], axis=0)
    system = mdapy.System(ase_atom=mean)
    system.cal_common_neighbor_analysis()
    kind = np.array(["neither", "fcc", "hcp", "bcc", "icosahedral"])[system.data["cna"].to_numpy()]
    return means.reshape(-1, means.shape[2]), np.tile(kind, len(means))


def ice_nucleus():
    """Density-balanced sample of notebook 07, means over 0.75 ps and neighbours; truth: CHILL+."""
    data = dk.load("ice-nucleus")
    sf = dk.SymmetryFunctions.water()
    mean = sum(sf(f, centres="O") for f in data.frames) / len(data.frames)
    places = np.mean([f.positions[f.numbers == 8] for f in data.frames], axis=0)
    water = Atoms(f"O{len(places)}", places, cell=data.frames[0].cell, pbc=True)
    X = averaging.neighbour_average(mean, water, 3.5)
    classes = np.array(data.info["chill_plus_classes"])[
        np.array(list(data.info["chill_plus"]), int)
    ]
    ice = nucleus.connected(water, np.isin(classes, ("hexagonal", "cubic", "interfacial")), 3.5)
    chosen = dk.density_balanced_sample(X, 1000, seed=SEED)
    return X[chosen], np.where(np.isin(chosen, ice[0]), "ice", "water")


CASES = {
    "si-phases": si_phases,
    "si-vacancy": si_vacancy,
    "si-interstitial": si_interstitial,
    "si-surface": si_surface,
    "water-ice 0.75 ps": water_ice,
    "ice-vacancy-1": ice_vacancy,
    "ice-interstitial-1": ice_interstitial,
    "cu-fault": cu_fault,
    "ice-nucleus": ice_nucleus,
}


def run(cases, path):
    table = stability.read_table(path) if path.exists() else pd.DataFrame()
    for case in cases:
        done = set() if table.empty else set(table.loc[table["case"] == case, "method"])
        todo = [method for method in METHODS if method not in done]
        if not todo:
            continue
        X, truth = CASES[case]()
        names, sizes = np.unique(truth, return_counts=True)
        print(case, X.shape, dict(zip(names.tolist(), sizes.tolist(), strict=True)), flush=True)
        for method in todo:
            report = dk.stability_report(X, method, truth=truth)
            report.insert(0, "case", case)
            report.insert(1, "method", method)
            table = pd.concat([table, report], ignore_index=True)
            stability.write_table(path, table)


def figure(table, path):
    """Agreement with the default map of every run, by case and test; misclassified beside it."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cases = table["case"].unique().tolist()
    tests = {
        "10 seeds, init by PCA": ("seed", ("pca",)),
        "10 seeds, other init": ("seed", ("spectral", "random")),
        "settings x 2, x 1/2": (" x ", ("pca",)),
        "half the data": ("half", ("pca",)),
    }
    fig, axes = plt.subplots(2, 2, figsize=(10, 6.4), sharex=True, sharey="row")
    for column, method in zip(axes.T, METHODS, strict=True):
        for shift, (label, (word, inits)) in enumerate(tests.items()):
            part = table[
                (table["method"] == method)
                & table["init"].isin(inits)
                & table["test"].str.contains(word, regex=False)
            ]
            x = [cases.index(case) + 0.2 * (shift - 1.5) for case in part["case"]]
            for ax, key, factor in zip(
                column, ("ari_to_default", "misclassified"), (1, 100), strict=True
            ):
                ax.plot(x, factor * part[key], "o", ms=4, alpha=0.6, label=label)
        column[0].set_title(method)
        column[1].set_xticks(range(len(cases)), cases, rotation=35, ha="right", fontsize=8)
    axes[0, 0].set_ylabel("adjusted Rand index\nto the default map")
    axes[1, 0].set_ylabel("misclassified (%)")
    axes[0, 0].legend(fontsize=8, loc="lower left")
    fig.tight_layout()
    fig.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="case")
    parser.add_argument("--summary", action="store_true")
    given = parser.parse_args()
    table = RESULTS / "stability.csv"
    if not given.summary:
        run(given.cases or list(CASES), table)
    everything = stability.read_table(table)
    stability.write_table(RESULTS / "stability_summary.csv", stability.summary(everything))
    figure(everything, RESULTS / "stability.png")
    print(stability.summary(everything).to_string(index=False))
