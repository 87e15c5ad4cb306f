from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from rag.errors import Conflict, DependencyUnavailable, EmbeddingMismatch, NotFound
from rag.ingest.reindex import ReindexWork
from rag.ingest.version_chunks import VersionChunks
from rag.ingest.writing import ChunkWriter
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore
from tests.support.library_harness import STORE, LibraryHarness, eventually, make_harness

pytestmark = pytest.mark.integration


def rename(harness: LibraryHarness, table: str, name: str) -> None:
    with harness.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


class TestReindex:
    def test_a_reindex_changes_the_embedding_model(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples are red"), ("b.md", "pears are green"))
        job = harness.library.reindex(STORE, "other-model")
        done = harness.library.wait(job.job_id, 10)
        assert (done.state, dict(done.details)["to"]) == ("completed", "other-model")
        assert harness.library.store(STORE).embedder == "other-model"
        assert harness.texts("apples")[0] == "apples are red"
        harness.ingest(("c.md", "plums are blue"))
        assert harness.texts("plums")[0] == "plums are blue"

    def test_a_reindex_can_be_rolled_back(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 10)
        harness.ingest(("a.md", "red apples"), ("b.md", "pears"))
        rollback = harness.library.wait(harness.library.roll_back(STORE).job_id, 10)
        assert rollback.state == "completed"
        assert harness.library.store(STORE).embedder == "fake-embedder"
        assert sorted(harness.texts("apples pears")) == ["pears", "red apples"]
        harness.clean()
        assert harness.rows() == ["pears", "red apples"]

    def test_writes_during_a_reindex_are_in_the_new_index(self, harness: LibraryHarness) -> None:
        harness.ingest(*((f"{n}.md", f"apples {n}") for n in range(5)))
        other_model = harness.embedders.models["other-model"]
        other_model.failure = DependencyUnavailable("not yet")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        harness.ingest(("0.md", "new apples"), ("9.md", "pears"))
        harness.library.delete_document(STORE, harness.file_id("1.md"))
        other_model.failure = None
        assert harness.library.wait(job.job_id, 10).state == "completed"
        expected = ["apples 2", "apples 3", "apples 4", "new apples", "pears"]
        harness.clean()
        assert harness.rows() == expected
        assert sorted(harness.texts("apples pears")) == expected

    def test_cancelling_a_reindex_keeps_the_old_index(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.embedders.models["other-model"].failure = DependencyUnavailable("not yet")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        assert harness.library.cancel_job(job.job_id).state == "cancelled"
        eventually(lambda: not harness.runtime.running.active)
        harness.clean()
        assert harness.library.store(STORE).embedder == "fake-embedder"
        assert harness.texts("apples") == ["apples"]
        assert not harness.store.exists("default-2")

    def test_an_index_can_be_rebuilt(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"), ("b.md", "pears"))
        harness.store.rows["default-1"].clear()  # simulates a lost collection
        assert harness.texts("apples") == []
        job = harness.library.reindex(STORE, None)
        assert harness.library.wait(job.job_id, 10).state == "completed"
        assert harness.texts("apples")[0] == "apples"
        assert harness.rows() == ["apples", "pears"]

    def test_the_switch_waits_for_milvus(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.store.alias_failure = DependencyUnavailable("Milvus does not answer")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: harness.library.job(job.job_id).waiting_for == "Milvus does not answer")
        assert harness.library.job(job.job_id).state == "running"
        assert harness.store.aliases[STORE] == "default-1"
        harness.store.alias_failure = None
        assert harness.library.wait(job.job_id, 15).state == "completed"
        assert harness.store.aliases[STORE] == "default-2"
        assert harness.texts("apples") == ["apples"]

    def test_a_reindex_waits_for_the_catalog(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        rename(harness, "index_versions", "index_versions_moved")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: "the catalog at" in harness.library.job(job.job_id).waiting_for)
        assert harness.library.job(job.job_id).state == "running"
        rename(harness, "index_versions_moved", "index_versions")
        assert harness.library.wait(job.job_id, 15).state == "completed"
        assert harness.library.store(STORE).embedder == "other-model"
        assert harness.texts("apples") == ["apples"]

    def test_a_reindex_cannot_be_cancelled_after_the_switch(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.store.alias_failure = DependencyUnavailable("Milvus does not answer")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        assert harness.library.cancel_job(job.job_id).state == "completed"
        assert harness.library.store(STORE).embedder == "other-model"
        assert harness.texts("apples") == ["apples"]

    def test_a_reindex_stays_running_after_an_outage_and_fails_after_other_errors(
        self, harness: LibraryHarness
    ) -> None:
        harness.ingest(("a.md", "apples"))
        harness.embedders.models["other-model"].failure = DependencyUnavailable("not yet")
        job = harness.library.reindex(STORE, "other-model")
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        running, encoders = harness.runtime.running, harness.runtime.encoders
        reindex_work = ReindexWork(
            harness.database, harness.store, cast(VersionChunks, None), cast(ChunkWriter, None), running, encoders
        )
        with pytest.raises(DependencyUnavailable):
            reindex_work.abort(job.job_id, DependencyUnavailable("away"))
        assert harness.library.job(job.job_id).state == "running"
        reindex_work.abort(job.job_id, NotFound("gone for good"))
        failed = harness.library.job(job.job_id)
        assert (failed.state, failed.error) == ("failed", "gone for good")
        harness.embedders.models["other-model"].failure = None
        eventually(lambda: not harness.runtime.running.active)
        harness.clean()
        assert not harness.store.exists("default-2")
        assert harness.texts("apples") == ["apples"]

    def test_invalid_reindexes_are_refused(self, harness: LibraryHarness) -> None:
        with pytest.raises(Conflict, match="already"):
            harness.library.reindex(STORE, "fake-embedder")
        with pytest.raises(NotFound):
            harness.library.reindex(STORE, "no-such-model")
        with pytest.raises(Conflict):
            harness.library.roll_back(STORE)
        with pytest.raises(Conflict):
            harness.library.forget_previous(STORE)

    def test_the_previous_index_can_be_dropped(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 10)
        assert harness.library.forget_previous(STORE)["embedder"] == "fake-embedder"
        harness.clean()
        assert not harness.store.exists("default-1")
        assert harness.texts("apples") == ["apples"]


class TestModelChangedAtStart:
    def test_a_store_of_another_model_is_refused_with_advice(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store) as harness:
            harness.ingest(("a.md", "apples"))
        other_model = FakeEmbedders(FakeEmbedder(32, "other-model"), {"fake-embedder": 64})
        with make_harness(tmp_path, store=store, embedders=other_model) as harness:
            with pytest.raises(EmbeddingMismatch, match=r"fake-embedder.*other-model.*reindex"):
                harness.search("apples")
            with pytest.raises(EmbeddingMismatch):
                harness.ingest(("b.md", "pears"))
            assert harness.library.wait(harness.library.reindex(STORE, "other-model").job_id, 10).state == "completed"
            assert harness.texts("apples") == ["apples"]

    def test_an_empty_store_is_recreated_for_the_new_model(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with make_harness(tmp_path, store=store):
            pass
        with make_harness(tmp_path, store=store, embedders=FakeEmbedders(FakeEmbedder(32, "other-model"))) as harness:
            harness.ingest(("a.md", "apples"))
            assert harness.texts("apples") == ["apples"]
