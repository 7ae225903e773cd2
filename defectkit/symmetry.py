"""Behler-Parrinello symmetry functions of atoms, as n2p2 computes them.

`SymmetryFunctions` holds the functions of every element; calling it on an `ase.Atoms` returns the
features of each centre.  `features` does the same for a trajectory.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from warnings import warn

import numba
import numpy as np
import vesin
from ase.data import atomic_numbers
from ase.units import Bohr
from tqdm.auto import tqdm

from . import _kernels
from ._plan import Function, make_plan

N_CHUNKS = 16  # partial sums of forces; fixed, so that results do not depend on the threads

# Arguments of a symfunction_short line after centre and type; e1, e2 are neighbour elements.
_ARGUMENTS = {
    2: "e1 eta rs rc", 3: "e1 e2 eta lam zeta rc [rs]", 9: "e1 e2 eta lam zeta rc [rs]",
    12: "eta rs rc", 13: "eta rs lam zeta rc",
    20: "e1 rl rc sub", 21: "e1 e2 rl rc left right sub", 22: "e1 e2 rl rc left right sub",
    23: "rl rc sub", 24: "rl rc left right sub", 25: "rl rc left right sub",
}
_READ = {"number_of_elements", "elements", "cutoff_type", "symfunction_short", "symfunction",
         "scale_symmetry_functions", "center_symmetry_functions", "scale_min_short",
         "scale_max_short", "scale_symmetry_functions_sigma", "nnp_type", "nnp_generation",
         "nnp_gen", "nnp_type_gen", "mean_energy", "conv_energy", "conv_length", "atom_energy",
         "normalize_nodes", "global_hidden_layers_short", "global_nodes_short",
         "global_activation_short", "element_hidden_layers_short", "element_nodes_short",
         "element_activation_short"}
_UNSUPPORTED = {"symfunction_electrostatic", "element_symfunction_short",
                "global_symfunction_short", "element_symfunction_electrostatic",
                "global_symfunction_electrostatic", "element_pairsymfunction_short",
                "global_pairsymfunction_short", "use_electrostatics"}
_SUBTYPES = {"p1": 1, "p2": 2, "p3": 3, "p4": 4, "e": 5,
             "p1a": 11, "p2a": 12, "p3a": 13, "p4a": 14}


def read_input_nn(path):
    """Keywords of an n2p2 settings file: dict of keyword -> list of (line number, arguments).

    Raises FileNotFoundError, and ValueError for a file that is not an `input.nn` or that asks for
    symmetry functions in a way that is not understood here; training keywords pass.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "input.nn"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of n2p2's input.nn.")
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file; give the path of n2p2's input.nn.") from None
    keywords = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split("!")[0].split()
        if words:
            name = "symfunction_short" if words[0] == "symfunction" else words[0]
            keywords.setdefault(name, []).append((number, words[1:]))
    if "elements" not in keywords or "symfunction_short" not in keywords:
        raise ValueError(f"{path} has no 'elements' or no 'symfunction_short' line: it is not an "
                         "n2p2 input.nn; give the path of one.")
    for name, entries in keywords.items():
        if name in _UNSUPPORTED:
            raise ValueError(f"{path}, line {entries[0][0]}: '{name}' is not supported; write out "
                             "the functions as 'symfunction_short' lines.")
        near = [] if name in _READ else get_close_matches(name, _READ - {name}, 1, 0.9)
        if near and not _is_known_elsewhere(name):
            raise ValueError(f"{path}, line {entries[0][0]}: unknown keyword '{name}'; "
                             f"did you mean '{near[0]}'?")
        if name in _READ - {"symfunction_short", "atom_energy", "element_hidden_layers_short",
                            "element_nodes_short", "element_activation_short"} and len(entries) > 1:
            raise ValueError(f"{path}, line {entries[1][0]}: a second '{name}'; keep one.")
    return keywords


def _is_known_elsewhere(name):
    return name.endswith(("_electrostatic", "_charge", "_energy", "_force", "_pair"))


@dataclass(frozen=True)
class Scaling:
    """How raw values become inputs of a net: `low + (G - offset) * factor`, n2p2's order."""

    offset: np.ndarray
    factor: np.ndarray
    low: float
    minimum: np.ndarray
    maximum: np.ndarray


