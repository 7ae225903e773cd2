"""The explorer's menus, buttons and pictures, and where they stand; nothing acts yet."""

from functools import partial


def layout(box, widgets):
    """Builds the menus and pictures; `drawing.connect` makes them act."""
    row = partial(widgets.HBox, layout={"flex_flow": "row wrap", "align_items": "center"})
    wide = {"description_width": "initial"}
    box.controls = {
        "method": widgets.Dropdown(options=box.options["method"], description="method"),
        "window": widgets.SelectionSlider(options=box.options["window"], style=wide,
                                          description="window (frames)", continuous_update=False),
        "colour": widgets.Dropdown(options=box.options["colour"], description="colour by"),
        "frame": widgets.SelectionSlider(options=box.options["frame"], description="frame"),
        "atoms": widgets.Dropdown(options=box.options["atoms"], description="atoms")}
    hidden = {"display": "none", "width": "160px"}
    box.progress = widgets.FloatProgress(0.0, max=1.0, layout=hidden)
    box.cancel_button = widgets.Button(description="cancel", layout=hidden | {"width": "80px"})
    box.status, box.legend, box.map_note, box.atoms_note = (widgets.HTML() for _ in range(4))
    box.map_place, box.atoms_place = widgets.VBox(), widgets.VBox(layout={"overflow": "hidden"})
    half = {"width": "50%", "min_width": "300px", "padding": "0 4px"}
    box.add = widgets.ToggleButton(description="add to the chosen", value=False)
    box.edit = _editing(widgets)
    c = box.controls
    return [row([c["method"], c["window"], c["colour"], box.progress, box.cancel_button]),
            widgets.HBox([widgets.VBox([box.map_place, box.map_note], layout=half),
                          widgets.VBox([box.atoms_place, box.atoms_note], layout=half)]),
            row([c["frame"], c["atoms"], box.add, box.edit["none"]]), box.legend,
            row([box.edit["clusters"], widgets.VBox([
                row([box.edit["name"], *(box.edit[k] for k in (
                    "rename", "merge", "choose", "part_off", "cluster_map", "undo", "redo"))]),
                row([box.edit["path"], box.edit["export"]])])]), box.status]


def _editing(widgets):
    button = {"rename": "rename", "merge": "merge", "choose": "choose its atoms",
              "part_off": "chosen become a cluster", "cluster_map": "find clusters in this map",
              "export": "export", "none": "choose none", "undo": "undo", "redo": "redo"}
    made = {name: widgets.Button(description=text, layout={"width": "auto"})
            for name, text in button.items()}
    made["export"].tooltip = "extended XYZ, CSV, or JSON for chemiscope, by the ending"
    return made | {
        "clusters": widgets.SelectMultiple(description="clusters", rows=4),
        "name": widgets.Text(placeholder="name of the cluster", layout={"width": "200px"}),
        "path": widgets.Text(value="labels.extxyz", description="file",
                             layout={"width": "300px"})}
