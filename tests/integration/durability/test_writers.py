"""Many writers at once: `python -m tests.stress.writers`, and the races that the stress tests found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.catalog.documents.documents import ingested_file_id
from rag.errors import Conflict, DependencyUnavailable, FileNotFound
from tests.fakes import FakeEmbedder, FakeEmbedders
from tests.stress import writers
from tests.support.library_harness import STORE, LibraryHarness, eventually, make_harness

pytestmark = pytest.mark.integration

_FIVE_CHUNKS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(5))
_TWO_WINDOWS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(700))
_A = ingested_file_id(STORE, "a.md")


@pytest.mark.parametrize("seconds", [1.0, pytest.param(60.0, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_eight_concurrent_writers_do_no_damage(tmp_path: Path, seconds: float) -> None:
    result = writers.run(tmp_path, 8, seconds, readers=1, seed=8)
    assert result.damage.found == {}
    assert result.did["uploads"] > 0
    assert result.did["reads"] > 0


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[LibraryHarness]:
    with make_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def chunk_ids(harness: LibraryHarness) -> list[str]:
    return [chunk.chunk_id for chunk in harness.chunks()]


def test_the_last_upload_wins_despite_an_attribute_change_in_between(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "one"))
    harness.parser.gate.clear()
    second = harness.ingest(("a.md", "two"), wait=False)
    harness.library.set_attributes(STORE, _A, {"k": 1})
    third = harness.ingest(("a.md", "one"), wait=False, attributes={"k": 1})
    harness.parser.gate.set()
    for job in (second, third):
        harness.library.wait(job.job_id, 10)
    assert harness.texts("one two") == ["one"]


def test_rows_written_before_an_outage_are_not_written_twice(harness: LibraryHarness) -> None:
    harness.store.insert_failure, harness.store.insert_failure_after = DependencyUnavailable("away"), 1
    job = harness.ingest(("a.md", "apples"), ("b.md", "pears"), wait=False)
    eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
    harness.store.insert_failure = None
    assert harness.library.wait(job.job_id, 10).state == "completed"
    assert harness.rows() == ["apples", "pears"]


def test_a_job_reuses_the_rows_of_a_cancelled_one(harness: LibraryHarness) -> None:
    harness.parser.gate.clear()
    first = harness.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    eventually(lambda: harness.runtime.running.active)
    second = harness.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    harness.store.after_insert = lambda: harness.library.cancel_job(first.job_id)
    harness.parser.gate.set()
    assert harness.library.wait(second.job_id, 10).file_counts.completed == 1
    assert harness.library.job(first.job_id).state == "cancelled"
    harness.clean()
    ids = chunk_ids(harness)
    assert (len(ids), len(set(ids))) == (5, 5)


def test_attributes_changed_between_two_windows_apply_to_all_chunks(tmp_path: Path) -> None:
    embedder = FakeEmbedder(held_at=9)  # a window has eight slices
    with make_harness(tmp_path, embedders=FakeEmbedders(embedder)) as harness:
        job = harness.ingest(("a.md", _TWO_WINDOWS), wait=False, attributes={"k": 1})
        assert embedder.is_held.wait(20)
        harness.library.set_attributes(STORE, _A, {"k": 2})
        embedder.going.set()
        harness.library.wait(job.job_id, 30)
        harness.clean()
        chunks = harness.chunks()
        assert len(chunks) == harness.library.document(STORE, _A).chunks > 512
        assert {chunk.attributes["k"] for chunk in chunks} == {2}


def lose_the_rows(harness: LibraryHarness) -> None:
    """Delete the source's rows, as the janitor does if another change of the same document was faster."""
    harness.store.delete(harness.runtime.snapshots.snapshot(STORE).collection, ["v1"])


def delete_the_document(harness: LibraryHarness) -> None:
    harness.library.delete_document(STORE, _A)
    harness.clean()


@pytest.mark.parametrize(("change_source", "error"), [(lose_the_rows, Conflict), (delete_the_document, FileNotFound)])
def test_a_copy_whose_source_is_deleted_meanwhile_is_hidden(
    harness: LibraryHarness,
    pool: ThreadPoolExecutor,
    change_source: Callable[[LibraryHarness], None],
    error: type[Exception],
) -> None:
    harness.ingest(("a.md", _FIVE_CHUNKS))
    harness.store.copy_gate.clear()
    attribute_change = pool.submit(harness.library.set_attributes, STORE, _A, {"k": 1})
    assert harness.store.copy_has_read.wait(5)
    change_source(harness)
    harness.store.copy_gate.set()
    assert isinstance(attribute_change.exception(10), error)
    harness.clean()
    assert chunk_ids(harness) == []


def test_an_upload_does_not_wait_for_a_copy_outside_of_jobs(harness: LibraryHarness, pool: ThreadPoolExecutor) -> None:
    harness.ingest(("a.md", _FIVE_CHUNKS))
    harness.store.copy_gate.clear()
    attribute_change = pool.submit(harness.library.set_attributes, STORE, _A, {"k": 1})
    assert harness.store.copy_has_read.wait(5)
    job = harness.ingest(("a.md", _FIVE_CHUNKS), wait=False, attributes={"k": 1})
    time.sleep(0.3)
    harness.store.copy_gate.set()
    attribute_change.exception(10)
    assert harness.library.wait(job.job_id, 10).file_counts.completed == 1
    harness.clean()
    ids = chunk_ids(harness)
    assert (len(ids), len(set(ids))) == (5, 5)
    assert harness.library.document(STORE, _A).attributes == {"k": 1}
