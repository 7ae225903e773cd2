"""What chance finds in warm crystals and melts is no crystal, and hides no defect."""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.defects import find_point_defects
from defectkit.phases import structure_types
from defectkit.phases.extended import ExtendedDefect
from defectkit.workflow.doubts import without_disturbed


def answer(atoms):
    result = dk.identify(atoms, progress=False)
    return result, set(result.names.values())


def perovskite(symbols, a, rms, seed, vacant):
    cell = crystal(
        symbols,
        [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)],
        spacegroup=221,
        cellpar=[a] * 3 + [90] * 3,
    )
    atoms, rng = cell * 4, np.random.default_rng(seed)
    del atoms[[int(rng.choice(np.flatnonzero(atoms.symbols == element))) for element in vacant]]
    atoms.rattle(rms, seed=seed + 1000)
    return atoms


@pytest.mark.parametrize(
    "symbols, a, rms, seed, vacant",
    [
        (("Sr", "Ti", "O"), 3.905, 0.12, 1, ["O"]),
        (("Sr", "Ti", "O"), 3.905, 0.12, 7, ["O"]),
        (("Cs", "Pb", "Br"), 5.87, 0.12, 2, ["Br"]),
        (("Cs", "Pb", "I"), 6.29, 0.3, 2, []),
    ],
)
def test_anions_of_a_warm_perovskite_that_are_fcc_by_chance_make_no_boundary(
    symbols, a, rms, seed, vacant
):
    atoms = perovskite(symbols, a, rms, seed, vacant)
    assert not (structure_types(atoms).labels == "fcc").any()
    result, _ = answer(atoms)
    assert not len(result.extended)
    assert result.defects["kind"].tolist() == ["vacancy"] * len(vacant)
    assert result.defects["element"].tolist() == vacant


def test_a_site_that_a_boundary_takes_is_not_passed_over_in_silence():
    atoms = bulk("Cu", cubic=True) * 4
    del atoms[100]
    point = find_point_defects(atoms)
    (site,) = point.sites
    wall = ExtendedDefect("grain boundary", site.neighbours, "", None, site.position, 0.9)
    left = without_disturbed(point, [wall], structure_types(atoms), atoms)
    assert not left.sites and left.beside == 1
    told = "not counted: vacant or extra sites beside what is more than a point, 1"
    assert left.reason.endswith(told)


@pytest.mark.parametrize("count, site", [(1, "site"), (2, "sites")])
def test_the_summary_tells_of_sites_beside_a_boundary(count, site):
    result, _ = answer(bulk("Cu", cubic=True) * 3)
    assert result.summary().splitlines()[1] == "no point defect"
    result.info["sites_beside"] = count
    words = f"no point defect, but {count} vacant or extra {site} beside the defects above"
    assert words in result.summary().splitlines()
