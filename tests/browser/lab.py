"""A page in JupyterLab, and what is seen in it: pixels, not only widgets."""

import re
import time

import nbformat
import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.image import imread

from defectkit import plots

CANVAS = ".jp-OutputArea-output canvas"
LASSO = "button[title='Activate lasso selection']"
SIZE = {"width": 1200, "height": 1000}
#: Errors of the page and its console that no widget of defectkit causes.
NOT_OURS = [
    "^Could not restore the debugger state",  # a kernel was restarted
    r"\[anywidget\] Failed to initialize model",  # page busy for 2 s: another map is drawn
    "widget model not found",  # of a page opened again: the picture takes its place
    # JupyterLab's own code alone: it takes off the page what is no longer there.
    r"(?s)^Failed to execute 'removeChild'(?!.*(?:anywidget|nglview|defectkit)).*lab/jlab_core",
]


class Lab:
    """A page in JupyterLab: open a notebook, run it, look at it."""

    def __init__(self, page, url, token, folder, pictures):
        self.page, self.url, self.token = page, url, token
        self.folder, self.pictures = folder, pictures
        self.errors = []  # of scripts of the page, and those in its console
        page.on("pageerror", lambda error: self._note(str(error), str(error.stack)))
        page.on("console", self._heard)

    def _heard(self, message):
        if message.type == "error":
            self._note(message.text, message.location.get("url", ""))

    def _note(self, text, where):
        error = f"{text[:600]} ({where[:600]})"
        if not any(re.search(known, error) for known in NOT_OURS):
            self.errors.append(error)

    def open(self, path, anew=False):
        """Open a notebook below `folder`, with a kernel; `anew`: after loading the page again."""
        if anew or self.page.url == "about:blank":
            self.page.goto(
                f"{self.url}/lab/tree/{path}?reset&token={self.token}",
                wait_until="domcontentloaded",
            )
        else:
            self._execute("docmanager:open", path=path)
        self.page.wait_for_function(
            """path => {
            const shell = window.jupyterapp?.shell, shown = shell?.currentWidget;
            if (shown?.context?.path === path)
                return shown.sessionContext?.session?.kernel?.status === "idle";
            // The launcher, which JupyterLab opens where nothing is open, may lie before it.
            const mine = [...shell?.widgets("main") ?? []].find(w => w.context?.path === path);
            if (mine) shell.activateById(mine.id);
        }""",
            arg=path,
            timeout=300_000,
        )

    def close(self):
        """Close what is open, and end the kernels; the page stays for the next test."""
        self.page.evaluate("""async () => {
            for (const widget of [...window.jupyterapp?.shell.widgets("main") ?? []])
                widget.dispose();
            await window.jupyterapp?.serviceManager.sessions.shutdownAll();
        }""")
        self.page.set_viewport_size(SIZE)
        self._execute("apputils:change-theme", theme="JupyterLab Light")

    def run(self, path, timeout=240):
        """Open a notebook and run all its cells."""
        self.open(path)
        self._execute("notebook:clear-all-cell-outputs")
        self._execute("notebook:run-all-cells")
        self._finish(timeout)

    def _execute(self, command, **arguments):
        # Without waiting for the command: a dialogue would block it for ever.
        self.page.evaluate(
            "([name, args]) => void window.jupyterapp?.commands.execute(name, args)",
            [command, arguments],
        )

    def _finish(self, timeout=60):
        """Wait until every cell has run; an error in one is raised."""
        # A cell that waits, runs or was never run has no number.
        end = self.page.wait_for_function(
            """() => {
            const cells = window.jupyterapp.shell.currentWidget.content.widgets
                .map(cell => cell.model).filter(cell => cell.type === "code");
            const error = cells.flatMap(cell => cell.outputs.toJSON())
                .find(output => output.output_type === "error");
            if (error) return `${error.ename}: ${error.evalue}`;
            return cells.every(cell => cell.executionCount !== null
                || cell.sharedModel.getSource().trim() === "") && "done";
        }""",
            timeout=timeout * 1000,
        ).json_value()
        if end != "done":
            pytest.fail(end)

    def cell(self, source):
        """Run one more cell, at the end."""
        before = self.page.locator(".jp-CodeCell").count()
        self.page.evaluate("""() => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            notebook.activeCellIndex = notebook.widgets.length - 1;
        }""")
        self._execute("notebook:insert-cell-below")
        self.page.wait_for_function(
            "n => document.querySelectorAll('.jp-CodeCell').length > n", arg=before
        )
        self._execute("notebook:replace-selection", text=source)
        self._execute("notebook:run-cell")
        self._finish()

    def notebook(self, name, *cells):
        notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
        # Without a kernel's name JupyterLab asks for one in a dialogue.
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.folder / name)
        self.run(name)

    def picture(self, element, name):
        """Pixels (height, width, 3) of an element, also kept as a file.

        A map that is drawn anew takes the place of the old one; the picture is then of the new.
        """
        from playwright.sync_api import Error

        path = self.pictures / f"{name}.png"
        for last in (False, False, True):
            try:
                element.scroll_into_view_if_needed()
                element.screenshot(path=path)
                break
            except Error as error:
                if last or "not attached" not in str(error):
                    raise
        return imread(path)[..., :3]

    def text(self, source):
        """What one more cell prints, as a line."""
        self.cell(f"print(repr({source}))")
        return self.page.locator(".jp-OutputArea-output").last.inner_text().strip()

    def lasso(self, canvas, middle, radius):
        """Draw a loop on a map with the lasso of its toolbar; `middle` as shares of the canvas."""
        self.page.locator(LASSO).last.click()
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        x, y = box["x"] + middle[0] * box["width"], box["y"] + middle[1] * box["height"]
        mouse = self.page.mouse
        # Not closed: the map takes a release where the button went down for a click.
        for n, angle in enumerate(np.linspace(0, 1.85 * np.pi, 40)):
            mouse.move(x + radius * np.cos(angle), y + radius * np.sin(angle))
            if n == 0:
                mouse.down()
            self.page.wait_for_timeout(8)
        mouse.up()

    def wait(self, condition, seconds=120):
        """What `condition()` returns once that is neither None nor False."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value is not None and value is not False:
                return value
            assert time.monotonic() < end, f"not seen within {seconds} s"
            self.page.wait_for_timeout(100)


def hues(picture, clusters):
    """Number of each pixel's cluster by hue, -1 where the pixel is grey, -2 for another hue."""
    hsv = rgb_to_hsv(picture)
    wanted = rgb_to_hsv([to_rgb(plots.PALETTE[c]) for c in clusters])[:, 0]
    off = np.abs((hsv[..., :1] - wanted + 0.5) % 1 - 0.5)
    seen = np.where(off.min(axis=-1) < 0.03, np.asarray(clusters)[off.argmin(axis=-1)], -2)
    return np.where((hsv[..., 1] > 0.35) & (hsv[..., 2] > 0.3), seen, -1)


