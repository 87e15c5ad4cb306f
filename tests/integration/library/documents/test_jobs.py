from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from rag.catalog.tables.schema import stores
from rag.errors import Conflict, DependencyUnavailable, FileNotFound, NotFound
from rag.records import NewStore
from tests.fakes import FakeVectorStore
from tests.support.library_harness import LibraryHarness, eventually, make_harness

pytestmark = pytest.mark.integration


class TestCancel:
    def test_a_cancelled_job_leaves_the_store_unchanged(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.parser.gate.clear()
        job = harness.ingest(("a.md", "pears"), ("b.md", "plums"), wait=False)
        cancelled = harness.library.cancel_job(job.job_id)
        harness.parser.gate.set()
        assert (cancelled.state, cancelled.file_counts.cancelled) == ("cancelled", 2)
        eventually(lambda: not harness.runtime.running.active)
        harness.clean()
        assert harness.rows() == ["apples"]
        assert harness.texts("pears") == ["apples"]

    def test_a_job_is_cancelled_in_the_middle_of_embedding(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples"))
        harness.embedders.default.failure = DependencyUnavailable("away")
        job = harness.ingest(("b.md", "plums"), wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        harness.library.cancel_job(job.job_id)
        eventually(lambda: not harness.runtime.running.active)
        harness.embedders.default.failure = None
        harness.clean()
        assert harness.rows() == ["apples"]

    def test_cancelled_files_can_be_retried(self, harness: LibraryHarness) -> None:
        harness.embedders.default.failure = DependencyUnavailable("away")
        job = harness.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        harness.library.cancel_job(job.job_id)
        harness.embedders.default.failure = None
        retried = harness.library.retry_job(job.job_id, [harness.file_id("a.md")])
        assert harness.library.wait(retried.job_id, 10).file_counts.completed == 1
        assert harness.texts("apples") == ["apples"]

    def test_a_file_shared_with_another_job_is_still_indexed(self, harness: LibraryHarness) -> None:
        harness.parser.gate.clear()
        first = harness.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: harness.runtime.running.active)
        second = harness.ingest(("a.md", "apples"), wait=False)
        harness.library.cancel_job(first.job_id)
        harness.parser.gate.set()
        assert harness.library.wait(second.job_id, 10).file_counts.completed == 1
        assert harness.texts("apples") == ["apples"]

    def test_cancelling_an_ended_job_changes_nothing(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples"))
        assert harness.library.cancel_job(job.job_id).state == "completed"

    def test_a_retry_without_failed_files_is_refused(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples"))
        with pytest.raises(Conflict):
            harness.library.retry_job(job.job_id)
        with pytest.raises(FileNotFound):
            harness.library.retry_job(job.job_id, ["file-x"])
        with pytest.raises(NotFound):
            harness.library.retry_job("nope")


def test_a_stalled_job_is_logged(harness: LibraryHarness, caplog: pytest.LogCaptureFixture) -> None:
    harness.embedders.default.failure = DependencyUnavailable("Embedder does not answer")
    job = harness.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
    assert not harness.library.job(job.job_id).stalled
    with harness.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET heartbeat_at = 1")
    assert harness.library.job(job.job_id).stalled
    harness.runtime.janitor.run_maintenance()
    assert f"{job.job_id} has made no progress" in caplog.text
    assert "Embedder does not answer" in caplog.text
    harness.embedders.default.failure = None
    assert not harness.library.wait(job.job_id, 15).stalled


def test_a_stopped_job_resumes_at_the_next_start(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with make_harness(tmp_path, store=store) as harness:
        harness.embedders.default.failure = DependencyUnavailable("away")
        job = harness.ingest(("a.md", "apples"), ("b.md", "pears"), wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
    with make_harness(tmp_path, store=store) as harness:
        assert harness.library.wait(job.job_id, 10).file_counts.completed == 2
        assert harness.rows() == ["apples", "pears"]


def test_what_is_read_in_one_transaction_belongs_together(harness: LibraryHarness) -> None:
    count = sa.select(sa.func.count()).select_from(stores)
    with harness.database.read() as connection:
        before = connection.execute(count).scalar_one()
        harness.library.create_store(NewStore(name="made meanwhile"))
        assert connection.execute(count).scalar_one() == before
    with harness.database.read() as connection:
        assert connection.execute(count).scalar_one() == before + 1
