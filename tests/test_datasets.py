"""Data sets: what is embedded is what it says, and what is fetched is checked."""

import dataclasses
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from defectkit import datasets
from defectkit.io import download, si_gap

DATA = Path(datasets.__file__).parent / "data"
PHASES = ("diamond", "beta-Sn", "simple hexagonal", "liquid")
NEIGHBOURS = {
    "diamond": (4, 2.85),
    "beta-Sn": (6, 2.8),
    "simple hexagonal": (8, 3.05),
    "liquid": (6, 3.1),
}
VOLUMES = {
    "diamond": (19.4, 20.9),
    "beta-Sn": (14.1, 15.5),
    "simple hexagonal": (14.5, 15.1),
    "liquid": (17.5, 18.8),
}  # Å^3 per atom


@pytest.fixture(scope="module")
def phases():
    return datasets.load("si-phases")


@pytest.fixture(scope="module")
def unseen():
    return datasets.load("si-phases-test")


@pytest.fixture(scope="module")
def warm():
    return datasets.load("si-phases-warm")


def coordination(atoms, cutoff):
    return np.bincount(neighbor_list("i", atoms, cutoff), minlength=len(atoms))


def embedded():
    return sorted(path.stem for path in DATA.glob("*.json"))


@pytest.mark.parametrize("name", embedded())
def test_embedded_set_states_what_it_is(name):
    info = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    assert info["name"] == name
    for key in (
        "description",
        "licence",
        "citation",
        "units",
        "potential",
        "ensemble",
        "time_step_ps",
        "seed",
        "software",
        "difference_from_paper",
        "recipe",
    ):
        assert info[key], key
    for file in info.get("files", {}).values():
        assert (DATA / file).stat().st_size < 12e6
    if "files" not in info:
        packed = (DATA / f"{name}.extxyz.gz").read_bytes()
        assert packed[4:8] == b"\0\0\0\0", "the time of writing is in the gzip header"
    assert datasets.available()[name] == info["description"]


def test_embedded_sets_stay_small():
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 64e6


@pytest.mark.parametrize("fixture", ["phases", "unseen"])
def test_truth_follows_the_frames(fixture, request):
    data = request.getfixturevalue(fixture)
    per_atom = [atoms.info["phase"] for atoms in data.frames for _ in range(len(atoms))]
    assert [data.classes[label] for label in data.truth["phase"]] == per_atom
    assert data.classes == PHASES
    assert data.dt is None
    counts = np.bincount(data.truth["phase"])
    assert counts.min() >= (4000 if fixture == "phases" else 1000)
    stated = data.info["counts"]["environments"]
    assert [stated[name] for name in PHASES] == counts.tolist()
    np.testing.assert_array_equal(np.bincount(data.truth["frame"]), [len(a) for a in data.frames])
    assert data.truth["temperature"].shape == data.truth["run"].shape == (len(data.frames),)


@pytest.mark.parametrize("fixture", ["phases", "unseen", "warm"])
def test_frames_are_finite_periodic_and_of_the_right_density(fixture, request):
    for atoms in request.getfixturevalue(fixture).frames:
        assert np.isfinite(atoms.positions).all()
        assert atoms.pbc.all()
        low, high = VOLUMES[atoms.info["phase"]]
        assert low < atoms.get_volume() / len(atoms) < high
        assert (atoms.numbers == 14).all()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fixture", ["phases", "unseen"])
def test_coordination_is_that_of_the_phase(fixture, phase, request):
    data = request.getfixturevalue(fixture)
    number, cutoff = NEIGHBOURS[phase]
    frames = [atoms for atoms in data.frames if atoms.info["phase"] == phase]
    counts = np.concatenate([coordination(atoms, cutoff) for atoms in frames])
    if phase == "liquid":
        assert abs(counts.mean() - number) < 0.4
        assert counts.std() > 0.7
    else:
        assert np.mean(counts == number) > 0.9


def test_cells_are_many_and_different(phases):
    for phase in PHASES[:3]:
        cells = {
            tuple(np.round(a.cell.cellpar() / len(a) ** (1 / 3), 4))
            for a in phases.frames
            if a.info["phase"] == phase
        }
        assert len(cells) >= 50


