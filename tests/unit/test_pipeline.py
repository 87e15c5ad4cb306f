from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from rag.errors import DependencyUnavailable, InvalidRequest, UnsupportedFile, VectorStoreNotFound
from rag.ingest.chunking import Chunker, passage_text
from rag.ingest.pipeline import IngestPipeline, Upload
from rag.ports import Vectors
from rag.types import Chunk
from tests.fakes import FakeEmbedder, FakeVectorStore

LONG = b"# Title\n\n" + b" ".join(b"word%d" % n for n in range(200))


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def store(embedder: FakeEmbedder) -> FakeVectorStore:
    store = FakeVectorStore()
    store.ensure("default", embedder.dimensions, embedder.model_name)
    return store


@pytest.fixture
def pipeline(embedder: FakeEmbedder, store: FakeVectorStore) -> IngestPipeline:
    return IngestPipeline(embedder, store, Chunker(100, 0.1), slice_texts=4)


def texts(store: FakeVectorStore) -> set[str]:
    return {chunk.text for chunk in store.chunks("default")}


async def test_files_are_stored_with_their_own_vectors(
    pipeline: IngestPipeline, store: FakeVectorStore, embedder: FakeEmbedder
) -> None:
    uploads = [Upload("a.md", LONG), Upload("b\\c.txt", b"short")]
    results = await pipeline.ingest("default", uploads, {"lang": "en"})
    assert [(result.filename, result.change) for result in results] == [("a.md", "added"), ("b/c.txt", "added")]
    assert sum(result.chunks for result in results) == store.count("default") > 8
    for chunk, vector in store.rows["default"].values():
        assert np.array_equal(vector, embedder.vectors([passage_text(chunk)])[0])
        assert chunk.attributes == {"lang": "en"}


async def test_texts_are_embedded_in_slices_sorted_by_length(pipeline: IngestPipeline, embedder: FakeEmbedder) -> None:
    await pipeline.ingest("default", [Upload("a.md", LONG), Upload("b.md", b"# B\n\nshort")], {})
    lengths = [len(text) for call, _ in embedder.calls for text in call]
    assert lengths == sorted(lengths)
    assert all(len(call) <= 4 and kind == "passage" for call, kind in embedder.calls)


async def test_the_same_file_twice_adds_and_embeds_nothing(
    pipeline: IngestPipeline, store: FakeVectorStore, embedder: FakeEmbedder
) -> None:
    (first,) = await pipeline.ingest("default", [Upload("a.md", LONG)], {"n": 1})
    before, calls = store.count("default"), len(embedder.calls)
    (second,) = await pipeline.ingest("default", [Upload("a.md", LONG)], {"n": 1})
    assert (second.change, second.file_id, second.chunks) == ("unchanged", first.file_id, first.chunks)
    assert (store.count("default"), len(embedder.calls)) == (before, calls)


async def test_a_new_version_replaces_the_old(pipeline: IngestPipeline, store: FakeVectorStore) -> None:
    await pipeline.ingest("default", [Upload("a.md", LONG), Upload("b.md", b"other")], {})
    results = await pipeline.ingest("default", [Upload("b.md", b"other"), Upload("a.md", b"new")], {})
    assert [result.change for result in results] == ["unchanged", "replaced"]
    assert texts(store) == {"other", "new"}


async def test_new_attributes_replace_the_old(pipeline: IngestPipeline, store: FakeVectorStore) -> None:
    await pipeline.ingest("default", [Upload("a.md", LONG)], {"n": 1})
    (result,) = await pipeline.ingest("default", [Upload("a.md", LONG)], {"n": 2})
    assert result.change == "replaced"
    assert store.count("default") == result.chunks
    assert {chunk.attributes["n"] for chunk in store.chunks("default")} == {2}


async def test_a_part_of_a_version_is_done_again(pipeline: IngestPipeline, store: FakeVectorStore) -> None:
    (whole,) = await pipeline.ingest("default", [Upload("a.md", LONG)], {})
    store.rows["default"].popitem()
    (result,) = await pipeline.ingest("default", [Upload("a.md", LONG)], {})
    assert result.change == "replaced"
    assert store.count("default") == whole.chunks


