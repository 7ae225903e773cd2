"""Symmetry functions against n2p2's numbers, the equations written out, and invariances."""

import ctypes
import threading

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc100, molecule
from ase.data import chemical_symbols
from ase.io import write
from ase.neighborlist import neighbor_list
from ase.units import Bohr
from hypothesis import given
from hypothesis import strategies as st
from reference_data import REFERENCE, read_n2p2_structure, read_n2p2_values

import defectkit as dk
from defectkit import SymmetryFunctions, _threads
from defectkit.descriptors import as_dict, from_dict
from defectkit.neighbours.lists import neighbour_pairs
from defectkit.symmetry import kernels, trajectories

SEEDS = st.integers(0, 2**31)
CASES = sorted((path.parent.name, path.stem) for path in REFERENCE.glob("*/*.sf"))


def silicon_mix(**keywords):
    """A few functions of several types for one element, cutoff 5 Å."""
    return SymmetryFunctions.from_n2p2(REFERENCE / "poly", length_unit=1.0, **keywords)


def rattled(seed, size=2, width=0.15):
    atoms = bulk("Si", cubic=True) * (size, size, size)
    atoms.rattle(width, seed=seed)
    return atoms


# Against n2p2


@pytest.mark.parametrize(("case", "structure"), CASES)
def test_every_reference_file_of_n2p2_is_met(case, structure):
    unit = Bohr if structure.startswith("water") else 1.0
    scaling = REFERENCE / case / "scaling.data"
    sf = SymmetryFunctions.from_n2p2(
        REFERENCE / case, length_unit=unit, scaling=scaling if scaling.exists() else None
    )
    atoms = read_n2p2_structure(REFERENCE / f"{structure}.data", unit)
    lines, rows = read_n2p2_values(REFERENCE / case / f"{structure}.sf")
    assert lines
    for element, expected_lines in lines.items():
        order = sf.n2p2_order(element)
        assert [sf.functions[element][n].line for n in order] == expected_lines
        expected = np.array([values for e, values in rows if e == element])
        found = sf(atoms, centres=element)[:, order]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12, err_msg=element)


def test_real_water_potential_is_met_on_a_liquid(water_potential):
    reference = water_potential.parents[1] / "reference" / "n2p2"
    path = reference / "liquid_360mol_rpbe_d3_every6th.sf"
    if not path.is_file():
        pytest.skip("n2p2's values for the liquid are not beside the potential")
    atoms = read_n2p2_structure(water_potential / "liquid_360mol.n2p2-data", Bohr)
    sf = SymmetryFunctions.from_n2p2(water_potential, scaling=water_potential / "scaling.data")
    lines, rows = read_n2p2_values(path)
    symbols = np.array(atoms.get_chemical_symbols())
    picked = np.arange(0, len(atoms), 6)
    assert [e for e, _ in rows] == list(symbols[picked])
    for element in {e for e, _ in rows} & set(lines):
        index = picked[symbols[picked] == element]
        expected = np.array([values for e, values in rows if e == element])
        found = sf(atoms, centres=index)[:, sf.n2p2_order(element)]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_the_water_preset_is_the_oxygen_part_of_the_potential(water_potential):
    atoms = read_n2p2_structure(water_potential / "liquid_360mol.n2p2-data", Bohr)
    whole = SymmetryFunctions.from_n2p2(water_potential)
    centres = np.flatnonzero(atoms.numbers == 8)[:20]
    from_file = dict(zip(whole.names("O"), whole(atoms, centres).T, strict=True))
    preset = SymmetryFunctions.water()
    assert sorted(preset.names("O")) == sorted(from_file)
    for name, column in zip(preset.names("O"), preset(atoms, centres).T, strict=True):
        np.testing.assert_allclose(column, from_file[name], rtol=1e-12)


# Against the equations, written out in NumPy


def plain_pairs(atoms, cutoff, i):
    first, second, vector = neighbor_list("ijD", atoms, cutoff)
    chosen = first == i
    return atoms.numbers[second[chosen]], vector[chosen]


def plain_tanh3(r, rc):
    return np.where(r < rc, np.tanh(1.0 - r / rc) ** 3, 0.0)


