"""Crystals whose distances are those of a prototype but whose angles or cells are not."""

import numpy as np
import pytest
from ase.build import graphene, mx2
from ase.spacegroup import crystal

import defectkit as dk
from defectkit.phases import prototype, structure_types
from defectkit.phases.angles import cosines
from defectkit.phases.compounds import UNKNOWN
from defectkit.phases.prototypes import sites_of

CUBIC, HEXAGONAL = [90] * 3, [90, 90, 120]
OTHERS = {
    "skutterudite": (
        ["Co", "Sb"],
        [(0.25, 0.25, 0.25), (0, 0.3351, 0.1602)],
        204,
        [9.04] * 3 + CUBIC,
        2,
    ),
    "cadmium iodide": (
        ["Cd", "I"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.25)],
        164,
        [4.24, 4.24, 6.84, *HEXAGONAL],
        (4, 4, 3),
    ),
    "brookite": (
        ["Ti", "O", "O"],
        [(0.1289, 0.0972, 0.8628), (0.0095, 0.1491, 0.1835), (0.2314, 0.1110, 0.5366)],
        61,
        [9.17, 5.45, 5.14, *CUBIC],
        2,
    ),
    "niobium oxide": (["Nb", "O"], [(0.5, 0.5, 0), (0.5, 0, 0)], 221, [4.21] * 3 + CUBIC, 3),
    "cooperite": (
        ["Pt", "S"],
        [(0, 0.5, 0), (0, 0, 0.25)],
        131,
        [3.47, 3.47, 6.11, *CUBIC],
        (4, 4, 2),
    ),
    "cotunnite": (
        ["Pb", "Cl", "Cl"],
        [(0.2459, 0.25, 0.0957), (0.1424, 0.25, 0.4265), (-0.0222, 0.25, 0.8368)],
        62,
        [7.6, 4.5, 9.05, *CUBIC],
        2,
    ),
    "theta": (
        ["Cu", "Al"],
        [(0, 0, 0.25), (0.158, 0.658, 0)],
        140,
        [6.07, 6.07, 4.87, *CUBIC],
        (2, 2, 3),
    ),
    "marcasite": (["Fe", "S"], [(0, 0, 0), (0.2, 0.378, 0)], 58, [4.44, 5.42, 3.39, *CUBIC], 3),
    "tungsten carbide": (
        ["W", "C"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.5)],
        187,
        [2.9, 2.9, 2.84, *HEXAGONAL],
        4,
    ),
    "D0_22": (
        ["Ti", "Al", "Al"],
        [(0, 0, 0), (0, 0, 0.5), (0, 0.5, 0.25)],
        139,
        [3.85, 3.85, 8.6, *CUBIC],
        (3, 3, 2),
    ),
    "bixbyite": (
        ["In", "In", "O"],
        [(0.25, 0.25, 0.25), (0.4662, 0, 0.25), (0.3905, 0.1529, 0.3832)],
        206,
        [10.12] * 3 + CUBIC,
        1,
    ),
}
#: Those that are prototypes by now.
NAMED = {"skutterudite", "cadmium iodide", "marcasite", "tungsten carbide", "D0_22", "bixbyite"}
SAME = {
    "orthorhombic perovskite": (
        ["Ca", "Ti", "O", "O"],
        [(0.036, 0.25, -0.007), (0, 0, 0.5), (0.484, 0.25, 0.08), (0.29, 0.037, 0.71)],
        62,
        [5.44, 7.64, 5.38, *CUBIC],
        2,
        "perovskite",
    ),
    "tetragonal zirconia": (
        ["Zr", "O"],
        [(0, 0, 0), (0, 0.5, 0.204)],
        137,
        [3.64, 3.64, 5.27, *CUBIC],
        (3, 3, 2),
        "fluorite",
    ),
    "manganese telluride": (
        ["Mn", "Te"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.25)],
        194,
        [4.15, 4.15, 6.71, *HEXAGONAL],
        (3, 3, 2),
        "nickel arsenide",
    ),
    "iron sulphide": (  # its distances are a little nearer to rock salt
        ["Fe", "S"],
        [(0, 0, 0), (1 / 3, 2 / 3, 0.25)],
        194,
        [3.45, 3.45, 5.79, *HEXAGONAL],
        (3, 3, 2),
        "nickel arsenide",
    ),
    "manganese fluoride": (
        ["Mn", "F"],
        [(0, 0, 0), (0.305, 0.305, 0)],
        136,
        [4.87, 4.87, 3.31, *CUBIC],
        3,
        "rutile",
    ),
    "titanium sesquioxide": (
        ["Ti", "O"],
        [(0, 0, 0.345), (0.313, 0, 0.25)],
        167,
        [5.16, 5.16, 13.6, *HEXAGONAL],
        (2, 2, 1),
        "corundum",
    ),
}
ELEMENTS = {
    "silicon clathrate": (
        ["Si"] * 3,
        [(0.25, 0, 0.5), (0.1837,) * 3, (0, 0.3077, 0.1173)],
        223,
        [10.19] * 3 + CUBIC,
        2,
    ),
    "alpha manganese": (
        ["Mn"] * 4,
        [(0, 0, 0), (0.317,) * 3, (0.357, 0.357, 0.034), (0.089, 0.089, 0.282)],
        217,
        [8.91] * 3 + CUBIC,
        2,
    ),
}
ALPHA_URANIUM = (["U"], [(0, 0.1025, 0.25)], 63, [2.854, 5.87, 4.955, *CUBIC], (5, 3, 3))
CRISTOBALITE = (
    ["Si", "O"],
    [(0.3, 0.3, 0), (0.2392, 0.1049, 0.1787)],
    92,
    [4.98, 4.98, 6.95, *CUBIC],
    (3, 3, 2),
)
GALLIUM = (["Ga"], [(0, 0.1549, 0.081)], 64, [4.52, 7.66, 4.53, *CUBIC], (3, 2, 3))
OMEGA = (
    ["Ti", "Ti"],
    [(0, 0, 0), (1 / 3, 2 / 3, 0.5)],
    191,
    [4.6, 4.6, 2.82, *HEXAGONAL],
    (4, 4, 6),
)


