"""What a user meets first: set-up files that agree, and an import that is quick and light."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "umap", "pacmap", "nglview", "sklearn", "matplotlib.pyplot")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras):
    lines = project()["dependencies"] + [
        line for extra in extras for line in project()["optional-dependencies"][extra]]
    return {r.name: r.specifier for r in map(Requirement, lines)}


def test_environment_yml_lists_what_pyproject_asks_for():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [d for d in listed if isinstance(d, str)] + next(
        d for d in listed if isinstance(d, dict))["pip"]
    found = {r.name: r.specifier for r in map(Requirement, lines)}
    found["torch"] = found.pop("pytorch")  # their names on conda-forge
    found["chemfiles"] = found.pop("chemfiles-python")
    assert str(found.pop("python")) == str(Requirement(f"python{project()['requires-python']}")
                                           .specifier)
    found.pop("pip")
    assert found == requirements("lab", "data", "test")


def test_constraints_pin_every_requirement_within_its_range():
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()
                if not line.startswith("#"))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    assert pins["torch"] == "2.13.0"
    for name, wanted in requirements(*project()["optional-dependencies"]).items():
        assert wanted.contains(pins[name]), name


def test_versions_agree():
    import defectkit
    assert defectkit.__version__ == project()["version"]


def test_import_is_quick_and_loads_nothing_heavy():
    code = ("import sys, time; start = time.perf_counter(); import defectkit; "
            f"print(time.perf_counter() - start, [m for m in {HEAVY!r} if m in sys.modules])")
    seconds = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                             text=True).stdout
        time, loaded = out.split(" ", 1)
        assert loaded.strip() == "[]"
        seconds.append(float(time))
    assert min(seconds) < 0.5


def test_public_names_exist_and_unknown_ones_are_refused():
    import defectkit
    for name in defectkit.__all__:
        assert getattr(defectkit, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = defectkit.nonsense