def plain_g3(vectors, eta, lam, zeta, rc, wide=False):
    """Types 3 and 9 as the article on n2p2 writes them, every triple once."""
    total = 0.0
    for j in range(len(vectors)):
        for k in range(j + 1, len(vectors)):
            sides = vectors[j], vectors[k], vectors[j] - vectors[k]
            a, b, c = (np.linalg.norm(v) for v in sides)
            cos = vectors[j] @ vectors[k] / (a * b)
            term = (1 + lam * cos) ** zeta * plain_tanh3(a, rc) * plain_tanh3(b, rc)
            term *= np.exp(-eta * (a * a + b * b))
            total += term if wide else term * np.exp(-eta * c * c) * plain_tanh3(c, rc)
    return 2 ** (1 - zeta) * total


def from_lines(tmp_path, lines, elements="Si"):
    path = tmp_path / "input.nn"
    head = f"number_of_elements {len(elements.split())}\nelements {elements}\ncutoff_type 2\n"
    path.write_text(head + "\n".join(f"symfunction_short {line}" for line in lines) + "\n")
    return SymmetryFunctions.from_n2p2(path, length_unit=1.0)


def test_types_2_3_and_9_are_their_equations(tmp_path, diamond):
    sf = from_lines(
        tmp_path, ["Si 2 Si 0.7 2.1 5.0", "Si 3 Si Si 0.05 -1 4 4.0", "Si 9 Si Si 0.05 1 3 4.0"]
    )
    found = sf(diamond, centres=[7])[0]
    _, vectors = plain_pairs(diamond, 5.0, 7)
    r = np.linalg.norm(vectors, axis=1)
    near = vectors[r < 4.0]
    expected = [
        np.sum(np.exp(-0.7 * (r - 2.1) ** 2) * plain_tanh3(r, 5.0)),
        plain_g3(near, 0.05, -1, 4, 4.0),
        plain_g3(near, 0.05, 1, 3, 4.0, wide=True),
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gaussians_that_are_powers_of_one_another_are_their_equations(tmp_path, diamond):
    etas = (0.01, 0.02, 0.025, 0.07, 0.16, 0.31, 0.32)
    sf = from_lines(tmp_path, [f"Si 3 Si Si {eta} 1 1 4.0" for eta in etas])
    assert list(sf.plan("Si").powers) == [0, 2, 0, 7, 16, 31, 0]
    _, vectors = plain_pairs(diamond, 4.0, 7)
    expected = [plain_g3(vectors, eta, 1, 1, 4.0) for eta in etas]
    np.testing.assert_allclose(sf(diamond, centres=[7])[0], expected, rtol=1e-12)


def test_hard_cutoff_counts_the_four_bonds_of_diamond(tmp_path):
    path = tmp_path / "input.nn"
    path.write_text("elements Si\ncutoff_type 0\nsymfunction_short Si 2 Si 0.0 0.0 3.0\n")
    count = SymmetryFunctions.from_n2p2(path, length_unit=1.0)(bulk("Si"))
    np.testing.assert_allclose(count, 4.0)


def leaf(name, *arguments):
    """Calls a compiled function on numbers and arrays."""
    at = ctypes.POINTER(ctypes.c_double)
    return kernels.compiled("cutoffs", name)(
        *(a.ctypes.data_as(at) if isinstance(a, np.ndarray) else a for a in arguments)
    )


def test_arccos_agrees_with_the_library():
    c = np.concatenate([np.linspace(-1, 1, 2001), np.cos(np.geomspace(1e-8, 1.0, 200))])
    angle, slope = np.empty_like(c), np.empty_like(c)
    leaf("angle_values", len(c), c, angle, slope)
    np.testing.assert_allclose(angle, np.arccos(c), rtol=4e-16, atol=4e-16)
    inside = np.abs(c) < 0.999
    np.testing.assert_allclose(slope[inside], -1 / np.sqrt(1 - c[inside] ** 2), rtol=1e-12)


@pytest.mark.parametrize("kind", range(9))
@pytest.mark.parametrize("inner", [0.0, 0.4])
def test_cutoff_functions_start_at_one_fall_to_zero_and_match_their_slope(kind, inner):
    r = np.linspace(0.0, 5.5, 40001)
    f, df = np.empty_like(r), np.empty_like(r)
    leaf("cutoff_values", kind, inner, 5.0, len(r), r, True, f, df)
    assert f[0] == pytest.approx(np.tanh(1.0) ** 3 if kind == 2 else 1.0, abs=1e-12)
    assert np.all(f[r >= 5.0] == 0.0)
    assert np.all(np.diff(f) < 1e-13)
    kinks = (np.abs(r - 5.0) < 1e-3) | (np.abs(r - 5.0 * inner) < 1e-3)
    smooth = np.flatnonzero(~kinks)[1:-1]
    np.testing.assert_allclose(np.gradient(f, r)[smooth], df[smooth], atol=1e-7)


# Invariances


@given(SEEDS)
def test_rotation_leaves_the_features(seed):
    rng = np.random.default_rng(seed)
    atoms = rattled(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    centres = rng.choice(len(atoms), 6, replace=False)
    sf = silicon_mix()
    np.testing.assert_allclose(sf(turned, centres), sf(atoms, centres), rtol=1e-9, atol=1e-11)


@given(SEEDS)
def test_translation_wrapping_and_permutation_leave_the_features(seed):
    rng = np.random.default_rng(seed)
    atoms = rattled(seed)
    order = rng.permutation(len(atoms))
    moved = atoms[order]
    moved.positions += rng.normal(size=3) * 20.0
    moved.positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
    sf = SymmetryFunctions.silicon()
    np.testing.assert_allclose(sf(moved), sf(atoms)[order], rtol=1e-9, atol=1e-11)


@given(SEEDS)
def test_supercell_repeats_the_features(seed):
    rng = np.random.default_rng(seed)
    cell = bulk("Si")
    cell.set_cell(cell.cell.array @ (np.eye(3) + 0.1 * rng.normal(size=(3, 3))), scale_atoms=True)
    cell.rattle(0.1, seed=seed)
    sf = silicon_mix()
    np.testing.assert_allclose(
        sf(cell * (2, 3, 1)), np.tile(sf(cell), (6, 1)), rtol=1e-9, atol=1e-11
    )


@given(SEEDS)
def test_an_atom_crossing_the_cutoff_changes_nothing_abruptly(seed):
    rng = np.random.default_rng(seed)
    sf = SymmetryFunctions.silicon()
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)

    def at(distance):
        atoms = Atoms(
            "Si3", [(0, 0, 0), (1.6, 1.6, 0), distance * direction], cell=[40] * 3, pbc=True
        )
        return sf(atoms, [0])

    gap = [np.abs(at(5.0 - h) - at(5.0 + h)).max() for h in (1e-2, 1e-3, 1e-4)]
    assert gap[0] < 1e-3
    assert gap[2] < 1e-8
    assert gap[2] <= gap[1] <= gap[0]


@pytest.mark.parametrize("pbc", [(True, True, False), (True, False, False), (False, True, True)])
def test_mixed_boundaries_equal_a_cell_with_room(pbc):
    slab = fcc100("Al", (2, 2, 3), a=4.05, vacuum=0.0)
    slab.symbols[:] = "Si"
    slab.set_cell(slab.cell.array + np.diag([0, 0, 2.0]))
    slab.pbc = pbc
    wide = slab.copy()
    lengths = np.where(pbc, 1.0, 10.0)
    wide.set_cell(slab.cell.array * lengths[:, None])
    wide.pbc = True
    sf = SymmetryFunctions.silicon()
    np.testing.assert_allclose(sf(slab), sf(wide), rtol=1e-10, atol=1e-12)
    bare = slab.copy()
    bare.set_cell(np.where(np.array(pbc)[:, None], slab.cell.array, 0.0))
    np.testing.assert_allclose(sf(bare), sf(wide), rtol=1e-10, atol=1e-12)


def test_only_the_centres_asked_for_are_returned(tmp_path):
    sf = from_lines(
        tmp_path, ["H 2 O 1.0 0.0 3.0", "O 2 H 1.0 0.0 3.0", "O 2 O 1.0 0.0 3.0"], "H O"
    )
    water = molecule("H2O")
    water.set_cell([8, 8, 8])
    water.pbc = True
    assert sf(water, "O").shape == (1, 2)
    assert sf(water, "H").shape == (2, 1)
    assert sf(water, [0]).shape == (1, 2)
    mask = water.numbers == 1
    np.testing.assert_array_equal(sf(water, mask), sf(water, "H"))
    both = sf.by_element(water)
    assert set(both) == {"H", "O"}
    np.testing.assert_array_equal(both["H"], sf(water, "H"))


def test_weighted_functions_sum_over_elements_by_atomic_number(tmp_path):
    weighted = from_lines(tmp_path, ["O 12 0.4 0.2 4.0"], "H O")
    plain = from_lines(tmp_path, ["O 2 H 0.4 0.2 4.0", "O 2 O 0.4 0.2 4.0"], "H O")
    atoms = Atoms("OHHO", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (2, 1, 1)], cell=[9] * 3, pbc=True)
    by_element = plain(atoms, "O")
    np.testing.assert_allclose(weighted(atoms, "O")[:, 0], by_element @ [1.0, 8.0], rtol=1e-12)


