"""What the explorer shows, map, atoms and the lines below them, and what its widgets call."""

import base64
import html
import uuid
from contextlib import contextmanager
from functools import partial
from threading import get_ident

import numpy as np
from ase import Atoms
from matplotlib.colors import to_hex

from ...plots import cluster_name, count
from .. import scenes
from . import state as env

SPHERES = 20_000
UNLABELLED = (0.88, 0.88, 0.88)
_LINE = "<div style='line-height: 1.4; max-width: 100%'>{}</div>"


def connect(box):
    """Menus, lasso, clicks and buttons call the explorer's functions."""
    for name, control in box.controls.items():
        control.observe(lambda change, name=name: follows(box) or _try(
            box, box.choose, **{name: change["new"]}), "value")
    edit = box.edit

    def some():
        if not edit["clusters"].value:
            raise ValueError("no cluster is marked in the list; mark one, or several to merge.")
        return edit["clusters"].value

    actions = {"rename": lambda: box.rename(some()[0], edit["name"].value),
               "merge": lambda: box.merge(some()),
               "choose": lambda: box.select(index=np.flatnonzero(np.isin(box.labels, some()))),
               "part_off": lambda: box.part_off(edit["name"].value),
               "cluster_map": box.cluster_map, "none": box.select, "undo": box.undo,
               "redo": box.redo,
               "export": lambda: box.export(edit["path"].value)}
    for name, action in actions.items():
        edit[name].on_click(lambda _, action=action: _try(box, action))
    box.cancel_button.on_click(lambda _: box.cancel())


@contextmanager
def following(box):
    """Widgets that are set within call nothing.

    What a user does meanwhile, in JupyterLab in a thread of its own, waits for the lock and
    counts.
    """
    with box.lock:
        before, box.following = box.following, get_ident()
        try:
            yield
        finally:
            box.following = before


def follows(box):
    """Whether this thread is setting widgets, so that their callbacks do nothing."""
    return box.following == get_ident()


def _try(box, function, *args, **kwargs):
    """Calls what a user asked for; an error is shown, and raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        say(box, f"{type(error).__name__}: {error}", bad=True)
        raise


def lassoed(box):
    """The points that the browser reports as selected, and those they stand for."""
    with box.lock:
        picked = np.asarray(box.map_widget.selection, int)
        box.choose_rows(np.flatnonzero(np.isin(box.nearest, picked)), mark=False)


def clicked(box, picked):
    """An atom clicked in the 3D view, by nglview's message."""
    index = picked.get("atom1", {}).get("index")
    if index is None or index >= len(box.shown_rows) or box.shown_rows[index] < 0:
        return
    row = int(box.shown_rows[index])
    old = box.selection.index
    new = np.setxor1d(old, [row]) if box.add.value else [] if old.tolist() == [row] else [row]
    box.choose_rows(np.asarray(new, int))


def map_of(box):
    """The map that is shown."""
    return box.maps[box.choice["method"], box.choice["window"]]


def values_of(box):
    """What the colours mean: values, whether "label" or "number", and names of labels."""
    name = box.choice["colour"]
    if name == "cluster":
        return box.labels, "label", box.names
    if name in box.data.columns:
        X = box.X[box.choice["window"]]
        return X[:, box.data.columns.index(name)], "number", {}
    values = box.data.truth[name]
    if values.dtype.kind in "iu":
        return values, "label", {}
    if values.dtype.kind == "f":
        return values, "number", {}
    words, codes = np.unique(values, return_inverse=True)
    return codes, "label", dict(enumerate(words.astype(str).tolist()))


def draw_map(box):
    """Points in the map's own proportions, in the present colours."""
    import pandas as pd

    Y, key = map_of(box), (box.choice["method"], box.choice["window"])
    if key not in box.thinned:
        box.thinned[key] = env.thin(Y, box.labels, box.limits["points"], box.seed)
    box.drawn, box.nearest = box.thinned[key]
    codes, rgb = map_colours(box)
    data = pd.DataFrame({"x": Y[box.drawn, 0], "y": Y[box.drawn, 1], "c": codes})
    low, high = data[["x", "y"]].min().to_numpy(), data[["x", "y"]].max().to_numpy()
    half = 0.53 * max(*(high - low), 1e-9)
    x, y = ((m - half, m + half) for m in (low + high) / 2)
    size = 6 if len(data) < 3000 else 4 if len(data) < 15e3 else 2
    with following(box):  # new points deselect the old ones
        if not _ready(box):
            _new_map(box, data=data, x="x", y="y", x_scale=x, y_scale=y, color_by="c",
                     color_map=rgb, size=size)
        else:
            box.scatter.x(scale=x, skip_widget_update=True)
            box.scatter.y(scale=y, skip_widget_update=True)
            box.scatter.data(data, animate=False)
            box.scatter.color(by="c", map=rgb)
            box.scatter.size(default=size)
            box.scatter.selection(marked(box))
    note, placed = "", np.count_nonzero(box.nearest >= 0)
    if len(box.drawn) < placed:
        note = (f"{count(len(box.drawn))} of {count(placed)} points are drawn: small clusters "
                "whole, of the others a random part; a point left out follows the nearest one.")
    if placed < len(Y):
        note += f" {count(len(Y) - placed)} environments have no place in this map."
    box.map_note.value = _LINE.format(note)


