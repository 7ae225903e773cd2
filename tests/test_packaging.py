"""What a user meets first: set-up files that agree, an import that is light, a wheel."""

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from defectkit.io.packaged import ADDRESS, SUMS, checksums, data_file

ROOT = Path(__file__).parents[1]
DATA = ROOT / "defectkit" / "data"
HEAVY = ("torch", "umap", "pacmap", "nglview", "sklearn", "pandas", "matplotlib.pyplot")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras):
    lines = project()["dependencies"] + [
        line for extra in extras for line in project()["optional-dependencies"][extra]
    ]
    return {r.name: r.specifier for r in map(Requirement, lines) if r.name != "defectkit"}


def test_make_alone_lists_its_targets_and_installs_nothing():
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(
        ["make"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True
    ).stdout
    phony = re.search(r"\.PHONY: ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text())[1]
    listed = [line.split()[1] for line in said.splitlines()]
    assert sorted(listed) == sorted(phony.replace("\\", "").split())


def test_the_package_lists_its_public_names_once():
    import defectkit

    names = dir(defectkit)
    assert len(names) == len(set(names)) and {"identify", "clusters"} <= set(names)
    assert not {"import_module", "module_getattr"} & set(names)


def test_environment_yml_lists_what_pyproject_asks_for():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [d for d in listed if isinstance(d, str)] + next(
        d for d in listed if isinstance(d, dict)
    )["pip"]
    found = {r.name: r.specifier for r in map(Requirement, lines)}
    found["torch"] = found.pop("pytorch")  # their names on conda-forge
    found["chemfiles"] = found.pop("chemfiles-python")
    found["build"] = found.pop("python-build")
    assert str(found.pop("python")) == str(
        Requirement(f"python{project()['requires-python']}").specifier
    )
    found.pop("pip")
    assert found == requirements("lab", "torch", "test")


def test_constraints_pin_every_requirement_within_its_range():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    assert pins["torch"] == "2.13.0"
    for name, wanted in requirements(*project()["optional-dependencies"]).items():
        assert wanted.contains(pins[name.lower().replace("_", "-")]), name


def test_versions_agree():
    import defectkit

    assert defectkit.__version__ == project()["version"]


def test_import_loads_nothing_heavy():
    code = f"import sys, defectkit; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist_and_unknown_ones_are_refused():
    import defectkit

    for name in defectkit.__all__:
        assert getattr(defectkit, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = defectkit.nonsense


def test_the_core_is_small():
    names = set(requirements())
    assert not names & {
        "torch",
        "nglview",
        "jupyterlab",
        "distributed",
        "onnx",
        "dscribe",
        "pytest",
        "ruff",
        "sphinx",
    }
    assert {"pandas", "mdapy"} <= names


def test_the_large_data_that_are_left_out_have_their_checksums():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "exclude-package-data"
    ]["defectkit"]
    files = {p for pattern in patterns for p in (ROOT / "defectkit").glob(pattern)}
    large = {p for p in DATA.iterdir() if p.stat().st_size > 1e6}
    assert large <= files
    assert {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files} == checksums(
        DATA
    ), "run sha256sum over them again, see defectkit/data/SHA256SUMS"


def test_a_large_set_comes_from_the_checkout_the_cache_or_an_address(tmp_path, monkeypatch):
    name = "si-vacancy-moving.extxyz.gz"
    bare, cache = tmp_path / "package", tmp_path / "cache"
    bare.mkdir()
    (bare / SUMS).write_bytes((DATA / SUMS).read_bytes())
    monkeypatch.delenv(ADDRESS, raising=False)
    assert data_file(name, DATA, cache) == DATA / name
    with pytest.raises(
        FileNotFoundError,
        match="holds small data sets only; copy defectkit/data/"
        f"{re.escape(name)} of the checkout to .* or name "
        "the address",
    ):
        data_file(name, bare, cache)
    monkeypatch.setenv(ADDRESS, DATA.as_uri() + "/")
    fetched = data_file(name, bare, cache)
    assert fetched == cache / "data" / name
    assert fetched.read_bytes() == (DATA / name).read_bytes()
    monkeypatch.delenv(ADDRESS)
    assert data_file(name, bare, cache) == fetched
    fetched.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not the file expected"):
        data_file(name, bare, cache)


# In an environment without the extras, a file from another folder: what a stranger does first.
TRY = """
import sys
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write
import defectkit as dk
assert "site-packages" in dk.__file__, dk.__file__
rng = np.random.default_rng(0)
atoms = bulk("Cu", cubic=True) * (4, 4, 4)
del atoms[100]
frames = []
for _ in range(4):
    moved = atoms.copy()
    moved.positions += rng.normal(0, 0.05, moved.positions.shape)
    frames.append(moved)
write("mine.extxyz", frames)
result = dk.identify("mine.extxyz", progress=False)
assert len(result.labels) and result.labels.max() >= 0
result.figure().figure.savefig("map.png")
assert len(dk.load("si-phases-test").frames)
assert not {"torch", "nglview", "jupyterlab"} & {m.partition(".")[0] for m in sys.modules}
print("it works")
"""


def run(*command, cwd):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def bare_environment(folder, wheel):
    """Its interpreter: the wheel, and links to what it requires, and what that requires, here."""
    venv.create(folder, with_pip=False)
    site = next(folder.glob("[lL]ib*/**/site-packages"))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    wanted, linked = list(requirements()), set()
    while wanted:
        found = importlib.metadata.distribution(wanted.pop())
        name = canonicalize_name(found.name)
        if name in linked:
            continue
        linked.add(name)
        for top in {path.parts[0] for path in found.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(found.locate_file(top))
        needed = map(Requirement, found.requires or [])
        wanted += [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return next(folder.glob("[bS]*/python*"))


@pytest.mark.slow
def test_sdist_and_wheel_work_in_a_bare_environment(tmp_path):
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    sdist, wheel = *tmp_path.glob("*.tar.gz"), *tmp_path.glob("*.whl")
    with tarfile.open(sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"LICENSE", "defectkit/py.typed", "defectkit/data/si-phases.json"} <= names
    assert wheel.stat().st_size < 8e6, "large data belong into the list of pyproject.toml"
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        assert not {f"defectkit/data/{name}" for name in checksums(DATA)} & names
    assert {"defectkit/py.typed", "defectkit/plots/defectkit.mplstyle"} <= names
    assert {p for p in names if p.startswith("defectkit/") and p.endswith(".py")} == {
        str(p.relative_to(ROOT)) for p in (ROOT / "defectkit").rglob("*.py")
    }
    python = bare_environment(tmp_path / "bare", wheel)
    assert "it works" in run(python, "-c", TRY, cwd=tmp_path)
