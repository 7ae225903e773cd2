"""The whole loop on somebody's own file: what it finds, what it keeps, what it refuses."""

import io
import json
import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

import defectkit as dk
from defectkit import workflow
from defectkit.__main__ import main
from defectkit.io import archive
from defectkit.symmetry import SymmetryFunctions


def copper(n_frames=20, removed=(17,), seed=0, amplitude=0.03):
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


@pytest.fixture(scope="module")
def vacancy():
    return dk.identify(copper(), window=1, progress=False)


def shell(result):
    """The row of the cluster whose atoms miss one neighbour."""
    row, = (r for r in result.describe() if r["coordination"] < 11.5)
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
            np.flatnonzero(np.linalg.norm(d, axis=1) < 3.1))


def test_a_cluster_is_said_to_sit_where_it_was_planted():
    """Also in a cell whose atoms lie in another image."""
    frames = copper(amplitude=0.02)
    for atoms in frames:
        atoms.positions += [-31.0, 2.0, 55.0]
    result = dk.identify(frames, window=1, progress=False)
    site = (bulk("Cu", cubic=True) * (4, 4, 4)).positions[17] + [-31.0, 2.0, 55.0]
    off = np.array(shell(result)["place"]) - site
    assert np.abs(off - np.round(off / 14.44) * 14.44).max() < 0.05
    text, = (w for w in result.words() if "11.0 ± 0.0 neighbours" in w)
    assert re.search(r", around [\d.]+ Å along a, [\d.]+ Å along b, [\d.]+ Å along c$", text)
    assert np.isnan(result.describe()[0]["place"]).all()


def test_layers_have_a_place_along_one_vector_only():
    from defectkit.neighbours.bond_order import places
    atoms = bulk("Cu", cubic=True) * (3, 3, 8)
    here = np.abs(atoms.positions[:, 2] - 18.05) < 0.1
    for pbc, shift in ((True, 0.0), ((True, True, False), -40.0)):
        moved = atoms.copy()
        moved.pbc = pbc
        moved.positions += [0, 0, shift]
        at, = places([moved, moved], [here, here], [True])
        assert np.isnan(at[:2]).all() and at[2] == pytest.approx(18.05 + shift)


def test_words_give_each_cluster_its_share_and_coordination(vacancy):
    words = vacancy.words()
    assert words[0].startswith("cluster 0: ") and "12.0 ± 0.0 neighbours" in words[0]
    assert any("4.71% of the Cu atoms (12.0 per frame, in groups of 12.0), 11.0 ± 0.0 neighbours"
               in sentence for sentence in words)


def test_a_result_is_saved_reopened_and_written(vacancy, tmp_path):
    vacancy.save(tmp_path / "a.npz")
    again = dk.open_result(tmp_path / "a.npz")
    for name in ("labels", "map", "frame", "atom"):
        np.testing.assert_array_equal(getattr(again, name), getattr(vacancy, name))
    assert again.info == json.loads(json.dumps(vacancy.info))
    assert again.words() == vacancy.words()
    vacancy.write(tmp_path / "a.extxyz")
    frames = ase.io.read(tmp_path / "a.extxyz", ":")
    assert len(frames) == 20
    assert np.concatenate([a.arrays["cluster"] for a in frames]).tolist() == (
        vacancy.atom_labels().tolist())


def test_pictures_show_every_drawn_environment(vacancy):
    ax = vacancy.figure()
    assert sum(len(c.get_offsets()) for c in ax.collections) >= len(vacancy.labels)
    assert vacancy.still(2).get_images() or vacancy.still(2).has_data()


def test_environments_beyond_the_sample_get_the_label_of_their_neighbours(vacancy):
    sampled = dk.identify(copper(), window=1, max_points=2500, progress=False)
    assert np.isfinite(sampled.map[:, 0]).sum() == 2500
    assert np.isnan(sampled.map[:, 0]).sum() == 2600
    np.testing.assert_array_equal(sampled.labels == shell(sampled)["label"],
                                  vacancy.labels == shell(vacancy)["label"])


