"""Behler-Parrinello symmetry functions of atoms, as n2p2 computes them.

`SymmetryFunctions` holds the functions of every element; calling it on an `ase.Atoms` returns the
features of each centre.  `features` does the same for a trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from ase.units import Bohr

from .. import _threads
from .._loading import load
from .._progress import tqdm
from .._shown import Shown
from .._types import Centres, FilePath
from ..neighbours.lists import centre_index, check_atoms, neighbour_list
from ..neighbours.slabs import MOST, slabs
from . import frames, grids, kernels
from .kernel_tables import RADIAL_KINDS, make_plan
from .n2p2_files import read_cutoff, read_elements, read_function, read_input_nn, read_scaling

if TYPE_CHECKING:
    from ase import Atoms

    from .kernel_tables import Function
    from .kernels.tables import Frame
    from .n2p2_files import Scaling


class SymmetryFunctions(Shown):
    """A set of symmetry functions for each element; call it on atoms to get their features.

    Made by `for_elements`, `element_blind`, `from_n2p2`, `silicon` or `water`.  `elements` are the
    known elements, `functions[e]` the functions of element e in the order of the columns, `cutoff`
    the largest radius (Å).
    """

    sensitive_to = "elements, distances and angles of the neighbours, not their handedness"
    device: str | None = None  # of torch; None: the compiled kernels, on the processor
    precision: str = "double"  # of the triples

    def __init__(
        self,
        functions: Mapping[str, Sequence[Function]],
        cutoff_type: int = 2,
        inner: float = 0.0,
        elements: Sequence[str] | None = None,
        scaling: dict[str, Scaling] | None = None,
    ) -> None:
        self.functions = {e: tuple(fs) for e, fs in functions.items()}
        self.elements = tuple(sorted(elements or functions, key=atomic_numbers.__getitem__))
        self.cutoff_type, self.inner = cutoff_type, inner
        self.scaling = scaling or {}
        self.cutoff = max(f.rc for fs in self.functions.values() for f in fs)
        self._plans = {
            e: make_plan(fs, self.elements, cutoff_type, inner)
            for e, fs in self.functions.items()
            if fs
        }

    @classmethod
    def from_n2p2(
        cls, path: FilePath, length_unit: float = Bohr, scaling: FilePath | None = None
    ) -> SymmetryFunctions:
        """The symmetry functions of an n2p2 potential.

        Parameters
        ----------
        path
            `input.nn`, or the folder that holds it
        length_unit
            unit of the file's lengths in Å (default bohr; 1.0 for files in Å)
        scaling
            path of `scaling.data`: features are then scaled and centred as the file's
            keywords ask; None gives raw values

        All types (2, 3, 9, 12, 13, 20-25) and cutoff functions (0-8) are read.  Raises
        FileNotFoundError and ValueError that name the file, the line and the remedy.
        Source: Singraber, Behler, Dellago, J. Chem. Theory Comput. 15, 1827 (2019).
        """
        keywords = read_input_nn(path)
        elements = read_elements(path, keywords)
        kind, inner = read_cutoff(path, keywords)
        functions = {e: [] for e in elements}
        for number, words in keywords["symfunction_short"]:
            where = f"{path}, line {number}"
            function = read_function(words, elements, number, where, length_unit)
            functions[function.centre].append(function)
        made = cls(functions, kind, inner, elements)
        if scaling is not None:
            made.scaling = {
                e: read_scaling(scaling, keywords, n, made.n2p2_order(e), e)
                for n, e in enumerate(made.elements, 1)
                if made.functions[e]
            }
        return made

    @classmethod
    def silicon(cls) -> SymmetryFunctions:
        """20 radial and 15 angular functions for silicon, cutoff 5 Å.

        The article's tables S1 and S2 are not at hand; this is a general grid of the same size
        and kinds, the same for every phase: Gaussians (type 2) of width 0.2 Å (standard deviation)
        on shells 0.15 Å apart from 1.8 to 4.65 Å, and compact angular functions (type 22,
        polynomial p2; Bircher, Singraber, Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021))
        of five windows, 90 degrees wide and centred on 0, 45, 90, 135 and 180 degrees, times three
        radial ranges that end at 3, 4 and 5 Å.  The cutoff function is tanh^3.

        >>> from ase.build import bulk
        >>> SymmetryFunctions.silicon()(bulk("Si")).shape
        (2, 35)
        """
        return cls._from_lines(grids.silicon(), ["Si"], 1.0)

    @classmethod
    def water(cls, cutoff: float = 12.0 * Bohr) -> SymmetryFunctions:
        """The 30 oxygen-centred functions of the RPBE-D3 water potential.

        cutoff  Å; the potential's own is 12 bohr

        8 radial functions each for H and O neighbours and 14 narrow angular ones (type 3) for HH,
        OH and OO pairs, with the tanh^3 cutoff function.
        Source: Morawietz, Singraber, Dellago, Behler, PNAS 113, 8368 (2016).
        """
        if not 0.0 < cutoff < np.inf:
            raise ValueError(f"cutoff={cutoff} Å must be positive; the potential's own is 6.35 Å.")
        return cls._from_lines(grids.water(cutoff), ["H", "O"], Bohr)

    @classmethod
    def for_elements(
        cls, elements: Sequence[str], cutoff: float | None = None
    ) -> SymmetryFunctions:
        """A general grid for any elements, the same for each of them as a centre.

        Parameters
        ----------
        elements
            symbols
        cutoff
            Å; default 4.5 covalent radii of the largest element, at least 4.5 Å.  One taken
            from data, 2.5 times the nearest-neighbour distance, suits metals and
            semiconductors alike

        Per neighbour element 12 Gaussians (type 2) on shells from 0.25 to 0.95 of the cutoff, as
        wide (standard deviation) as the shells are apart; per pair of elements compact angular
        functions (type 22, polynomial p2; Bircher, Singraber, Dellago (2021)) of five windows, 90
        degrees wide and centred on 0, 45, 90, 135 and 180 degrees, times radial ranges that end at
        0.6, 0.8 and 1 of the cutoff: 27 functions for one element, 69 for two, 258 for four.  More
        elements would take thousands: beyond four come the 27 functions of `element_blind` and,
        of the same grid, 27 that weight each neighbour by its atomic number (types 12 and 25;
        Gastegger et al., J. Chem. Phys. 148, 241709 (2018)).  The cutoff function is tanh^3.

        >>> SymmetryFunctions.for_elements(["Cu"]).cutoff
        5.94
        >>> len(SymmetryFunctions.for_elements(["Cr", "Mn", "Fe", "Co", "Ni"]).names("Fe"))
        54
        """
        elements, cutoff = grids.elements_and_cutoff(elements, cutoff)
        if len(elements) > 4:
            return cls._of_all_elements(elements, cutoff, ("1", "Z"))
        return cls._from_lines(grids.for_elements(elements, cutoff), elements, 1.0)

    @classmethod
    def element_blind(
        cls, elements: Sequence[str], cutoff: float | None = None
    ) -> SymmetryFunctions:
        """A general grid that sees where the neighbours are, not which elements they are.

        elements  symbols
        cutoff    Å; default as in `for_elements`

        The 27 functions that `for_elements` gives one element, summed over all neighbours alike
        (types 12 and 25 with a weight of one), the same for every element as a centre: a random
        alloy on one lattice is one crystal.

        >>> from ase.build import bulk
        >>> salt = bulk("NaCl", "rocksalt", 5.64)
        >>> na, cl = SymmetryFunctions.element_blind(["Na", "Cl"])(salt)
        >>> bool(abs(na - cl).max() < 1e-12)
        True
        """
        return cls._of_all_elements(*grids.elements_and_cutoff(elements, cutoff), ("1",))

    @classmethod
    def _of_all_elements(cls, elements, cutoff, weights):
        made = cls._from_lines(grids.of_all_elements(elements, cutoff), elements, 1.0)
        functions = {
            e: [replace(f, weight=weight) for weight in weights for f in fs]
            for e, fs in made.functions.items()
        }
        return cls(functions, made.cutoff_type, made.inner, elements)

    @classmethod
    def _from_lines(cls, lines, elements, length_unit):
        functions = {e: [] for e in elements}
        for number, line in enumerate(lines, 1):
            f = read_function(line.split(), elements, number, f"line {number}", length_unit)
            functions[f.centre].append(f)
        return cls(functions, 2, 0.0, elements)

    def using(self, precision: str | None = None, device: str | None = None) -> SymmetryFunctions:
        """The same functions computed otherwise; None leaves a setting, an attribute, as it is.

        precision  "double", or "single" for the triples, the costly part: each column agrees with
                   double to 1e-5 of its largest value (to 1e-7 of what one triple can add, where
                   all its values are next to nothing); forces are always in double
        device     "cuda", "cuda:1", "cpu" or another one with double precision: by torch, to 1e-9
                   of a column's largest; neighbours are still found on the processor; a quarter
                   of a card's free memory is used, 15 GB at most

        Features stay float64.  A file keeps the precision, not the device.  Raises ValueError for
        another precision, single with a zeta above 64, and where torch has no such device;
        ImportError without torch.

        >>> SymmetryFunctions.silicon().using(precision="single").precision
        'single'
        """
        made = copy(self)
        made.precision = self.precision if precision is None else precision
        made.device = self.device if device is None else str(device)
        frames.check_precision(made.precision, (f for fs in self.functions.values() for f in fs))
        if device is not None:
            load("symmetry.by_torch.devices").check_device(device)
        return made

    def _summary(self):
        kinds = {}
        for e in self.elements:
            fs = self.functions.get(e, ())
            radial = sum(f.kind in RADIAL_KINDS for f in fs)
            text = f"{len(fs)} functions, {radial} radial and {len(fs) - radial} angular"
            text += ", scaled" if e in self.scaling else ""
            kinds.setdefault(text if fs else "none of its own", []).append(e)
        title = (
            f"SymmetryFunctions of {', '.join(self.elements)}, cutoff {self.cutoff:.4g} Å, "
            f"cutoff function {self.cutoff_type}"
            + (f", by torch on {self.device}" if self.device else "")
            + (f", {self.precision} precision" if self.precision != "double" else "")
        )
        return title, [(", ".join(names), text) for text, names in kinds.items()]

    def names(self, element: str) -> list[str]:
        """One line per column of `element`: type, neighbours and parameters (Å, degrees)."""
        return [f.describe() for f in self._of(element)]

    def plan(self, element: str) -> Any:
        """The tables of `element` that the compiled loops take (`kernels.tables.Plan`)."""
        self._of(element)
        return self._plans[element]

    def n2p2_order(self, element: str) -> np.ndarray:
        """Columns of `element` in the order in which n2p2 sorts them (for scaling and weights)."""
        fs = self._of(element)
        return np.array(sorted(range(len(fs)), key=lambda n: fs[n].sort_key(self.elements)), int)

    def __call__(
        self, atoms: Atoms, centres: Centres = None, progress: bool = False
    ) -> np.ndarray:
        """Behler-Parrinello features of each centre.

        atoms    ase.Atoms; any cell and boundary conditions, atoms may lie outside the cell
        centres  element symbol, or indices of atoms; default all atoms
        progress True shows a bar where a frame is so large that it is worked on in slabs

        Returns (n_centres, n_features) float64, one row per centre in the order of the atoms (of
        the indices), columns in the order of the lines of input.nn for that element.  Raises
        ValueError for no atoms, NaN positions, unknown elements, centres of elements with
        different numbers of functions, or coinciding atoms.
        """
        index = self._centres(atoms, centres)
        numbers = atoms.numbers[index]
        names = [chemical_symbols[z] for z in dict.fromkeys(numbers.tolist())]
        sizes = {e: len(self._of(e)) for e in names}
        if len(set(sizes.values())) > 1:
            counts = ", ".join(f"{e} {n}" for e, n in sizes.items())
            raise ValueError(
                f"these centres have different numbers of features ({counts}); "
                f"choose one element, for instance centres='{names[0]}', "
                "or call by_element."
            )
        out = np.zeros((len(index), sizes[names[0]]))
        for _, rows, values in self._in_slabs(atoms, index, names, progress):
            out[rows] = values
        return out

    def by_element(self, atoms: Atoms) -> dict[str, np.ndarray]:
        """Features of all atoms whose element has functions: dict of element -> (n_e, n_features).

        One neighbour search serves all elements; rows are in the order of the atoms.
        """
        check_atoms(atoms, self.elements, cutoff=self.cutoff)
        of_element = {e: atoms.numbers == atomic_numbers[e] for e in self._plans}
        out = {
            e: np.zeros((mine.sum(), len(self.functions[e])))
            for e, mine in of_element.items()
            if mine.any()
        }
        for e, rows, values in self._in_slabs(atoms, np.arange(len(atoms)), list(out)):
            out[e][(np.cumsum(of_element[e]) - 1)[rows]] = values
        return out

    def _in_slabs(self, atoms, index, names, progress=False):
        """Yields element, rows of `index` and their features, by slabs of a large frame."""
        if not self.device:  # all of numba is imported with them, at once
            kernels.compiled(*kernels.FEATURES[self.precision])
        numbers = atoms.numbers[index]
        for part, ids, own in tqdm(
            slabs(atoms, self.cutoff),
            "features of one frame",
            -(-len(atoms) // MOST),
            unit="slab",
            delay=2,
            leave=False,
            disable=not progress or len(atoms) <= MOST,
        ):
            place = np.full(len(atoms), -1)
            place[ids[own]] = own
            here = place[index]
            if (here < 0).all():
                continue
            with _threads.for_frame(part):
                pairs = neighbour_list(part, self.cutoff, copy=False)
                for e in names:
                    rows = np.flatnonzero((numbers == atomic_numbers[e]) & (here >= 0))
                    if len(rows):
                        yield e, rows, self.raw(part, e, here[rows], *pairs, ids)

    def raw(
        self,
        atoms: Atoms,
        element: str,
        centres: np.ndarray,
        first: np.ndarray,
        neigh: np.ndarray,
        shift: np.ndarray,
        ids: np.ndarray | None = None,
    ) -> np.ndarray:
        """Features of centres of one element from a neighbour list (see `neighbour_list`).

        `ids`: by what number errors call each atom, default its index.
        """
        out = np.zeros((len(centres), len(self.functions[element])))
        frame, plan = self.geometry(atoms, centres, first, neigh, shift), self.plan(element)
        if self.device:
            single = self.precision == "single"
            load("symmetry.by_torch.functions").add_features(self.device, single, frame, plan, out)
        else:
            _threads.run_parts(kernels.features_of(frame, plan, out, self.precision), len(centres))
        self.check_finite(element, out, centres, ids)
        return self.scaled(element, out) if element in self.scaling else out

    def check_finite(
        self, element: str, values: np.ndarray, centres: np.ndarray, ids: np.ndarray | None = None
    ) -> None:
        """Raises ValueError that says which atom or function gave no finite value.

        values   (n_centres, n_features) of `raw`; the kernel fills the row of an atom that
                 coincides with another one with NaN
        """
        if not np.isfinite(values).all():  # names and numbers are made for the error only
            atoms = centres if ids is None else ids[centres]
            raise frames.not_finite(values, self.names(element), atoms)

    def geometry(
        self,
        atoms: Atoms,
        centres: np.ndarray,
        first: np.ndarray,
        neigh: np.ndarray,
        shift: np.ndarray,
    ) -> Frame:
        """What the compiled loops take before the plan."""
        return frames.make_frame(self.elements, atoms, centres, first, neigh, shift)

    def scaled(self, element: str, raw: np.ndarray) -> np.ndarray:
        """Raw features (columns of input.nn) scaled and centred as `scaling.data` says."""
        s = self.scaling[element]
        return s.low + (raw - s.offset) * s.factor

    def _of(self, element):
        if not self.functions.get(element):
            known = ", ".join(e for e, fs in self.functions.items() if fs)
            raise ValueError(
                f"there are no symmetry functions for {element} centres; "
                f"choose centres of {known}."
            )
        return self.functions[element]

    def _centres(self, atoms, centres):
        check_atoms(atoms, self.elements, cutoff=self.cutoff)
        if isinstance(centres, str) and centres not in atoms.symbols:
            self._of(centres)
        return centre_index(atoms, centres)
