"""The explorer's menus, buttons and pictures, and where they stand; nothing acts yet."""

from __future__ import annotations

from functools import partial
from typing import Any

CLICKS = ("isolates", "hides", "chooses")
_ENDINGS = "labels: .extxyz, .csv, .json; the two pictures: .png, .svg, .pdf"


def layout(box: Any, widgets: Any) -> Any:
    """Builds the menus and pictures; `connect` makes them act."""
    row = partial(widgets.HBox, layout={"flex_flow": "row wrap", "align_items": "center"})
    box.controls = _controls(box.options, widgets)
    _lines(box, widgets)
    box.edit = _editing(widgets)
    box.play = widgets.Play(
        min=0,
        max=len(box.options["frame"]) - 1,
        interval=500,
        layout={"display": "" if len(box.options["frame"]) > 1 else "none"},
    )
    widgets.jslink((box.play, "value"), (box.controls["frame"], "index"))
    side = {"flex": "1 1 340px", "min_width": "280px", "padding": "0 4px", "overflow": "hidden"}
    c, e = box.controls, box.edit
    return [
        row([c["method"], c["window"], c["colour"]]),
        row([box.progress, box.work, box.cancel_button]),
        row(
            [
                widgets.VBox([box.map_place, box.map_note], layout=side),
                widgets.VBox([box.atoms_place, box.atoms_note], layout=side),
            ]
        ),
        row([box.play, c["frame"]]),
        row([c["atoms"], c["bulk"], e["atom"], e["go_to"], box.add, e["none"]]),
        row([box.click, box.legend, box.scale]),
        _editing_row(box.edit, row, widgets),
        box.status,
    ]


def _controls(options, widgets):
    """Menus and sliders that say what is drawn, by name."""
    wide, half = {"description_width": "initial"}, {"width": "auto", "max_width": "230px"}
    return {
        "method": widgets.Dropdown(
            options=options["method"], description="method", style=wide, layout=half
        ),
        "window": widgets.SelectionSlider(
            options=options["window"],
            style=wide,
            description="window (frames)",
            continuous_update=False,
        ),
        "colour": widgets.Dropdown(
            options=options["colour"],
            description="colour by",
            style=wide,
            layout=half | {"max_width": "320px"},
        ),
        "frame": widgets.SelectionSlider(
            options=options["frame"],
            description="frame",
            style=wide,
            layout={"flex": "1 1 400px", "width": "auto"},
        ),
        "atoms": widgets.Dropdown(
            options=options["atoms"], description="atoms", style=wide, layout=half
        ),
        "bulk": widgets.Dropdown(
            options=options["bulk"], description="bulk", style=wide, layout=half
        ),
    }


def _editing_row(edit, row, widgets):
    """The list of clusters beside what is done with them."""
    actions = ("rename", "merge", "choose", "split_off", "cluster_map", "undo", "redo")
    above = row([edit["name"], *(edit[k] for k in actions)])
    below = row([edit["path"], edit["export"], widgets.HTML(_ENDINGS)])
    return row([edit["clusters"], widgets.VBox([above, below], layout={"flex": "1 1 340px"})])


def _lines(box, widgets):
    """Progress, texts and the places of the two pictures."""
    hidden = {"display": "none", "width": "160px"}
    box.progress = widgets.FloatProgress(0.0, max=1.0, layout=hidden)
    box.cancel_button = widgets.Button(description="cancel", layout=hidden | {"width": "80px"})
    box.work, box.status, box.scale, box.map_note, box.atoms_note = (
        widgets.HTML() for _ in range(5)
    )
    box.map_place = widgets.VBox()
    box.atoms_place = widgets.VBox(layout={"overflow": "hidden"})
    box.legend = widgets.HBox(layout={"flex_flow": "row wrap"})
    box.click = widgets.Dropdown(
        options=CLICKS,
        description="a click here",
        style={"description_width": "initial"},
        layout={"width": "auto"},
    )
    box.add = widgets.ToggleButton(description="add to the chosen", value=False)


def _editing(widgets):
    button = {
        "rename": "rename",
        "merge": "merge",
        "choose": "choose its atoms",
        "split_off": "chosen become a cluster",
        "cluster_map": "find clusters in this map",
        "export": "export",
        "none": "choose none",
        "undo": "undo",
        "redo": "redo",
        "go_to": "go to atom",
    }
    made = {
        name: widgets.Button(description=text, layout={"width": "auto"})
        for name, text in button.items()
    }
    made["export"].tooltip = (
        "extended XYZ, CSV, JSON for chemiscope, or the two pictures as "
        "PNG, SVG or PDF, by the ending"
    )
    return made | {
        "clusters": widgets.SelectMultiple(description="clusters", rows=4),
        "name": widgets.Text(placeholder="name of the cluster", layout={"width": "200px"}),
        "atom": widgets.BoundedIntText(0, min=0, max=2**31 - 1, layout={"width": "90px"}),
        "path": widgets.Text(value="labels.extxyz", description="file", layout={"width": "300px"}),
    }
