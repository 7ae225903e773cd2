"""identify on cells that it has not seen: share of right answers and of false alarms, by kind.

    python benchmarks/field.py                       # tuning seeds, then judging seeds
    python benchmarks/field.py --judge               # judging seeds only
    python benchmarks/field.py --judge 76 77         # others for judging, none that was seen
    python benchmarks/field.py --seeds 0 --only rutile
    DEFECTKIT_FIELD_DATA=folder python benchmarks/field.py   # and files of others, by the way

The cells are built here by seed: crystals with planted point defects, faults, boundaries,
dislocations, slabs, liquids, alloys, and water. What is judged is the answer of
`defectkit.identify` as a user gets it. The table of the judging seeds goes to
benchmarks/results/field.json; misses are printed. A judgement that was interrupted goes on from
benchmarks/results/field-progress.jsonl, which is deleted at its end; delete it by hand where the
code has changed since.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from ase.geometry import find_mic
from ase.io import read

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import defectkit as dk  # noqa: E402
from benchmarks.cells import extended, point_defects  # noqa: E402
from defectkit.phases.classical import classical_types  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "field.json"
PROGRESS = RESULTS.with_name("field-progress.jsonl")
#: 41 to 43 judged an earlier version, whose misses were then looked at.
TUNING, JUDGING = (0, 1, 2, 41, 42, 43), (73, 74, 75)
SEEN = (*range(51, 56), *range(61, 73))  # judged once, and their misses looked at since
#: Files of the folder that DEFECTKIT_FIELD_DATA names: kinds of their defects, place (Å) of one.
FILES = (
    ("si_vac_1frame.vasp", {"vacancy"}, (10.30, 9.32, 5.10)),
    ("Li_vac_missed_19.extxyz", {"vacancy"}, None),
    ("Li_vac_missed_20.extxyz", {"vacancy"}, None),
    ("Si_vac_missed_hot24.extxyz", {"vacancy"}, None),
    ("gan_v_N.extxyz", {"vacancy"}, (0.0, 1.84, 1.95)),
    ("gan_bulk.extxyz", set(), None),
    ("cdte_Cd_i_C3v.extxyz", {"interstitial"}, None),
    ("pbte_frame0.extxyz", set(), None),
    ("gaas.extxyz", set(), None),
    ("ga2o3_Ovac_frame0.extxyz", {"vacancy"}, None),
    ("mos2_S_vacancies.extxyz", {"vacancy"}, None),
    ("si_diint_EXT_1S.extxyz", {"di-interstitial"}, None),
    ("conf.bcc.dump", set(), None),
    ("conf.fcc.dump", set(), None),
    ("conf.hcp.dump", set(), None),
)
INTERSTITIAL = ("interstitial", "dumbbell", "di-interstitial", "crowdion")
PLANAR = (
    "intrinsic stacking fault",
    "extrinsic stacking fault",
    "stacking fault",
    "twin boundary",
    "grain boundary",
    "dislocation",
)


def identify(atoms):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dk.identify(atoms, progress=False)


def point_rows(seed, only):
    """(kind, cell, whether nothing is to be found, judge) of cells with planted point defects.

    `judge()` gives what is wrong with the answer, sentences.
    """
    for make in (point_defects.built_cells, point_defects.emt_cells):
        for number, (atoms, truth) in enumerate(make(seed)):
            kind = f"point defects: {truth.prototype}"
            if only not in kind:
                continue

            def judge(atoms=atoms, truth=truth):
                result = identify(atoms)
                wrong = point_misses(atoms, truth, result.defects.to_dict("records"))
                if not truth.defects and len(result.extended):
                    wrong.append("in a perfect crystal: " + ", ".join(result.extended["kind"]))
                return wrong

            yield (
                kind,
                f"{number}: {truth.material} {truth.label}, {len(atoms)} atoms, heat "
                f"{truth.heat:g}",
                not truth.defects,
                judge,
            )


def point_misses(atoms, truth, found):
    """What is wrong with the point defects that were named in a cell, sentences."""
    wrong, left = [], list(found)
    for kind, element, place in truth.defects:
        away = [
            find_mic(np.array(row["position_A"]) - place, atoms.cell, atoms.pbc)[1] for row in left
        ]
        best = int(np.argmin(away)) if left else -1
        if best < 0 or away[best] > point_defects.TOLERANCE:
            wrong.append(f"{kind} missed")
            continue
        row = left.pop(best)
        same = (
            row["kind"] == kind
            or (kind == "vacancy" and row["kind"] == "split vacancy")
            or ("interstitial" in kind and row["kind"] in INTERSTITIAL)
        )
        if not same:
            wrong.append(f"{kind} called {row['kind']}")
        elif row["element"] not in (element, "") and kind != "interstitial or dumbbell":
            wrong.append(f"{element} {kind} called {row['element']}")
    if left:
        wrong.append(f"{len(left)} too many, the first a {left[0]['kind']}")
    return wrong


def family(name, truth):
    """Row of the table that a cell of `extended.cells` belongs to."""
    for word, row in (
        ("hot ", "phases at 0.8 of melting"),
        ("dislocation", "dislocations"),
        ("Sigma", "grain boundaries"),
        ("(112) twin", "grain boundaries"),
        ("twin", "stacking faults, twins"),
        ("insic", "stacking faults, twins"),
        ("fault", "stacking faults, twins"),
        ("adatom", "slabs"),
        ("step", "slabs"),
        ("flat", "slabs"),
        ("vacancy", "slabs"),
        ("nucleus", "nucleus in melt"),
        ("liquid", "liquid"),
        ("alloy", "random alloy"),
    ):
        if word in name:
            return row
    return "compounds named"


def extended_rows(seed, only):
    """As `point_rows`, of cells with other defects."""
    for name, atoms, truth in extended.cells(seed):
        kind = family(name, truth)
        if only not in kind:
            continue

        def judge(atoms=atoms, truth=truth):
            return extended_misses(atoms, truth, identify(atoms))

        yield kind, f"{name}, {len(atoms)} atoms", not truth["kinds"], judge


def names_of(result, atoms):
    """Name of each atom's cluster, array (n_atoms,) of str."""
    names = np.full(len(atoms), "", dtype="<U60")
    names[result.atom] = [result.names.get(int(c), "noise") for c in result.labels]
    return names


