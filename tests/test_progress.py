"""Progress bars are drawn where there is a place for them, and never in the way."""

import io
import sys
import time

import pytest

from defectkit._progress import describe, tqdm


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_missing_or_closed_standard_error_draws_nothing(monkeypatch, stream):
    """The bar of a step of more than 2 s failed there."""
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(tqdm(range(3))) == [0, 1, 2]


def test_elsewhere_a_bar_is_drawn(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(tqdm(range(3), desc="features")) == [0, 1, 2]
    assert "features: 100%" in stream.getvalue()
    written = len(stream.getvalue())
    assert list(tqdm(range(3), disable=True)) == [0, 1, 2]
    assert len(stream.getvalue()) == written


def test_a_new_text_waits_for_the_delay_as_the_bar_does(monkeypatch):
    """ "Cu: features: 0/1" flashed up in jobs of half a second."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    bar = tqdm(total=1, delay=2)
    describe(bar, "Cu: features")
    assert stream.getvalue() == ""
    now = time.time()
    monkeypatch.setattr("defectkit._progress.time.time", lambda: now + 3)
    describe(bar, "Cu: pacmap map")
    assert "Cu: pacmap map" in stream.getvalue()
    bar.close()
    describe(tqdm(total=1, disable=True), "nothing")
