"""Figures that follow menus and sliders in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from numbers import Number
from time import perf_counter
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from .. import plots

if TYPE_CHECKING:
    from ipywidgets import VBox


def chooser(options: dict[str, Sequence], draw: Callable, precompute: bool = False) -> VBox:
    """A figure that follows menus and sliders; each choice is drawn once and then kept.

    Numbers get a slider, anything else a menu. While `draw` works the line below the figure says
    "computing ..."; if it fails the error stands there in place of a figure, and is raised.

    Parameters
    ----------
    options : dict {name: sequence of values}
        Such as ``{"method": ["pca", "umap"], "initialisation": ["pca", "library default"]}``.
    draw : callable
        ``draw(method="umap", initialisation="pca")`` returns a matplotlib figure or axes, or
        ``(Y, labels)`` or ``(Y, labels, names)``, which :func:`defectkit.plots.embedding` draws.
    precompute : bool
        Draw every choice now, so that each answers at once; one for which `draw` raises a
        ValueError, such as a method without that start, is refused when it is chosen.

    Returns
    -------
    ipywidgets.VBox
        `.controls` are the widgets by name, `.image` the figure (PNG), `.status` the line below,
        `.error` the last exception or None. `.render(method="umap")` makes a choice as a user
        does, without a browser, and returns the PNG's bytes.

    Raises
    ------
    ValueError
        No options, or a name or value that is not among them; also what `draw` raises.
    """
    options = {name: list(values) for name, values in options.items()}
    if not options or not all(options.values()):
        raise ValueError(
            "there is nothing to choose from; give options with at least one value "
            'each, such as {"method": ["pca", "umap"]}.'
        )
    widgets = require("ipywidgets")
    controls = {
        name: _control(widgets, name, values, precompute) for name, values in options.items()
    }
    from .boxes import PictureBox

    menus = widgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
    box = PictureBox(
        lambda: box.image.value,
        f"menu of figures by {' and '.join(options)}",
        children=[menus, _image(widgets), widgets.HTML()],
    )
    _, box.image, box.status = box.children
    box.controls, box.options, box.draw, box.drawn = controls, options, draw, {}
    box.render = partial(_render, box)
    for values in product(*options.values()) if precompute else ():
        with suppress(ValueError):
            _drawn(box, dict(zip(options, values, strict=True)))
    box.render()
    for control in controls.values():
        control.observe(lambda change: box.following and box.render(), "value")
    return box


def require(name: str) -> Any:
    """A package of the 'lab' extra.

    nglview displays an empty widget when it is first imported, which is kept back: a reopened
    notebook would show it as an error.
    """
    try:
        from IPython.utils.capture import capture_output

        with capture_output(stdout=False, stderr=False, display=True):
            return __import__(name)
    except ImportError as error:
        raise ImportError(
            f"3D views and menus need {name}: pip install nglview==4.0 ipywidgets "
            "jupyter-scatter jupyterlab; plots.atoms3d and plots.embedding draw "
            "without it."
        ) from error


def _image(widgets):
    return widgets.Image(format="png", layout={"align_self": "flex-start", "max_width": "100%"})


def _control(widgets, name, values, precompute):
    numbers = len(values) > 1 and all(
        isinstance(value, Number) and not isinstance(value, bool) for value in values
    )
    kind = widgets.SelectionSlider if numbers else widgets.Dropdown
    return kind(
        options=[(str(value), value) for value in values],
        description=name,
        style={"description_width": "initial"},
        **({"continuous_update": precompute} if numbers else {}),
    )


def _render(box, **choice):
    for name, value in choice.items():
        if name not in box.options:
            raise ValueError(f"unknown option {name!r}; choose from {', '.join(box.options)}.")
        if value not in box.options[name]:
            raise ValueError(
                f"{name}={value!r} is not offered; choose from "
                f"{', '.join(map(str, box.options[name]))}."
            )
    choice = {name: control.value for name, control in box.controls.items()} | choice
    try:
        png, text = _drawn(box, choice)
        box.image.value, box.error, box.status.value = png, None, html.escape(text)
        box.image.layout.display = ""
    except Exception as error:
        box.error, box.image.layout.display = error, "none"  # no figure of another choice
        box.status.value = (
            f'<b style="color: #b00020">{type(error).__name__}: {html.escape(str(error))}</b>'
        )
        raise
    box.following = False  # one control after the other would draw choices nobody made
    for name, value in choice.items():
        box.controls[name].value = value
    box.following = True
    return png


def _drawn(box, choice):
    """PNG of a choice and how long it took, from memory where it was drawn before."""
    key = tuple(box.options[name].index(value) for name, value in choice.items())
    if key not in box.drawn:
        text = ", ".join(f"{name} {value}" for name, value in choice.items())
        box.status.value = f"computing {html.escape(text)} ..."
        start = perf_counter()
        png = _png(box.draw(**choice))
        box.drawn[key] = png, f"{text} ({perf_counter() - start:.1f} s)"
    return box.drawn[key]


def _png(drawing):
    if isinstance(drawing, tuple):
        figure = Figure(figsize=(4.6, 5), layout="constrained")
        plots.embedding(*drawing, ax=figure.subplots())
    else:
        figure = getattr(drawing, "figure", drawing)
    if not isinstance(figure, Figure):
        raise ValueError(
            f"draw returned {type(drawing).__name__}; let it return a matplotlib "
            "figure, axes, or (Y, labels)."
        )
    from .boxes import png

    return png(figure, 110)
