"""Stacking faults and twins in close-packed crystals and diamond: counted hcp-like layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from .crystals import DIAMOND, FCC, HCP, HEXAGONAL_DIAMOND, NAMES
from .graph import groups, near_pairs, unwrapped
from .orientation import misorientation
from .smoothing import aligned
from .templates import HEXAGONAL, SYSTEM

if TYPE_CHECKING:
    from .crystals import Structure
    from .regions import Region

# host: (what its fault looks like, planes of atoms in a layer, layer distance over neighbours')
HOSTS = {FCC: (HCP, 1, np.sqrt(2 / 3)), DIAMOND: (HEXAGONAL_DIAMOND, 2, 4 / 3)}
GUESTS = {guest: host for host, (guest, _, _) in HOSTS.items()}


@dataclass
class Fault:
    """One planar fault on {111} of a cubic crystal, or on (0001) of a hexagonal one.

    Attributes
    ----------
    kind : str
    atoms : array of int
    normal : array (3,), unit vector
    centre : array (3,), Å
    layers : int, close-packed layers with the other stacking
    tilt : float, degrees between the crystals on the two sides; NaN where only one was found
    host : int, code of the crystal
    area_fraction : float, of the atoms that full planes across the cell would hold; NaN unknown
    endless : bool, whether it runs through the cell in two directions
    """

    kind: str
    atoms: np.ndarray
    normal: np.ndarray
    centre: np.ndarray
    layers: int
    tilt: float
    host: int
    endless: bool


def faults(
    structure: Structure, regions: Sequence[Region], exclude: np.ndarray | None = None
) -> list[Fault]:
    """Planar stacking faults of one frame, those with most atoms first.

    Connected atoms of the hexagonal kind beside the cubic kind are split into flat layers along
    their c axis. One layer is a coherent twin boundary, two adjacent ones an intrinsic fault, two
    with a layer of the host between an extrinsic one; more are a lamella of the other phase. In
    an hcp crystal layers of the cubic kind are faults likewise.

    Parameters
    ----------
    structure : Structure
    regions : list of Region
    exclude : array (n_atoms,) of bool, optional
        Atoms not to be used, such as those at a surface.

    Returns
    -------
    list of Fault
    """
    found = []
    usable = np.ones(len(structure.codes), bool) if exclude is None else ~exclude
    count = np.bincount(structure.codes, minlength=9)
    for cubic, (hexagonal, planes, distance) in HOSTS.items():
        one, other = count[cubic], count[hexagonal]
        if not one or not other:
            continue
        host, guest = (cubic, hexagonal) if one >= other else (hexagonal, cubic)
        layer = distance * structure.spacing
        sheets = [
            s
            for g in _families(structure, guest, usable)
            for s in _sheets(structure, g, guest, layer, planes)
        ]
        found += _joined(structure, regions, sheets, host, layer)
    return sorted(found, key=lambda f: -len(f.atoms))


def _families(structure, guest, usable):
    """Connected atoms of the guest's kind with one stacking axis."""
    i, j, _ = near_pairs(structure, 1.3 if guest in (FCC, HCP) else 1.75)
    chosen = (structure.codes == guest) & usable & np.isfinite(structure.rotation[:, 0, 0])
    both = chosen[i] & chosen[j]
    i, j = i[both], j[both]
    keep = aligned(structure.quaternion, np.full(len(chosen), guest), i, j, 15.0)
    return [g for g in groups(len(chosen), i[keep], j[keep], chosen) if len(g) >= 3]


def _axis(structure, members, guest):
    """Normal of the close-packed layers: c of a hexagonal group, of a cubic one its flat side."""
    rotation = structure.rotation[members].astype(float)
    if SYSTEM[guest] == HEXAGONAL:
        axes = rotation[:, :, 2]
        axes = axes * np.sign(axes @ axes[0])[:, None]
        return axes.mean(axis=0) / np.linalg.norm(axes.mean(axis=0))
    return None


def _sheets(structure, members, guest, layer, planes):
    """A connected family cut into single close-packed layers: (atoms, normal, height, centre)."""
    normal = _axis(structure, members, guest)
    i, j, vectors = near_pairs(structure, 1.75)
    offset, ways = unwrapped(members, i, j, vectors)
    if normal is None:
        normal = _flat_normal(structure, members, offset)
        if normal is None:
            return []
    z = offset @ normal
    order = np.argsort(z)
    gap = 0.45 * layer if planes == 1 else layer
    cuts = np.flatnonzero(np.diff(z[order]) > gap) + 1
    start = structure.positions[members[0]]
    place = start + offset
    return [
        {
            "atoms": members[part],
            "normal": normal,
            "centre": place[part].mean(axis=0),
            "ways": ways,
            "z": z[part] - z[part].mean(),
            "thick": _layers(z[part], layer, planes),
        }
        for part in np.split(order, cuts)
        if len(part) >= 3
    ]


