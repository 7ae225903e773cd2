"""Score of the phases' functions alone on the cells of `extended`, without the maps.

python benchmarks/cells/judge_extended.py            # tuning seeds 0, 1, 2, then judging 10 to 13
python benchmarks/cells/judge_extended.py --judge    # judging seeds only
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]
from benchmarks.cells import extended  # noqa: E402
from defectkit.nucleus import shape  # noqa: E402
from defectkit.phases import extended_defects, prototype, regions, structure_types  # noqa: E402


def nucleus_misses(atoms, inside, found):
    """Radius right to 15 %, centre to 1.5 Å, and nine of ten atoms belong to it."""
    one = next((d for d in found if d.kind == "nucleus"), None)
    if one is None:
        return ["no nucleus"]
    true, wrong = shape(atoms, np.flatnonzero(inside)), []
    off = np.linalg.norm(one.position - true["centre_A"])
    if abs(one.details["radius_A"] / true["radius_A"] - 1) > 0.15 or off > 1.5:
        wrong.append(
            f"radius {one.details['radius_A']:.1f} for {true['radius_A']:.1f} Å, centre "
            f"{off:.1f} Å off"
        )
    if inside[one.atoms].mean() < 0.9:
        wrong.append(f"{inside[one.atoms].mean():.0%} of its atoms belong to it")
    return wrong


def judge(atoms, truth):
    """What is wrong with the answer for one cell: list of sentences; and its time in s."""
    start = time.perf_counter()
    structure = structure_types(atoms)
    grains = regions(atoms, structure)
    found = extended_defects(atoms, structure, grains)
    took = time.perf_counter() - start
    wrong = []
    if truth["types"] is not None:
        part = np.mean(structure.labels != np.array(truth["types"]))
        if part > 0.01:
            wrong.append(f"{part:.1%} of atoms of another type")
    kinds = [d.kind for d in found]
    if truth.get("character"):  # what lies around a cylinder and the fault between partials
        kinds = [
            k
            for k in kinds
            if k not in ("cluster surface", "surface") and "stacking fault" not in k
        ]
    if Counter(kinds) != Counter(truth["kinds"]):
        wrong.append(f"named {dict(Counter(kinds))} for {dict(Counter(truth['kinds']))}")
    if truth["atoms"] is not None and truth["atoms"].any():
        named = np.zeros(len(atoms), bool)
        for defect in found:
            if defect.kind in (*extended.SMALL, "nucleus"):
                named[defect.atoms] = True
        if truth.get("character"):
            named |= np.isin(structure.codes, (2,)) & (structure.fractions().get("fcc", 0) > 0.3)
        recall = named[truth["atoms"]].mean()
        if "nucleus" in truth["kinds"]:
            wrong += nucleus_misses(atoms, truth["atoms"], found)
        elif recall < 0.95:
            wrong.append(f"{recall:.0%} of the defect's {truth['atoms'].sum()} atoms")
    if truth.get("character") and "dislocation" in kinds:
        line = next(d for d in found if d.kind == "dislocation")
        if line.details["character"] != truth["character"]:
            wrong.append(f"called {line.details['character']} {line.details['burgers']}")
    if "prototype" in truth:
        name = prototype(atoms, structure).name
        if name != truth["prototype"]:
            wrong.append(f"named {name}")
    return wrong, took


def table(seeds, title, only=""):
    """Prints the misses of some seeds and returns (right, all)."""
    right = total = 0
    slowest = 0.0
    print(f"\n{title}: seeds {', '.join(map(str, seeds))}")
    for seed in seeds:
        for name, atoms, truth in extended.cells(seed):
            if only and only not in name:
                continue
            wrong, took = judge(atoms, truth)
            slowest = max(slowest, took)
            total, right = total + 1, right + (not wrong)
            if wrong:
                print(
                    f"  seed {seed:3d}  {name:32s} {len(atoms):5d} atoms: {'; '.join(wrong)}",
                    flush=True,
                )
    print(
        f"{title}: {right} of {total} cells right ({right / max(total, 1):.1%}), "
        f"slowest {slowest:.1f} s"
    )
    return right, total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", action="store_true", help="judging seeds only")
    parser.add_argument("--seeds", type=int, nargs="*", help="these seeds only")
    parser.add_argument("--only", default="", help="cells with this in their name")
    options = parser.parse_args()
    if options.seeds:
        table(options.seeds, "chosen", options.only)
    else:
        if not options.judge:
            table((0, 1, 2), "tuning", options.only)
        table((10, 11, 12, 13), "judging", options.only)
