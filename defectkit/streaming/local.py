"""Dask workers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from numbers import Integral
from typing import Any

from .._threads import available

__all__ = ["check_client", "connected", "local_client"]

# Dask looks at its own health fifty times a second and at what workers do a hundred times: some
# hundredths of a core, which the work has none to spare of where each core has a worker.
_QUIET = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.client.scheduler-info-interval": "30s",
}


@contextmanager
def local_client(n_workers: int | None = None) -> Iterator[Any]:
    """A Dask client whose workers are processes of this machine; they end with the context.

    For several calls of `classify_trajectory`, or other work beside it; for one call
    ``client=n_workers`` does the same. In a script, use either below ``if __name__ ==
    "__main__":``, as each worker reads the script when it starts.

    Parameters
    ----------
    n_workers : int, optional
        Processes of one thread each; default one for each core.

    Raises
    ------
    ImportError
        Without Dask.
    RuntimeError
        Workers that do not start, as in a script without that line.
    ValueError
        n_workers is no number of processes.
    """
    number = available() if n_workers is None else n_workers
    check_client(number)
    import dask
    from dask.distributed import Client, LocalCluster

    how = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_QUIET))
        try:
            cluster = stack.enter_context(LocalCluster(n_workers=int(number), **how))
        except RuntimeError as err:
            raise RuntimeError(
                "worker processes could not start; each reads your script first, so put what is "
                "to be done once, this call with it, below `if __name__ == '__main__':`."
            ) from err
        yield stack.enter_context(Client(cluster, direct_to_workers=True))


@contextmanager
def connected(client: Any) -> Iterator[Any]:
    """The client itself (None, too), or one of as many local workers while the context lasts."""
    if client is None or hasattr(client, "submit"):
        yield client
    else:
        with local_client(client) as own:
            yield own


def check_client(client: Any) -> None:
    """Raises ValueError for what is neither None, a Dask client nor a number of local workers."""
    if client is None or hasattr(client, "submit"):
        return
    if isinstance(client, bool) or not isinstance(client, Integral) or client < 1:
        raise ValueError(
            f"client={client!r} is no client of Dask and no number of processes; give "
            "dask.distributed.Client(address), or 1 or more for workers on this machine "
            f"(which has cores for {available()})."
        )
    if find_spec("distributed") is None:
        raise ImportError(
            "sharing frames among processes needs Dask; install it with `pip install distributed`."
        )
