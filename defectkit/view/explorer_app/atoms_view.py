"""The explorer's atoms in 3D: one structure for all frames, so that the camera stays."""

from __future__ import annotations

import base64
import json
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from ...plots import cell_edges, cluster_name, count, pale
from .. import scenes
from . import environments as env
from .map_view import LINE, colours

if TYPE_CHECKING:
    from .state import State

SPHERES = 20_000
UNLABELLED = (0.88, 0.88, 0.88)
_SIZES = (1.0, 0.4, 1.35)  # of atoms: usual, of the bulk, chosen
_RADIUS = 0.75  # Å


def clicked(box: Any, picked: Any) -> None:
    """An atom clicked in the 3D view, by nglview's message."""
    index = picked.get("atom1", {}).get("index")
    if index is None or index >= len(box.shown_rows) or box.shown_rows[index] < 0:
        return
    row = int(box.shown_rows[index])
    old = box.selection.index
    new = np.setxor1d(old, [row]) if box.add.value else [] if old.tolist() == [row] else [row]
    box.choose_rows(np.asarray(new, int))


def shown_atoms(state: State) -> tuple[np.ndarray, np.ndarray, str]:
    """Indices of the atoms of the frame to draw, environment of each (-1: none), and a sentence.

    The sentence says what is left out.
    """
    f, kind = state.choice["frame"], state.choice["atoms"]
    atoms = state.data.frames[f]
    here = np.flatnonzero(state.data.frame == f)
    rows = np.full(len(atoms), -1)
    rows[state.data.atom[here]] = here
    notes = []
    index = np.flatnonzero(rows >= 0) if kind == "labelled" else np.arange(len(atoms))
    if len(index) < len(atoms):
        notes.append(
            f"{count(len(index))} of {count(len(atoms))} atoms are drawn: those with labels."
        )
    if kind == "near the chosen":
        centres, what = _centres(state, here)
        index = env.near(atoms, centres, state.limits["region"])
        if len(index) < len(atoms):
            notes = [
                f"{count(len(index))} of {count(len(atoms))} atoms are drawn, the nearest to "
                f"{what}."
            ]
    seen = (rows[index] < 0) | state.visible()[rows[index]]
    if not seen.all():
        notes.append(f"{count(np.count_nonzero(~seen))} are hidden.")
        index = index[seen]
    labels = np.where(rows[index] >= 0, state.labels[rows[index]], -1)
    kept, rest = scenes.reduced(atoms[index], labels, state.names, None, state.limits["atoms"])
    return index[kept], rows[index[kept]], " ".join(filter(None, [*notes, rest]))


def _centres(state, here):
    """Atoms around which a region is shown, and what they are called."""
    chosen = state.selection.atom[state.selection.frame == state.choice["frame"]]
    if len(chosen):
        return chosen, "the chosen"
    present, sizes = np.unique(state.labels[here], return_counts=True)
    rarest = present[sizes.argmin()]
    return (
        state.data.atom[here][state.labels[here] == rarest],
        f"{cluster_name(rarest, state.names)}, as none is chosen in this frame",
    )


def draw_atoms(box: Any, moved: bool = True) -> None:
    """The frame's atoms in their colours; `moved`: other atoms or places too."""
    if moved or box.scene is None:
        state = box.state
        box.shown, box.shown_rows, note = shown_atoms(state)
        box.atoms_note.value = LINE.format(note.replace("<", "&lt;"))
        every = state.data.frames[state.choice["frame"]]
        atoms = every[box.shown]
        atoms.wrap()
        needed = _capacity(state)
        if (
            box.scene is None
            or box.scene.room < len(atoms)
            or (needed > SPHERES) != (box.scene.room > SPHERES)
        ):
            _new_scene(box, atoms if len(atoms) else every[:1], max(needed, len(atoms)))
        box.positions = _padded(atoms.positions, box.scene.room).astype("f4")
    _paint(box, moved)


def _capacity(state):
    """Most atoms that any frame shows with the present kind of atoms."""
    sizes = (
        np.bincount(state.data.frame)
        if state.choice["atoms"] == "labelled"
        else np.array([len(atoms) for atoms in state.data.frames])
    )
    most = state.limits["atoms"]
    if state.choice["atoms"] == "near the chosen":
        most = min(most, state.limits["region"])
    return int(min(sizes.max(), most))


def _padded(values, room):
    """Values of the atoms, and those of the first once more for places that are not needed."""
    first = values[:1] if len(values) else np.zeros((1, *values.shape[1:]), values.dtype)
    return np.concatenate([values, np.repeat(first, room - len(values), axis=0)])


