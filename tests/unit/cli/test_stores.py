"""`files` and `stores`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.types import JsonObject
from tests.fakes.services.service import FakeService, json_lines


@pytest.fixture
def service() -> FakeService:
    documents: dict[str, JsonObject] = {
        f"file-{i}": {"id": f"file-{i}", "filename": f"d/{i}.md", "status": "completed"} for i in range(5)
    }
    broken = {"code": "broken_file", "message": "it is damaged"}
    documents["file-4"] = {**documents["file-4"], "status": "failed", "last_error": broken}
    store = {"id": "vs_1", "name": "manuals", "status": "completed", "usage_bytes": 2048, "file_counts": {"total": 5}}
    return FakeService(
        documents=documents,
        stores={"vs_1": store, "manuals": store},
        files={"file-0": {"id": "file-0", "filename": "d/0.md"}},
    )


# --- files -------------------------------------------------------------------------------------


def test_files_are_uploaded_one_by_one_and_errors_reported(service: FakeService, tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("text")
    service.refused = {"a.md": "a.md"}
    result = service.run("files", "upload", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "file-b.md  b.md\n")
    assert result.stderr == "failed: a.md: a.md is too large\n"
    assert service.requests_to("POST /v1/files")[0].body["purpose"] == "assistants"


def test_files_list_shows_sizes(service: FakeService) -> None:
    service.files["f"] = {"id": "f", "filename": "a.md", "bytes": 2048, "created_at": 1700000000}
    result = service.run("files", "list")
    assert "2.0 KiB" in result.stdout
    assert "2023-11-1" in result.stdout


def test_files_show(service: FakeService) -> None:
    assert "file-0" in service.run("files", "show", "file-0").stdout
    assert json.loads(service.run("files", "show", "file-0", "--json").stdout)["filename"] == "d/0.md"


def test_content_goes_to_stdout_or_into_a_file(service: FakeService, tmp_path: Path) -> None:
    assert service.run("files", "content", "file-0").stdout_bytes == b"\x00\xff bytes"
    out = tmp_path / "out.bin"
    assert service.run("files", "content", "file-0", "-o", str(out)).exit_code == 0
    assert out.read_bytes() == b"\x00\xff bytes"


def test_content_of_an_unknown_file_leaves_no_file(service: FakeService, tmp_path: Path) -> None:
    result = service.run("files", "content", "nope", "-o", str(tmp_path / "out"))
    assert (result.exit_code, result.stderr) == (1, "no such file: nope\n")
    assert list(tmp_path.iterdir()) == []


def test_delete_continues_after_an_unknown_file(service: FakeService) -> None:
    result = service.run("files", "delete", "nope", "file-0")
    assert (result.exit_code, result.stdout) == (1, "deleted file-0\n")
    assert "nope" in result.stderr


# --- stores ------------------------------------------------------------------------------------


def test_create_sends_only_the_given_options(service: FakeService) -> None:
    options = ("--description", "d", "--metadata", '{"a": "b"}', "--chunking", "structure", "--expires-days", "7")
    service.run("stores", "create", "new", *options)
    service.run("stores", "create", "plain")
    full, plain = service.requests_to("POST /v1/vector_stores")
    assert full.body == {
        "name": "new",
        "description": "d",
        "metadata": {"a": "b"},
        "chunking_strategy": {"type": "structure"},
        "expires_after": {"anchor": "last_active_at", "days": 7},
    }
    assert plain.body == {"name": "plain"}


def test_list_and_show(service: FakeService) -> None:
    assert "manuals" in service.run("stores", "list").stdout
    assert "2.0 KiB" in service.run("stores", "show", "manuals").stdout
    assert [row["name"] for row in json_lines(service.run("stores", "list", "--json"))] == ["manuals", "manuals"]


def test_update_can_remove_the_expiry(service: FakeService) -> None:
    assert service.run("stores", "update", "vs_1", "--name", "x", "--no-expiry").exit_code == 0
    assert service.requests[-1].body == {"name": "x", "expires_after": None}


def test_retrieval_settings_can_be_set_and_removed(service: FakeService) -> None:
    assert service.run("stores", "update", "vs_1", "--retrieval", '{"rerank": true}').exit_code == 0
    assert service.requests[-1].body == {"retrieval": {"rerank": True}}
    assert service.run("stores", "update", "vs_1", "--no-retrieval").exit_code == 0
    assert service.requests[-1].body == {"retrieval": None}
    service.run("stores", "create", "new", "--retrieval", '{"top_k": 3}')
    assert service.requests[-1].body == {"name": "new", "retrieval": {"top_k": 3}}


def test_show_prints_the_retrieval_settings(service: FakeService) -> None:
    service.stores["manuals"] = {**service.stores["manuals"], "retrieval": {"rerank": True}}
    assert 'retrieval    {"rerank": true}' in service.run("stores", "show", "manuals").stdout


@pytest.mark.parametrize(
    "wrong",
    [
        (), ("--no-expiry", "--expires-days", "1"), ("--metadata", "[]"), ("--retrieval", "true"),
        ("--no-retrieval", "--retrieval", "{}"),
    ],
)  # fmt: skip
def test_update_with_missing_or_conflicting_options_exits_with_2(service: FakeService, wrong: tuple[str, ...]) -> None:
    assert service.run("stores", "update", "vs_1", *wrong).exit_code == 2


def test_delete_asks_for_confirmation(service: FakeService) -> None:
    refused = service.run("stores", "delete", "manuals", input="n\n")
    assert refused.exit_code == 1
    assert "Delete manuals (vs_1) with its 5 documents?" in refused.stderr
    assert "manuals" in service.stores
    assert service.run("stores", "delete", "manuals", input="y\n").stdout == "deleted manuals\n"
    assert json.loads(service.run("stores", "delete", "vs_1", "--yes", "--json").stdout)["deleted"] is True


def test_documents_are_listed_with_their_errors(service: FakeService) -> None:
    result = service.run("stores", "files", "manuals", "--status", "failed")
    assert "it is damaged" in result.stdout
    assert service.requests[0].query["filter"] == "failed"


def test_add_waits_for_the_batch_and_reports_failures(service: FakeService) -> None:
    service.failing = {"b.md": "b.md is a picture"}
    result = service.run("stores", "add", "manuals", "file-a.md", "file-b.md", "--attributes", '{"n": 1}')
    assert (result.exit_code, result.stdout) == (1, "added a.md (1,000 chunks)\n")
    assert "failed: b.md: b.md is a picture" in result.stderr
    assert service.requests[0].body == {"file_ids": ["file-a.md", "file-b.md"], "attributes": {"n": 1}}


def test_add_without_waiting(service: FakeService) -> None:
    assert service.run("stores", "add", "manuals", "file-a.md", "--no-wait").stdout == "job_0\n"


@pytest.mark.parametrize("document", ["file-3", "d/3.md"])
def test_a_document_is_given_by_id_or_filename(service: FakeService, document: str) -> None:
    result = service.run("stores", "remove", "manuals", document)
    assert (result.exit_code, result.stdout) == (0, "removed d/3.md\n")
    assert "file-3" not in service.documents


def test_an_unknown_document_is_reported(service: FakeService) -> None:
    result = service.run("stores", "remove", "manuals", "d/9.md", "d/1.md")
    assert (result.exit_code, result.stdout) == (1, "removed d/1.md\n")
    assert result.stderr == "manuals has no document with the file id or name d/9.md\n"


def test_set_attributes(service: FakeService) -> None:
    result = service.run("stores", "set-attributes", "manuals", "d/2.md", '{"lang": "en"}', "--json")
    assert json.loads(result.stdout)["attributes"] == {"lang": "en"}
    assert str(service.requests[-1]) == "POST /v1/vector_stores/manuals/files/file-2"
    assert service.run("stores", "set-attributes", "manuals", "d/2.md", "{").exit_code == 2


def test_set_read_groups(service: FakeService) -> None:
    assert service.run("stores", "set-read-groups", "manuals", "d/2.md", "hr", "it").stdout == "d/2.md: hr, it\n"
    assert str(service.requests[-1]) == "POST /v1/vector_stores/manuals/files/file-2"
    assert service.requests[-1].body == {"read_groups": ["hr", "it"]}
    assert service.run("stores", "set-read-groups", "manuals", "d/2.md").stdout == "d/2.md: everyone\n"


def test_search(service: FakeService) -> None:
    filters = '{"type": "eq", "key": "a", "value": 1}'
    result = service.run("stores", "search", "manuals", "HNSW?", "--limit", "3", "--filters", filters)
    assert "0.910" in result.stdout
    assert service.requests[0].body == {"query": "HNSW?", "max_num_results": 3, "filters": json.loads(filters)}
