"""What every service process does."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
from pathlib import Path

import pytest

from rag.bootstrap import process
from rag.bootstrap.loaded_settings import settings


def test_the_data_folder_is_inside_the_folder_of_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Processes that are started later, in other folders, use the same one."""
    monkeypatch.chdir(tmp_path)
    for given, absolute in {"": tmp_path / ".data", "own/data": tmp_path / "own/data", "/data": "/data"}.items():
        monkeypatch.setenv("RAG_DATA_DIR", given)
        settings.cache_clear()
        process.settle_data_dir()
        assert os.environ["RAG_DATA_DIR"] == str(absolute)
    settings.cache_clear()


async def test_objects_of_the_start_are_exempt_from_garbage_collection_once_a_service_is_ready() -> None:
    life = process.make_lifecycle("Test")

    async def facts() -> dict[str, object]:
        return {}

    life.on_probe(facts)
    assert gc.get_freeze_count() == 0
    try:
        await life.ready()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_libraries_log_cannot_forge_a_record(monkeypatch: pytest.MonkeyPatch, log_format: str) -> None:
    """BentoML's handler is at the root, where the records of libraries arrive."""
    monkeypatch.setenv("RAG_SERVER__LOG_FORMAT", log_format)
    settings.cache_clear()
    handler = logging.StreamHandler(written := io.StringIO())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        process.format_other_logs()
        logging.getLogger("some.library").warning("no model %s", "a\n2026-01-01 00:00:00,000 INFO rag.access -: FORGED")
    finally:
        root.removeHandler(handler)
        settings.cache_clear()
    [line] = written.getvalue().splitlines()
    assert ("some.library" in line, r"a\n2026" in line) == (True, True)
    assert (json.loads(line)["level"] if log_format == "json" else "WARNING") == "WARNING"
