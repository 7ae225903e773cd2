"""A user's file as bytes or lines, whatever it is compressed with and however it is encoded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from .._types import FilePath
from .atomic_write import user_path

HEAD = 65_536  # bytes from which the kind of a file is told
#: What Python's decompressors raise where a file is cut or damaged.
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, OSError)
COMPRESSED = (".gz", ".bz2", ".xz")  # endings of compressed text
_BOMB = 2**26  # bytes; beyond them a file that expands this many times is refused:
_RATIO = 250
_OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_PACKED = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x1f\x9d", "compress"),
)
_ENCODINGS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Raw(NamedTuple):
    """A frame as it is cut out of a file, for `parse`, here or on another machine.

    content: text, or ase.Atoms where kind is "atoms"; line: number of its first line.
    """

    where: str
    kind: str
    content: Any
    elements: object = None
    unit: float | None = None
    line: int = 1


class Cut(Exception):
    """The file ends, or its compressed data break, inside a frame."""


def existing_file(source: FilePath, what: str = "path") -> Path:
    """Path of a file that is there and not empty; a leading ``~`` is the home folder."""
    path = user_path(source)
    try:
        there = path.is_file()
        if path.is_dir():
            raise FileNotFoundError(f"{path} is a folder; give a file in it.")
    except FileNotFoundError:
        raise
    except (ValueError, OSError):  # a null character in the name, or one that is too long
        there = False
    if not there:
        many = "; for many files give a list of their paths" if "*" in path.name else ""
        raise FileNotFoundError(f"{path} does not exist or is not a file; check the {what}{many}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; write it again or give another file.")
    return path


def compression(path: Path) -> Callable[..., Any]:
    """The function that opens the file for reading bytes: `open`, or that of gzip, bz2, xz."""
    with open(path, "rb") as file:
        start = file.read(8)
    for magic, name in _PACKED:
        if start.startswith(magic):
            if name == "zip" and path.suffix.lower() == ".npz":
                raise ValueError(
                    f"{path} is a saved result or model, not a trajectory; open it "
                    "with open_result or load_model."
                )
            raise ValueError(f"{path} is packed with {name}; unpack it and give what was inside.")
    return next((opener for magic, opener in _OPENERS if start.startswith(magic)), open)


def read_head(path: Path) -> bytes:
    """The first 64 kB, decompressed; ValueError where there is nothing to decompress."""
    opener = compression(path)
    try:
        with opener(path, "rb") as file:
            head = file.read(HEAD)
    except DAMAGED:
        head = _salvaged(path, opener)
    if not head.strip():
        raise ValueError(
            f"{path} has nothing in it once it is unpacked, or is damaged from its "
            "start; write it again or give another file."
        )
    return head


def _salvaged(path, opener):
    """What can be unpacked of a file that breaks off within its first 64 kB."""
    head = b""
    try:
        with opener(path, "rb") as file:
            while len(head) < HEAD and (piece := file.read1(1024)):
                head += piece
    except DAMAGED:
        pass
    return head


def encoding(head: bytes) -> str:
    """Name of the encoding, from the byte order mark that some editors put first."""
    return next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8")


def open_text(path: Path, head: bytes, alone: bool = False) -> TextIO:
    """The decompressed text. Letters in another encoding, in a comment, come out as U+FFFD.

    `alone`: the file's name leads no reader to other files in its folder.
    """
    opener = compression(path)
    if opener is open and not alone:
        return open(path, encoding=encoding(head), errors="replace")
    raw = open(path, "rb")  # noqa: SIM115
    file = raw if opener is open else opener(raw, "rb")
    guarded = io.BufferedReader(_Guard(raw, file, path), 1 << 18)
    return io.TextIOWrapper(guarded, encoding=encoding(head), errors="replace")


def tail(path: Path, n: int = 4096) -> bytes:
    """The last `n` bytes, decompressed, as far as they can be."""
    opener, last = compression(path), b""
    try:
        with opener(path, "rb") as file:
            if opener is open:
                file.seek(max(path.stat().st_size - n, 0))
            while piece := file.read(1 << 20):
                last = (last + piece)[-n:]
    except DAMAGED:
        pass
    return last


class _Guard(io.RawIOBase):
    """Passes decompressed bytes on until they are out of all proportion to the file."""

    def __init__(self, raw, file, path):
        self.raw, self.file, self.path, self.count = raw, file, path, 0
        self.name = f"{path}/alone"  # some of ASE's readers ask for it

    def readable(self):
        return True

    def readinto(self, buffer):
        got = self.file.read(len(buffer))
        buffer[: len(got)] = got
        self.count += len(got)
        if self.count > _BOMB and self.count > _RATIO * self.raw.tell():
            raise ValueError(
                f"{self.path} unpacks to more than {_RATIO} times its size, which no "
                "trajectory does; if it is one, unpack it and give what was inside."
            )
        return len(got)

    def close(self):
        if not self.closed:
            self.file.close()
            self.raw.close()
        super().close()


class Lines:
    """The lines of a text file, counted; `Cut` where the file ends too early."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.number, self.held = file, 0, []

    def next(self) -> str | None:
        """The next line, None at the end of the file."""
        self.number += 1
        if self.held:
            return self.held.pop()
        try:
            return self.file.readline() or None
        except DAMAGED as err:
            raise _cut(err) from None

    def back(self, line: str) -> None:
        """Puts the last line back."""
        self.held.append(line)
        self.number -= 1

    def full(self) -> str | None:
        """The next line that is not blank, None at the end of the file."""
        while (line := self.next()) is not None:
            if line.strip():
                return line
        return None

    def take(self, n: int) -> str:
        """The next `n` lines as one text."""
        got = [self.held.pop()] if self.held and n else []
        try:
            got.extend(islice(self.file, n - len(got)))
        except DAMAGED as err:
            raise _cut(err) from None
        self.number += len(got)
        if len(got) < n or (n and shortened(got)):
            raise Cut
        return "".join(got)


def _cut(err):
    """`Cut`, unless the error is the disk's own."""
    if isinstance(err, OSError) and err.errno is not None:
        return err
    return Cut()


def shortened(lines: list[str]) -> bool:
    """Whether the last line has no new line and was cut, judged by the lines before it.

    It was where it has fewer words, or a last word shorter than all of theirs.
    """
    if lines[-1].endswith("\n"):
        return False
    words = lines[-1].split()
    others = [row for line in lines[-1001:-1] if (row := line.split())]
    if not words or not others:
        return not words
    return len(words) < len(others[-1]) or (len(words[-1]) < min(len(row[-1]) for row in others))


def size_in_memory() -> float:
    """Bytes of this machine's memory, infinite where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def suffix(path: FilePath) -> str:
    """Ending of the name in small letters, without that of a compression."""
    name = Path(path).name.lower()
    for packed in COMPRESSED:
        name = name.removesuffix(packed)
    return Path(name).suffix


def stem_and_suffix(path: FilePath) -> str:
    """The name in small letters, without the ending of a compression."""
    name = Path(path).name.lower()
    for packed in COMPRESSED:
        name = name.removesuffix(packed)
    return name