def test_threads_do_not_change_a_bit(diamond):
    one = dk.features([diamond], SymmetryFunctions.silicon(), n_jobs=1)
    two = dk.features([diamond], SymmetryFunctions.silicon())
    np.testing.assert_array_equal(one, two)


def test_a_trajectory_gives_frames_by_atoms_by_features(diamond):
    frames = [rattled(seed) for seed in range(3)]
    sf = SymmetryFunctions.silicon()
    stacked = dk.features((f for f in frames), sf)
    assert stacked.shape == (3, 64, 35)
    np.testing.assert_array_equal(stacked[1], sf(frames[1]))
    ragged = dk.features([frames[0], bulk("Si")], sf)
    assert [len(g) for g in ragged] == [64, 2]
    np.testing.assert_array_equal(dk.features(frames[0], sf)[0], stacked[0])


def test_the_callers_atoms_are_left_alone(diamond):
    before = diamond.copy()
    diamond.positions[0] += 50.0
    shifted = diamond.positions.copy()
    SymmetryFunctions.silicon()(diamond)
    np.testing.assert_array_equal(diamond.positions, shifted)
    np.testing.assert_array_equal(diamond.cell.array, before.cell.array)


# Scaling


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("scale_symmetry_functions", lambda g: 0.5 + 2.0 * (g - 1.0) / 3.0),
        ("center_symmetry_functions", lambda g: g - 2.0),
        (
            "scale_symmetry_functions\ncenter_symmetry_functions",
            lambda g: 0.5 + 2.0 * (g - 2.0) / 3.0,
        ),
        ("scale_symmetry_functions_sigma", lambda g: 0.5 + 2.0 * (g - 2.0) / 0.25),
        ("", lambda g: g),
    ],
)
def test_scaling_modes(tmp_path, diamond, keywords, expected):
    path = tmp_path / "input.nn"
    path.write_text(
        f"elements Si\n{keywords}\nscale_min_short 0.5\nscale_max_short 2.5\n"
        "symfunction_short Si 2 Si 0.1 0.0 5.0\n"
    )
    (tmp_path / "scaling.data").write_text("# comment\n1 1 1.0 4.0 2.0 0.25\n")
    raw = SymmetryFunctions.from_n2p2(path, 1.0)(diamond)
    scaled = SymmetryFunctions.from_n2p2(path, 1.0, tmp_path / "scaling.data")(diamond)
    np.testing.assert_allclose(scaled, expected(raw), rtol=1e-14)


