"""Boxes of widgets that leave a picture in saved, reopened and exported notebooks."""

from __future__ import annotations

import base64
import io
import struct
import uuid
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from ipywidgets import VBox
from matplotlib.figure import Figure

#: JupyterLab marks a view whose kernel is gone by a class: then the second output of the cell
#: shows, the picture and a line. The picture is part of the style, so that pages that drop styles
#: don't show it beside that of the first output. A view that is cut off from its kernel has
#: another class, and shows the line itself.
_GONE = ".jp-OutputArea-child:has(> .jp-OutputArea-output.jupyter-widgets)"
_BOX = "defectkit-box"
_STILL = """<style>
{gone}:has(+ .jp-OutputArea-child #{id}) {{display: none}}
{gone} + .jp-OutputArea-child #{id} {{display: block}}
{gone} + .jp-OutputArea-child #{id}::before {{content: ""; display: block; max-width: {width}px;
  aspect-ratio: {width} / {height}; background: white url(data:image/png;base64,{png});
  background-size: 100% 100%}}
.{box}.jupyter-widgets-disconnected::after {{content: "{line}"}}
</style><div id="{id}" class="defectkit-still" hidden>{line}</div>"""
_RUN = "The kernel of this view is gone: run the cell to use it again."


class PictureBox(VBox):
    """Widgets one above the other that show as a picture where they cannot live.

    `picture` is a function without arguments that returns PNG bytes, asked when the box is
    displayed; `what` says in a few words what the box is.
    """

    def __init__(self, picture: Callable[[], bytes], what: str, **traits: Any) -> None:
        super().__init__(**traits)
        self.picture, self.what = picture, what
        self.add_class(_BOX)

    def __repr__(self):
        return f"{self.what}; run the cell to use it"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        png = base64.b64encode(self.picture()).decode()
        return bundle | {"text/plain": repr(self), "image/png": png}

    def _ipython_display_(self):
        bundle = self._repr_mimebundle_()
        display(bundle, raw=True)
        width, height = struct.unpack(">II", base64.b64decode(bundle["image/png"][:32])[16:24])
        still = _STILL.format(
            gone=_GONE,
            box=_BOX,
            id=f"still{uuid.uuid4().hex}",
            width=width,
            height=height,
            png=bundle["image/png"],
            line=_RUN,
        )
        display({"text/html": still}, raw=True)


def png(figure: Figure, dpi: int = 80) -> bytes:
    """A matplotlib figure as a PNG; the figure is closed."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=dpi)
    plt.close(figure)
    return picture.getvalue()
