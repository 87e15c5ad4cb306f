"""A fake of the whole service for evaluations. It ranks documents by the words that they share with the query."""

from __future__ import annotations

import email.parser
import email.policy
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from rag.http.streaming.sse import format_event
from rag.types import JsonObject
from tests.fakes.store.words import words

NOT_FOUND = "I found nothing about this in the documents."


@dataclass
class FakeEvalService:
    """Each document is one passage. The cosine is the share of the query's words that it contains."""

    answers: dict[str, str] = field(default_factory=dict)
    """Question -> answer. Other questions are answered with the best passage."""
    min_cosine: float = 0.3
    quotes: bool = True
    """Whether its answers are quoted."""
    is_reversed: Callable[[JsonObject], bool] = lambda _: False
    """Whether a request gets its hits in reverse order."""
    unreadable: frozenset[str] = frozenset()
    """Names of files whose ingest fails."""
    looks: int = 1
    """Number of status requests until a vector store's files are completed."""
    cached: bool = False
    busy: int = 0
    """Number of queries to reject before one is accepted."""
    busy_with: int = 503
    breaks_off: bool = False
    """Whether answer streams end without their final event."""
    stores: dict[str, JsonObject] = field(default_factory=dict)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    """Vector store id -> file name -> text."""
    seen: list[tuple[str, Any]] = field(default_factory=list)
    """Method and path of each request, with its JSON body or file names."""
    _left: int = 0
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def asked(self, route: str) -> list[Any]:
        return [body for seen, body in self.seen if seen == route]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            path, raw = request.url.path, request.read()
            body: Any = json.loads(raw) if raw and request.headers.get("content-type") == "application/json" else None
            if path == "/ingest":
                return self._ingest(request, raw)
            self.seen.append((f"{request.method} {path}", body))
            if path == "/retrieve":
                return self._retrieve(body)
            if path == "/ask":
                return self._ask(body)
            return self._store(request.method, path, body)

    # --- documents -----------------------------------------------------------------------------

    def _store(self, method: str, path: str, body: Any) -> httpx.Response:
        if (method, path) == ("POST", "/v1/vector_stores"):
            self._made += 1
            store_id = f"vs_{self._made}"
            self.stores[store_id] = {"id": store_id, "embedder": "fake", **body}
            self.texts[store_id] = {}
            return httpx.Response(200, json=self._with_counts(store_id))
        found = re.fullmatch("/v1/vector_stores/([^/]+)(/files)?", path)
        named = found and [i for i, store in self.stores.items() if found[1] in (i, store["name"])]
        if not found or not named:
            return refusal(404, f"no such vector store: {path}")
        if found[2]:
            error = {"message": "it is broken"}
            rows = [{"filename": name, "last_error": error} for name in self.texts[named[0]] if name in self.unreadable]
            return httpx.Response(200, json={"data": rows})
        if method == "DELETE":
            del self.stores[named[0]], self.texts[named[0]]
            return httpx.Response(200, json={"deleted": True})
        self._left = max(self._left - 1, 0)
        return httpx.Response(200, json=self._with_counts(named[0]))

    def _with_counts(self, store_id: str) -> JsonObject:
        names = self.texts[store_id]
        failed = len(self.unreadable & names.keys())
        waiting = len(names) if self._left else 0
        done = 0 if self._left else len(names) - failed
        counts = {"total": len(names), "in_progress": waiting, "completed": done, "failed": 0 if waiting else failed}
        return {**self.stores[store_id], "file_counts": counts}

    def _ingest(self, request: httpx.Request, raw: bytes) -> httpx.Response:
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        head = b"content-type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
        parts = list(parser.parsebytes(head + raw).iter_parts())
        named = {part["content-disposition"].params["name"]: part for part in parts}
        files = [part for part in parts if "filename" in part["content-disposition"].params]
        texts = {part["content-disposition"].params["filename"]: _text(part) for part in files}
        self.seen.append(("POST /ingest", sorted(texts)))
        self.texts[named["vector_store"].get_content().strip()] |= texts
        self._left = self.looks
        rows = [{"file_id": f"file-{name}", "filename": name, "status": "in_progress"} for name in texts]
        return httpx.Response(202, json={"files": rows, "batch_id": f"job_{len(self.seen)}", "status": "in_progress"})

    # --- questions -----------------------------------------------------------------------------

    def _retrieve(self, body: JsonObject) -> httpx.Response:
        if self.busy:
            self.busy -= 1
            return refusal(self.busy_with, "the engine is starting", retry_after="0")
        if "nonsense" in body:
            return refusal(400, "nonsense: is not a field of this request")
        hits = self._hits(body, body["query"])
        timings = {"retrieve": 1.0, **({"cached": 0.0} if self.cached else {})}
        return httpx.Response(200, json={"hits": hits, "timings_ms": timings})

    def _hits(self, body: JsonObject, query: str) -> list[JsonObject]:
        asked = set(words(query))
        found: list[JsonObject] = []
        for name, text in self.texts[body["vector_store"]].items():
            cosine = len(asked & set(words(text))) / len(asked)
            explain = {"explain": {"cosine": cosine, "ranks": {}}} if body.get("explain") else {}
            found.append({"filename": name, "text": text, "score": cosine, **explain})
        found.sort(key=lambda hit: (-hit["score"], hit["filename"]), reverse=self.is_reversed(body))
        return found[: body.get("top_k") or 4]

    def _ask(self, body: JsonObject) -> httpx.Response:
        hits = self._hits(body, body["question"])
        is_known = hits[0]["score"] >= self.min_cosine
        found = self.answers.get(body["question"]) or str(hits[0]["text"])
        text = found if is_known else NOT_FOUND
        reason = "stop" if is_known else "no_sources"
        quoted: JsonObject = {"style": "quoted", "confidence": hits[0]["score"]} if self.quotes else {}
        events: list[tuple[str, JsonObject]] = [
            ("sources", {"sources": hits if is_known else []}),
            ("token", {"text": text[:3]}),
            ("token", {"text": text[3:]}),
            (
                "done",
                {"finish_reason": reason, **quoted, "citations": [{"index": 1}] if is_known else [], "timings_ms": {}},
            ),
        ]
        sent = events[:-1] if self.breaks_off else events
        return httpx.Response(200, content=b"".join(format_event(name, data) for name, data in sent))


def _text(part: Any) -> str:
    content = part.get_payload(decode=True)
    return str(content.decode())


def refusal(status: int, message: str, retry_after: str | None = None) -> httpx.Response:
    rest = {"type": "invalid_request_error", "param": None, "code": "x", "retryable": False, "request_id": "r"}
    headers = {"retry-after": retry_after} if retry_after else None
    return httpx.Response(status, json={"error": {"message": message, **rest}}, headers=headers)
