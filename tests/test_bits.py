"""The same bits in two processes, on one thread and on two: numba's, OpenMP's and BLAS's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

import defectkit as dk

WORK = """
import hashlib, json
import numpy as np
from ase.build import bulk, molecule

import defectkit as dk
from defectkit import clusters
from defectkit.parametric import EnvironmentClassifier, ParametricMap

def bits(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()

made = {}
large = bulk("Si", cubic=True) * (6, 6, 6)
large.rattle(0.2, seed=1)
symmetry = dk.SymmetryFunctions.silicon()
X = symmetry(large)
made["features"] = bits(X)
made["features of frames"] = bits(*dk.features([large, large], symmetry, n_jobs=THREADS,
                                               progress=False))
made["features in single precision"] = bits(symmetry.using(precision="single")(large))
water = molecule("H2O", cell=[3.1] * 3, pbc=True) * (5, 5, 5)
water.rattle(0.1, seed=1)
made["features of water"] = bits(dk.SymmetryFunctions.water()(water, "O"))
X = np.concatenate([X[:700], symmetry(bulk("Si", "bct", 4.9, c=2.7) * (9, 9, 9))[:300]
                    + 1e-3 * np.random.default_rng(0).normal(size=(300, 35))])
kind = np.repeat([0, 1], [700, 300])
for method in ("pca", "umap", "pacmap"):
    Y = dk.embed(X, method, seed=1)
    labels = dk.cluster(Y)
    made[method], made[f"clusters of {method}"] = bits(Y), bits(labels)
    made[f"errors of {method}"] = bits(clusters.knn_error(Y, kind)[0],
                                       clusters.lof_error(Y, kind)[0],
                                       clusters.linear_error(Y, kind)[0])
net = ParametricMap(max_epochs=5, progress=False).fit(X, Y)
classifier = EnvironmentClassifier(max_epochs=5, progress=False).fit(X, kind)
made["parametric map"] = bits(net.predict(X))
made["classifier"] = bits(classifier.predict_proba(X), classifier.is_novel(X))
print(json.dumps(made))
"""
ROOT = str(Path(dk.__file__).parents[1])


def other_process():
    """numba on one thread, OpenMP and BLAS on two: the other way round than here."""
    given = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    given |= {"NUMBA_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"THREADS = 1\n{WORK}"],
        env=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_another_process_with_other_threads_gives_the_same_bits():
    here = {"THREADS": 2}
    with threadpool_limits(1):
        exec(WORK, here)
    one, two = here["made"], other_process()
    assert len(one) == 15 and [name for name in one if two[name] != one[name]] == []
