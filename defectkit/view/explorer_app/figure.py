"""The explorer as a still figure: its map and the atoms of its frame."""

import matplotlib.pyplot as plt
import numpy as np

from ... import plots
from . import state as env
from .drawing import atom_colours, colours, map_of, marked, values_of


def still(box, axes=None):
    """The explorer as a matplotlib figure: the map and the atoms of the frame.

    axes : two matplotlib axes, optional

    Returns the figure.
    """
    values, kind, names = values_of(box)
    if axes is None:
        axes = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")[1]
    Y, drawn = map_of(box), box.drawn
    if kind == "label":
        plots.embedding(Y[drawn], values[drawn], names, ax=axes[0])
    else:
        low, high = env.limits(values)
        dots = axes[0].scatter(*Y[drawn].T, c=values[drawn], vmin=low, vmax=high, linewidths=0,
                               s=np.clip(2e4 / len(drawn), 0.6, 12), rasterized=True)
        axes[0].figure.colorbar(dots, ax=axes[0], label=box.choice["colour"], shrink=0.7)
        axes[0].set(xticks=[], yticks=[], aspect="equal")
    if len(box.selection):
        chosen = np.unique(box.drawn[marked(box)])
        codes, table = colours(box)
        for dots in axes[0].collections:
            dots.set_alpha(0.25)
        axes[0].scatter(*Y[chosen].T, c=table[codes[chosen]], edgecolors="black", s=14,
                        linewidths=0.4 if len(chosen) < 200 else 0)
    axes[0].set_title(f"{box.choice['method']}, window {box.choice['window']}")
    atoms = box.data.frames[box.choice["frame"]][box.shown]
    atoms.wrap()
    known = values[box.shown_rows] if kind == "label" else np.zeros(len(atoms), int)
    plots.atoms3d(atoms, np.where(box.shown_rows >= 0, known, -1), names,
                  ax=axes[1], rgb=atom_colours(box), legend=False)
    axes[1].set_title(f"frame {box.choice['frame']}")
    return axes[0].figure
