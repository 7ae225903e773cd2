"""Writes the pictures and the table of README.md from the executed notebooks and their results.

    python recipes/readme.py

tests/test_readme.py fails where README.md or a picture is older than the notebooks.
"""

import base64
import hashlib
import io
import json
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PICTURES = NOTEBOOKS / "results" / "pictures"
SIZE = 260  # pixels, the longer edge
IN_A_ROW = 3

# notebook: which of its pictures, counted from 0, and what to say of it
GALLERY = {
    "00_start_here": (1, "copper with a stacking fault"),
    "01_si_phases": (1, "silicon phases"),
    "02_si_vacancy": (2, "vacancy"),
    "03_si_interstitial": (2, "interstitials"),
    "04_si_surface": (2, "surface"),
    "05_water_ice": (7, "water and ice"),
    "06_ice_defects": (3, "vacancy in ice"),
    "07_ice_nucleus": (-1, "ice nucleus"),
    "08_parametric_pacmap": (6, "melting, labelled as it streams"),
}
# case, result, article, ours with the keys of notebooks/results/CASE.json
TABLE = [
    ("si_phases", "silicon phases, misclassified (UMAP / PaCMAP)", "0.10 / 0.08 %",
     "{umap_lof_error_percent:.2f} / {pacmap_lof_error_percent:.2f} %"),
    ("si_vacancy", "vacancy located", "100 %", "{umap_located_percent:.1f} %, "
     "{umap_median_error_A:.2f} Å from Wigner-Seitz"),
    ("si_vacancy", "exactly its four neighbours", "89 %", "{umap_exactly_four_percent:.1f} %"),
    ("si_vacancy", "vacancy that hops at 1000 K, averaged over 0.5 ps", "",
     "{moving_0.5ps_located_percent:.1f} %"),
    ("si_interstitial", "interstitial found", "a cluster",
     "{umap_located_percent:.1f} %; moving at 1000 K {moving_0.5ps_located_percent:.1f} %"),
    ("si_surface", "surface atoms flagged by UMAP", "a cluster",
     "{surface_atoms_flagged_percent:.1f} %"),
    ("water_ice", "water / ice misclassified, PaCMAP, 0.375 ps", "1.14 / 0.68 %",
     "{pacmap_0.375ps_water_error_percent:.2f} / {pacmap_0.375ps_ice_error_percent:.2f} %"),
    ("water_ice", "the same, 0.75 ps", "0.34 / 0.14 %",
     "{pacmap_0.75ps_water_error_percent:.2f} / {pacmap_0.75ps_ice_error_percent:.2f} %"),
    ("water_ice", "UMAP, 0.75 ps", "0.59 / 0.14 %",
     "{umap_0.75ps_water_error_percent:.2f} / {umap_0.75ps_ice_error_percent:.2f} %"),
    ("ice_defects", "vacancy in ice, two miss a donor, two an acceptor (UMAP)", "per structure",
     "{vacancy_two_miss_a_donor_umap_percent:.1f} / "
     "{vacancy_two_miss_an_acceptor_umap_percent:.1f} %"),
    ("ice_defects", "interstitial in ice found", "99.3 %",
     "{interstitial_umap_located_percent:.1f} %"),
    ("ice_nucleus", "ice nucleus, PaCMAP alone", "hinted at", "{pacmap_recall_percent:.0f} %"),
    ("ice_nucleus", "PaCMAP from an equalised sample, recall / precision", "",
     "{pacmap_equalised_recall_percent:.1f} / {pacmap_equalised_precision_percent:.1f} %"),
    ("parametric_pacmap", "unseen environments in the right cluster (4000)", "reproduced",
     "{right_cluster_percent:.1f} %"),
]
MARKS = {name: (f"<!-- {name}: written by recipes/readme.py -->", f"<!-- end of {name} -->")
         for name in ("pictures", "results")}


def picture(name):
    """The notebook's picture as a small PNG that names the SHA-256 of what it was made from."""
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    images = ["".join(out["data"]["image/png"]) for cell in notebook["cells"]
              for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
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


def gallery():
    names = list(GALLERY)
    rows = []
    for start in range(0, len(names), IN_A_ROW):
        cells = [f'<td align="center"><a href="notebooks/{n}.ipynb"><img height="{SIZE * 2 // 3}" '
                 f'src="notebooks/results/pictures/{n}.png" alt="{GALLERY[n][1]}"></a><br>'
                 f"{GALLERY[n][1]}</td>" for n in names[start:start + IN_A_ROW]]
        rows.append("<tr>" + "\n".join(cells) + "</tr>")
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def table():
    lines = ["| result | article | here |", "|---|---|---|"]
    for case, result, article, ours in TABLE:
        numbers = json.loads((NOTEBOOKS / "results" / f"{case}.json").read_text())
        lines.append(f"| {result} | {article} | {filled(ours, numbers)} |")
    return "\n".join(lines)


def filled(text, numbers):
    """`text` with {key:format} replaced; keys may hold points, as in 0.5ps."""
    for key, value in numbers.items():
        mark = "{" + key + ":"
        while mark in text:
            start = text.index(mark)
            end = text.index("}", start)
            text = text[:start] + format(value, text[start + len(mark):end]) + text[end + 1:]
    if "{" in text:
        raise KeyError(f"{text} names a result that the notebooks do not write")
    return text


def parts(readme):
    """README.md with its two written parts as they should be."""
    for name, content in (("pictures", gallery()), ("results", table())):
        start, end = MARKS[name]
        before, _, rest = readme.partition(start)
        _, _, after = rest.partition(end)
        readme = f"{before}{start}\n{content}\n{end}{after}"
    return readme


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in GALLERY:
        (PICTURES / f"{name}.png").write_bytes(picture(name))
    path = ROOT / "README.md"
    path.write_text(parts(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