def test_unseen_set_shares_no_cell_and_no_run(phases, unseen):
    seen = {
        np.round(a.cell[:].ravel(), 3).tobytes()
        for a in phases.frames
        if a.info["phase"] != "liquid"
    }
    new = {
        np.round(a.cell[:].ravel(), 3).tobytes()
        for a in unseen.frames
        if a.info["phase"] != "liquid"
    }
    assert not seen & new
    assert phases.info["seed"] != unseen.info["seed"]


def stretches(data):
    """(n_frames, n_atoms, 3) positions and the first frame of each run."""
    for run in range(data.truth["run"].max() + 1):
        chosen = np.flatnonzero(data.truth["run"] == run)
        frames = [data.frames[i] for i in chosen]
        yield np.array([a.positions for a in frames]), frames[0], data.truth["time"][chosen]


def test_warm_stretches_are_evenly_and_closely_spaced(warm):
    assert warm.dt == 0.01
    for positions, first, times in stretches(warm):
        assert len(times) >= 50, first.info["run"]
        np.testing.assert_allclose(np.diff(times), 0.01, atol=1e-6)
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
        assert steps.max() < 0.5, "wrapped, or frames are missing"
        speed = np.sqrt((steps**2).mean()) / 0.01  # Å/ps; sqrt(3kT/m) of silicon at T
        expected = np.sqrt(3 * 0.831446 * first.info["temperature_K"] / 28.0855)
        assert 0.75 * expected < speed < 1.25 * expected, first.info["run"]


def test_warm_set_has_every_phase_and_temperature(warm):
    count = {}
    for _, first, _ in stretches(warm):
        key = (first.info["phase"], int(first.info["temperature_K"]))
        count[key] = count.get(key, 0) + len(first)
    expected = {(p, t) for p in PHASES[:3] for t in (300, 450, 600)} | {("liquid", 2000)}
    assert set(count) == expected
    assert min(count.values()) >= 1000


def test_averaged_warm_solids_are_their_phase(warm):
    right = []
    for positions, first, _ in stretches(warm):
        number, cutoff = NEIGHBOURS[first.info["phase"]]
        if first.info["phase"] != "liquid":
            averaged = first.copy()
            averaged.positions = positions.mean(0)
            right.append((coordination(averaged, cutoff) == number).mean())
            assert right[-1] > 0.8, first.info["run"]  # soft modes at 600 K outlast 0.6 ps
    assert np.mean(right) > 0.98


@pytest.mark.slow
def test_mdapy_finds_diamond_only_in_diamond(phases):
    mdapy = pytest.importorskip("mdapy")
    found = {phase: [] for phase in PHASES}
    for atoms in phases.frames[::4]:
        if atoms.info["phase"] == "diamond" and atoms.info["temperature_K"] > 300:
            continue  # single hot frames hide the second shell that mdapy looks at
        system = mdapy.System(ase_atom=atoms)
        system.cal_identify_diamond_structure()
        found[atoms.info["phase"]] += (system.data["ids"].to_numpy() == 1).tolist()
    assert np.mean(found["diamond"]) > 0.95
    assert max(np.mean(found[phase]) for phase in PHASES[1:]) < 0.02


def test_kinds_choose_and_order_the_classes():
    data = datasets.load("si-phases-test", kinds=["liquid", "diamond"])
    assert data.classes == ("liquid", "diamond")
    assert {a.info["phase"] for a in data.frames} == {"liquid", "diamond"}
    labels = [data.frames[f].info["phase"] for f in data.truth["frame"]]
    assert labels == [data.classes[label] for label in data.truth["phase"]]


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="Unknown data set 'si-phase'.*si-phases.*si-gap-18"):
        datasets.load("si-phase")


def test_unknown_kind_lists_the_known():
    with pytest.raises(ValueError, match="no kind 'ice'; it has beta-Sn, diamond"):
        datasets.load("si-phases-test", kinds=["ice"])
    with pytest.raises(ValueError, match="si-phases-test keeps no kind; it has beta-Sn, diamond"):
        datasets.load("si-phases-test", kinds=[])
    with pytest.raises(ValueError, match="no kind 'liquid' with every=60; it has diamond, simple"):
        datasets.load("si-phases-test", kinds=["liquid"], every=60)


# the paper's own data ------------------------------------------------------------------------


