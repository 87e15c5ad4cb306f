"""The command line against a small server that speaks the wire."""

from __future__ import annotations

import email.parser
import email.policy
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.cli import main
from rag.http.sse import format_event
from rag.types import JsonObject
from rag.upload import MAX_GROUP_BYTES, MAX_GROUP_FILES, Upload, grouped, select

HIT: JsonObject = {
    "filename": "reference/index.md",
    "heading": "Index > HNSW",
    "score": 0.91,
    "text": "M is [the] degree.",
}
ANSWER: list[tuple[str, JsonObject]] = [
    ("sources", {"sources": [{**HIT, "index": 1}]}),
    ("token", {"text": "Grüße, "}),
    ("token", {"text": "M [1]."}),
    ("usage", {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 0}),
    ("done", {"finish_reason": "stop", "citations": [], "timings_ms": {}}),
]


@dataclass
class Wire:
    """What the server answers, and what it was asked."""

    events: list[tuple[str, JsonObject]] = field(default_factory=lambda: list(ANSWER))
    refused: frozenset[str] = frozenset()
    busy: int = 0
    """Uploads to answer with 429 before one is taken."""
    ready: bool = True
    uploads: list[dict[str, list[str]]] = field(default_factory=list)
    bodies: list[JsonObject] = field(default_factory=list)
    url: str = ""


def error(message: str) -> JsonObject:
    rest = {"type": "invalid_request_error", "param": None, "code": "x", "retryable": False, "request_id": "r"}
    return {"error": {"message": message, **rest}}


def handler(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, {"status": "ready"}) if wire.ready else self.answer(503, error("the engine still starts"))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/ingest":
                self.ingest(body)
                return
            wire.bodies.append(json.loads(body))
            if self.path == "/retrieve":
                self.answer(200, {"hits": [HIT], "timings_ms": {}})
            elif wire.bodies[-1]["question"].strip():
                self.stream()
            else:
                self.answer(400, error("the question is empty"))

        def ingest(self, body: bytes) -> None:
            form = read_form(self.headers["content-type"], body)
            wire.uploads.append(form)
            bad = wire.refused.intersection(form["files"])
            if wire.busy:
                wire.busy -= 1
                self.answer(429, error("busy"), retry_after="0")
            elif bad:
                self.answer(415, error(f"{min(bad)} is not text"))
            else:
                files = [
                    {"file_id": f"f-{name}", "filename": name, "status": "completed", "change": "added", "chunks": 1000}
                    for name in form["files"]
                ]
                self.answer(200, {"files": files, "batch_id": "b"})

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for name, data in wire.events:
                self.wfile.write(b": keep-alive\n\n" + format_event(name, data))

        def answer(self, status: int, body: JsonObject, retry_after: str | None = None) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            if retry_after:
                self.send_header("retry-after", retry_after)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None: ...

    return Handler


