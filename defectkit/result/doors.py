"""A result for other programs: OVITO, MDAnalysis, pymatgen, dpdata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..clusters import NOT_LABELLED
from ..descriptors.optional import library

OF_OVITO, OF_MDANALYSIS = "Defectkit Cluster", "defectkit_clusters"
OF_PYMATGEN, OF_DPDATA = "defectkit_cluster", "defectkit_clusters"


def labels_of_frames(result: Any) -> list[np.ndarray]:
    """For each frame the labels (n_atoms,) of all its atoms; NOT_LABELLED elsewhere."""
    ends = np.cumsum([len(atoms) for atoms in result.frames])
    return np.split(result.atom_labels(), ends[:-1])


def frame_labels(result: Any, frame: int) -> np.ndarray:
    """Labels (n_atoms,) of all atoms of one frame; NOT_LABELLED elsewhere."""
    if not -len(result.frames) <= frame < len(result.frames):
        raise ValueError(f"frame={frame}: the result has {len(result.frames)} frames.")
    return labels_of_frames(result)[frame]


def to_ovito(result: Any) -> Callable:
    """A modifier function for OVITO: ``pipeline.modifiers.append(result.to_ovito())``.

    It adds the particle property "Defectkit Cluster" (-1 noise, -2 not labelled) to the frames
    that identify was given: each has the labels of the average over time that it is part of, and
    -2 throughout where it is part of none. A frame beyond the last one is refused, as is one with
    another number of particles; particles with identifiers are taken in their order.
    """
    parts, source = labels_of_frames(result), np.array(result.source_frames)
    window = result.info["window"]
    first = source - (window - 1) // 2
    n_frames = result.info.get("n_source_frames", len(parts))

    def modify(frame, data):
        if not 0 <= frame < n_frames:
            raise ValueError(
                f"identify was given {n_frames} frames and OVITO asks for frame "
                f"{frame}; give the pipeline the same frames."
            )
        here = np.flatnonzero((first <= frame) & (frame < first + window))
        if len(here):
            labels = parts[here[0]]
        else:
            labels = np.full(data.particles.count, NOT_LABELLED)
        if data.particles.count != len(labels):
            raise ValueError(
                f"frame {frame} has {data.particles.count} particles and the result "
                f"{len(labels)}; append the modifier where none was deleted yet."
            )
        if "Particle Identifier" in data.particles:
            place = np.argsort(np.argsort(np.asarray(data.particles["Particle Identifier"])))
            labels = labels[place]
        data.particles_.create_property(OF_OVITO, data=labels.astype(np.int32))

    return modify


def to_mdanalysis(result: Any, universe: Any, frame: int = 0) -> np.ndarray:
    """Adds the topology attribute `defectkit_clusters` to a Universe; its atoms' labels (n,).

    Selected as ``universe.select_atoms("defectkit_cluster 1")``. A topology has one label for an
    atom, so that they are those of one frame of the result.
    """
    attributes = library("MDAnalysis.core.topologyattrs", "Result.to_mdanalysis")
    labels = frame_labels(result, frame)
    if len(universe.atoms) != len(labels):
        raise ValueError(
            f"the universe has {len(universe.atoms)} atoms and the result "
            f"{len(labels)}; give the Universe that identify was given."
        )
    if not hasattr(universe.atoms, OF_MDANALYSIS):
        kind = _attributes.get("kind") or type(
            "DefectkitClusters",
            (attributes.AtomAttr,),
            {
                "attrname": OF_MDANALYSIS,
                "singular": OF_MDANALYSIS[:-1],
                "per_object": "atom",
                "dtype": int,
                "_gen_initial_values": staticmethod(lambda na, nr, ns: np.full(na, NOT_LABELLED)),
            },
        )
        _attributes["kind"] = kind
        universe.add_TopologyAttr(kind(labels))
    universe.atoms.defectkit_clusters = labels
    return labels


def to_pymatgen(result: Any, structure: Any, frame: int = 0) -> Any:
    """A copy of a pymatgen Structure or Molecule with the site property `defectkit_cluster`."""
    labels = frame_labels(result, frame)
    if len(structure) != len(labels):
        raise ValueError(
            f"the structure has {len(structure)} sites and frame {frame} of the result "
            f"{len(labels)}; give the Structure that identify was given."
        )
    labelled = structure.copy()
    labelled.add_site_property(OF_PYMATGEN, labels.tolist())
    return labelled


def to_dpdata(result: Any, system: Any) -> Any:
    """A copy of a dpdata System with the labels (n_frames, n_atoms), `defectkit_clusters`.

    They are a data type that dpdata keeps: through slices, and in its deepmd/npy folders.
    """
    made = library("dpdata.data_type", "Result.to_dpdata")
    labels = labels_of_frames(result)
    n_frames, n_atoms = system.get_nframes(), system.get_natoms()
    if len(labels) != n_frames or any(len(part) != n_atoms for part in labels):
        raise ValueError(
            f"the system has {n_frames} frames of {n_atoms} atoms and the result {len(labels)} "
            f"of {len(labels[0])}; give the System that identify was given, with window=1."
        )
    axes = (made.Axis.NFRAMES, made.Axis.NATOMS)
    kind = made.DataType(OF_DPDATA, np.ndarray, axes, required=False)
    labelled = system.copy()
    type(labelled).register_data_type(kind)
    labelled.data[OF_DPDATA] = np.stack(labels)
    return labelled


_attributes: dict = {}  # the class that MDAnalysis knows, made once
