"""Objects of pymatgen, MDAnalysis, OVITO and dpdata in, labels back to each.

The real libraries come with make test-descriptors; stand-ins with their attributes are read here.
"""

import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit.clusters import NOT_LABELLED
from defectkit.io.objects import frames_of, package_of


@pytest.fixture(scope="module")
def copper():
    """Copper without one atom, a triclinic cell."""
    atoms = bulk("Cu") * (5, 5, 5)
    del atoms[60]
    atoms.rattle(0.02, seed=1)
    return atoms


def same(found, atoms, pbc=True):
    assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
    assert np.allclose(found.cell.array, atoms.cell.array, atol=1e-4)
    assert np.allclose(found.positions, atoms.positions, atol=1e-4)
    assert found.pbc.all() == pbc


def library(name):
    return pytest.importorskip(name, reason=f"{name} is missing: make test-descriptors")


def structure(atoms):
    core = library("pymatgen.core")
    return core.Structure(
        atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions(wrap=False)
    )


def test_a_structure_of_pymatgen(copper):
    given = structure(copper)
    assert package_of(given) == "pymatgen"
    same(dk.read_frames(given)[0], copper)
    frames = dk.read_frames([given, copper])
    assert len(frames) == 2
    result = dk.identify(given, progress=False)
    assert result.defects["kind"].tolist() == ["vacancy"]
    labelled = result.to_pymatgen(given)
    assert labelled.site_properties["defectkit_cluster"] == result.atom_labels().tolist()
    assert "defectkit_cluster" not in given.site_properties
    with pytest.raises(
        ValueError, match="the structure has 123 sites and frame 0 of the result 124"
    ):
        result.to_pymatgen(structure(copper[1:]))


