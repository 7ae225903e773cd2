"""What identify says of frames before it looks into them."""

import warnings

import pytest
from ase.build import bulk, molecule

from defectkit import identify
from defectkit.workflow import reading, remarks

COPPER = bulk("Cu", cubic=True) * (3, 3, 3)
BOHR = 0.529177


def scaled(atoms, factor, cell=True):
    other = atoms.copy()
    other.set_cell(atoms.cell * (factor if cell else 1.0))
    other.positions *= factor
    return other


def said_of(frames):
    return remarks.remarks(frames, [n for n, atoms in enumerate(frames) if atoms.cell.rank == 0])


def quiet(frames):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return said_of(frames)


@pytest.mark.parametrize(
    "atoms",
    [
        COPPER, bulk("Cs") * (3, 3, 3), bulk("Pb"), bulk("Ar", "fcc", 5.3),
        bulk("NaCl", "rocksalt", 5.64) * (2, 2, 2), bulk("C", "diamond", 3.1),
        bulk("CsCl", "cesiumchloride", 4.12), scaled(COPPER, 0.85),
    ],
)  # fmt: skip
def test_nothing_is_said_of_crystals_in_angstroms(atoms):
    assert quiet([atoms]) == []


@pytest.mark.parametrize(
    ("atoms", "times"),
    [(scaled(COPPER, 1 / BOHR), "1.8"), (scaled(bulk("NaCl", "rocksalt", 5.64), 1 / BOHR), "2.0")],
)
def test_lengths_in_bohr_are_asked_about(atoms, times):
    with pytest.warns(UserWarning, match=f"{times} times as far .* one bohr is 0.529 Å"):
        assert len(said_of([atoms])) == 1


def test_positions_in_another_unit_than_the_cell_are_asked_about():
    hot = COPPER.copy()
    hot.rattle(0.05, seed=1)
    hot = scaled(hot, 1 / BOHR, cell=False)
    with pytest.warns(UserWarning, match="0.[3-5] times as far .* positions and of the cell"):
        said_of([hot])


def test_a_missing_cell_is_in_the_summary():
    open_ = COPPER.copy()
    open_.pbc, open_.cell = False, None
    assert quiet([open_]) == ["there is no cell: the atoms are taken for a cluster in vacuum"]
    assert quiet([COPPER, open_, open_])[0].startswith("no cell in frame 1 and 1 more: the atoms")
    text = identify(molecule("C6H6"), method="pca", progress=False).summary()
    assert "there is no cell: the atoms are taken for a cluster in vacuum" in text


def test_a_full_cell_that_does_not_repeat_is_told():
    """ASE's Atoms(cell=...) has pbc=False."""
    closed = COPPER.copy()
    closed.pbc = False
    with pytest.warns(
        UserWarning, match="fill it along a and b and c, but pbc is False: .*cluster"
    ):
        said = said_of([closed])
    assert len(said) == 1 and "set atoms.pbc = True where the cell repeats" in said[0]
    slab = closed.copy()
    slab.center(vacuum=8, axis=2)
    with pytest.warns(UserWarning, match="along a and b, but"):
        said_of([slab])


def test_a_cluster_in_a_box_is_taken_for_one():
    for atoms in (molecule("H2O"), molecule("C60"), COPPER.copy()):
        atoms.pbc = False
        atoms.center(vacuum=5)
        assert quiet([atoms]) == []


@pytest.mark.parametrize("away", [0.0, 0.01, 0.3])
def test_atoms_nearer_than_two_nuclei_are_refused(away):
    atoms = COPPER.copy()
    atoms.positions[7] = atoms.positions[3] + [away, 0, 0] - atoms.cell[0]
    with pytest.raises(ValueError, match="frame 1: atoms 3 and 7 are .* Å apart, nearer than two"):
        identify([COPPER, atoms], method="pca", progress=False)


def test_what_takes_minutes_is_said_while_frames_are_still_read(capsys, monkeypatch):
    monkeypatch.setattr(reading, "LONG", 2 * len(COPPER) + 1)
    heard = []

    def frames():
        for _ in range(6):
            heard.append(capsys.readouterr().err)
            yield COPPER

    reading.read(frames())
    assert [n for n, text in enumerate(heard) if text] == [3]
    said = f"defectkit: {3 * len(COPPER)} atoms in 3 frames, read so far: this takes minutes; a "
    assert heard[3].startswith(said) and "max_frames" in heard[3]
    reading.read(frames(), progress=False)
    reading.read([COPPER] * 2)
    assert capsys.readouterr().err == ""
