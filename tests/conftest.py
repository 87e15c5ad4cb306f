"""Settings of all tests: Hypothesis' profiles, the network, the order, and what each process of xdist runs."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from rag.adapters import model_files
from rag.config import Settings

ROOT = Path(__file__).resolve().parents[1]

# No deadline for an example: on a busy machine, or where Hypothesis first builds its character tables, one may take
# seconds. `make test-long` uses the profile `long`.
_UNHURRIED: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("short", max_examples=50, **_UNHURRIED)
settings.register_profile("long", max_examples=1000, **_UNHURRIED)
settings.load_profile("short")

# Every test talks to this machine alone, over plain HTTP. Reading the system's certificates would cost each of the
# thousands of HTTP clients 30 ms.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

# As many processes test as there are cores: further threads of each would only wait for one another. The engine has
# its own setting.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ORDER = (
    "tests/e2e/",
    "tests/integration/durability/test_dbos_jobs.py",
    "tests/integration/durability/test_writers.py",
    "tests/integration/durability/test_crash.py",
    "tests/integration/service/test_access.py",
    "tests/integration/service/test_tenants.py",
    "tests/integration/service/test_metrics.py",
    "tests/integration/service/test_tracing.py",
    "tests/integration/service/test_documents.py",
    "tests/integration/service/",
    "tests/integration/service/page/",
    "tests/integration/vllm/",
    "tests/integration/test_evaluation.py",
    "tests/integration/",
    "tests/contract/",
    "tests/unit/",
)
"""In parallel, the engine's tests begin first, then those that mostly wait while the engine starts, then the longest.
A path takes the place of the longest entry it starts with. Tests that run an event loop of their own come before those
of the page, whose browser occupies the thread's loop.
"""

ENCODER_TESTS = (
    "tests/integration/models/test_bfloat16.py",
    "tests/integration/models/test_embedder_start.py",
    "tests/integration/models/test_encoders.py",
    "tests/integration/models/test_kinds_of_models.py",
    "tests/integration/models/test_stored_token_vectors.py",
    "tests/contract/models/test_embedders.py",
    "tests/contract/models/test_rerankers.py",
    "tests/contract/models/test_sparse_embedders.py",
)

SAME_PROCESS = (("tests/e2e/",), ("tests/integration/service/",), ("tests/integration/vllm/",), ENCODER_TESTS)
"""Folders and files whose tests share what is slow to start: a service, a process that has imported vLLM, and
sentence-transformers, whose import takes 7 s of CPU time.
"""


@pytest.fixture(scope="session")
def language_model() -> Path:
    """The folder of the embedded language model; converting it takes some 20 s the first time."""
    return Path(model_files.llm_folder(Settings(data_dir=ROOT / ".data")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith("tests/e2e/"):
        _lower_priority()


@functools.cache
def _lower_priority() -> None:
    """Leave the cores to the tests of the engine, which take longest: the others fill in the gaps."""
    os.nice(10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    return ORDER.index(max((entry for entry in ORDER if nodeid.startswith(entry)), key=len))


class ByFile(LoadScopeScheduling):
    """Keeps the tests of a file, or of an entry of `SAME_PROCESS`, in one process of xdist."""

    def _split_scope(self, nodeid: str) -> str:
        shared = next((paths for paths in SAME_PROCESS if nodeid.startswith(paths)), None)
        return shared[0] if shared else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
