"""Wall time of each notebook, from pytest's own durations.

python benchmarks/notebooks.py          # runs them all (a quarter of an hour)
python benchmarks/notebooks.py LOG      # takes the output of make test-notebooks
"""

import re
import subprocess
import sys
from pathlib import Path

from _timing import digits, keep

COMMAND = ["-m", "pytest", "--nbmake", "--nbmake-timeout=900", "--durations=0", "-vv"]


def main(log):
    if log:
        text = Path(log).read_text()
    else:
        folder = Path(__file__).resolve().parents[1]
        text = subprocess.run(
            [sys.executable, *COMMAND, "notebooks"], cwd=folder, text=True, capture_output=True
        ).stdout
    each = re.findall(r"([\d.]+)s call\s+(?:\S*/)?(\w+)\.ipynb", text)
    total = re.search(r"(\d+) passed in ([\d.]+)s", text)
    if not total:
        sys.exit(f"no run in which notebooks passed:\n{text[-2000:]}")
    numbers = {"notebooks": int(total[1]), "all_wall_s": digits(float(total[2]))}
    keep(
        "notebooks",
        numbers | {"wall_s": {name: float(s) for s, name in sorted(each, key=str)}},
        here=log is None,
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
