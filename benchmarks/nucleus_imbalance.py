"""The article's proportion of ice to water, 2000 : 75 000, around the nucleus of notebook 07.

The box of `ice-nucleus-large` holds a quarter of the article's water. Water of separate runs with
the same potential is added: of `ice-nucleus` (255 K, made in the same way, one window of 0.75 ps,
without its nucleus) and of `water-liquid` (250 K, 360 molecules, its running averages over
0.75 ps). Two cases, each with what is ice by CHILL+ in the article's proportion to all water:

- "windows overlap": the whole nucleus, and running averages of `water-liquid` so close to each
  other that they share most of their frames, until the proportion is reached;
- "no window overlaps": only environments that share no frame, and of the nucleus as many
  molecules, drawn at random, as the proportion leaves.

    python benchmarks/nucleus_imbalance.py [--cases "windows overlap"] [--seeds 0 1 2]
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402
from _timing import digits, keep_each  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.metrics import adjusted_rand_score, roc_auc_score  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

import defectkit as dk  # noqa: E402
from defectkit import averaging, imbalance, nucleus  # noqa: E402

PS, SHELL = 0.75, 3.5  # ps, Å between oxygens: as in notebook 07
ICE, WATER = 2000, 75_000  # of the article
SAMPLE, BULK = 1000, 2000
CASES = ("windows overlap", "no window overlaps")
OF_BOX, OF_NUCLEUS, OF_LIQUID = "water of this run", "of ice-nucleus", "of water-liquid"


def windows(data, starts):
    """Features of the oxygens over each window, over time and over neighbours too."""
    length = averaging.window_from_ps(PS, data.dt)
    G = dk.features(data.frames, dk.SymmetryFunctions.water(), centres="O", progress=False)
    X = averaging.moving_average(np.array(G), length)[starts]
    means = averaging.average_frames(data.frames, length, "O")
    S = [averaging.neighbour_average(x, means[k], SHELL) for x, k in zip(X, starts, strict=True)]
    return X, np.array(S), [means[k] for k in starts]


def in_nucleus(data, atoms):
    """Molecules of the largest group that CHILL+ calls ice, and those of it not interfacial."""
    kind = np.array(list(data.info["chill_plus"]), int)
    number = data.info["chill_plus_classes"].index
    sound = np.isin(kind, [number("hexagonal"), number("cubic")])
    groups = nucleus.connected(atoms, sound | (kind == number("interfacial")), SHELL)
    member = np.isin(np.arange(len(kind)), groups[0])
    return member, member & sound


def box():
    """Features of the large box, its mean oxygens, who is in the nucleus, and who ice."""
    data = dk.load("ice-nucleus-large")
    X = dk.datasets.nucleus_features()[-4:-1].mean(axis=0)
    atoms = data.frames[-1].copy()
    atoms.positions = np.mean([a.positions for a in data.frames[-3:]], axis=0)
    return X, averaging.neighbour_average(X, atoms, SHELL), atoms, *in_nucleus(data, atoms)


def other_water(n):
    """Features (over time, over neighbours too), origin and molecule of n environments or more.

    As few windows of `water-liquid` as give n with the water of `ice-nucleus`; n None for those
    that share no frame.
    """
    small, liquid = dk.load("ice-nucleus"), dk.load("water-liquid")
    X, S, means = windows(small, [0])
    outside = ~in_nucleus(small, means[0])[0]
    length = averaging.window_from_ps(PS, liquid.dt)
    last, here = len(liquid.frames) - length, len(liquid.frames[0]) // 3
    if n is None:
        starts = np.arange(0, last + 1, length)
    else:
        number = -(-(n - outside.sum()) // here)
        starts = np.linspace(0, last, number).round().astype(int)
    more_X, more_S, _ = windows(liquid, starts)
    wide = more_X.shape[-1]
    origin = np.repeat([OF_NUCLEUS, OF_LIQUID], [outside.sum(), len(starts) * here])
    molecule = np.concatenate([np.flatnonzero(outside), np.tile(np.arange(here), len(starts))])
    added_X = np.concatenate([X[0][outside], more_X.reshape(-1, wide)])
    added_S = np.concatenate([S[0][outside], more_S.reshape(-1, wide)])
    return added_X, added_S, origin, molecule, len(starts)


def alike(F, origin, molecule):
    """How well a classifier tells added water from the box's own, and the local spacing.

    Area under the curve, 0.5 if they are the same, of molecules that it was not trained on.
    """
    spacing, found = imbalance.local_spacing(F), {}
    found["spacing_median"] = {
        str(o): digits(np.median(spacing[origin == o])) for o in dict.fromkeys(origin)
    }
    tell = {
        "linear discriminant": LinearDiscriminantAnalysis(),
        "boosted trees": HistGradientBoostingClassifier(max_iter=60, random_state=0),
    }
    rng = np.random.default_rng(0)
    for other in (OF_NUCLEUS, OF_LIQUID):
        rows = [rng.permutation(np.flatnonzero(origin == o))[:5000] for o in (OF_BOX, other)]
        rows, is_other = np.concatenate(rows), np.repeat([0, 1], [len(r) for r in rows])
        test = molecule[rows] % 4 == 0
        for name, model in tell.items():
            model.fit(F[rows[~test]], is_other[~test])
            score = roc_auc_score(is_other[test], model.predict_proba(F[rows[test]])[:, 1])
            found[f"AUC, {other}, {name}"] = digits(score)
    return found


def nearest_are_copies(F, origin, molecule):
    """Share of the ten nearest of a molecule of water-liquid that are itself at other times."""
    Z = dk.standardise(F)
    mine = np.flatnonzero(origin == OF_LIQUID)
    some = np.random.default_rng(0).permutation(mine)[:1000]
    near = NearestNeighbors(n_neighbors=11).fit(Z).kneighbors(Z[some])[1][:, 1:]
    copy = (origin[near] == OF_LIQUID) & (molecule[near] == molecule[some][:, None])
    return digits(copy.mean())


def gathered(case):
    """All environments of a case, rows of the box first."""
    X, S, atoms, member, sound = box()
    own = np.flatnonzero(~member)
    whole = case == CASES[0]
    n = round(sound.sum() * WATER / ICE) - len(own) if whole else None
    more_X, more_S, origin, molecule, number = other_water(n)
    kept = np.arange(len(X))
    if not whole:
        few = round((len(own) + len(more_X)) * ICE / WATER / sound.sum() * member.sum())
        drawn = np.random.default_rng(0).permutation(np.flatnonzero(member))[:few]
        kept = np.sort(np.concatenate([own, drawn]))
    return {
        "X": np.concatenate([X[kept], more_X]),
        "S": np.concatenate([S[kept], more_S]),
        "member": np.concatenate([member[kept], np.zeros(len(more_X), bool)]),
        "sound": np.concatenate([sound[kept], np.zeros(len(more_X), bool)]),
        "origin": np.concatenate([np.where(member[kept], "nucleus", OF_BOX), origin]),
        "molecule": np.concatenate([kept, molecule]),
        "atoms": atoms if whole else None,
        "windows": number,
    }


def completed(flags, atoms):
    """The largest group of flagged molecules, filled, with its surface: as in notebook 07."""
    groups = nucleus.connected(atoms, flags, SHELL)
    flags = np.isin(np.arange(len(flags)), groups[0]) if groups else flags
    return nucleus.with_surface(atoms, nucleus.filled(atoms, flags, SHELL), SHELL)


def scores(labels, of):
    """What lies outside the largest cluster, against CHILL+."""

    def against(flags, truth):
        hit = (flags & truth).sum()
        return 100 * hit / truth.sum(), 100 * hit / max(flags.sum(), 1)

    flags, found = labels > 0, {"clusters": labels.max() + 1}
    for name, truth in (("ice", of["sound"]), ("ice_and_interface", of["member"])):
        found[f"recall_{name}"], found[f"precision_{name}"] = against(flags, truth)
    found["ari"] = adjusted_rand_score(of["member"], flags)
    for origin in (OF_BOX, OF_NUCLEUS, OF_LIQUID):
        found[f"called_ice, {origin}"] = 100 * flags[of["origin"] == origin].mean()
    if of["atoms"] is not None:
        n = len(of["atoms"])
        whole = completed(flags[:n], of["atoms"])
        for name, truth in (("ice", of["sound"]), ("ice_and_interface", of["member"])):
            recall, precision = against(whole, truth[:n])
            found |= {f"whole: recall_{name}": recall, f"whole: precision_{name}": precision}
    return found


def neighbours_in_map(Y, of):
    """Of the ten nearest of ice in the map, how many are of the nucleus (%): what the eye sees."""
    near = NearestNeighbors(n_neighbors=11).fit(Y).kneighbors(Y[of["sound"]])[1][:, 1:]
    return 100 * of["member"][near].mean()


def ways(of, bulk, seed):
    """Scores of every way for one seed."""
    X, S, n = of["X"], of["S"], len(of["X"])
    found = {}
    for title, method in (("UMAP", "umap"), ("PaCMAP", "pacmap")):
        Y = dk.embed(X, method, seed=seed)
        found[title] = scores(dk.cluster(Y), of) | {"map_neighbours": neighbours_in_map(Y, of)}
    Y = dk.embed(np.concatenate([X, bulk]), "pacmap", seed=seed)
    found["PaCMAP + bulk ice"] = scores(dk.cluster(Y)[:n], of)
    found["PaCMAP + bulk ice"]["map_neighbours"] = neighbours_in_map(Y[:n], of)
    near = NearestNeighbors(n_neighbors=11).fit(Y).kneighbors(Y[:n])[1][:, 1:]
    found["PaCMAP + bulk ice, overlap"] = scores((near >= n).any(axis=1).astype(int), of)
    spacing = imbalance.local_spacing(S)
    for title, method in (("PaCMAP", "pacmap"), ("UMAP", "umap")):
        labels = imbalance.embed_density_balanced(S, SAMPLE, method, seed=seed, spacing=spacing)[1]
        found[f"{title}, balanced"] = scores(labels, of)
        halfway = imbalance.halfway_borders(S, labels)
        found[f"{title}, balanced, halfway"] = scores(halfway, of)
    return found


def spread(rows):
    """Mean and standard deviation over seeds of every number."""
    return {
        key: [digits(np.mean(v)), digits(np.std(v, ddof=1)) if len(v) > 1 else None]
        for key in rows[0]
        for v in [[row[key] for row in rows]]
    }


def measure(case, seeds):
    of = gathered(case)
    ice = dk.load("water-ice")
    length = averaging.window_from_ps(PS, ice.dt)
    bulk = windows(ice, np.arange(1, 7) * length)[0].reshape(-1, of["X"].shape[1])[:BULK]
    count = {str(o): int((of["origin"] == o).sum()) for o in dict.fromkeys(of["origin"])}
    numbers = {"environments": count, "ice": int(of["sound"].sum()), "seeds": seeds}
    numbers["water_per_ice"] = digits((~of["member"]).sum() / of["sound"].sum())
    numbers["windows_of_water_liquid"] = of["windows"]
    for title, F in (("over time", of["X"]), ("and over neighbours", of["S"])):
        numbers[f"added water against the box's, {title}"] = alike(
            F, of["origin"], of["molecule"]
        ) | {"nearest_ten_are_copies": nearest_are_copies(F, of["origin"], of["molecule"])}
    print(numbers, flush=True)
    rows = []
    for seed in seeds:
        rows.append(ways(of, bulk, seed))
        print(seed, rows[-1], flush=True)
    return numbers | {"ways": {way: spread([row[way] for row in rows]) for way in rows[0]}}


if __name__ == "__main__":
    keep_each("nucleus_imbalance", __doc__, CASES, measure, option="--cases")