def _ready(box):
    """Whether the browser has drawn the map; until then it would miss changes of it."""
    return box.scatter is not None and bool(box.map_widget.dom_element_id)


def _new_map(box, **settings):
    import jscatter

    old = None if box.scatter is None else box.map_widget
    box.scatter = jscatter.Scatter(opacity=0.9, legend=False, axes=False, height=box.height,
                                   **settings)
    box.scatter.selection(marked(box))
    box.map_widget = box.scatter.show()
    box.map_widget.observe(lambda change: follows(box) or _try(box, lassoed, box), "selection")
    box.map_place.children = [box.map_widget]
    if old is not None:
        old.close()


def marked(box):
    """Points that stand for the chosen environments."""
    points = box.nearest[box.selection.index]
    return np.unique(points[points >= 0])


def mark_map(box):
    """The chosen points stand out in the map."""
    if not _ready(box):
        return draw_map(box)
    with following(box):
        box.scatter.selection(marked(box))


def colour_map(box):
    """The same points in other colours."""
    if not _ready(box):
        return draw_map(box)
    codes, rgb = map_colours(box)
    with following(box):
        box.scatter.color(by=codes, map=rgb)


def map_colours(box):
    """Colours of the points that are drawn: numbers as categories, and the colour of each."""
    import pandas as pd

    codes, table = colours(box)
    present, codes = np.unique(codes[box.drawn], return_inverse=True)
    return pd.Categorical(codes), [to_hex(table[c]) for c in present]


def colours(box):
    """Number of each environment's colour, and the colours, by the present choice."""
    values, kind, _ = values_of(box)
    return env.shades(values, kind)


def shown_atoms(box):
    """Indices of the atoms of the frame to draw, environment of each (-1: none), and a sentence.

    The sentence says what is left out.
    """
    f, kind = box.choice["frame"], box.choice["atoms"]
    atoms = box.data.frames[f]
    here = np.flatnonzero(box.data.frame == f)
    rows = np.full(len(atoms), -1)
    rows[box.data.atom[here]] = here
    notes = []
    index = np.flatnonzero(rows >= 0) if kind == "labelled" else np.arange(len(atoms))
    if len(index) < len(atoms):
        notes.append(f"{count(len(index))} of {count(len(atoms))} atoms are drawn: those with "
                     "labels.")
    if kind == "near the chosen":
        chosen = box.selection.atom[box.selection.frame == f]
        what = "the chosen"
        if len(chosen) == 0:
            present, sizes = np.unique(box.labels[here], return_counts=True)
            rarest = present[sizes.argmin()]
            chosen = box.data.atom[here][box.labels[here] == rarest]
            what = f"{cluster_name(rarest, box.names)}, as none is chosen in this frame"
        index = env.near(atoms, chosen, box.limits["region"])
        if len(index) < len(atoms):
            notes = [f"{count(len(index))} of {count(len(atoms))} atoms are drawn, the nearest to "
                     f"{what}."]
    labels = np.where(rows[index] >= 0, box.labels[rows[index]], -1)
    kept, rest = scenes.reduced(atoms[index], labels, box.names, None, box.limits["atoms"])
    return index[kept], rows[index[kept]], " ".join(filter(None, [*notes, rest]))


def draw_atoms(box, moved=True):
    """The frame's atoms in their colours; `moved`: other atoms or places too."""
    if moved or box.scene is None:
        box.shown, box.shown_rows, note = shown_atoms(box)
        box.atoms_note.value = _LINE.format(html.escape(note))
        atoms = box.data.frames[box.choice["frame"]][box.shown]
        atoms.wrap()
        needed = _capacity(box)
        if box.scene is None or box.scene.room < len(atoms) or (
                needed > SPHERES) != (box.scene.room > SPHERES) or not np.allclose(
                box.scene.cell, atoms.cell.array, atol=1e-3):
            _new_scene(box, atoms, max(needed, len(atoms)))
        box.positions = _padded(atoms.positions, box.scene.room).astype("f4")
    _paint(box, moved)


def _capacity(box):
    """Most atoms that any frame shows with the present kind of atoms."""
    sizes = (np.bincount(box.data.frame) if box.choice["atoms"] == "labelled"
             else np.array([len(atoms) for atoms in box.data.frames]))
    most = box.limits["atoms"]
    if box.choice["atoms"] == "near the chosen":
        most = min(most, box.limits["region"])
    return int(min(sizes.max(), most))


def _padded(values, room):
    """Values of the atoms, and those of the first once more for places that are not needed."""
    return np.concatenate([values, np.repeat(values[:1], room - len(values), axis=0)])


