"""Atoms in three dimensions as a static figure, drawn without OpenGL."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from numpy.typing import ArrayLike

from ..neighbours.lists import neighbour_pairs
from .colours import EDGE, Names, cell_edges, colours, legend_handles, pale, styled


@styled
def atoms3d(
    atoms: Atoms,
    labels: ArrayLike | None = None,
    names: Names = None,
    ax: Axes | None = None,
    faint: Sequence[int] = (),
    bonds: float | None = None,
    radius: float = 0.75,
    rotation: str = "12z,-78x",
    resolution: int = 900,
    legend: bool = True,
    rgb: ArrayLike | None = None,
    sites: ArrayLike | None = None,
) -> Axes:
    """Atoms as shaded spheres coloured by cluster: the static figure of a scene in the viewer.

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
    sites : array (n_sites, 3), optional
        Positions (Å) to mark by dashed circles, such as vacancies; also behind atoms.

    Returns
    -------
    matplotlib axes, in Å
    """
    from ase.utils import rotate

    if len(atoms) == 0:
        raise ValueError("there are no atoms to draw; check the selection.")
    labels = np.zeros(len(atoms), int) if labels is None else np.asarray(labels)
    if labels.shape != (len(atoms),):
        raise ValueError(
            f"labels {labels.shape} do not match {len(atoms)} atoms; give one for each."
        )
    turn = rotate(rotation)
    small = np.isin(labels, faint)
    colour = colours(labels, names) if rgb is None else np.asarray(rgb)
    colour = np.where(small[:, None], pale(colour), colour)
    radii = np.where(small, 0.45, 1.0) * radius
    position = atoms.positions @ turn
    sticks = [(a, b, 0.06, EDGE) for a, b in cell_edges(atoms.cell.array @ turn)]
    sticks += _bonds(atoms, position, colour, bonds, radius)
    ax = plt.subplots(figsize=(4.4, 4.6), layout="constrained")[1] if ax is None else ax
    picture, extent = _render(position, radii, colour, sticks, resolution)
    ax.imshow(picture, extent=extent, origin="lower", interpolation="antialiased")
    for x, y, _ in [] if sites is None else np.reshape(sites, (-1, 3)) @ turn:
        ax.add_patch(Circle((x, y), 1.6 * radius, fill=False, linestyle="--", linewidth=1.2))
    ax.set_axis_off()
    if legend and np.ptp(labels) > 0:
        handles = legend_handles(labels, names)
        ax.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            ncols=_columns(handles),
            fontsize="small",
            handletextpad=0.1,
        )
    return ax


def cut_out(atoms: Atoms, place: ArrayLike, radius: float) -> tuple[Atoms, np.ndarray]:
    """What lies around a place, whole across periodic boundaries, to draw a defect by itself.

    Parameters
    ----------
    atoms : ase.Atoms
    place : array (3,), Å
    radius : float
        Atoms up to this distance (Å) are taken, each once.

    Returns
    -------
    ase.Atoms
        Without a cell; `place` is its origin.
    array (n,) of int
        Which atoms of the frame they are.

    Examples
    --------
    >>> places = [[0.5, 0, 0], [2, 0, 0], [5, 0, 0], [9.5, 0, 0]]
    >>> row = Atoms("Ar4", places, cell=[10, 10, 10], pbc=True)
    >>> part, index = cut_out(row, [0, 0, 0], 1.0)
    >>> index.tolist(), part.positions[:, 0].tolist()
    ([0, 3], [0.5, -0.5])
    """
    if not radius > 0:
        raise ValueError(f"radius={radius} Å cuts out nothing; use one above 0.")
    vectors, away = find_mic(atoms.positions - np.asarray(place, float), atoms.cell, atoms.pbc)
    index = np.flatnonzero(away <= radius)
    return Atoms(atoms.numbers[index], vectors[index]), index


def _columns(handles):
    """Columns of a legend no wider than the picture: about 60 characters, at most three."""
    longest = max(len(handle.get_label()) for handle in handles)
    return max(1, min(3, len(handles), 60 // (longest + 5)))


def _bonds(atoms, position, colour, cutoff, radius):
    if cutoff is None:
        return []
    i, j, shift = neighbour_pairs("ijS", atoms, cutoff)
    inside = ~shift.any(axis=1)
    # Each atom draws its half of the bond in its own colour.
    return [
        (position[a], (position[a] + position[b]) / 2, 0.18 * radius, colour[a])
        for a, b in zip(i[inside], j[inside], strict=True)
    ]


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
        n = (
            np.stack(
                [
                    -side * along[1] - out * rise * along[0],
                    side * along[0] - out * rise * along[1],
                    out * flat / length,
                ],
                axis=2,
            )
            / r
        )
        draw(box, (np.abs(side) < r) & (w >= 0) & (w <= length), z, n, rgb)
    return _shade(depth, normal, base), (
        low[0],
        low[0] + width / scale,
        low[1],
        low[1] + height / scale,
    )


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
    gloss = np.clip(normal @ half.astype(np.float32), 0, 1) ** 40
    rim = np.clip(normal[:, 2] / 0.35, 0, 1) ** 0.5
    rgb = rgb * (0.48 + 0.58 * diffuse)[:, None] + 0.30 * gloss[:, None]
    rgb *= (0.45 + 0.55 * rim)[:, None]
    haze = (0.45 * (depth[seen].max() - depth[seen]) / max(np.ptp(depth[seen]), 1e-9))[:, None]
    rgba = np.zeros((*depth.shape, 4), np.float32)
    rgba[seen, :3] = np.clip(rgb * (1 - haze) + haze, 0, 1)
    rgba[seen, 3] = 1
    rgba = rgba.reshape(depth.shape[0] // 2, 2, depth.shape[1] // 2, 2, 4).mean(axis=(1, 3))
    rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-9)
    return rgba
