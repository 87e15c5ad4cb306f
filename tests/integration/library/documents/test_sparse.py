"""Learned sparse vectors: which vector stores have them, and from which model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import DependencyUnavailable, ModelNotFound, UnsupportedIndex, VectorStoreNotFound
from rag.records import NewStore
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSparseEmbedders, FakeVectorStore
from tests.support.library_harness import STORE, LibraryHarness, eventually, make_harness
from tests.support.servers.postgres import empty_catalog

pytestmark = pytest.mark.integration

MODEL, NEWER = "fake-sparse", "newer-sparse"


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LibraryHarness]:
    """A library with a sparse model."""
    url = empty_catalog(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with make_harness(tmp_path, url=url, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
        yield harness


def sparse_texts(harness: LibraryHarness, text: str, store: str = STORE) -> list[str]:
    """The texts that the sparse path finds."""
    return harness.texts(text, store=store, mode="sparse")


def test_every_new_chunk_has_a_sparse_vector(harness: LibraryHarness) -> None:
    words = " ".join(f"word{n} is here and there." for n in range(3000))
    harness.ingest(("big.md", words), ("a.md", "apples are red"), ("b.md", "pears are green"))
    assert harness.library.store(STORE).sparse_embedder == MODEL
    assert harness.runtime.snapshots.snapshot(STORE).sparse_embedder == MODEL
    assert sparse_texts(harness, "apples") == ["apples are red"]
    assert sparse_texts(harness, "pears") == ["pears are green"]
    assert sparse_texts(harness, "word7") == [text for text in sparse_texts(harness, "word7") if "word7 " in text] != []


def test_a_copied_chunk_keeps_its_sparse_vector(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"), attributes={"n": 1})
    harness.library.set_attributes(STORE, harness.file_id("a.md"), {"n": 2})
    harness.clean()
    assert sparse_texts(harness, "apples") == ["apples"]
    harness.ingest(("a.md", "apples"), attributes={"n": 3})
    harness.clean()
    assert sparse_texts(harness, "apples") == ["apples"]


def test_the_job_waits_while_the_sparse_encoder_is_unavailable(harness: LibraryHarness) -> None:
    model = harness.sparse.models[MODEL]
    model.failure = DependencyUnavailable("Embedder does not answer")
    job = harness.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: harness.library.job(job.job_id).waiting_for == "Embedder does not answer")
    model.failure = None
    assert harness.library.wait(job.job_id, 15).file_counts.completed == 1
    assert sparse_texts(harness, "apples") == ["apples"]


def test_a_reindex_keeps_the_sparse_vectors(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"))
    assert harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 15).state == "completed"
    assert (harness.library.store(STORE).embedder, sparse_texts(harness, "apples")) == ("other-model", ["apples"])


class TestSettingChangedAtStart:
    """A vector store keeps its sparse model, whatever the settings say, until it is rebuilt."""

    def test_a_store_without_sparse_vectors_works_and_is_logged(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store) as harness:
            harness.ingest(("a.md", "apples"))
            nameless_store = harness.library.create_store(NewStore()).store_id
        assert "sparse" not in caplog.text
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            (message,) = [record.getMessage() for record in caplog.records if "sparse" in record.getMessage()]
            assert f"'default', '{nameless_store}'" in message
            assert "python -m rag reindex --store NAME --rebuild" in message
            assert MODEL in message
            harness.ingest(("b.md", "pears"))
            assert harness.library.store(STORE).sparse_embedder == ""
            assert sorted(harness.texts("apples pears")) == ["apples", "pears"]
            created = harness.library.create_store(NewStore(name="created later"))
            assert created.sparse_embedder == MODEL
            for name in (STORE, nameless_store):
                assert harness.library.wait(harness.library.reindex(name, None).job_id, 15).state == "completed"
            assert sparse_texts(harness, "apples") == ["apples"]
        caplog.clear()
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL):
            assert "sparse" not in caplog.text

    def test_a_store_keeps_its_sparse_model_until_it_is_rebuilt(self, tmp_path: Path) -> None:
        store, sparse = FakeVectorStore(), FakeSparseEmbedders(MODEL, NEWER)
        with make_harness(tmp_path, store=store, sparse=sparse, sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
        with make_harness(tmp_path, store=store, sparse=sparse) as harness:
            harness.ingest(("b.md", "pears"))
            assert sparse_texts(harness, "pears") == ["pears"]
        with make_harness(tmp_path, store=store, sparse=sparse, sparse_model=NEWER) as harness:
            harness.ingest(("c.md", "plums"))
            assert (harness.library.store(STORE).sparse_embedder, sparse_texts(harness, "plums")) == (MODEL, ["plums"])
            assert harness.library.wait(harness.library.reindex(STORE, None).job_id, 15).state == "completed"
            assert (harness.library.store(STORE).sparse_embedder, sparse_texts(harness, "plums")) == (NEWER, ["plums"])
            assert harness.library.wait(harness.library.roll_back(STORE).job_id, 15).state == "completed"
            assert (harness.library.store(STORE).sparse_embedder, sparse_texts(harness, "plums")) == (MODEL, ["plums"])

    def test_an_empty_default_store_adopts_the_setting(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store):
            pass
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
            assert sparse_texts(harness, "apples") == ["apples"]

    def test_files_fail_if_the_sparse_model_is_unavailable(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(NEWER)) as harness:
            job = harness.ingest(("b.md", "pears"))
            assert job.file_counts.failed == 1
            row = harness.library.document(STORE, harness.file_id("b.md"))
            assert (row.error_code, MODEL in (row.error_message or "")) == ("model_not_found", True)
            assert harness.texts("apples", mode="dense") == ["apples"]


def test_an_unknown_sparse_model_is_refused_before_a_job_is_created(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with make_harness(tmp_path, store=store) as harness:
        harness.ingest(("a.md", "apples"))
    with (
        make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model="no-such-model") as harness,
        pytest.raises(ModelNotFound, match="no-such-model"),
    ):
        harness.library.reindex(STORE, None)


class TestStoreRefusedByMilvus:
    def test_a_store_that_cannot_be_created_does_not_exist(self, tmp_path: Path) -> None:
        with make_harness(tmp_path) as harness:
            harness.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            with pytest.raises(UnsupportedIndex, match="DISKANN"):
                harness.library.create_store(NewStore(name="new"))
            harness.store.create_failure = None
            with pytest.raises(VectorStoreNotFound):
                harness.library.store("new")
            harness.clean()
            assert harness.library.create_store(NewStore(name="new")).name == "new"

    def test_a_failed_reindex_keeps_the_old_index(self, tmp_path: Path) -> None:
        with make_harness(tmp_path, embedders=FakeEmbedders(FakeEmbedder(), {"other-model": 32})) as harness:
            harness.ingest(("a.md", "apples"))
            harness.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            job = harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 15)
            assert (job.state, job.error) == ("failed", "this Milvus has no DISKANN")
            assert harness.texts("apples") == ["apples"]
            assert harness.library.store(STORE).embedder == "fake-embedder"
