"""Atoms to turn and zoom in a notebook.

Every scene has a static twin, :func:`defectkit.plots.atoms3d`, for runs without a browser.
nglview and ipywidgets come with ``pip install nglview==4.0 ipywidgets``.
"""

from __future__ import annotations

import html
import json
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.utils import rotate
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

from .. import plots
from ..plots.colours import Names, legend_handles
from .choosers import require

if TYPE_CHECKING:
    from ipywidgets import VBox

_STYLES = ("auto", "ball+stick", "spacefill", "point")
_BONDS = 500  # NGL seeks no bonds in larger residues, and ASE writes the frame as one residue
_SPHERES = 20_000
_BULK = 2 / 3  # of the atoms: a larger cluster hides the others
_NOT_METALS = set("H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Sb Te I Xe At Rn".split())
#: NGL's picture keeps its size when the page gets narrower or wider.
_FOLLOW = """
    const place = this.stage.viewer.container;
    new ResizeObserver(() => place.offsetWidth && this.stage.handleResize()).observe(place);"""
#: The mouse tells what `this.tells` says of an atom, in place of NGL's "[MOL]1:A.SI".
TELL = """
    if (this.$pickingInfo) this.$pickingInfo.hide();
    this.stage.mouseControls.remove("hoverPick");
    this.stage.mouseControls.add("hoverPick", (stage, picked) => {
        const tip = stage.tooltip;
        const text = picked && picked.atom && this.tells && this.tells(picked.atom.index);
        tip.style.display = text ? "block" : "none";
        if (!text) return;
        tip.innerText = text;
        tip.style.bottom = `${window.innerHeight - picked.mouse.position.y + 3}px`;
        tip.style.left = `${picked.mouse.position.x + 3}px`;
    });"""
_CODE = 0x100  # first character of the string that gives each atom's colour


def scene(
    atoms: Atoms,
    labels: ArrayLike | None = None,
    names: Names = None,
    style: str = "auto",
    cell: bool = True,
    sites: ArrayLike | None = None,
    max_atoms: int = 50_000,
    *,
    faint: Sequence[int] | None = None,
    radius: float = 0.75,
    rotation: str = "12z,-78x",
    height: str = "420px",
) -> VBox:
    """One frame in three dimensions, its atoms coloured by cluster, in a notebook.

    The colours are those of :func:`defectkit.plots.colours`. Beyond `max_atoms` only a part is
    drawn, and the line below the picture says which: the atoms nearest to `sites`; else whole
    clusters, the smallest first; else a slice through the middle.

    Parameters
    ----------
    atoms : ase.Atoms
    labels : array (n_atoms,) of int, optional
        Cluster of each atom, -1 is noise; without it atoms are coloured by element.
    names : sequence of str or dict {label: str}, optional
        Name of cluster 0, 1, ...; otherwise its number.
    style : {"auto", "ball+stick", "spacefill", "point"}
        By default bonds up to 500 atoms where none is a metal, spheres up to 20 000, then
        points.
    cell : bool
        Draw the edges of the cell.
    sites : array (n_sites, 3), optional
        Positions (Å) marked by translucent spheres, such as vacancies.
    max_atoms : int
    faint : sequence of int, optional
        Clusters drawn small and pale; by default the bulk, a cluster of more than two thirds of
        the atoms, since it hides the others. ``()``: none.
    radius : float
        Of an atom (Å).
    rotation : str
        Turns about the x, y and z axes in degrees before looking along -z.
    height : str, as in CSS

    Returns
    -------
    ipywidgets.VBox
        `.view` is the nglview widget, `.shown` the indices of the atoms drawn, in nglview's
        order, `.caption` the line below: the clusters, and what is left out. A notebook that is
        saved, reopened or exported shows :func:`defectkit.plots.atoms3d` instead.

    Raises
    ------
    ImportError
        nglview is not installed.
    ValueError
        No atoms, NaN positions, an unknown style, or labels, names or sites that do not fit.
    """
    of_atoms, places = _check(atoms, labels, names, style, sites, max_atoms)
    nglview, widgets = require("nglview"), require("ipywidgets")
    from .boxes import PictureBox

    faint = bulk(of_atoms) if faint is None else faint
    shown, left_out = reduced(atoms, of_atoms, names, places, max_atoms)
    if style == "auto":
        bonded = len(shown) <= _BONDS and set(atoms.symbols[shown]) <= _NOT_METALS
        style = "ball+stick" if bonded else "spacefill" if len(shown) <= _SPHERES else "point"
    # Without its cell: ASE turns a periodic frame when it writes PDB, which nglview asks for.
    part = Atoms(atoms.numbers[shown], atoms.positions[shown])
    view = nglview.NGLWidget(nglview.ASEStructure(part), default_representation=False)
    view.camera = "orthographic"
    view.stage.set_parameters(fog_near=70)  # NGL's own 50 turns half of the atoms pale
    box = PictureBox(
        lambda: _picture(box, atoms, places, radius, rotation),
        f"3D view of {plots.count(len(atoms))} atoms",
        children=[view, widgets.HTML()],
    )
    box.view, box.caption = box.children
    box.shown, box.left_out, box.faint, box.n_atoms = shown, left_out, tuple(faint), len(atoms)
    box.symbols = part.get_chemical_symbols()
    view._js(TELL)
    _tell(box, of_atoms, names)
    colour = {} if of_atoms is None else {"color": _add_scheme(box, of_atoms, names)}
    pale = np.zeros(len(shown), bool) if of_atoms is None else np.isin(of_atoms[shown], faint)
    view.add_representation(style, **colour, **_sizes(style, radius, pale))
    _show_legend(box, of_atoms, names)
    edges = plots.cell_edges(atoms.cell.array).tolist() if cell else []
    _add_shape(view, [["cylinder", a, b, [0.35] * 3, 0.06] for a, b in edges])
    if places is not None:
        _add_shape(
            view,
            [["sphere", site, [0.1] * 3, 1.6 * radius] for site in places.tolist()],
            opacity=0.4,
        )
    view._set_size("100%", height)
    view._js(_FOLLOW)
    _look(view, np.vstack([part.positions, *edges]), rotation)
    return box


