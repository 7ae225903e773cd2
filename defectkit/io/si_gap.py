"""The DFT database of the GAP potential for silicon: fetched or placed by hand, checked."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from .download import blob_digest, blob_of, sha256_of, write_checked
from .trajectory import read_frames

if TYPE_CHECKING:
    from ase import Atoms

FILE = "gp_iter6_sparse9k.xml.xyz"
ZIP = "silicon-testing-framework-v1.0.zip"
ZIP_SHA256 = "97eb063f9655"  # the first 12 digits, as load-atoms 0.3.10 states them
#: Name that git gives the structures' file, a SHA-1 of all of it: tag v1.0 (fc252cb) of
#: github.com/libAtoms/silicon-testing-framework, of which the archive is a copy.
BLOB = "3e4bf425218d1197426dd076be3ad5dc24229e68"


def frames(cache: Path) -> list[Atoms]:
    """All structures (list of ase.Atoms): a file placed by hand below `cache`, or load-atoms'.

    Raises FileNotFoundError where neither can be had, ValueError for another file.
    """
    folder = cache / "si-gap-18"
    if (folder / FILE).exists():
        return read_frames(_checked(folder / FILE))
    if (folder / ZIP).exists():
        return read_frames(_unpacked(folder / ZIP))
    by_hand = (
        f"Si-GAP-18 could not be fetched ({{}}); put {ZIP} of "
        f"zenodo.org/records/1250555 (SHA-256 begins {ZIP_SHA256}), or "
        f"models/GAP/{FILE} from inside it, into {folder} (the variable "
        "DEFECTKIT_CACHE moves that folder), or install load-atoms and go online."
    )
    try:
        from load_atoms import load_dataset
    except ImportError:
        raise FileNotFoundError(by_hand.format("load-atoms is not installed")) from None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Checksum mismatch")
            return list(load_dataset("Si-GAP-18", root=cache / "load-atoms"))
    except Exception as err:  # load-atoms wraps each failure of network or file in its own kind
        reason = type(err.__cause__ or err).__name__
        raise FileNotFoundError(by_hand.format(reason)) from err


def _checked(path):
    """The path of the structures' file, if it is the one published, byte for byte."""
    found = blob_of(path)
    if found != BLOB:
        raise ValueError(
            f"{path} is not the file expected (git's SHA-1 {found}, not "
            f"{BLOB}); delete it and download it again."
        )
    return path


def _unpacked(archive):
    """Path of the structures' file, extracted beside its archive after a check of both."""
    digest = sha256_of(archive)
    if not digest.startswith(ZIP_SHA256):
        raise ValueError(
            f"{archive} is not the file expected (its SHA-256 begins {digest[:12]}, "
            f"not {ZIP_SHA256}); delete it and download it again."
        )
    path = archive.with_name(FILE)
    with zipfile.ZipFile(archive) as packed:
        member = next(
            (m for m in packed.infolist() if m.filename.endswith("models/GAP/" + FILE)), None
        )
        if member is None:
            raise ValueError(
                f"{archive} holds no models/GAP/{FILE}; delete it and download it again."
            )
        with packed.open(member) as source:
            write_checked(source, path, BLOB, digest=blob_digest(member.file_size))
    return path
