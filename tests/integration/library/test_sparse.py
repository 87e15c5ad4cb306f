"""Learned sparse vectors beside the dense ones: which vector stores have them, and from which model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import DependencyUnavailable, ModelNotFound, UnsupportedIndex, VectorStoreNotFound
from rag.records import NewStore
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSparseEmbedders, FakeVectorStore
from tests.support.library_harness import STORE, LibraryHarness, eventually, make_harness
from tests.support.postgres import new_database

pytestmark = pytest.mark.integration

MODEL, NEWER = "fake-sparse", "newer-sparse"


@pytest.fixture(params=["sqlite", "postgresql"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LibraryHarness]:
    """One that makes sparse vectors."""
    url = new_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with make_harness(tmp_path, url=url, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
        yield harness


def found(harness: LibraryHarness, text: str, store: str = STORE) -> list[str]:
    """What the sparse path finds."""
    return harness.texts(text, store=store, mode="sparse")


def test_every_new_chunk_has_its_sparse_vector(harness: LibraryHarness) -> None:
    words = " ".join(f"word{n} is here and there." for n in range(3000))
    harness.ingest(("big.md", words), ("a.md", "apples are red"), ("b.md", "pears are green"))
    assert harness.library.store(STORE).sparse_embedder == MODEL
    assert harness.runtime.snapshots.snapshot(STORE).sparse_embedder == MODEL
    assert found(harness, "apples") == ["apples are red"]
    assert found(harness, "pears") == ["pears are green"]
    assert found(harness, "word7") == [text for text in found(harness, "word7") if "word7 " in text] != []


def test_a_copy_has_it_too(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"), attributes={"n": 1})
    harness.library.set_attributes(STORE, harness.file_id("a.md"), {"n": 2})
    harness.clean()
    assert found(harness, "apples") == ["apples"]
    harness.ingest(("a.md", "apples"), attributes={"n": 3})
    harness.clean()
    assert found(harness, "apples") == ["apples"]


def test_the_job_waits_while_the_sparse_encoder_is_away(harness: LibraryHarness) -> None:
    model = harness.sparse.models[MODEL]
    model.failure = DependencyUnavailable("Embedder does not answer")
    job = harness.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: harness.library.job(job.job_id).waiting_for == "Embedder does not answer")
    model.failure = None
    assert harness.library.wait(job.job_id, 15).file_counts.completed == 1
    assert found(harness, "apples") == ["apples"]


def test_another_embedding_model_brings_them_along(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"))
    assert harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 15).state == "completed"
    assert (harness.library.store(STORE).embedder, found(harness, "apples")) == ("other-model", ["apples"])


class TestAtTheNextStart:
    """A vector store keeps its sparse model whatever the settings say, until it is built anew."""

    def test_a_store_without_them_goes_on_and_is_told_of(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store) as harness:
            harness.ingest(("a.md", "apples"))
            nameless = harness.library.create_store(NewStore()).store_id
        assert "sparse" not in caplog.text
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            (told,) = [record.getMessage() for record in caplog.records if "sparse" in record.getMessage()]
            assert f"'default', '{nameless}'" in told
            assert "python -m rag reindex --store NAME --rebuild" in told
            assert MODEL in told
            harness.ingest(("b.md", "pears"))
            assert harness.library.store(STORE).sparse_embedder == ""
            assert sorted(harness.texts("apples pears")) == ["apples", "pears"]
            made = harness.library.create_store(NewStore(name="made later"))
            assert made.sparse_embedder == MODEL
            for name in (STORE, nameless):
                assert harness.library.wait(harness.library.reindex(name, None).job_id, 15).state == "completed"
            assert found(harness, "apples") == ["apples"]
        caplog.clear()
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL):
            assert "sparse" not in caplog.text

    def test_a_store_with_them_keeps_them_without_the_setting(self, tmp_path: Path) -> None:
        store, sparse = FakeVectorStore(), FakeSparseEmbedders(MODEL, NEWER)
        with make_harness(tmp_path, store=store, sparse=sparse, sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
        with make_harness(tmp_path, store=store, sparse=sparse) as harness:
            harness.ingest(("b.md", "pears"))
            assert found(harness, "pears") == ["pears"]
        with make_harness(tmp_path, store=store, sparse=sparse, sparse_model=NEWER) as harness:
            harness.ingest(("c.md", "plums"))
            assert (harness.library.store(STORE).sparse_embedder, found(harness, "plums")) == (MODEL, ["plums"])
            assert harness.library.wait(harness.library.reindex(STORE, None).job_id, 15).state == "completed"
            assert (harness.library.store(STORE).sparse_embedder, found(harness, "plums")) == (NEWER, ["plums"])
            assert harness.library.wait(harness.library.roll_back(STORE).job_id, 15).state == "completed"
            assert (harness.library.store(STORE).sparse_embedder, found(harness, "plums")) == (MODEL, ["plums"])

    def test_an_empty_default_store_takes_the_setting(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store):
            pass
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
            assert found(harness, "apples") == ["apples"]

    def test_one_whose_model_is_not_at_hand_says_so_of_each_file(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as harness:
            harness.ingest(("a.md", "apples"))
        with make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(NEWER)) as harness:
            job = harness.ingest(("b.md", "pears"))
            assert job.file_counts.failed == 1
            row = harness.library.document(STORE, harness.file_id("b.md"))
            assert (row.error_code, MODEL in (row.error_message or "")) == ("model_not_found", True)
            assert harness.texts("apples", mode="dense") == ["apples"]


def test_a_model_that_is_not_there_is_refused_before_a_job_is_made(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with make_harness(tmp_path, store=store) as harness:
        harness.ingest(("a.md", "apples"))
    with (
        make_harness(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model="no-such-model") as harness,
        pytest.raises(ModelNotFound, match="no-such-model"),
    ):
        harness.library.reindex(STORE, None)


class TestAStoreThatMilvusRefuses:
    def test_is_not_there_afterwards(self, tmp_path: Path) -> None:
        with make_harness(tmp_path) as harness:
            harness.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            with pytest.raises(UnsupportedIndex, match="DISKANN"):
                harness.library.create_store(NewStore(name="new"))
            harness.store.create_failure = None
            with pytest.raises(VectorStoreNotFound):
                harness.library.store("new")
            harness.clean()
            assert harness.library.create_store(NewStore(name="new")).name == "new"

    def test_leaves_a_move_undone(self, tmp_path: Path) -> None:
        with make_harness(tmp_path, embedders=FakeEmbedders(FakeEmbedder(), {"other-model": 32})) as harness:
            harness.ingest(("a.md", "apples"))
            harness.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            job = harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 15)
            assert (job.state, job.error) == ("failed", "this Milvus has no DISKANN")
            assert harness.texts("apples") == ["apples"]
            assert harness.library.store(STORE).embedder == "fake-embedder"
