"""Surfaces, planar faults, grain boundaries, dislocations and clouds of one frame, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from . import boundaries, clouds, heterostructures, lines, planar, surfaces
from .crystals import Structure
from .orientation import plane_name
from .regions import regions as find_regions

if TYPE_CHECKING:
    from ase import Atoms

    from .regions import Region


@dataclass
class ExtendedDefect:
    """One defect that is more than a point.

    Attributes
    ----------
    kind : str
        "surface", "adatom", "adatom island", "step", "surface vacancy", "cavity", "cluster
        surface", "intrinsic stacking fault", "extrinsic stacking fault", "twin boundary",
        "stacking fault", "lamella", "grain boundary", "phase boundary", "dislocation",
        "interface", "nucleus", "precipitate", "gas bubble" or "disordered region".
    atoms : array of int
        Indices into the frame.
    description : str
        One sentence with what it rests on.
    normal : array (3,) or None
        Unit vector, of planes; of lines the direction.
    position : array (3,)
        Å, centre (of planes: any point on it).
    confidence : float
        0 to 1: how much of the evidence agrees.
    details : dict
        Numbers behind the description.
    """

    kind: str
    atoms: np.ndarray
    description: str
    normal: np.ndarray | None
    position: np.ndarray
    confidence: float
    details: dict = field(default_factory=dict)

    def __repr__(self):
        return f"{self.kind}: {self.description}"


def extended_defects(
    atoms: Atoms, structure: Structure, regions: list[Region] | None = None
) -> list[ExtendedDefect]:
    """What in one frame is more than a point defect, each with a sentence.

    Parameters
    ----------
    atoms : ase.Atoms
        One frame (Å).
    structure : Structure
        From `structure_types` of the same frame.
    regions : list of Region, optional
        From `regions`, where they are known already.

    Returns
    -------
    list of ExtendedDefect: surfaces and what is on them, planar faults, grain boundaries,
    dislocations, clouds. Empty for a perfect crystal and for a homogeneous liquid.

    Examples
    --------
    >>> from ase.build import fcc111
    >>> from defectkit.phases.crystals import structure_types
    >>> slab = fcc111("Al", (4, 4, 6), vacuum=8)
    >>> [d.description for d in extended_defects(slab, structure_types(slab))]
    ['(111) surface of fcc, 16 atoms', '(111) surface of fcc, 16 atoms']
    """
    if not structure.neighbours.size or not np.isfinite(structure.spacing):
        return []
    grains = find_regions(atoms, structure) if regions is None else regions
    found, at_surface = _surfaces(atoms, structure, grains)
    if np.mean(structure.codes > 0) < 0.2 and not found:
        return found + _clouds(atoms, structure, grains, at_surface)
    cell = _cell(atoms)
    planes, at_fault, ribbons = _faults(structure, grains, at_surface, cell)
    used = at_surface | at_fault
    solid = [g for g in grains if not (used | ribbons)[g.atoms].mean() > 0.5]
    walls, at_wall = _boundaries(structure, solid, used, cell)
    used = used | _grown(structure, at_wall, 4) if at_wall.any() else used
    for plane in planes:
        used[plane.atoms] = True
    rows = _lines(atoms, structure, grains, used, ribbons)
    for row in rows:
        used[row.atoms] = True
    found += planes + walls + rows + _interfaces(atoms, structure, used, cell)
    found += _clouds(atoms, structure, grains, used)
    return [_inside(atoms, defect) for defect in found]


def _inside(atoms, defect):
    """The defect with its position inside the cell."""
    cell, pbc = atoms.cell.complete().array, np.asarray(atoms.pbc)
    fraction = defect.position @ np.linalg.inv(cell)
    defect.position = (fraction - np.floor(fraction + 1e-9) * pbc) @ cell
    return defect


def _surfaces(atoms, structure, grains):
    found, flags = [], np.zeros(len(atoms), bool)
    sides, cavities = surfaces.sides(atoms, structure, grains)
    for side in sides:
        flags[side.atoms] = True
        crystal = surfaces.crystal_below(structure, grains, side.atoms)
        name = crystal.name if crystal is not None else "a body that is no known crystal"
        if side.flat <= 0.5:
            words = f"curved surface of {name}, {len(side.atoms)} atoms, no one plane"
            kind = "cluster surface"
        elif side.name is None:
            words = f"surface of {name}, {len(side.atoms)} atoms"
            words += "" if crystal is None else ", of no plane with low indices"
            kind = "surface"
        else:
            words, kind = f"{side.name} surface of {name}, {len(side.atoms)} atoms", "surface"
        place = structure.positions[side.atoms].mean(axis=0)
        sure = float(np.clip(side.flat, 0, 1)) * (1.0 if side.name else 0.7)
        more = {
            "plane": side.name,
            "off_degrees": side.off,
            "layers": len(side.layers),
            "full_layer": side.full,
        }
        found.append(ExtendedDefect(kind, side.atoms, words, side.normal, place, sure, more))
        for kind, members, at, words in surfaces.features(atoms, structure, side):
            words = f"{words} of the {side.name or ''} surface"
            found.append(ExtendedDefect(kind, members, words, side.normal, at, 0.9))
            if kind != "surface vacancy":
                flags[members] = True
    for centre, volume, members in cavities:
        flags[members] = True
        words, more = f"closed cavity lined by {len(members)} atoms", {"volume_A3": volume}
        found.append(ExtendedDefect("cavity", members, words, None, centre, 0.8, more))
    return found, _grown(structure, flags) if len(sides) or len(cavities) else flags


def _grown(structure, flags, steps=2):
    """Flags and atoms "other" next to them: a surface disturbs the layer below it."""
    loose = structure.codes == 0
    for _ in range(steps):
        flags = flags | (loose & flags[structure.neighbours[:, :12]].any(axis=1))
    return flags


def _faults(structure, grains, at_surface, cell):
    found = []
    flags, ribbons = np.zeros(len(structure.codes), bool), np.zeros(len(structure.codes), bool)
    for fault in planar.faults(structure, grains, at_surface):
        host = max(
            (g for g in grains if g.code == fault.host), default=None, key=lambda g: len(g.atoms)
        )
        if host is None or fault.kind == "lamella" and fault.layers > 12:
            continue
        (flags if fault.endless else ribbons)[fault.atoms] = True
        if not fault.endless and len(fault.atoms) < 8:
            continue
        found.append(_fault(cell, fault, host, _axis(fault, grains, len(host.atoms))))
    return found, flags, ribbons


def _axis(fault, grains, largest):
    """A fault's <111> in one of the crystals beside it, of two as large the one written first."""
    names = [
        planar.turned(g.rotation, fault.normal)
        for g in grains
        if g.code == fault.host and g.rotation is not None and 2 * len(g.atoms) > largest
    ]
    return min(names, key=lambda name: (name.count("-"), name), default="[111]")