def gap_text():
    """Three structures in the format of the Si-GAP-18 file."""
    cells = [
        ("dia", bulk("Si") * (2, 2, 2)),
        ("liq", bulk("Si", cubic=True)),
        ("dia", bulk("Si", cubic=True)),
    ]
    rng = np.random.default_rng(5)
    for kind, atoms in cells:
        atoms.rattle(0.05, seed=3)
        atoms.info = {
            "config_type": kind,
            "dft_energy": -158.4 * len(atoms),
            "dft_virial": rng.normal(size=(3, 3)),
            "cutoff": 5.5,
        }
        atoms.arrays["dft_force"] = rng.normal(size=(len(atoms), 3))
        atoms.arrays["map_shift"] = np.zeros((len(atoms), 3), int)
    text = io.StringIO()
    ase.io.write(text, [atoms for _, atoms in cells], format="extxyz")
    return text.getvalue()


def blob(text):
    """git's name of this content."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def gap(monkeypatch):
    """These structures count as the ones published."""
    monkeypatch.setattr(si_gap, "BLOB", blob(gap_text()))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEFECTKIT_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.filterwarnings("ignore:Si-GAP-18 is covered")
def test_gap_file_placed_by_hand_reaches_features(cache, gap):
    from defectkit.symmetry import SymmetryFunctions

    (cache / "si-gap-18").mkdir()
    (cache / "si-gap-18" / "gp_iter6_sparse9k.xml.xyz").write_text(gap_text())
    data = datasets.load("si-gap-18", kinds=["liq", "dia"])
    assert data.classes == ("liq", "dia")
    assert data.truth["phase"].tolist() == [1] * 16 + [0] * 8 + [1] * 8
    features = np.vstack([SymmetryFunctions.silicon()(atoms) for atoms in data.frames])
    assert features.shape[0] == len(data.truth["phase"])
    assert np.isfinite(features).all()
    assert datasets.load("si-gap-18", kinds="dia").frames[1].pbc.all()
    with pytest.raises(ValueError, match="si-gap-18 has no kind 'bt'; it has dia, liq"):
        datasets.load("si-gap-18", kinds=["bt"])


def test_gap_licence_is_shown(cache, gap):
    (cache / "si-gap-18").mkdir()
    (cache / "si-gap-18" / "gp_iter6_sparse9k.xml.xyz").write_text(gap_text())
    with pytest.warns(UserWarning, match="CC BY-NC-SA 4.0; cite A. P. Bartok"):
        assert len(datasets.load("si-gap-18").frames) == 3


@pytest.mark.filterwarnings("ignore:Si-GAP-18 is covered")
def test_gap_files_placed_by_hand_that_are_others_are_refused(cache, monkeypatch):
    (cache / "si-gap-18").mkdir()
    path = cache / "si-gap-18" / "gp_iter6_sparse9k.xml.xyz"
    path.write_text(gap_text())
    with pytest.raises(ValueError, match="is not the file expected .git's SHA-1 .*3e4bf425218d"):
        datasets.load("si-gap-18")
    path.unlink()
    archive = cache / "si-gap-18" / "silicon-testing-framework-v1.0.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x/README", "no structures")
    with pytest.raises(ValueError, match="or holds no models/GAP/gp_iter6.*delete it"):
        datasets.load("si-gap-18")
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is damaged or holds no"):
        datasets.load("si-gap-18")


@pytest.mark.filterwarnings("ignore:Si-GAP-18 is covered")
def test_gap_archive_placed_by_hand_is_checked_and_read(cache, monkeypatch):
    (cache / "si-gap-18").mkdir()
    path = cache / "si-gap-18" / "silicon-testing-framework-v1.0.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/models/GAP/gp_iter6_sparse9k.xml.xyz", gap_text())
    with pytest.raises(ValueError, match="arrived corrupt or cut off .git's SHA-1"):
        datasets.load("si-gap-18")
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    monkeypatch.setattr(si_gap, "BLOB", blob(gap_text()))
    assert len(datasets.load("si-gap-18").frames) == 3


@pytest.mark.filterwarnings("ignore:Si-GAP-18 is covered")
def test_gap_is_fetched_once_and_all_of_it_is_checked(cache, monkeypatch):
    served = cache / "served.xyz"
    served.write_text(gap_text().replace("8.5", "8.6", 1) + "\n")
    monkeypatch.setattr(si_gap, "URL", served.as_uri())
    monkeypatch.setattr(si_gap, "BLOB", blob(gap_text()))
    with pytest.raises(ValueError, match="arrived corrupt or cut off .git's SHA-1.*nothing was"):
        datasets.load("si-gap-18")
    served.write_text(gap_text())
    assert datasets.load("si-gap-18").classes == ("dia", "liq")
    served.unlink()
    assert len(datasets.load("si-gap-18").frames) == 3
    kept = cache / "si-gap-18" / "gp_iter6_sparse9k.xml.xyz"
    kept.write_text(gap_text().replace("0", "1", 1))
    with pytest.raises(ValueError, match="is not the file expected .git's SHA-1 .*delete it"):
        datasets.load("si-gap-18")


@pytest.mark.filterwarnings("ignore:Si-GAP-18 is covered")
def test_gap_without_network_says_how_by_hand(cache, monkeypatch):
    monkeypatch.setattr(si_gap, "URL", (cache / "nowhere").as_uri())
    sentence = (
        r"cannot be fetched .*git's SHA-1 3e4bf425218d1197426dd076be3ad5dc24229e68 at .*si-gap-18"
        r".*by hand, or silicon-testing-framework-v1.0.zip .*DEFECTKIT_CACHE"
    )
    with pytest.raises(FileNotFoundError, match=sentence):
        datasets.load("si-gap-18")


# downloads -----------------------------------------------------------------------------------


def served(folder, content=b"weights " * 20000):
    source = folder / "served.data"
    source.write_bytes(content)
    return source.as_uri(), hashlib.sha256(content).hexdigest(), content


def test_fetch_keeps_the_right_file_and_does_not_fetch_twice(tmp_path):
    url, sha256, content = served(tmp_path)
    path = tmp_path / "cache" / "file.data"
    assert datasets.fetch(url, sha256, path, progress=False).read_bytes() == content
    (tmp_path / "served.data").unlink()
    assert datasets.fetch(url, sha256, path) == path


def test_fetch_refuses_a_corrupt_file_and_leaves_nothing(tmp_path):
    url, sha256, content = served(tmp_path)
    (tmp_path / "served.data").write_bytes(content[:-1])
    path = tmp_path / "cache" / "file.data"
    with pytest.raises(ValueError, match="arrived corrupt or cut off.*nothing was kept"):
        datasets.fetch(url, sha256, path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_interrupted_fetch_leaves_nothing(tmp_path, monkeypatch):
    class Breaking(io.BytesIO):
        headers = {}  # noqa: RUF012

        def read(self, size=-1):
            block = super().read(size)
            if not block:
                raise ConnectionResetError("connection reset by peer")
            return block

    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: Breaking(b"x" * 99))
    path = tmp_path / "cache" / "file.data"
    with pytest.raises(FileNotFoundError, match="connection reset by peer.*by hand"):
        datasets.fetch("https://example.org/file", "0" * 64, path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_fetch_names_a_wrong_file_that_is_there(tmp_path):
    url, sha256, _ = served(tmp_path)
    path = tmp_path / "file.data"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not the file expected.*delete it"):
        datasets.fetch(url, sha256, path)
    assert path.read_bytes() == b"something else"


def test_fetch_without_the_source_says_how_by_hand(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot be fetched.*go online, or put the file"):
        datasets.fetch((tmp_path / "absent").as_uri(), "0" * 64, tmp_path / "file.data")


def test_potential_folder_fetches_each_file_once(cache, monkeypatch):
    upstream = cache / "upstream"
    files = {}
    for name in datasets._POTENTIALS["h2o-rpbe-d3"]["files"]:
        (upstream / "data").mkdir(parents=True, exist_ok=True)
        (upstream / "data" / name).write_text(name)
        files[name] = ("data/" + name, hashlib.sha256(name.encode()).hexdigest())
    monkeypatch.setattr(datasets, "_N2P2", upstream.as_uri() + "/")
    monkeypatch.setitem(datasets._POTENTIALS["h2o-rpbe-d3"], "files", files)
    with pytest.warns(UserWarning, match="GPL-3.0"):
        folder = datasets.potential_folder()
    assert sorted(p.name for p in folder.iterdir()) == sorted(files)
    assert datasets.potential_folder("h2o-rpbe-d3") == folder
    with pytest.raises(ValueError, match="Unknown potential 'water'; the known ones are h2o-rpbe"):
        datasets.potential_folder("water")


def test_cache_folder_has_a_default(monkeypatch):
    monkeypatch.delenv("DEFECTKIT_CACHE", raising=False)
    assert datasets.cache_folder().name == "defectkit"


# a user's own files --------------------------------------------------------------------------

DUMP = """ITEM: TIMESTEP
{}
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 10
0 10
0 10
ITEM: ATOMS id type x y z
1 2 0.0 0.5 0.0
2 1 1.0 1.0 1.5
"""


def test_read_frames_of_extended_xyz(tmp_path):
    path = tmp_path / "mine.extxyz"
    ase.io.write(path, [bulk("Si"), bulk("Ge")])
    assert [str(a.symbols) for a in datasets.read_frames(path)] == ["Si2", "Ge2"]


def test_read_frames_of_a_zipped_file(tmp_path):
    path = tmp_path / "mine.extxyz.gz"
    ase.io.write(path, [bulk("Si"), bulk("Ge")])
    assert [str(a.symbols) for a in datasets.read_frames(path)] == ["Si2", "Ge2"]


def test_read_frames_of_a_dump_needs_the_elements_of_its_types(tmp_path):
    path = tmp_path / "mine.dump"
    path.write_text(DUMP.format(0) + DUMP.format(1))
    with pytest.raises(ValueError, match="atom types but no elements; name them"):
        datasets.read_frames(path)
    frames = datasets.read_frames(path, elements=["O", "H"])
    assert [str(a.symbols) for a in frames] == ["HO", "HO"]
    assert frames[0].pbc.all()
    with pytest.raises(ValueError, match="atom types up to 2, but elements names 1"):
        datasets.read_frames(path, elements=["O"])


@pytest.mark.parametrize("name", ["cut.dump", "cut.extxyz"])
def test_read_frames_keeps_the_whole_frames_of_a_file_that_breaks_off(tmp_path, name):
    path = tmp_path / name
    if name.endswith("dump"):
        path.write_text((DUMP.format(0) + DUMP.format(1) + DUMP.format(2))[:-8])
    else:
        ase.io.write(path, [bulk("Si", cubic=True)] * 3)
        path.write_text(path.read_text()[:-120])
    with pytest.warns(UserWarning, match="breaks off; its 2 whole frames are kept"):
        assert len(datasets.read_frames(path, elements=["O", "H"])) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello\nworld\n", "of no kind that is read here; use extended XYZ"),
        (bytes(range(256)), "of no kind that is read here; use extended XYZ"),
        (b"0\n\n", "has no atoms in it"),
        (b"1\n\nX 0 0 0\n", "has atoms without an element"),
    ],
)
def test_read_frames_names_what_is_wrong(tmp_path, content, message):
    path = tmp_path / "mine.xyz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        datasets.read_frames(path)


def test_read_frames_of_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist or is not a file; check the path"):
        datasets.read_frames(tmp_path / "absent.xyz")


def test_embedded_files_open_as_plain_extended_xyz():
    with gzip.open(DATA / "si-phases-test.extxyz.gz", "rt") as file:
        first = ase.io.read(file, 0, format="extxyz")
    assert isinstance(first, Atoms)
    assert first.info["phase"] == "diamond"


@pytest.mark.parametrize("name", ["labelled.extxyz", "labelled.extxyz.gz"])
def test_written_frames_are_read_back_with_their_columns(tmp_path, name):
    frames = datasets.load("si-phases-test").frames[:3]
    size = sum(map(len, frames))
    cluster = np.arange(size) % 4 - 1
    xy = np.random.default_rng(0).normal(size=(size, 2))
    before = frames[0].arrays.copy()
    datasets.write_frames(tmp_path / name, frames, cluster=cluster, map=xy)
    assert frames[0].arrays.keys() == before.keys()
    back = ase.io.read(tmp_path / name, ":")
    np.testing.assert_array_equal(np.concatenate([f.arrays["cluster"] for f in back]), cluster)
    np.testing.assert_allclose(np.concatenate([f.arrays["map"] for f in back]), xy, atol=1e-7)
    np.testing.assert_allclose(back[1].positions, frames[1].positions, atol=1e-7)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_frames_that_cannot_be_written_are_refused(tmp_path):
    frames = datasets.load("si-phases-test").frames[:1]
    with pytest.raises(ValueError, match="end it in .extxyz"):
        datasets.write_frames(tmp_path / "x.pdb", frames)
    with pytest.raises(ValueError, match=r"cluster has 3 values for \d+ atoms in 1 frames"):
        datasets.write_frames(tmp_path / "x.extxyz", frames, cluster=[0, 1, 2])
    with pytest.raises(ValueError, match="cannot be called 'positions'"):
        datasets.write_frames(tmp_path / "x.extxyz", frames, positions=np.zeros(len(frames[0])))
    assert not list(tmp_path.iterdir())


def test_results_are_written_to_four_digits(tmp_path):
    numbers = {"n": 3, "error_percent": np.float64(0.123456)}
    told = datasets.write_results(tmp_path / "results" / "case.json", numbers)
    found = json.loads((tmp_path / "results" / "case.json").read_text())
    assert found == told == {"n": 3, "error_percent": 0.1235}
    assert repr(told) == "{'n': 3, 'error_percent': 0.1235}"


def test_a_data_set_tells_what_it_is_in_few_lines():
    data = datasets.load("si-phases-test", kinds=["diamond"])
    lines = repr(data).splitlines()
    assert lines[0] == f"Dataset si-phases-test: {data.description}"
    assert len(lines) == 5 and lines[1].strip().startswith(f"frames: {len(data.frames)} of ")
    assert "phase" in lines[3] and data.licence in lines[4]
    page = data._repr_html_()
    assert page.count("<tr>") == 4 and "<b>Dataset si-phases-test: " in page
    odd = dataclasses.replace(data, description="<script>", frames=[])
    assert "&lt;script&gt;" in odd._repr_html_() and "0 of 0 atoms" in repr(odd)
    ragged = datasets.load("compounds")  # none, one or several sites a frame
    assert f"site_A ({len(ragged.frames)}, ...), site_kind" in str(ragged)


def test_values_of_all_environments_are_split_by_frame():
    data = datasets.load("si-phases-test", kinds=["diamond"])
    parts = data.split(np.concatenate([f.positions for f in data.frames]))
    assert all((p == f.positions).all() for p, f in zip(parts, data.frames, strict=True))
    with pytest.raises(ValueError, match="3 values do not match the .* atoms of si-phases-test"):
        data.split([1, 2, 3])


def test_every_second_frame_comes_with_its_own_truth():
    whole, half = datasets.load("si-vacancy"), datasets.load("si-vacancy", every=2)
    assert len(half.frames) == len(whole.frames) / 2 and half.dt == 2 * whole.dt
    for n, atoms in enumerate(half.frames):
        assert (atoms.positions == whole.frames[2 * n].positions).all()
    assert (half.truth["vacancy_A"] == whole.truth["vacancy_A"][::2]).all()
    parts = half.split(half.truth["vacancy_neighbour"])
    beside = whole.split(whole.truth["vacancy_neighbour"])[::2]
    assert all((one == other).all() for one, other in zip(parts, beside, strict=True))
    assert half.truth["frame"].max() == len(half.frames) - 1
    some = datasets.load("si-phases-test", kinds=["diamond"], every=3)
    assert some.dt is None and {atoms.info["phase"] for atoms in some.frames} == {"diamond"}
    with pytest.raises(ValueError, match="every=0 has to be a whole number, at least 1"):
        datasets.load("si-vacancy", every=0)


def test_runs_are_consecutive_frames_of_one_run():
    data = datasets.load("si-interstitial-moving")
    runs = data.runs()
    assert len(runs) == data.truth["run"].max() + 1
    assert sum(map(len, runs)) == len(data.frames)
    for n, frames in enumerate(runs):
        assert {atoms.info["run"] for atoms in frames} == {
            data.frames[int(np.flatnonzero(data.truth["run"] == n)[0])].info["run"]
        }
        assert (np.diff([atoms.info["time_ps"] for atoms in frames]) > 0).all()
    with pytest.raises(ValueError, match="no-runs has no runs"):
        dataclasses.replace(data, name="no-runs", truth={}).runs()
