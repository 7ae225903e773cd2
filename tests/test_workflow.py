"""The whole loop on somebody's own file: what it finds, what it keeps, what it refuses."""

import errno
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import ase.io
import numpy as np
import pandas
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

import defectkit as dk
from defectkit import workflow
from defectkit.__main__ import main
from defectkit.io import archive
from defectkit.result.summary import figure
from defectkit.symmetry import SymmetryFunctions
from defectkit.workflow.refine import follow


def copper(n_frames=6, removed=(17,), seed=0, amplitude=0.03):
    """Frames of copper with atoms missing, each atom shaken about its site."""
    rng = np.random.default_rng(seed)
    perfect = bulk("Cu", cubic=True) * (4, 4, 4)
    del perfect[list(removed)]
    frames = []
    for _ in range(n_frames):
        atoms = perfect.copy()
        atoms.positions += rng.normal(0.0, amplitude, atoms.positions.shape)
        frames.append(atoms)
    return frames


def shaken_silicon(n_frames):
    """Frames of silicon's primitive cell."""
    frames = [bulk("Si") for _ in range(n_frames)]
    for n, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=n)
    return frames


@pytest.fixture(scope="module")
def vacancy():
    return dk.identify(copper(), window=1, progress=False)


def shell(result):
    """The row of the cluster whose atoms miss one neighbour."""
    (row,) = (r for r in result.describe().to_dict("records") if r["coordination"] < 11.5)
    return row


def test_the_twelve_neighbours_of_a_vacancy_are_one_cluster_in_every_frame(vacancy):
    row = shell(vacancy)
    assert row["per_frame"] == row["group"] == 12.0 and row["coordination"] == 11.0
    site = (bulk("Cu", cubic=True) * (4, 4, 4)).positions[17]
    for n, atoms in enumerate(vacancy.frames):
        d = atoms.positions - site
        d -= np.round(d / atoms.cell.lengths()) * atoms.cell.lengths()
        here = vacancy.frame == n
        np.testing.assert_array_equal(
            vacancy.atom[here][vacancy.labels[here] == row["label"]],
            np.flatnonzero(np.linalg.norm(d, axis=1) < 3.1),
        )


@pytest.mark.slow
def test_a_cluster_is_said_to_sit_where_it_was_planted():
    """Also in a cell whose atoms lie in another image."""
    frames = copper(amplitude=0.02)
    for atoms in frames:
        atoms.positions += [-31.0, 2.0, 55.0]
    result = dk.identify(frames, window=1, progress=False)
    site = (bulk("Cu", cubic=True) * (4, 4, 4)).positions[17] + [-31.0, 2.0, 55.0]
    off = np.array(shell(result)["place"]) - site
    assert np.abs(off - np.round(off / 14.44) * 14.44).max() < 0.05
    assert np.isnan(result.describe()["place"][0]).all()


def test_layers_have_a_place_along_one_vector_only():
    from defectkit.neighbours.bond_order import places

    atoms = bulk("Cu", cubic=True) * (3, 3, 8)
    here = np.abs(atoms.positions[:, 2] - 18.05) < 0.1
    for pbc, shift in ((True, 0.0), ((True, True, False), -40.0)):
        moved = atoms.copy()
        moved.pbc = pbc
        moved.positions += [0, 0, shift]
        (at,) = places([moved, moved], [here, here], [True])
        assert np.isnan(at[:2]).all() and at[2] == pytest.approx(18.05 + shift)


def test_the_summary_names_the_crystal_and_the_defect(vacancy):
    lines = vacancy.summary().splitlines()
    assert lines[0].startswith("fcc crystal of Cu, 243.0 atoms per frame (95 %), cluster")
    assert lines[1].startswith("around point defects, 12.0 atoms per frame (4.7 %), cluster")
    assert lines[2].startswith("Cu vacancy: in 6 of 6 frames, 1.00 per frame; first at (")
    assert repr(vacancy) == vacancy.summary()
    with pytest.warns(DeprecationWarning, match="is now called Result.summary"):
        assert vacancy.words() == lines


def test_the_table_of_defects_places_the_vacancy_in_every_frame(vacancy):
    site = (bulk("Cu", cubic=True) * (4, 4, 4)).positions[17]
    assert list(vacancy.defects["frame"]) == list(range(6))
    assert set(vacancy.defects["kind"]) == {"vacancy"}
    off = np.array(list(vacancy.defects["position_A"])) - site
    off -= np.round(off / 14.44) * 14.44
    assert np.linalg.norm(off, axis=1).max() < 0.3
    assert set(vacancy.defects["neighbours"]) == {12}


