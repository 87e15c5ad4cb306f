"""Parsing and chunking are not repeated between the steps of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeVectorStore
from tests.fakes.job_memory import DurableFakeJobEngine, JobMemory
from tests.support.library_harness import STORE, House, a_house, eventually

pytestmark = pytest.mark.integration

_SEVERAL_WINDOWS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(700))


def work_done(house: House) -> tuple[int, int, int]:
    """How often a file was parsed, an extract was chunked, and a stored extract was read."""
    return len(house.parser.parsed), house.chunker.calls, house.blobs.reads


def test_a_small_file_is_parsed_and_chunked_once(house: House) -> None:
    house.ingest(("a.md", "apples"))
    assert work_done(house) == (1, 1, 0)


def test_a_large_file_is_parsed_and_chunked_once(house: House) -> None:
    house.ingest(("a.md", _SEVERAL_WINDOWS))
    assert house.library.document(STORE, house.file_id("a.md")).chunks > 512
    assert work_done(house) == (1, 1, 0)


def test_many_files_of_a_window_are_each_chunked_once(house: House) -> None:
    house.ingest(*((f"{n}.md", f"apples {n}") for n in range(40)))
    assert work_done(house) == (40, 40, 0)


def test_a_job_that_resumes_chunks_the_stored_extract(tmp_path: Path) -> None:
    memory, store = JobMemory(), FakeVectorStore()
    memory.dies_after = "write"
    with a_house(tmp_path, engine=DurableFakeJobEngine(memory), store=store) as house:
        job = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: memory.steps[job.job_id] and not house.archive.running.active)
        assert work_done(house) == (1, 1, 0)
    memory.dies_after, store.closed = None, False
    with a_house(tmp_path, engine=DurableFakeJobEngine(memory), store=store) as house:
        assert house.library.wait(job.job_id, 30).state == "completed"
        assert work_done(house) == (0, 1, 1)
        assert house.texts("apples") == ["apples"]
