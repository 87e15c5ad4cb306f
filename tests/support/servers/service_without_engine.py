"""The bundle with a fake engine that answers at once. Everything else is real, and it starts in seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.running import RunningService, start_service


@contextlib.contextmanager
def engineless_service(
    folder: Path, language_model: Path, *, target: str = "bench.instant_bundle:RAG", **options: Any
) -> Iterator[RunningService]:
    """Args: `language_model` is a folder with the tokenizer to use, `options` are variables of the environment."""
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to(language_model.parent)
    running = start_service(
        folder / "data",
        folder / "service.log",
        target=target,
        RAG_LLM__RUNTIME_ADAPTERS="true",
        HF_HUB_OFFLINE="1",
        RAG_SERVER__ACCESS_LOG="false",
        **options,
    )
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()