def read_form(content_type: str, body: bytes) -> dict[str, list[str]]:
    """Field values, and for `files` their names."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    form: dict[str, list[str]] = {"files": []}
    for part in parser.parsebytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body).iter_parts():
        disposition = part["content-disposition"]
        name = disposition.params["name"]
        value = disposition.params.get("filename") or part.get_content().strip()
        form.setdefault(name, []).append(value)
    return form


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(wire)) as server:
        wire.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield wire
        server.shutdown()
        thread.join()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs" / "en"
    for name in ("reference/index.md", "faq.txt", "page.html", "logo.png", ".hidden/x.md", "skip/old.md"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def test_ingest_sends_names_below_the_folder_and_sums_up(wire: Wire, docs: Path) -> None:
    result = run(
        "ingest", str(docs), "--url", wire.url, "--exclude", "skip/*", "--store", "s", "--attributes", '{"a": 1}'
    )
    assert result.exit_code == 0, result.output
    (form,) = wire.uploads
    assert form["files"] == ["faq.txt", "page.html", "reference/index.md"]
    assert (form["vector_store"], form["attributes"]) == (["s"], ['{"a": 1}'])
    assert "1 files skipped" in result.stdout
    assert "3 files: 3 added, 0 replaced, 0 unchanged, 3,000 chunks in 0 s" in result.stdout


def test_ingest_reports_a_refused_file_and_goes_on(wire: Wire, docs: Path) -> None:
    wire.refused = frozenset({"faq.txt"})
    result = run("ingest", str(docs), "--url", wire.url)
    assert result.exit_code == 1
    assert "failed: faq.txt: faq.txt is not text" in result.stderr
    assert "4 files: 3 added, 0 replaced, 0 unchanged, 1 failed" in result.stdout


def test_ingest_waits_while_the_service_is_busy(wire: Wire, docs: Path) -> None:
    wire.busy = 2
    assert run("ingest", str(docs), "--url", wire.url).exit_code == 0
    assert len(wire.uploads) == 3


def test_ingest_as_json(wire: Wire, docs: Path) -> None:
    report = json.loads(run("ingest", str(docs / "faq.txt"), "--url", wire.url, "--json").stdout)
    assert [file["filename"] for file in report["files"]] == ["faq.txt"]
    assert (report["refused"], report["skipped"]) == ([], 0)


def test_ingest_names_what_is_not_there(wire: Wire, docs: Path) -> None:
    result = run("ingest", str(docs / "nope.md"), "--url", wire.url)
    assert result.exit_code == 1
    assert "nope.md" in result.stderr
    assert wire.uploads == []


def test_ingest_refuses_attributes_that_are_no_object(wire: Wire, docs: Path) -> None:
    assert run("ingest", str(docs), "--url", wire.url, "--attributes", "[1]").exit_code == 2


def test_globs_are_named_from_their_fixed_part(docs: Path) -> None:
    names = [upload.name for upload in select([f"{docs}/**/*.md"]).uploads]
    assert names == ["reference/index.md", "skip/old.md"]


def test_groups_are_bounded_in_files_and_bytes() -> None:
    small = [Upload(Path("x"), f"{i}", 10) for i in range(MAX_GROUP_FILES + 1)]
    assert [len(group) for group in grouped(small)] == [MAX_GROUP_FILES, 1]
    large = [Upload(Path("x"), f"{i}", MAX_GROUP_BYTES) for i in range(2)]
    assert [len(group) for group in grouped(large)] == [1, 1]


def test_ask_prints_the_answer_then_its_sources(wire: Wire) -> None:
    result = run("ask", "What is M?", "--url", wire.url, "--top-k", "3", "--max-tokens", "9")
    assert result.exit_code == 0
    assert result.stdout == "Grüße, M [1].\n\nSources\n  [1] reference/index.md > Index > HNSW (0.91)\n"
    assert wire.bodies == [{"question": "What is M?", "vector_store": "default", "top_k": 3, "max_tokens": 9}]


def test_ask_as_json_prints_every_event(wire: Wire) -> None:
    lines = run("ask", "What is M?", "--url", wire.url, "--json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == [name for name, _ in ANSWER]


def test_ask_fails_on_an_error_event(wire: Wire) -> None:
    failure: JsonObject = {"code": "dependency_unavailable", "message": "the engine died", "retryable": True}
    wire.events = [*ANSWER[:2], ("error", failure)]
    result = run("ask", "What is M?", "--url", wire.url)
    assert (result.exit_code, result.stdout) == (1, "Grüße, ")
    assert "the engine died" in result.stderr


def test_ask_fails_when_the_stream_just_stops(wire: Wire) -> None:
    wire.events = list(ANSWER[:3])
    result = run("ask", "What is M?", "--url", wire.url)
    assert result.exit_code == 1
    assert "lost before the answer ended" in result.stderr


def test_a_refusal_is_told_in_the_services_words(wire: Wire) -> None:
    result = run("ask", " ", "--url", wire.url)
    assert (result.exit_code, result.stderr) == (1, "the question is empty\n")


def test_retrieve_shows_a_table(wire: Wire) -> None:
    result = run("retrieve", "HNSW", "--url", wire.url, "--top-k", "2")
    assert result.exit_code == 0
    assert "0.910" in result.stdout
    assert wire.bodies == [{"query": "HNSW", "vector_store": "default", "top_k": 2}]


def test_status_tells_ready_from_not_ready(wire: Wire) -> None:
    assert run("status", "--url", wire.url).exit_code == 0
    wire.ready = False
    result = run("status", "--url", wire.url)
    assert (result.exit_code, result.stderr) == (1, "not ready: the engine still starts\n")


def test_nobody_there() -> None:
    result = run("status", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "make serve" in result.stderr


def test_prepare_tells_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RAG_LLM__MODEL", str(tmp_path))
    result = run("prepare")
    assert result.exit_code == 1
    assert "config.json is missing" in result.stderr


def test_the_command_line_loads_no_heavy_library() -> None:
    code = (
        "import sys, rag.cli; print([m for m in ('bentoml', 'torch', 'vllm', 'numpy', 'pymilvus') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
