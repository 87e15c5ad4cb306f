"""Learned sparse vectors beside the dense ones: which vector stores have them, and from which model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import DependencyUnavailable, ModelNotFound, UnsupportedIndex, VectorStoreNotFound
from rag.records import NewStore
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSparseEmbedders, FakeVectorStore
from tests.support.library_harness import STORE, House, a_house, eventually
from tests.support.postgres import new_database

pytestmark = pytest.mark.integration

MODEL, NEWER = "fake-sparse", "newer-sparse"


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """One that makes sparse vectors."""
    url = new_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with a_house(tmp_path, url=url, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as house:
        yield house


def found(house: House, text: str, store: str = STORE) -> list[str]:
    """What the sparse path finds."""
    return house.texts(text, store=store, mode="sparse")


def test_every_new_chunk_has_its_sparse_vector(house: House) -> None:
    words = " ".join(f"word{n} is here and there." for n in range(3000))
    house.ingest(("big.md", words), ("a.md", "apples are red"), ("b.md", "pears are green"))
    assert house.library.store(STORE).sparse_embedder == MODEL
    assert house.archive.views.snapshot(STORE).sparse_embedder == MODEL
    assert found(house, "apples") == ["apples are red"]
    assert found(house, "pears") == ["pears are green"]
    assert found(house, "word7") == [text for text in found(house, "word7") if "word7 " in text] != []


def test_a_copy_has_it_too(house: House) -> None:
    house.ingest(("a.md", "apples"), attributes={"n": 1})
    house.library.set_attributes(STORE, house.file_id("a.md"), {"n": 2})
    house.clean()
    assert found(house, "apples") == ["apples"]
    house.ingest(("a.md", "apples"), attributes={"n": 3})
    house.clean()
    assert found(house, "apples") == ["apples"]


def test_the_job_waits_while_the_sparse_encoder_is_away(house: House) -> None:
    model = house.sparse.models[MODEL]
    model.failure = DependencyUnavailable("Embedder does not answer")
    job = house.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: house.library.job(job.job_id).waiting_for == "Embedder does not answer")
    model.failure = None
    assert house.library.wait(job.job_id, 15).file_counts.completed == 1
    assert found(house, "apples") == ["apples"]


def test_another_embedding_model_brings_them_along(house: House) -> None:
    house.ingest(("a.md", "apples"))
    assert house.library.wait(house.library.reindex(STORE, "other-model").job_id, 15).state == "completed"
    assert (house.library.store(STORE).embedder, found(house, "apples")) == ("other-model", ["apples"])


class TestAtTheNextStart:
    """A vector store keeps its sparse model whatever the settings say, until it is built anew."""

    def test_a_store_without_them_goes_on_and_is_told_of(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store) as house:
            house.ingest(("a.md", "apples"))
            nameless = house.library.create_store(NewStore()).store_id
        assert "sparse" not in caplog.text
        with a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as house:
            (told,) = [record.getMessage() for record in caplog.records if "sparse" in record.getMessage()]
            assert f"'default', '{nameless}'" in told
            assert "python -m rag reindex --store NAME --rebuild" in told
            assert MODEL in told
            house.ingest(("b.md", "pears"))
            assert house.library.store(STORE).sparse_embedder == ""
            assert sorted(house.texts("apples pears")) == ["apples", "pears"]
            made = house.library.create_store(NewStore(name="made later"))
            assert made.sparse_embedder == MODEL
            for name in (STORE, nameless):
                assert house.library.wait(house.library.reindex(name, None).job_id, 15).state == "completed"
            assert found(house, "apples") == ["apples"]
        caplog.clear()
        with a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL):
            assert "sparse" not in caplog.text

    def test_a_store_with_them_keeps_them_without_the_setting(self, tmp_path: Path) -> None:
        store, sparse = FakeVectorStore(), FakeSparseEmbedders(MODEL, NEWER)
        with a_house(tmp_path, store=store, sparse=sparse, sparse_model=MODEL) as house:
            house.ingest(("a.md", "apples"))
        with a_house(tmp_path, store=store, sparse=sparse) as house:
            house.ingest(("b.md", "pears"))
            assert found(house, "pears") == ["pears"]
        with a_house(tmp_path, store=store, sparse=sparse, sparse_model=NEWER) as house:
            house.ingest(("c.md", "plums"))
            assert (house.library.store(STORE).sparse_embedder, found(house, "plums")) == (MODEL, ["plums"])
            assert house.library.wait(house.library.reindex(STORE, None).job_id, 15).state == "completed"
            assert (house.library.store(STORE).sparse_embedder, found(house, "plums")) == (NEWER, ["plums"])
            assert house.library.wait(house.library.roll_back(STORE).job_id, 15).state == "completed"
            assert (house.library.store(STORE).sparse_embedder, found(house, "plums")) == (MODEL, ["plums"])

    def test_an_empty_default_store_takes_the_setting(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store):
            pass
        with a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as house:
            house.ingest(("a.md", "apples"))
            assert found(house, "apples") == ["apples"]

    def test_one_whose_model_is_not_at_hand_says_so_of_each_file(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model=MODEL) as house:
            house.ingest(("a.md", "apples"))
        with a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(NEWER)) as house:
            job = house.ingest(("b.md", "pears"))
            assert job.file_counts.failed == 1
            row = house.library.document(STORE, house.file_id("b.md"))
            assert (row.error_code, MODEL in (row.error_message or "")) == ("model_not_found", True)
            assert house.texts("apples", mode="dense") == ["apples"]


def test_a_model_that_is_not_there_is_refused_before_a_job_is_made(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with a_house(tmp_path, store=store) as house:
        house.ingest(("a.md", "apples"))
    with (
        a_house(tmp_path, store=store, sparse=FakeSparseEmbedders(), sparse_model="no-such-model") as house,
        pytest.raises(ModelNotFound, match="no-such-model"),
    ):
        house.library.reindex(STORE, None)


class TestAStoreThatMilvusRefuses:
    def test_is_not_there_afterwards(self, tmp_path: Path) -> None:
        with a_house(tmp_path) as house:
            house.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            with pytest.raises(UnsupportedIndex, match="DISKANN"):
                house.library.create_store(NewStore(name="new"))
            house.store.create_failure = None
            with pytest.raises(VectorStoreNotFound):
                house.library.store("new")
            house.clean()
            assert house.library.create_store(NewStore(name="new")).name == "new"

    def test_leaves_a_move_undone(self, tmp_path: Path) -> None:
        with a_house(tmp_path, embedders=FakeEmbedders(FakeEmbedder(), {"other-model": 32})) as house:
            house.ingest(("a.md", "apples"))
            house.store.create_failure = UnsupportedIndex("this Milvus has no DISKANN")
            job = house.library.wait(house.library.reindex(STORE, "other-model").job_id, 15)
            assert (job.state, job.error) == ("failed", "this Milvus has no DISKANN")
            assert house.texts("apples") == ["apples"]
            assert house.library.store(STORE).embedder == "fake-embedder"
