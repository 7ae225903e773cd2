"""Figures: colours that everybody can tell apart, right counts, spheres where they are."""

import itertools
import re

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from matplotlib.colors import to_rgb

from defectkit import plots

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_open_figures():
    yield
    plt.close("all")


@pytest.fixture
def some_map():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 2)), np.repeat([0, 1, -1], [30, 20, 10])


def texts(legend):
    return [t.get_text().replace("\u2009", "") for t in legend.get_texts()]


def lab(rgb, deficiency=None):
    """CIELAB of a colour, as seen with a colour vision deficiency (Machado et al. 2009)."""
    seen = {
        None: np.eye(3),
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
    }[deficiency]
    rgb = np.asarray(rgb)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    linear = np.clip(np.asarray(seen) @ linear, 0, 1)
    xyz = (
        np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
        @ linear
        / [0.9505, 1, 1.089]
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", [None, "deuteranopia", "protanopia"])
def test_colours_of_clusters_differ_for_everybody(deficiency):
    for many, least in ((6, 18), (12, 12)):
        seen = [lab(to_rgb(c), deficiency) for c in (*plots.PALETTE[:many], plots.NOISE)]
        closest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
        assert closest > least, (many, deficiency)


def test_a_cluster_has_its_colour_whatever_else_is_drawn():
    alone, among = plots.colours([3]), plots.colours([0, -1, 3, 3 + len(plots.PALETTE)])
    assert (alone[0] == among[2]).all() and (among[2] == among[3]).all()
    assert tuple(among[1]) == to_rgb(plots.NOISE)
    with pytest.raises(ValueError, match="labels must be a list of integers"):
        plots.colours(["ice", "water"])


def test_a_phase_has_its_colour_whatever_its_number():
    for names in (["water", "ice"], {0: "fcc", 3: "ice", 5: "water"}, ["diamond", "cage", "ice"]):
        labels = [*range(len(names))] if isinstance(names, list) else [*names]
        drawn = plots.colours(labels, names)
        for rgb, label in zip(drawn, labels, strict=True):
            if names[label] in plots.PHASES:
                assert tuple(rgb) == to_rgb(plots.PHASES[names[label]])
        assert len({tuple(rgb) for rgb in drawn}) == len(labels), "two labels share a colour"
    twice = plots.colours([0, 1], {0: "ice", 1: "ice"})
    assert tuple(twice[0]) == to_rgb(plots.PHASES["ice"]) != tuple(twice[1])
    assert (plots.colours(range(12), ["a", "b"]) == plots.colours(range(12))).all()


def test_a_rare_cluster_is_drawn_large_and_last():
    Y, labels = np.random.default_rng(0).normal(size=(30000, 2)), np.zeros(30000, int)
    labels[[5, 700]] = 1
    (dots,) = plots.embedding(Y, labels).collections
    area, drawn = dots.get_sizes(), dots.get_offsets().data
    assert (area[:-2] == area[0]).all() and (area[-2:] > 3 * area[0]).all()
    assert {tuple(p) for p in drawn[-2:]} == {tuple(p) for p in Y[[5, 700]]}
    assert set(plots.embedding(Y, labels, size=2).collections[0].get_sizes()) == {2}


def test_specks_are_enlarged_in_corners_without_points():
    rng = np.random.default_rng(0)
    bulk_of_map = rng.normal(size=(2000, 2))
    specks = [rng.normal(size=(20, 2)) * 0.2 + place for place in ([-16, 8], [-16, 9], [16, 9])]
    Y, labels = np.vstack([bulk_of_map, *specks]), np.repeat([0, 1, 2, 3], [2000, 20, 20, 20])
    ax = plots.embedding(Y, labels, insets=True)
    ax.figure.canvas.draw()
    near, alone = ax.child_axes
    assert len(near.collections[0].get_offsets()) == 40  # two that are neighbours share one
    assert len(alone.collections[0].get_offsets()) == 20
    places = ax.transData.transform(Y)
    for inset in (near, alone):
        box = inset.get_window_extent()
        assert not (((places > box.min) & (places < box.max)).all(axis=1)).any()
    assert not plots.embedding(bulk_of_map, np.zeros(2000, int), insets=True).child_axes
    assert not plots.embedding(Y, labels).child_axes


def test_axes_of_pca_say_their_share_of_the_variance(some_map):
    Y, labels = some_map
    axes = plots.embeddings({"pca": Y, "umap": Y}, labels, variance=(0.614, 0.2))
    assert axes.flat[0].get_xlabel() == "PC 1 (61% of the variance)"
    assert axes.flat[0].get_ylabel() == "PC 2 (20%)" and axes.flat[1].get_xlabel() == ""
    axes = plots.embeddings({"PCA, 0 ps": Y, "PCA, 1 ps": Y}, variance={"PCA, 1 ps": (0.5, 0.25)})
    assert [ax.get_ylabel() for ax in axes.flat] == ["", "PC 2 (25%)"]


def test_a_long_legend_is_not_cut_by_savefig(some_map):
    Y, labels = some_map
    ax = plots.embedding(Y, labels, ["a long name of a phase", "another long name of a phase"])
    ax.figure.canvas.draw()
    inside = ax.figure.bbox.get_points()
    legend = ax.get_legend().get_window_extent().get_points()
    assert (legend[0] >= inside[0]).all() and (legend[1] <= inside[1]).all()


def test_map_shows_every_point_in_its_colour_and_counts(some_map):
    Y, labels = some_map
    given = plt.subplots()[1]
    ax = plots.embedding(Y, labels, names=["bulk", "edge"], ax=given, title="UMAP")
    assert ax is given and ax.get_title() == "UMAP" and ax.get_aspect() == 1
    (dots,) = ax.collections
    assert dots.get_rasterized()
    drawn = {
        tuple(p): tuple(c[:3])
        for p, c in zip(dots.get_offsets().data, dots.get_facecolors(), strict=True)
    }
    assert drawn == {tuple(p): tuple(c) for p, c in zip(Y, plots.colours(labels), strict=True)}
    assert texts(ax.get_legend()) == ["bulk (30)", "edge (20)", "noise (10)"]


def test_maps_side_by_side_share_one_legend(some_map):
    Y, labels = some_map
    axes = plots.embeddings({"PCA": Y, "UMAP": Y + 1, "PaCMAP": 2 * Y}, labels)
    assert [ax.get_title() for ax in axes.flat] == ["PCA", "UMAP", "PaCMAP"]
    assert all(ax.get_legend() is None for ax in axes.flat)
    (legend,) = axes.flat[0].figure.legends
    assert texts(legend) == ["cluster 0 (30)", "cluster 1 (20)", "noise (10)"]
    axes = plots.embeddings({"a": Y, "b": Y}, {"a": labels, "b": labels[::-1] + 1})
    (legend,) = axes.flat[0].figure.legends  # counts differ from map to map: none given
    assert texts(legend) == ["cluster 0", "cluster 1", "cluster 2", "noise"]


def test_words_are_labels_too(some_map):
    Y, labels = some_map
    words = np.array(["liquid", "ice", "fcc"])[labels]
    ax = plots.embedding(Y, words.tolist())
    counts = {word: np.sum(words == word) for word in ("fcc", "ice", "liquid")}
    assert texts(ax.get_legend()) == [f"{word} ({n})" for word, n in counts.items()]
    axes = plots.embeddings({"a": Y, "b": 2 * Y}, words)
    assert texts(axes.flat[0].figure.legends[0]) == texts(ax.get_legend())
    for given in ({"a": words}, {"a": labels + 0.0}):
        with pytest.raises(ValueError, match="labels must be a list of integers"):
            plots.embeddings({"a": Y}, given)
    with pytest.raises(ValueError, match="labels must be a list of integers.* give names separ"):
        plots.embedding(Y, words, ["fcc", "ice", "liquid"])


def test_snapshots_are_named_by_iteration(some_map):
    Y, labels = some_map
    axes = plots.snapshots(np.stack([Y] * 6), [0, 10, 60, 100, 200, 450], labels)
    assert [ax.get_title() for ax in axes.flat[:6]] == [
        f"iteration {i}" for i in (0, 10, 60, 100, 200, 450)
    ]
    assert not any(ax.axison for ax in axes.flat[6:])


def test_error_curve_in_percent_with_the_spread_and_the_choice():
    ax = plots.error_curve(
        [0, 0.5, 1],
        {"UMAP": [[0.2, 0.1, 0.0], [0.4, 0.1, 0.0]], "PCA": [0.5, 0.5, 0.4]},
        chosen={"UMAP": 0.5},
    )
    umap, choice, pca = ax.lines
    assert umap.get_ydata().tolist() == pytest.approx([30, 10, 0])
    assert pca.get_ydata().tolist() == pytest.approx([50, 50, 40])
    assert choice.get_xdata() == [0.5, 0.5] and choice.get_color() == umap.get_color()
    band = ax.collections[0].get_paths()[0].vertices
    assert band[band[:, 0] == 0][:, 1].min() == pytest.approx(20)
    assert band[band[:, 0] == 0][:, 1].max() == pytest.approx(40)


def test_error_curves_that_share_an_axis_are_both_whole():
    axes = plt.subplots(1, 2, sharey=True)[1]
    for ax, largest in zip(axes, (0.06, 0.09), strict=True):
        plots.error_curve([0, 1], {"PCA": [largest, 0.01]}, ax=ax)
    assert axes[0].get_ylim()[0] == 0 and axes[0].get_ylim()[1] > 9


def test_a_name_is_text_also_where_it_looks_like_tex(some_map):
    Y, labels = some_map
    ax = plots.embedding(Y, labels, names=[r"$\frac{$ ice", "5 $"])
    ax.figure.canvas.draw()  # matplotlib parses TeX only here: it raised
    assert texts(ax.get_legend())[0] == r"\$\frac{\$ ice (30)"


def test_the_style_sheet_is_one_and_leaves_the_users_settings_alone(some_map):
    with plt.rc_context({"axes.edgecolor": "red", "legend.frameon": True}):
        ax = plots.embedding(*some_map)
        assert plt.rcParams["axes.edgecolor"] == "red" and plt.rcParams["legend.frameon"]
    with plt.style.context("defectkit.plots.defectkit"):
        assert ax.spines["left"].get_edgecolor()[:3] == to_rgb(plt.rcParams["axes.edgecolor"])
    assert not ax.get_legend().get_frame_on()


def test_a_backend_chosen_while_drawing_stays(some_map, monkeypatch):
    with plt.rc_context({"interactive": False}):  # as the first figure of a notebook does
        subplots = plt.subplots

        def first(*args, **kwargs):
            plt.rcParams["interactive"] = True
            return subplots(*args, **kwargs)

        monkeypatch.setattr(plt, "subplots", first)
        plots.embedding(*some_map)
        assert plt.rcParams["interactive"]


# atoms3d


def picture(*args, **kwargs):
    """The drawn image and a function from Å to its pixels."""
    ax = plots.atoms3d(*args, legend=False, **kwargs)
    (image,) = ax.images
    x0, x1, y0, y1 = image.get_extent()
    rgba = image.get_array()

    def at(x, y):
        return rgba[
            int((y - y0) / (y1 - y0) * rgba.shape[0]), int((x - x0) / (x1 - x0) * rgba.shape[1])
        ]

    return rgba, at, (x1 - x0) * (y1 - y0)


def hue(rgb):
    return np.argmax(np.asarray(rgb[:3]) - np.mean(rgb[:3]))


def test_sphere_covers_its_circle_and_nothing_else():
    rgba, at, area = picture(Atoms("Si", [[1, 2, 3]]), rotation="", radius=1.2)
    assert rgba[..., 3].mean() * area == pytest.approx(np.pi * 1.2**2, rel=0.01)
    assert at(1, 2)[3] == 1 and at(1, 3.1)[3] == 1 and at(1, 3.3)[3] == 0
    assert rgba.min() >= 0 and rgba.max() <= 1


def test_the_atom_in_front_hides_the_one_behind_in_any_order():
    for order in ([0, 1], [1, 0]):
        atoms = Atoms("Si2", np.array([[0, 0, 0], [0.3, 0, 3.0]])[order])
        _, at, _ = picture(atoms, np.array([0, 1])[order], rotation="")
        assert hue(at(0, 0)[:3]) == hue(to_rgb(plots.PALETTE[1]))
        _, at, _ = picture(atoms, np.array([0, 1])[order], rotation="180y")  # seen from behind
        assert hue(at(0, 0)[:3]) == hue(to_rgb(plots.PALETTE[0]))


def test_touching_spheres_meet_in_the_middle():
    atoms = Atoms("Si2", [[0, 0, 0], [1.0, 0, 0]])
    _, at, _ = picture(atoms, [0, 1], rotation="")
    assert [hue(at(x, 0)[:3]) for x in (0.4, 0.6)] == [
        hue(to_rgb(plots.PALETTE[k])) for k in (0, 1)
    ]


def test_faint_clusters_are_small():
    atoms = Atoms("Si2", [[0, 0, 0], [5, 0, 0]])
    full, _, area = picture(atoms, [0, 1], rotation="")
    faint, _, area_faint = picture(atoms, [0, 1], rotation="", faint=[0])
    circles = np.pi * 0.75**2 * np.array([1, 0.45**2])
    assert full[..., 3].mean() * area == pytest.approx(2 * circles[0], rel=0.01)
    assert faint[..., 3].mean() * area_faint == pytest.approx(circles.sum(), rel=0.01)


@pytest.mark.parametrize("rotation", ["", "40y", "30x,60y,10z"])
def test_bond_and_cell_lie_where_they_should(rotation):
    from ase.utils import rotate

    turn = rotate(rotation)
    atoms = Atoms("Si2", [[1, 1, 1], [3, 1, 1]], cell=[5, 5, 5])
    _, at, _ = picture(atoms, [0, 1], bonds=2.5, rotation=rotation)
    for place, drawn in (([2, 1, 1], True), ([2.5, 0, 5], True), ([5, 2.5, 5], True)):
        assert (at(*(np.array(place) @ turn)[:2])[3] > 0.9) == drawn
    _, at, _ = picture(atoms, [0, 1], bonds=1.5, rotation="")
    assert at(2, 1)[3] == 0


def test_bonds_do_not_cross_the_boundary():
    atoms = Atoms("Si2", [[0.5, 2, 2], [5.5, 2, 2]], cell=[6, 6, 6], pbc=True)
    _, at, _ = picture(atoms, bonds=2.0, rotation="")
    assert at(0.5, 2)[3] == 1 and all(at(x, 2)[3] == 0 for x in (1.5, 3, 4.5))


def test_sites_are_marked_where_they_are():
    ax = plots.atoms3d(Atoms("Si", [[1, 2, 3]]), rotation="90x", sites=[[4, 5, 6]])
    (circle,) = ax.patches
    x0, x1, y0, y1 = ax.images[0].get_extent()
    assert circle.center == pytest.approx((4, -6)) or circle.center == pytest.approx((4, 6))
    assert not circle.get_fill() and (x0 < 1 < x1)


def test_a_cut_out_is_whole_across_the_boundary():
    crystal = bulk("Si", cubic=True, a=5.43) * (3, 3, 3)
    part, index = plots.cut_out(crystal, crystal.positions[0], 2.5)
    assert len(part) == 5 and 0 in index  # an atom at the corner and its four neighbours
    assert sorted(np.linalg.norm(part.positions, axis=1).round(2)) == [0, 2.35, 2.35, 2.35, 2.35]
    with pytest.raises(ValueError, match="radius=0 Å cuts out nothing"):
        plots.cut_out(crystal, [0, 0, 0], 0)


def test_legend_of_atoms_and_the_given_axes():
    atoms = bulk("Si", cubic=True)
    given = plt.subplots()[1]
    ax = plots.atoms3d(atoms, [0] * 6 + [1, -1], ["bulk", "defect"], ax=given, resolution=100)
    assert ax is given and not ax.axison
    assert texts(ax.get_legend()) == ["bulk (6)", "defect (1)", "noise (1)"]


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: plots.embedding(np.zeros((4, 3))), "a map must have shape (n, 2) with n > 0"),
        (
            lambda: plots.embedding(np.ma.masked_less(np.eye(2), 0.5)),
            "the map has a mask that hides 2 values",
        ),
        (lambda: plots.embedding(np.zeros((4, 2)), [0, 1]), "labels (2,) do not match a map of 4"),
        (lambda: plots.embedding(np.zeros((2, 2)), [0, 1], ["a"]), "1 names are too few for"),
        (lambda: plots.embeddings({}), "there are no maps to draw"),
        (
            lambda: plots.embeddings(
                {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}, axes=plt.subplots()[1]
            ),
            "1 axes are too few for 2 maps",
        ),
        (lambda: plots.snapshots(np.zeros((2, 5, 2)), [0]), "2 maps do not match 1 iterations"),
        (lambda: plots.error_curve([1, 2], {"PCA": [0.1]}), "PCA has 1 errors for 2 values of x"),
        (lambda: plots.atoms3d(Atoms()), "there are no atoms to draw"),
        (lambda: plots.atoms3d(Atoms("Si"), [0, 1]), "labels (2,) do not match 1 atoms"),
    ],
)
def test_bad_input_is_refused(call, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        call()
