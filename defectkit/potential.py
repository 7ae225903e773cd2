"""Neural network potentials in n2p2's format as an ASE calculator, on the descriptors' kernels.

The raw features of the last frame stay in `NeuralNetworkPotential.features`, so descriptors of a
running simulation cost nothing; `feature_writer` stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter, warn

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.data import atomic_numbers
from ase.stress import full_3x3_to_voigt_6_stress
from ase.units import Bohr, Hartree
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike

from . import _threads
from ._loading import load
from ._shown import Shown
from ._types import FilePath
from .io.atomic_write import user_path
from .neighbours.lists import check_atoms, neighbour_list
from .symmetry import SymmetryFunctions, kernels
from .symmetry.kernels.tables import make_net
from .symmetry.n2p2_files import read_input_nn, read_number
from .symmetry.n2p2_nets import read_net

__all__ = ["NeuralNetworkPotential", "feature_writer", "read_net"]

if TYPE_CHECKING:
    from ase import Atoms

N_CHUNKS = 16  # partial sums of forces; fixed, so that results do not depend on the threads


class NeuralNetworkPotential(Shown, Calculator):
    """Energy (eV), forces (eV/Å) and stress (eV/Å^3) of an n2p2 potential, as an ASE calculator.

    Parameters
    ----------
    folder
        holds input.nn, scaling.data and weights.NNN.data (NNN: atomic number)
    length_unit
        of the folder's files in Å (default bohr)
    energy_unit
        of the folder's files in eV (default hartree)
    skin
        Å by which neighbour lists reach beyond the cutoff; they are made anew when
        an atom beyond the old list could have come inside the cutoff
    n_jobs
        threads; default all of this machine
    device
        of torch ("cuda", "cuda:1", "cpu") that computes everything but neighbours, equal to the
        compiled kernels to rounding (the last digits of forces may differ from one call to the
        next); None, the default: those, on the processor

    Results hold energy, free_energy, energies (n_atoms,), forces (n_atoms, 3) and, where the cell
    is periodic along all axes, stress (6,) in ASE's order and sign.  After a calculation,
    `features[element]` has the raw features (n_atoms_of_element, n_features), equal to
    `symmetry(atoms, element)` without scaling.  `extrapolations` counts the features of the last
    frame that lie outside the training data's range, `extrapolations_total` those of all frames
    so far; the first ones warn, later ones only count.  Activation functions, scaling modes,
    normalisation and nets per element are n2p2's; potentials with charges (4G, Q) are refused.
    Raises FileNotFoundError and ValueError that name the file and the remedy.

    Source: Behler, Parrinello, Phys. Rev. Lett. 98, 146401 (2007); Singraber, Behler, Dellago,
    J. Chem. Theory Comput. 15, 1827 (2019).
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]

    def __init__(
        self,
        folder: FilePath,
        length_unit: float = Bohr,
        energy_unit: float = Hartree,
        skin: float = 0.6,
        n_jobs: int | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__()
        n_jobs = _threads.checked(n_jobs)
        if not 0.0 <= skin < np.inf:
            raise ValueError(f"skin={skin} Å must be 0 or more; 0.6 suits most simulations.")
        folder = user_path(folder)
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{folder} is not a folder; give the one that holds input.nn, "
                "scaling.data and weights.NNN.data."
            )
        keywords = read_input_nn(folder)
        _refuse_charges(folder / "input.nn", keywords)
        scaling = folder / "scaling.data"
        if not scaling.is_file():
            raise FileNotFoundError(
                f"{scaling} does not exist; the net cannot be used without "
                "it: copy it from where the potential comes from."
            )
        self.symmetry = SymmetryFunctions.from_n2p2(folder, length_unit, scaling)
        self.symmetry = self.symmetry.using(device=device)
        self.skin, self.n_jobs = skin, n_jobs
        self.features, self.extrapolations, self.extrapolations_total = {}, 0, 0
        self._mean, unit = _normalisation(folder / "input.nn", keywords, energy_unit)
        self._nets = {
            e: _scaled_net(
                read_net(folder, keywords, e, self.symmetry.n2p2_order(e)),
                self.symmetry.scaling[e],
                unit,
            )
            for e in self.symmetry.elements
        }
        self._offset = _atom_energies(folder / "input.nn", keywords, self.symmetry.elements)
        self._unit = energy_unit
        self._list: tuple | None = None

    def _summary(self):
        nets = ", ".join(f"{e} {'-'.join(map(str, net.sizes))}" for e, net in self._nets.items())
        seen = f"{self.extrapolations_total} outside the training data's range so far"
        device = self.symmetry.device
        computed = [("computed", f"by torch on {device}")] if device else []
        return (
            f"NeuralNetworkPotential of {', '.join(self.symmetry.elements)}, cutoff "
            f"{self.symmetry.cutoff:.4g} Å, skin {self.skin:g} Å",
            [("nets", nets), ("features", seen), *computed],
        )

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fills `results`; called by ASE."""
        super().calculate(atoms, properties, system_changes)
        frame: Any = self.atoms  # as ASE has set it
        with _threads.for_frame(frame, self.n_jobs):
            self._evaluate(frame, "forces" in properties or "stress" in properties)

    def _evaluate(self, atoms, slopes):
        sf, n = self.symmetry, len(atoms)
        pairs = self._neighbours(atoms)
        energies, force = np.empty(n), np.zeros((N_CHUNKS, n, 3))
        virial = np.zeros((N_CHUNKS, 3, 3))
        found, features = 0, {}
        for e in sf.elements:
            centres = np.flatnonzero(atoms.numbers == atomic_numbers[e])
            if len(centres) == 0:
                continue
            frame, plan, net = sf.geometry(atoms, centres, *pairs), sf.plan(e), self._nets[e]
            raw = np.zeros((len(centres), len(sf.functions[e])))
            output = np.empty(len(centres))
            given = frame, plan, net, slopes, raw, output
            if sf.device:
                add_forces = load("symmetry.by_torch.forces").add_forces
                add_forces(sf.device, *given, force[0], virial[0])
            else:
                parts = kernels.forces_of(N_CHUNKS, *given, force, virial)
                _threads.run_parts(parts, N_CHUNKS)
            sf.check_finite(e, raw, centres)
            s = sf.scaling[e]
            found += np.count_nonzero((raw < s.minimum) | (raw > s.maximum))
            energies[centres] = (output + self._mean) + self._offset[e] * self._unit
            features[e] = raw
        self.features = features
        self._count(found)
        energy = energies.sum()
        self.results = {"energy": energy, "free_energy": energy, "energies": energies}
        if slopes:
            self.results["forces"] = force.sum(axis=0)
            if atoms.pbc.all():
                self.results["stress"] = full_3x3_to_voigt_6_stress(
                    -virial.sum(axis=0) / atoms.get_volume()
                )

    def _neighbours(self, atoms):
        """The neighbour list, made anew if a pair beyond it may have come inside the cutoff."""
        cutoff, cell = self.symmetry.cutoff, atoms.cell.complete().array
        if self._list is not None:
            old, old_cell, pbc, numbers, found = self._list
            if np.array_equal(atoms.numbers, numbers) and np.array_equal(atoms.pbc, pbc):
                strain = np.linalg.solve(old_cell, cell)
                moved = atoms.positions - old @ strain
                reach = (
                    cutoff + 2.0 * np.sqrt(np.max(np.sum(moved * moved, axis=1)))
                ) / np.linalg.svd(strain, compute_uv=False)[-1]
                if reach <= cutoff + self.skin:
                    return found
        check_atoms(atoms, self.symmetry.elements, cutoff=self.symmetry.cutoff)
        with catch_warnings():
            simplefilter("ignore")  # an isolated molecule is a fair question to a potential
            found = neighbour_list(atoms, cutoff + self.skin)
        self._list = (
            atoms.positions.copy(),
            cell.copy(),
            atoms.pbc.copy(),
            atoms.numbers.copy(),
            found,
        )
        return found

    def _count(self, found):
        if found and not self.extrapolations_total:
            warn(
                f"{found} symmetry functions of this frame lie outside the range of the "
                "potential's training data: energies and forces may be wrong; further cases are "
                "only counted (extrapolations_total).",
                stacklevel=3,
            )
        self.extrapolations = found
        self.extrapolations_total += found


def _scaled_net(layers, scaling, unit):
    n = len(layers[0][0])
    return make_net(
        layers,
        np.broadcast_to(scaling.offset, n),
        np.broadcast_to(scaling.factor, n),
        scaling.low,
        unit,
    )


def feature_writer(
    calculator: NeuralNetworkPotential,
    path: FilePath,
    n_frames: int,
    element: str = "O",
    dtype: DTypeLike = np.float32,
) -> Callable[[], None]:
    """A function for ASE's `dynamics.attach` that stores the features of the frame just computed.

    Parameters
    ----------
    path
        .npy file, written anew: (n_frames, n_centres, n_features), in the order of time;
        frames not reached are NaN, frames beyond n_frames are dropped
    element
        whose features

    The features are those of the calculator's last calculation: no further computing.
    """
    if n_frames < 1:
        raise ValueError(f"n_frames={n_frames}: give the number of frames to store, at least 1.")
    state: dict[str, Any] = {"frame": 0, "file": None}

    def store():
        if element not in calculator.features:
            raise ValueError(
                f"the calculator has no features of {element} yet; run a calculation "
                "on atoms that hold that element first."
            )
        values = calculator.features[element]
        if state["file"] is None:
            made = open_memmap(path, "w+", dtype, (n_frames, *values.shape))
            made[:] = np.nan
            state["file"] = made
        if state["frame"] < n_frames:
            state["file"][state["frame"]] = values
            state["file"].flush()
            state["frame"] += 1

    return store


def _refuse_charges(where, keywords):
    for name in ("nnp_type", "nnp_generation", "nnp_gen", "nnp_type_gen"):
        for line, words in keywords.get(name, []):
            if words[:1] not in (["2G-HDNNP"], ["2G"], ["2"], ["0"]):
                raise ValueError(
                    f"{where}, line {line}: potentials with charges ({name} "
                    f"{' '.join(words)}) are not supported; take a short-range one "
                    "(2G-HDNNP)."
                )


def _normalisation(where, keywords, energy_unit):
    """Energy per atom and factor (eV) that turn the net's output into an energy."""
    names = ("mean_energy", "conv_energy", "conv_length")
    given = [n for n in names if n in keywords]
    if len(given) not in (0, 3):
        raise ValueError(
            f"{where}: {', '.join(given)} without the rest; give all or none of "
            f"{', '.join(names)}."
        )
    factor = read_number(keywords, "conv_energy", 1.0)
    if not factor > 0.0:
        raise ValueError(f"{where}: conv_energy {factor:g} must be positive.")
    # conv_length rescales G's parameters and distances alike: the features do not notice.
    return read_number(keywords, "mean_energy", 0.0) * energy_unit, energy_unit / factor


def _atom_energies(where, keywords, elements):
    found = dict.fromkeys(elements, 0.0)
    for line, words in keywords.get("atom_energy", []):
        try:
            element, value = words[0], float(words[1])
        except (IndexError, ValueError):
            raise ValueError(
                f"{where}, line {line}: 'atom_energy' needs an element and a number."
            ) from None
        if element in found:
            found[element] = value
    return found
