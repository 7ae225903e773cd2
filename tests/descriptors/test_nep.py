"""A small neuroevolution potential of random numbers, described by calorine."""

import numpy as np
import pytest
from ase.build import bulk

from defectkit import descriptors

pytest.importorskip("calorine", reason="calorine is missing: make test-descriptors")


@pytest.fixture(scope="module")
def potential(tmp_path_factory):
    """nep.txt of a NEP4 for silicon with cutoffs of 5 and 4 Å and 30 descriptors."""
    rng = np.random.default_rng(0)
    radial, angular, neurons = 5, 5 * 5, 4
    n = (radial + angular + 2) * neurons + 1 + 5 * 9 + 5 * 9
    head = (
        f"nep4 1 Si\ncutoff 5 4 100 60\nn_max 4 4\nbasis_size 8 8\nl_max 4 2 0\nANN {neurons} 0\n"
    )
    path = tmp_path_factory.mktemp("nep") / "nep.txt"
    numbers = [*rng.normal(size=n), *np.ones(radial + angular)]
    path.write_text(head + "\n".join(f"{x:.7e}" for x in numbers) + "\n")
    return path


def test_features_are_those_of_the_potential_and_invariant(potential):
    descriptor = descriptors.nep(potential)
    assert (descriptor.elements, descriptor.cutoff) == (("Si",), 5.0)
    atoms = bulk("Si", cubic=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=1)
    X = descriptor(atoms)
    assert X.shape == (216, 30)
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    turned.positions += 1.1
    assert abs(descriptor(turned) - X).max() < 1e-6 * abs(X).max()
    cell = bulk("Si")
    assert np.allclose(descriptor(cell), descriptor(cell * (4, 4, 4))[:2], atol=1e-6)


def test_open_sides_see_no_images(potential):
    slab = bulk("Si", cubic=True) * (3, 3, 1)
    slab.pbc = (True, True, False)
    thick = slab.copy()
    thick.cell[2, 2] += 40
    descriptor = descriptors.nep(potential)
    assert np.allclose(descriptor(slab), descriptor(thick), atol=1e-6)


def test_a_record_holds_the_digest_and_opens_no_file(potential):
    record = descriptors.as_dict(descriptors.nep(potential))
    assert list(record["parameters"]) == ["nep_sha256"]
    with pytest.raises(ValueError, match="descriptor NEP, which cannot be made again"):
        descriptors.from_dict(record)(bulk("Si"))


def test_files_that_are_no_potential(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no potential at .*nep.txt; give"):
        descriptors.nep(tmp_path / "nep.txt")
    (tmp_path / "other.txt").write_text("nothing\n")
    with pytest.raises(ValueError, match="is no NEP that calorine reads"):
        descriptors.nep(tmp_path / "other.txt")
