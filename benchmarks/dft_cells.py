"""identify on cells that others made for density functional theory, judged by their names.

    DEFECTKIT_FIELD_DATA=folder python benchmarks/dft_cells.py

The folder holds checkouts of doped and ShakeNBreak (SMTG-UCL on GitHub), whose tests and examples
are such cells: relaxed structures, unrelaxed ones, and trials in which the bonds around a defect
are distorted on purpose. Their folders say what the defect is: v_Cd_-2, Cd_i_Td_+1, Te_Cd_0 (Te on
Cd), bulk. Kind and element are judged, not places, which the names do not tell.

No threshold was fitted to these cells; that crystals which no table holds are told by their space
group came of looking at the perfect ones among them.
"""

import hashlib
import json
import os
import re
import sys
import warnings
from collections import Counter
from pathlib import Path

from _timing import RESULTS
from ase.data import chemical_symbols

from defectkit import identify, read_frames

FILES = re.compile(r"POSCAR|CONTCAR|vasprun.*\.gz$")
LEAST = 30  # atoms
ELEMENTS = set(chemical_symbols[1:])
VACANCY = re.compile(r"(?:v|vac_\d+)_([A-Z][a-z]?)_")
INTERSTITIAL = re.compile(r"(?:([A-Z][a-z]?)_i|Int_([A-Z][a-z]?))_")
ON_SITE = re.compile(r"([A-Z][a-z]?)_([A-Z][a-z]?)_[+-]?\d")
EXTRA = {"interstitial", "dumbbell", "crowdion", "split interstitial"}
TRIAL = re.compile(r"Bond_Distortion|Rattled")


def truth(path):
    """(what, kinds, element) that a path names, None where it names nothing."""
    for part in reversed(path.parts):
        if found := VACANCY.search(part):
            return "vacancy", {"vacancy", "split vacancy"}, found[1]
        if found := INTERSTITIAL.search(part):
            return "interstitial", EXTRA, found[1] or found[2]
        if (found := ON_SITE.fullmatch(part)) and set(found.groups()) <= ELEMENTS:
            one, other = found.groups()
            return "antisite, substitutional", {"antisite", "substitutional"}, f"{one} on {other}"
        if re.search(r"bulk|supercell", part, re.IGNORECASE):
            return "none", set(), ""
    return None


def judged(atoms, kinds, element):
    """Whether the defects are the one that was named."""
    found = identify(atoms, progress=False).defects
    if not kinds:
        return not len(found)
    return len(found) == 1 and found["kind"][0] in kinds and found["element"][0] == element


def main(folder):
    total, right, seen = Counter(), Counter(), set()
    for path in sorted(p for p in Path(folder).rglob("*") if FILES.search(p.name)):
        known = truth(path.relative_to(folder))
        content = hashlib.sha256(path.read_bytes()).digest()
        if known is None or content in seen:
            continue
        seen.add(content)
        try:
            atoms = read_frames(path)[-1]
        except ValueError as error:
            print(f"  {path.name}: {error}")
            continue
        if len(atoms) < LEAST:
            continue
        what, kinds, element = known
        start = path.name != "CONTCAR" and TRIAL.search(str(path)) is not None
        row = ("distorted on purpose: " if start else "") + what
        total[row] += 1
        if judged(atoms, kinds, element):
            right[row] += 1
        else:
            print(f"  {path.relative_to(folder)}: not told as {element} {what}", flush=True)
    rows = [{"kind": k, "n": total[k], "right": right[k]} for k in sorted(total)]
    (RESULTS / "dft_cells.json").write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    for row in rows:
        print(f"{row['kind']:44} {row['right']:4} of {row['n']}")


if __name__ == "__main__":
    if "DEFECTKIT_FIELD_DATA" not in os.environ:
        sys.exit("Set DEFECTKIT_FIELD_DATA to a folder with checkouts of doped and ShakeNBreak.")
    warnings.simplefilter("ignore")
    main(os.environ["DEFECTKIT_FIELD_DATA"])
