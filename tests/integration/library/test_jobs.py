from __future__ import annotations

from pathlib import Path

import pytest

from rag.errors import Conflict, DependencyUnavailable, FileNotFound, NotFound
from tests.fakes import FakeVectorStore
from tests.support.library_harness import House, a_house, eventually

pytestmark = pytest.mark.integration


class TestCancel:
    def test_it_leaves_the_store_as_it_was(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.parser.gate.clear()
        job = house.ingest(("a.md", "pears"), ("b.md", "plums"), wait=False)
        cancelled = house.library.cancel_job(job.job_id)
        house.parser.gate.set()
        assert (cancelled.state, cancelled.file_counts.cancelled) == ("cancelled", 2)
        eventually(lambda: not house.archive.running.active)
        house.clean()
        assert house.rows() == ["apples"]
        assert house.texts("pears") == ["apples"]

    def test_in_the_middle_of_embedding(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("b.md", "plums"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.cancel_job(job.job_id)
        eventually(lambda: not house.archive.running.active)
        house.embedders.default.failure = None
        house.clean()
        assert house.rows() == ["apples"]

    def test_finished_files_stay_and_the_others_can_be_retried(self, house: House) -> None:
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.cancel_job(job.job_id)
        house.embedders.default.failure = None
        again = house.library.retry_job(job.job_id, [house.file_id("a.md")])
        assert house.library.wait(again.job_id, 10).file_counts.completed == 1
        assert house.texts("apples") == ["apples"]

    def test_an_upload_that_another_job_wants_too_is_still_made(self, house: House) -> None:
        house.parser.gate.clear()
        first = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: house.archive.running.active)
        second = house.ingest(("a.md", "apples"), wait=False)
        house.library.cancel_job(first.job_id)
        house.parser.gate.set()
        assert house.library.wait(second.job_id, 10).file_counts.completed == 1
        assert house.texts("apples") == ["apples"]

    def test_one_that_has_ended_stays_as_it_is(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        assert house.library.cancel_job(job.job_id).state == "completed"

    def test_nothing_to_retry(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        with pytest.raises(Conflict):
            house.library.retry_job(job.job_id)
        with pytest.raises(FileNotFound):
            house.library.retry_job(job.job_id, ["file-x"])
        with pytest.raises(NotFound):
            house.library.retry_job("nope")


def test_a_stalled_job_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.embedders.default.failure = DependencyUnavailable("Embedder does not answer")
    job = house.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: house.library.job(job.job_id).waiting_for != "")
    assert not house.library.job(job.job_id).stalled
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET heartbeat_at = 1")
    assert house.library.job(job.job_id).stalled
    house.archive.janitor.run_maintenance()
    assert f"{job.job_id} has made no progress" in caplog.text
    assert "Embedder does not answer" in caplog.text
    house.embedders.default.failure = None
    assert not house.library.wait(job.job_id, 15).stalled


def test_a_stopped_job_goes_on_at_the_next_start(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with a_house(tmp_path, store=store) as house:
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "apples"), ("b.md", "pears"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
    with a_house(tmp_path, store=store) as house:
        assert house.library.wait(job.job_id, 10).file_counts.completed == 2
        assert house.rows() == ["apples", "pears"]