def test_the_html_of_a_result_escapes_and_needs_no_network(vacancy, tmp_path):
    path = vacancy.report(tmp_path / "a page.html")
    text = path.read_text()
    assert "fcc crystal of Cu" in text and text.count("data:image/png;base64,") == 2
    assert "http" not in text.replace("data:", "")
    assert "<table" in vacancy._repr_html_()
    with pytest.raises(ValueError, match="end it in .html"):
        vacancy.report(tmp_path / "a.txt")


def test_a_result_is_saved_reopened_and_written(vacancy, tmp_path):
    vacancy.save(tmp_path / "a.npz")
    again = dk.open_result(tmp_path / "a.npz")
    for name in ("labels", "map", "frame", "atom"):
        np.testing.assert_array_equal(getattr(again, name), getattr(vacancy, name))
    assert again.info == json.loads(json.dumps(vacancy.info))
    assert again.summary() == vacancy.summary()
    for name in ("phases", "defects", "extended", "tracks"):
        pandas.testing.assert_frame_equal(
            getattr(again, name), getattr(vacancy, name), check_dtype=False
        )
    vacancy.write(tmp_path / "a.extxyz")
    frames = ase.io.read(tmp_path / "a.extxyz", ":")
    assert len(frames) == 6
    assert np.concatenate([a.arrays["cluster"] for a in frames]).tolist() == (
        vacancy.atom_labels().tolist()
    )


def test_what_extended_xyz_cannot_hold_does_not_break_the_file(tmp_path):
    atoms = copper(1)[0]
    atoms.arrays |= {
        "residuenames": np.array([""] * len(atoms)),
        "two words": np.zeros(len(atoms)),
        "note": np.array(["a b"] * len(atoms)),
        "kept": np.array(["Cu1"] * len(atoms)),
    }
    atoms.info = {"Properties": "species:S:1", "text": "two\nlines", "frame": 3}
    result = dk.identify(atoms, progress=False)
    result.write(tmp_path / "a.extxyz")
    (again,) = dk.read_frames(tmp_path / "a.extxyz")
    assert set(again.arrays) == {"numbers", "positions", "kept", "cluster"}
    assert np.array_equal(again.arrays["cluster"], result.atom_labels())
    assert again.info == {"frame": 3}
    with pytest.raises(
        ValueError, match="'name' is no column of extended XYZ, which takes numbers or words"
    ):
        dk.datasets.write_frames(tmp_path / "b.extxyz", [atoms], name=["a b"] * len(atoms))


def test_pictures_show_every_drawn_environment(vacancy):
    ax = vacancy.figure()
    assert sum(len(c.get_offsets()) for c in ax.collections) >= len(vacancy.labels)
    assert vacancy.static_figure(2).get_images() or vacancy.static_figure(2).has_data()


def test_maps_of_several_groups_have_one_title_and_no_ax():
    salt = SimpleNamespace(
        map=np.random.default_rng(0).random((40, 2)),
        labels=np.zeros(40, int),
        group=np.arange(40) % 2,
        captions={},
        info={"groups": ["Na", "Cl"]},
    )
    axes = figure(salt, title="rock salt", size=4)
    assert [ax.get_title() for ax in axes] == ["Na", "Cl"]
    assert axes[0].figure.get_suptitle() == "rock salt"
    with pytest.raises(ValueError, match="2 maps, one each for Na, Cl, which one ax does not"):
        figure(salt, ax=axes[0])
    salt.group[:] = 1
    assert figure(salt, ax=axes[0], title="salt") is axes[0] and axes[0].get_title() == "salt"


def test_environments_beyond_the_sample_get_the_label_of_their_neighbours(vacancy):
    sampled = dk.identify(copper(), window=1, max_points=900, progress=False)
    assert np.isfinite(sampled.map[:, 0]).sum() == 900
    assert np.isnan(sampled.map[:, 0]).sum() == 630
    np.testing.assert_array_equal(
        sampled.labels == shell(sampled)["label"], vacancy.labels == shell(vacancy)["label"]
    )