def test_too_many_environments_are_thinned_with_a_warning():
    with pytest.warns(UserWarning, match="5100 environments are more than max_environments=2550"):
        result = dk.identify(copper(), window=1, max_environments=2550, progress=False)
    assert len(result.labels) == 20 * 127
    assert (result.atom_labels() == workflow.NOT_LABELLED).sum() == 20 * 128


def test_the_window_is_found_for_a_trajectory_too_hot_for_single_frames():
    frames = copper(n_frames=96, amplitude=0.2, seed=3)
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


def test_frames_that_do_not_follow_one_another_are_not_averaged():
    frames = copper(2) + copper(2, removed=(3, 4))
    with pytest.raises(ValueError, match="these frames do not follow one another in time"):
        dk.identify(frames, window=2, progress=False)


def test_other_refusals(tmp_path):
    with pytest.raises(ValueError, match="unknown method 'tsne'; use pca, umap, pacmap"):
        dk.identify(copper(1), method="tsne")
    with pytest.raises(ValueError, match="there are no atoms"):
        dk.identify([Atoms()], progress=False)
    with pytest.raises(FileNotFoundError, match="absent.xyz does not exist"):
        dk.identify(tmp_path / "absent.xyz", progress=False)


def test_a_result_of_version_0_1_can_still_be_opened(vacancy, tmp_path):
    text = io.StringIO()
    ase.io.write(text, vacancy.frames, format="extxyz")
    np.savez_compressed(
        tmp_path / "old.npz", labels=vacancy.labels, map=vacancy.map, frame=vacancy.frame,
        atom=vacancy.atom, frames=np.frombuffer(text.getvalue().encode(), np.uint8),
        info=json.dumps(vacancy.info | {"format": 1}))
    again = dk.open_result(tmp_path / "old.npz")
    assert np.array_equal(again.labels, vacancy.labels) and again.words() == vacancy.words()
    assert "format" not in again.info


def test_what_a_file_said_of_a_frame_is_there_after_opening(vacancy, tmp_path):
    frames = [atoms.copy() for atoms in vacancy.frames]
    frames[0].info = {"note": "1 2 3", "flag": "T", "nothing": None, "Lattice": "fcc",
                      "Properties": 1, "texts": np.array(["a", "b c"]), "lines": "a\nb"}
    workflow.Result(frames, vacancy.labels, vacancy.map, vacancy.frame, vacancy.atom,
                    vacancy.info).save(tmp_path / "a.npz")
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
    path.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged or cut off; copy it again, or save"):
        dk.open_result(path)
    np.savez(path, labels=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="is damaged or cut off"):
        dk.open_result(path)
    np.savez(path, labels=np.arange(3))
    with pytest.raises(ValueError, match="is no result of defectkit; give a file that save has"):
        dk.open_result(path)
    workflow.Result(vacancy.frames, vacancy.labels, vacancy.map, vacancy.frame, vacancy.atom,
                    vacancy.info).save(path)
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


def test_from_a_shell(tmp_path, capsys):
    ase.io.write(tmp_path / "cu.xyz", copper(6), format="extxyz")
    main(["identify", str(tmp_path / "cu.xyz"), "--window", "1",
          "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "4.71% of the Cu atoms (12.0 per frame, in groups of 12.0), 11.0 ± 0.0" in said
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "cu_labelled.extxyz", "cu_map.png", "cu_result.npz"]
    with pytest.raises(SystemExit, match="absent.xyz does not exist"):
        main(["identify", str(tmp_path / "absent.xyz")])


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
    (tmp_path / "cut.xyz").write_text(kept[:int(0.9 * len(kept))])
    with pytest.warns(UserWarning, match="breaks off; its 2 whole frames are kept"):
        cut = dk.identify(tmp_path / "cut.xyz", method="pca", window=1, progress=False)
    assert len(cut.frames) == 2 and len(cut.frames[0]) == len(start)
