"""Large frames cut into slabs: every neighbour of the slab's own atoms is there, once."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk, fcc100, graphene
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_data import records

import defectkit as dk
from defectkit.clusters import NOT_LABELLED, describe
from defectkit.neighbours import slabs as _slabs
from defectkit.neighbours.lists import neighbour_list
from defectkit.neighbours.slabs import slabs


def boxes(seed, pbc, skew, outside):
    """Random atoms in a long, skewed cell, some of them in other images."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.permutation([30.0, 7.0, 6.0])) + skew * rng.uniform(-2, 2, (3, 3))
    scaled = rng.random((150, 3)) + outside * rng.integers(-2, 3, (150, 3))
    return Atoms("Ar150", scaled @ cell, cell=cell, pbc=pbc)


def pairs(atoms, reach, numbers, of):
    """Neighbours of some atoms as sorted (centre, neighbour, distance)."""
    i, j, d = neighbor_list("ijd", atoms, reach)
    here = np.isin(i, of)
    table = np.stack([numbers[i[here]], numbers[j[here]], d[here].round(8)], axis=1)
    return table[np.lexsort(table.T[::-1])]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.booleans(),
    st.booleans(),
)
def test_neighbours_in_slabs_are_those_of_the_whole_frame(seed, pbc, skew, outside):
    atoms = boxes(seed, pbc, skew, outside and any(pbc))
    whole = pairs(atoms, 2.5, np.arange(150), np.arange(150))
    parts = list(slabs(atoms, 2.5, 40))
    own = np.concatenate([index[mine] for _, index, mine in parts])
    np.testing.assert_array_equal(np.sort(own), np.arange(150))
    cut = np.concatenate([pairs(part, 2.5, index, mine) for part, index, mine in parts])
    np.testing.assert_allclose(cut[np.lexsort(cut.T[::-1])], whole, atol=2e-8)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:the cutoff")
@given(st.integers(0, 10**6), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_lists_are_those_of_ase(seed, pbc):
    """Cells far smaller and far larger than the cutoff, skewed, with atoms outside of them."""
    rng = np.random.default_rng(seed)
    number, cutoff = rng.integers(1, 40), rng.uniform(1.5, 6.0)
    cell = np.diag(rng.uniform(2, 15, 3)) + rng.integers(0, 2) * rng.uniform(-2, 2, (3, 3))
    scaled = rng.random((number, 3)) + rng.integers(-2, 3, (number, 3))
    atoms = Atoms(f"Ar{number}", scaled @ cell, cell=cell, pbc=pbc)
    first, neighbour, shift = neighbour_list(atoms, cutoff)
    ours = np.column_stack([np.repeat(np.arange(number), np.diff(first)), neighbour, shift])
    ases = np.column_stack(neighbor_list("ijS", atoms, cutoff))
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], ases[np.lexsort(ases.T)])


def test_far_apart_atoms_take_no_memory():
    atoms = Atoms("Ar3", [(0, 0, 0), (1, 0, 0), (9e6, 9e6, -9e6)])
    first, neighbour, shift = neighbour_list(atoms, 2.0)
    assert first.tolist() == [0, 1, 2, 2] and neighbour.tolist() == [1, 0] and not shift.any()


def test_frames_are_cut_where_they_can_be():
    long = bulk("Cu", cubic=True) * (20, 3, 3)
    parts = list(slabs(long, 3.0, 100))
    assert len(parts) > 4 and max(len(part) for part, _, _ in parts) < 400
    for atoms in (long[:100], bulk("Cu", cubic=True) * (2, 2, 2), Atoms()):
        ((part, index, own),) = slabs(atoms, 3.0, 100)
        assert part is atoms and len(index) == len(own) == len(atoms)