# General grids


@pytest.fixture
def alloy():
    """Five elements at random on the sites of a shaken fcc crystal."""
    atoms = bulk("Ni", cubic=True, a=3.6) * (3, 3, 3)
    atoms.symbols[:] = np.random.default_rng(0).choice(["Cr", "Mn", "Fe", "Co", "Ni"], len(atoms))
    atoms.rattle(0.05, seed=1)
    return atoms


def test_element_blind_functions_see_an_alloy_as_one_element(alloy):
    nickel = alloy.copy()
    nickel.symbols[:] = "Ni"
    blind = SymmetryFunctions.element_blind(sorted(set(alloy.get_chemical_symbols())), 5.5)
    plain = SymmetryFunctions.for_elements(["Ni"], 5.5)
    assert blind.names("Fe")[0].startswith("G12 all alike")
    np.testing.assert_allclose(blind(alloy), plain(nickel), rtol=1e-12, atol=1e-13)


def test_many_elements_take_few_functions_that_still_tell_them_apart(alloy):
    names = ["Cr", "Mn", "Fe", "Co", "Ni"]
    sf = SymmetryFunctions.for_elements(names, 5.5)
    twenty = SymmetryFunctions.for_elements([chemical_symbols[z] for z in range(21, 41)])
    assert len(sf.names("Fe")) == len(twenty.names("Zr")) == 54 < 150
    values = sf(alloy)
    blind = SymmetryFunctions.element_blind(names, 5.5)(alloy)
    np.testing.assert_allclose(values[:, :27], blind, rtol=1e-12, atol=1e-14)
    first, second, vector = neighbor_list("ijD", alloy, 5.5)
    of = first == 0
    r, charge = np.linalg.norm(vector[of], axis=1), alloy.numbers[second[of]]
    shells = np.linspace(0.25, 0.95, 12) * 5.5
    shape = np.exp(-0.5 * ((r - shells[:, None]) / (shells[1] - shells[0])) ** 2)
    np.testing.assert_allclose(
        values[0, 27:39], shape @ (charge * plain_tanh3(r, 5.5)), rtol=1e-12
    )


