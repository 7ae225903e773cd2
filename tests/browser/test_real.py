"""The explorer on real data, used as a person would: every menu, button and kind of click."""

import re
from xml.etree import ElementTree

import numpy as np
from lab import explorer_parts, shares, slider
from matplotlib.colors import rgb_to_hsv
from matplotlib.image import imread

#: 18 frames of silicon with a vacancy, of two sizes; the four atoms beside it are known.
VACANCY = """
import numpy as np
import defectkit as dk
from defectkit import view
data = dk.load("si-vacancy", every=10)
symmetry = dk.SymmetryFunctions.silicon()
X = np.concatenate(dk.features(data.frames, symmetry, progress=False))
labels = data.truth["vacancy_neighbour"].astype(int)
explorer = view.explorer(data.frames, X, labels, {"pca": dk.embed(X, "pca")},
                         names=["bulk", "beside the vacancy"], columns=symmetry.names("Si"))
explorer"""
BULK, BESIDE = 0, 1


class Person:
    """Somebody at the explorer of a page; what is told is waited for."""

    def __init__(self, lab):
        self.lab, (self.map, self.atoms, self.output) = lab, explorer_parts(lab)

    def press(self, button, answer=""):
        """Click the first button whose text begins so, and wait for an answer."""
        text = re.compile(rf"^\s*{re.escape(button)}")
        self.output.locator("button:visible", has_text=text).first.click()
        self.hears(answer)

    def hears(self, answer):
        self.lab.wait(lambda: re.search(answer, self.output.inner_text()))

    def menu(self, offered):
        """The menu that offers something."""
        option = self.lab.page.get_by_role("option", name=offered, include_hidden=True)
        return self.output.locator("select:not([multiple])", has=option).first

    def sees(self, picture, name, condition):
        """Waits until the numbers of pixels of the two clusters' colours are as they should."""
        self.lab.wait(lambda: condition(*shares(self.lab, picture, name, [BULK, BESIDE]).values()))

    def both(self, name, condition):
        for kind, picture in (("map", self.map), ("atoms", self.atoms)):
            self.sees(picture, f"real_{name}_{kind}", condition)


def test_a_vacancy_is_explored(lab):
    lab.notebook("vacancy.ipynb", VACANCY)
    person = Person(lab)
    person.both("start", lambda bulk, beside: bulk > 1000 and beside > 100)
    of_the_legend(person)
    of_colours(lab, person)
    of_atoms(lab, person)
    of_time(lab, person)
    of_edits(lab, person)
    of_pictures(lab, person)
    of_a_map_that_is_not_wanted(lab, person)


def of_the_legend(person):
    alone = lambda bulk, beside: bulk < 30 and beside > 100  # noqa: E731
    person.press("beside the vacancy (", "1 of 2 entries of the legend are hidden")
    person.both("isolated", alone)
    person.press("beside the vacancy (", "nothing is hidden")
    person.menu("isolates").select_option("hides")
    person.press("bulk (", "1 of 2 entries of the legend are hidden")
    person.both("hidden", alone)
    person.press("bulk (", "nothing is hidden")
    person.menu("isolates").select_option("chooses")
    person.press("beside the vacancy (", "chosen: 72, of which 4 in this frame")
    person.sees(person.atoms, "real_chosen", alone)  # the others are pale
    person.press("choose none", r"frame 0\s*$")


def of_colours(lab, person):
    colour, before = person.menu("coordination"), None
    assert "Si\u00a0near\u00a02.40\u00a0Å" in colour.locator("option").all_inner_texts()
    for name, told in (
        ("element", r"Si \(2\u2009046\)"),
        ("coordination", r"coordination: 3\b.*\b4\b"),
        ("q6", r"q6: 0\.\d+"),
        ("Si near 2.40 Å", r"Si near 2\.40 Å: \d"),
        ("time (frame)", r"time \(frame\): 0\b.*\b17\b"),
        ("cluster", r"beside the vacancy \(72\)"),
    ):
        colour.select_option(name)
        person.hears(re.sub(" ", r"\\s", told))

        def other(seen=before, name=name):
            hue = [rgb_to_hsv(lab.picture(p, f"real_{name}")) for p in (person.map, person.atoms)]
            now = [np.median(h[..., 0][h[..., 1] > 0.35]) for h in hue]
            return now if seen is None or now != seen else None

        before = lab.wait(other)
    person.both("clusters", lambda bulk, beside: bulk > 1000 and beside > 100)


