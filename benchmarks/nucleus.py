"""The ice nucleus in a box of the article's size, 2000 of ice to 75 000 of water, by every way.

`ice-nucleus-article`: features averaged over 0.75 ps, or over neighbours too where a way is
balanced. Against CHILL+, molecule by molecule ("as clustered") and for the whole nucleus, the
largest group, filled, with its surface. Also whether the water of the smaller box of the same
recipe, `ice-nucleus-large`, can be told from this one's: area under the curve, 0.5 if not.

    python benchmarks/nucleus.py [--seeds 0 1 2 3 4]
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from _timing import digits, keep  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.metrics import adjusted_rand_score, roc_auc_score  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit import averaging, imbalance, nucleus  # noqa: E402

PS, SHELL = 0.75, 3.5  # ps, Å between oxygens: as in notebook 07
SAMPLE, BULK = 1000, 2000
NOT_ICE = ("other", "hydrate", "interfacial hydrate")


def group(kind, classes, atoms):
    """Flags of the largest group of molecules that CHILL+ calls ice or interfacial ice."""
    ice = ~np.isin(kind, [classes.index(name) for name in NOT_ICE])
    return np.isin(np.arange(len(kind)), nucleus.connected(atoms, ice, SHELL)[0])


def box():
    """Features over time, over neighbours too, oxygens, and CHILL+'s answers."""
    data = dk.load("ice-nucleus-article")
    atoms, classes = data.frames[0], data.info["chill_plus_classes"]
    X = dk.datasets.nucleus_features("ice-nucleus-article")[0]
    kind = data.truth["chill_plus"]
    member = group(kind, classes, atoms)
    thirds = [group(data.truth[f"chill_plus_{n}"], classes, atoms) for n in (1, 2, 3)]
    return {
        "X": X,
        "S": averaging.neighbour_average(X, atoms, SHELL),
        "atoms": atoms,
        "member": member,
        "sound": member & (kind != classes.index("interfacial")),
        "always": member & np.all(thirds, axis=0),
        "ever": member | np.any(thirds, axis=0),
    }


def bulk_ice():
    """Environments of sound ice, averaged over stretches that share no frame."""
    ice = dk.load("water-ice")
    length = averaging.window_from_ps(PS, ice.dt)
    G = dk.features(ice.frames, dk.SymmetryFunctions.water(), centres="O", progress=False)
    means = averaging.moving_average(np.array(G), length)
    return means[np.arange(1, 7) * length].reshape(-1, G.shape[-1])[:BULK]


def completed(flags, atoms):
    """The largest group of flagged molecules, filled, with its surface: as in notebook 07."""
    groups = nucleus.connected(atoms, flags, SHELL)
    flags = np.isin(np.arange(len(flags)), groups[0]) if groups else flags
    return nucleus.with_surface(atoms, nucleus.filled(atoms, flags, SHELL), SHELL)


def scores(flags, of):
    """Recall and precision in %, and the adjusted Rand index, of some flagged molecules."""
    found = {"molecules": flags.sum(), "ari": adjusted_rand_score(of["member"], flags)}
    for name, truth in (("ice", of["sound"]), ("ice_and_interface", of["member"])):
        hit = (flags & truth).sum()
        found[f"recall_{name}"] = 100 * hit / truth.sum()
        found[f"precision_{name}"] = 100 * hit / max(flags.sum(), 1)
    found["recall_always"] = 100 * flags[of["always"]].mean()
    found["precision_ever"] = 100 * (flags & of["ever"]).sum() / max(flags.sum(), 1)
    return found


def judged(labels, of):
    """Scores of what lies outside the largest cluster."""
    flags = np.asarray(labels) > 0
    whole = scores(completed(flags, of["atoms"]), of)
    return {"clusters": int(np.max(labels)) + 1, **scores(flags, of)} | {
        f"whole: {key}": value for key, value in whole.items()
    }


def neighbours_in_map(Y, of):
    """Of the ten nearest of ice in the map, how many are of the nucleus (%): what the eye sees."""
    near = NearestNeighbors(n_neighbors=11).fit(Y).kneighbors(Y[of["sound"]])[1][:, 1:]
    return 100 * of["member"][near].mean()


def ways(of, bulk, spacing, seed):
    """Scores of every way for one seed."""
    X, S, n = of["X"], of["S"], len(of["X"])
    found = {}
    for title, method in (("UMAP", "umap"), ("PaCMAP", "pacmap")):
        Y = dk.embed(X, method, seed=seed)
        found[title] = judged(dk.cluster(Y), of) | {"map_neighbours": neighbours_in_map(Y, of)}
    Y = dk.embed(np.concatenate([X, bulk]), "pacmap", seed=seed)
    found["PaCMAP + bulk ice"] = judged(dk.cluster(Y)[:n], of)
    found["PaCMAP + bulk ice"]["map_neighbours"] = neighbours_in_map(Y[:n], of)
    near = NearestNeighbors(n_neighbors=11).fit(Y).kneighbors(Y[:n])[1][:, 1:]
    found["PaCMAP + bulk ice, overlap"] = judged((near >= n).any(axis=1), of)
    for title, method in (("PaCMAP", "pacmap"), ("UMAP", "umap")):
        labels = imbalance.embed_density_balanced(S, SAMPLE, method, seed=seed, spacing=spacing)[1]
        found[f"{title}, balanced"] = judged(labels, of)
        halfway = imbalance.halfway_borders(S, labels)
        found[f"{title}, balanced, halfway"] = judged(halfway, of)
    return found


def alike(of):
    """How well a classifier tells water of the smaller box from this one's, over time."""
    small = dk.load("ice-nucleus-large")
    kind = np.array(list(small.info["chill_plus"]), int)
    other = ~group(kind, small.info["chill_plus_classes"], small.frames[-1])
    F = [of["X"][~of["member"]], dk.datasets.nucleus_features()[-4:-1].mean(axis=0)[other]]
    rng = np.random.default_rng(0)
    F = [rows[rng.permutation(len(rows))[:10_000]] for rows in F]
    half = 5000
    model = LinearDiscriminantAnalysis()
    model.fit(np.concatenate([rows[:half] for rows in F]), np.repeat([0, 1], half))
    rest = [model.predict_proba(rows[half:])[:, 1] for rows in F]
    is_other = np.repeat([0, 1], [len(rows) for rows in rest])
    return digits(roc_auc_score(is_other, np.concatenate(rest)))


def spread(rows):
    """Mean and standard deviation over seeds of every number."""
    return {
        key: [digits(np.mean(v)), digits(np.std(v, ddof=1)) if len(v) > 1 else None]
        for key in rows[0]
        for v in [[row[key] for row in rows]]
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    of = box()
    numbers = {
        "molecules": len(of["X"]),
        **{name: int(of[name].sum()) for name in ("member", "sound", "always", "ever")},
        "seeds": seeds,
        "AUC, water of ice-nucleus-large": alike(of),
    }
    print(numbers, flush=True)
    bulk, spacing, rows = bulk_ice(), imbalance.local_spacing(of["S"]), []
    for seed in seeds:
        rows.append(ways(of, bulk, spacing, seed))
        print(seed, rows[-1], flush=True)
    keep(
        "nucleus",
        numbers | {"ways": {way: spread([row[way] for row in rows]) for way in rows[0]}},
        here=False,
    )


if __name__ == "__main__":
    main()
