"""`ask`, `retrieve`, `status`, `prepare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rag.types import JsonObject
from tests.fakes.services.service import ANSWER, FakeService, json_lines


def test_ask_prints_the_answer_then_its_sources() -> None:
    service = FakeService()
    result = service.run("ask", "What is M?", "--top-k", "3", "--max-tokens", "9")
    assert result.exit_code == 0
    assert result.stdout == "Grüße, M [1].\n\nSources\n  [1] reference/index.md > Index > HNSW (0.91)\n"
    (request,) = service.requests
    assert request.body == {"question": "What is M?", "vector_store": "default", "top_k": 3, "max_tokens": 9}


def test_ask_shows_what_the_model_thinks_only_if_asked() -> None:
    service = FakeService(events=[ANSWER[0], ("thinking", {"text": "I "}), ("thinking", {"text": "see."}), *ANSWER[1:]])
    assert service.run("ask", "What is M?").stdout.startswith("Grüße, M [1].\n")
    shown = service.run("ask", "What is M?", "--thinking").stdout
    assert shown.startswith("Thinking:\nI see.\n\nAnswer:\nGrüße, M [1].\n")


def test_ask_shows_the_page_of_a_source() -> None:
    source = {"index": 1, "filename": "a.pdf", "page": 7, "score": 0.5}
    service = FakeService(events=[("sources", {"sources": [source]}), ANSWER[-1]])
    assert "[1] a.pdf, page 7 (0.50)" in service.run("ask", "What?").stdout


def test_ask_shows_each_quote_and_its_place() -> None:
    quote = {"start": 0, "end": 10, "source_start": 120, "source_end": 130, "page": 7}
    done = {"finish_reason": "stop", "citations": [{"index": 1, "quote": quote}], "timings_ms": {}}
    events = [ANSWER[0], ("token", {"text": "M is 16 he"}), ("token", {"text": "re. [1]"}), ("done", done)]
    service = FakeService(events=events)
    printed = service.run("ask", "What is M?", "--style", "quoted").stdout
    assert printed.splitlines()[-1] == "      M is 16 he (page 7, characters 120-130)"
    assert service.requests[-1].body["style"] == "quoted"


def test_ask_shows_the_passage_that_a_written_answer_cites_and_the_note() -> None:
    done = {"finish_reason": "stop", "citations": [{"index": 1}], "timings_ms": {}, "note": "not reranked"}
    printed = FakeService(events=[*ANSWER[:-1], ("done", done)]).run("ask", "What is M?").stdout
    assert printed.splitlines()[-3:] == ["      M is [the] degree.", "", "Note: not reranked"]


def test_ask_as_json_prints_every_event() -> None:
    events = json_lines(FakeService().run("ask", "What is M?", "--json"))
    assert [event["event"] for event in events] == [name for name, _ in ANSWER]


def test_ask_fails_on_an_error_event() -> None:
    failure: JsonObject = {"code": "dependency_unavailable", "message": "the engine died", "retryable": True}
    result = FakeService(events=[*ANSWER[:2], ("error", failure)]).run("ask", "What is M?")
    assert (result.exit_code, result.stdout) == (1, "Grüße, ")
    assert "the engine died" in result.stderr


def test_ask_fails_if_the_stream_ends_without_done() -> None:
    result = FakeService(events=list(ANSWER[:3])).run("ask", "What is M?")
    assert result.exit_code == 1
    assert "lost before the answer ended" in result.stderr


def test_an_error_message_of_the_service_is_printed_as_it_is() -> None:
    result = FakeService().run("ask", " ")
    assert (result.exit_code, result.stderr) == (1, "the question is empty\n")


def test_retrieve_shows_a_table() -> None:
    service = FakeService()
    result = service.run("retrieve", "HNSW", "--top-k", "2")
    assert result.exit_code == 0
    assert "0.910" in result.stdout
    assert "M is [the] degree." in result.stdout
    assert service.requests[0].body == {"query": "HNSW", "vector_store": "default", "top_k": 2}


def test_retrieve_as_json() -> None:
    assert json.loads(FakeService().run("retrieve", "HNSW", "--json").stdout)["hits"][0]["score"] == 0.91


def test_status_of_a_ready_service_and_of_one_that_is_not() -> None:
    assert FakeService().run("status").exit_code == 0
    result = FakeService(ready=False).run("status")
    assert (result.exit_code, result.stderr) == (1, "not ready: the engine is starting\n")


def test_status_as_json_is_one_document_either_way() -> None:
    result = FakeService(ready=False).run("status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["ready"]) == (1, False)


def test_prepare_reports_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RAG_LLM__MODEL", str(tmp_path))
    result = FakeService().run("prepare")
    assert result.exit_code == 1
    assert "config.json is missing" in result.stderr