def built(given, heat=0.0):
    """The repeated cell, each coordinate moved by normal deviates of `heat` Å."""
    symbols, sites, group, cell, repeat = given
    atoms = crystal(symbols, sites, spacegroup=group, cellpar=cell).repeat(repeat)
    atoms.positions += np.random.default_rng(3).normal(0, heat, (len(atoms), 3))
    return atoms


def called(atoms):
    return prototype(atoms, structure_types(atoms))


@pytest.mark.parametrize("heat", [0.0, 0.05])
@pytest.mark.parametrize("name", OTHERS)
def test_bonds_at_other_angles_are_another_crystal(name, heat):
    found = called(built(OTHERS[name], heat))
    if name in NAMED:
        assert found.name == name and found.margin > 0
    else:
        assert found.name == UNKNOWN and found.margin == 0 and not found.sites


@pytest.mark.parametrize("heat", [0.0, 0.05, 0.15])
@pytest.mark.parametrize("name", SAME)
def test_distorted_and_hot_prototypes_keep_their_names(name, heat):
    *given, expected = SAME[name]
    assert called(built(given, heat)).name == expected


@pytest.mark.parametrize("heat", [0.0, 0.05, 0.1])
@pytest.mark.parametrize(("kind", "a"), [("2H", 3.18), ("1T", 3.4)])
def test_a_sheet_of_octahedra_is_not_one_of_prisms(kind, a, heat):
    sheet = mx2("MoS2" if kind == "2H" else "TiS2", kind=kind, a=a, size=(5, 5, 1), vacuum=8)
    sheet.pbc = True
    sheet.positions += np.random.default_rng(3).normal(0, heat, (len(sheet), 3))
    layers = {"2H": "2H molybdenite sheet", "1T": "1T cadmium iodide sheet"}
    assert called(sheet).name == layers[kind]


def test_the_words_say_that_the_angles_differ():
    assert "rutile (2.1% of the spacing), but bonds at other angles" in (
        called(built(OTHERS["brookite"])).words
    )


@pytest.mark.parametrize("heat", [0.0, 0.05])
@pytest.mark.parametrize("name", ELEMENTS)
def test_a_cell_of_other_sites_is_another_crystal(name, heat):
    phases = dk.identify(built(ELEMENTS[name], heat), progress=False).phases
    assert all(called.startswith("unknown crystal") for called in phases["name"])


def test_the_words_say_how_many_sites_the_cell_has():
    phases = dk.identify(built(ELEMENTS["alpha manganese"]), progress=False).phases
    assert phases["basis"].str.contains("29 sites in the primitive cell, not 8 as in A15").all()
    phases = dk.identify(built(ALPHA_URANIUM), progress=False).phases
    assert phases["basis"].str.contains("2 sites in the primitive cell, not 8 as in A15").all()


@pytest.mark.parametrize("heat", [0.0, 0.05])
def test_cristobalite_is_not_quartz(heat):
    """Its silicon and oxygen have the distances and angles of quartz, but 12 sites to 9."""
    phases = dk.identify(built(CRISTOBALITE, heat), progress=False).phases
    assert not phases["name"].str.contains("quartz").any()


def test_sites_of_primitive_cells():
    assert [sites_of(n) for n in ("rock salt", "fluorite", "spinel", "L1_2")] == [2, 3, 14, 4]
    assert [sites_of(n) for n in ("grey arsenic (A7)", "trigonal selenium (A8)")] == [2, 3]
    assert sites_of("boron nitride sheet") is None and sites_of("fcc random alloy") is None


@pytest.mark.parametrize("given", [GALLIUM, OMEGA], ids=["alpha gallium", "omega titanium"])
def test_three_neighbours_with_more_as_near_are_no_graphene(given):
    assert "graphene" not in structure_types(built(given)).fractions()


@pytest.mark.parametrize("heat", [0.0, 0.05, 0.15])
def test_graphene_and_graphite_keep_their_template(heat):
    layer = graphene(size=(6, 6, 1), vacuum=1.675)
    graphite = layer * (1, 1, 3)
    graphite.pbc = True
    graphite.positions += np.random.default_rng(3).normal(0, heat, (len(graphite), 3))
    assert structure_types(graphite).fractions().get("graphene", 0) > 0.9


def test_cosines_of_an_octahedron_and_of_too_few_neighbours():
    octahedron = np.concatenate([np.eye(3), -np.eye(3)])[None]
    assert np.allclose(cosines(octahedron, 6), [-1] * 3 + [0] * 12)
    assert np.isnan(cosines(np.full((1, 6, 3), np.nan), 3)).all()


def test_a_defect_does_not_hide_a_contradiction():
    atoms = built(OTHERS["brookite"], 0.05)
    del atoms[40]
    assert called(atoms).name == UNKNOWN
