"""Requests to the service, timed where the user stands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from evals.harness.eval_set import BadInput
from rag.http.streaming.sse import EventParser
from rag.types import JsonObject
from rag.upload import ServiceError, error_message, with_retries

_TRIES = 7
ASK_ONLY = frozenset({"max_tokens", "temperature", "top_p", "seed", "stop"})
"""Fields of a configuration that `/retrieve` does not know."""
_WITHIN = frozenset({"mode", "rerank"})
OURS = frozenset({"query", "question", "vector_store", "explain", "history", "response_format"})
"""Fields of requests that no configuration may set."""
T = TypeVar("T")
R = TypeVar("R")


class NotThere(ServiceError):
    """The service knows nothing of that id or name."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is measured: fields that go with each request. None at all: the service as it is set."""

    name: str
    request: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if refused := sorted(OURS & self.request.keys()):
            raise BadInput(f"the configuration {self.name} cannot set {refused[0]}")

    def for_retrieve(self, **defaults: Any) -> JsonObject:
        return {**defaults, **{name: value for name, value in self.request.items() if name not in ASK_ONLY}}

    def for_ask(self, **defaults: Any) -> JsonObject:
        """`/ask` takes `mode` and `rerank` within `retrieval` alone."""
        own = {name: value for name, value in self.request.items() if name not in _WITHIN}
        within = {name: value for name, value in self.request.items() if name in _WITHIN}
        return {**defaults, **own, **({"retrieval": {**own.get("retrieval", {}), **within}} if within else {})}


@dataclass(frozen=True, slots=True)
class EvalRetrieval:
    """What `/retrieve` gave."""

    hits: list[JsonObject]
    ms: float | None
    """From sending to the last byte; None: it came from a cache, or had to be asked for again."""


@dataclass(frozen=True, slots=True)
class EvalAnswer:
    """What `/ask` gave."""

    text: str
    finish_reason: str
    sources: list[JsonObject]
    ms: float | None
    """As for `EvalRetrieval`."""
    first_token_ms: float | None


def call(client: httpx.Client, method: str, path: str, body: object = None, tries: int = 1, **query: Any) -> JsonObject:
    """The JSON object that the service answers."""
    sent: dict[str, Any] = {} if body is None else {"json": body}
    response = with_retries(lambda: client.request(method, path, params=query or None, **sent), attempts=tries)
    return _answered(response)


def retrieve(client: httpx.Client, body: JsonObject) -> EvalRetrieval:
    timed = _Timed(lambda: client.post("/retrieve", json=body))
    found = _answered(timed.with_retries())
    return EvalRetrieval(found["hits"], None if _was_cached(found) else timed.ms)


def ask(client: httpx.Client, body: JsonObject) -> EvalAnswer:
    """Raises ServiceError also when the answer breaks off."""
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

    timed = _Timed(stream)
    _check(timed.with_retries())
    return _whole(events, timed.ms, first_token_ms)


def _whole(events: Sequence[tuple[str, JsonObject]], ms: float | None, first_token_ms: Sequence[float]) -> EvalAnswer:
    last, data = events[-1] if events else ("", {})
    if last != "done":
        raise ServiceError(f"an answer broke off: {data.get('message', 'the connection was lost')}")
    text = "".join(str(data["text"]) for name, data in events if name == "token")
    sources: list[JsonObject] = next((data["sources"] for name, data in events if name == "sources"), [])
    counts = ms is not None and not _was_cached(data)
    return EvalAnswer(
        text=text,
        finish_reason=str(data.get("finish_reason")),
        sources=sources,
        ms=ms if counts else None,
        first_token_ms=first_token_ms[0] if first_token_ms and counts else None,
    )


def _was_cached(told: JsonObject) -> bool:
    return bool({"cached", "cached_answer"} & told.get("timings_ms", {}).keys())


@dataclass(slots=True)
class _Timed:
    """A request whose time counts when it went well at the first try."""

    send: Callable[[], httpx.Response]
    tries: int = 0
    taken_ms: float = 0.0

    @property
    def ms(self) -> float | None:
        return round(self.taken_ms, 3) if self.tries == 1 else None

    def with_retries(self) -> httpx.Response:
        return with_retries(self._once, attempts=_TRIES)

    def _once(self) -> httpx.Response:
        self.tries += 1
        started = time.perf_counter()
        response = self.send()
        self.taken_ms = (time.perf_counter() - started) * 1000
        if response.status_code == httpx.codes.GATEWAY_TIMEOUT:
            raise ServiceError(error_message(response))  # it would take as long the next time
        return response


def side_by_side(
    work: Callable[[T], R], items: Sequence[T], concurrency: int, show: Callable[[int, int], object]
) -> list[R]:
    """The results in the order of the items, so many in work at once; the first that fails ends it."""
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


def _answered(response: httpx.Response) -> JsonObject:
    _check(response)
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServiceError(f"{response.url} does not answer as this service does; is the address right?")
    return body


def _check(response: httpx.Response) -> None:
    """Raises BadInput where the request itself is refused: its options are the user's."""
    if response.is_success:
        return
    message = error_message(response)
    if response.status_code == 404:
        raise NotThere(message)
    if response.status_code == 400:
        raise BadInput(f"the service refuses the request: {message}")
    raise ServiceError(message)
