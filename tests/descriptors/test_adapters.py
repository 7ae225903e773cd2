"""What is true of every adapter: invariances, images, slabs, what is saved, what is refused.

Each needs its library (make test-descriptors installs most of them, make test-networks the two
that others do not go with); without it its tests are skipped.
"""

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from defectkit import descriptors
from defectkit.descriptors import (
    by_calorine,
    by_chgnet,
    by_dscribe,
    by_lammps,
    by_mace,
    by_mattersim,
    by_pyace,
    by_sevenn,
    frames,
)
from defectkit.neighbours.slabs import slabs

IN_SLABS = (
    by_calorine,
    by_chgnet,
    by_dscribe,
    by_lammps,
    by_mace,
    by_mattersim,
    by_pyace,
    by_sevenn,
)


def far(one, other):
    """Largest difference of two tables over the largest number."""
    return abs(one - other).max() / abs(other).max()


def test_features_do_not_change_when_atoms_are_turned_moved_or_shuffled(adapter, salt):
    _, descriptor, made = adapter
    X = descriptor(salt)
    order = np.random.default_rng(0).permutation(len(salt))
    changed = salt[order]
    changed.rotate(40, (1, 2, 3), rotate_cell=True)
    changed.positions += 1.7
    changed.wrap()
    assert far(descriptor(changed), X[order]) < made.digits
    assert np.allclose(descriptor(salt, [5, 2, 5]), X[[5, 2, 5]], atol=made.digits * abs(X).max())
    assert np.allclose(
        descriptor(salt, "Cl"), X[salt.symbols == "Cl"], atol=made.digits * abs(X).max()
    )


def test_mirror_images_are_the_same(adapter, salt):
    _, descriptor, made = adapter
    mirrored = Atoms(salt.numbers, -salt.positions, cell=-salt.cell.array, pbc=True)
    assert far(descriptor(mirrored), descriptor(salt)) < made.digits


def test_they_tell_warm_atoms_apart(adapter, salt):
    X = adapter[1](salt, "Na")
    assert (X.std(axis=0) > 1e-3 * abs(X).max()).sum() > 5


def test_a_primitive_cell_has_the_features_of_its_supercell(adapter):
    _, descriptor, made = adapter
    cell = bulk("NaCl", "rocksalt", 5.64)
    assert far(descriptor(cell), descriptor(cell * (4, 4, 4))[:2]) < made.digits


def test_a_cell_whose_vectors_are_left_handed(adapter, salt):
    _, descriptor, made = adapter
    other = salt.copy()
    other.set_cell(salt.cell.array[[1, 0, 2]])
    assert far(descriptor(other), descriptor(salt)) < made.digits


def test_open_sides_see_no_images(adapter, salt):
    _, descriptor, made = adapter
    slab = salt.copy()
    slab.pbc = (True, True, False)
    thick = slab.copy()
    thick.cell[2, 2] += 40
    X = descriptor(slab)
    assert far(descriptor(thick), X) < made.digits
    assert far(descriptor(salt), X) > 1e-3


def test_a_lone_atom_has_finite_features(adapter):
    assert np.isfinite(adapter[1](Atoms("Na", [[0, 0, 0]]))).all()


def test_a_large_frame_in_parts_has_the_same_features(adapter, monkeypatch, tmp_path):
    _, descriptor, made = adapter
    bar = bulk("NaCl", "rocksalt", 5.64, cubic=True) * (10, 1, 1)
    bar.rattle(0.1, seed=1)
    X = descriptor(bar)
    for module in IN_SLABS:
        monkeypatch.setattr(module, "MOST", 30)
    sizes = []

    def counted(atoms, reach, most):
        for part in slabs(atoms, reach, most):
            sizes.append(len(part[0]))
            yield part

    monkeypatch.setattr(frames, "slabs", counted)
    small = made.make(tmp_path)
    assert small.batch <= 1000 or small(bar).shape == X.shape and max(sizes) < len(bar)
    small.batch = min(small.batch, 30)
    assert far(small(bar), X) < made.digits


def test_a_record_makes_it_again_or_asks_for_it(adapter, salt):
    _, descriptor, made = adapter
    record = descriptors.as_dict(descriptor)
    again = descriptors.from_dict(record)
    if made.again:
        assert descriptors.difference(record, descriptors.as_dict(again)) is None
        assert far(again(salt), descriptor(salt)) < made.digits
        return
    assert record["fingerprint"] is not None and not record["rebuild"]
    assert not any("path" in key or "/" in str(of) for key, of in record["parameters"].items())
    with pytest.raises(ValueError, match="which cannot be made again from the file; give that"):
        again(salt)


def test_elements_it_does_not_know(adapter):
    name, descriptor, _ = adapter
    other = bulk("Po", "sc", 3.35) if name == "chgnet" else Atoms("Lr", cell=[9] * 3, pbc=True)
    with pytest.raises(ValueError, match=r"the descriptor .* knows .* but the frame holds"):
        descriptor(other)


def test_without_the_library_the_command_is_named(adapter, monkeypatch, tmp_path):
    _, _, made = adapter
    made.make(tmp_path)  # writes files of weights, which needs the library
    monkeypatch.setitem(sys.modules, made.module, None)
    with pytest.raises(ImportError, match=r"needs .* install it: pip install '?[a-z]"):
        made.make(tmp_path)
