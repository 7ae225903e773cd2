"""Data files of the package: in its folder, or fetched once, by checksum, where they are large."""

import os
from pathlib import Path

from .download import fetch

__all__ = ["ADDRESS", "SUMS", "checksums", "data_file"]

#: File beside the data: SHA-256 and name of each file that an installed package leaves out.
SUMS = "SHA256SUMS"
#: Environment variable with the address of a copy of the folder `defectkit/data`.
ADDRESS = "DEFECTKIT_DATA_URL"


def checksums(folder: Path) -> dict[str, str]:
    """{file name: SHA-256} of the large files of a folder of data."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def data_file(name: str, folder: Path, cache: Path) -> Path:
    """Path of a data file: in `folder`, as in a checkout, else in `cache`, fetched where needed.

    Raises FileNotFoundError, which says where to put the file by hand, without an address or a
    network; ValueError for a file that is not the one expected.
    """
    if (folder / name).is_file():
        return folder / name
    kept, address = cache / "data" / name, os.environ.get(ADDRESS)
    if not kept.is_file() and not address:
        raise FileNotFoundError(
            f"{name} is not part of the installed package, which holds small data sets only; copy "
            f"defectkit/data/{name} of the checkout to {kept}, or name the address of a copy of "
            f"that folder in the environment variable {ADDRESS}."
        )
    return fetch(f"{(address or '').rstrip('/')}/{name}", checksums(folder)[name], kept)
