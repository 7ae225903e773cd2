"""The compiled kernels in processes that are forked, cannot write, or may not warn or print."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import defectkit as dk
from defectkit.neighbours.lists import neighbour_list

PACKAGE = Path(dk.__file__).parent
FEATURES = """
from ase.build import bulk
import defectkit as dk
atoms = bulk("Si", cubic=True) * (4, 4, 4)
atoms.rattle(0.1, seed=1)
"""
FORKED = (
    FEATURES
    + """
import multiprocessing, os
def work(threads):
    return dk.features([atoms] * 3, dk.SymmetryFunctions.silicon(), n_jobs=threads,
                       progress=False).tobytes()
if __name__ == "__main__":
    before = work(2), work(1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, [2, 1, 2]) == [before[0]] * 3
    child = os.fork()
    if not child:
        os._exit(0 if work(2) == before[0] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert before[0] == before[1] == work(2)
"""
)


def run(code, *options, package=PACKAGE, cwd=None, **environment):
    names = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    names |= {"PYTHONPATH": str(package.parent), "NUMBA_NUM_THREADS": "2"} | environment
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=names,
        cwd=cwd,
        timeout=300,
        text=True,
        capture_output=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_processes_give_the_same_bits():
    done = run(FORKED)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_nothing_warns_and_closed_streams_do_no_harm(tmp_path):
    code = (
        FEATURES
        + """
import sys
G = dk.features([atoms] * 4, dk.SymmetryFunctions.silicon(), progress=True)
assert G.shape == (4, 512, 35)
print("done")
"""
    )
    done = run(code, "-W", "error")
    assert done.stdout == "done\n", done.stderr
    closed = "import os, sys\nos.close(2)\nsys.stderr = None\n"
    assert run(closed + code).stdout == "done\n"
    # Without docstrings and assertions numba takes every function for another one.
    code = (
        FEATURES
        + """
from defectkit.neighbours.lists import neighbour_list
print(len(neighbour_list(atoms, 3.0)[0]))
"""
    )
    done = run(closed + code, "-OO", NUMBA_CACHE_DIR=str(tmp_path))
    assert done.stdout == "513\n" and any(tmp_path.iterdir())


@pytest.mark.slow
def test_without_a_place_for_compiled_functions_one_warning_and_the_same_neighbours(tmp_path):
    package = tmp_path / "defectkit"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "data"))
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()  # no folder can be made here
    (tmp_path / "file").touch()
    code = (
        "import defectkit.io.formats.xtc_bits\n"
        + FEATURES
        + """
import numpy as np
from defectkit.neighbours.lists import neighbour_list
np.save("values.npy", neighbour_list(atoms, 6.0)[1])
"""
    )
    done = run(
        code,
        "-B",
        package=package,
        cwd=tmp_path,
        HOME=str(tmp_path / "file"),
        XDG_CACHE_HOME=str(tmp_path / "file"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("set NUMBA_CACHE_DIR to a folder that can be written") == 1
    assert done.stderr.count("compiling, once") == 1
    atoms = bulk("Si", cubic=True) * (4, 4, 4)
    atoms.rattle(0.1, seed=1)
    np.testing.assert_array_equal(np.load(tmp_path / "values.npy"), neighbour_list(atoms, 6.0)[1])


@pytest.mark.slow
def test_kernels_are_compiled_beforehand_and_loaded_afterwards(tmp_path):
    module = "import runpy; runpy.run_module('defectkit.symmetry.compile', run_name='__main__')"
    first = run(module, NUMBA_CACHE_DIR=str(tmp_path))
    assert "the kernels are compiled" in first.stdout and "compiling, once" in first.stderr
    code = """
from defectkit._compiled import compiled
from defectkit.neighbours.search import find_pairs
from defectkit.symmetry.compile import compile_kernels
compile_kernels(single=True)
assert {"features_of", "features_of_single", "forces_of", "near_points"} <= set(compiled)
for name, function in compiled.items():
    assert function.cache_hits == 1, name
assert sum(find_pairs.stats.cache_misses.values()) == 0
"""
    again = run(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert again.returncode == 0 and again.stderr == "", again.stderr


@pytest.mark.slow
def test_what_make_install_compiles_are_both_maps_and_the_whole_of_identify(monkeypatch):
    from defectkit import compile

    maps, results = [], []
    monkeypatch.setattr(compile, "embed", lambda X, method: maps.append(dk.embed(X, method)))
    monkeypatch.setattr(
        compile, "identify", lambda atoms, **given: results.append(dk.identify(atoms, **given))
    )
    compile.compile_all()
    assert [Y.shape for Y in maps] == [(200, 2), (200, 2)]
    assert [len(result.defects) for result in results] == [1, 1]
    assert results[0].defects["kind"][0] == "vacancy"


@pytest.mark.slow
def test_a_processor_without_wide_instructions_gives_the_same_features(tmp_path):
    code = (
        FEATURES
        + """
import numpy as np
symmetry = dk.SymmetryFunctions.silicon()
np.save("values.npy", symmetry(atoms))
np.save("single.npy", symmetry.using(precision="single")(atoms))
"""
    )
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = run(code, cwd=tmp_path, NUMBA_CACHE_DIR=str(tmp_path), **plain)
    assert done.returncode == 0, done.stderr
    here = {}
    exec(FEATURES, here)
    G = dk.SymmetryFunctions.silicon()(here["atoms"])
    np.testing.assert_allclose(np.load(tmp_path / "values.npy"), G, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(np.load(tmp_path / "single.npy"), G, rtol=0, atol=1e-5)