def test_too_many_frames_are_thinned_in_time_with_a_warning():
    with pytest.warns(UserWarning, match="1020 environments are more than max_environments=510"):
        result = dk.identify(copper(4), window=1, max_environments=510, progress=False)
    assert len(result.labels) == 2 * 255 and len(result.frames) == 2
    assert "looked at: 2 windows evenly spaced in time" in result.steps
    with pytest.warns(UserWarning, match="more than max_environments=255: only 1 window can be"):
        result = dk.identify(copper(2), window=1, max_environments=255, progress=False)
    assert "looked at: 1 window" in result.steps


def test_atoms_without_neighbours_are_a_gas():
    """Argon at 1e-6 atoms per cubic ångström was "liquid or amorphous", confidence 1."""
    places = np.random.default_rng(0).random((100, 3))
    gas = dk.identify(Atoms("Ar100", 500 * places, cell=[500] * 3, pbc=True), progress=False)
    assert gas.summary().startswith("gas (Ar), 100 atoms (100 %)")
    assert gas.phases["basis"][0].startswith("0 neighbours for each of its atoms")


def test_atoms_far_from_their_like_in_a_solid_are_no_gas():
    sites = [(0.125, 0, 0.25), (0, 0, 0), (0.375, 0, 0.25), (0.9695, 0.0512, 0.1493)]
    garnet = crystal(["Y", "Al", "Al", "O"], sites, spacegroup=230, cellpar=[12.0] * 3 + [90] * 3)
    del garnet[120]
    assert "gas" not in dk.identify(garnet, progress=False).summary()
    melt = bulk("Cu", cubic=True) * 4
    melt.rattle(0.5, seed=1)
    assert "liquid or amorphous (Cu)" in dk.identify(melt, progress=False).summary()


def test_one_of_a_kind_has_no_plural(vacancy):
    one = dk.identify(bulk("Cu"), progress=False)
    assert "1 environment is too few for a map" in one.summary()
    assert ", 1 atom (100 %)" in one.summary()
    track = vacancy.tracks[:1].assign(jumps=1)
    said = vacancy.with_tables(tracks=track).summary()
    assert "\n1 path of point defects through time, 1 jump in all" in said
    said = vacancy.with_tables(tracks=pandas.concat([track] * 2)).summary()
    assert "\n2 paths of point defects through time, 2 jumps in all" in said


def test_frames_larger_than_that_are_thinned_by_atoms():
    with pytest.warns(UserWarning, match="255 environments are more than max_environments=200"):
        result = dk.identify(copper(1), max_environments=200, progress=False)
    assert len(result.labels) == 200
    assert (result.atom_labels() == workflow.NOT_LABELLED).sum() == 55


@pytest.mark.slow
def test_the_window_is_found_for_a_trajectory_too_hot_for_single_frames():
    frames = copper(n_frames=64, amplitude=0.2, seed=3)
    result = dk.identify(frames, progress=False, dt=0.05)
    assert result.info["window"] > 1
    assert shell(result)["per_frame"] == pytest.approx(12.0, abs=0.5)


def test_a_window_in_time_needs_the_interval():
    frames = copper(4)
    with pytest.raises(ValueError, match="needs the time between frames; give dt in ps"):
        dk.identify(frames, window="0.2 ps", progress=False)
    with pytest.raises(ValueError, match="is not a time; write it like"):
        dk.identify(frames, window="long", dt=0.1, progress=False)
    result = dk.identify(frames, window="200 fs", dt=0.1, method="pca", progress=False)
    assert result.info["window"] == 2 and len(result.frames) == 2


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a window of 5 frames does not fit into 1"):
        dk.identify(copper(1), window=5, progress=False)


def test_defects_name_the_frame_of_the_trajectory_also_of_averages(tmp_path):
    frames = copper(12)
    result = dk.identify(frames, method="pca", window=4, progress=False)
    assert result.source_frames == [1, 5, 9]
    assert result.defects["frame"].tolist() == [0, 1, 2]
    assert result.defects["source_frame"].tolist() == [1, 5, 9]
    assert result.tracks["source_first_frame"].tolist() == [1]
    assert result.tracks["source_last_frame"].tolist() == [9]
    assert "in frame 1\n" in result.summary()
    result.save(tmp_path / "result.npz")
    assert dk.open_result(tmp_path / "result.npz").source_frames == [1, 5, 9]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([bulk("Cu", cubic=True) * (3, 3, 3)] * 24, "all environments are alike"),
        ([bulk("Cu")] * 30, "too few atoms to look for one (1)"),
        (shaken_silicon(200), "too few atoms to look for one (2)"),
    ],
)
def test_no_window_is_looked_for_where_there_is_nothing_to_find(frames, why):
    result = dk.identify(frames, progress=False)
    assert result.info["window"] == 1
    assert f"no average over time: {why}" in result.steps