def recolour(box: VBox, labels: ArrayLike, names: Names = None) -> None:
    """The same scene coloured by other labels, seen from the same point.

    Parameters
    ----------
    box : ipywidgets.VBox, made by :func:`scene`
    labels : array (n_atoms,) of int
        One for each atom of the frame, shown or not.
    names : sequence of str or dict {label: str}, optional
    """
    labels = _check_labels(labels, names, box.n_atoms)
    box.view.update_representation(color_scheme=_add_scheme(box, labels, names))
    _tell(box, labels, names)
    _show_legend(box, labels, names)


def bulk(labels: ArrayLike | None) -> list[int]:
    """The cluster that most atoms belong to, where it hides the others: a list of one, or none.

    Examples
    --------
    >>> bulk([0, 0, 0, 1]), bulk([0, 0, 1, 1]), bulk([0, 0, 0])
    ([0], [], [])
    """
    values, counts = np.unique([] if labels is None else labels, return_counts=True)
    large = (values >= 0) & (counts > _BULK * counts.sum())
    return values[large].tolist() if len(values) > 1 else []


def _picture(box, atoms, places, radius, rotation):
    """PNG of what the scene shows, drawn without a browser."""
    from .boxes import png

    part, n = atoms[box.shown], 0 if places is None else len(places)
    part = Atoms(part.numbers, part.positions, cell=part.cell)
    labels = np.zeros(len(part), int) if box.labels is None else box.labels[box.shown]
    rgb = np.vstack([plots.colours(labels, box.names), np.full((n, 3), 0.1)])
    part += Atoms(f"X{n}" if n else "", positions=places)
    labels = np.append(labels, np.full(n, max(labels) + 1))  # no cluster, so not faint
    ax = plots.atoms3d(
        part,
        labels,
        box.names,
        faint=box.faint,
        radius=radius,
        rotation=rotation,
        resolution=500,
        legend=False,
        rgb=rgb,
    )
    if box.labels is not None:
        handles = legend_handles(box.labels, box.names)
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            ncols=2,
            fontsize="small",
            frameon=False,
        )
    return png(ax.figure, 110)


