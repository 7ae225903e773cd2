"""What the explorer's widgets call, and the lines that answer."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from ...plots import cluster_name, count
from . import environments as env
from .map_view import LINE, follows


def connect(box: Any) -> None:
    """Menus, lasso, clicks and buttons call the explorer's functions."""
    for name, control in box.controls.items():
        control.observe(
            lambda change, name=name: (
                follows(box) or box.attempt(box.choose, **{name: change["new"]})
            ),
            "value",
        )
    edit = box.edit

    def some():
        if not edit["clusters"].value:
            raise ValueError("no cluster is marked in the list; mark one, or several to merge.")
        return edit["clusters"].value

    def named(function, *args):
        function(*args, edit["name"].value)
        edit["name"].value = ""  # not to be given to another cluster too

    actions = {
        "rename": lambda: named(box.rename, some()[0]),
        "merge": lambda: box.merge(some()),
        "choose": lambda: box.select(index=np.flatnonzero(np.isin(box.labels, some()))),
        "split_off": lambda: named(box.split_off),
        "cluster_map": box.cluster_map,
        "none": box.select,
        "undo": box.undo,
        "redo": box.redo,
        "go_to": lambda: box.go_to(edit["atom"].value),
        "export": lambda: box.export(edit["path"].value),
    }
    for name, action in actions.items():
        edit[name].on_click(lambda _, action=action: box.attempt(action))
    box.cancel_button.on_click(lambda _: box.cancel())


def say(box: Any, text: str | None = None, bad: bool = False) -> None:
    """The lines at the bottom: what is shown, then what was done or went wrong last, if `text`."""
    style = " style='color: #b00020'" if bad else ""
    box.message = "" if text is None else f"<br><span{style}>{html.escape(text)}</span>"
    say_again(box)


def say_again(box: Any) -> None:
    """What is shown has changed; what was said last stays."""
    choice, selection = box.choice, box.selection
    shown = f"{choice['method']}, window {choice['window']}, frame {choice['frame']}"
    if len(selection):
        here = np.count_nonzero(selection.frame == choice["frame"])
        shown += f"; chosen: {count(len(selection))}, of which {count(here)} in this frame"
    if len(selection) == 1:
        cluster = cluster_name(int(box.labels[selection.index[0]]), box.names)
        shown += f" (frame {selection.frame[0]}, atom {selection.atom[0]}, {cluster})"
    box.status.value = LINE.format(html.escape(shown) + box.message)


def draw_legend(box: Any) -> None:
    """Clusters with their colours and numbers of environments, or the scale of a number."""
    values, kind, names = box.state.coloured()
    if kind == "number":
        low, high = env.limits(values)
        stops = ", ".join(to_hex(c) for c in env.shades(values, kind)[1][:-1:9])
        box.scale.value = LINE.format(
            f"{html.escape(box.choice['colour'])}: {low:.4g} <span style='display: "
            "inline-block; width: 160px; height: 10px; background: linear-gradient(to right, "
            f"{stops})'></span> {high:.4g}"
        )
    else:
        box.scale.value = ""
    entries = [] if kind == "number" else _entries(values, kind, names)
    box.click.layout.display = "" if entries else "none"
    _buttons(box, entries)
    present, counts = np.unique(box.labels, return_counts=True)
    box.edit["clusters"].value = ()  # the browser would look for what is marked in a shorter list
    box.edit["clusters"].options = [
        (f"{cluster_name(c, box.names)} ({count(n)})", int(c))
        for c, n in zip(present, counts, strict=True)
    ]


def _entries(values, kind, names):
    """(value, text, colour) of each value, noise last."""
    present, counts = np.unique(values, return_counts=True)
    codes, table = env.shades(present, kind, names)
    found = [
        (int(value), f"{cluster_name(value, names)} ({count(n)})", to_hex(table[code]))
        for value, n, code in zip(present, counts, codes, strict=True)
    ]
    noise = int(np.sum(present < 0))
    return found[noise:] + found[:noise]


def _buttons(box, entries):
    """One button an entry, made anew only where their number changes."""
    import ipywidgets as widgets

    if len(box.legend.children) != len(entries):
        for button in box.legend.children:
            button.close()
        box.legend.children = [widgets.Button(layout={"width": "auto"}) for _ in entries]
        for place, button in enumerate(box.legend.children):
            button.on_click(
                lambda _, place=place: box.attempt(box.legend_click, box.entries[place][0])
            )
    box.entries = entries
    for button, (value, text, colour) in zip(box.legend.children, entries, strict=True):
        gone = value in box.state.hidden
        button.description, button.layout.border_left = text, f"14px solid {colour}"
        button.style.text_decoration = "line-through" if gone else None