def extended_misses(atoms, truth, result):
    """What is wrong with the answer for one frame, sentences."""
    wrong, named = [], names_of(result, atoms)
    kinds = Counter(result.extended["kind"])
    if truth["types"] is not None:
        types = np.char.replace(np.array(truth["types"], dtype="<U60"), "other", "liquid")
        off = np.mean([kind not in name for kind, name in zip(types, named, strict=True)])
        if off > 0.01:
            wrong.append(f"{off:.1%} of the atoms under another name")
    if truth.get("character"):  # what lies around a cylinder, and the fault between partials
        kinds = Counter(
            {k: n for k, n in kinds.items() if "surface" not in k and "stacking fault" not in k}
        )
    wanted = Counter() if "sheet" in truth.get("prototype", "") else Counter(truth["kinds"])
    if kinds != wanted:  # a sheet has edges, no surfaces
        wrong.append(f"named {dict(kinds)} for {dict(wanted)}")
    if truth["atoms"] is not None and truth["atoms"].any():
        least = 0.8 if "nucleus" in truth["kinds"] else 0.95
        own = (*PLANAR, "nucleus", "around point defects")
        recall = np.isin(named[truth["atoms"]], own).mean()
        if recall < least:
            wrong.append(
                f"{recall:.0%} of the defect's {truth['atoms'].sum()} atoms in a cluster "
                "of their own"
            )
    if len(result.defects) and not set(result.defects["kind"]) <= {*truth["kinds"]}:
        wrong.append("point defects that are none: " + ", ".join(set(result.defects["kind"])))
    if "prototype" in truth and not any(truth["prototype"] in n for n in set(named)):
        wrong.append(f"named {Counter(named).most_common(1)[0][0]}")
    return wrong


def water_rows(seed, only):
    """As `point_rows`: ice and water, agreement of the clusters with CHILL+, one frame and ten."""
    kind = "ice and water"
    if only not in kind:
        return
    ice, liquid = dk.load("water-ice").frames, dk.load("water-liquid").frames
    rng = np.random.default_rng(seed)
    for count, least in ((1, 0.94), (10, 0.97)):
        start = int(rng.integers(min(len(ice), len(liquid)) - 200))
        at = start + 19 * np.arange(count) if count > 1 else [start]
        frames = [ice[n] for n in at] + [liquid[n] for n in at]

        def judge(frames=frames, least=least):
            result = identify([f[f.numbers == 8] for f in frames])
            types = np.concatenate([classical_types(f)["CHILL+"][f.numbers == 8] for f in frames])
            solid = np.isin(types, ("ice Ih", "ice Ic", "interfacial ice"))
            named = np.array([result.names.get(int(c), "") for c in result.labels])
            same = np.mean(np.char.startswith(named, "ice") == solid)
            return [] if same >= least else [f"{same:.1%} as CHILL+ has it"]

        yield kind, f"{count} frames of ice and {count} of water", False, judge