def _new_scene(box, atoms, room):
    """A view with room for that many atoms: one structure serves all frames."""
    old, padded = box.scene, Atoms(_padded(atoms.numbers, room), cell=atoms.cell, pbc=atoms.pbc,
                                   positions=_padded(atoms.positions, room))
    box.scene = scenes.scene(padded, np.zeros(room, int), max_atoms=room,
                           style="spacefill" if room <= SPHERES else "point",
                           height=f"{box.height}px")
    box.scene.room, box.scene.cell, box.scene.scheme = room, atoms.cell.array.copy(), ""
    # A click chooses; NGL would also move its focus there, and the atoms behind into a fog.
    box.scene.view._js('this.stage.mouseControls.remove("clickPick-left");')
    box.atoms_place.children = [box.scene.view]
    box.scene.view.observe(lambda change: change["new"] and _try(
        box, clicked, box, change["new"]), "picked")
    box.scene.view.on_msg(partial(_seen_again, box, box.scene))
    if old is not None:
        old.view.close()


def _seen_again(box, scene, _, message, buffers):
    """A further view of the same scene, or a page loaded anew, starts from the first frame."""
    if message.get("type") == "request_loaded" and scene is box.scene and scene.view.loaded:
        _paint(box, True)


def _paint(box, moved):
    """Sends colours, under a fresh name as NGL caches by name, and places if they changed."""
    scene, name = box.scene, f"explorer{uuid.uuid4().hex}"
    if not scene.view.loaded:  # what waits for the browser is out of date
        moved = True
        waiting = scene.view._callbacks_before_loaded
        waiting[:] = [call for call in waiting if "explorer" not in call._ngl_msg]
    place = ""
    if moved:
        code = base64.b64encode(np.ascontiguousarray(box.positions).tobytes()).decode()
        place = (f'part.structure.updatePosition(new Float32Array(this.decode_base64("{code}")));'
                 "part.updateRepresentations({position: true});")
    # fire_once: nglview would send all earlier messages again with each one that it archives.
    scene.view._js(scenes.colour_function(_padded(atom_colours(box), scene.room)) + f"""
        const part = this.stage.compList[0];
        {place}
        const id = NGL.ColormakerRegistry.addScheme(function () {{
            this.atomColor = atom => colourOf(atom.index);
        }});
        NGL.ColormakerRegistry.add("{name}", NGL.ColormakerRegistry.userSchemes[id]);
        NGL.ColormakerRegistry.removeScheme(id);
        part.reprList[0].setParameters({{colorScheme: "{name}"}});
        if ("{scene.scheme}") delete NGL.ColormakerRegistry.schemes["{scene.scheme}"];""",
                   fire_once=True, explorer=True)
    scene.scheme = name


def atom_colours(box):
    """Colour (n, 3) of each atom that is shown; where some are chosen the others fade."""
    codes, table = colours(box)
    rows = box.shown_rows
    rgb = np.where((rows >= 0)[:, None], table[codes[rows]], UNLABELLED)
    if len(box.selection):
        rgb = np.where(np.isin(rows, box.selection.index)[:, None], rgb, 0.3 * rgb + 0.7)
    return rgb


def draw_legend(box):
    """Clusters with their colours and numbers of environments, or the scale of a number."""
    values, kind, names = values_of(box)
    if kind == "number":
        low, high = env.limits(values)
        stops = ", ".join(to_hex(c) for c in env.shades(values, kind)[1][:-1:9])
        text = (f"{html.escape(box.choice['colour'])}: {low:.4g} <span style='display: "
                "inline-block; width: 160px; height: 10px; background: linear-gradient(to right, "
                f"{stops})'></span> {high:.4g}")
    else:
        present, counts = np.unique(values, return_counts=True)
        codes, table = env.shades(present, kind)
        parts = [f"<span style='color: {to_hex(table[code])}'>\u25cf</span> "
                 f"{html.escape(cluster_name(value, names))} ({count(n)})"
                 for value, n, code in zip(present, counts, codes, strict=True)]
        noise = int(np.sum(present < 0))
        text = "&emsp;".join(parts[noise:] + parts[:noise])
    box.legend.value = _LINE.format(text)
    present, counts = np.unique(box.labels, return_counts=True)
    box.edit["clusters"].options = [(f"{cluster_name(c, box.names)} ({count(n)})", int(c))
                                    for c, n in zip(present, counts, strict=True)]


def say(box, text=None, bad=False):
    """The line at the bottom: what is shown, or what went wrong; and the legend."""
    if text is None:
        choice = box.choice
        text = f"{choice['method']}, window {choice['window']}, frame {choice['frame']}"
        if len(box.selection):
            here = np.count_nonzero(box.selection.frame == choice["frame"])
            text += f"; chosen: {count(len(box.selection))}, of which {count(here)} in this frame"
        draw_legend(box)
    style = " style='color: #b00020'" if bad else ""
    box.status.value = _LINE.format(f"<span{style}>{html.escape(text)}</span>")
