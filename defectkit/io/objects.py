"""Frames of other programs' objects: pymatgen, MDAnalysis, OVITO, dpdata.

None of these libraries is imported: an object is known by the package that its class comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms
from ase.cell import Cell

from .elements import element_of

WHERE = {
    "MDAnalysis": "universe.add_TopologyAttr('elements', [...])",
    "OVITO": "ParticleType.name in OVITO",
    "dpdata": "system.data['atom_names']",
}


def package_of(thing: Any) -> str:
    """Package that the class of an object, or one that it inherits from, comes from."""
    for kind in type(thing).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in _FRAMES:
            return name
    return ""


def frames_of(source: Any, elements: Any = None) -> Iterator[Atoms] | None:
    """Frames (ase.Atoms) of an object of one of these libraries; None for anything else.

    `elements`  as `io.as_elements` gives them, for types 1, 2, ... or names that tell no element
    """
    name = package_of(source)
    return _FRAMES[name](source, elements) if name else None


def _pymatgen(structure, elements):
    """A Structure or Molecule; one frame."""
    if not hasattr(structure, "sites"):
        raise ValueError(
            f"a {type(structure).__name__} of pymatgen holds no atoms; give a "
            "Structure or a Molecule."
        )
    if not structure.is_ordered:
        raise ValueError(
            "this pymatgen Structure has sites that several elements share; order it "
            "first (pymatgen's OrderDisorderedStructureTransformation)."
        )
    lattice = getattr(structure, "lattice", None)
    numbers = [getattr(site.specie, "Z", 0) for site in structure]
    if lattice is None:
        yield Atoms(numbers, structure.cart_coords)
    else:
        yield Atoms(
            numbers, structure.cart_coords, cell=lattice.matrix, pbc=getattr(lattice, "pbc", True)
        )


def _mdanalysis(group, elements):
    """All frames of a Universe or AtomGroup."""
    if not hasattr(group, "atoms") or not hasattr(group, "universe"):
        raise ValueError(
            f"a {type(group).__name__} of MDAnalysis holds no atoms; give a Universe "
            "or an AtomGroup."
        )
    atoms = group.atoms
    names = next(
        (
            getattr(atoms, what)
            for what in ("elements", "types", "names")
            if _tells(getattr(atoms, what, None), elements)
        ),
        getattr(atoms, "types", [""] * len(atoms)),
    )
    numbers = _numbers(names, elements, "MDAnalysis")
    for step in group.universe.trajectory:
        box = step.dimensions
        periodic = box is not None and np.all(np.asarray(box[:3]) > 0)
        yield Atoms(
            numbers,
            atoms.positions.astype(float),
            pbc=periodic,
            cell=Cell.fromcellpar(np.asarray(box, float)) if periodic else None,
        )


def _tells(names, elements):
    """Whether every name tells an element."""
    try:
        return (
            names is not None
            and len(names) > 0
            and all(_number_of(str(name), elements) is not None for name in set(map(str, names)))
        )
    except AttributeError:
        return False


def _ovito(data, elements):
    """The particles of a DataCollection; one frame."""
    particles = getattr(data, "particles", None)
    if particles is None:
        raise ValueError(
            "this object of OVITO holds no particles; give the DataCollection that "
            "pipeline.compute() returns."
        )
    kinds = {t.id: t.name or str(t.id) for t in particles["Particle Type"].types}
    numbers = _numbers(
        [kinds.get(int(k), str(int(k))) for k in particles["Particle Type"]], elements, "OVITO"
    )
    cell = getattr(data, "cell", None)
    atoms = Atoms(numbers, np.array(particles["Position"], float))
    if cell is not None:
        matrix = np.array(cell[...], float)  # vectors in columns, then the origin
        atoms.positions -= matrix[:, 3]
        atoms.set_cell(matrix[:, :3].T)
        atoms.pbc = [bool(p) for p in cell.pbc]
    yield atoms


def _dpdata(system, elements):
    """All frames of a System or LabeledSystem."""
    data = getattr(system, "data", None)
    if not isinstance(data, dict) or "coords" not in data:
        raise ValueError(
            f"a {type(system).__name__} of dpdata holds no frames; give a System or LabeledSystem."
        )
    names = np.array(data["atom_names"], dtype=object)[np.asarray(data["atom_types"])]
    numbers = _numbers(names, elements, "dpdata")
    periodic = not data.get("nopbc", False)
    for positions, cell in zip(data["coords"], data["cells"], strict=True):
        yield Atoms(
            numbers,
            np.array(positions, float),
            pbc=periodic,
            cell=np.array(cell, float) if periodic else None,
        )


def _number_of(name, elements):
    if isinstance(elements, dict) and name in elements:
        return elements[name]
    if isinstance(elements, tuple) and name.isdigit() and 0 < int(name) <= len(elements):
        return elements[int(name) - 1]
    return element_of(name) or None


def _numbers(names, elements, program):
    found = {name: _number_of(str(name), elements) for name in dict.fromkeys(names)}
    unknown = [str(name) for name, number in found.items() if number is None]
    if unknown or not found:
        raise ValueError(
            f"{unknown[0] if unknown else 'nothing'!r} names no element in this "
            f"object of {program}; give elements={{{str(*unknown[:1])!r}: 'Si'}}, or "
            f"set them there ({WHERE[program]})."
        )
    return np.array([found[name] for name in names])


_FRAMES = {"pymatgen": _pymatgen, "MDAnalysis": _mdanalysis, "ovito": _ovito, "dpdata": _dpdata}

__all__ = ["frames_of", "package_of"]