def _fault(cell, fault, host, axis):
    which = planar.guest_name(fault.host)
    plane = plane_name(fault.normal, host.rotation, fault.host)[0] or "(111)"
    axis = axis if plane == "(111)" else plane
    height = _height(cell, fault.centre, fault.normal)
    layers = {1: "one", 2: "two", 3: "three"}.get(fault.layers, str(fault.layers))
    words = (
        f"{layers} {which} layer{'s' * (fault.layers > 1)} in {host.name}, normal to {axis} "
        f"(in the cell {_vector(fault.normal)}) at {height:.1f} Å, {len(fault.atoms)} atoms"
    )
    if not fault.endless:
        words += ", ends inside the crystal"
    kind, sure = fault.kind, 0.95 if fault.endless else 0.8
    if kind == "twin boundary":
        if np.isfinite(fault.tilt) and abs(fault.tilt - 60) < 8:
            words += f"; the crystals on its sides are turned by {fault.tilt:.0f} degrees"
        elif np.isfinite(fault.tilt):
            kind, sure = "stacking fault", 0.5
            words += "; the crystals on its sides have one orientation"
        else:
            sure = 0.6
    return ExtendedDefect(
        kind,
        fault.atoms,
        words,
        fault.normal,
        fault.centre,
        sure,
        {"layers": fault.layers, "height_A": height, "plane": plane, "tilt_degrees": fault.tilt},
    )


def _boundaries(structure, grains, used, cell):
    flags, found = np.zeros(len(structure.codes), bool), []
    for wall in boundaries.grain_boundaries(structure, grains, exclude=used):
        flags[wall.atoms] = True
        flat, place = wall.flat < boundaries.FLAT * structure.spacing, "curved"
        if flat:
            height = _height(cell, wall.centre, wall.normal)
            place = f"normal to {_vector(wall.normal)} at {height:.1f} Å"
        if np.isfinite(wall.angle):
            kind = "grain boundary"
            words = (
                f"between two {wall.phases[0]} grains turned by {wall.angle:.1f} degrees "
                f"about {wall.axis}, {place}, "
            )
            if flat:
                words += f"plane {' | '.join(p or '?' for p in wall.planes)}, "
            words += f"{len(wall.atoms)} atoms"
            if abs(wall.angle - 60) < 3 and wall.axis == "<111>":
                words += "; this is the twin relation (Sigma 3)"
        else:
            kind = "phase boundary"
            words = (
                f"between {wall.phases[0]} and {wall.phases[1]}, {place}, {len(wall.atoms)} atoms"
            )
        sure = 0.9 if flat else 0.6
        found.append(
            ExtendedDefect(
                kind,
                wall.atoms,
                words,
                wall.normal,
                wall.centre,
                sure,
                {
                    "angle_degrees": wall.angle,
                    "axis": wall.axis,
                    "planes": wall.planes,
                    "rms_A": wall.flat,
                },
            )
        )
    return found, flags