class SymmetryFunctions:
    """A set of symmetry functions for each element; call it on atoms to get their features.

    Made by `from_n2p2`, `silicon` or `water`.  `elements` are the known elements, `functions[e]`
    the functions of element e in the order of the columns, `cutoff` the largest radius (Å).
    """

    def __init__(self, functions, cutoff_type=2, inner=0.0, elements=None, scaling=None):
        self.functions = {e: tuple(fs) for e, fs in functions.items()}
        self.elements = tuple(sorted(elements or functions, key=atomic_numbers.__getitem__))
        self.cutoff_type, self.inner = cutoff_type, inner
        self.scaling = scaling or {}
        self.cutoff = max(f.rc for fs in self.functions.values() for f in fs)
        self._plans = {e: make_plan(fs, self.elements, cutoff_type, inner)
                       for e, fs in self.functions.items() if fs}

    @classmethod
    def from_n2p2(cls, path, length_unit=Bohr, scaling=None):
        """The symmetry functions of an n2p2 potential.

        path         `input.nn`, or the folder that holds it
        length_unit  unit of the file's lengths in Å (default bohr; 1.0 for files in Å)
        scaling      path of `scaling.data`: features are then scaled and centred as the file's
                     keywords ask; None gives raw values

        All types (2, 3, 9, 12, 13, 20-25) and cutoff functions (0-8) are read.  Raises
        FileNotFoundError and ValueError that name the file, the line and the remedy.
        Source: Singraber, Behler, Dellago, J. Chem. Theory Comput. 15, 1827 (2019).
        """
        keywords = read_input_nn(path)
        elements = [e for _, words in keywords["elements"] for e in words]
        for e in elements:
            if e not in atomic_numbers:
                raise ValueError(f"{path}: '{e}' in 'elements' is not a chemical element.")
        kind, inner = _read_cutoff(path, keywords)
        functions = {e: [] for e in elements}
        for number, words in keywords["symfunction_short"]:
            where = f"{path}, line {number}"
            function = _read_function(words, elements, number, where, length_unit)
            functions[function.centre].append(function)
        made = cls(functions, kind, inner, elements)
        if scaling is not None:
            made.scaling = _read_scaling(made, scaling, keywords)
        return made

    @classmethod
    def silicon(cls):
        """20 radial and 15 angular functions for silicon, cutoff 5 Å.

        The article's tables S1 and S2 are not at hand; this is a general grid of the same size and
        kinds, not tuned to bonds: Gaussians (type 2) centred every 0.25 Å from 0.25 to 5 Å, each as
        wide as two steps, and compact angular functions (type 22, polynomial p2; Bircher,
        Singraber, Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021)) of five angular windows,
        90 degrees wide and centred on 0, 45, 90, 135, 180 degrees, times three radial ranges that
        end at 3, 4 and 5 Å.  The cutoff function is tanh^3.

        >>> from ase.build import bulk
        >>> SymmetryFunctions.silicon()(bulk("Si")).shape
        (2, 35)
        """
        step = 0.25
        lines = [f"Si 2 Si {0.5 / step**2} {step * n} 5.0" for n in range(1, 21)]
        lines += [f"Si 22 Si Si {-rc} {rc} {centre - 45} {centre + 45} p2"
                  for rc in (3.0, 4.0, 5.0) for centre in (0, 45, 90, 135, 180)]
        return cls._from_lines(lines, ["Si"], 1.0)

    @classmethod
    def water(cls):
        """The 30 oxygen-centred functions of the RPBE-D3 water potential, cutoff 12 bohr.

        8 radial functions each for H and O neighbours and 14 narrow angular ones (type 3) for HH,
        OH and OO pairs, with the tanh^3 cutoff function.
        Source: Morawietz, Singraber, Dellago, Behler, PNAS 113, 8368 (2016).
        """
        lines = [f"O 2 {e} {eta} {rs if eta > 0.1 else 0.0} 12.0" for e, rs in (("H", 0.9), ("O", 4.0))
                 for eta in (0.001, 0.01, 0.03, 0.06, 0.15, 0.3, 0.6, 1.5)]
        grid = {"H H": ((0.07, 1), (0.03, 1), (0.01, 4)), "O H": ((0.03, 1), (0.001, 4)),
                "O O": ((0.03, 1), (0.001, 4))}
        lines += [f"O 3 {pair} {eta} {lam} {zeta} 12.0" for pair, rows in grid.items()
                  for eta, zeta in rows for lam in (1.0, -1.0)]
        return cls._from_lines(lines, ["H", "O"], Bohr)

    @classmethod
    def _from_lines(cls, lines, elements, length_unit):
        functions = {e: [] for e in elements}
        for number, line in enumerate(lines, 1):
            f = _read_function(line.split(), elements, number, f"line {number}", length_unit)
            functions[f.centre].append(f)
        return cls(functions, 2, 0.0, elements)

    def names(self, element):
        """One line per column of `element`: type, neighbours and parameters (Å, degrees)."""
        return [f.describe() for f in self._of(element)]

    def n2p2_order(self, element):
        """Columns of `element` in the order in which n2p2 sorts them (for scaling and weights)."""
        fs = self._of(element)
        return np.array(sorted(range(len(fs)), key=lambda n: fs[n].sort_key(self.elements)), int)

    def __call__(self, atoms, centres=None):
        """Behler-Parrinello features of each centre.

        atoms    ase.Atoms; any cell and boundary conditions, atoms may lie outside the cell
        centres  element symbol, or indices of atoms; default all atoms

        Returns (n_centres, n_features) float64, one row per centre in the order of the atoms (of
        the indices), columns in the order of the lines of input.nn for that element.  Raises
        ValueError for no atoms, NaN positions, unknown elements, centres of elements with
        different numbers of functions, or coinciding atoms.
        """
        index = self._centres(atoms, centres)
        symbols = np.array(atoms.get_chemical_symbols())[index]
        names = list(dict.fromkeys(symbols))
        sizes = {e: len(self._of(e)) for e in names}
        if len(set(sizes.values())) > 1:
            counts = ", ".join(f"{e} {n}" for e, n in sizes.items())
            raise ValueError(f"these centres have different numbers of features ({counts}); "
                             f"choose one element, for instance centres='{names[0]}'.")
        first, neigh, shift = neighbour_list(atoms, self.cutoff)
        out = np.zeros((len(index), sizes[names[0]]))
        for e in names:
            rows = np.flatnonzero(symbols == e)
            out[rows] = self.raw(atoms, e, index[rows], first, neigh, shift)
        return out

    def raw(self, atoms, element, centres, first, neigh, shift):
        """Features of centres of one element from a neighbour list (see `neighbour_list`)."""
        out = np.zeros((len(centres), len(self.functions[element])))
        _kernels.evaluate(*self.geometry(atoms, centres, first, neigh, shift),
                          self._plans[element], False, out, out[:, :0],
                          np.zeros((N_CHUNKS, 0, 3)), np.zeros((N_CHUNKS, 3, 3)))
        if not np.isfinite(out).all():
            row = int(centres[np.flatnonzero(~np.isfinite(out).all(1))[0]])
            raise ValueError(f"atom {row} coincides with another atom; remove one of them.")
        return self.scaled(element, out) if element in self.scaling else out

    def geometry(self, atoms, centres, first, neigh, shift):
        """The arrays that the compiled loops take before the plan."""
        lookup = np.full(119, -1)
        lookup[[atomic_numbers[e] for e in self.elements]] = np.arange(len(self.elements))
        return (np.asarray(centres, np.int64), first, neigh, shift,
                np.ascontiguousarray(atoms.positions), np.ascontiguousarray(atoms.cell.array),
                lookup[atoms.numbers], np.array([float(atomic_numbers[e]) for e in self.elements]))

    def scaled(self, element, raw):
        """Raw features (columns of input.nn) scaled and centred as `scaling.data` says."""
        s = self.scaling[element]
        return s.low + (raw - s.offset) * s.factor

    def _of(self, element):
        if not self.functions.get(element):
            known = ", ".join(e for e, fs in self.functions.items() if fs)
            raise ValueError(f"there are no symmetry functions for {element} centres; "
                             f"choose centres of {known}.")
        return self.functions[element]

    def _centres(self, atoms, centres):
        check_atoms(atoms, self.elements)
        if centres is None:
            return np.arange(len(atoms))
        if isinstance(centres, str):
            index = np.flatnonzero(np.array(atoms.get_chemical_symbols()) == centres)
            if len(index) == 0:
                self._of(centres)
                raise ValueError(f"there is no {centres} among these atoms "
                                 f"({atoms.get_chemical_formula()}); choose other centres.")
            return index
        index = np.asarray(centres)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        if len(index) == 0 or index.min() < 0 or index.max() >= len(atoms):
            raise ValueError(f"centres must be indices from 0 to {len(atoms) - 1}, at least one.")
        return index.astype(np.int64)


