"""Writes what README.md and docs/gallery.md show of executed notebooks, benchmarks and examples.

    python recipes/readme.py         # pictures, tables, speed
    python recipes/readme.py run     # also runs the examples and keeps what they print

tests/test_readme.py fails where a page or picture is older than the files it is made from.
"""

import base64
import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PICTURES = NOTEBOOKS / "results" / "pictures"
EXAMPLES = ROOT / "docs" / "examples"
BENCHMARKS = ROOT / "benchmarks" / "results"
SIZE = 260  # pixels, the longer edge
IN_A_ROW = 3

# notebook: which of its pictures, counted from 0, and what to say of it
GALLERY = {
    "00_start_here": (0, "copper with a stacking fault"),
    "01_si_phases": (0, "silicon phases"),
    "02_si_vacancy": (2, "vacancy"),
    "03_si_interstitial": (2, "interstitials"),
    "04_si_surface": (2, "surface"),
    "05_water_ice": (0, "water and ice"),
    "06_ice_defects": (2, "vacancy in ice"),
    "07_ice_nucleus": (-1, "ice nucleus"),
    "08_parametric_pacmap": (5, "melting, labelled as it streams"),
}
# case, result, article, ours with the keys of notebooks/results/CASE.json
TABLE = [
    (
        "si_phases",
        "silicon phases, misclassified (UMAP / PaCMAP)",
        "0.10 / 0.08 %",
        "{umap_lof_error_percent:.2f} / {pacmap_lof_error_percent:.2f} %",
    ),
    (
        "si_vacancy",
        "vacancy located",
        "100 %",
        "{umap_located_percent:.1f} %, {umap_median_error_A:.2f} Å from Wigner-Seitz",
    ),
    (
        "si_vacancy",
        "exactly its four neighbours flagged",
        "89 %",
        "{umap_exactly_four_percent:.1f} %",
    ),
    (
        "si_vacancy",
        "vacancy that hops at 1000 K, averaged over 0.5 ps",
        "",
        "{moving_0.5ps_located_percent:.1f} %",
    ),
    ("si_interstitial", "interstitial located", "a cluster", "{umap_located_percent:.1f} %"),
    (
        "si_interstitial",
        "interstitial that moves at 600 / 800 / 1000 K, averaged over 0.5 ps",
        "",
        "{moving_600K_0.5ps_located_percent:.1f} / {moving_800K_0.5ps_located_percent:.1f} / "
        "{moving_1000K_0.5ps_located_percent:.1f} %",
    ),
    (
        "si_surface",
        "atoms of a surface, recall / precision (UMAP)",
        "a cluster",
        "{surface_recall_percent:.1f} / {surface_precision_percent:.1f} %",
    ),
    (
        "water_ice",
        "water / ice misclassified, PaCMAP, 0.375 ps",
        "1.14 / 0.68 %",
        "{pacmap_0.375ps_water_error_percent:.2f} / {pacmap_0.375ps_ice_error_percent:.2f} %",
    ),
    (
        "water_ice",
        "the same, 0.75 ps",
        "0.34 / 0.14 %",
        "{pacmap_0.75ps_water_error_percent:.2f} / {pacmap_0.75ps_ice_error_percent:.2f} %",
    ),
    (
        "water_ice",
        "UMAP, 0.75 ps",
        "0.59 / 0.14 %",
        "{umap_0.75ps_water_error_percent:.2f} / {umap_0.75ps_ice_error_percent:.2f} %",
    ),
    (
        "ice_defects",
        "vacancy in ice, two miss a donor, two an acceptor (UMAP)",
        "per structure",
        "{vacancy_two_miss_a_donor_umap_percent:.1f} / "
        "{vacancy_two_miss_an_acceptor_umap_percent:.1f} %",
    ),
    (
        "ice_defects",
        "interstitial in ice located",
        "99.3 %",
        "{interstitial_umap_located_percent:.1f} %",
    ),
    (
        "ice_nucleus",
        "ice nucleus of {chill_molecules:d} molecules, recall, PaCMAP alone",
        "hinted at",
        "{pacmap_recall_percent:.0f} %",
    ),
    (
        "ice_nucleus",
        "PaCMAP from a density-balanced subsample, recall / precision",
        "",
        "{pacmap_balanced_halfway_recall_percent:.1f} / "
        "{pacmap_balanced_halfway_precision_percent:.1f} %",
    ),
    (
        "ice_nucleus",
        "the same features, a classifier told the truth in seven eighths of the box",
        "",
        "{lda_told_the_truth_elsewhere_recall_percent:.1f} / "
        "{lda_told_the_truth_elsewhere_precision_percent:.1f} %",
    ),
    (
        "parametric_pacmap",
        "unseen environments in the right cluster ({n_unseen:d})",
        "reproduced",
        "{right_cluster_percent:.1f} %",
    ),
    (
        "compounds",
        "defects in GaN, CdTe, NaCl located, `identify`",
        "",
        "{located_percent:.0f} %, {largest_error_A:.2f} Å at most; "
        "{perfect_cells_with_a_false_alarm:d} of {perfect_cells:d} perfect cells have one",
    ),
]
# What the examples of README.md are; what they print is kept in docs/examples.
LOOP = """\
import numpy as np
import pandas as pd
import defectkit as dk

data = dk.load("si-phases")                           # dk.available() lists all sets
G = np.concatenate(dk.features(data.frames, dk.SymmetryFunctions.silicon(), progress=False))
Y = dk.embed(G, method="pacmap", seed=0)              # (n, 2); "umap", "pca"
labels = dk.cluster(Y)                                # 0, 1, ... by size; -1 noise
dk.plots.embedding(Y, labels)
phase = np.take(data.classes, data.truth["phase"])    # only to see how well it went
print(pd.crosstab(labels, phase, rownames=["cluster"], colnames=[""]))
"""
RUNS = {"loop": LOOP}
# page: its parts
PAGES = {
    "README.md": ("loop", "field", "others", "moving", "results", "nucleus", "speed"),
    "docs/gallery.md": ("pictures",),
}
MARKS = {
    name: (f"<!-- {name}: written by recipes/readme.py -->", f"<!-- end of {name} -->")
    for parts in PAGES.values()
    for name in parts
}