def test_functions_are_unchanged_by_saving_them():
    sf = SymmetryFunctions.for_elements(["Cr", "Mn", "Fe", "Co", "Ni"])
    assert from_dict(as_dict(sf)).functions == sf.functions


def test_functions_print_as_a_few_lines():
    water = SymmetryFunctions.from_n2p2(
        REFERENCE / "hdnnp_random", scaling=REFERENCE / "hdnnp_random" / "scaling.data"
    )
    title, *rows = repr(water).splitlines()
    assert title == "SymmetryFunctions of H, O, cutoff 6.35 Å, cutoff function 2"
    assert len(rows) == 2 and all(row.endswith("angular, scaled") for row in rows)
    assert "<th" in water._repr_html_() and title in water._repr_html_()
    five = SymmetryFunctions.for_elements(["Cr", "Mn", "Fe", "Co", "Ni"], 5.5)
    assert repr(five).splitlines()[1:] == [
        "  Cr, Mn, Fe, Co, Ni: 54 functions, 24 radial and 30 angular"
    ]


# Bad input


def bad_file(tmp_path, text):
    path = tmp_path / "input.nn"
    path.write_text(text)
    return path


GOOD = "elements Si\nsymfunction_short Si 2 Si 0.1 0.0 5.0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("&CONTROL\n calculation = 'scf'\n", "it is not an n2p2 input.nn; give the path of one"),
        ("elements Xx\nsymfunction_short Xx 2 Xx 1 0 5\n", "'Xx' in 'elements' is not a chemical"),
        (
            GOOD + "symfunction_short Si 2 Ge 0.1 0.0 5.0\n",
            "line 3: element Ge is not among the file's elements (Si); add it",
        ),
        (GOOD + "symfunction_short Si 7 Si 0.1 0.0 5.0\n", "line 3: not a symmetry function of a"),
        (
            GOOD + "symfunction_short Si 3 Si Si 0.1 1\n",
            "line 3: type 3 needs 'e1 e2 eta lam zeta rc",
        ),
        (GOOD + "symfunction_short Si 2 Si abc 0.0 5.0\n", "line 3: a parameter is not a finite"),
        (GOOD + "symfunction_short Si 2 Si nan 0.0 5.0\n", "line 3: a parameter is not a finite"),
        (GOOD + "symfunction_short Si 2 Si 0.1 0.0 0.0\n", "line 3: the cutoff 0 is not positive"),
        (GOOD + "symfunction_short Si 2 Si -0.1 0.0 5.0\n", "line 3: eta = -0.1 is negative"),
        (GOOD + "symfunction_short Si 3 Si Si 0.1 1 1e9 5.0\n", "line 3: zeta = 1e+09 is outside"),
        ("number_of_elements 2\n" + GOOD, "'number_of_elements' is 2 but 'elements' names 1 (Si)"),
        (GOOD.replace("elements Si", "elements Si Si"), "'elements' names Si twice; name each"),
        (
            GOOD + "symfunction_short Si 20 Si 5.0 4.0 p2\n",
            "line 3: the left boundary 5 is not below",
        ),
        (
            GOOD + "symfunction_short Si 20 Si 0.0 4.0 p9\n",
            "line 3: 'p9' is not a compact function",
        ),
        (
            GOOD + "symfunction_short Si 22 Si Si 0 4 -30 90 p2\n",
            "line 3: the angles -30 to 90 must",
        ),
        (GOOD + "cutoff_type 9\n", "line 3: 'cutoff_type' needs a type from 0 to 8"),
        (GOOD + "cutoff_type 1 1.5\n", "line 3: 'cutoff_type' needs a type from 0 to 8"),
        (GOOD + "cuttoff_type 1\n", "unknown keyword 'cuttoff_type'; did you mean 'cutoff_type'?"),
        (GOOD + "global_symfunction_short 2 0.1\n", "'global_symfunction_short' is not supported"),
        (GOOD + "elements Si\n", "a second 'elements'; keep one"),
    ],
)
def test_unusable_settings_are_refused_with_their_line(tmp_path, text, message):
    with pytest.raises(ValueError) as error:
        SymmetryFunctions.from_n2p2(bad_file(tmp_path, text))
    assert message in str(error.value)


