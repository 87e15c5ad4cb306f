from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from rag.errors import Conflict, DependencyUnavailable, EmbeddingMismatch, NotFound
from rag.ingest.reindex import ReindexWork
from rag.ingest.version_chunks import VersionChunks
from rag.ingest.writing import ChunkWriter
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore
from tests.support.library_harness import STORE, House, a_house, eventually

pytestmark = pytest.mark.integration


def rename(house: House, table: str, name: str) -> None:
    with house.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


class TestReindex:
    def test_another_model_without_a_gap(self, house: House) -> None:
        house.ingest(("a.md", "apples are red"), ("b.md", "pears are green"))
        job = house.library.reindex(STORE, "other-model")
        done = house.library.wait(job.job_id, 10)
        assert (done.state, dict(done.details)["to"]) == ("completed", "other-model")
        assert house.library.store(STORE).embedder == "other-model"
        assert house.texts("apples")[0] == "apples are red"
        house.ingest(("c.md", "plums are blue"))
        assert house.texts("plums")[0] == "plums are blue"

    def test_and_back(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10)
        house.ingest(("a.md", "red apples"), ("b.md", "pears"))
        back = house.library.wait(house.library.roll_back(STORE).job_id, 10)
        assert back.state == "completed"
        assert house.library.store(STORE).embedder == "fake-embedder"
        assert sorted(house.texts("apples pears")) == ["pears", "red apples"]
        house.clean()
        assert house.rows() == ["pears", "red apples"]

    def test_writes_during_the_move_are_in_the_new_index(self, house: House) -> None:
        house.ingest(*((f"{n}.md", f"apples {n}") for n in range(5)))
        other = house.embedders.models["other-model"]
        other.failure = DependencyUnavailable("not yet")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.ingest(("0.md", "new apples"), ("9.md", "pears"))
        house.library.delete_document(STORE, house.file_id("1.md"))
        other.failure = None
        assert house.library.wait(job.job_id, 10).state == "completed"
        expected = ["apples 2", "apples 3", "apples 4", "new apples", "pears"]
        house.clean()
        assert house.rows() == expected
        assert sorted(house.texts("apples pears")) == expected

    def test_cancelling_it_leaves_the_old_index(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.embedders.models["other-model"].failure = DependencyUnavailable("not yet")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        assert house.library.cancel_job(job.job_id).state == "cancelled"
        eventually(lambda: not house.archive.running.active)
        house.clean()
        assert house.library.store(STORE).embedder == "fake-embedder"
        assert house.texts("apples") == ["apples"]
        assert not house.store.exists("default-2")

    def test_an_index_can_be_built_anew(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"))
        house.store.rows["default-1"].clear()  # as after a loss
        assert house.texts("apples") == []
        job = house.library.reindex(STORE, None)
        assert house.library.wait(job.job_id, 10).state == "completed"
        assert house.texts("apples")[0] == "apples"
        assert house.rows() == ["apples", "pears"]

    def test_it_waits_for_milvus_at_the_switch(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.store.alias_failure = DependencyUnavailable("Milvus does not answer")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for == "Milvus does not answer")
        assert house.library.job(job.job_id).state == "running"
        assert house.store.aliases[STORE] == "default-1"
        house.store.alias_failure = None
        assert house.library.wait(job.job_id, 15).state == "completed"
        assert house.store.aliases[STORE] == "default-2"
        assert house.texts("apples") == ["apples"]

    def test_it_waits_for_the_catalog(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        rename(house, "index_versions", "out_of_reach")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: "the catalog at" in house.library.job(job.job_id).waiting_for)
        assert house.library.job(job.job_id).state == "running"
        rename(house, "out_of_reach", "index_versions")
        assert house.library.wait(job.job_id, 15).state == "completed"
        assert house.library.store(STORE).embedder == "other-model"
        assert house.texts("apples") == ["apples"]

    def test_after_the_switch_there_is_nothing_left_to_cancel(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.store.alias_failure = DependencyUnavailable("Milvus does not answer")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        assert house.library.cancel_job(job.job_id).state == "completed"
        assert house.library.store(STORE).embedder == "other-model"
        assert house.texts("apples") == ["apples"]

    def test_one_that_met_an_outage_where_nothing_waits_is_taken_up_again(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.embedders.models["other-model"].failure = DependencyUnavailable("not yet")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        running, encoders = house.archive.running, house.archive.encoders
        work = ReindexWork(
            house.database, house.store, cast(VersionChunks, None), cast(ChunkWriter, None), running, encoders
        )
        with pytest.raises(DependencyUnavailable):
            work.abort(job.job_id, DependencyUnavailable("away"))
        assert house.library.job(job.job_id).state == "running"
        work.abort(job.job_id, NotFound("gone for good"))
        failed = house.library.job(job.job_id)
        assert (failed.state, failed.error) == ("failed", "gone for good")
        house.embedders.models["other-model"].failure = None
        eventually(lambda: not house.archive.running.active)
        house.clean()
        assert not house.store.exists("default-2")
        assert house.texts("apples") == ["apples"]

    def test_what_makes_no_sense_is_refused(self, house: House) -> None:
        with pytest.raises(Conflict, match="already"):
            house.library.reindex(STORE, "fake-embedder")
        with pytest.raises(NotFound):
            house.library.reindex(STORE, "no-such-model")
        with pytest.raises(Conflict):
            house.library.roll_back(STORE)
        with pytest.raises(Conflict):
            house.library.forget_previous(STORE)

    def test_the_index_before_can_be_forgotten(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10)
        assert house.library.forget_previous(STORE)["embedder"] == "fake-embedder"
        house.clean()
        assert not house.store.exists("default-1")
        assert house.texts("apples") == ["apples"]


class TestAnotherModelAtTheStart:
    def test_a_full_store_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store) as house:
            house.ingest(("a.md", "apples"))
        other = FakeEmbedders(FakeEmbedder(32, "other-model"), {"fake-embedder": 64})
        with a_house(tmp_path, store=store, embedders=other) as house:
            with pytest.raises(EmbeddingMismatch, match=r"fake-embedder.*other-model.*reindex"):
                house.search("apples")
            with pytest.raises(EmbeddingMismatch):
                house.ingest(("b.md", "pears"))
            assert house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10).state == "completed"
            assert house.texts("apples") == ["apples"]

    def test_an_empty_one_is_made_anew(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store):
            pass
        with a_house(tmp_path, store=store, embedders=FakeEmbedders(FakeEmbedder(32, "other-model"))) as house:
            house.ingest(("a.md", "apples"))
            assert house.texts("apples") == ["apples"]
