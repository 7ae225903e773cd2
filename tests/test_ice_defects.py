"""The embedded ice with a defect: what it says it is, by programs and counts of their own."""

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import find_mic

from defectkit import averaging, datasets, defects
from defectkit.hydrogen_bonds import count_hydrogen_bonds

NAMES = sorted(
    name for name in datasets.available() if name.startswith(("ice-vacancy", "ice-interstitial"))
)
AVERAGE = 0.75  # ps


@pytest.fixture(scope="module", params=NAMES)
def run(request):
    """Data, oxygens of separate averages over 0.75 ps, and the first and last frame of each."""
    data = datasets.load(request.param)
    window = averaging.window_from_ps(AVERAGE, data.dt)
    starts = range(0, len(data.frames) - window + 1, window)
    oxygens = []
    for start in starts:
        part = [f.positions[f.numbers == 8] for f in data.frames[start : start + window]]
        cell = data.frames[0].cell
        oxygens.append(Atoms(f"O{len(part[0])}", np.mean(part, axis=0), cell=cell, pbc=True))
    crystal = Atoms("O360", data.info["reference_oxygens_A"], cell=cell, pbc=True)
    return data, oxygens, crystal, [data.frames[k : k + window] for k in starts]


def missing(data):
    return "vacancy" in data.name


def test_both_defects_are_there():
    assert {"ice-vacancy-1", "ice-interstitial-1"} <= set(NAMES)


def test_as_many_molecules_as_the_name_says(run):
    data, oxygens, crystal, _ = run
    assert {len(o) for o in oxygens} == {len(crystal) + (-1 if missing(data) else 1)}
    assert {tuple(f.numbers) for f in data.frames} == {(8, 1, 1) * len(oxygens[0])}
    assert len(data.frames) == data.info["n_frames"]


def test_hydrogens_stay_with_their_oxygen(run):
    for f in run[0].frames[::20]:
        molecules = f.positions.reshape(-1, 3, 3)
        bonds = np.linalg.norm(molecules[:, 1:] - molecules[:, :1], axis=2)
        assert 0.75 < bonds.min() < bonds.mean() < 1.05 and bonds.max() < 1.4


def test_one_site_is_vacant_or_shared_also_by_mdapy(run):
    mdapy = pytest.importorskip("mdapy")
    data, oxygens, crystal, _ = run
    counts = []
    for atoms in oxygens:
        ours = defects.wigner_seitz(atoms, crystal)
        lattice, here = crystal.copy(), atoms.copy()
        sites = crystal.positions[(ours.vacant if missing(data) else ours.shared)]
        lattice.positions += mean_offset(atoms, crystal)
        for system in (lattice, here):
            system.wrap()
        analysis = mdapy.WignerSeitzAnalysis(mdapy.System(ase_atom=lattice))
        occupied = analysis.compute(mdapy.System(ase_atom=here))["site_occupancy"]
        unusual = np.flatnonzero(occupied != 1)
        counts.append(
            occupied[unusual].tolist() == [0 if missing(data) else 2]
            and np.allclose(crystal.positions[unusual], sites)
        )
    assert np.mean(counts) >= 0.9, f"{data.name}: {counts}"


def mean_offset(atoms, crystal):
    """Drift of the lattice: median vector from each site to the oxygen nearest to it."""
    cell = crystal.cell.array
    vectors = atoms.positions[None] - crystal.positions[:, None]
    vectors -= np.round(vectors @ np.linalg.inv(cell)) @ cell
    nearest = np.linalg.norm(vectors, axis=2).argmin(axis=1)
    return np.median(vectors[np.arange(len(crystal)), nearest], axis=0)


def test_bonds_are_missing_beside_the_vacancy_and_only_there(run):
    data, oxygens, crystal, parts = run
    if not missing(data):
        pytest.skip("for the vacancies")
    right = []
    for atoms, part in zip(oxygens, parts, strict=True):
        given, taken = (c.mean(axis=0) for c in count_hydrogen_bonds(part[::6], distance=3.2))
        place = defects.wigner_seitz(atoms, crystal).vacancies[0]
        away = find_mic(atoms.positions - place, atoms.cell, True)[1]
        beside, far = np.argsort(away)[:4], away > 5.0
        assert given[far].mean() > 1.95 and taken[far].mean() > 1.95
        missing_here = [(2 - given[beside]).sum(), (2 - taken[beside]).sum()]
        right.append(np.sum(away < 3.4) == 4 and min(missing_here) > 1.2)
    assert np.mean(right) >= 0.8, f"{data.name}: {right}"  # not while it hops


def test_metadata_says_what_made_it(run):
    info = run[0].info
    assert info["checks"]["chill_plus_fractions"]["hexagonal"] > 0.85
    assert abs(info["checks"]["temperature_K"] - 250) < 4
    assert {
        "potential",
        "potential_citation",
        "licence",
        "ensemble",
        "start",
        "seed",
        "stages",
    } <= set(info)