def _new_scene(box, atoms, room):
    """A view with room for that many atoms: one structure serves all frames."""
    old, padded = (
        box.scene,
        Atoms(
            _padded(atoms.numbers, room),
            cell=atoms.cell,
            pbc=atoms.pbc,
            positions=_padded(atoms.positions, room),
        ),
    )
    box.scene = scenes.scene(
        padded,
        np.zeros(room, int),
        max_atoms=room,
        cell=False,
        style="spacefill" if room <= SPHERES else "point",
        radius=_RADIUS,
        height=f"{box.height}px",
    )
    box.scene.room, box.scene.scheme = room, ""
    view = box.scene.view
    if old is not None and len(old.view._camera_orientation) == 16:
        view._set_camera_orientation(old.view._camera_orientation)
    # A click chooses; NGL would also move its focus there, and the atoms behind into a fog.
    view._js("""this.stage.mouseControls.remove("clickPick-left");""")
    box.atoms_place.children = [view]
    view.observe(
        lambda change: change["new"] and box.attempt(clicked, box, change["new"]), "picked"
    )
    view.on_msg(partial(_seen_again, box, box.scene))
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
    # fire_once: nglview would send all earlier messages again with each one that it archives.
    scene.view._js(
        scenes.colour_function(_padded(atom_colours(box), scene.room))
        + f"""
        const part = this.stage.compList[0];
        if (part && part.reprList.length) {{  // else on their way: the view asks once more
        {_place_code(box) if moved else ""}
        {_size_code(box)}
        {_tell_code(box)}
        const id = NGL.ColormakerRegistry.addScheme(function () {{
            this.atomColor = atom => colourOf(atom.index);
        }});
        NGL.ColormakerRegistry.add("{name}", NGL.ColormakerRegistry.userSchemes[id]);
        NGL.ColormakerRegistry.removeScheme(id);
        part.reprList[0].setParameters({{colorScheme: "{name}"}});
        if ("{scene.scheme}") delete NGL.ColormakerRegistry.schemes["{scene.scheme}"];
        }}""",
        fire_once=True,
        explorer=True,
    )
    scene.scheme = name


def _place_code(box):
    """Moves the atoms, and draws the edges of the frame's cell in place of the last ones."""
    code = base64.b64encode(np.ascontiguousarray(box.positions).tobytes()).decode()
    cell = box.state.data.frames[box.state.choice["frame"]].cell.array
    return f"""
        part.structure.updatePosition(new Float32Array(this.decode_base64("{code}")));
        part.updateRepresentations({{position: true}});
        if (this.explorerCell) this.stage.removeComponent(this.explorerCell);
        const edges = new NGL.Shape("cell");
        for (const [a, b] of {json.dumps(cell_edges(cell).round(3).tolist())})
            edges.addCylinder(a, b, [0.35, 0.35, 0.35], 0.06);
        this.explorerCell = this.stage.addComponentFromObject(edges);
        this.explorerCell.addRepresentation("buffer");"""


def _size_code(box):
    """The bulk small, the chosen large, what is not needed too small to be seen."""
    if box.scene.room > SPHERES:  # points have one size
        return ""
    rows, state = box.shown_rows, box.state
    kind = np.where(
        np.isin(rows, state.selection.index),
        2,
        (rows >= 0) & np.isin(state.labels[rows], state.bulk()),
    ).astype(int)
    text = "".join(map(str, kind.tolist())).ljust(box.scene.room, "3")
    sizes = [*(_RADIUS * np.array(_SIZES)).round(4).tolist(), 0.001]
    return f"""part.reprList[0].setParameters({{radiusType: "data",
            radiusData: Array.from("{text}", c => {sizes}[c])}});"""


def _tell_code(box):
    """What the mouse tells of an atom: frame, atom, element, cluster, neighbours."""
    state, rows, shown = box.state, box.shown_rows, box.shown
    atoms = state.data.frames[state.choice["frame"]]
    names = [cluster_name(c, state.names) for c in np.unique(state.labels).tolist()]
    cluster = np.where(
        rows >= 0, np.unique(state.labels, return_inverse=True)[1][rows], len(names)
    )
    near = state.values.get("coordination")
    shell = np.full(len(rows), -1) if near is None else np.where(rows >= 0, near[rows], -1)
    told = [
        shown.tolist(),
        atoms.numbers[shown].tolist(),
        cluster.tolist(),
        shell.astype(int).tolist(),
    ]
    symbols = dict(zip(atoms.numbers.tolist(), atoms.get_chemical_symbols(), strict=True))
    return f"""
        const told = {json.dumps(told)}, symbols = {json.dumps(symbols)};
        const clusters = {json.dumps([*names, "no label"])};
        this.tells = i => i < told[0].length && `frame {state.choice["frame"]}, atom `
            + `${{told[0][i]}} (${{symbols[told[1][i]]}}), ${{clusters[told[2][i]]}}`
            + (told[3][i] < 0 ? "" : `, ${{told[3][i]}} neighbours`);"""


def look_at(box: Any, atom: int) -> None:
    """Moves the middle of the 3D view to an atom of the frame, if it is drawn."""
    place = np.flatnonzero(box.shown == atom)
    if len(place):
        x, y, z = box.positions[place[0]].tolist()
        box.scene.view._js(
            f"this.stage.animationControls.move(new NGL.Vector3({x}, {y}, {z}), 300);",
            fire_once=True,
        )
        box.looks_at = atom


def look_back(box: Any) -> None:
    """The middle of all is in the middle again, if an atom was."""
    if box.looks_at is not None:
        box.scene.view._js(
            "this.stage.animationControls.move(this.stage.getCenter(), 300);", fire_once=True
        )
        box.looks_at = None


def atom_colours(box: Any) -> np.ndarray:
    """Colour (n, 3) of each atom that is shown; where some are chosen the others fade.

    Points have no size, so of them the bulk is pale.
    """
    codes, table = colours(box.state)
    rows, state = box.shown_rows, box.state
    rgb = np.where((rows >= 0)[:, None], table[codes[rows]], UNLABELLED)
    if len(state.selection):
        return np.where(np.isin(rows, state.selection.index)[:, None], rgb, 0.3 * rgb + 0.7)
    if box.scene is not None and box.scene.room > SPHERES:
        bulk = (rows >= 0) & np.isin(state.labels[rows], state.bulk())
        return np.where(bulk[:, None], pale(rgb), rgb)
    return rgb