def _interfaces(atoms, structure, used, cell):
    found = []
    for wall in heterostructures.interfaces(atoms, structure, used):
        height = _height(cell, wall.centre, wall.normal)
        words = (
            f"between {' and '.join(wall.sides)}, normal to {_vector(wall.normal)} at "
            f"{height:.1f} Å, {len(wall.atoms)} atoms"
        )
        more = {"sides": wall.sides, "rms_A": wall.flat}
        found.append(
            ExtendedDefect("interface", wall.atoms, words, wall.normal, wall.centre, 0.9, more)
        )
    return found


def _lines(atoms, structure, grains, used, ribbons):
    found = []
    for line in lines.dislocations(atoms, structure, grains, used, ribbons):
        along = line.along or _vector(line.direction)
        name = line.burgers_name
        sure = 0.9 if name else 0.5
        rests = (
            f"Burgers vector {name} by a circuit" if name else "no Burgers circuit could be drawn"
        )
        kind = f"{line.character} dislocation" if name else "dislocation"
        words = (
            f"{kind} along {along}, {line.length:.1f} Å long, {rests}, "
            f"{len(line.atoms)} core atoms"
        )
        found.append(
            ExtendedDefect(
                "dislocation",
                line.atoms,
                words,
                line.direction,
                line.centre,
                sure,
                {
                    "burgers": name,
                    "character": line.character,
                    "along": line.along,
                    "length_A": line.length,
                },
            )
        )
    return found


def _clouds(atoms, structure, grains, used):
    found = _bubbles(atoms, structure)
    for bubble in found:
        used = used.copy()
        used[bubble.atoms] = True
        used = _grown(structure, used)
    for cloud in clouds.clouds(atoms, structure, grains, used):
        at = ", ".join(f"{x:.1f}" for x in cloud.centre)
        within = {
            "nucleus": "in a disordered surrounding",
            "precipitate": "in the crystal",
            "disordered region": "in the crystal",
        }[cloud.kind]
        layer = not np.isfinite(cloud.radius)
        disordered = cloud.kind == "disordered region"
        what = "without the order of a crystal" if disordered else f"of {cloud.name}"
        where = f"{within}, radius {cloud.radius:.1f} Å around ({at}) Å"
        if layer:
            what = "without the order of a crystal"
            where = "beside it, through the whole cell: liquid or amorphous"
        words = f"{len(cloud.atoms)} atoms {what} {where}"
        sure = 0.9 if len(cloud.atoms) >= 50 else 0.6
        found.append(
            ExtendedDefect(
                cloud.kind,
                cloud.atoms,
                words,
                None,
                cloud.centre,
                sure,
                {
                    "radius_A": cloud.radius,
                    "name": cloud.name,
                    "asphericity": cloud.asphericity,
                    "layer": layer,
                },
            )
        )
    for symbol, cloud in clouds.element_clusters(atoms, structure):
        at = ", ".join(f"{x:.1f}" for x in cloud.centre)
        found.append(
            ExtendedDefect(
                "precipitate",
                cloud.atoms,
                f"{len(cloud.atoms)} {symbol} atoms gathered, radius "
                f"{cloud.radius:.1f} Å around ({at}) Å",
                None,
                cloud.centre,
                0.7,
                {"radius_A": cloud.radius, "name": symbol},
            )
        )
    return found


def _bubbles(atoms, structure):
    found = []
    for bubble in clouds.bubbles(atoms, structure):
        at = ", ".join(f"{x:.1f}" for x in bubble.centre)
        n_gas = int(bubble.name.split()[0])
        words = (
            f"gas bubble of {bubble.name} atoms, radius {bubble.radius:.1f} Å around ({at}) Å, "
            f"with {len(bubble.atoms) - n_gas} disordered atoms around it"
        )
        more = {"radius_A": bubble.radius, "name": bubble.name}
        found.append(
            ExtendedDefect("gas bubble", bubble.atoms, words, None, bubble.centre, 0.8, more)
        )
    return found


def _cell(atoms):
    return atoms.cell.complete().array, np.asarray(atoms.pbc)


def _height(cell, centre, normal):
    """Å along a normal of the point inside the cell."""
    box, pbc = cell
    fraction = centre @ np.linalg.inv(box)
    return float((fraction - np.floor(fraction + 1e-9) * pbc) @ box @ normal) + 0.0


def _vector(v):
    return "(" + ", ".join(f"{x:.2f}" for x in np.round(v, 2) + 0.0) + ")"
