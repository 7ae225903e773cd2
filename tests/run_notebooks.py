"""Runs the notebooks in a copy of their folder and compares what they measure with what is kept.

    python tests/run_notebooks.py              # all of them
    python tests/run_notebooks.py 04 07        # those whose names begin so
    python tests/run_notebooks.py --keep OUT   # leaves notebooks and results in OUT to look at
    python tests/run_notebooks.py --renew 04   # takes notebook and results over into the checkout

The checkout stays as it is. A number fails that is not the one of notebooks/results within the
tolerance below: the results and README are then older than the code (CONTRIBUTING says how to
renew them), or something broke.
"""

import argparse
import base64
import copy
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from defectkit import plots

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
TIMES = ROOT / "benchmarks" / "results" / "notebooks.json"
#: Maps follow the last bits of the features, which processors and compilers round differently:
#: an environment more or less at the rim of a cluster is no error. One structure of notebook 06's
#: 38 is 2.6 percentage points, one jump of notebook 02's 14 is 7 %.
PERCENTAGE_POINTS, RELATIVE = 3.0, 0.1
#: How fast this machine is, no result.
SPEEDS = ("_per_core_s", "_over_features")
#: Bytes of a notebook, which tests/test_notebook_prose.py asks for.
LARGEST = 700_000
#: Colours that a legend and its points share, so that they stay one colour when stored.
OWN = sorted(
    {
        tuple(round(255 * channel) for channel in to_rgb(colour))
        for colour in (*plots.PALETTE, *plots.PHASES.values(), plots.NOISE, "white", "black")
    }
)
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")
#: How pictures are stored, the first that is small enough: colours, whether the points of maps
#: lose the blends at their rims, and size, which stays that of 200 dpi while another way is left.
WAYS = [
    *((colours, False, 1) for colours in (256, 128, 64)),
    *((colours, True, 1) for colours in (128, 64)),
    *((64, True, scale) for scale in (0.75, 0.5)),
]
#: Of the coloured pixels of a tile as large this share has the very colour of points: it is a map.
TILE, FLAT = 48, 0.1


def differences(new, kept):
    """One sentence for each result that is missing, new, or farther off than the tolerance.

    Examples
    --------
    >>> differences({"a_percent": 98.5, "b_A": 2.0}, {"a_percent": 99.0, "b_A": 1.0})
    ['b_A is 2.0, kept is 1.0']
    >>> differences({"a": 1}, {"b": 1})
    ['a is not among the kept results', 'b is kept but was not measured']
    """
    found = [f"{name} is not among the kept results" for name in new if name not in kept]
    found += [f"{name} is kept but was not measured" for name in kept if name not in new]
    for name in kept:
        if name not in new or name.endswith(SPEEDS):
            continue
        one, other = new[name], kept[name]
        if isinstance(other, str):
            same = one == other
        else:
            room = PERCENTAGE_POINTS if "percent" in name else max(RELATIVE * abs(other), 1e-3)
            same = abs(one - other) <= room
        if not same:
            found.append(f"{name} is {one}, kept is {other}")
    return found


def names(beginnings):
    """Stems of the notebooks asked for, those that take longest first."""
    took = json.loads(TIMES.read_text())["wall_s"]
    stems = [
        path.stem
        for path in NOTEBOOKS.glob("*.ipynb")
        if not beginnings or path.stem.startswith(tuple(beginnings))
    ]
    if not stems:
        sys.exit(f"no notebook begins with {' or '.join(beginnings)}")
    return sorted(stems, key=lambda stem: -took.get(stem, 0.0))


def run(folder, stems, jobs, timeout=1800):
    """pytest's exit status; notebooks and their results are in `folder` afterwards."""
    (folder / "results").mkdir(parents=True, exist_ok=True)
    for stem in stems:
        shutil.copy2(NOTEBOOKS / f"{stem}.ipynb", folder)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        "--nbmake",
        f"--nbmake-timeout={timeout}",
        "--overwrite",
        "-rs",
        "--durations=0",
        "--durations-min=1",
    ]
    if jobs > 1:
        command += ["-n", str(jobs), "--maxschedchunk=1"]
    return subprocess.run(
        [*command, *(str(folder / f"{stem}.ipynb") for stem in stems)], check=False
    ).returncode


def compare(folder):
    """Prints how the new results differ from the kept ones; returns how many do."""
    wrong = 0
    for path in sorted((folder / "results").glob("*.json")):
        kept = NOTEBOOKS / "results" / path.name
        found = (
            differences(json.loads(path.read_text()), json.loads(kept.read_text()))
            if kept.exists()
            else ["notebooks/results has no such file"]
        )
        for sentence in found:
            print(f"{path.name}: {sentence}")
        wrong += len(found)
    return wrong


