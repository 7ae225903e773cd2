"""Whether frames follow one another in time: the same atoms in the same order, step by step.

An average over time takes atom 5 of every frame for the same atom. Here this is looked at, frame
by frame, before anything is averaged.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.spatial import cKDTree

__all__ = ["Break", "OrderCheck", "check_order", "first_break", "in_order", "is_trajectory"]

_MOVED = 0.45  # of the nearest distance: farther, and an atom may be another one
_STRAIN = 0.02  # change of a cell between two frames that no run makes
_SMALL_STRAIN = 0.002
_LEAP = 3.0  # times the usual step: the run has been cut here
_STEPS = 32  # steps that tell what is usual, at least _FEW of them
_FEW = 8
_PAIRS = 4000  # atoms among which exchanged places are looked for
_TIMES = ("time_ps", "time", "Time", "timestep", "step", "Step")


@dataclass(frozen=True)
class Break:
    """A frame that does not follow from the one before.

    ``frame``: its number; ``reason``: what is wrong with it, in words.
    """

    frame: int
    reason: str

    def __str__(self):
        return f"frame {self.frame}: {self.reason}"


class OrderCheck:
    """Checks frames one by one as they come; in memory it keeps one of them.

    ``check(atoms)`` returns None where `atoms` follows from the frame before, else the `Break`.
    ``start`` is the number of the first frame.

    Looked at are, in this order: the number of atoms, their ids (array ``id``), their elements,
    periodic boundaries and cell, times in ``info`` where they are given, how far the cell is
    strained, and how far atoms have moved. Hydrogens count only where there is nothing else:
    molecules turn.

    Examples
    --------
    >>> from ase.build import bulk
    >>> check, atoms = OrderCheck(), bulk("Si", cubic=True)
    >>> check(atoms), check(atoms[::-1]).frame
    (None, 1)
    """

    def __init__(self, start: int = 0):
        self._n = start
        self._last: Atoms | None = None
        self._reach: float | None = None
        self._interval: float | None = None
        self._steps = deque(maxlen=_STEPS)

    def __call__(self, atoms: Atoms) -> Break | None:
        """The break between the frame before and this one, if there is one."""
        last, self._last = self._last, atoms.copy()
        frame, self._n = self._n, self._n + 1
        if last is None:
            return None
        reason = _other_atoms(last, atoms) or _other_box(last, atoms) or self._time(last, atoms)
        reason = reason or self._moved(last, atoms)
        return Break(frame, reason) if reason else None

    def _time(self, last, atoms):
        name = next(
            (n for n in _TIMES if _is_number(last.info.get(n)) and _is_number(atoms.info.get(n))),
            None,
        )
        if name is None:
            return None
        before, after = float(last.info[name]), float(atoms.info[name])
        interval = after - before
        if interval <= 0:
            how = "stands still at" if interval == 0 else f"goes back from {before:g} to"
            return f"{name} {how} {after:g}, as where another run is appended"
        if self._interval is None:
            self._interval = interval
        if abs(interval - self._interval) > 0.1 * self._interval:
            usual, self._interval = self._interval, None
            return (
                f"{name} goes on by {interval:g} from {before:g} to {after:g}, before by "
                f"{usual:g}: frames are missing or another run is appended"
            )
        return None

    def _moved(self, last, atoms):
        heavy = np.flatnonzero(atoms.numbers != 1)
        heavy = heavy if len(heavy) else np.arange(len(atoms))
        if len(heavy) == 0:
            return None
        strain, steps = _displacements(last, atoms, heavy)
        if self._reach is None:
            self._reach = _MOVED * _nearest(last.positions[heavy])
        step = float(np.sqrt(np.mean(steps**2)))
        if not np.isfinite(step):
            return "positions or cell are not finite"
        usual = np.median(self._steps) if len(self._steps) >= _FEW else np.inf
        self._steps.append(step)
        if strain > _STRAIN or (
            strain > _SMALL_STRAIN and strain > 0.5 * step / (self._reach / _MOVED)
        ):
            return (
                f"the cell is strained by {strain:.1%} while atoms keep their places, as in a "
                "set of cells and not in a run"
            )
        if step > self._reach:
            return (
                f"atoms are {step:.2f} Å from where they were (root mean square), more than "
                "half a bond: their order is another, or too much time has passed"
            )
        if step > _LEAP * usual and step > 0.1 * self._reach:
            self._steps.clear()
            return (
                f"atoms move by {step:.2f} Å (root mean square), in the frames before by "
                f"{usual:.2f} Å: another run is appended or frames are missing"
            )
        return _exchanged(last, atoms, heavy[steps > self._reach], self._reach)


def check_order(frames: Iterable[Atoms]) -> list[Break]:
    """All places at which frames do not follow one another in time, [] in a continuous trajectory.

    Parameters
    ----------
    frames : iterable of ase.Atoms

    Returns
    -------
    list of Break

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("NaCl", "rocksalt", 5.64, cubic=True)
    >>> [str(found) for found in check_order([atoms, atoms, atoms[1:]])]
    ['frame 2: 7 atoms, in the frame before 8']
    """
    check = OrderCheck()
    return [found for atoms in frames if (found := check(atoms)) is not None]


def first_break(frames: Iterable[Atoms]) -> Break | None:
    """The first place at which frames do not follow one another in time, None where all do."""
    check = OrderCheck()
    return next((found for atoms in frames if (found := check(atoms)) is not None), None)


def is_trajectory(frames: Iterable[Atoms]) -> bool:
    """Whether there are two frames or more and all follow one another in time."""
    check, n = OrderCheck(), 0
    for n, atoms in enumerate(frames, 1):  # noqa: B007
        if check(atoms) is not None:
            return False
    return n > 1


def in_order(frames: Iterable[Atoms], start: int = 0) -> Iterator[Atoms]:
    """Passes frames on, for an average over time, as long as each follows from the one before.

    Raises ValueError at the first that does not; the sentence says which and why.
    """
    check = OrderCheck(start)
    for atoms in frames:
        found = check(atoms)
        if found is not None:
            raise ValueError(
                f"{found}; average only over frames that follow one another, here "
                f"those before frame {found.frame} or those from it on."
            )
        yield atoms


def _other_atoms(last, atoms):
    if len(last) != len(atoms):
        return f"{len(atoms)} atoms, in the frame before {len(last)}"
    if "id" in last.arrays and "id" in atoms.arrays:
        before, after = last.arrays["id"], atoms.arrays["id"]
        if not np.array_equal(before, after):
            gone, new = np.setdiff1d(before, after), np.setdiff1d(after, before)
            if len(gone) or len(new):
                return (
                    f"{len(gone)} atoms left and {len(new)} entered (ids "
                    f"{', '.join(map(str, [*gone[:2], *new[:2]]))})"
                )
            return "the atoms come in another order of their ids; sort each frame by id"
    other = np.flatnonzero(last.numbers != atoms.numbers)
    if len(other) == 0:
        return None
    first = other[0]
    what = f"atom {first} is {atoms.symbols[first]}, in the frame before {last.symbols[first]}"
    if np.array_equal(np.sort(last.numbers), np.sort(atoms.numbers)):
        return f"{what}: the elements come in another order"
    return f"{what}: {len(other)} atoms have changed their element"


def _other_box(last, atoms):
    if last.cell.rank != atoms.cell.rank:
        return f"the cell has {atoms.cell.rank} vectors, in the frame before {last.cell.rank}"
    if not np.array_equal(last.pbc, atoms.pbc):
        return f"periodic along {_axes(atoms.pbc)}, in the frame before along {_axes(last.pbc)}"
    return None


def _axes(pbc):
    return "".join(axis for axis, on in zip("abc", pbc, strict=True) if on) or "no axis"


def _is_number(value):
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and np.isfinite(value)
    )


def _displacements(last, atoms, chosen):
    """Largest strain of the cell, and how far each chosen atom has moved (Å), drift taken off."""
    before, after = last.positions[chosen], atoms.positions[chosen]
    if last.cell.rank < 3:
        steps = after - before
        return 0.0, np.linalg.norm(steps - steps.mean(axis=0), axis=1)
    box = last.cell.array
    change = np.linalg.solve(box, atoms.cell.array) - np.eye(3)
    strain = float(np.abs(np.linalg.eigvalsh((change + change.T) / 2)).max())
    scaled = after @ np.linalg.inv(atoms.cell.array) - before @ np.linalg.inv(box)
    turn = np.where(
        last.pbc,
        np.angle(np.mean(np.exp(2j * np.pi * scaled), axis=0)) / (2 * np.pi),
        scaled.mean(axis=0),
    )
    scaled = scaled - turn
    scaled -= np.where(last.pbc, np.round(scaled), 0.0)
    return strain, np.linalg.norm(scaled @ box, axis=1)


def _nearest(positions):
    """Median distance to the nearest neighbour (Å), from at most 2000 atoms."""
    if len(positions) < 2:
        return 2.5
    tree = cKDTree(positions)
    some = positions[:: max(1, len(positions) // 2000)]
    return float(np.median(tree.query(some, k=2)[0][:, 1]))


def _exchanged(last, atoms, movers, reach):
    """Says which atoms have changed places: each now stands where another of them stood."""
    if len(movers) < 2:
        return None
    movers = movers[:_PAIRS]
    before, after = last.positions[movers], atoms.positions[movers]
    if last.cell.rank == 3:
        inverse = np.linalg.inv(last.cell.array)
        to = np.full(len(movers), -1)
        for k, place in enumerate(after):
            scaled = (place - before) @ inverse
            scaled -= np.where(last.pbc, np.round(scaled), 0.0)
            away = np.linalg.norm(scaled @ last.cell.array, axis=1)
            to[k] = away.argmin() if away.min() < reach else -1
    else:
        away, to = cKDTree(before).query(after)
        to = np.where(away < reach, to, -1)
    for start in range(len(movers)):
        ring, k = [start], to[start]
        while k >= 0 and k not in ring and len(ring) < 50:
            ring.append(k)
            k = to[k]
        if k == start and len(ring) > 1:
            names = ", ".join(str(movers[k]) for k in ring[:4])
            return f"atoms {names} stand in each other's places: the order of the atoms is another"
    return None