def test_training_keywords_and_comments_pass(tmp_path):
    text = "epochs 10 ! training\nkalman_type 0\nscale_min_short 0.0\n#elements H\n" + GOOD
    sf = SymmetryFunctions.from_n2p2(bad_file(tmp_path, text), 1.0)
    assert sf.elements == ("Si",)
    assert sf.cutoff == 5.0


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.nn does not exist; give the path"):
        SymmetryFunctions.from_n2p2(tmp_path / "nothing.nn")
    (tmp_path / "x.nn").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="is not a text file"):
        SymmetryFunctions.from_n2p2(tmp_path / "x.nn")
    bad_file(tmp_path, GOOD)
    with pytest.raises(FileNotFoundError, match="scaling.data, or scaling=None"):
        SymmetryFunctions.from_n2p2(tmp_path, scaling=tmp_path / "scaling.data")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1 1.0 1.0 1.0 0.0\n", "a function of Si has no spread"),
        ("2 1 1.0 4.0 2.0 0.5\n", "lacks lines for the 1 symmetry functions of Si"),
        ("1 1 a b c d\n", "holds something that is not a number"),
    ],
)
def test_unusable_scaling_is_refused(tmp_path, text, message):
    bad_file(tmp_path, GOOD + "scale_symmetry_functions\n")
    (tmp_path / "scaling.data").write_text(text)
    with pytest.raises(ValueError, match=message):
        SymmetryFunctions.from_n2p2(tmp_path, scaling=tmp_path / "scaling.data")


@pytest.mark.parametrize("cutoff", [50.0, 1e5])
def test_a_cutoff_in_another_unit_is_refused_at_once(cutoff):
    copper = bulk("Cu", cubic=True) * (2, 2, 2)
    sf = SymmetryFunctions.for_elements("Cu", cutoff=cutoff)
    with pytest.raises(ValueError, match="neighbours of each atom here, .* lengths are in Å"):
        sf(copper)


def test_a_large_cutoff_that_few_atoms_fill_is_none_in_another_unit():
    sf = SymmetryFunctions.for_elements("C", cutoff=25.0)
    sheet = Atoms("C2", [(0, 0, 0), (1.23, 0.71, 0)], cell=[2.46, 4.26, 0], pbc=(1, 1, 0))
    assert np.isfinite(sf(sheet * (2, 2, 1))).all()
    with pytest.raises(ValueError, match="a cutoff of 25 Å holds about 1.2e.04 neighbours of"):
        sf(bulk("C", cubic=True))


