"""Figures: maps, atoms in three dimensions, error curves. Each function takes and returns axes.

A cluster has the same colour in every figure: ``PALETTE[label]``, noise is grey.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

__all__ = ["METHODS", "NOISE", "PALETTE", "atoms3d", "colours", "embedding", "embeddings",
           "error_curve", "snapshots"]

#: Colours by cluster number, from Okabe and Ito's and Paul Tol's sets, in an order chosen so that
#: neighbours and noise stay apart also with red-green colour vision deficiency.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#882255", "#56B4E9", "#E69F00", "#332288", "#DDCC77",
           "#A0522D", "#CC79A7", "#EE6677", "#999933")
NOISE = "#C8C8C8"
#: Colour and marker of each method in curves.
METHODS = {"pca": ("#555555", "s"), "umap": ("#D55E00", "o"), "pacmap": ("#0072B2", "^")}


def colours(labels):
    """Colour of each environment's cluster.

    Parameters
    ----------
    labels : array (n,) of int; -1 is noise. Beyond the palette colours repeat.

    Returns
    -------
    array (n, 3), red, green and blue from 0 to 1

    Examples
    --------
    >>> colours([0, -1]).round(2).tolist()
    [[0.0, 0.45, 0.7], [0.78, 0.78, 0.78]]
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(f"labels must be a list of integers, got {labels.dtype} of shape "
                         f"{labels.shape}; give names separately.")
    table = np.array([to_rgb(c) for c in (*PALETTE, NOISE)])
    return table[np.where(labels < 0, len(PALETTE), labels % len(PALETTE))]


def embedding(Y, labels=None, names=None, ax=None, title=None, size=None, legend=True):
    """One map, coloured by cluster or known phase, with the number of environments of each.

    Points are drawn in a shuffled order, so that no cluster hides another, and rasterised.

    Parameters
    ----------
    Y : array (n, 2)
    labels : array (n,) of int, optional
    names : sequence of str or dict {label: str}, optional
        Name of cluster 0, 1, ...; otherwise its number.
    ax : matplotlib axes, optional
    title : str, optional
    size : float, optional
        Area of a point (points^2); from n by default.
    legend : bool

    Returns
    -------
    matplotlib axes
    """
    Y, labels = _points(Y, labels, names)
    ax = plt.subplots(figsize=(4, 4.4), layout="constrained")[1] if ax is None else ax
    order = np.random.default_rng(0).permutation(len(Y))
    ax.scatter(*Y[order].T, c=colours(labels)[order], linewidths=0, rasterized=True,
               s=np.clip(2e4 / len(Y), 0.6, 12) if size is None else size)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set(color="#888888", linewidth=0.6)
    if legend and np.ptp(labels) > 0:
        handles = _legend(labels, names)
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01),
                  ncols=min(2, len(handles)), frameon=False, fontsize="small",
                  handletextpad=0.1, columnspacing=1.0)
    return ax