def check_atoms(atoms, elements):
    """Raises ValueError where atoms cannot be described by functions of `elements`."""
    if len(atoms) == 0:
        raise ValueError("this frame has no atoms; drop it or check how it was read.")
    bad = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
    if len(bad):
        raise ValueError(f"atom {bad[0]} has a position that is NaN or infinite; "
                         "repair or drop the frame.")
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(elements))
    if unknown:
        raise ValueError(f"these symmetry functions know {', '.join(elements)} but the frame holds "
                         f"{', '.join(unknown)}; remove those atoms or choose other functions.")
    for axis in range(3):
        if atoms.pbc[axis] and not np.any(atoms.cell.array[axis]):
            raise ValueError(f"the frame is periodic along axis {axis} but has no cell vector "
                             "there; set the cell or switch off that boundary.")
    if atoms.pbc.any() and abs(atoms.cell.complete().volume) < 1e-9:
        raise ValueError("the cell vectors are not linearly independent; set a proper cell.")


def neighbour_list(atoms, cutoff):
    """All pairs nearer than `cutoff` (Å), every periodic image counted, sorted by centre.

    Returns first (n_atoms + 1,), neighbour (n_pairs,), shift (n_pairs, 3): the neighbours of atom
    i are entries first[i]:first[i+1], at positions[neighbour] + shift @ cell.
    """
    if not atoms.pbc.any():
        extent = np.ptp(atoms.positions, axis=0)
        if len(atoms) > 1 and np.linalg.norm(extent) < cutoff:
            warn(f"the cutoff ({cutoff:.2f} Å) exceeds the size of this open cluster "
                 f"({np.linalg.norm(extent):.2f} Å): every atom sees all others; for bulk "
                 "environments set the cell and pbc.", stacklevel=3)
    search = vesin.NeighborList(cutoff=float(cutoff), full_list=True, sorted=True,
                                n_threads=numba.get_num_threads())
    centre, neighbour, shift = search.compute(
        points=atoms.positions, box=atoms.cell.complete().array, periodic=atoms.pbc,
        quantities="ijS")
    first = np.searchsorted(centre, np.arange(len(atoms) + 1))
    return (first.astype(np.int64), neighbour.astype(np.int32), shift.astype(np.int32))