def test_unusable_frames_are_refused(diamond):
    sf = SymmetryFunctions.silicon()
    with pytest.raises(ValueError, match="this frame has no atoms; drop it"):
        sf(Atoms())
    broken = diamond.copy()
    broken.positions[5, 1] = np.nan
    with pytest.raises(ValueError, match="atom 5 has a position that is NaN or infinite"):
        sf(broken)
    with pytest.raises(ValueError, match="frame 1: atom 5 has a position"):
        dk.features([diamond, broken], sf)
    mixed = diamond.copy()
    mixed.symbols[3] = "Ge"
    with pytest.raises(ValueError, match="know Si but the frame holds Ge; remove them"):
        sf(mixed)
    with pytest.raises(ValueError, match="no symmetry functions for O centres; choose centres of"):
        sf(diamond, centres="O")
    with pytest.raises(ValueError, match="there is no O among these atoms"):
        SymmetryFunctions.water()(
            Atoms("H2", [(0, 0, 0), (0, 0, 0.7)], cell=[9] * 3, pbc=True), centres="O"
        )
    with pytest.raises(ValueError, match="centres must be indices from 0 to 63"):
        sf(diamond, centres=[64])
    for centres in (["Si"], [True, False], [1.5]):
        with pytest.raises(ValueError, match="name no atoms of this frame; give one element, suc"):
            sf(diamond, centres=centres)
    with pytest.raises(ValueError, match="one frame .* is wanted, not a list; take one from the"):
        sf([diamond])
    flat = diamond.copy()
    flat.set_cell([10.0, 10.0, 0.0])
    with pytest.raises(ValueError, match="periodic along axis 2 but has no cell vector"):
        sf(flat)
    with pytest.raises(ValueError, match="there are no frames"):
        dk.features([], sf)
    with pytest.raises(ValueError, match="one frame .* is wanted, not a str; take one from the"):
        dk.features(["run.xyz"], sf)
    with pytest.raises(TypeError, match="a Dataset is no frames itself; give its .frames"):
        dk.features(dk.load("si-phases-test"), sf)
    with pytest.raises(ValueError, match=r"an? Atoms gives no .* is features\(frames, symmetry\)"):
        dk.features(sf, diamond)
    with pytest.raises(ValueError, match="n_jobs=0 is no number of threads"):
        dk.features([diamond], sf, n_jobs=0)
    one = dk.features([diamond], sf, n_jobs=1)
    for many in (-1, 10_000):  # all cores, and no more than there are
        assert np.array_equal(dk.features([diamond], sf, n_jobs=many), one)
    double = diamond.copy()
    double.positions[1] = double.positions[0]
    with pytest.raises(ValueError, match="atom 0 coincides with another atom"):
        sf(double)
    skew = diamond.copy()
    skew.set_cell([[10, 0, 0], [0, 10, 0], [10, 10, 0.0]])
    with pytest.raises(ValueError, match="cell vectors are not linearly independent"):
        sf(skew)


def test_cells_and_positions_that_no_search_can_take_are_refused(diamond):
    """They ended the process, took gigabytes, or gave zeros."""
    sf = SymmetryFunctions.silicon()
    for value in (np.nan, np.inf):
        broken = diamond.copy()
        broken.cell[1, 1] = value
        with pytest.raises(ValueError, match="the cell holds a value that is NaN or infinite"):
            sf(broken)
    broken.cell[1, 1] = 1e300
    with pytest.raises(ValueError, match=r"a cell vector is 1e\+300 Å long"):
        sf(broken)
    far = diamond.copy()
    far.positions[7, 2] = 1e300
    with pytest.raises(ValueError, match=r"atom 7 lies 1e\+300 Å from the origin"):
        sf(far)
    for factor in (0.1, 1e-3):
        small = diamond.copy()
        small.set_cell(diamond.cell.array * factor, scale_atoms=True)
        for pbc in (True, (True, True, False), False):
            small.pbc = pbc
            with pytest.raises(ValueError, match="these lengths look like nm"):
                sf(small)


def test_a_value_that_is_not_finite_is_laid_to_its_function(diamond):
    sf = SymmetryFunctions.silicon()
    values = sf(diamond)
    values[3, 4] = np.inf
    with pytest.raises(ValueError, match="function G2 Si .* is not finite at atom 13"):
        sf.check_finite("Si", values, np.arange(10, 74))


@pytest.mark.parametrize("pbc", [(1, 1, 0), (0, 1, 0), (0, 0, 0), (1, 1, 1)])
@pytest.mark.parametrize("skew", [0.0, 2.0])
def test_pairs_are_ases(pbc, skew):
    bar = bulk("Si", cubic=True) * (1, 1, 8)
    bar.set_cell(bar.cell.array + skew * np.array([[0, 0, 1], [1, 0, 0], [0.5, 1, 0]]))
    bar.rattle(0.1, seed=1)
    bar.positions += [30.0, -2.0, 5.0]
    bar.pbc = pbc
    i, j, d, D, S = neighbour_pairs("ijdDS", bar, 4.7)
    order = np.lexsort((*S.T, j, i))
    expected = neighbor_list("ijdDS", bar, 4.7)
    wanted = np.lexsort((*expected[4].T, expected[1], expected[0]))
    for ours, theirs in zip((i, j, d, D, S), expected, strict=True):
        np.testing.assert_allclose(ours[order], theirs[wanted], atol=1e-12)