def picture(name):
    """The notebook's picture as a small PNG that names the SHA-256 of what it was made from."""
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    images = [
        "".join(out["data"]["image/png"])
        for cell in notebook["cells"]
        for out in cell.get("outputs", [])
        if "image/png" in out.get("data", {})
    ]
    source = base64.b64decode(images[GALLERY[name][0]])
    image = Image.open(io.BytesIO(source)).convert("RGB")
    image.thumbnail((2 * SIZE, 2 * SIZE), Image.Resampling.LANCZOS)
    info = PngInfo()
    info.add_text("source", hashlib.sha256(source).hexdigest())
    out = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True, pnginfo=info)
    return out.getvalue()


def source_of(png):
    return Image.open(io.BytesIO(png)).text["source"]


def pictures():
    """The gallery, for a page of docs."""
    names = list(GALLERY)
    rows = ["| | | |", "|:-:|:-:|:-:|"]
    for start in range(0, len(names), IN_A_ROW):
        cells = [
            f"[![{GALLERY[n][1]}](../notebooks/results/pictures/{n}.png)]"
            f"(notebooks/{n}.ipynb)<br>{GALLERY[n][1]}"
            for n in names[start : start + IN_A_ROW]
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def results():
    lines = ["| result | article | here |", "|---|---|---|"]
    for case, result, article, ours in TABLE:
        numbers = json.loads((NOTEBOOKS / "results" / f"{case}.json").read_text())
        lines.append(f"| {filled(result, numbers)} | {article} | {filled(ours, numbers)} |")
    return "\n".join(lines)


def field():
    """What was found in cells that nobody had tuned anything on; nothing until it is measured."""
    path = BENCHMARKS / "field.json"
    if not path.exists():
        return "What it finds in cells it has not seen is not measured yet."
    kept = json.loads(path.read_text())
    rows = kept["rows"] if isinstance(kept, dict) else kept
    lines = [
        "On cells it had not seen (`benchmarks/results/field.json`):",
        "",
        "| kind | cells | right | false alarms | seeds |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        false = row["false_alarms_percent"]  # None where no cell of the kind is perfect
        seeds = row["seeds"] if isinstance(row["seeds"], int) else len(row["seeds"])
        lines.append(
            f"| {row['kind']} | {row['n']} | {row['right_percent']:.0f} % | "
            f"{'' if false is None else f'{false:.0f} %'} | {seeds} |"
        )
    return "\n".join(lines)


def moving():
    """Defects in molecular dynamics with other potentials, over all of their temperatures."""
    models = json.loads((BENCHMARKS / "moving_defects.json").read_text())
    runs = [run for model in models.values() for run in model["runs"].items()]

    def located(defect):
        of = [run for title, run in runs if title.startswith(defect)]
        frames = sum(run["frames"] for run in of)
        return (
            f"{100 * sum(run['frames'] * run['located'] for run in of) / frames:.1f} % of {frames}"
        )

    perfect = [run for title, run in runs if title.startswith("none")]
    names = ", ".join(name.replace(",", "") for name in models)
    return (
        f"In single frames of dynamics at 300 K to 0.8 of melting ({names}; "
        f"`benchmarks/results/moving_defects.json`) the vacancy is located in "
        f"{located('vacancy')}, the interstitial in {located('interstitial')}; "
        f"{sum(run['false_alarms'] for run in perfect)} of "
        f"{sum(run['frames'] for run in perfect)} frames of perfect crystals have a defect."
    )


def nucleus():
    """The ice nucleus in a box of the article's size, way by way."""
    of = json.loads((BENCHMARKS / "nucleus.json").read_text())

    def pair(way):
        recall, precision = (
            of["ways"][way][f"{what}_ice_and_interface"][0] for what in ("recall", "precision")
        )
        return f"{recall:.0f} / {precision:.0f} %"

    ways = ", ".join(f"{way} {pair(way)}" for way in of["ways"])
    parted = round((of["ways"]["PaCMAP + bulk ice"]["clusters"][0] - 1) * len(of["seeds"]))
    return (
        f"In a box of the article's size, {of['molecules']} molecules, {of['member']} of them the "
        f"nucleus with its interface (`benchmarks/results/nucleus.json`, {len(of['seeds'])} "
        "seeds), recall / precision of the nucleus by CHILL+, molecule by molecule: "
        f"{ways}; with bulk ice the map has two clusters for {parted} of the seeds."
    )


def cells_of_others():
    """Defect cells of other people, judged by their names."""
    rows = json.loads((BENCHMARKS / "dft_cells.json").read_text())["rows"]

    def told(of):
        return f"{sum(row['right'] for row in of)} of {sum(row['n'] for row in of)}"

    trials = [row for row in rows if row["kind"].startswith("distorted")]
    others = [row for row in rows if row not in trials]
    return (
        "On the cells of 30 atoms and more in the repositories of doped and ShakeNBreak "
        "(`benchmarks/results/dft_cells.json`; no threshold was fitted to them) the defect that "
        f"their names tell (none if perfect) is found and nothing beside it in {told(others)}; "
        f"where bonds around it were distorted on purpose in {told(trials)}."
    )


def speed():
    names = "forces.json", "symmetry_functions.json"
    forces, own = (json.loads((BENCHMARKS / name).read_text()) for name in names)
    rows = (forces | own).items()
    times = {key: f"{row['ratio_median']:.1f}" for key, row in rows if "ratio_median" in str(row)}
    systems = "water", "silicon", "copper"
    single = [f"{times[f'double over single precision, {of}']} ({of})" for of in systems]
    labels = own["labels of single precision with those of double"].values()
    each = [of[method] for of in labels for method in ("pca", "umap", "pacmap")]
    mean, least = (min(one[key] for one in each) for key in ("ARI", "ARI_min"))
    return (
        f"Speed, one core, water box of {forces['n_atoms']} atoms: symmetry functions "
        f"{times['n2p2 over defectkit, features']} times faster than n2p2 and "
        f"{times['ACSF over defectkit, all atoms']} times faster than DScribe's ACSF; a step of "
        f"molecular dynamics {times['n2p2 over defectkit, forces']} times faster than n2p2. "
        "[All measurements](benchmarks/results/table.md); `make bench` repeats them. For maps "
        f'`symmetry.using(precision="single")` is another {", ".join(single)} times faster; its '
        f"labels agree with those of double precision to an ARI of {mean:.4f} and better (means "
        f"of {len(each[0]['seeds'])} maps of one kind; the worst of all {least:.3f})."
    )


def example(name):
    kept = EXAMPLES / f"{name}.txt"
    return (
        f"```python\n{RUNS[name].rstrip()}\n```\n\n```text\n"
        f"{kept.read_text(encoding='utf-8').rstrip()}\n```"
    )


def printed(code, folder):
    """What an example prints when it runs in `folder`."""
    import matplotlib

    matplotlib.use("Agg")
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(compile(code, "example", "exec"), {})
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def filled(text, numbers):
    """`text` with {key:format} replaced; keys may hold points, as in 0.5ps."""
    for key, value in numbers.items():
        mark = "{" + key + ":"
        while mark in text:
            start = text.index(mark)
            end = text.index("}", start)
            text = text[:start] + format(value, text[start + len(mark) : end]) + text[end + 1 :]
    if "{" in text:
        raise KeyError(f"{text} names a result that the notebooks do not write")
    return text


def content(name):
    made = {
        "pictures": pictures,
        "results": results,
        "nucleus": nucleus,
        "field": field,
        "moving": moving,
        "others": cells_of_others,
        "speed": speed,
    }
    return made[name]() if name in made else example(name)


def parts(page, text):
    """A page's text with its written parts as they should be."""
    for name in PAGES[page]:
        start, end = MARKS[name]
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}\n{content(name)}\n{end}{after}"
    return text


def main(run):
    import tempfile

    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in GALLERY:
        (PICTURES / f"{name}.png").write_bytes(picture(name))
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    for name, code in RUNS.items() if run else ():
        with tempfile.TemporaryDirectory() as folder:
            (EXAMPLES / f"{name}.txt").write_text(printed(code, folder), encoding="utf-8")
    for page in PAGES:
        path = ROOT / page
        path.write_text(parts(page, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(run="run" in sys.argv[1:])