def _check(atoms, labels, names, style, sites, max_atoms):
    if len(atoms) == 0:
        raise ValueError("there are no atoms to show; check the selection.")
    if not np.isfinite(atoms.positions).all():
        raise ValueError(
            "some positions are NaN or infinite; show an earlier frame, from before "
            "the simulation failed."
        )
    if style not in _STYLES:
        raise ValueError(f"unknown style {style!r}; choose from {', '.join(_STYLES)}.")
    if max_atoms < 1:
        raise ValueError(f"max_atoms={max_atoms} leaves nothing to show; use 1 or more.")
    if sites is not None:
        sites = np.asarray(sites, float)
        if sites.size and (sites.ndim != 2 or sites.shape[1] != 3):
            raise ValueError(
                f"sites must have shape (n, 3), got {sites.shape}; give positions in Å."
            )
    return (
        None if labels is None else _check_labels(labels, names, len(atoms)),
        sites if sites is not None and len(sites) else None,
    )


def _check_labels(labels, names, n_atoms):
    labels = np.asarray(labels)
    plots.colours(labels)
    if len(labels) != n_atoms:
        raise ValueError(
            f"{len(labels)} labels do not match {n_atoms} atoms; give one for each, "
            "or show the labelled atoms only, such as atoms[atoms.symbols == 'O']."
        )
    plots.check_names(labels, names)
    return labels


def reduced(
    atoms: Atoms, labels: Any, names: Any, sites: Any, max_atoms: int
) -> tuple[np.ndarray, str]:
    """Indices of the atoms to draw, ascending, and a sentence about the others."""
    n = len(atoms)
    if n <= max_atoms:
        return np.arange(n), ""
    if sites is not None:
        distance = np.full(n, np.inf)
        for site in sites:
            vectors = find_mic(atoms.positions - site, atoms.cell, atoms.pbc)[0]
            distance = np.minimum(distance, np.linalg.norm(vectors, axis=1))
        shown = np.argsort(distance, kind="stable")[:max_atoms]
        rest = f"atoms more than {distance[shown[-1]]:.1f} Å from a site are left out"
    else:
        values, counts = np.unique([0] if labels is None else labels, return_counts=True)
        order = np.argsort(counts, kind="stable")
        kept = values[order][np.cumsum(counts[order]) <= max_atoms]
        if labels is not None and len(kept):
            shown = np.flatnonzero(np.isin(labels, kept))
            missing = ", ".join(plots.cluster_name(c, names) for c in values if c not in kept)
            rest = f"{missing} left out"
        else:
            depth = np.abs(atoms.positions[:, 1] - np.median(atoms.positions[:, 1]))
            shown = np.argsort(depth, kind="stable")[:max_atoms]
            rest = f"a slice {2 * depth[shown[-1]]:.1f} Å thick, normal to y, the rest left out"
    drawn = f"{plots.count(len(shown))} of {plots.count(n)} atoms are drawn: {rest}."
    return np.sort(shown), drawn


def _colour_of(labels, faint, names):
    rgb = plots.colours(labels, names)
    return np.where(np.isin(labels, faint)[:, None], plots.pale(rgb), rgb)


def colour_function(rgb: np.ndarray) -> str:
    """JavaScript function of an atom's index that returns its colour, for colours (n, 3)."""
    palette, code = np.unique(rgb, axis=0, return_inverse=True)
    numbers = [int(to_hex(colour)[1:], 16) for colour in palette]
    return (
        f"const colours = {numbers}, codes = {_codes(code)};\n"
        f"const colourOf = i => colours[codes.charCodeAt(i) - {_CODE}];\n"
    )


def _add_scheme(box, labels, names):
    """Register the labels' colours in the browser under a fresh name, as NGL caches by name."""
    name = f"clusters{uuid.uuid4().hex}"
    # By way of the view: nglview's own registry works only if its first import was displayed.
    box.view._js(
        colour_function(_colour_of(labels[box.shown], box.faint, names))
        + f"""
        const id = NGL.ColormakerRegistry.addScheme(function () {{
            this.atomColor = atom => colourOf(atom.index);
        }});
        NGL.ColormakerRegistry.add("{name}", NGL.ColormakerRegistry.userSchemes[id]);
        NGL.ColormakerRegistry.removeScheme(id);""",
        fire_embed=True,
    )
    return name


