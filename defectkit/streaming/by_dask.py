"""Frames shared among Dask's workers."""

from __future__ import annotations

import ctypes
import os
import pickle
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from .._threads import available, limited
from ..io.trajectory import parse
from .labelling import labeller

if TYPE_CHECKING:
    from ..io.source import Raw
    from .table import Row

__all__ = ["labelled_by_dask"]

_TASK_BYTES = 8_000_000
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT_BYTES = 1 << 25  # the largest that the second of them takes


@cache
def _keep_memory():
    """Has the C library keep tens of megabytes that it would give back and ask for again.

    Dask starts its workers with a setting that makes every array of more than 128 kB such a
    request, which costs a fifth of the time here.
    """
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        adjust = ctypes.CDLL(None).mallopt
        for setting in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            adjust(setting, _KEPT_BYTES)


def _sealed(what):
    """Pickled, as an array: Dask passes those on as they are, from buffer to buffer."""
    return np.frombuffer(pickle.dumps(what, protocol=5), np.uint8)


def _label_chunk(sealed, task, first, neighbours):
    """What a Dask worker does: labelled frames of a few raw ones, and the error that ends it.

    So many threads of workers share its machine.
    """
    _keep_memory()
    with limited(max(1, available() // neighbours)):
        return _sealed(_labelled_frames(pickle.loads(sealed), first, *pickle.loads(task)))


def _labelled_frames(raws, first, model, window, defect, trust_order):
    push, made = labeller(model, window, defect, trust_order, first), []
    try:
        for raw in raws:
            if (frame := push(parse(raw))) is not None:
                made.append(frame)
    except ValueError as err:  # a frame that is none: what came before it counts
        return made, err
    return made, None


def _chunk(frames, window):
    """Frames of a task: 8 to 16 for each that two tasks share, as many as make some megabytes."""
    fit = _TASK_BYTES // max(map(len, map(pickle.dumps, frames)), default=1)
    return max(16, min(max(8, fit // max(1, window - 1)), 16) * (window - 1))


def labelled_by_dask(
    client: Any, raws: Iterable[Raw], task: tuple[Any, ...], first: int, chunk: int | None
) -> Iterator[tuple[str, Row]]:
    """Labelled frames in order; no more chunks are under way than the workers need.

    Chunks travel with their task, so that a dead worker takes nothing with it.
    """
    window, raws, sealed = task[1], iter(raws), _sealed(task)
    if chunk is None:
        some = list(islice(raws, 1))
        chunk, raws = _chunk(some, window), chain(some, raws)
    workers, neighbours = _workers(client)
    shares, pending, stopped = _shares(raws, chunk, window, workers), deque(), None
    while True:
        try:
            share = next(shares, None)
        except ValueError as err:  # the file breaks off: what came before it counts
            share, stopped = None, err
        if share is not None:
            what = (_sealed(share), sealed, first, neighbours)
            pending.append(client.submit(_label_chunk, *what, pure=False))
            first += len(share) - window + 1
        while pending and (len(pending) >= 2 * workers or share is None):
            made, error = pickle.loads(pending.popleft().result())
            yield from made
            if error is not None:
                raise error
        if stopped:
            raise stopped
        if share is None:
            return


def _workers(client):
    """(threads of all workers, most of them on one machine), each at least 1."""
    by_host = Counter()
    for address, threads in client.nthreads().items():
        by_host[urlsplit(address).hostname] += threads
    return max(1, sum(by_host.values())), max(1, *by_host.values())


def _shares(raws, chunk, window, workers):
    """Lists of frames, each with the last window - 1 of the one before; short at both ends.

    So workers begin at once and end together, also where there are few chunks for them (guided
    self-scheduling: Polychronopoulos and Kuck, IEEE Trans. Comput. C-36, 1425, 1987).
    """
    shared, held, given, stopped = window - 1, deque(), 0, None
    least = max(4, 4 * shared)
    while True:
        ahead = min(2 * workers * chunk, max(least, 2 * given)) + shared
        try:
            held.extend(islice(raws, max(0, ahead - len(held))))
        except ValueError as err:
            stopped = err
        n = min(max(least, len(held) // (2 * workers)), chunk, len(held) - shared)
        if n < 1:
            break
        yield list(islice(held, n + shared))
        given += n
        for _ in range(n):
            held.popleft()
    if stopped:
        raise stopped