def of_atoms(lab, person):
    """A click, what the mouse tells, and an atom by its number."""
    person.press("bulk (", "chosen: 1\u2009974")  # so that no tip of the legend is in the way
    person.press("choose none")
    person.atoms.scroll_into_view_if_needed()
    box, told = person.atoms.bounding_box(), None
    across, down = np.meshgrid(np.linspace(0.3, 0.8, 12), np.linspace(0.3, 0.7, 6))
    for x, y in zip(across.ravel(), down.ravel(), strict=True):
        place = box["x"] + x * box["width"], box["y"] + y * box["height"]
        lab.page.mouse.move(*place)
        lab.page.wait_for_timeout(250)
        told = re.search(
            r"frame 0, atom (\d+) \(Si\), (bulk|beside the vacancy), (\d) neighbours",
            lab.page.evaluate("() => document.body.innerText"),
        )
        if told:
            lab.page.mouse.click(*place)
            break
    assert told, "no tip of an atom"
    person.hears(rf"chosen: 1, of which 1 in this frame \(frame 0, atom {told[1]}, {told[2]}\)")
    assert "[MOL]" not in person.output.inner_text()  # NGL's name of the atom
    lab.wait(lambda: np.ptp(lab.picture(person.map, "real_clicked_map"), axis=-1).max() > 0.4)
    person.output.locator("input[type=number]").fill("30")
    person.press("go to atom", r"chosen: 1, .*\(frame 0, atom 30, bulk\)")
    lab.picture(person.output, "real_gone_to")
    person.press("choose none", r"frame 0\s*$")


def of_time(lab, person):
    person.output.locator(".widget-play button:visible").first.click()
    person.hears(r"frame [2-9]\b")
    person.output.locator(".widget-play button:visible").first.click()
    handle = slider(lab, person.output, "frame")
    handle.focus()
    handle.press("End")
    person.hears(r"frame 17\b")
    person.sees(person.atoms, "real_last", lambda bulk, beside: bulk > 500 and beside > 100)
    handle.press("Home")
    person.hears(r"frame 0\b")


def of_edits(lab, person):
    person.output.locator("select[multiple]").select_option(index=1)
    person.press("choose its atoms", "chosen: 72")
    person.output.get_by_placeholder("name of the cluster").fill("dangling")
    person.press("chosen become a cluster", r"the chosen \(72\) are dangling now")
    person.press("undo", "undo: 0 more to take back, 1 to make again")
    person.press("redo", "redo: 1 more to take back, 0 to make again")
    person.hears(r"dangling \(72\)")
    person.press("undo", "undo: 0 more")
    person.press("undo", "ValueError: there is nothing to undo")
    person.press("choose none", r"frame 0\s*$")
    lab.errors.clear()  # the refusal is raised in the kernel too


def of_pictures(lab, person):
    for ending in ("png", "svg", "csv"):
        person.output.locator("input[type=text]").last.fill(f"vacancy.{ending}")
        person.output.locator("input[type=text]").last.press("Tab")
        person.press("export", rf"vacancy\.{ending} is written")
    picture = imread(lab.folder / "vacancy.png")
    assert picture.shape[1] > 1500 and (rgb_to_hsv(picture[..., :3])[..., 1] > 0.35).sum() > 3000
    assert ElementTree.parse(lab.folder / "vacancy.svg").getroot().tag.endswith("svg")


def of_a_map_that_is_not_wanted(lab, person):
    method = person.menu("pacmap")
    method.select_option("umap")
    person.hears("computing umap")
    person.press("cancel", "cancelled: the map is the one from before")
    assert method.input_value() == "pca"
    person.both("cancelled", lambda bulk, beside: bulk > 1000 and beside > 100)
    lab.picture(person.output, "real_end")