async def test_a_leftover_version_beside_a_whole_one_is_removed(
    pipeline: IngestPipeline, store: FakeVectorStore
) -> None:
    await pipeline.ingest("default", [Upload("a.md", b"old")], {})
    (leftover,) = store.rows["default"].items()
    await pipeline.ingest("default", [Upload("a.md", b"new")], {})
    store.rows["default"].update([leftover])
    await pipeline.ingest("default", [Upload("a.md", b"new")], {})
    assert texts(store) == {"new"}


async def test_a_failing_insert_leaves_nothing_of_the_new_version(
    pipeline: IngestPipeline, store: FakeVectorStore
) -> None:
    await pipeline.ingest("default", [Upload("a.md", b"old")], {})
    store.insert_failure, store.insert_failure_after = DependencyUnavailable("disk full"), 3
    with pytest.raises(DependencyUnavailable, match="disk full"):
        await pipeline.ingest("default", [Upload("a.md", LONG)], {})
    assert texts(store) == {"old"}
    store.insert_failure = None
    await pipeline.ingest("default", [Upload("a.md", LONG)], {})
    assert "old" not in texts(store)


async def test_a_failing_embedder_leaves_everything_as_it_was(
    pipeline: IngestPipeline, store: FakeVectorStore, embedder: FakeEmbedder
) -> None:
    await pipeline.ingest("default", [Upload("a.md", b"old")], {})
    embedder.failure = DependencyUnavailable("gone")
    with pytest.raises(DependencyUnavailable, match="gone"):
        await pipeline.ingest("default", [Upload("a.md", b"new")], {"n": 1})
    assert texts(store) == {"old"}


async def test_a_bad_file_stops_the_request_before_anything_is_stored(
    pipeline: IngestPipeline, store: FakeVectorStore, embedder: FakeEmbedder
) -> None:
    with pytest.raises(UnsupportedFile, match=r"b\.pdf"):
        await pipeline.ingest("default", [Upload("a.md", b"good"), Upload("b.pdf", b"%PDF")], {})
    assert store.count("default") == 0
    assert embedder.calls == []


async def test_one_name_twice_in_a_request_is_refused(pipeline: IngestPipeline) -> None:
    with pytest.raises(InvalidRequest, match=r"a/b\.md") as caught:
        await pipeline.ingest("default", [Upload("a/b.md", b"one"), Upload("./a\\b.md", b"two")], {})
    assert caught.value.param == "files"


async def test_an_unknown_vector_store(pipeline: IngestPipeline) -> None:
    with pytest.raises(VectorStoreNotFound, match="nope"):
        await pipeline.ingest("nope", [Upload("a.md", b"text")], {})


async def test_requests_for_one_file_wait_for_each_other(pipeline: IngestPipeline, store: FakeVectorStore) -> None:
    versions = [[Upload("a.md", b"a%d" % n), Upload("b.md", b"b%d" % n)] for n in range(8)]
    swapped = [uploads[:: 1 if n % 2 else -1] for n, uploads in enumerate(versions)]
    await asyncio.gather(*(pipeline.ingest("default", uploads, {}) for uploads in swapped))
    assert len({text[1:] for text in texts(store)}) == 1
    assert store.count("default") == 2
    assert len(pipeline._locks) == 0


class SlowStore(FakeVectorStore):
    """Its inserts wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.inserting = threading.Event()
        self.go_on = threading.Event()

    def insert(self, vector_store: str, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        self.inserting.set()
        assert self.go_on.wait(5)
        super().insert(vector_store, chunks, vectors)


async def test_a_cancelled_request_ends_the_file_it_is_at(embedder: FakeEmbedder) -> None:
    store = SlowStore()
    store.ensure("default", embedder.dimensions, embedder.model_name)
    pipeline = IngestPipeline(embedder, store, Chunker())
    task = asyncio.create_task(pipeline.ingest("default", [Upload("a.md", b"one"), Upload("b.md", b"two")], {}))
    await asyncio.to_thread(store.inserting.wait, 5)
    task.cancel()
    await asyncio.sleep(0.02)
    assert not task.done()
    store.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert texts(store) == {"one"}
    assert len(pipeline._locks) == 0
