"""The explorer as a static figure: its map and the atoms of its frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np

from ... import plots
from . import environments as env
from .atoms_view import atom_colours
from .map_view import colours, marked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def static_figure(box: Any, axes: Any = None) -> Figure:
    """The explorer as a matplotlib figure: the map and the atoms of the frame.

    axes : two matplotlib axes, optional

    Returns the figure.
    """
    values, kind, names = box.state.coloured()
    if axes is None:
        axes = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")[1]
    Y, drawn = box.state.map, box.drawn[box.state.visible()[box.drawn]]
    if not len(drawn):
        axes[0].set(xticks=[], yticks=[])
    elif kind == "label":
        plots.embedding(Y[drawn], values[drawn], names, ax=axes[0])
    else:
        low, high = env.limits(values)
        dots = axes[0].scatter(
            *Y[drawn].T,
            c=values[drawn],
            vmin=low,
            vmax=high,
            linewidths=0,
            s=np.clip(2e4 / len(drawn), 0.6, 12),
            rasterized=True,
        )
        axes[0].figure.colorbar(dots, ax=axes[0], label=box.choice["colour"], shrink=0.7)
        axes[0].set(xticks=[], yticks=[], aspect="equal")
    if len(box.selection):
        chosen = np.unique(box.drawn[marked(box)])
        codes, table = colours(box.state)
        for dots in axes[0].collections:
            dots.set_alpha(0.25)
        axes[0].scatter(
            *Y[chosen].T,
            c=table[codes[chosen]],
            edgecolors="black",
            s=14,
            linewidths=0.4 if len(chosen) < 200 else 0,
        )
    axes[0].set_title(f"{box.choice['method']}, window {box.choice['window']}")
    axes[1].set_axis_off()
    if len(box.shown):
        _atoms(box, axes[1])
    axes[1].set_title(f"frame {box.choice['frame']}")
    return axes[0].figure


def _atoms(box, axes):
    """The frame's atoms; the bulk small and pale, unless it is chosen."""
    state = box.state
    atoms = state.data.frames[state.choice["frame"]][box.shown]
    atoms.wrap()
    rows = box.shown_rows
    small = (rows >= 0) & np.isin(state.labels[rows], state.bulk())
    small &= ~np.isin(rows, state.selection.index)
    plots.atoms3d(
        atoms, small.astype(int), ax=axes, rgb=atom_colours(box), faint=[1], legend=False
    )
