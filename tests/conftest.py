"""Settings of all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from rag.adapters import model_files
from rag.config import Settings

ROOT = Path(__file__).resolve().parents[1]

# On a busy machine, or where Hypothesis first makes its tables of characters, an example may take seconds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Every test talks to this machine alone, over plain HTTP. To read the world's certificates would cost each of the
# thousands of HTTP clients 30 ms.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)


@pytest.fixture(scope="session")
def language_model() -> Path:
    """The folder of the embedded one, made if it was not: that takes some 20 s."""
    return Path(model_files.llm_folder(Settings(data_dir=ROOT / ".data")))


class ByFile(LoadScopeScheduling):
    """Where several processes test: a file stays in one, and all that need the engine with its one engine."""

    def _split_scope(self, nodeid: str) -> str:
        return "engine" if nodeid.startswith("tests/e2e/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