def _tell(box, labels, names):
    """What the mouse tells of an atom: its index in the frame, element, cluster."""
    of = np.zeros(box.n_atoms, int) if labels is None else labels
    elements, element = np.unique(box.symbols, return_inverse=True)
    clusters, cluster = np.unique(of[box.shown], return_inverse=True)
    called = [f", {plots.cluster_name(c, names)}" for c in clusters.tolist()]
    called = [""] if labels is None else called
    every = len(box.shown) == box.n_atoms
    box.view._js(f"""
        const element = {_codes(element)}, elements = {json.dumps(elements.tolist())};
        const cluster = {_codes(cluster)}, called = {json.dumps(called)};
        const atom = {"null" if every else json.dumps(box.shown.tolist())};
        const of = (codes, i) => codes.charCodeAt(i) - {_CODE};
        this.tells = i => i < element.length && `atom ${{atom ? atom[i] : i}} `
            + `(${{elements[of(element, i)]}})${{called[of(cluster, i)]}}`;""")


def _codes(numbers):
    """Numbers as a JavaScript string, one letter each."""
    text = "".join(chr(_CODE + c) for c in np.ravel(numbers))
    return json.dumps(text, ensure_ascii=False)


def _sizes(style, radius, pale):
    if style == "point":
        return {"point_size": 3 * radius, "use_texture": True, "alpha_test": 0.5}
    scale = 0.18 if style == "ball+stick" else 1.0  # of a bond; an atom is aspect_ratio thicker
    sizes = {"radius_type": "size", "radius_size": scale * radius}
    if pale.any():
        each = scale * radius * np.where(pale, 0.45, 1.0)
        sizes = {"radius_type": "data", "radius_data": dict(enumerate(each.round(4).tolist()))}
    return sizes | ({"aspect_ratio": 1 / scale} if style == "ball+stick" else {})


def _add_shape(view, shapes, **parameters):
    if shapes:
        view._add_shape(shapes)
        if parameters:
            view.update_representation(component=len(view._ngl_component_ids) - 1, **parameters)


def _look(view, points, rotation):
    """Turn the scene, and come as near as all points stay in sight."""
    turn = rotate(rotation)
    width, height = np.ptp(points @ turn, axis=0)[:2] + 3
    width, height = 1.1 * np.array([width, height]) / (2 * np.tan(np.radians(20)))  # field: 40°
    # NGL looks along +z, with x to the left.
    x, y, z, w = Rotation.from_matrix(np.diag([-1, 1, -1]) @ turn.T).as_quat()
    # NGL's zoom is that of the picture's size, which it learns late; hidden ones have none yet.
    view._js(f"""
        const stage = this.stage, place = stage.viewer.container;
        const look = () => {{
            if (!place.offsetWidth || !place.offsetHeight) return false;
            const aspect = place.offsetWidth / place.offsetHeight;
            stage.handleResize();
            stage.autoView(0);
            stage.viewerControls.distance(Math.max({height}, {width} / aspect));
            stage.viewerControls.rotate(new NGL.Quaternion({x}, {y}, {z}, {w}));
            return true;
        }};
        if (!look()) {{
            const waiting = new ResizeObserver(() => look() && waiting.disconnect());
            waiting.observe(place);
        }}""")


def _show_legend(box, labels, names):
    box.labels, box.names = labels, names
    values, counts = np.unique(np.empty(0, int) if labels is None else labels, return_counts=True)
    parts = [
        f'<span style="color: {to_hex(colour)}">\u25cf</span> '
        f"{html.escape(plots.cluster_name(value, names))} ({plots.count(number)})"
        for value, number, colour in zip(values, counts, plots.colours(values, names), strict=True)
    ]
    noise = sum(values < 0)
    lines = ["&emsp;".join(parts[noise:] + parts[:noise]), html.escape(box.left_out)]
    box.caption.value = "<br>".join(filter(None, lines))
