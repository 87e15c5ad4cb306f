"""`ingest` without --watch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag.upload import UploadTarget, select_files, upload_files
from tests.fakes.services.service import CHUNKS, FakeService


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs" / "en"
    for name in ("reference/index.md", "faq.txt", "page.html", "logo.png", ".hidden/x.md", "skip/old.md"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return folder


def many(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.md").write_text("text")
    return folder


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each file a group."""
    monkeypatch.setattr("rag.upload.sending.MAX_GROUP_FILES", 1)


def test_files_of_a_folder_are_uploaded_and_counted(docs: Path) -> None:
    service = FakeService()
    options = ("--store", "s", "--attributes", '{"a": 1}', "--read-group", "hr", "--read-group", "it")
    result = service.run("ingest", str(docs), "--exclude", "skip/*", *options)
    assert result.exit_code == 0, result.output
    (request,) = service.requests_to("POST /ingest")
    assert request.body["files"] == ["faq.txt", "page.html", "reference/index.md"]
    assert (request.body["vector_store"], request.body["attributes"], request.body["wait_s"]) == ("s", '{"a": 1}', "0")
    assert json.loads(request.body["read_groups"]) == ["hr", "it"]
    assert "1 file skipped" in result.stdout
    assert "3 files: 3 added, 0 replaced, 0 unchanged, 3,000 chunks in 0 s" in result.stdout


def test_the_job_is_polled_until_it_ends(docs: Path) -> None:
    service = FakeService(polls=4)
    assert service.run("ingest", str(docs)).exit_code == 0
    assert len(service.requests_to("GET /v1/jobs/job_0")) == 4
    assert service.pauses == sorted(service.pauses)


@pytest.mark.usefixtures("single")
def test_many_jobs_are_polled_with_one_list(tmp_path: Path) -> None:
    service = FakeService(polls=3, page=100)
    result = service.run("ingest", str(many(tmp_path / "many", 6)))
    assert "6 files: 6 added" in result.stdout
    assert len(service.uploads) == 6
    assert service.requests_to("GET /v1/jobs")
    assert len(service.requests_to("GET /v1/jobs/job_5")) <= 2


def test_unchanged_files_count_as_unchanged(docs: Path) -> None:
    result = FakeService(unchanged={"faq.txt", "page.html"}).run("ingest", str(docs))
    assert "4 files: 2 added, 0 replaced, 2 unchanged" in result.stdout


def test_what_was_not_read_is_reported(docs: Path) -> None:
    service = FakeService(warnings={"faq.txt": ["1 picture was not read", "1 attachment was not read"]})
    result = service.run("ingest", str(docs))
    assert result.exit_code == 0
    assert result.stderr.strip() == "faq.txt: 1 picture was not read; 1 attachment was not read"


@pytest.mark.parametrize("param", ["faq.txt", "files"])
def test_a_rejected_file_does_not_affect_the_others(docs: Path, param: str) -> None:
    service = FakeService(refused={"faq.txt": param})
    result = service.run("ingest", str(docs))
    assert result.exit_code == 1
    assert "failed: faq.txt: faq.txt is not text" in result.stderr
    assert "4 files: 3 added, 0 replaced, 0 unchanged, 1 failed" in result.stdout
    assert len(service.uploads) == (2 if param == "faq.txt" else 5)


def test_files_that_fail_in_their_job_are_printed_with_the_reason(docs: Path) -> None:
    result = FakeService(failing={"faq.txt": "faq.txt wants a password"}).run("ingest", str(docs))
    assert result.exit_code == 1
    assert "failed: faq.txt: faq.txt wants a password" in result.stderr
    assert "4 files: 3 added, 0 replaced, 0 unchanged, 1 failed, 3,000 chunks" in result.stdout


def test_a_cancelled_job_exits_with_1(docs: Path) -> None:
    service = FakeService(polls=3)

    def cancel() -> None:
        for row in service.job_rows["job_0"]:
            row.update(status="cancelled")

    service.on_pause = cancel
    result = service.run("ingest", str(docs))
    assert result.exit_code == 1
    assert "4 cancelled" in result.stdout


def test_a_file_given_by_name_is_uploaded_whatever_its_suffix(docs: Path) -> None:
    service = FakeService()
    assert service.run("ingest", str(docs / "logo.png")).exit_code == 0
    assert service.uploads == [["logo.png"]]


@pytest.mark.usefixtures("single")
def test_an_unknown_store_ends_the_run_with_one_message(tmp_path: Path) -> None:
    service = FakeService()
    result = service.run("ingest", str(many(tmp_path / "many", 9)), "--store", "nope")
    assert (result.exit_code, result.stderr) == (1, "no such vector store: nope\n")
    assert len(service.uploads) < 9


def test_retried_uploads_have_the_same_idempotency_key(docs: Path) -> None:
    service = FakeService(busy=2, lost=1)
    result = service.run("ingest", str(docs))
    assert result.exit_code == 0
    keys = [request.key for request in service.requests_to("POST /ingest")]
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert len(service.jobs) == 1
    assert service.pauses[:2] == [0.0, 0.0]


