"""Many writers at once: a short `python -m bench.writers`, and the races that it, `bench.crash` and reading found."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bench import writers
from rag.catalog.documents import ingested_file_id
from rag.errors import Conflict, DependencyUnavailable, FileNotFound
from rag.ports import Vectors
from rag.types import Attributes, Chunk, TextKind
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore
from tests.house import STORE, House, a_house

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

_FIVE_CHUNKS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(5))
_TWO_WINDOWS = "\n\n".join(f"apples {n} {'word ' * 80}" for n in range(700))
_A = ingested_file_id(STORE, "a.md")


def test_eight_writers(tmp_path: Path) -> None:
    outcome = writers.run(tmp_path, 8, 5.0, readers=1, seed=8)
    assert outcome.damage.found == {}
    assert outcome.did["uploads"] > 0
    assert outcome.did["reads"] > 0


class SlowStore(FakeVectorStore):
    """Copies in two steps, as Milvus does: `going` holds up the second. `after_insert` is called once."""

    def __init__(self) -> None:
        super().__init__()
        self.going = threading.Event()
        self.going.set()
        self.has_read = threading.Event()
        self.after_insert: Callable[[], object] | None = None

    def copy(
        self, collection: str, version_id: str, to_version_id: str, *, file_id: str, attributes: Attributes
    ) -> int:
        self.delete(collection, [to_version_id])
        copied = set[str]()
        while page := [row for row in self._rows(collection) if self._is_next(row[0], version_id, copied)][:2]:
            copied |= {chunk.chunk_id for chunk, _ in page}
            chunks = [
                dataclasses.replace(
                    chunk,
                    chunk_id=to_version_id + chunk.chunk_id.removeprefix(version_id),
                    version_id=to_version_id,
                    file_id=file_id,
                    attributes=attributes,
                )
                for chunk, _ in page
            ]
            self.has_read.set()
            self.going.wait(20)
            super().insert(collection, chunks, np.array([vector for _, vector in page], dtype=np.float32))
        return len(copied)

    @staticmethod
    def _is_next(chunk: Chunk, version_id: str, copied: set[str]) -> bool:
        return chunk.version_id == version_id and chunk.chunk_id not in copied

    def insert(self, collection: str, chunks: Sequence[Chunk], vectors: Vectors, *, again: bool = False) -> None:
        super().insert(collection, chunks, vectors, again=again)
        if (then := self.after_insert) is not None:
            self.after_insert = None
            then()


class HeldEmbedder(FakeEmbedder):
    """Stops before its call of that number until `going` is set."""

    def __init__(self, held_at: int) -> None:
        super().__init__()
        self._held_at = held_at
        self.is_held, self.going = threading.Event(), threading.Event()

    async def encode(self, texts: Sequence[str], kind: TextKind) -> Vectors:
        if len(self.calls) + 1 == self._held_at:
            self.is_held.set()
            await asyncio.to_thread(self.going.wait, 20)
        return await super().encode(texts, kind)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def house(tmp_path: Path, store: SlowStore) -> Iterator[House]:
    with a_house(tmp_path, store=store) as house:
        yield house


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def chunk_ids(house: House) -> list[str]:
    return house.store.chunk_ids(house.archive.views.snapshot(STORE).collection)


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
    while house.library.job(job.job_id).waiting_for == "":
        time.sleep(0.01)
    house.store.insert_failure = None
    assert house.library.wait(job.job_id, 10).state == "completed"
    assert house.rows() == ["apples", "pears"]


def test_a_job_takes_over_what_a_cancelled_one_had_written(house: House, store: SlowStore) -> None:
    house.parser.gate.clear()
    first = house.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    time.sleep(0.1)
    second = house.ingest(("a.md", _FIVE_CHUNKS), wait=False)
    store.after_insert = lambda: house.library.cancel_job(first.job_id)
    house.parser.gate.set()
    assert house.library.wait(second.job_id, 10).file_counts.completed == 1
    assert house.library.job(first.job_id).state == "cancelled"
    house.clean()
    ids = chunk_ids(house)
    assert (len(ids), len(set(ids))) == (5, 5)


def test_attributes_that_change_between_two_windows_are_those_of_all_chunks(tmp_path: Path) -> None:
    embedder = HeldEmbedder(held_at=9)  # eight slices are a window
    with a_house(tmp_path, embedders=FakeEmbedders(embedder)) as house:
        job = house.ingest(("a.md", _TWO_WINDOWS), wait=False, attributes={"k": 1})
        assert embedder.is_held.wait(20)
        house.library.set_attributes(STORE, _A, {"k": 2})
        embedder.going.set()
        house.library.wait(job.job_id, 30)
        house.clean()
        chunks = house.store.chunks(house.archive.views.snapshot(STORE).collection)
        assert len(chunks) == house.library.document(STORE, _A).chunks > 512
        assert {chunk.attributes["k"] for chunk in chunks} == {2}


def test_a_copy_whose_source_goes_meanwhile_is_not_shown(
    house: House, store: SlowStore, pool: ThreadPoolExecutor
) -> None:
    house.ingest(("a.md", _FIVE_CHUNKS))
    store.going.clear()
    slow = pool.submit(house.library.set_attributes, STORE, _A, {"k": 1})
    assert store.has_read.wait(5)
    collection = house.archive.views.snapshot(STORE).collection
    store.delete(collection, ["v1"])  # as the janitor does once the same change has overtaken this one
    store.going.set()
    assert isinstance(slow.exception(10), Conflict)
    house.clean()
    assert chunk_ids(house) == []


def test_a_copy_of_a_document_that_is_deleted_meanwhile_leaves_nothing(
    house: House, store: SlowStore, pool: ThreadPoolExecutor
) -> None:
    house.ingest(("a.md", _FIVE_CHUNKS))
    store.going.clear()
    slow = pool.submit(house.library.set_attributes, STORE, _A, {"k": 1})
    assert store.has_read.wait(5)
    house.library.delete_document(STORE, _A)
    house.clean()
    store.going.set()
    assert isinstance(slow.exception(10), FileNotFound)
    house.clean()
    assert chunk_ids(house) == []


def test_an_upload_does_not_wait_for_a_copy_that_no_job_makes(
    house: House, store: SlowStore, pool: ThreadPoolExecutor
) -> None:
    house.ingest(("a.md", _FIVE_CHUNKS))
    store.going.clear()
    slow = pool.submit(house.library.set_attributes, STORE, _A, {"k": 1})
    assert store.has_read.wait(5)
    job = house.ingest(("a.md", _FIVE_CHUNKS), wait=False, attributes={"k": 1})
    time.sleep(0.3)
    store.going.set()
    slow.exception(10)
    assert house.library.wait(job.job_id, 10).file_counts.completed == 1
    house.clean()
    ids = chunk_ids(house)
    assert (len(ids), len(set(ids))) == (5, 5)
    assert house.library.document(STORE, _A).attributes == {"k": 1}
