"""A download is the file expected, whole and of a sane size, or it is not there."""

import hashlib
import io

import pytest

from defectkit.io import download

CONTENT = b"weights " * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def serve(monkeypatch, content=CONTENT, **headers):
    class Answer(io.BytesIO):
        pass

    Answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: Answer(content))


@pytest.mark.parametrize("stated", ["nonsense", "-5", "12, 12", "1e9"])
def test_a_bad_content_length_is_said(tmp_path, monkeypatch, stated):
    serve(monkeypatch, Content_Length=stated)
    with pytest.raises(ValueError, match="Content-Length of .*, which is no size; nothing was"):
        download.fetch("https://example.org/a", SHA256, tmp_path / "a", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_without_a_content_length_the_file_is_fetched(tmp_path, monkeypatch):
    serve(monkeypatch)
    path = download.fetch("https://example.org/a", SHA256, tmp_path / "a", progress=False)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [{}, {"Content_Length": str(len(CONTENT))}])
def test_a_download_that_is_too_large_is_stopped(tmp_path, monkeypatch, headers):
    serve(monkeypatch, **headers)
    with pytest.raises(ValueError, match="100000 (bytes )?expected at most; nothing was"):
        download.fetch("https://example.org/a", SHA256, tmp_path / "a", False, max_bytes=100_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", [SHA256[:12], "", None, SHA256.upper() + "0"])
def test_a_part_of_a_checksum_is_no_checksum(tmp_path, part):
    with pytest.raises(ValueError, match="has to be 64 digits"):
        download.fetch("https://example.org/a", part, tmp_path / "a", progress=False)


def test_the_name_that_git_gives_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"hello\n")
    assert download.blob_of(tmp_path / "a") == "ce013625030ba8dba906f756967f9e9ca394464a"
