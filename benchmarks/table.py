"""One table and one figure of what the other scripts of this folder have measured.

    python benchmarks/table.py       # results/table.md, table.csv and table.png

Rows whose script has not run are left out. Ratios: median (smallest to largest) of interleaved
rounds.
"""

import json

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from _timing import RESULTS

from defectkit import stability

OF_IDENTIFY = {  # cases and what is aimed at
    "64 atoms": "3 s",
    "100 000 atoms": "60 s",
    "a million atoms": "300 s, 4 GB",
    "2000 frames of 1000 atoms": "2 GB",
    "10 000 frames of 100 atoms": "",
}


def results(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def shown(r):
    return f"{r['ratio_median']:g} ({r['ratio_min']:g} to {r['ratio_max']:g})"


def rows():
    """What was measured, the number, what is aimed at."""
    table = []

    def add(what, value, target=""):
        table.append({"measured": what, "value": value, "target": target})

    d = results("symmetry_functions")
    for key, target in (
        ("ACSF over defectkit, all atoms", "over 1"),
        ("SOAP 4.5 Å over defectkit 6.35 Å, oxygens", ""),
        ("SOAP 6.35 Å over defectkit 6.35 Å, oxygens", "over 1"),
        ("one core over two, defectkit, wall time", "2"),
        ("one core over two, ACSF, wall time", ""),
    ):
        if key in d:
            add(f"symmetry functions: {key}", shown(d[key]), target)
    if d:
        sizes = list(map(int, d["us_per_atom_by_number_of_atoms"]))
        add(
            "symmetry functions: exponent of time over number of atoms, "
            f"{min(sizes)} to {max(sizes)}",
            f"{d['exponent_of_time_over_atoms']:g}",
            "1",
        )
        _add_single(add, d)
    d = results("forces")
    for key, target in (
        ("forces over features", ""),
        ("n2p2 over defectkit, features", "12"),
        ("n2p2 over defectkit, forces", "8"),
    ):
        if key in d:
            add(f"potential: {key}", shown(d[key]), target)
    _add_maps(add)
    _add_others(add)
    _add_hot_crystals(add)
    _add_moving_defects(add)
    _add_nucleus(add)
    _add_melting(add)
    return table


def _add_single(add, d):
    """Rows of single precision."""
    for key in (key for key in d if key.startswith("double over single precision")):
        add(f"symmetry functions: {key}", shown(d[key]), "over 1.2")
    for name, of in d.get("labels of single precision with those of double", {}).items():
        methods = [of[m] for m in ("pca", "umap", "pacmap")]
        for key, what in (
            ("ARI", "those of single precision"),
            ("ARI_disturbed", "those after a disturbance of 1e-10"),
        ):
            add(
                f"labels of double precision and {what}: {name}, pca, umap, pacmap, ARI, mean of "
                f"{len(methods[0]['seeds'])} seeds (least)",
                ", ".join(f"{m[key]:.4f} ({m[f'{key}_min']:.3f})" for m in methods),
                "0.999",
            )


def _add_maps(add):
    d = results("maps_overhead")
    for m in ("umap", "pacmap"):
        if d:
            add(
                f"maps of {d['n']}: {m}, embed over the library's own call, one thread",
                shown(d[f"{m}: embed over plain"]),
                "1",
            )
    d = results("maps_together")
    for key, value in d.items():
        if key.startswith("together over plain"):
            add(
                f"all three maps of {d['n']}: {key}",
                f"{shown(value)}: {value['together_s']:g} for {value['plain_s']:g} s",
                "0.7",
            )
        elif key.startswith("labels"):
            add(
                f"the same: {key}, ARI with those of the library's own map",
                f"{value['ari_together_with_plain']:g}",
                "1",
            )
    d = results("maps_large")
    if d:
        shape = " x ".join(map(str, d["shape"]))
        add(f"{shape}: peak memory", f"{d['peak_memory_GB']:g} GB", "under 4 GB")
        add(
            f"{shape}: " + ", ".join(d["processor_s"]) + " (processor)",
            ", ".join(f"{s:g} s" for s in d["processor_s"].values()),
        )
        for m in ("pca", "umap", "pacmap"):
            add(
                f"{shape}: {m}, clusters, ARI with the phases",
                f"{d[m]['clusters']}, {d[m]['ari_with_the_phases']:g}",
            )
    d = results("maps_million")
    if d:
        add(
            f"a million points of a map: {', '.join(d['processor_s'])} (processor)",
            ", ".join(f"{s:g} s" for s in d["processor_s"].values()),
            "60 s in all",
        )


def _add_others(add):
    for case, target in OF_IDENTIFY.items():
        d = results("identify").get(case)
        if d:
            add(
                f"identify, {case}: wall time, processor time, peak memory; vacancies a frame",
                f"{d['wall_s']:g} s, {d['processor_s']:g} s, {d['peak_memory_GB']:g} GB; "
                f"{d['vacancies_found_per_frame']:g} of {d['vacancies']}",
                target,
            )
    for row in results("dft_cells").get("rows", ()):
        add(f"DFT cells of others, {row['kind']}: right", f"{row['right']} of {row['n']}")
    d = results("small")
    if d:
        rate = d["million_environments_per_s"]
        add(
            "parametric net, one core",
            f"{rate['median']:g} ({rate['min']:g} to {rate['max']:g}) million environments/s",
            "1",
        )
        add("features and net over features", shown(d["features and net over features"]), "1.1")
        add(
            "import defectkit; python alone; numpy",
            "; ".join(
                f"{d['import_processor_s'][k]:g} s" for k in ("defectkit", "python alone", "numpy")
            ),
        )
        first = d.get("first_features_processor_s", {})
        if first:
            add(
                "a process to its first features (processor): " + ", ".join(first),
                ", ".join(f"{s:g} s" for s in first.values()),
                "0.5 s, 15 s",
            )
    d = results("explorer")
    if d:
        add(
            f"explorer of {d['points']} points: {', '.join(d['processor_s'])} (processor)",
            ", ".join(f"{s:g} s" for s in d["processor_s"].values()),
            "0.3 s",
        )
    d = results("streaming")
    if d:
        add(
            "streaming: µs per atom-frame by length",
            ", ".join(f"{n}: {v['all']:g}" for n, v in d["serial_us_per_atom_frame"].items()),
            "flat",
        )
    for key, target in (("one_over_two", "1.85"), ("one_over_serial", "under 1.1")):
        if key in d:
            add(f"streaming: workers, {key.replace('_', ' ')}, wall time", shown(d[key]), target)
    d = results("notebooks")
    if d:
        add(f"all {d['notebooks']} notebooks, wall time", f"{d['all_wall_s'] / 60:.1f} min")


def _add_hot_crystals(add):
    """Atoms named right near melting by each method, and the melt's atoms called crystalline."""
    share = {}
    for element in results("hot_crystals").values():
        share |= element["share"]

    def add_cases(fraction, window, what, target):
        values = [
            f"{title.split(',')[0]} "
            + ", ".join(f"{method} {100 * v['mean']:.2f} %" for method, v in row[window].items())
            for title, row in share.items()
            if title.endswith(f", {fraction:g}")
        ]
        if values:
            add(f"{fraction:g} of melting, {window}: {what}", "; ".join(values), target)

    for fraction, single in ((0.9, "99.5 %"), (0.98, "99 %")):
        for window in ("single frame", "0.2 ps", "0.5 ps"):
            least = single if window == "single frame" else "99.9 %"
            add_cases(fraction, window, "atoms named right", f"ours over {least}")
    add_cases(1.05, "single frame", "atoms of the melt called crystalline", "0")


def _add_moving_defects(add):
    """Frames in which a defect is where Wigner-Seitz analysis has it, over all temperatures."""
    for name, element in results("moving_defects").items():
        runs = {"none": [], "vacancy": [], "interstitial": []}
        for title, run in element["runs"].items():
            runs[title.split(",")[0]].append(run)
        frames = {defect: sum(run["frames"] for run in of) for defect, of in runs.items()}
        located = {
            defect: sum(run["frames"] * run["located"] for run in of) / frames[defect]
            for defect, of in runs.items()
            if defect != "none"
        }
        alarms = sum(run["false_alarms"] for run in runs["none"])
        add(
            f"{name}, 300 K to 0.8 of melting, single frames: vacancies, interstitials located",
            f"{100 * located['vacancy']:.1f} % of {frames['vacancy']}, "
            f"{100 * located['interstitial']:.1f} % of {frames['interstitial']}; "
            f"{alarms} of {frames['none']} perfect frames have a defect",
            "99 %, 97 %; under 1 %",
        )


def _add_nucleus(add):
    """Recall and precision of the ice nucleus in the article's box, molecule by molecule."""
    of = results("nucleus")

    def shown(way, what):
        mean, std = of["ways"][way][f"{what}_ice_and_interface"]
        return f"{mean:g}" + ("" if std is None else f" ± {std:g}")

    ways = (f"{way} {shown(way, 'recall')}, {shown(way, 'precision')}" for way in of["ways"])
    add(
        f"ice nucleus of {of['member']} molecules in {of['molecules']}, {len(of['seeds'])} "
        "seeds: recall, precision (ice and interface, %)",
        "; ".join(ways),
        "balanced: 98, 97",
    )


def _add_melting(add):
    """How near shares of a melting crystal are to those of template matching."""
    d = results("melting")
    for name, of in d["points"].items():
        add(
            f"silicon melting, {len(d['runs'])} runs, {name}: less template matching (points); "
            "frames, means over 0.5 ps within 3 points",
            f"{of['mean_while_a_crystal']['mean']:g}; {of['frames_within_3']['mean']:g} %, "
            f"{of['means_within_3']['mean']:g} %",
            "100 %",
        )


def figure(path):
    fig, axes = plt.subplots(1, 3, figsize=(14, 4.5), width_ratios=(1.3, 1, 1))
    bars = {}
    for name in ("symmetry_functions", "forces", "maps_overhead", "maps_together"):
        bars |= {
            k: v for k, v in results(name).items() if isinstance(v, dict) and "ratio_median" in v
        }
    for y, v in enumerate(bars.values()):
        axes[0].plot([v["ratio_min"], v["ratio_max"]], [y, y], "C0", lw=5, alpha=0.4)
        axes[0].plot(v["ratio_median"], y, "C0o")
    axes[0].set_yticks(range(len(bars)), bars, fontsize=7)
    axes[0].axvline(1, color="0.7", zorder=0)
    axes[0].set(xscale="log", title="ratios: median and range")
    sizes = results("symmetry_functions").get("us_per_atom_by_number_of_atoms", {})
    axes[1].plot([int(n) for n in sizes], list(sizes.values()), "o-")
    axes[1].set(
        xscale="log",
        xlabel="atoms",
        ylabel="µs per atom",
        title="symmetry functions, one core",
        ylim=(0, 1.1 * max(sizes.values(), default=1)),
    )
    steps = results("maps_large").get("processor_s", {})
    axes[2].bar([k.replace(", ", ",\n") for k in steps], list(steps.values()))
    axes[2].set(ylabel="processor time (s)", title="79 200 environments")
    axes[2].tick_params(axis="x", labelsize=8)
    fig.tight_layout()
    fig.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    table = rows()
    stability.write_table(RESULTS / "table.csv", table)
    lines = ["| measured | value | target |", "|---|---|---|"]
    lines += [f"| {r['measured']} | {r['value']} | {r['target']} |" for r in table]
    used = {
        results(p.stem)["machine"]["processor"]: results(p.stem)["machine"]
        for p in sorted(RESULTS.glob("*.json"))
        if "machine" in results(p.stem)
    }
    loads = [
        results(p.stem)["machine"]["load_average"]
        for p in RESULTS.glob("*.json")
        if "machine" in results(p.stem)
    ]
    note = "; ".join(f"{m['cores']} cores of {name}" for name, m in used.items())
    if loads:
        note += (
            f"; load average at the end of each measurement {min(loads):g} to "
            f"{max(loads):g}, its own included: above 2.5 trust ratios of processor time."
        )
    note += (
        "\n\nThe first maps of a process: UMAP's own search for neighbours is compiled in "
        "each process; embed_all and embed give it those that faiss finds. The second maps: "
        "PaCMAP works in a process of its own beside UMAP, whose optimisation takes two "
        "thirds of the sum. So wall time falls to about that on two cores; processor time, "
        "and wall time on one core, do not fall."
    )
    (RESULTS / "table.md").write_text("\n".join([*lines, "", note]) + "\n")
    figure(RESULTS / "table.png")
    print("\n".join(lines), note, sep="\n")
