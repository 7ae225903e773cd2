"""From arrays or a result to an explorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ..._types import Source
from ...embedding.worker import compute
from ..choosers import require
from . import sources, state

if TYPE_CHECKING:
    from ...descriptors.protocol import Descriptor
    from .widget import Explorer


def explorer(
    source: Any,
    features: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    maps: ArrayLike | Mapping[Any, ArrayLike] | None = None,
    frame: ArrayLike | None = None,
    atom: ArrayLike | None = None,
    *,
    truth: ArrayLike | Mapping[str, ArrayLike] | None = None,
    names: Mapping[int, str] | Sequence[str] | None = None,
    trajectory: Source = None,
    symmetry: Descriptor | None = None,
    windows: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    max_points: int = 40_000,
    max_atoms: int = 50_000,
    region: int = 2_000,
    seed: int = 0,
    height: int = 420,
) -> Explorer:
    """Map of environments, the atoms of one frame and time, each following the others.

    Lasso points of the map (second button of its toolbar) or click atoms: in both pictures the
    others fade, and `.selection` tells which environments were chosen. A method or window without
    a map is computed in another process, with progress and a button to cancel; meanwhile all else
    goes on. Environments that a map left out are placed by their nearest neighbours in the space
    of the features, paler. A click in the legend isolates, hides or chooses a cluster. The bulk,
    a cluster of more than two thirds of the environments, is drawn small.

    Parameters
    ----------
    source : Result of :func:`defectkit.identify`, or list of ase.Atoms
        With a `Result` give nothing but `truth` and what follows it.
    features : array (n, n_features) or (n_frames, n_atoms, n_features), optional
        One row an environment; or by frame and labelled atom, to average over windows.
    labels : array (n,) of int, optional
        Cluster of each environment, -1 is noise.
    maps : array (n, 2), {method: array} or {(method, window): array}, optional
        Maps that are ready; NaN where an environment has no place.
    frame, atom : array (n,) of int, optional
        Where each environment is. Default: all atoms of all frames, in their order.
    truth : array (n,) or {name: array}, optional
        Known labels, numbers or words.
    names : dict {cluster: name} or sequence of str, optional
        Default: those of the `Result`.
    trajectory : list of ase.Atoms, optional
        The frames a `Result` was made from; with it other methods and windows can be computed.
    symmetry : SymmetryFunctions, optional
        Default as `identify`.
    windows : sequence of int, optional
        Averages to choose from (frames).
    columns : sequence of str, optional
        Names of the features; those of `SymmetryFunctions.names` are shown in words.
    max_points, max_atoms, region : int
        Points and atoms drawn at most, and atoms of the choice "near the chosen"; a line below
        each picture says what is left out.
    seed : int
    height : int, of the pictures (pixels)

    Returns
    -------
    Explorer, an ipywidgets.VBox
        `.selection`: `.index`, `.frame`, `.atom` of the chosen environments. `.labels`,
        `.names`: clusters as they are now. As a user does, without a browser:
        ``.choose(method=, window=, colour=, frame=, atoms=, bulk=)``, ``.select(frame=, atoms=)``
        or ``.select(index=)`` or ``.select(cluster=)``, ``.go_to(atom)``, ``.isolate(cluster)``,
        ``.hide(cluster)``, ``.rename(cluster, name)``, ``.merge(clusters)``, ``.split_off(name)``
        (the chosen become a cluster), ``.cluster_map()``, ``.undo()``, ``.redo()``,
        ``.cancel()``, ``.wait()``, ``.export(path)``, and ``.figure()``, the static twin.

    Raises
    ------
    ImportError
        nglview, jupyter-scatter or ipywidgets is missing.
    ValueError
        Arrays that do not fit one another, or nothing to draw.
    """
    if hasattr(source, "info"):
        data = sources.from_result(source, trajectory, symmetry, windows, truth)
        names = source.captions if names is None else names
    else:
        data = sources.from_arrays(
            source, features, labels, maps, frame, atom, truth, windows, columns
        )
    if min(max_points, max_atoms, region) < 1:
        raise ValueError("max_points, max_atoms and region must be at least 1.")
    for package in ("jscatter", "nglview", "ipywidgets"):
        require(package)
    from .widget import Explorer

    ready = data.maps
    if not ready:  # a first one that takes no time
        window = data.windows[0]
        X = data.rows(window, lambda *_: None, lambda: False)
        ready = {("pca", window): compute(X, "pca")}
    limits = {"points": max_points, "atoms": max_atoms, "region": region}
    return Explorer(state.start(data, ready, names, limits, seed), height)