def files_of_others(folder):
    """Lines with what is wrong in files of other people, all seen before: no part of the table."""
    wrong = []
    for name, kinds, place in FILES:
        atoms = read(Path(folder) / name)
        found = identify(atoms).defects
        if set(found["kind"]) - {"split vacancy"} - kinds or bool(len(found)) != bool(kinds):
            wrong.append(f"{name}: {', '.join(found['kind']) or 'nothing'}")
        elif kinds:
            place = atoms.info.get("vacancy", place)
            away = (
                min(
                    find_mic(np.subtract(at, place), atoms.cell, atoms.pbc)[1]
                    for at in found["position_A"]
                )
                if place is not None
                else 0.0
            )
            wrong += [f"{name}: {away:.2f} Å off"] if away > point_defects.TOLERANCE else []
    return [f"{len(FILES)} files of others, {len(wrong)} wrong", *wrong]


def measured(seeds, only, known=None, keep=None):
    """{kind: [cells, right, cells without a defect, of these with a false alarm, s]}.

    known  {(seed, kind, cell): (wrong, s)} of cells judged before
    keep   file that each judged cell is added to, one line of JSON
    """
    rows = defaultdict(lambda: [0, 0, 0, 0, 0.0])
    for seed in seeds:
        for make in (point_rows, extended_rows, water_rows):
            for kind, cell, nothing, judge in make(seed, only):
                if known and (seed, kind, cell) in known:
                    wrong, took = known[seed, kind, cell]
                else:
                    start = time.perf_counter()
                    wrong, took = judge(), time.perf_counter() - start
                    if keep:
                        with keep.open("a") as file:
                            print(json.dumps([seed, kind, cell, wrong, round(took, 3)]), file=file)
                row = rows[kind]
                for k, more in enumerate((1, not wrong, nothing, bool(nothing and wrong), took)):
                    row[k] += more
                if wrong:
                    print(f"  seed {seed}, {kind}: {cell}: {'; '.join(wrong)}", flush=True)
    return dict(rows)


def known_cells():
    """What an interrupted judgement left: {(seed, kind, cell): (wrong, s)}."""
    if not PROGRESS.exists():
        return {}
    rows = [json.loads(line) for line in PROGRESS.read_text().splitlines()]
    return {(seed, kind, cell): (wrong, took) for seed, kind, cell, wrong, took in rows}


def table(rows, title):
    """The rows as text."""
    lines = [
        f"\n{title}",
        f"{'kind':32} {'cells':>6} {'right':>8} {'nothing to find':>16} "
        f"{'false alarms':>13} {'s/cell':>7}",
    ]
    total = np.sum(list(rows.values()), axis=0)
    for name, (n, right, nothing, false, seconds) in [*rows.items(), ("all", total)]:
        lines.append(
            f"{name:32} {int(n):6d} {right / n:8.1%} {int(nothing):16d} {int(false):13d} "
            f"{seconds / n:7.2f}"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--judge", type=int, nargs="*", metavar="SEED", help=f"judging seeds only, {JUDGING}"
    )
    parser.add_argument("--seeds", type=int, nargs="*", help="these seeds; nothing is written")
    parser.add_argument("--only", default="", help="kinds with this in their name")
    given = parser.parse_args()
    if given.seeds:
        print(table(measured(given.seeds, given.only), f"seeds {given.seeds}"))
        return
    judging = tuple(given.judge or JUDGING)
    if seen := set(judging) & {*TUNING, *SEEN}:
        parser.error(f"{sorted(seen)} are seeds that were looked at; give others for judging.")
    print(f"tuning seeds {TUNING}, judging seeds {judging}", flush=True)
    if given.judge is None:
        print(table(measured(TUNING, given.only), f"tuning seeds {TUNING}"))
        if "DEFECTKIT_FIELD_DATA" in os.environ:
            print("\n".join(files_of_others(os.environ["DEFECTKIT_FIELD_DATA"])))
    if given.only:
        print(table(measured(judging, given.only), f"judging seeds {judging}"))
        return
    rows = measured(judging, "", known_cells(), PROGRESS)
    print(table(rows, f"judging seeds {judging}"))
    kept = {
        "tuning_seeds": (*TUNING, *SEEN),
        "judging_seeds": judging,
        "rows": as_rows(rows, judging),
    }
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    PROGRESS.unlink()


def as_rows(rows, seeds):
    """The table as it is kept: one dict for each kind."""
    return [
        {
            "kind": kind,
            "n": int(n),
            "right_percent": round(100 * right / n, 1),
            "nothing_to_find": int(nothing),
            "false_alarms": int(false),
            "false_alarms_percent": round(100 * false / nothing, 1) if nothing else None,
            "seeds": list(seeds),
        }
        for kind, (n, right, nothing, false, _) in rows.items()
    ]


if __name__ == "__main__":
    main()
