"""Many writers at once: `python -m tests.stress.writers`, and the races that the stress tests found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.catalog.documents import ingested_file_id
from rag.errors import Conflict, DependencyUnavailable, FileNotFound
from tests.fakes import FakeEmbedder, FakeEmbedders
from tests.stress import writers
from tests.support.library_harness import STORE, House, a_house, eventually

pytestmark = pytest.mark.integration

_FIVE_CHUNKS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(5))
_TWO_WINDOWS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(700))
_A = ingested_file_id(STORE, "a.md")


@pytest.mark.parametrize("seconds", [3.0, pytest.param(60.0, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
def test_eight_writers(tmp_path: Path, seconds: float) -> None:
    outcome = writers.run(tmp_path, 8, seconds, readers=1, seed=8)
    assert outcome.damage.found == {}
    assert outcome.did["uploads"] > 0
    assert outcome.did["reads"] > 0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path) as house:
        yield house


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def chunk_ids(house: House) -> list[str]:
    return [chunk.chunk_id for chunk in house.chunks()]


def test_the_last_upload_wins_though_the_attributes_were_changed_in_between(house: House) -> None:
    house.ingest(("a.md", "one"))
    house.parser.gate.clear()
    second = house.ingest(("a.md", "two"), wait=False)
    house.library.set_attributes(STORE, _A, {"k": 1})
    third = house.ingest(("a.md", "one"), wait=False, attributes={"k": 1})
    house.parser.gate.set()
    for job in (second, third):
        house.library.wait(job.job_id, 10)
    assert house.texts("one two") == ["one"]


def test_what_was_written_before_the_store_failed_is_not_written_twice(house: House) -> None:
    house.store.insert_failure, house.store.insert_failure_after = DependencyUnavailable("away"), 1
    job = house.ingest(("a.md", "apples"), ("b.md", "pears"), wait=False)
    eventually(lambda: house.library.job(job.job_id).waiting_for != "")
    house.store.insert_failure = None
    assert house.library.wait(job.job_id, 10).state == "completed"
    assert house.rows() == ["apples", "pears"]


def test_a_job_takes_over_what_a_cancelled_one_had_written(house: House) -> None:
    house.parser.gate.clear()
    first = house.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    eventually(lambda: house.archive.running.active)
    second = house.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    house.store.after_insert = lambda: house.library.cancel_job(first.job_id)
    house.parser.gate.set()
    assert house.library.wait(second.job_id, 10).file_counts.completed == 1
    assert house.library.job(first.job_id).state == "cancelled"
    house.clean()
    ids = chunk_ids(house)
    assert (len(ids), len(set(ids))) == (5, 5)


def test_attributes_that_change_between_two_windows_are_those_of_all_chunks(tmp_path: Path) -> None:
    embedder = FakeEmbedder(held_at=9)  # eight slices are a window
    with a_house(tmp_path, embedders=FakeEmbedders(embedder)) as house:
        job = house.ingest(("a.md", _TWO_WINDOWS), wait=False, attributes={"k": 1})
        assert embedder.is_held.wait(20)
        house.library.set_attributes(STORE, _A, {"k": 2})
        embedder.going.set()
        house.library.wait(job.job_id, 30)
        house.clean()
        chunks = house.chunks()
        assert len(chunks) == house.library.document(STORE, _A).chunks > 512
        assert {chunk.attributes["k"] for chunk in chunks} == {2}


def lose_the_rows(house: House) -> None:
    """As the janitor does once the same change has overtaken this one."""
    house.store.delete(house.archive.views.snapshot(STORE).collection, ["v1"])


def delete_the_document(house: House) -> None:
    house.library.delete_document(STORE, _A)
    house.clean()


@pytest.mark.parametrize(("meanwhile", "error"), [(lose_the_rows, Conflict), (delete_the_document, FileNotFound)])
def test_a_copy_whose_source_goes_meanwhile_is_not_shown(
    house: House, pool: ThreadPoolExecutor, meanwhile: Callable[[House], None], error: type[Exception]
) -> None:
    house.ingest(("a.md", _FIVE_CHUNKS))
    house.store.copy_gate.clear()
    slow = pool.submit(house.library.set_attributes, STORE, _A, {"k": 1})
    assert house.store.copy_has_read.wait(5)
    meanwhile(house)
    house.store.copy_gate.set()
    assert isinstance(slow.exception(10), error)
    house.clean()
    assert chunk_ids(house) == []


def test_an_upload_does_not_wait_for_a_copy_that_no_job_makes(house: House, pool: ThreadPoolExecutor) -> None:
    house.ingest(("a.md", _FIVE_CHUNKS))
    house.store.copy_gate.clear()
    slow = pool.submit(house.library.set_attributes, STORE, _A, {"k": 1})
    assert house.store.copy_has_read.wait(5)
    job = house.ingest(("a.md", _FIVE_CHUNKS), wait=False, attributes={"k": 1})
    time.sleep(0.3)
    house.store.copy_gate.set()
    slow.exception(10)
    assert house.library.wait(job.job_id, 10).file_counts.completed == 1
    house.clean()
    ids = chunk_ids(house)
    assert (len(ids), len(set(ids))) == (5, 5)
    assert house.library.document(STORE, _A).attributes == {"k": 1}