def embeddings(maps, labels=None, names=None, axes=None):
    """Several maps of the same environments side by side, with one legend below.

    Parameters
    ----------
    maps : dict {title: array (n, 2)}
    labels : array (n,) of int, or dict {title: array}, optional
    names : sequence of str or dict {label: str}, optional
    axes : array of axes, optional

    Returns
    -------
    array of axes
    """
    if not maps:
        raise ValueError("there are no maps to draw; give {title: map}.")
    if axes is None:
        n = len(maps)
        rows = 1 if n <= 5 else -(-n // 4)
        columns = -(-n // rows)
        axes = plt.subplots(rows, columns, figsize=(2.9 * columns, 2.95 * rows + 0.45),
                            layout="constrained", squeeze=False)[1]
    axes = np.atleast_1d(axes)
    if axes.size < len(maps):
        raise ValueError(f"{axes.size} axes are too few for {len(maps)} maps.")
    of = labels if isinstance(labels, dict) else dict.fromkeys(maps, labels)
    for ax, (title, Y) in zip(axes.flat, maps.items(), strict=False):
        embedding(Y, of.get(title), names, ax=ax, title=title, legend=False)
    for ax in axes.flat[len(maps):]:
        ax.set_axis_off()
    given = [np.asarray(part) for part in of.values() if part is not None]
    if given:
        same = all(np.array_equal(given[0], g) for g in given)
        handles = _legend(given[0] if same else np.unique(np.concatenate(given)), names, same)
        axes.flat[0].figure.legend(handles=handles, loc="outside lower center", frameon=False,
                                   ncols=min(6, len(handles)), handletextpad=0.1)
    return axes


def snapshots(states, iterations, labels=None, names=None, axes=None):
    """PaCMAP's map at several iterations of its optimisation (the paper's Fig. S6).

    Parameters
    ----------
    states : array (n_snapshots, n, 2), from ``embed(X, "pacmap", snapshots=iterations)``
    iterations : sequence of int
    labels, names, axes
        As in :func:`embeddings`.

    Returns
    -------
    array of axes
    """
    if len(states) != len(iterations):
        raise ValueError(f"{len(states)} maps do not match {len(iterations)} iterations; give the "
                         "list that embed was given.")
    return embeddings({f"iteration {i}": Y for i, Y in zip(iterations, states, strict=True)},
                      labels, names, axes)


def error_curve(x, errors, xlabel="averaging window (ps)", chosen=None, log=False, ax=None):
    """Misclassified environments against temperature or averaging window, one line a method.

    Parameters
    ----------
    x : array (n,)
    errors : dict {name: array (n,) or (n_repeats, n)}
        Fractions. With repeats: the mean, with a band from smallest to largest.
    xlabel : str
    chosen : float or dict {name: float}, optional
        Value of x that was chosen automatically, marked by a vertical line.
    log : bool
        Logarithmic axis; an error of 0 then has no point.
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes
    """
    x = np.asarray(x, dtype=float)
    ax = plt.subplots(figsize=(4.6, 3.3), layout="constrained")[1] if ax is None else ax
    chosen = chosen if isinstance(chosen, dict) else {None: chosen}
    for n, (name, values) in enumerate(errors.items()):
        values = 100 * np.atleast_2d(np.asarray(values, dtype=float))
        if values.shape[1:] != x.shape:
            raise ValueError(f"{name} has {values.shape[1]} errors for {len(x)} values of x; give "
                             "one for each.")
        colour, marker = METHODS.get(name.split()[0].lower(), (PALETTE[n % len(PALETTE)], "o"))
        ax.plot(x, values.mean(axis=0), marker=marker, color=colour, label=name, markersize=4,
                linewidth=1.4)
        ax.fill_between(x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2,
                        linewidth=0)
        if chosen.get(name) is not None:
            ax.axvline(chosen[name], color=colour, linestyle=":", linewidth=1.2)
    if chosen.get(None) is not None:
        ax.axvline(chosen[None], color="#555555", linestyle=":", linewidth=1.2)
    ax.set(xlabel=xlabel, ylabel="misclassified (%)")
    ax.set(yscale="log") if log else ax.set_ylim(bottom=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def atoms3d(atoms, labels=None, names=None, ax=None, faint=(), bonds=None, radius=0.75,
            rotation="12z,-78x", resolution=900, legend=True, rgb=None):
    """Atoms as shaded spheres coloured by cluster: the still picture of a scene in the viewer.

    Parallel projection with true occlusion, drawn without OpenGL.

    Parameters
    ----------
    atoms : ase.Atoms
    labels : array (n_atoms,) of int, optional
    names : sequence of str or dict {label: str}, optional
    ax : matplotlib axes, optional
    faint : sequence of int
        Clusters drawn small and pale, such as the bulk around a defect.
    bonds : float, optional
        Draw bonds up to this length (Å) that do not cross a boundary.
    radius : float
        Of an atom (Å).
    rotation : str
        Turns about the x, y and z axes in degrees, as ASE's viewer writes them; the picture
        looks along -z.
    resolution : int
        Pixels along the longer side.
    legend : bool
    rgb : array (n_atoms, 3), optional
        Colours to use instead of the clusters'.

    Returns
    -------
    matplotlib axes, in Å
    """
    from ase.utils import rotate

    if len(atoms) == 0:
        raise ValueError("there are no atoms to draw; check the selection.")
    labels = np.zeros(len(atoms), int) if labels is None else np.asarray(labels)
    if labels.shape != (len(atoms),):
        raise ValueError(f"labels {labels.shape} do not match {len(atoms)} atoms; give one for "
                         "each.")
    turn = rotate(rotation)
    pale = np.isin(labels, faint)
    colour = colours(labels) if rgb is None else np.asarray(rgb)
    colour = np.where(pale[:, None], 0.45 * colour + 0.55, colour)
    radii = np.where(pale, 0.45, 1.0) * radius
    position = atoms.positions @ turn
    sticks = _edges(atoms.cell.array @ turn) + _bonds(atoms, position, colour, bonds, radius)
    ax = plt.subplots(figsize=(4.4, 4.6), layout="constrained")[1] if ax is None else ax
    picture, extent = _render(position, radii, colour, sticks, resolution)
    ax.imshow(picture, extent=extent, origin="lower", interpolation="antialiased")
    ax.set_axis_off()
    if legend and np.ptp(labels) > 0:
        handles = _legend(labels, names)
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), frameon=False,
                  ncols=min(3, len(handles)), fontsize="small", handletextpad=0.1)
    return ax


def _points(Y, labels, names):
    Y = np.asarray(Y, dtype=float)
    if Y.ndim != 2 or Y.shape[1] != 2 or len(Y) == 0:
        raise ValueError(f"a map must have shape (n, 2) with n > 0, got {Y.shape}.")
    labels = np.zeros(len(Y), int) if labels is None else np.asarray(labels)
    if labels.shape != (len(Y),):
        raise ValueError(f"labels {labels.shape} do not match a map of {len(Y)} points; give one "
                         "for each.")
    check_names(labels, names)
    return Y, labels


def check_names(labels, names):
    """Raises ValueError where a list of names does not reach to the last label."""
    if names is not None and not isinstance(names, dict) and labels.max() >= len(names):
        raise ValueError(f"{len(names)} names are too few for cluster {labels.max()}; name them "
                         "all or none.")


def count(n):
    """A whole number with thin spaces between thousands, as legends show it."""
    return f"{n:,}".replace(",", "\u2009")


def cluster_name(label, names=None):
    """What a legend calls a label; `names` is a list, or a dict of those with names of their own.

    Examples
    --------
    >>> cluster_name(0, ["ice", "water"]), cluster_name(1, {0: "ice"}), cluster_name(-1)
    ('ice', 'cluster 1', 'noise')
    """
    if label < 0:
        return "noise"
    if names is None or (isinstance(names, dict) and label not in names):
        return f"cluster {label}"
    return names[label]


def _legend(labels, names, counted=True):
    handles = []
    for label in sorted(set(np.asarray(labels).tolist()), key=lambda c: (c < 0, c)):
        text = cluster_name(label, names)
        if counted:
            text += f" ({count(np.sum(np.asarray(labels) == label))})"
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=6, label=text,
                              color=colours([label])[0]))
    return handles


