"""What each service's process has loaded."""

from __future__ import annotations

import psutil
import pytest

from tests.e2e.running import RunningService

pytestmark = pytest.mark.integration


def test_of_the_services_without_an_engine_only_the_encoder_loads_torch(service: RunningService) -> None:
    """Torch takes seconds to load and 300 MB."""
    loaded = {name_of(process): has_torch(process) for process in service.processes() if name_of(process)}
    assert loaded == {"Embedder": True, "LLM": False, "Retriever": False, "RAG": False}


def name_of(process: psutil.Process) -> str:
    """The service that a process runs; empty for the supervisor and for helpers."""
    arguments = process.cmdline()
    return arguments[arguments.index("--service-name") + 1] if "--service-name" in arguments else ""


def has_torch(process: psutil.Process) -> bool:
    return any("libtorch" in region.path for region in process.memory_maps())
