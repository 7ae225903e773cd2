"""What `identify` says of slabs with foreign atoms."""

import numpy as np
from ase.build import fcc111

import defectkit as dk


def test_a_foreign_atom_in_the_outermost_layer_is_told():
    slab = fcc111("Pt", (4, 4, 5), vacuum=8)
    slab.pbc = True
    slab.symbols[int(np.argmax(slab.positions[:, 2]))] = "Pd"
    slab.positions += np.random.default_rng(0).normal(0, 0.05, (len(slab), 3))
    result = dk.identify(slab, progress=False)
    assert result.defects["kind"].tolist() == ["substitutional"]
    assert result.defects["element"][0] == "Pd on Pt"
