"""The input files of batches."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rag.library.batches import validation
from rag.library.batches.validation import InputFile, body_of, read_input
from rag.records import BatchFault
from tests.support.files.batch_files import a_line, chat_line, jsonl

CHAT = "/v1/chat/completions"
LINE_FIELDS = ("custom_id", "method", "url", "body")


def without(name: str) -> dict[str, Any]:
    return {field: value for field, value in chat_line("1", "a").items() if field != name}


def read(folder: Path, content: bytes, endpoint: str = CHAT, max_lines: int = 100) -> InputFile:
    path = folder / "input.jsonl"
    path.write_bytes(content)
    return read_input(path, endpoint, lambda _, name: name in ("rag", "tiny"), max_lines)


def fault_of(folder: Path, line: Any, endpoint: str = CHAT) -> BatchFault:
    """The only fault of a file whose second line is this one."""
    good = json.dumps(chat_line("good", "a") if endpoint == CHAT else a_line("good", {}, endpoint))
    content = line if isinstance(line, bytes) else json.dumps(line).encode()
    [fault] = read(folder, good.encode() + b"\n" + content, endpoint).faults
    assert fault.line == 2
    return fault


def test_the_requests_are_read_where_they_are(tmp_path: Path) -> None:
    lines = [chat_line("1", "Grüße"), chat_line("2", "b"), chat_line("3", "c")]
    content = json.dumps(lines[0], ensure_ascii=False).encode() + b"\r\n\n  \n" + jsonl(lines[1:]).rstrip()
    found = read(tmp_path, content)
    assert (found.faults, found.model) == ([], "rag")
    assert [(line.number, line.custom_id) for line in found.lines] == [(1, "1"), (4, "2"), (5, "3")]
    for line, request in zip(found.lines, lines, strict=True):
        assert json.loads(body_of(content[line.offset :][: line.length])) == request["body"]
    assert body_of(content[: found.lines[0].length]).isascii()


def test_a_file_with_several_models_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, jsonl([chat_line("1", "a"), chat_line("2", "b", "tiny")])).model == ""


@pytest.mark.parametrize(
    ("line", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        (b"\xff", "invalid_json_line", None),
        ([], "invalid_json_line", None),
        (chat_line("good", "a"), "duplicate_custom_id", "custom_id"),
        (chat_line("", "a"), "invalid_custom_id", "custom_id"),
        (chat_line("x" * 513, "a"), "invalid_custom_id", "custom_id"),
        (chat_line("\0", "a"), "invalid_custom_id", "custom_id"),
        (chat_line("\ud800", "a"), "invalid_custom_id", "custom_id"),
        ({**chat_line("1", "a"), "custom_id": 1}, "invalid_custom_id", "custom_id"),
        ({**chat_line("1", "a"), "method": "GET"}, "invalid_method", "method"),
        ({**chat_line("1", "a"), "url": "/v1/responses"}, "invalid_url", "url"),
        ({**chat_line("1", "a"), "url": 1}, "invalid_url", "url"),
        *(({**chat_line("1", "a"), name: None}, "missing_required_parameter", name) for name in LINE_FIELDS),
        *((without(name), "missing_required_parameter", name) for name in LINE_FIELDS),
        ({**chat_line("1", "a"), "extra": 1}, "unknown_parameter", "extra"),
        ({**chat_line("1", "a"), "\ud800": 1}, "unknown_parameter", "\\ud800"),
        ({**chat_line("1", "a"), "body": "a"}, "invalid_body", "body"),
        (chat_line("1", "a", stream=True), "streaming_unsupported", "body.stream"),
        (chat_line("1", "a", background=True), "invalid_body", "body.background"),
        (chat_line("1", "a", "unknown"), "model_not_found", "body.model"),
        (a_line("1", {"messages": []}), "missing_required_parameter", "body.model"),
        (a_line("1", {"messages": [], "model": 1}), "invalid_body", "body.model"),
        (a_line("1", {"model": "tiny"}), "missing_required_parameter", "body.messages"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: Any, code: str, param: str | None) -> None:
    fault = fault_of(tmp_path, line)
    assert (fault.code, fault.param) == (code, param)


def test_a_body_that_is_nested_too_deeply_is_left_to_its_route() -> None:
    depth = 900
    line = json.dumps(chat_line("1", "a")).encode().replace(b'"a"', b"[" * depth + b"]" * depth)

    def called_from(frames: int) -> str:
        return called_from(frames - 1) if frames else body_of(line)

    assert json.loads(called_from(sys.getrecursionlimit() - 200)) is None


def test_a_line_of_any_length_has_one_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "_MAX_LINE_BYTES", 200)
    content = jsonl([chat_line("1", "x" * 1000), chat_line("2", "b"), chat_line("3", "x" * 1000)])
    found = read(tmp_path, content)
    assert [(fault.line, fault.code) for fault in found.faults] == [(1, "invalid_json_line"), (3, "invalid_json_line")]
    [line] = found.lines
    assert json.loads(body_of(content[line.offset :][: line.length])) == chat_line("2", "b")["body"]


def test_reranking_needs_no_model(tmp_path: Path) -> None:
    assert read(tmp_path, jsonl([a_line("1", {"query": "a"}, "/v1/rerank")]), "/v1/rerank").faults == []


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_requests_is_refused(tmp_path: Path, content: bytes) -> None:
    assert [fault.code for fault in read(tmp_path, content).faults] == ["empty_file"]


def test_a_file_with_too_many_requests_is_refused(tmp_path: Path) -> None:
    lines = [chat_line(str(number), "a") for number in range(3)]
    assert read(tmp_path, jsonl(lines), max_lines=3).faults == []
    [fault] = read(tmp_path, jsonl(lines), max_lines=2).faults
    assert (fault.code, fault.line) == ("too_many_requests", None)


def test_at_most_a_hundred_faults_are_listed(tmp_path: Path) -> None:
    assert len(read(tmp_path, b"{\n" * 500).faults) == 100