def test_frames_that_do_not_follow_one_another_are_not_averaged():
    frames = copper(2) + copper(2, removed=(3, 4))
    with pytest.raises(ValueError, match="these frames do not follow one another in time"):
        dk.identify(frames, window=2, progress=False)


def test_other_refusals(tmp_path):
    with pytest.raises(ValueError, match="unknown method 'tsne'; use one of pca, umap, pacmap"):
        dk.identify(copper(1), method="tsne")
    with pytest.raises(ValueError, match="no atoms"):
        dk.identify([Atoms()], progress=False)
    with pytest.raises(FileNotFoundError, match="absent.xyz does not exist"):
        dk.identify(tmp_path / "absent.xyz", progress=False)


def test_a_result_of_version_0_1_can_still_be_opened(vacancy, tmp_path):
    text = io.StringIO()
    ase.io.write(text, vacancy.frames, format="extxyz")
    np.savez_compressed(
        tmp_path / "old.npz",
        labels=vacancy.labels,
        map=vacancy.map,
        frame=vacancy.frame,
        atom=vacancy.atom,
        frames=np.frombuffer(text.getvalue().encode(), np.uint8),
        info=json.dumps(vacancy.info | {"format": 1}),
    )
    again = dk.open_result(tmp_path / "old.npz")
    assert np.array_equal(again.labels, vacancy.labels)
    assert "format" not in again.info


def test_what_a_file_said_of_a_frame_is_there_after_opening(vacancy, tmp_path):
    frames = [atoms.copy() for atoms in vacancy.frames]
    frames[0].info = {
        "note": "1 2 3",
        "flag": "T",
        "nothing": None,
        "Lattice": "fcc",
        "Properties": 1,
        "texts": np.array(["a", "b c"]),
        "lines": "a\nb",
    }
    workflow.Result(
        frames, vacancy.labels, vacancy.map, vacancy.frame, vacancy.atom, vacancy.info
    ).save(tmp_path / "a.npz")
    again = dk.open_result(tmp_path / "a.npz").frames
    assert list(again[0].info) == list(frames[0].info)
    for key, value in frames[0].info.items():
        assert type(again[0].info[key]) is type(value) and np.all(again[0].info[key] == value)
    assert all(a == b for a, b in zip(again, frames, strict=True))


def test_damaged_and_foreign_results_are_refused(vacancy, tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match="end it in .npz"):
        vacancy.save(tmp_path / "a.pkl")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        dk.open_result(path)
    vacancy.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged or cut off; copy it again, or save"):
        dk.open_result(path)
    np.savez(path, labels=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="is damaged or cut off"):
        dk.open_result(path)
    np.savez(path, labels=np.arange(3))
    with pytest.raises(ValueError, match="is no result of defectkit; give a file that save has"):
        dk.open_result(path)
    workflow.Result(
        vacancy.frames, vacancy.labels, vacancy.map, vacancy.frame, vacancy.atom, vacancy.info
    ).save(path)
    header, values = archive.read_archive(path, "result")
    archive.write_archive(path, header | {"format": 99}, values)
    with pytest.raises(ValueError, match="written by a newer version; update defectkit"):
        dk.open_result(path)


def test_functions_for_elements_cover_every_pair():
    sf = SymmetryFunctions.for_elements(["O", "H"])
    assert {e: len(f) for e, f in sf.functions.items()} == {"H": 69, "O": 69}
    assert len(SymmetryFunctions.for_elements(["Cu"]).functions["Cu"]) == 27
    with pytest.raises(ValueError, match="'Xx' is not an element"):
        SymmetryFunctions.for_elements(["Xx"])
    with pytest.raises(ValueError, match="cutoff=0 Å must be positive"):
        SymmetryFunctions.for_elements(["Cu"], 0)


@pytest.mark.slow
def test_from_a_shell(tmp_path, capsys):
    ase.io.write(tmp_path / "cu.xyz", copper(6), format="extxyz")
    main(
        ["identify", str(tmp_path / "cu.xyz"), "--window", "1", "--output", str(tmp_path / "out")]
    )
    said = capsys.readouterr().out
    assert said.startswith("fcc crystal of Cu, 243.0 atoms per frame (95 %), cluster")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "cu_atoms.png",
        "cu_defects.csv",
        "cu_labelled.extxyz",
        "cu_map.png",
        "cu_phases.csv",
        "cu_report.html",
        "cu_result.npz",
        "cu_tracks.csv",
    ]
    with pytest.raises(SystemExit, match="absent.xyz does not exist"):
        main(["identify", str(tmp_path / "absent.xyz")])