def test_functions_of_a_potential_with_charges_are_read(tmp_path):
    text = (REFERENCE / "hdnnp_random" / "input.nn").read_text()
    charges = (
        "nnp_type 4G-HDNNP\nglobal_nodes_electrostatic 15 15\nelement_nodes_charge H 1 10\n"
        "initial_hardness H 10.0\nfixed_gausswidth H 1.28\nscreen_electrostatics 4.8 8.0\n"
    )
    atoms = read_n2p2_structure(REFERENCE / "water_iceIh.data", Bohr)
    found = SymmetryFunctions.from_n2p2(bad_file(tmp_path, charges + text))
    short = SymmetryFunctions.from_n2p2(REFERENCE / "hdnnp_random")
    for element in ("H", "O"):
        assert found.names(element) == short.names(element)
        assert np.array_equal(found(atoms, element), short(atoms, element))


def test_centres_with_different_functions_ask_for_one_element():
    sf = SymmetryFunctions.from_n2p2(REFERENCE / "hdnnp_random")
    atoms = read_n2p2_structure(REFERENCE / "water_iceIh.data", Bohr)
    if len(sf.functions["H"]) == len(sf.functions["O"]):
        pytest.fail("the reference no longer tells the elements apart")
    with pytest.raises(ValueError, match="different numbers of features .* choose one element"):
        sf(atoms)


def test_a_cutoff_beyond_an_open_cluster_warns():
    cluster = Atoms("Si3", [(0, 0, 0), (2.2, 0, 0), (0, 2.2, 0)])
    with pytest.warns(UserWarning, match="exceeds the size of this open cluster"):
        values = SymmetryFunctions.silicon()(cluster)
    assert np.isfinite(values).all()


def test_water_functions_take_a_shorter_cutoff():
    assert SymmetryFunctions.water(4.5).cutoff == pytest.approx(4.5)
    with pytest.raises(ValueError, match="cutoff=-1 Å must be positive"):
        SymmetryFunctions.water(-1)


@pytest.mark.skipif(_threads.available() < 2, reason="needs two threads")
def test_frames_are_shared_out_in_their_order_and_as_they_come():
    sf, drawn, done = SymmetryFunctions.silicon(), [], []

    def frames():
        for n in range(9):
            atoms = bulk("Si", cubic=True) * (1 + n % 2, 2, 2)
            atoms.rattle(0.1, seed=n)
            drawn.append(n)
            assert len(drawn) - len(done) <= 4
            yield atoms

    class Counted(SymmetryFunctions):
        def __call__(self, *args):
            result = super().__call__(*args)
            done.append(1)
            return result

    counted = Counted(sf.functions, 2, 0.0, sf.elements)
    rows = dk.features(frames(), counted, n_jobs=2, progress=False)
    done.extend(9 * [1])
    for row, atoms in zip(rows, frames(), strict=True):
        np.testing.assert_array_equal(row, counted(atoms))
    broken = [*list(frames())[:5], Atoms()]
    with pytest.raises(ValueError, match="frame 5: this frame has no atoms"):
        dk.features(broken, sf, n_jobs=2, progress=False)


@pytest.mark.skipif(_threads.available() < 2, reason="needs two threads")
@pytest.mark.parametrize(("most", "apart"), [(128, True), (127, False)])
def test_as_many_frames_are_worked_on_at_a_time_as_their_neighbours_fit(monkeypatch, most, apart):
    seen = set()

    class Seen(SymmetryFunctions):
        def __call__(self, *args):
            seen.add(threading.get_ident())
            return super().__call__(*args)

    sf = SymmetryFunctions.silicon()
    monkeypatch.setattr(trajectories, "MOST", most)
    frames = [rattled(n) for n in range(4)]  # of 64 atoms
    rows = dk.features(frames, Seen(sf.functions, 2, 0.0, sf.elements), n_jobs=2, progress=False)
    assert (len(seen) > 1) == apart
    np.testing.assert_array_equal(rows, [sf(atoms) for atoms in frames])


def test_features_of_a_file(tmp_path, diamond):
    write(tmp_path / "a.extxyz", [diamond, diamond])
    sf = SymmetryFunctions.silicon()
    G = dk.features(str(tmp_path / "a.extxyz"), sf, progress=False)
    assert G.shape[:2] == (2, len(diamond)) and np.allclose(G[1], sf(diamond), atol=1e-5)