def shown(lab):
    """The last output that shows a scene; nglview leaves an empty one behind it."""
    return lab.page.locator(".jp-OutputArea-output", has=lab.page.locator("canvas")).last


def canvas(lab, name, clusters, number=0):
    """Clusters by pixel of a scene, once it shows all of them."""
    lab.wait(lambda: lab.page.locator(CANVAS).count() > number)

    def look():
        seen = hues(lab.picture(lab.page.locator(CANVAS).nth(number), name), clusters)
        return seen if all((seen == c).sum() > 50 for c in clusters) else None

    return lab.wait(look)


def explorer_parts(lab):
    """Canvas of the map, canvas of the atoms, and the output of an explorer shown last."""
    output = lab.page.locator(".jp-OutputArea-output", has=lab.page.locator(LASSO)).last
    output.scroll_into_view_if_needed()
    return output.locator("canvas").first, output.locator("canvas").last, output


def slider(lab, output, name):
    """Handle of the slider called so; nglview hides others in the page."""
    label = lab.page.get_by_text(name, exact=True)
    return output.locator(".widget-hslider").filter(has=label).locator(".noUi-handle")


def shares(lab, element, name, clusters):
    """Number of pixels of each cluster's own colour, not the pale one of those not chosen."""
    seen = hues(lab.picture(element, name), clusters)
    return {c: int((seen == c).sum()) for c in clusters}


def cut_off(output):
    """Pictures and controls that reach beyond the right edge of an output."""
    return output.evaluate("""area => [...area.querySelectorAll("canvas, button, select, input")]
        .filter(e => e.offsetWidth && e.getBoundingClientRect().right
                     > area.getBoundingClientRect().right + 1)
        .map(e => e.outerHTML.slice(0, 80))""")


def reopen(lab, path):
    """Save the notebook, end its kernel and open it again without running a cell."""
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
    assert any(cell.get("outputs") for cell in nbformat.read(lab.folder / path, 4).cells)
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
        " === 'idle'"
    )
    lab.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    lab.open(path, anew=True)


def coloured(picture):
    """Number of pixels that are not grey."""
    return (rgb_to_hsv(picture)[..., 1] > 0.35).sum()