def compact(output, colours=256, rims=False, scale=1.0):
    """Stores pictures of an output with few colours, those of the project's palette as they are.

    The picture that a widget leaves in its style sheet is for browsers only: of shaded atoms a
    WebP is a third as long.
    """
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = few_colours(data["image/png"], colours, rims, scale)
    if "data:image/png;base64," in "".join(data.get("text/html", "")):
        page = PNG.sub(
            lambda found: min(
                f"data:image/png;base64,{few_colours(found[1], colours, rims, scale)}",
                f"data:image/webp;base64,{webp(found[1])}",
                key=len,
            ),
            "".join(data["text/html"]),
        )
        data["text/html"] = page.splitlines(keepends=True)


def webp(encoded):
    """The same picture as a WebP, as base64 text."""
    file = io.BytesIO()
    _picture(encoded).save(file, "WEBP", quality=80, method=6)
    return base64.b64encode(file.getvalue()).decode()


def without_rims(picture):
    """A picture whose maps have points of one colour each; all else as it is.

    Half covered pixels at the rims of thousands of points are most of what a PNG of a map stores.
    Each takes the nearest of the points' colours or white; grey ones, of the lettering, stay.
    """
    rgb = np.asarray(picture).astype(int)
    points = [c for c in OWN if np.ptp(c) > 12 and _occurs(picture, c)]
    coloured = np.ptp(rgb, axis=2) > 12
    pure = np.zeros(coloured.shape, bool)
    for colour in points:
        pure |= (rgb == colour).all(axis=2)
    of_map = _tiles(pure) > FLAT * _tiles(coloured)
    of_map = of_map.repeat(TILE, axis=0).repeat(TILE, axis=1)
    rims = coloured & of_map[: len(rgb), : rgb.shape[1]]
    allowed = np.array([*points, (255, 255, 255)])
    rgb[rims] = allowed[np.abs(rgb[rims][:, None] - allowed).sum(axis=2).argmin(axis=1)]
    return Image.fromarray(rgb.astype(np.uint8))


def _tiles(flags):
    """How many flags there are in each square of TILE pixels."""
    rows = np.add.reduceat(flags, range(0, flags.shape[0], TILE), axis=0, dtype=int)
    return np.add.reduceat(rows, range(0, flags.shape[1], TILE), axis=1)


def few_colours(encoded, colours, rims, scale):
    """A PNG, as base64 text, with so many colours or fewer, so much smaller along each edge."""
    picture = _picture(encoded)
    if scale < 1:
        size = [round(scale * length) for length in picture.size]
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    png = _palette_png(picture, colours)
    if rims:  # where it helps, which for lines it does not
        flat = _palette_png(without_rims(picture), colours)
        png = flat if len(flat) < 0.8 * len(png) else png
    return base64.b64encode(png).decode()


def _palette_png(picture, colours):
    own = np.array([colour for colour in OWN if _occurs(picture, colour)]).reshape(-1, 3)
    rest = picture.quantize(colours - len(own), dither=Image.Dither.NONE).getpalette("RGB")
    rest = np.reshape(rest, (-1, 3))
    apart = np.abs(rest[:, None] - own).max(axis=2).min(axis=1, initial=255) > 8  # white stays so
    table = Image.new("P", (1, 1))
    table.putpalette(np.concatenate([own, rest[apart]]).astype(int).ravel().tolist())
    file = io.BytesIO()
    picture.quantize(palette=table, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _picture(encoded):
    return Image.open(io.BytesIO(base64.b64decode("".join(encoded)))).convert("RGB")


def _occurs(picture, colour):
    return (np.asarray(picture) == colour).all(axis=-1).any()


def renew(folder, stems):
    """Copies executed notebooks, without the widgets' state, and their results to the checkout."""
    for stem in stems:
        notebook = json.loads((folder / f"{stem}.ipynb").read_text(encoding="utf-8"))
        notebook["metadata"].pop("widgets", None)
        for cell in notebook["cells"]:
            cell["metadata"].pop("execution", None)
        for way in WAYS:
            stored = copy.deepcopy(notebook)
            for cell in stored["cells"]:
                for output in cell.get("outputs", []):
                    compact(output, *way)
            text = json.dumps(stored, indent=1, ensure_ascii=False) + "\n"
            if len(text.encode()) < LARGEST:
                break
        (NOTEBOOKS / f"{stem}.ipynb").write_text(text, encoding="utf-8")
    for path in (folder / "results").glob("*.json"):
        shutil.copy2(path, NOTEBOOKS / "results")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="notebooks-") as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        stems = names(given.names)
        status = run(folder, stems, given.jobs)
        wrong = compare(folder)
        if given.renew and not status:
            renew(folder, stems)
            print("taken over; now run python recipes/readme.py")
            return
    if wrong:
        print(f"{wrong} results differ from notebooks/results")
    sys.exit(status or int(wrong > 0))


if __name__ == "__main__":
    main()