@pytest.mark.usefixtures("single")
def test_each_run_and_each_group_has_its_own_idempotency_key(tmp_path: Path) -> None:
    service, folder = FakeService(), many(tmp_path / "many", 2)
    service.run("ingest", str(folder))
    service.run("ingest", str(folder))
    assert len({request.key for request in service.requests_to("POST /ingest")}) == 4


def test_it_gives_up_after_the_last_lost_connection(docs: Path) -> None:
    service = FakeService(lost=1000)
    result = service.run("ingest", str(docs))
    assert result.exit_code == 1
    assert "lost the connection to http://localhost:3000: ReadError" in result.stderr
    assert len(service.uploads) == 7


def test_ingest_waits_while_the_service_restarts(docs: Path) -> None:
    service = FakeService(polls=3)

    def restart() -> None:
        service.busy, service.on_pause = 9, lambda: None

    service.on_pause = restart
    assert service.run("ingest", str(docs)).exit_code == 0


def test_no_wait_prints_the_job_ids_and_exits(docs: Path) -> None:
    service = FakeService()
    result = service.run("ingest", str(docs), "--no-wait")
    assert (result.exit_code, result.stdout) == (0, "job_0\n")
    assert "4 accepted" in result.stderr
    assert not service.requests_to("GET /v1/jobs/job_0")


def test_ctrl_c_says_that_the_job_continues(docs: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    result = FakeService(polls=3, on_pause=interrupt).run("ingest", str(docs))
    assert result.exit_code == 130
    assert "Job job_0 continues in the service. See progress: python -m rag jobs list --active" in result.stderr
    assert "python -m rag jobs cancel job_0" in result.stderr


def test_as_json(docs: Path) -> None:
    report = json.loads(FakeService().run("ingest", str(docs / "faq.txt"), "--json").stdout)
    (file,) = report["files"]
    assert (file["filename"], file["status"], file["chunks"]) == ("faq.txt", "completed", CHUNKS)
    assert (file["error"], file["job_id"]) == (None, "job_0")
    assert (report["refused"], report["skipped"], report["jobs"]) == ([], 0, ["job_0"])


def test_missing_paths_are_named(docs: Path) -> None:
    service = FakeService()
    result = service.run("ingest", str(docs / "nope.md"))
    assert result.exit_code == 1
    assert "nope.md" in result.stderr
    assert service.requests == []


def test_two_files_of_one_name_are_reported(docs: Path) -> None:
    (docs / "skip" / "faq.txt").write_text("other")
    result = FakeService().run("ingest", str(docs / "faq.txt"), str(docs / "skip" / "faq.txt"))
    assert "skip/faq.txt: another given file has the same name" in result.stderr


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("tokens", {"type": "static"}),
        ("parent_child", {"type": "parent_child"}),
        ('{"type": "auto"}', {"type": "auto"}),
    ],
)
def test_chunking_is_a_name_or_json(docs: Path, given: str, sent: object) -> None:
    service = FakeService()
    assert service.run("ingest", str(docs), "--chunking", given).exit_code == 0
    assert json.loads(service.requests_to("POST /ingest")[0].body["chunking_strategy"]) == sent


@pytest.mark.parametrize(
    "wrong",
    [
        ("--attributes", "[1]"),
        ("--chunking", "words"),
        ("--chunking", "{"),
        ("--watch", "--no-wait"),
    ],
)
def test_a_wrong_command_line_exits_with_2(docs: Path, wrong: tuple[str, ...]) -> None:
    assert FakeService().run("ingest", str(docs), *wrong).exit_code == 2


def test_a_name_that_is_not_utf8_is_reported_and_the_others_are_uploaded(docs: Path) -> None:
    (docs / "bad\udcff.md").write_text("text")
    result = FakeService().run("ingest", str(docs), "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [refused["message"] for refused in report["refused"]] == ["its name is not valid UTF-8; rename it"]
    assert len(report["files"]) == 4


def test_an_unreadable_file_is_reported(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def guarded(path: Path, *args: Any) -> object:
        if path.name == "faq.txt":
            raise PermissionError(13, "Permission denied")
        return real(path, *args)

    monkeypatch.setattr(Path, "open", guarded)
    result = FakeService().run("ingest", str(docs))
    assert "failed: faq.txt: Permission denied" in result.stderr
    assert "4 files: 3 added" in result.stdout


def test_files_are_streamed_from_disk(tmp_path: Path) -> None:
    (tmp_path / "large.md").write_bytes(b"x" * 1_000_000)
    sizes: list[int] = []

    class Sink(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.SyncByteStream)
            sizes.extend(len(piece) for piece in request.stream)
            assert int(request.headers["content-length"]) == sum(sizes)
            return httpx.Response(200, json={"files": [], "batch_id": None})

    with httpx.Client(base_url="http://x", transport=Sink()) as client:
        list(upload_files(UploadTarget(client, {}), select_files([str(tmp_path)]).files))
    assert max(sizes) <= 64 * 1024
