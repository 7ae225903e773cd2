"""The explorer's map: points, their colours, what is chosen and what a point tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_hex

from ...plots import cluster_name, count, pale
from . import environments as env

if TYPE_CHECKING:
    from .state import State

LINE = "<div style='line-height: 1.4; max-width: 100%'>{}</div>"
_TOLD = ["frame", "atom", "element", "cluster", "neighbours"]
_FEW = 300  # chosen points that are drawn large
_LOADER = """
let code;
const file = text => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
export default {
    async render(context) {
        const { model, el } = context;
        let gone = false;
        const answer = () => {
            if (gone) return;
            const maps = [...el.querySelectorAll("div")].flatMap(e => e.api ?? []);
            const drawn = maps.length && !maps.some(map => map.get("isDrawing"));
            if (!drawn) return void setTimeout(answer, 20);
            model.set("heard", model.get("asked"));
            model.save_changes();
        };
        model.on("change:asked", answer);
        code ||= import(file(model.get("bundle")));
        const remove = await (await code).default.render(context);
        return () => { gone = true; model.off("change:asked", answer); remove?.(); };
    },
};
"""


@contextmanager
def following(box: Any) -> Iterator[None]:
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


def follows(box: Any) -> bool:
    """Whether this thread is setting widgets, so that their callbacks do nothing."""
    return box.following == get_ident()


def lassoed(box: Any) -> None:
    """The points that the browser reports as selected, and those they stand for."""
    with box.lock:
        picked = np.asarray(box.map_widget.selection, int)
        box.choose_rows(np.flatnonzero(np.isin(box.nearest, picked)), mark=False)


def draw_map(box: Any) -> None:
    """Points in the map's own proportions, in the present colours.

    While the browser draws others, which takes no more meanwhile, they wait until it has.
    """
    if _drawing(box):
        box.map_waits = True
        return
    Y, state = box.state.map, box.state
    if state.key not in box.thinned:
        box.thinned[state.key] = env.thin(Y, state.labels, state.limits["points"], state.seed)
    box.drawn, box.nearest = box.thinned[state.key]
    codes, rgb = map_colours(box)
    data = _table(box).assign(x=Y[box.drawn, 0], y=Y[box.drawn, 1], c=codes)
    low, high = data[["x", "y"]].min().to_numpy(), data[["x", "y"]].max().to_numpy()
    half = 0.64 * max(*(high - low), 1e-9)  # seen whole also where the canvas is narrow
    x, y = ((m - half, m + half) for m in (low + high) / 2)
    size = 6 if len(data) < 3000 else 4 if len(data) < 15e3 else 2
    with following(box):  # new points deselect the old ones
        if not _ready(box):
            _new_map(
                box,
                data=data,
                x="x",
                y="y",
                x_scale=x,
                y_scale=y,
                color_by="c",
                color_map=rgb,
                size=size,
            )
        else:
            with _points_sent(box):
                box.scatter.x(scale=x, skip_widget_update=True)
                box.scatter.y(scale=y, skip_widget_update=True)
                box.scatter.color(by="c", skip_widget_update=True)  # new data drop other codes
                box.scatter.data(data, animate=False)
                box.scatter.color(by="c", map=rgb)
                box.scatter.size(default=size)
            filter_map(box, anew=True)
            mark_map(box)
    box.map_note.value = LINE.format(_note(box, Y))


def _note(box, Y):
    """What of the map is left out, in words."""
    notes, here = [], np.count_nonzero(box.nearest >= 0)
    if len(box.drawn) < here:
        notes.append(
            f"{count(len(box.drawn))} of {count(here)} points are drawn: small clusters "
            "whole, of the others a random part; a point left out follows the nearest "
            "one."
        )
    by_neighbours = np.count_nonzero(_by_neighbours(box))
    if by_neighbours:
        notes.append(
            f"{count(by_neighbours)} environments that the map left out are placed by "
            "their nearest neighbours, paler."
        )
    if here < len(Y):
        notes.append(f"{count(len(Y) - here)} environments have no place in this map.")
    return " ".join(notes)


def _by_neighbours(box):
    """Flags (n,) of the environments that only their neighbours have placed."""
    state = box.state
    return np.isnan(state.maps[state.key][:, 0]) & np.isfinite(state.map[:, 0])


def _ready(box):
    """Whether the browser has drawn the map and hears of changes; else it would miss them."""
    return box.scatter is not None and 0 < box.reported <= box.map_widget.heard


def _drawing(box):
    """Whether the browser has not yet said that the points it was sent are drawn."""
    return box.scatter is not None and box.sent > box.map_widget.heard


@contextmanager
def _points_sent(box):
    """Points reach the browser once, with all that is set; then it is asked whether they stand."""
    with box.map_widget.hold_sync():
        yield
    box.map_widget.asked += 1
    box.sent = box.map_widget.asked


def _new_map(box, **settings):
    import jscatter

    _load_when_shown()
    if box.scatter is not None:
        box.old_maps.append(box.map_widget)
    box.scatter = jscatter.Scatter(
        opacity=0.9,
        opacity_unselected=0.15,  # of those; many lie above one another
        legend=False,
        axes=False,
        height=box.height,
        tooltip=True,
        tooltip_properties=_TOLD,
        tooltip_histograms=False,
        options={"pointSizeSelected": _extra(box), "pointOutlineWidth": 2},
        **settings,
    )
    filter_map(box, anew=True)
    box.scatter.selection(marked(box))
    box.map_widget = box.scatter.show()
    box.reported = box.sent = 0
    box.map_widget.observe(lambda change: follows(box) or box.attempt(lassoed, box), "selection")
    box.map_widget.observe(lambda change: _ask(box, change["owner"]), "dom_element_id")
    box.map_widget.observe(lambda change: _answered(box), "heard")
    box.map_place.children = [box.map_widget]


def _ask(box, map_widget):
    """A map that is drawn is asked whether it hears Python: see `_LOADER`."""
    map_widget.asked += 1
    if map_widget is box.map_widget:
        box.reported, box.sent = map_widget.asked, 0


def _answered(box):
    """The map stands in the browser.

    The maps it replaced are closed, not before: anywidget calls a model closed early an error.
    Points that have waited are drawn.
    """
    with box.lock:
        while box.old_maps:
            box.old_maps.pop().close()
        if box.map_waits and not _drawing(box):
            box.map_waits = False
            draw_map(box)


def _load_when_shown():
    """Have the browser load jscatter's two megabytes with the picture, not with the model.

    anywidget waits two seconds for a model's code; whatever Python sends to a model that took
    longer is dropped, so that on a slow machine the map would stay as it is. So that code is a
    few lines, which load the others.
    """
    from jscatter import jscatter
    from jscatter.widget import JupyterScatter
    from traitlets import Int, Unicode

    if jscatter.JupyterScatter is JupyterScatter:
        traits = {
            "_esm": _LOADER,
            "bundle": Unicode(str(JupyterScatter._esm)).tag(sync=True),
            "asked": Int(0).tag(sync=True),
            "heard": Int(0).tag(sync=True),
        }
        jscatter.JupyterScatter = type("JupyterScatter", (JupyterScatter,), traits)


def _table(box):
    """What a point tells when the mouse is over it, a row for each point drawn."""
    import pandas as pd

    state, rows = box.state, box.drawn
    names = {c: cluster_name(c, state.names) for c in np.unique(state.labels).tolist()}
    told = [
        state.data.frame[rows],
        state.data.atom[rows],
        state.quantity("element")[rows],
        [names[c] for c in state.labels[rows].tolist()],
    ]
    table = dict(zip(_TOLD, told, strict=False))
    near = state.values.get("coordination")
    table["neighbours"] = "?" if near is None else near[rows].astype(int)
    return pd.DataFrame(table)


def _extra(box):
    """Pixels by which a chosen point is larger: one alone must be seen among thousands."""
    return 8 if len(box.selection) <= _FEW else 1


def marked(box: Any) -> np.ndarray:
    """Points that stand for the chosen environments."""
    points = box.nearest[box.selection.index]
    return np.unique(points[points >= 0])


def mark_map(box: Any) -> None:
    """The chosen points stand out in the map."""
    if not _ready(box):
        return draw_map(box)
    with following(box):
        box.scatter.options(
            regl_scatterplot_options={"pointSizeSelected": _extra(box), "pointOutlineWidth": 2}
        )
        box.scatter.selection(marked(box))


def filter_map(box: Any, anew: bool = False) -> None:
    """Points of what is hidden are not drawn; `anew`: the points are new."""
    if not (anew or _ready(box)):
        return draw_map(box)
    seen = np.flatnonzero(box.state.visible()[box.drawn])
    everything = len(seen) == len(box.drawn)
    if anew or box.filtered or not everything:
        box.scatter.filter(None if everything else seen)
    box.filtered = not everything


def colour_map(box: Any) -> None:
    """The same points in other colours."""
    if _drawing(box) or not _ready(box):
        return draw_map(box)
    codes, rgb = map_colours(box)
    with following(box):
        with _points_sent(box):
            box.scatter.color(by=codes, map=rgb)
        filter_map(box)
    box.map_widget.data = box.map_widget.data.assign(**_table(box))


def map_colours(box: Any) -> tuple[Any, list[str]]:
    """Colours of the points that are drawn: numbers as categories, and the colour of each.

    Paler where only the neighbours have placed them.
    """
    import pandas as pd

    codes, table = colours(box.state)
    codes = 2 * codes[box.drawn] + _by_neighbours(box)[box.drawn]
    table = np.stack([table, pale(table)], axis=1).reshape(-1, 3)
    present, codes = np.unique(codes, return_inverse=True)
    return pd.Categorical(codes), [to_hex(table[c]) for c in present]


def colours(state: State) -> tuple[np.ndarray, np.ndarray]:
    """Number of each environment's colour, and the colours, by the present choice."""
    return env.shades(*state.coloured())
