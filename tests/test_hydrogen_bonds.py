"""Hydrogen bonds: a dimer turned through the criterion, an ice crystal, its vacancy, bad input."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.geometry import find_mic
from scipy.spatial.transform import Rotation

from defectkit import datasets
from defectkit.hydrogen_bonds import bonding_class, count_hydrogen_bonds, hydrogen_bonds

DATA = datasets._DATA


def dimer(distance=2.9, angle=0.0):
    """Molecule 0 gives a bond to molecule 1, its O-H turned away by `angle` degrees."""
    turn = np.radians(angle)
    return Atoms(
        "OHHOHH",
        [
            [0, 0, 0],
            [0.96 * np.cos(turn), 0.96 * np.sin(turn), 0],
            [-0.6, -0.5, 0.5],
            [distance, 0, 0],
            [distance + 0.5, 0.7, 0.4],
            [distance + 0.5, -0.7, 0.4],
        ],
    )


@pytest.fixture(scope="module")
def ice():
    return ase.io.read(DATA / "water-ice.pdb")


def plainly(atoms, distance=3.5, angle=30.0):
    """The criterion in loops over minimum images."""
    oxygen, found = np.flatnonzero(atoms.numbers == 8), []
    for h in np.flatnonzero(atoms.numbers == 1):
        vectors, away = find_mic(atoms.positions[h] - atoms.positions[oxygen], atoms.cell, True)
        donor, bond = oxygen[away.argmin()], vectors[away.argmin()]
        best = angle
        for acceptor in np.setdiff1d(oxygen, donor):
            v, length = find_mic(
                (atoms.positions[acceptor] - atoms.positions[donor])[None], atoms.cell, True
            )
            turned = np.degrees(np.arccos(bond @ v[0] / length[0] / np.linalg.norm(bond)))
            if length[0] < distance and turned < best:
                best, row = turned, (donor, h, acceptor)
        if best < angle:
            found.append(row)
    return found


def test_dimer_is_bonded_within_the_limits_and_not_beyond():
    assert hydrogen_bonds(dimer()).tolist() == [[0, 1, 3]]
    assert hydrogen_bonds(dimer(3.49, 29.5)).tolist() == [[0, 1, 3]]
    assert len(hydrogen_bonds(dimer(3.51))) == len(hydrogen_bonds(dimer(angle=30.5))) == 0
    assert hydrogen_bonds(dimer(3.6, 35), distance=3.7, angle=36).tolist() == [[0, 1, 3]]


def test_a_hydrogen_gives_one_bond_the_straightest():
    fork = dimer(2.9, 10) + Atoms("OHH", [[2.6, 1.4, 0], [3.3, 2.0, 0], [2.0, 2.1, 0]])
    assert hydrogen_bonds(fork)[hydrogen_bonds(fork)[:, 1] == 1].tolist() == [[0, 1, 3]]
    nearer = dimer(2.9, 20) + Atoms("OHH", [[2.6, 1.4, 0], [3.3, 2.0, 0], [2.0, 2.1, 0]])
    assert hydrogen_bonds(nearer)[hydrogen_bonds(nearer)[:, 1] == 1].tolist() == [[0, 1, 6]]


@pytest.mark.slow
def test_agrees_with_the_criterion_in_plain_loops(ice):
    whole = np.repeat([(ice.positions[k, 2] < 4.0) for k in range(0, len(ice), 3)], 3)
    part = ice[whole]
    assert hydrogen_bonds(part).tolist() == [list(row) for row in plainly(part)]


def test_ice_obeys_the_ice_rules(ice):
    donated, accepted = count_hydrogen_bonds(ice)
    assert donated.sum() == accepted.sum() <= 2 * 360
    assert np.mean((donated == 2) & (accepted == 2)) > 0.9  # of one frame at 250 K


def test_molecules_around_a_removed_one_lack_its_bonds(ice):
    donated, accepted = count_hydrogen_bonds(ice)
    perfect = np.flatnonzero((donated == 2) & (accepted == 2))
    for gone in perfect[:5]:
        bonds = hydrogen_bonds(ice)
        donors = bonds[bonds[:, 2] == 3 * gone, 0] // 3
        acceptors = bonds[bonds[:, 0] == 3 * gone, 2] // 3
        damaged = ice.copy()
        del damaged[3 * gone : 3 * gone + 3]
        after = np.insert(np.array(count_hydrogen_bonds(damaged)), gone, 0, axis=1)
        change = np.array([donated, accepted]) - after
        change[:, gone] = 0
        assert np.flatnonzero(change[0]).tolist() == sorted(donors)  # two give one less
        assert np.flatnonzero(change[1]).tolist() == sorted(acceptors)  # two take one less


@pytest.mark.parametrize("change", ["rotated", "wrapped elsewhere", "in another order"])
def test_unchanged_when(change, ice):
    other, order = ice.copy(), np.arange(len(ice))
    if change == "rotated":
        turn = Rotation.random(rng=1).as_matrix()
        other.positions = other.positions @ turn
        other.set_cell(other.cell.array @ turn)
    elif change == "wrapped elsewhere":
        other.positions += [3.3, 7.0, -20.1]
        other.wrap()
    else:
        order = np.random.default_rng(0).permutation(len(ice))
        other = ice[order]
    same = order[hydrogen_bonds(other)]
    assert same[np.argsort(same[:, 1])].tolist() == hydrogen_bonds(ice).tolist()


def test_a_sequence_gives_one_row_a_frame(ice):
    donated, accepted = count_hydrogen_bonds([ice, ice])
    assert donated.shape == accepted.shape == (2, 360)
    assert (donated[1] == count_hydrogen_bonds(ice)[0]).all()


def test_input_is_left_alone(ice):
    before = ice.positions.copy()
    hydrogen_bonds(ice)
    assert (ice.positions == before).all()


@pytest.mark.parametrize(
    ("atoms", "options", "text"),
    [
        (Atoms("O2", [[0, 0, 0], [3, 0, 0]]), {}, "2 oxygens and 0 hydrogens"),
        (Atoms("OH", [[0, 0, 0], [2.5, 0, 0]]), {}, "1 hydrogens are farther than 1.6 Å"),
        (dimer(), {"distance": 0}, "use a distance above 0"),
        (dimer(), {"angle": 120}, "an angle up to 90"),
    ],
)
def test_bad_input(atoms, options, text):
    with pytest.raises(ValueError, match=text):
        hydrogen_bonds(atoms, **options)


def test_frames_of_different_size(ice):
    with pytest.raises(ValueError, match="Frame 1 has 2 oxygens, the first 360"):
        count_hydrogen_bonds([ice, dimer()])


def test_bonding_class_of_perfect_ice_and_bad_counts():
    donated, accepted = count_hydrogen_bonds(dimer())
    assert bonding_class(donated, accepted).tolist() == ["D", "A"]
    with pytest.raises(ValueError, match="give both arrays of count_hydrogen_bonds"):
        bonding_class([1, 2], [1])
    with pytest.raises(ValueError, match="must be counts of"):
        bonding_class([-1], [1])
