"""Maps, features and places computed in a thread while the explorer stays awake."""

from __future__ import annotations

import html
import re
import threading
from time import monotonic
from typing import Any

import numpy as np

from ...embedding.worker import Stopped, compute
from . import environments as env


def begin(box: Any, choice: dict) -> None:
    """Start computing what a choice lacks; it is shown once it is there."""
    job: dict[str, Any] = {"wanted": choice, "stop": threading.Event(), "began": {}}
    box.job = job
    job["thread"] = threading.Thread(target=_work, args=(box, job), daemon=True)
    box.error, box.progress.layout.display = None, ""
    box.progress.value, box.progress.bar_style = 0.0, "info"
    box.cancel_button.layout.display = ""
    job["thread"].start()


def wanted(box: Any) -> dict:
    """Method, window and colour that will be shown once they are computed; empty without a job."""
    return (
        {}
        if box.job is None
        else {name: box.job["wanted"][name] for name in ("method", "window", "colour")}
    )


def end(box: Any, job: Any) -> None:
    """The job is over: neither bar nor button any longer."""
    if box.job is job:
        box.job, box.work.value = None, ""
        box.progress.layout.display = box.cancel_button.layout.display = "none"


def _work(box, job):
    """In a thread: features, average, map and places that are missing; then they are shown."""
    stop, state = job["stop"].is_set, box.state
    key = job["wanted"]["method"], job["wanted"]["window"]

    def report(share, text):
        if box.job is job:
            box.progress.value = share or 0.0
            box.progress.bar_style = "info" if share is None else ""
            stage = re.sub(r"\d+", "", text), share is None
            start, done = job["began"].setdefault(stage, (monotonic(), share))
            told = left(monotonic() - start, share, done)
            box.work.value = f"computing {html.escape(text)}: {told}"

    try:
        report(None, f"{key[0]}, window {key[1]}")
        X, Y = state.data.rows(key[1], report, stop), state.maps.get(key)
        if Y is None:
            drawn = np.sort(
                np.random.default_rng(state.seed).permutation(len(X))[: state.limits["points"]]
            )
            Y = np.full((len(X), 2), np.nan)
            Y[drawn] = compute(X[drawn], key[0], state.seed, report, stop)
        places = {}
        if not np.isfinite(Y[:, 0]).all():
            report(
                None,
                f"places of {np.count_nonzero(np.isnan(Y[:, 0]))} environments that the "
                "map left out",
            )
            places = {key: env.placed(X, Y, state.data.group)}
        with state.lock:
            if stop():
                raise Stopped
            state.maps[key], state.X = Y, {key[1]: X}
            state.places |= places
            box.thinned.pop(key, None)
            choice = state.choice | wanted(box)
            end(box, job)
            box.apply(choice, redraw=bool(places), keep=True)
    except Stopped:
        pass
    except Exception as error:
        with state.lock:
            box.error = error
            end(box, job)
            box.follow()
            box.say(f"{type(error).__name__}: {error}", bad=True)


def left(elapsed: float, share: float | None, done: float | None = 0.0) -> str:
    """How long a stage still takes, from what share of it is done after `elapsed` seconds.

    `done`: the share at the beginning of these seconds, since what came before may be slower.

    Examples
    --------
    >>> left(30, 0.25), left(100, 0.25), left(3, None), left(10, 0.3, 0.1)
    ('about 90 s left', 'about 5 min left', '3 s so far', 'about 35 s left')
    """
    if share is None or done is None or share - done < 0.02:
        return f"{elapsed:.0f} s so far"
    rest = elapsed * (1 - share) / (share - done)
    return f"about {rest:.0f} s left" if rest < 100 else f"about {rest / 60:.0f} min left"