def test_the_folder_of_a_shell_is_looked_at_before_anything_is_computed(tmp_path, monkeypatch):
    ase.io.write(tmp_path / "cu.xyz", copper(1), format="extxyz")
    call = ["identify", str(tmp_path / "cu.xyz"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="window=0 is not a number of frames"):
        main([*call, "--window", "0"])
    assert not (tmp_path / "out").exists()

    def refused(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    def unasked(*_, **__):
        raise AssertionError("computed")

    monkeypatch.setattr(dk, "identify", unasked)
    with monkeypatch.context() as patched:
        patched.setattr("tempfile.TemporaryFile", refused)
        with pytest.raises(
            SystemExit, match="out could not be written .Read-only file.*elsewhere"
        ):
            main(call)
    call[-1] = str(tmp_path / "cu.xyz" / "out")
    with pytest.raises(
        SystemExit, match="out could not be written.*a part of this path is a file"
    ):
        main(call)


def test_a_full_disk_is_said_by_the_shell_too(tmp_path, monkeypatch, vacancy):
    ase.io.write(tmp_path / "cu.xyz", copper(1), format="extxyz")
    monkeypatch.setattr(dk, "identify", lambda *_, **__: vacancy)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(SystemExit, match="_map.png could not be written .No space.*make room"):
        main(["identify", str(tmp_path / "cu.xyz"), "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.fixture
def shell_call(monkeypatch, tmp_path, vacancy):
    """Function of (file's name, table of defects): what the command line writes of that file."""

    def call(name, defects=vacancy.defects):
        path = tmp_path / name
        path.write_text("")
        info = vacancy.info | {"source": [str(path)]}
        found = replace(vacancy, info=info, defects=defects, map=np.full_like(vacancy.map, np.nan))
        monkeypatch.setattr(dk, "identify", lambda *_, **__: found)
        main(["identify", str(path), "--output", str(tmp_path / "out")])
        return {file.name for file in (tmp_path / "out").iterdir()}

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)
    monkeypatch.setattr("defectkit.result.result.html.page", lambda *_: None)
    return call


def test_the_results_of_two_files_stay_apart(shell_call):
    """Those of si.600K.vasp replaced those of si.300K.xyz."""
    shell_call("si.300K.xyz")
    there = shell_call("si.600K.vasp.gz")
    there |= shell_call("dump.100") | shell_call("dump.200") | shell_call("POSCAR")
    begin = {name.rpartition("_")[0] for name in there}
    assert begin == {"si.300K", "si.600K", "dump.100", "dump.200", "POSCAR"}
    with pytest.raises(SystemExit, match="is the result of .*si.300K.xyz; choose another"):
        shell_call("si.300K.vasp")


def test_a_second_run_of_a_file_leaves_nothing_of_the_first(shell_call, tmp_path, vacancy, capsys):
    """The table of a vacancy stayed beside the result of the repaired cell."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/si_notes.csv").write_text("mine")
    assert "si_defects.csv" in shell_call("si.xyz")
    (tmp_path / "out/si_map.png").write_text("")
    capsys.readouterr()
    left = shell_call("si.xyz", vacancy.defects[:0])
    assert left & {"si_defects.csv", "si_map.png", "si_notes.csv"} == {"si_notes.csv"}
    assert len(dk.open_result(tmp_path / "out/si_result.npz").defects) == 0
    said = capsys.readouterr().out
    assert "Removed, of the run before: " in said and "si_defects.csv" in said


def test_a_result_of_an_unknown_file_is_not_overwritten(shell_call, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/si_result.npz").write_text("something")
    with pytest.raises(SystemExit, match="is the result of a file that it does not name; choose"):
        shell_call("si.xyz")
    assert (tmp_path / "out/si_result.npz").read_text() == "something"


@pytest.mark.parametrize(
    ("words", "elements"),
    [
        (["--elements", "Cu", "FILE"], ["Cu"]),
        (["--elements", "Cu", "Au", "FILE"], ["Cu", "Au"]),
        (["FILE", "--elements", "Cu", "Au"], ["Cu", "Au"]),
        (["FILE", "--elements", "Cu,Au"], ["Cu", "Au"]),
        (["FILE", "--elements", "Cu,", "Au"], ["Cu", "Au"]),
        (["FILE"], None),
    ],
)
def test_elements_of_a_shell_swallow_no_file(tmp_path, monkeypatch, words, elements):
    asked = []

    def asked_for(file, **options):
        asked.append((file, options["elements"]))
        raise ValueError("enough")

    monkeypatch.setattr(dk, "identify", asked_for)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="enough"):
        main(["identify", *[str(tmp_path / "run.dump") if w == "FILE" else w for w in words]])
    assert asked == [(tmp_path / "run.dump", elements)]


def test_a_shell_names_the_version_and_a_missing_file(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"defectkit {dk.__version__}\n"
    for call in (["identify"], ["identify", "--elements", "Cu"]):
        with pytest.raises(SystemExit):
            main(call)
        assert "there is no file; name it first, as in identify run" in capsys.readouterr().err


def test_a_result_does_not_replace_the_file_that_was_read(tmp_path, monkeypatch):
    ase.io.write(tmp_path / "cu.xyz", copper(1), format="extxyz")
    before = (tmp_path / "cu.xyz").read_text()
    (tmp_path / "link.xyz").symlink_to(tmp_path / "cu.xyz")
    monkeypatch.chdir(tmp_path)
    result = dk.identify("cu.xyz", method="pca", progress=False)
    assert result.info["source"] == [str(tmp_path / "cu.xyz")]
    for path in ("cu.xyz", tmp_path / "cu.xyz", "./link.xyz"):
        with pytest.raises(ValueError, match="is the file that identify read, .*another name"):
            result.write(path)
    assert (tmp_path / "cu.xyz").read_text() == before
    result.write("labelled.xyz")
    assert "cluster" in ase.io.read("labelled.xyz").arrays


@pytest.mark.slow
def test_files_of_any_format_give_the_same_labels(vacancy, tmp_path):
    frames = copper(3)
    expected = dk.identify(frames, method="pca", window=1, progress=False).labels
    for name, kind in (("a.xyz", "extxyz"), ("a.traj", "traj"), ("POSCAR", "vasp")):
        ase.io.write(tmp_path / name, frames if kind != "vasp" else frames[0], format=kind)
        found = dk.identify(tmp_path / name, method="pca", window=1, progress=False).labels
        if kind != "vasp":
            np.testing.assert_array_equal(found, expected)
        assert len(found) % 255 == 0
    start, kept = ase.io.read(tmp_path / "a.xyz", 0), (tmp_path / "a.xyz").read_text()
    (tmp_path / "cut.xyz").write_text(kept[: int(0.9 * len(kept))])
    with pytest.warns(UserWarning, match="breaks off; its 2 whole frames are kept"):
        cut = dk.identify(tmp_path / "cut.xyz", method="pca", window=1, progress=False)
    assert len(cut.frames) == 2 and len(cut.frames[0]) == len(start)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"window": 0.75},
            "window=0.75 is not a number of frames from 1; for a time write it as "
            "text, like window='0.75 ps'",
        ),
        ({"window": 0}, "window=0 is not a number of frames"),
        ({"window": -3}, "window=-3 is not a number of frames"),
        ({"window": True}, "window=True is not a number of frames"),
        ({"window": "5"}, "window='5' is not a time; .* for frames give a number without quotes"),
        ({"dt": "0.02"}, "dt='0.02' is not a time in ps; give a number"),
        ({"dt": -1}, "dt=-1 is not a time in ps"),
        ({"symmetry": "acsf"}, "symmetry='acsf' gives no features; pass a SymmetryFunctions"),
        ({"seed": None}, "seed=None must be a whole number from 0"),
        ({"seed": -1}, "seed=-1 must be a whole number from 0"),
        ({"method": 3}, "unknown method 3; use one of pca, umap, pacmap"),
        ({"centres": "O"}, r"centres='O' is not among these atoms \(Cu\)"),
        ({"centres": ["Cu"]}, r"centres=\['Cu'\] is not one element; give its symbol, like 'Cu'"),
        ({"max_points": 0}, "max_points=0 has to be a whole number, at least 1"),
        ({"max_points": "5"}, "max_points='5' has to be a whole number"),
        ({"max_environments": -5}, "max_environments=-5 has to be a whole number, at least 1"),
        ({"max_environments": "a"}, "max_environments='a' has to be a whole number"),
        ({"max_frames": 0}, "max_frames=0 has to be a whole number, at least 1"),
        ({"max_frames": 2.5}, "max_frames=2.5 has to be a whole number"),
        ({"n_jobs": "2"}, "n_jobs='2' is no number of threads; give 1 or more, or -1 for all"),
        ({"n_jobs": 1.5}, "n_jobs=1.5 is no number of threads"),
        ({"n_jobs": -2}, "n_jobs=-2 is no number of threads"),
    ],
)
def test_what_no_user_can_mean_is_refused_at_once(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        dk.identify(copper(3), progress=False, **given)


def test_the_name_of_a_method_may_be_in_capitals():
    assert dk.identify(copper(1), method="PaCMAP", progress=False).info["method"] == "pacmap"


def test_clusters_by_name_are_counted_where_they_were_looked_for():
    atoms, frames = bulk("Cu", cubic=True) * 4, []
    del atoms[40]
    for seed in range(8):
        frames.append(atoms.copy())
        frames[-1].rattle(0.11, seed=seed)
    result = dk.identify(frames, method="pca", window=1, max_frames=2, progress=False)
    around = result.phases[result.phases["name"] == "around point defects"]
    assert around["fraction"].tolist() == [pytest.approx(12 / 255)]
    assert "around point defects, 12.0 atoms per frame (4.7 %)" in result.summary()
    assert "have their cluster in 2 of 8 frames" in result.summary()


def test_a_cluster_that_got_another_name_has_it_in_every_frame():
    old = np.array([0, 0, 1, 1, 0, 1])
    labels, analysed = np.array([0, 0, 2, 2, 0, 1]), np.array([1, 1, 1, 1, 0, 0], bool)
    follow(labels, old, analysed)
    assert labels.tolist() == [0, 0, 2, 2, 0, 2]


def test_labels_count_from_the_largest_cluster(vacancy):
    sizes = np.bincount(vacancy.labels[vacancy.labels >= 0])
    assert (np.diff(sizes) <= 0).all()


def turned(atoms):
    """A frame rotated with its cell."""
    copy = atoms.copy()
    copy.rotate(31.0, (1, 2, 3), rotate_cell=True)
    return copy


def moved(atoms):
    copy = atoms.copy()
    copy.positions += [3.3, -71.0, 0.9]
    copy.wrap()
    return copy


def shuffled(atoms, seed=5):
    return atoms[np.random.default_rng(seed).permutation(len(atoms))]


@pytest.mark.slow
@pytest.mark.parametrize("change", [turned, moved, shuffled], ids=lambda f: f.__name__)
def test_labels_depend_on_the_atoms_and_not_on_how_they_are_written(change, vacancy):
    frames = copper()
    other = dk.identify([change(atoms) for atoms in frames], window=1, progress=False)
    order = np.arange(255)
    if change is shuffled:
        order = np.random.default_rng(5).permutation(255)
    expected = vacancy.labels.reshape(6, 255)[:, order].ravel()
    assert dk.clusters.agreement(other.labels, expected) >= 0.99


@pytest.mark.slow
def test_labels_do_not_depend_on_the_order_of_frames_or_the_seed(vacancy):
    order = np.random.default_rng(2).permutation(6)
    frames = copper()
    other = dk.identify([frames[n] for n in order], window=1, progress=False)
    expected = vacancy.labels.reshape(6, 255)[order].ravel()
    assert dk.clusters.agreement(other.labels, expected) >= 0.99
    again = dk.identify(frames, window=1, seed=7, progress=False)
    assert dk.clusters.agreement(again.labels, vacancy.labels) >= 0.99


@pytest.mark.slow
def test_a_supercell_has_the_labels_of_its_cell_many_times(vacancy):
    other = dk.identify([atoms * (2, 1, 1) for atoms in copper()], window=1, progress=False)
    expected = np.repeat(vacancy.labels.reshape(6, 1, 255), 2, axis=1).ravel()
    assert dk.clusters.agreement(other.labels, expected) >= 0.99


def test_one_cell_of_a_compound_gets_labels_for_all_elements_and_its_vacancy():
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (2, 2, 2)
    site = atoms.positions[12].copy()
    assert atoms[12].symbol == "Na"
    del atoms[12]
    atoms.rattle(0.08, seed=4)
    result = dk.identify(atoms, progress=False)
    assert (result.atom_labels() >= 0).all()
    (row,) = result.defects.to_dict("records")
    assert (row["kind"], row["element"], row["neighbours"]) == ("vacancy", "Na", 6)
    off = np.array(row["position_A"]) - site
    assert np.linalg.norm(off - np.round(off / 11.28) * 11.28) < 0.3
    assert result.summary().startswith("rock salt NaCl, 57 atoms")


def test_water_is_labelled_by_its_oxygens_and_hydrogens_follow():
    atoms = dk.load("water-ice").frames[0]
    result = dk.identify(atoms, method="pca", progress=False)
    assert result.info["groups"] == ["O of water"]
    labels = result.atom_labels().reshape(-1, 3)
    assert (labels == labels[:, :1]).all() and (labels >= 0).all()


def test_a_random_alloy_is_one_group_and_a_compound_is_not():
    from defectkit.workflow.site_groups import is_random_alloy

    rng = np.random.default_rng(3)
    alloy = bulk("Cu", cubic=True, a=3.6) * (5, 5, 5)
    alloy.symbols = rng.choice(["Co", "Cr", "Fe", "Mn", "Ni"], len(alloy))
    assert is_random_alloy(alloy)
    assert not is_random_alloy(bulk("NaCl", "rocksalt", a=5.64, cubic=True) * (3, 3, 3))
    assert not is_random_alloy(bulk("Si", cubic=True) * 2)


def test_rare_environments_are_drawn_and_order_does_not_matter():
    from defectkit.workflow.sampling import draw

    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (40_000, 4)), rng.normal(9, 0.3, (30, 4))])
    chosen = draw(X, 2000, seed=0)
    assert len(chosen) == 2000 and (chosen >= 40_000).sum() == 30
    order = rng.permutation(len(X))
    assert set(order[draw(X[order], 2000, seed=0)]) == set(chosen)


def test_a_sheet_has_edges_and_no_surface():
    from ase.build import graphene, mx2

    sheet = mx2("MoS2", a=3.16, thickness=3.17) * (6, 6, 1)
    sheet.center(vacuum=8.0, axis=2)
    sheet.pbc = True
    result = dk.identify(sheet, progress=False)
    assert not len(result.extended) and "no point defect" in result.summary()
    ribbon = sheet[np.abs(sheet.get_scaled_positions()[:, 1] - 0.4) < 0.36]
    kinds = set(dk.identify(ribbon, progress=False).extended["kind"])
    assert kinds == {"edge"}
    carbon = graphene("C2", a=2.46) * (6, 6, 1)
    carbon.center(vacuum=8.0, axis=2)
    del carbon[20]
    result = dk.identify(carbon, progress=False)
    assert list(result.defects["kind"]) == ["vacancy"] and not len(result.extended)


def test_what_stands_on_a_slab_is_named():
    from ase.build import add_adsorbate, fcc111

    slab = fcc111("Al", (5, 5, 7), vacuum=9.0)
    add_adsorbate(slab, "Al", 2.2, "fcc", offset=(2, 2))
    slab.rattle(0.04, seed=2)
    result = dk.identify(slab, progress=False)
    assert sorted(result.surfaces["kind"]) == ["adatom", "surface", "surface"]
    assert list(result.defects["kind"]) == ["adatom"]
    assert "(111) surface of fcc" in result.summary()


def test_the_judge_agrees_on_a_crystal_with_a_fault():
    table = dk.identify(dk.load("cu-fault").frames[0], progress=False).check()
    assert list(table["method"]) == ["polyhedral template matching", "common neighbour analysis"]
    assert (table["agreement"] > 0.9).all()


@pytest.mark.slow
def test_ice_beside_water_is_told_apart_in_one_frame():
    frames = [dk.load(name).frames[40] for name in ("water-ice", "water-liquid")]
    result = dk.identify([f[f.numbers == 8] for f in frames], progress=False)
    named = np.array([result.names[int(c)] for c in result.labels])
    assert (np.char.startswith(named, "ice") == (result.frame == 0)).mean() > 0.97


@pytest.mark.parametrize(
    ("name", "kind"), [("ice-vacancy-1", "vacancy"), ("ice-interstitial-1", "interstitial")]
)
def test_point_defects_of_ice_are_those_of_molecules(name, kind):
    (row,) = dk.identify(dk.load(name).frames[60], method="pca", progress=False).defects.to_dict(
        "records"
    )
    assert (row["kind"], row["element"]) == (kind, "H2O")


def test_ice_in_much_water_has_no_point_defects():
    result = dk.identify(dk.load("water-liquid").frames[5], method="pca", progress=False)
    assert not len(result.defects) and "most molecules are not in ice" in result.summary()
    assert "CHILL+, ice or water" in set(result.check()["method"])
