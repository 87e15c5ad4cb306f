"""Requests to the service, timed by the client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from evals.harness.eval_set import InputError
from rag.http.streaming.sse import EventParser
from rag.types import JsonObject
from rag.upload import ServiceError, error_message, with_retries

_MAX_ATTEMPTS = 7
ASK_ONLY_FIELDS = frozenset({"max_tokens", "temperature", "top_p", "seed", "stop", "style"})
"""Fields of a configuration that `/retrieve` does not accept."""
_RETRIEVAL_FIELDS = frozenset({"mode", "rerank"})
RESERVED_FIELDS = frozenset({"query", "question", "vector_store", "explain", "history", "response_format"})
"""Request fields that the harness sets itself."""
T = TypeVar("T")
R = TypeVar("R")


class NotFound(ServiceError):
    """The service has no object with that id or name."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration to measure: fields added to each request. Empty: the service's own settings."""

    name: str
    request: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if refused := sorted(RESERVED_FIELDS & self.request.keys()):
            raise InputError(f"the configuration {self.name} cannot set {refused[0]}")

    def for_retrieve(self, **defaults: Any) -> JsonObject:
        return {**defaults, **{name: value for name, value in self.request.items() if name not in ASK_ONLY_FIELDS}}

    def for_ask(self, **defaults: Any) -> JsonObject:
        """In `/ask`, `mode` and `rerank` are fields of `retrieval`."""
        own = {name: value for name, value in self.request.items() if name not in _RETRIEVAL_FIELDS}
        within = {name: value for name, value in self.request.items() if name in _RETRIEVAL_FIELDS}
        return {**defaults, **own, **({"retrieval": {**own.get("retrieval", {}), **within}} if within else {})}


@dataclass(frozen=True, slots=True)
class EvalRetrieval:
    """The result of `/retrieve`."""

    hits: list[JsonObject]
    ms: float | None
    """From sending to the last byte. None if it came from a cache or the request was retried."""


@dataclass(frozen=True, slots=True)
class EvalAnswer:
    """The result of `/ask`."""

    text: str
    finish_reason: str
    sources: list[JsonObject]
    ms: float | None
    """As in `EvalRetrieval`."""
    first_token_ms: float | None
    citations: int = 0
    style: str = ""
    confidence: float | None = None
    """Of a quoted answer; None if no encoder compared its quotes with the question."""


def request_json(
    client: httpx.Client, method: str, path: str, body: object = None, tries: int = 1, **query: Any
) -> JsonObject:
    """The JSON object in the service's response."""
    sent: dict[str, Any] = {} if body is None else {"json": body}
    response = with_retries(lambda: client.request(method, path, params=query or None, **sent), attempts=tries)
    return _json_object(response)


def retrieve(client: httpx.Client, body: JsonObject) -> EvalRetrieval:
    timed = _TimedRequest(lambda: client.post("/retrieve", json=body))
    found = _json_object(timed.with_retries())
    return EvalRetrieval(found["hits"], None if _was_cached(found) else timed.ms)


def ask(client: httpx.Client, body: JsonObject) -> EvalAnswer:
    """Raises ServiceError, also if the stream ends early."""
    first_token_ms: list[float] = []
    events: list[tuple[str, JsonObject]] = []

    def stream() -> httpx.Response:
        started = time.perf_counter()
        first_token_ms.clear()
        events.clear()
        with client.stream("POST", "/ask", json=body) as response:
            if not response.is_success:
                response.read()
                return response
            parser = EventParser()
            for piece in response.iter_bytes():
                for name, data in parser.feed(piece):
                    if name == "token" and not first_token_ms:
                        first_token_ms.append((time.perf_counter() - started) * 1000)
                    events.append((name, json.loads(data)))
        return response

    timed = _TimedRequest(stream)
    _check(timed.with_retries())
    return _eval_answer(events, timed.ms, first_token_ms)


def _eval_answer(
    events: Sequence[tuple[str, JsonObject]], ms: float | None, first_token_ms: Sequence[float]
) -> EvalAnswer:
    last, data = events[-1] if events else ("", {})
    if last != "done":
        raise ServiceError(f"the answer stream ended early: {data.get('message', 'the connection was lost')}")
    text = "".join(str(data["text"]) for name, data in events if name == "token")
    sources: list[JsonObject] = next((data["sources"] for name, data in events if name == "sources"), [])
    counts = ms is not None and not _was_cached(data)
    return EvalAnswer(
        text=text,
        finish_reason=str(data.get("finish_reason")),
        sources=sources,
        ms=ms if counts else None,
        first_token_ms=first_token_ms[0] if first_token_ms and counts else None,
        citations=len(data.get("citations", ())),
        style=str(data.get("style", "")),
        confidence=data.get("confidence"),
    )


def _was_cached(answer: JsonObject) -> bool:
    return bool({"cached", "cached_answer"} & answer.get("timings_ms", {}).keys())


@dataclass(slots=True)
class _TimedRequest:
    """A request whose time counts only if the first attempt succeeded."""

    send: Callable[[], httpx.Response]
    tries: int = 0
    taken_ms: float = 0.0

    @property
    def ms(self) -> float | None:
        return round(self.taken_ms, 3) if self.tries == 1 else None

    def with_retries(self) -> httpx.Response:
        return with_retries(self._once, attempts=_MAX_ATTEMPTS)

    def _once(self) -> httpx.Response:
        self.tries += 1
        started = time.perf_counter()
        response = self.send()
        self.taken_ms = (time.perf_counter() - started) * 1000
        if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise ServiceError(error_message(response))  # a retry would take as long
        return response


def map_concurrently(
    work: Callable[[T], R], items: Sequence[T], concurrency: int, show: Callable[[int, int], object]
) -> list[R]:
    """Results in the order of the items, with at most `concurrency` in progress. The first failure ends it."""
    results: list[R] = []
    with ThreadPoolExecutor(concurrency, thread_name_prefix="eval") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                results.append(future.result())
                show(len(results), len(items))
        finally:
            for future in futures:
                future.cancel()
    return results


def _json_object(response: httpx.Response) -> JsonObject:
    _check(response)
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServiceError(f"{response.url} did not return a JSON object: check the service's address")
    return body


def _check(response: httpx.Response) -> None:
    """Raises InputError for status 400: the user's options are at fault."""
    if response.is_success:
        return
    message = error_message(response)
    if response.status_code == 404:
        raise NotFound(message)
    if response.status_code == 400:
        raise InputError(f"the service rejected the request: {message}")
    raise ServiceError(message)