def test_a_molecule_and_a_disordered_structure_of_pymatgen():
    core = library("pymatgen.core")
    water = core.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    assert not dk.read_frames(water)[0].pbc.any()
    alloy = core.Structure(np.eye(3) * 4, [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="has sites that several elements share; order it first"):
        dk.read_frames(alloy)
    with pytest.raises(ValueError, match="a Composition of pymatgen holds no atoms"):
        dk.read_frames(core.Composition("Cu"))


@pytest.fixture
def universe(copper):
    mda = library("MDAnalysis")
    made = mda.Universe.empty(len(copper), trajectory=True)
    made.add_TopologyAttr("elements", copper.get_chemical_symbols())
    made.load_new(np.stack([copper.positions, copper.positions + 0.1]))
    for step in made.trajectory:
        step.dimensions = copper.cell.cellpar()
    return made


def test_a_universe_of_mdanalysis_gives_all_its_frames_and_takes_labels(copper, universe):
    from ase.cell import Cell

    standard = copper.copy()
    standard.set_cell(Cell.fromcellpar(copper.cell.cellpar()), scale_atoms=True)
    universe.load_new(
        np.stack([standard.positions] * 2), dimensions=np.stack([copper.cell.cellpar()] * 2)
    )
    frames = dk.read_frames(universe)
    assert len(frames) == 2
    same(frames[0], standard)
    result = dk.identify(universe, progress=False)
    labels = result.to_mdanalysis(universe, frame=1)
    assert np.array_equal(universe.atoms.defectkit_clusters, labels)
    assert len(universe.select_atoms("defectkit_cluster 0")) == (labels == 0).sum()
    result.to_mdanalysis(universe)  # again, over the first
    with pytest.raises(ValueError, match="frame=7: the result has 2 frames"):
        result.to_mdanalysis(universe, frame=7)


def test_a_universe_without_elements_asks_for_them(copper):
    mda = library("MDAnalysis")
    nameless = mda.Universe.empty(2, trajectory=True)
    nameless.add_TopologyAttr("types", ["1", "2"])
    nameless.load_new(np.array([[[0.0, 0, 0], [2.5, 0, 0]]]))
    with pytest.raises(ValueError, match="'1' names no element in this object of MDAnalysis"):
        dk.read_frames(nameless)
    found = dk.read_frames(nameless, elements=["Cu", "Au"])[0]
    assert found.get_chemical_symbols() == ["Cu", "Au"]
    with pytest.raises(ValueError, match="the universe has 2 atoms and the result"):
        dk.identify(copper, progress=False).to_mdanalysis(nameless)


def test_a_system_of_dpdata(copper, tmp_path):
    dpdata = library("dpdata")
    system = dpdata.System(copper, fmt="ase/structure")
    same(dk.read_frames(system)[0], copper)
    system.append(dpdata.System(copper, fmt="ase/structure"))
    result = dk.identify(system, progress=False)
    labelled = result.to_dpdata(system)
    assert np.array_equal(labelled.data["defectkit_clusters"].ravel(), result.atom_labels())
    assert np.array_equal(labelled[1].data["defectkit_clusters"][0], result.atom_labels()[124:])
    labelled.to("deepmd/npy", tmp_path)
    again = dpdata.System(tmp_path, fmt="deepmd/npy")
    assert np.array_equal(again.data["defectkit_clusters"], labelled.data["defectkit_clusters"])
    assert "defectkit_clusters" not in system.data
    with pytest.raises(ValueError, match="has 1 frames of 124 atoms and the result 2 of 124"):
        result.to_dpdata(system[0])


def test_a_door_whose_library_is_absent_says_how_to_install_it(copper, monkeypatch):
    result = dk.identify(copper, progress=False)
    for name, give in (("MDAnalysis", result.to_mdanalysis), ("dpdata", result.to_dpdata)):
        monkeypatch.setitem(sys.modules, name, None)
        sentence = f"Result.to_{name.lower()} needs {name} .*install it: pip install {name}."
        with pytest.raises(ImportError, match=sentence):
            give(None)


class Stand:
    """Anything with the attributes that it is given."""

    def __init__(self, **given):
        self.__dict__.update(given)


def ovito_like(atoms, names=("Cu",)):
    """What `frames_of` reads of an OVITO DataCollection, with the attributes that it has."""

    class Types(np.ndarray):
        types = [Stand(id=n, name=name) for n, name in enumerate(names, 1)]

    class Particles(dict):
        count = len(atoms)

        def create_property(self, name, data):
            self[name] = data

    class Cell:
        pbc = tuple(atoms.pbc)

        def __getitem__(self, key):
            return np.c_[atoms.cell.array.T, [1.0, 2.0, 3.0]]

    class DataCollection(Stand):
        pass

    DataCollection.__module__ = "ovito.data"
    particles = Particles(
        {
            "Position": atoms.positions + [1.0, 2.0, 3.0],
            "Particle Type": np.ones(len(atoms), int).view(Types),
        }
    )
    return DataCollection(particles=particles, particles_=particles, cell=Cell())


def test_a_data_collection_of_ovito_by_its_attributes(copper):
    data = ovito_like(copper)
    same(dk.read_frames(data)[0], copper)
    result = dk.identify(data, progress=False)
    modify = result.to_ovito()
    modify(0, data)
    assert np.array_equal(data.particles["Defectkit Cluster"], result.labels)
    data.particles["Particle Identifier"] = np.arange(len(copper))[::-1]
    modify(0, data)
    assert np.array_equal(data.particles["Defectkit Cluster"], result.labels[::-1])
    with pytest.raises(ValueError, match="identify was given 1 frames and OVITO asks for frame 1"):
        modify(1, data)
    with pytest.raises(ValueError, match="frame 0 has 10 particles and the result 124"):
        modify(0, ovito_like(copper[:10]))


def test_frames_of_ovito_get_the_labels_of_their_own_average(copper):
    frames = [copper.copy() for _ in range(12)]
    for n, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=n)
    result = dk.identify(frames, method="pca", window=5, progress=False)
    assert result.source_frames == [2, 7]
    labels = np.arange(2).repeat(len(copper))
    modify = replace(result, labels=labels).to_ovito()

    def label(frame):
        data = ovito_like(copper)
        modify(frame, data)
        (found,) = set(data.particles["Defectkit Cluster"].tolist())
        return found

    assert [label(n) for n in range(12)] == 5 * [0] + 5 * [1] + 2 * [NOT_LABELLED]
    with pytest.raises(
        ValueError, match="identify was given 12 frames and OVITO asks for frame 12"
    ):
        label(12)


def test_types_without_names_ask_for_elements(copper):
    with pytest.raises(
        ValueError, match="'1' names no element in this object of OVITO; give elements="
    ):
        dk.read_frames(ovito_like(copper, names=("",)))
    same(dk.read_frames(ovito_like(copper, names=("",)), elements=["Cu"])[0], copper)


def test_the_real_ovito(copper):
    library("ovito")
    from ovito.io.ase import ase_to_ovito

    data = ase_to_ovito(copper)
    same(dk.read_frames(data)[0], copper)
    dk.identify(data, progress=False).to_ovito()(0, data)
    assert len(data.particles["Defectkit Cluster"]) == len(copper)


@pytest.mark.parametrize("package", ["pymatgen", "MDAnalysis", "ovito", "dpdata"])
def test_objects_without_atoms_are_refused(package):
    kind = type("Thing", (), {"__module__": f"{package}.core"})
    with pytest.raises(ValueError, match="holds no (atoms|particles|frames)"):
        list(frames_of(kind()))


def test_what_is_none_of_them_is_left_to_others():
    assert frames_of([1]) is None and package_of(bulk("Cu")) == ""
