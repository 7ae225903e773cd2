"""The DFT database of the GAP potential for silicon: fetched or placed by hand, checked."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from .download import blob_of, fetch_blob, write_checked
from .trajectory import read_frames

if TYPE_CHECKING:
    from ase import Atoms

FILE = "gp_iter6_sparse9k.xml.xyz"
ZIP = "silicon-testing-framework-v1.0.zip"
#: Tag v1.0 of the repository, of which the archive zenodo.org/records/1250555 is a copy.
URL = (
    "https://raw.githubusercontent.com/libAtoms/silicon-testing-framework/"
    f"fc252cb7d41df7e2bc672d614f3d76a40c9f2ecb/models/GAP/{FILE}"
)
#: Name that git gives the structures' file at that commit, a SHA-1 of all of it. Neither archive
#: nor repository states a SHA-256.
BLOB = "3e4bf425218d1197426dd076be3ad5dc24229e68"


def frames(cache: Path, progress: bool = True) -> list[Atoms]:
    """All structures (list of ase.Atoms); whichever way the file came, all of it is checked.

    Raises FileNotFoundError where it cannot be had, ValueError for another file.
    """
    path = cache / "si-gap-18" / FILE
    archive = path.with_name(ZIP)
    if archive.exists() and not path.exists():
        _unpack(archive, path)
    try:
        return read_frames(fetch_blob(URL, BLOB, path, progress))
    except FileNotFoundError as err:
        raise FileNotFoundError(
            f"{str(err).rstrip('.')}, or {ZIP} of zenodo.org/records/1250555, which holds it, "
            "beside it (the variable DEFECTKIT_CACHE moves that folder)."
        ) from err


def _unpack(archive, path):
    """Extracts the structures' file beside its archive, if it is the one published."""
    try:
        with zipfile.ZipFile(archive) as packed:
            ending = f"models/GAP/{FILE}"
            member = next((n for n in packed.namelist() if n.endswith(ending)), None)
            if member is None:
                raise zipfile.BadZipFile
            with packed.open(member) as source:
                write_checked(source, path, BLOB, digest_of=blob_of)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise ValueError(
            f"{archive} is damaged or holds no models/GAP/{FILE}; delete it and download it again."
        ) from None
