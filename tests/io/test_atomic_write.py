"""One writer: whole files or none, whoever else writes there and whatever is planted there."""

import os
import stat
import threading
from pathlib import Path

import pytest

from defectkit.io import atomic_write as module
from defectkit.io.atomic_write import atomic_write


def write(path, text):
    with atomic_write(path) as partial:
        partial.write_text(text)


def test_threads_that_write_one_file_do_not_meet(tmp_path):
    path, failed = tmp_path / "result.txt", []

    def work(n):
        try:
            for _ in range(20):
                write(path, f"{n}" * 5000)
        except OSError as err:
            failed.append(err)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    text = path.read_text()
    assert len(text) == 5000 and len(set(text)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_a_link_planted_under_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr(module.secrets, "token_hex", lambda n: "guessed")
    (tmp_path / ".partial-guessed-result.txt").symlink_to(victim)
    (tmp_path / f".partial-{os.getpid()}-result.txt").symlink_to(victim)  # the name in 0.1
    with pytest.raises(FileExistsError):
        write(tmp_path / "result.txt", "planted")
    monkeypatch.undo()
    write(tmp_path / "result.txt", "mine")
    assert victim.read_text() == "precious"
    assert (tmp_path / "result.txt").read_text() == "mine"


def test_an_output_that_is_a_link_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "result.txt"
    link.symlink_to(Path("disk") / "real.txt")
    for text in ("made through the link", "written again"):
        write(link, text)
        assert link.is_symlink()
        assert (tmp_path / "disk" / "real.txt").read_text() == text
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["disk", "real.txt", "result.txt"]


def test_links_in_a_circle_are_said(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="lead round in a circle, choose another name"):
        write(tmp_path / "a", "x")


def test_a_file_keeps_its_permissions_and_a_new_one_follows_the_umask(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("")
    old.chmod(0o640)
    before = os.umask(0o022)
    try:
        write(old, "x")
        write(new, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o644


def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a device or a pipe.*choose another name"):
        write(tmp_path / "pipe", "x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_home_is_meant_by_a_leading_tilde_and_no_folder_of_that_name_is_made(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write("~/deep/result.txt", "x")
    assert (tmp_path / "home" / "deep" / "result.txt").read_text() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
    write("postgres@1 ~.txt", "y")
    assert (tmp_path / "postgres@1 ~.txt").read_text() == "y"


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".txt")
    write(path, "x")
    assert path.read_text() == "x" and len(list(tmp_path.iterdir())) == 1