def _layers(z, layer, planes):
    """Close-packed layers in a sheet: in diamond each is two planes 3/4 of a layer apart."""
    low, high = np.percentile(z, [10, 90])
    return max(1, round((high - low) / layer + (1.0 if planes == 1 else 0.25)))


def _flat_normal(structure, members, offset):
    """The <111> of a cubic group along which it is thinnest."""
    rotation = structure.rotation[members[len(members) // 2]].astype(float)
    axes = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / np.sqrt(3)
    axes = axes @ rotation.T
    spread = np.ptp(offset @ axes.T, axis=0)
    return axes[int(spread.argmin())]


def _joined(structure, regions, sheets, host, layer):
    """Layers that lie on each other, or with one layer of the host between, made one fault."""
    sheets = [s for s in sheets if len(s["atoms"]) >= 4]
    taken, found = set(), []
    for k, sheet in enumerate(sheets):
        if k in taken:
            continue
        taken.add(k)
        stack = [(0.0, sheet)]
        for m in range(k + 1, len(sheets)):
            other = sheets[m]
            if m in taken or abs(other["normal"] @ sheet["normal"]) < 0.97:
                continue
            step = _between(structure, sheet, other)
            if step is not None and 0.5 * layer < abs(step) < 2.5 * layer:
                stack.append((step, other))
                taken.add(m)
        found.append(_fault(structure, regions, sorted(stack, key=lambda s: s[0]), host, layer))
    return found


def _between(structure, one, other):
    """Å along the normal from the middle of one sheet to that of a near one; None elsewhere."""
    n = len(structure.codes)
    inside, z = np.zeros(n, bool), np.zeros(n)
    inside[other["atoms"]] = True
    turn = np.sign(one["normal"] @ other["normal"])
    z[other["atoms"]] = turn * other["z"]
    rows, enough = one["atoms"], 0.3 * min(len(one["atoms"]), len(other["atoms"]))
    near, v = structure.neighbours[rows], structure.vectors[rows]
    if inside[near].sum() < enough:  # with one layer of the host between: neighbours' neighbours
        v = v[:, :12, None] + structure.vectors[near[:, :12], :12]
        near = structure.neighbours[near[:, :12], :12]
        if inside[near].sum() < enough:
            return None
    hit = np.nonzero(inside[near])
    steps = v[hit] @ one["normal"] + one["z"][hit[0]] - z[near[hit]]
    return float(np.median(steps))


def _fault(structure, regions, stack, host, layer):
    heights = np.array([step for step, _ in stack])
    sheets = [sheet for _, sheet in stack]
    atoms = np.unique(np.concatenate([sheet["atoms"] for sheet in sheets]))
    largest = max(sheets, key=lambda s: len(s["atoms"]))
    normal = largest["normal"]
    layers = sum(sheet["thick"] for sheet in sheets)
    gaps = np.diff(heights) / layer
    tilt = _tilt(structure, regions, atoms, normal, host)
    if SYSTEM[host] == HEXAGONAL:
        kind = "stacking fault"
    elif layers == 1:
        kind = "twin boundary"
    elif layers == 2:
        kind = (
            "extrinsic stacking fault"
            if len(gaps) and abs(gaps[0]) > 1.5
            else "intrinsic stacking fault"
        )
    else:
        kind = "lamella"
    if normal[int(np.abs(normal).argmax())] < 0:
        normal = -normal
    endless = any(len(sheet["ways"]) >= 2 for sheet in sheets)
    centre = np.mean([sheet["centre"] for sheet in sheets], axis=0)
    if len(sheets) > 1:
        centre = sheets[0]["centre"] + sheets[0]["normal"] * (heights.mean() - heights[0])
    return Fault(kind, atoms, normal, centre, int(layers), tilt, host, endless)


def _tilt(structure, regions, atoms, normal, host):
    """Degrees between the host crystals over and under the plane; NaN where one is missing."""
    near = structure.neighbours[atoms][:, :12].ravel()
    side = (structure.vectors[atoms][:, :12] @ normal).ravel()
    far = np.abs(side) > 0.4 * structure.spacing
    label = np.full(len(structure.codes), -1)
    for k, region in enumerate(regions):
        if region.code == host and region.rotation is not None:
            label[region.atoms] = k
    best = []
    for sign in (1, -1):
        k = label[near[far & (side * sign > 0)]]
        k = k[k >= 0]
        if not len(k):
            return float("nan")
        best.append(regions[int(np.bincount(k).argmax())])
    return misorientation(best[0].rotation, best[1].rotation, host)[0]


def turned(rotation: np.ndarray, normal: np.ndarray) -> str:
    """The indices of the <111> of a cubic crystal nearest a normal, such as "[1-11]"."""
    axis = Rotation.from_matrix(rotation).inv().apply(normal)
    axis = axis * np.sign(axis[0])
    return "[" + "".join("1" if x > 0 else "-1" for x in axis) + "]"


def guest_name(host: int) -> str:
    """What the layers of a fault in this crystal look like: "hcp" in fcc."""
    every = {**{h: g for h, (g, _, _) in HOSTS.items()}, **GUESTS}
    return NAMES[every[host]]
