"""How many threads the compiled loops and the neighbour search use, and the pool that runs them.

Plain Python threads: the loops release the interpreter's lock.  A forked process makes a pool of
its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from numbers import Integral
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from ase import Atoms

_local = threading.local()
_shared: dict[str, Any] = {"pool": None}
_lock = threading.Lock()
_products = threading.RLock()  # the limit of BLAS, which one caller must not lift for another


def _forget():
    global _lock, _products
    _shared["pool"], _lock, _products = None, threading.Lock(), threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def available() -> int:
    """Threads that may be used: NUMBA_NUM_THREADS, or the cores open to this process."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def current() -> int:
    """Threads that the calling thread is to use."""
    return getattr(_local, "number", None) or available()


@contextmanager
def limited(number: int | None) -> Iterator[None]:
    """Within it the calling thread uses `number` threads."""
    before = getattr(_local, "number", None)
    _local.number = number
    try:
        yield
    finally:
        _local.number = before


def for_frame(atoms: Atoms, n_jobs: int | None = None) -> AbstractContextManager[None]:
    """`limited` to n_jobs threads, or fewer where the frame is too small for them.

    Waking a thread takes as long as 200 atoms; a small frame on many threads mostly waits.
    """
    return limited(min(n_jobs or current(), 1 + len(atoms) // 200))


def checked(n_jobs: Any) -> int | None:
    """Threads that an argument asks for: -1 all, never more than there are; None stays None.

    Raises ValueError for what is no number of threads.
    """
    if n_jobs is None:
        return None
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral):
        n = 0
    else:
        n = available() if n_jobs == -1 else int(n_jobs)
    if n < 1:
        raise ValueError(
            f"n_jobs={n_jobs!r} is no number of threads; give 1 or more, or -1 for all "
            f"{available()} of this machine."
        )
    return min(n, available())


@cache
def _blas():
    return ThreadpoolController()


@contextmanager
def one_for_products() -> Iterator[None]:
    """Within it matrix products use one thread: small ones are not worth waking others for."""
    with _products, _blas().limit(limits=1, user_api="blas"):
        yield


def run_parts(function: Callable[[int, int], Any], n: int) -> None:
    """Calls function(begin, end) for ranges that together cover 0 to n, on the current threads.

    Raises what the first failing part raises, after all have ended.
    """
    number = min(current(), n)
    if number < 2:
        function(0, n)
        return
    parts = min(n, 4 * number)  # smaller than a thread's share: the last one ends sooner
    edges = [n * part // parts for part in range(parts + 1)]
    ahead, taking = list(zip(edges, edges[1:], strict=False))[::-1], threading.Lock()

    def work():
        try:
            while ahead:
                with taking:
                    part = ahead.pop() if ahead else None
                if part:
                    function(*part)
        except BaseException:
            ahead.clear()  # the other threads end after the part they are at
            raise

    others = [_pool().submit(work) for _ in range(number - 1)]
    try:
        work()
    finally:
        failed = [other.exception() for other in others if not other.cancel()]
    for error in filter(None, failed):
        raise error


def _pool():
    with _lock:
        if _shared["pool"] is None:
            _shared["pool"] = ThreadPoolExecutor(max(available() - 1, 1), "defectkit")
        return _shared["pool"]