@pytest.mark.parametrize("pbc", [True, (True, True, False)])
def test_features_and_descriptions_do_not_depend_on_the_cut(monkeypatch, pbc):
    atoms = bulk("Si", cubic=True) * (2, 3, 20)
    del atoms[[5, 300]]
    atoms.rattle(0.1, seed=3)
    atoms.positions += [0, 40, -250]
    atoms.pbc = pbc
    symmetry, index = dk.SymmetryFunctions.silicon(), np.arange(len(atoms))[::-3]
    labels = np.arange(len(atoms)) % 3 - 1
    whole = symmetry(atoms, index), describe(labels, [atoms], 2.9)
    monkeypatch.setattr(_slabs, "MOST", 100)
    assert len(list(slabs(atoms, symmetry.cutoff))) > 3
    np.testing.assert_allclose(symmetry(atoms, index), whole[0], rtol=1e-10, atol=1e-12)
    pd.testing.assert_frame_equal(describe(labels, [atoms], 2.9), whole[1], rtol=0, atol=1e-9)


def test_features_of_all_elements_do_not_depend_on_the_cut(monkeypatch):
    atoms = dk.load("water-ice").frames[0]
    atoms *= (1, 1, 3)
    symmetry = dk.SymmetryFunctions.for_elements(["H", "O"], 3.0)
    whole = symmetry.by_element(atoms)
    monkeypatch.setattr(_slabs, "MOST", 900)
    assert len(list(slabs(atoms, symmetry.cutoff))) > 3
    parts = symmetry.by_element(atoms)
    assert list(parts) == list(whole)
    for element, values in whole.items():
        assert len(values) == (atoms.symbols == element).sum()
        np.testing.assert_allclose(parts[element], values, rtol=1e-10, atol=1e-12)


def test_an_error_names_the_atom_of_the_frame(monkeypatch):
    atoms = bulk("Si", cubic=True) * (1, 1, 30)
    atoms.positions[200] = atoms.positions[7]
    monkeypatch.setattr(_slabs, "MOST", 40)
    with pytest.raises(ValueError, match="atom (7|200) coincides with another atom"):
        dk.SymmetryFunctions.silicon()(atoms)


def test_atoms_that_were_not_looked_at_count_as_neighbours():
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    labels = np.where(np.arange(108) % 3, NOT_LABELLED, 0)
    (row,) = records(labels, [atoms], 3.0)
    assert (row["size"], row["fraction"], row["coordination"]) == (36, 1.0, 12.0)


def test_a_sample_of_a_large_frame_is_described_as_the_frame(monkeypatch):
    """As a million atoms are: cut into slabs, half of the atoms looked at."""
    monkeypatch.setattr(_slabs, "MOST", 800)
    atoms = fcc100("Cu", (8, 8, 40), vacuum=8.0)
    atoms.pbc = (True, True, False)
    atoms.rattle(0.02, seed=5)
    with pytest.warns(UserWarning, match="2560 environments are more than max_environments=1280"):
        result = dk.identify(atoms, max_environments=1280, progress=False)
    (surface,) = (row for row in result.describe().to_dict("records") if row["one_sided"] > 0.3)
    inside = result.describe().iloc[0]
    assert surface["coordination"] == pytest.approx(8, abs=0.1)
    assert surface["per_frame"] == pytest.approx(128, rel=0.25)
    assert inside["coordination"] == pytest.approx(12, abs=0.1)
    assert "(100) surface of fcc" in str(result.summary())
    assert "no point defect" in str(result.summary())


@pytest.mark.slow
@pytest.mark.parametrize("flat_cell", [False, True])
def test_a_sheet_without_a_third_dimension(flat_cell):
    """Graphene with a vacancy: its three open neighbours are told apart."""
    frames, rng = [], np.random.default_rng(0)
    for _ in range(6):
        atoms = graphene(size=(12, 12, 1), vacuum=None if flat_cell else 10.0)
        near = np.argsort(atoms.get_distances(100, range(288), mic=True))[1:4]
        del atoms[100]
        atoms.positions += rng.normal(scale=0.03, size=atoms.positions.shape)
        frames.append(atoms)
    result = dk.identify(frames, window=1, progress=False)
    (open_,) = (row for row in result.describe().to_dict("records") if row["coordination"] < 2.5)
    assert open_["coordination"] == 2.0 and open_["per_frame"] == open_["size"] / 6 == 3
    here = result.labels == open_["label"]
    assert set(result.atom[here]) == {int(n) - (n > 100) for n in near}
