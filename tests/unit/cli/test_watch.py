"""`ingest --watch`, with scripted events in place of those of the file system."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import Result

from tests.fakes.services.service import FakeService

Step = Callable[[], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.md", "sub/b.md"):
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(f"# {name}\n")
    return tmp_path / "docs"


def watched(service: FakeService, folder: Path, *steps: Step, more: Sequence[str] = ()) -> Result:
    """Runs the steps, each followed by an event, then presses Ctrl-C."""

    def events(folders: Sequence[Path]) -> Iterator[None]:
        assert list(folders) == [folder]
        for step in steps:
            step()
            yield
        raise KeyboardInterrupt

    service.watch_with = events
    for document in ("a.md", "sub/b.md"):
        service.documents[f"file-{document}"] = {"id": f"file-{document}", "filename": document}
    return service.run("ingest", str(folder), "--watch", *more)


def change(path: Path, text: str) -> Step:
    def step() -> None:
        path.write_text(text)
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))

    return step


def test_new_and_changed_files_are_ingested_with_a_line_each(folder: Path) -> None:
    service = FakeService()
    result = watched(service, folder, change(folder / "c.md", "new"), change(folder / "a.md", "other"))
    assert result.exit_code == 0
    assert service.uploads == [["a.md", "sub/b.md"], ["c.md"], ["a.md"]]
    assert "added c.md (1,000 chunks)\nadded a.md (1,000 chunks)\n" in result.stdout


def test_a_deleted_file_is_removed_from_the_store_by_id(folder: Path) -> None:
    service = FakeService()
    result = watched(service, folder, (folder / "sub" / "b.md").unlink)
    assert "deleted sub/b.md\n" in result.stdout
    assert [str(request) for request in service.requests if request.method == "DELETE"] == [
        "DELETE /v1/vector_stores/default/files/file-sub%2Fb.md"
    ]


def test_a_renamed_file_is_another_document(folder: Path) -> None:
    result = watched(FakeService(), folder, lambda: (folder / "a.md").rename(folder / "z.md"))
    assert {"added z.md (1,000 chunks)", "deleted a.md"} <= set(result.stdout.splitlines())


def test_changes_during_the_first_run_are_ingested(folder: Path) -> None:
    service = FakeService(polls=3)

    def meanwhile() -> None:
        service.on_pause = lambda: None
        change(folder / "late.md", "late")()

    service.on_pause = meanwhile
    watched(service, folder)
    assert service.uploads[-1] == ["late.md"]


def test_a_file_is_ingested_once_it_stops_changing(folder: Path) -> None:
    service = FakeService()
    left = iter(range(3))

    def write_on() -> None:
        if (number := next(left, None)) is not None:
            change(folder / "big.md", "x" * (number + 2))()

    def begin() -> None:
        change(folder / "big.md", "x")()
        service.on_pause = write_on

    watched(service, folder, begin)
    assert service.uploads[1:] == [["big.md"]]


def test_an_editor_that_replaces_a_file_deletes_nothing(folder: Path) -> None:
    service = FakeService()

    def save() -> None:
        (folder / "a.md").unlink()
        service.on_pause = change(folder / "a.md", "saved")

    def rest() -> None:
        service.on_pause = lambda: None

    result = watched(service, folder, save, rest)
    assert "deleted" not in result.stdout


def test_a_missing_folder_deletes_nothing(folder: Path) -> None:
    service = FakeService()
    result = watched(service, folder, lambda: shutil.rmtree(folder))
    assert "is missing; its documents are kept" in result.stderr
    assert not [request for request in service.requests if request.method == "DELETE"]


def test_other_documents_are_not_touched(folder: Path) -> None:
    service = FakeService(documents={"file-x": {"id": "file-x", "filename": "elsewhere.md"}})
    watched(service, folder, (folder / "a.md").unlink)
    assert "file-x" in service.documents


def test_a_failed_file_is_reported_and_not_retried_until_it_changes(folder: Path) -> None:
    service = FakeService(failing={"bad.md": "bad.md wants a password"}, refused={"worse.md": "worse.md"})
    steps = [change(folder / "bad.md", "?"), change(folder / "worse.md", "?"), lambda: None]
    result = watched(service, folder, *steps)
    assert result.exit_code == 0
    assert "failed bad.md: bad.md wants a password" in result.stdout
    assert "failed worse.md: worse.md is not text" in result.stdout
    assert service.uploads[1:] == [["bad.md"], ["worse.md"]]


def test_changes_are_ingested_after_the_service_was_unavailable(folder: Path) -> None:
    service = FakeService()

    def away() -> None:
        change(folder / "c.md", "new")()
        service.lost = 7

    result = watched(service, folder, away, lambda: None)
    assert "retrying at the next scan" in result.stderr
    assert "added c.md" in result.stdout


def test_json_output_has_a_line_for_each_change(folder: Path) -> None:
    result = watched(FakeService(), folder, change(folder / "c.md", "x"), (folder / "a.md").unlink, more=["--json"])
    first, *rest = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(first["files"]) == 2
    assert rest == [
        {"change": "added", "filename": "c.md", "chunks": 1000},
        {"change": "deleted", "filename": "a.md"},
    ]


def test_an_empty_folder_can_be_watched(tmp_path: Path) -> None:
    empty = tmp_path / "docs"
    empty.mkdir()
    service = FakeService()
    watched(service, empty, change(empty / "first.md", "x"))
    assert service.uploads == [["first.md"]]


def test_watch_needs_a_folder(folder: Path) -> None:
    assert FakeService().run("ingest", str(folder / "a.md"), "--watch").exit_code == 2


def test_real_file_system_events(folder: Path) -> None:
    """With watchfiles."""
    from rag.cli.ingest.watch import _events

    source = _events([folder])
    import threading

    timer = threading.Timer(0.2, change(folder / "c.md", "new"))
    timer.start()
    assert any(path.endswith("c.md") for _, path in next(iter(source)))  # type: ignore[attr-defined]
    timer.join()