def features(frames, symmetry, centres=None, n_jobs=None, progress=None):
    """Features of every centre in every frame.

    frames    ase.Atoms, or an iterable of them (a list, a reader, a generator)
    symmetry  a `SymmetryFunctions`
    centres   element symbol or indices; default all atoms
    n_jobs    threads; default as many as numba uses
    progress  True or False; default shows a bar when it takes more than 2 s

    Returns (n_frames, n_centres, n_features) float64, or a list of (n_centres, n_features) where
    the numbers of centres differ.  Only one frame's neighbours are in memory at a time.
    """
    single = hasattr(frames, "positions")
    frames = [frames] if single else frames
    before = numba.get_num_threads()
    if n_jobs is not None:
        if not 1 <= n_jobs <= numba.config.NUMBA_NUM_THREADS:
            raise ValueError(f"n_jobs={n_jobs} is outside 1 to {numba.config.NUMBA_NUM_THREADS}, "
                             "the number of threads on this machine.")
        numba.set_num_threads(n_jobs)
    bar = tqdm(frames, desc="features", unit="frame", delay=2, disable=progress is False)
    try:
        rows = []
        for n, atoms in enumerate(bar):
            try:
                rows.append(symmetry(atoms, centres))
            except ValueError as error:
                raise ValueError(f"frame {n}: {error}") from None
    finally:
        numba.set_num_threads(before)
    if not rows:
        raise ValueError("there are no frames; check the file or the selection.")
    same = len({len(r) for r in rows}) == 1
    return np.stack(rows) if same else rows


