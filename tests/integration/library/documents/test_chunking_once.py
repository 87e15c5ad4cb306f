"""Parsing and chunking are not repeated between the steps of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeVectorStore
from tests.fakes.job_memory import DurableFakeJobEngine, JobMemory
from tests.support.library_harness import STORE, LibraryHarness, eventually, make_harness

pytestmark = pytest.mark.integration

_SEVERAL_WINDOWS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(700))


def work_done(harness: LibraryHarness) -> tuple[int, int, int]:
    """How often a file was parsed, an extract was chunked, and a stored extract was read."""
    return len(harness.parser.parsed), harness.chunker.calls, harness.blobs.reads


def test_a_small_file_is_parsed_and_chunked_once(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"))
    assert work_done(harness) == (1, 1, 0)


def test_a_large_file_is_parsed_and_chunked_once(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", _SEVERAL_WINDOWS))
    assert harness.library.document(STORE, harness.file_id("a.md")).chunks > 512
    assert work_done(harness) == (1, 1, 0)


def test_each_of_many_files_in_a_window_is_chunked_once(harness: LibraryHarness) -> None:
    harness.ingest(*((f"{n}.md", f"apples {n}") for n in range(40)))
    assert work_done(harness) == (40, 40, 0)


def test_a_job_that_resumes_chunks_the_stored_extract(tmp_path: Path) -> None:
    memory, store = JobMemory(), FakeVectorStore()
    memory.dies_after = "write"
    with make_harness(tmp_path, engine=DurableFakeJobEngine(memory), store=store) as harness:
        job = harness.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: memory.steps[job.job_id] and not harness.runtime.running.active)
        assert work_done(harness) == (1, 1, 0)
    memory.dies_after, store.closed = None, False
    with make_harness(tmp_path, engine=DurableFakeJobEngine(memory), store=store) as harness:
        assert harness.library.wait(job.job_id, 30).state == "completed"
        assert work_done(harness) == (0, 1, 1)
        assert harness.texts("apples") == ["apples"]
