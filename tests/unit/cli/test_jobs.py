"""`jobs`, `reindex`, and the progress that both show."""

from __future__ import annotations

import json

import pytest

from rag.cli.jobs.progress import total_progress
from rag.types import JsonObject
from tests.fakes.services.service import FakeService, json_lines


def job(status: str = "running", done: int = 0, total: int = 10, **progress: object) -> JsonObject:
    counts = {"total": total, "in_progress": total - done, "completed": done, "failed": 0, "cancelled": 0}
    return {"id": "j", "status": status, "file_counts": counts, "progress": progress}


@pytest.fixture
def service() -> FakeService:
    service = FakeService(failing={"b.md": "b.md is damaged"})
    service._job("ingest", ["a.md", "b.md"])
    service._job("ingest", ["c.md"])
    return service


# --- what is shown -----------------------------------------------------------------------------


def test_progress_text_of_a_job() -> None:
    state = total_progress([job(done=3, chunks=1200, chunks_per_s=50.4, seconds_left=65.2, step="reading a.pdf")])
    assert (state.done, state.total) == (3, 10)
    assert str(state) == "1,200 chunks, 50 chunks/s, 1:05 left, reading a.pdf"


def test_a_problem_replaces_the_step_in_the_progress_text() -> None:
    state = total_progress([job(step="encoding", waiting_for="the encoder", stalled=True)])
    assert str(state) == "0 chunks, waiting for the encoder; stalled: no progress for a while"


def test_progress_of_several_jobs_is_summed() -> None:
    jobs = [job("completed", 10, chunks=100), job("running", 5, chunks=50, chunks_per_s=8), job("queued")]
    state = total_progress(jobs, done=2, total=40, elapsed_s=17)
    assert (state.done, state.total, state.chunks, state.chunks_per_s) == (17, 40, 150, 8)
    assert state.seconds_left == 23


def test_progress_of_a_job_without_details() -> None:
    assert str(total_progress([{"id": "j", "status": "queued"}, {}])) == "0 chunks"


# --- jobs --------------------------------------------------------------------------------------


def test_list(service: FakeService) -> None:
    result = service.run("jobs", "list", "--active", "--store", "manuals")
    assert "job_1" in result.stdout
    assert service.requests[0].query["active"] == "true"
    assert service.requests[0].query["vector_store_id"] == "manuals"
    assert [row["id"] for row in json_lines(service.run("jobs", "list", "--json"))] == ["job_0", "job_1"]


def test_show_lists_the_files_that_failed(service: FakeService) -> None:
    result = service.run("jobs", "show", "job_0")
    assert result.exit_code == 0
    assert "failed: b.md (file-b.md): b.md is damaged" in result.stdout
    document = json.loads(service.run("jobs", "show", "job_0", "--json").stdout)
    assert [row["id"] for row in document["failed_files"]] == ["file-b.md"]


def test_show_lists_what_was_not_read() -> None:
    service = FakeService(warnings={"a.pdf": ["2 pictures were not read", "page 3 has no text"]})
    service._job("ingest", ["a.pdf", "b.md"])
    result = service.run("jobs", "show", "job_0")
    assert "a.pdf (file-a.pdf): 2 pictures were not read; page 3 has no text\n" in result.stdout
    assert "b.md" not in result.stdout
    document = json.loads(service.run("jobs", "show", "job_0", "--json").stdout)
    assert [row["id"] for row in document["incomplete_files"]] == ["file-a.pdf"]


def test_an_unknown_job(service: FakeService) -> None:
    result = service.run("jobs", "show", "nope")
    assert (result.exit_code, result.stderr) == (1, "no such job: nope\n")


def test_follow_prints_the_final_state_and_failed_files(service: FakeService) -> None:
    result = service.run("jobs", "follow", "job_0")
    assert result.exit_code == 1
    assert result.stdout == "failed: b.md (file-b.md): b.md is damaged\njob_0 completed: 2 of 2 files, 1,000 chunks\n"
    assert service.run("jobs", "follow", "job_1").exit_code == 0


def test_follow_as_json_prints_a_line_for_each_change(service: FakeService) -> None:
    service.jobs["job_1"]["polls_left"] = 3
    states = [row["status"] for row in json_lines(service.run("jobs", "follow", "job_1", "--json"))]
    assert states[0] == "running"
    assert states[-1] == "completed"


def test_follow_prints_each_problem_once_without_a_terminal(service: FakeService) -> None:
    service.jobs["job_1"].update(polls_left=5, progress={"waiting_for": "the encoder"})
    assert service.run("jobs", "follow", "job_1").stderr == "waiting for the encoder\nresumed\n"


def test_ctrl_c_does_not_stop_the_job(service: FakeService) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    service.jobs["job_1"]["polls_left"] = 5
    service.on_pause = interrupt
    result = service.run("jobs", "follow", "job_1")
    assert result.exit_code == 130
    assert "Job job_1 continues in the service" in result.stderr


def test_cancel(service: FakeService) -> None:
    assert service.run("jobs", "cancel", "job_0").stdout == "job_0 cancelled\n"


def test_retry_all_or_some(service: FakeService) -> None:
    assert service.run("jobs", "retry", "job_0").stdout == "job_again\n"
    service.run("jobs", "retry", "job_0", "--file", "x", "--file", "y")
    assert [request.body for request in service.requests] == [{}, {"file_ids": ["x", "y"]}]


# --- reindex -----------------------------------------------------------------------------------


def test_reindex_waits_and_prints_the_setting_to_change() -> None:
    service = FakeService(polls=3)
    result = service.run("reindex", "--embedder", "BAAI/bge-m3", "--store", "manuals")
    assert result.exit_code == 0
    assert "job_0 completed: 2 of 2 files" in result.stdout
    assert "Set RAG_EMBEDDER__MODEL=BAAI/bge-m3 for the next start" in result.stdout
    assert str(service.requests[0]) == "POST /v1/vector_stores/manuals/reindex"


def test_rollback_prints_the_previous_model() -> None:
    result = FakeService().run("reindex", "--rollback")
    assert "Set RAG_EMBEDDER__MODEL=old/model" in result.stdout


def test_forget_deletes_the_previous_index() -> None:
    assert "old/model" in FakeService().run("reindex", "--forget").stdout
    assert json.loads(FakeService().run("reindex", "--forget", "--json").stdout) == {"embedder": "old/model"}


def test_reindex_without_waiting_and_as_json() -> None:
    assert FakeService().run("reindex", "--embedder", "m", "--no-wait").stdout == "job_0\n"
    (document,) = json_lines(FakeService().run("reindex", "--embedder", "m", "--json"))
    assert document["status"] == "completed"


@pytest.mark.parametrize("wrong", [(), ("--rollback", "--forget"), ("--embedder", "m", "--rollback")])
def test_exactly_one_action_is_required(wrong: tuple[str, ...]) -> None:
    assert FakeService().run("reindex", *wrong).exit_code == 2
