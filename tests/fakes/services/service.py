"""An in-memory service with the HTTP API of the real one, for tests of the command line."""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from click.testing import CliRunner, Result

from rag.cli import main
from rag.cli.service_client import CliContext
from rag.http.streaming.sse import format_event
from rag.types import JsonObject

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
CHUNKS = 1000


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    key: str | None
    """The idempotency key."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class FakeService:
    """Answers requests and records them. A job ends after it has been polled `polls` times."""

    events: list[tuple[str, JsonObject]] = field(default_factory=lambda: list(ANSWER))
    refused: dict[str, str] = field(default_factory=dict)
    """File names for which the whole upload is rejected, with the `param` of the error."""
    failing: dict[str, str] = field(default_factory=dict)
    """File names that fail in their job, with the reason."""
    unchanged: set[str] = field(default_factory=set)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    """What is not read, by file name."""
    busy: int = 0
    """Number of requests to answer with 503."""
    lost: int = 0
    """Number of uploads that are accepted, but whose response is lost."""
    polls: int = 2
    progress: JsonObject = field(default_factory=lambda: {"step": "reading", "waiting_for": "", "stalled": False})
    ready: bool = True
    page: int = 2
    """Maximum number of rows in a page."""
    requests: list[ReceivedRequest] = field(default_factory=list)
    jobs: dict[str, JsonObject] = field(default_factory=dict)
    job_rows: dict[str, list[JsonObject]] = field(default_factory=dict)
    stores: dict[str, JsonObject] = field(default_factory=dict)
    files: dict[str, JsonObject] = field(default_factory=dict)
    documents: dict[str, JsonObject] = field(default_factory=dict)
    """Documents of the only vector store, by file id."""
    pauses: list[float] = field(default_factory=list)
    on_pause: Callable[[], object] = lambda: None
    watch_with: Callable[[Sequence[Path]], Iterable[object]] | None = None
    _keys: dict[str, JsonObject] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *arguments: str, input: str | None = None) -> Result:
        context = CliContext(httpx.MockTransport(self._answer), self._pause, self.watch_with)
        return CliRunner().invoke(main, list(arguments), obj=context, input=input, catch_exceptions=False)

    def requests_to(self, route: str) -> list[ReceivedRequest]:
        return [request for request in self.requests if str(request) == route]

    @property
    def uploads(self) -> list[list[str]]:
        """The file names of each upload."""
        return [request.body["files"] for request in self.requests_to("POST /ingest")]

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.on_pause()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            path = request.url.raw_path.decode().partition("?")[0]
            received = ReceivedRequest(
                request.method,
                path,
                dict(request.url.params),
                _body(request),
                request.headers.get("idempotency-key"),
            )
            self.requests.append(received)
            if self.busy:
                self.busy -= 1
                return refusal(503, "the engine is starting", headers={"retry-after": "0"})
            for method, pattern, answer in self._routes():
                match = re.fullmatch(pattern, path)
                if match and method == request.method:
                    return answer(received, *(unquote(part) for part in match.groups()))
            return refusal(404, f"no route {received}")

    def _routes(self) -> list[tuple[str, str, Callable[..., httpx.Response]]]:
        part = "([^/]+)"
        store, file, job = f"/v1/vector_stores/{part}", f"/v1/files/{part}", f"/v1/jobs/{part}"
        return [
            ("GET", "/readyz", lambda _: ok({}) if self.ready else refusal(503, "the engine is starting")),
            ("POST", "/ask", self._ask),
            ("POST", "/retrieve", lambda _: ok({"hits": [HIT], "timings_ms": {}})),
            ("POST", "/ingest", self._ingest),
            (
                "GET",
                "/v1/jobs",
                lambda request: self._list(request, self._active() if "active" in request.query else self.jobs),
            ),
            ("GET", job, self._poll_job),
            ("GET", f"{job}/files", lambda request, i: self._list(request, {r["id"]: r for r in self.job_rows[i]})),
            ("POST", f"{job}/cancel", lambda _, i: ok({**self.jobs[i], "status": "cancelled"})),
            ("POST", f"{job}/retry", lambda request, i: ok({**self.jobs[i], "id": "job_again"})),
            ("GET", "/v1/files", lambda request: self._list(request, self.files)),
            ("POST", "/v1/files", self._upload),
            ("GET", file, lambda _, i: self._row(self.files, i, "file_not_found")),
            ("GET", f"{file}/content", self._content),
            ("DELETE", file, lambda _, i: self._gone(self.files, i, "file_not_found")),
            ("GET", "/v1/vector_stores", lambda request: self._list(request, self.stores)),
            ("POST", "/v1/vector_stores", lambda request: ok({"id": "vs_new", **request.body})),
            ("GET", store, lambda _, i: self._row(self.stores, i, "vector_store_not_found")),
            ("POST", store, lambda request, i: ok({"id": i, **request.body})),
            ("DELETE", store, lambda _, i: self._gone(self.stores, i, "vector_store_not_found")),
            ("POST", f"{store}/search", lambda _, i: ok({"data": [{**HIT, "content": [{"text": "M is"}]}]})),
            ("POST", f"{store}/file_batches", self._attach),
            ("POST", f"{store}/reindex", lambda request, i: self._reindex({"to": request.body["embedder"]})),
            ("POST", f"{store}/reindex/rollback", lambda _, i: self._reindex({"to": "old/model"})),
            ("POST", f"{store}/reindex/forget", lambda _, i: ok({"embedder": "old/model"})),
            ("GET", f"{store}/files", lambda request, i: self._list(request, self.documents)),
            ("GET", f"{store}/files/{part}", lambda _, i, f: self._row(self.documents, f, "file_not_found")),
            ("POST", f"{store}/files/{part}", lambda request, i, f: ok({**self.documents[f], **request.body})),
            ("DELETE", f"{store}/files/{part}", lambda _, i, f: self._gone(self.documents, f, "file_not_found")),
        ]

    # --- answers -------------------------------------------------------------------------------

    def _ask(self, request: ReceivedRequest) -> httpx.Response:
        if not request.body["question"].strip():
            return refusal(400, "the question is empty")
        stream = b"".join(b": keep-alive\n\n" + format_event(name, data) for name, data in self.events)
        return httpx.Response(200, content=stream)

    def _ingest(self, request: ReceivedRequest) -> httpx.Response:
        if request.body["vector_store"] == "nope":
            return refusal(404, "no such vector store: nope", "vector_store")
        for name in request.body["files"]:
            if name in self.refused:
                return refusal(415, f"{name} is not text", self.refused[name])
        assert request.key
        if request.key not in self._keys:
            self._keys[request.key] = self._accept(request.body["files"])
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("lost")
        return httpx.Response(202, json=self._keys[request.key])

    def _accept(self, names: Sequence[str]) -> JsonObject:
        job_id = self._job("ingest", names)
        rows = [{"file_id": row["id"], **row, "status": "in_progress", "error": None} for row in self.job_rows[job_id]]
        return {"files": rows, "batch_id": job_id, "status": "in_progress"}

    def _job(self, kind: str, names: Sequence[str], **more: object) -> str:
        job_id = f"job_{len(self.jobs)}"
        self.job_rows[job_id] = [self._job_row(name) for name in names]
        counts = {"total": len(names), "in_progress": len(names), "completed": 0, "failed": 0, "cancelled": 0}
        self.jobs[job_id] = {
            "id": job_id,
            "kind": kind,
            "status": "queued",
            "file_counts": counts,
            "progress": self.progress,
            "polls_left": self.polls,
            **more,
        }
        return job_id

    def _job_row(self, name: str) -> JsonObject:
        why = self.failing.get(name)
        change = "unchanged" if name in self.unchanged else "added"
        error = {"code": "unsupported_file", "message": why, "reason": "broken_file"} if why else None
        status = "failed" if why else "completed"
        chunks = 0 if why else CHUNKS
        row = {"filename": name, "status": status, "last_error": error, "change": change, "chunks": chunks}
        return {"id": f"file-{name}", "warnings": self.warnings.get(name, []), **row}

    def _poll_job(self, _: ReceivedRequest, job_id: str) -> httpx.Response:
        if job_id not in self.jobs:
            return refusal(404, f"no such job: {job_id}")
        job = self.jobs[job_id]
        job["polls_left"] -= 1
        job["status"] = "running"
        if job["polls_left"] <= 0:
            rows = self.job_rows[job_id]
            failed = sum(row["status"] == "failed" for row in rows)
            counts = {"in_progress": 0, "completed": len(rows) - failed, "failed": failed, "cancelled": 0}
            progress = {"chunks": sum(row["chunks"] for row in rows)}
            job.update(status="completed", progress=progress, file_counts={**counts, "total": len(rows)})
        return ok(job)

    def _active(self) -> dict[str, JsonObject]:
        """Reading the list counts as polling each job."""
        for job in self.jobs.values():
            job["polls_left"] -= 1
        return {job_id: job for job_id, job in self.jobs.items() if job["polls_left"] > 0}

    def _upload(self, request: ReceivedRequest) -> httpx.Response:
        (name,) = request.body["file"]
        if name in self.refused:
            return refusal(413, f"{name} is too large", name)
        row = {"id": f"file-{name}", "filename": name, "bytes": 2048, "created_at": 1700000000}
        self.files[row["id"]] = row
        return ok(row)

    def _content(self, _: ReceivedRequest, file_id: str) -> httpx.Response:
        if file_id not in self.files:
            return refusal(404, f"no such file: {file_id}")
        return httpx.Response(200, content=b"\x00\xff bytes")

    def _attach(self, request: ReceivedRequest, _: str) -> httpx.Response:
        return ok({"id": self._job("ingest", [i.removeprefix("file-") for i in request.body["file_ids"]])})

    def _reindex(self, details: JsonObject) -> httpx.Response:
        return ok(self.jobs[self._job("reindex", ["a.md", "b.md"], details=details)])

    def _list(self, request: ReceivedRequest, rows: dict[str, JsonObject]) -> httpx.Response:
        """A page with fewer rows than requested, so that there are always several pages."""
        if request.query.get("after", next(iter(rows), "")) not in rows:
            return refusal(400, "after: no such row")
        ids = list(rows)
        start = ids.index(request.query["after"]) + 1 if "after" in request.query else 0
        wanted = ids[start : start + min(self.page, int(request.query["limit"]))]
        more = start + len(wanted) < len(ids)
        last = wanted[-1] if wanted else None
        return ok({"object": "list", "data": [rows[i] for i in wanted], "last_id": last, "has_more": more})

    def _row(self, rows: dict[str, JsonObject], row_id: str, code: str) -> httpx.Response:
        return ok(rows[row_id]) if row_id in rows else refusal(404, f"{code}: {row_id}")

    def _gone(self, rows: dict[str, JsonObject], row_id: str, code: str) -> httpx.Response:
        found = rows.pop(row_id, None)
        return ok({"id": row_id, "deleted": True}) if found else refusal(404, f"{code}: {row_id}")


def ok(body: JsonObject) -> httpx.Response:
    return httpx.Response(200, json=body)


def refusal(
    status: int, message: str, param: str | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    rest = {"type": "invalid_request_error", "param": param, "code": "x", "retryable": False, "request_id": "r"}
    return httpx.Response(status, json={"error": {"message": message, **rest}}, headers=headers)


def _body(request: httpx.Request) -> Any:
    content_type = request.headers.get("content-type", "")
    raw = request.read()
    if content_type.startswith("multipart/"):
        return _form(content_type, raw)
    return json.loads(raw) if raw else None


def _form(content_type: str, body: bytes) -> JsonObject:
    """The values of fields, and the names of files."""
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    form: JsonObject = {}
    for part in parser.parsebytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body).iter_parts():
        disposition = part["content-disposition"]
        name, filename = disposition.params["name"], disposition.params.get("filename")
        if filename is None:
            form[name] = part.get_content().strip()
        else:
            form.setdefault(name, []).append(filename)
    return form


def json_lines(result: Result) -> list[JsonObject]:
    return [json.loads(line) for line in result.stdout.splitlines()]