def _edges(cell):
    """The cell's twelve edges as (start, end, radius, colour)."""
    if np.abs(np.linalg.det(cell)) < 1e-9:
        return []
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    return [(a @ cell, b @ cell, 0.06, (0.35, 0.35, 0.35)) for a in corners for b in corners
            if np.sum(b - a) == 1 and np.abs(b - a).sum() == 1]


def _bonds(atoms, position, colour, cutoff, radius):
    if cutoff is None:
        return []
    from vesin import ase_neighbor_list

    i, j, shift = ase_neighbor_list("ijS", atoms, cutoff)
    inside = ~shift.any(axis=1)
    # Each atom draws its half of the bond in its own colour.
    return [(position[a], (position[a] + position[b]) / 2, 0.18 * radius, colour[a])
            for a, b in zip(i[inside], j[inside], strict=True)]


def _render(position, radii, colour, sticks, resolution):
    """RGBA picture of spheres and sticks by depth buffer, and its extent in Å; z points at us."""
    ends = np.array([end for stick in sticks for end in stick[:2]]).reshape(-1, 3)
    low = np.vstack([position - radii[:, None], ends]).min(axis=0) - 0.3
    high = np.vstack([position + radii[:, None], ends]).max(axis=0) + 0.3
    scale = 2 * resolution / (high - low)[:2].max()  # twice, then halved: smooth edges
    width, height = (2 * np.ceil((high - low)[:2] * scale / 2)).astype(int)
    depth = np.full((height, width), -np.inf)
    normal = np.zeros((height, width, 3), np.float32)
    base = np.zeros((height, width, 3), np.float32)

    def draw(box, inside, z, n, rgb):
        front = inside & (z > depth[box])
        depth[box][front] = z[front]
        normal[box][front] = n[front]
        base[box][front] = rgb

    def pixels(a, b):
        first = np.maximum(np.floor((np.minimum(a, b) - low[:2]) * scale), 0).astype(int)
        last = np.ceil((np.maximum(a, b) - low[:2]) * scale).astype(int) + 1
        box = (slice(first[1], min(last[1], height)), slice(first[0], min(last[0], width)))
        y, x = np.mgrid[box]
        return box, low[0] + (x + 0.5) / scale, low[1] + (y + 0.5) / scale

    for centre, r, rgb in zip(position, radii, colour, strict=True):
        box, x, y = pixels(centre[:2] - r, centre[:2] + r)
        x, y = (x - centre[0]) / r, (y - centre[1]) / r
        out = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
        draw(box, x**2 + y**2 < 1, centre[2] + r * out, np.stack([x, y, out], axis=2), rgb)
    for a, b, r, rgb in _pieces(sticks, 60 / scale):
        length, flat = np.linalg.norm(b - a), np.linalg.norm((b - a)[:2])
        if flat < 1e-6 * length:
            continue
        along, rise = (b - a)[:2] / flat, (b - a)[2] / length
        box, x, y = pixels(np.minimum(a, b)[:2] - r, np.maximum(a, b)[:2] + r)
        u = (x - a[0]) * along[0] + (y - a[1]) * along[1]
        side = (y - a[1]) * along[0] - (x - a[0]) * along[1]
        out = np.sqrt(np.clip(r**2 - side**2, 0, None))
        w = (u + out * rise) * length / flat  # distance along the axis of the point we see
        z = a[2] + w * rise + out * flat / length
        n = np.stack([-side * along[1] - out * rise * along[0],
                      side * along[0] - out * rise * along[1], out * flat / length], axis=2) / r
        draw(box, (np.abs(side) < r) & (w >= 0) & (w <= length), z, n, rgb)
    return _shade(depth, normal, base), (low[0], low[0] + width / scale,
                                         low[1], low[1] + height / scale)


