"""Closed-loop load generator for streams of server-sent events: each user has one open request at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=10)
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Call:
    url: str
    body: dict[str, Any]


@dataclass(slots=True)
class LoadAnswer:
    first_token_s: float | None = None
    total_s: float = 0.0
    tokens: int = 0
    """As the server reports them."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Tokens of the prompt that came from the prefix cache; our own services report them."""
    error: str = ""
    timings_ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """Results at one number of concurrent users."""

    users: int
    wall_s: float
    answers: list[LoadAnswer]

    @property
    def good(self) -> list[LoadAnswer]:
        return [a for a in self.answers if not a.error and a.first_token_s is not None]

    @property
    def first_token_ms(self) -> list[float]:
        return [a.first_token_s * 1000 for a in self.good if a.first_token_s is not None]

    @property
    def tokens_per_s(self) -> float:
        return sum(a.tokens for a in self.good) / self.wall_s

    @property
    def cached_share(self) -> float:
        """Prompt tokens from the prefix cache, divided by all prompt tokens."""
        prompts = sum(a.prompt_tokens for a in self.good)
        return sum(a.cached_tokens for a in self.good) / prompts if prompts else 0.0

    @property
    def errors(self) -> list[str]:
        return [a.error for a in self.answers if a.error]


def measure(calls: Sequence[Call], users: int, warm_up: Sequence[Call] = ()) -> Load:
    """Run all `calls` with `users` of them open at a time, after the warm-up calls.

    Raises:
        RuntimeError: a request failed, which makes the figures meaningless.
    """
    load = asyncio.run(_measure(calls, users, warm_up))
    if load.errors:
        raise RuntimeError(f"{len(load.errors)} of {len(calls)} requests failed, the first with: {load.errors[0]}")
    return load


async def _measure(calls: Sequence[Call], users: int, warm_up: Sequence[Call]) -> Load:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=TIMEOUT, connector=connector, read_bufsize=2**18) as session:
        for call in warm_up:
            await stream(session, call)
        waiting, answers = deque(calls), list[LoadAnswer]()

        async def user() -> None:
            while waiting:
                answers.append(await stream(session, waiting.popleft()))

        started = time.perf_counter()
        await asyncio.gather(*(user() for _ in range(users)))
        return Load(users, time.perf_counter() - started, answers)


async def stream(session: aiohttp.ClientSession, call: Call) -> LoadAnswer:
    """One request. Never raises; failures are reported in `error`."""
    answer, started = LoadAnswer(), time.perf_counter()
    try:
        async with session.post(call.url, json=call.body) as response:
            if response.status != 200:
                answer.error = f"HTTP {response.status}: {(await response.text())[:300]}"
            elif not await _read(response, answer, started):
                answer.error = "the stream ended without its final event"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        answer.error = f"{type(error).__name__}: {error}"
    answer.total_s = time.perf_counter() - started
    return answer


async def _read(response: aiohttp.ClientResponse, answer: LoadAnswer, started: float) -> bool:
    """Whether the stream ended with its final event: our `done`, or OpenAI's `[DONE]`."""
    name = ""
    async for line in response.content:
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            data = line[6:].strip()
            if data == b"[DONE]":
                return True
            if name == "token" and answer.first_token_s is not None:
                continue  # only the first token is timed: skip parsing
            _note(name, json.loads(data), answer, started)
            if name in ("done", "error") or answer.error:
                return name == "done"
    return False


def _note(name: str, data: dict[str, Any], answer: LoadAnswer, started: float) -> None:
    if name == "error" or "error" in data:
        answer.error = json.dumps(data)[:300]
    if _has_text(name, data) and answer.first_token_s is None:
        answer.first_token_s = time.perf_counter() - started
    if usage := data if name == "usage" else data.get("usage"):
        answer.tokens = int(usage["completion_tokens"])
        answer.prompt_tokens, answer.cached_tokens = usage.get("prompt_tokens", 0), usage.get("cached_tokens", 0)
    if name == "done":
        answer.timings_ms = data.get("timings_ms", {})


def _has_text(name: str, data: dict[str, Any]) -> bool:
    """Our event is named `token`; peers send a field of that name; OpenAI's completions have `choices`."""
    if name:
        return name == "token"
    return bool(data.get("token")) or any(choice.get("text") for choice in data.get("choices") or ())