def _read_cutoff(path, keywords):
    number, words = keywords.get("cutoff_type", [(0, ["2"])])[0]
    try:
        kind, inner = int(words[0]), float(words[1]) if len(words) > 1 else 0.0
        if not 0 <= kind <= 8 or not 0.0 <= inner < 1.0:
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError(f"{path}, line {number}: 'cutoff_type' needs a type from 0 to 8 and, "
                         "optionally, an inner radius in [0, 1).") from None
    return kind, inner


def _read_function(words, elements, number, where, unit):
    """One `symfunction_short` line as a `Function`, lengths in Å."""
    try:
        centre, kind = words[0], int(words[1])
        names = _ARGUMENTS[kind].split()
    except (IndexError, ValueError, KeyError):
        raise ValueError(f"{where}: not a symmetry function of a known type "
                         f"({', '.join(map(str, _ARGUMENTS))}).") from None
    required = [n for n in names if not n.startswith("[")]
    if len(words) - 2 < len(required):
        raise ValueError(f"{where}: type {kind} needs '{_ARGUMENTS[kind]}' after the type.")
    given = dict(zip([n.strip("[]") for n in names], words[2:], strict=False))
    for e in (centre, given.get("e1", centre), given.get("e2", centre)):
        if e not in elements:
            raise ValueError(f"{where}: element {e} is not among the file's elements "
                             f"({', '.join(elements)}); add it to 'elements' or drop the line.")
    sub = given.pop("sub", "")
    neighbours = tuple(sorted((given.pop(e) for e in ("e1", "e2") if e in given),
                              key=atomic_numbers.__getitem__))
    if kind >= 20 and sub not in _SUBTYPES:
        raise ValueError(f"{where}: '{sub}' is not a compact function; "
                         f"choose one of {', '.join(_SUBTYPES)}.")
    try:
        value = {n: float(v) for n, v in given.items()}
        if not np.isfinite(list(value.values())).all():
            raise ValueError
    except ValueError:
        raise ValueError(f"{where}: a parameter is not a finite number.") from None
    return Function.checked(where, centre, kind, neighbours, number, sub, _SUBTYPES.get(sub, 0),
                            value, unit)


def _read_scaling(made, path, keywords):
    """`Scaling` of each element in column order from n2p2's scaling.data."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the path of scaling.data, or "
                                "scaling=None for raw values.")
    try:
        rows = [[float(w) for w in line.split()] for line in path.read_text().splitlines()
                if line.strip() and not line.lstrip().startswith("#")]
        rows = {(int(r[0]), int(r[1])): (r[2:] + [np.nan])[:4] for r in rows if len(r) >= 5}
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"{path} holds something that is not a number: it is not the "
                         "scaling.data of this potential.") from None

    def number(name, default):
        return float(keywords[name][0][1][0]) if name in keywords else default

    scale, centre = ("scale_symmetry_functions" in keywords), ("center_symmetry_functions" in keywords)
    sigma = not scale and not centre and "scale_symmetry_functions_sigma" in keywords
    low = number("scale_min_short", 0.0) if scale or sigma else 0.0
    high = number("scale_max_short", 1.0)
    result = {}
    for n, e in enumerate(made.elements, 1):
        if not made.functions[e]:
            continue
        order = made.n2p2_order(e)
        try:
            table = np.array([rows[n, m] for m in range(1, len(order) + 1)])
        except KeyError:
            raise ValueError(f"{path} lacks lines for the {len(order)} symmetry functions of {e}: "
                             "it belongs to another input.nn.") from None
        column = np.empty_like(table)
        column[order] = table
        lo, hi, mean, width = column.T
        factor = (high - low) / (hi - lo if scale else width) if scale or sigma else np.ones_like(lo)
        offset = mean if centre or sigma else lo if scale else np.zeros_like(lo)
        if not np.isfinite(factor).all() or not np.isfinite(offset).all():
            raise ValueError(f"{path}: a function of {e} has no spread (minimum equals maximum, or "
                             "sigma is missing or 0); scale with other data or drop the function.")
        result[e] = Scaling(offset, factor, low, lo, hi)
    return result