def _pieces(sticks, longest):
    """Sticks cut to short lengths, since the box around a long slanted one is mostly empty."""
    for a, b, r, rgb in sticks:
        n = int(np.linalg.norm((b - a)[:2]) / longest) + 1
        for k in range(n):
            yield a + (b - a) * k / n, a + (b - a) * (k + 1) / n, r, rgb


def _shade(depth, normal, base):
    """Light from the upper left, a dark rim, haze with depth; halved to smooth the edges."""
    seen = np.isfinite(depth)
    normal, rgb = normal[seen], base[seen]
    light = np.array([-0.45, 0.55, 0.70], np.float32)
    half = (light + [0, 0, 1]) / np.linalg.norm(light + [0, 0, 1])
    diffuse = np.clip(normal @ light, 0, None)
    gloss = np.clip(normal @ half.astype(np.float32), 0, 1)**40
    rim = np.clip(normal[:, 2] / 0.35, 0, 1)**0.5
    rgb = rgb * (0.48 + 0.58 * diffuse)[:, None] + 0.30 * gloss[:, None]
    rgb *= (0.45 + 0.55 * rim)[:, None]
    haze = (0.45 * (depth[seen].max() - depth[seen]) / max(np.ptp(depth[seen]), 1e-9))[:, None]
    rgba = np.zeros((*depth.shape, 4), np.float32)
    rgba[seen, :3] = np.clip(rgb * (1 - haze) + haze, 0, 1)
    rgba[seen, 3] = 1
    rgba = rgba.reshape(depth.shape[0] // 2, 2, depth.shape[1] // 2, 2, 4).mean(axis=(1, 3))
    rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-9)
    return rgba
