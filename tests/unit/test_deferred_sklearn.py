"""Libraries that import scikit-learn for functions that nobody calls do not load it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from rag.deferred_sklearn import sklearn_deferred

with sklearn_deferred():
    from sklearn.metrics import pairwise_distances
assert "sklearn.metrics" not in sys.modules and "scipy" not in sys.modules
print(pairwise_distances([[0.0], [3.0]]).max())
import sklearn.metrics
assert sklearn.metrics.pairwise_distances.__module__ == "sklearn.metrics.pairwise"
with sklearn_deferred():
    from sklearn.metrics import f1_score
assert f1_score is sklearn.metrics.f1_score
"""


def test_a_function_imports_scikit_learn_when_it_is_called() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "3.0\n"), done.stderr
