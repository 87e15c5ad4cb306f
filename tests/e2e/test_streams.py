"""Streams that never lie, on the real engine and under load (docs/bentoml_issues.md#b1 to #b5, #b17)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest

from rag.http.streaming.sse import EventParser
from tests.e2e.running import ENDLESS_TOKENS, Answered, RunningService

TOKENS = 12
JAPANESE = "([ぁ-ん]|[一-龠]|ß|é){12,16}"


async def read(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Answered:
    parser, answered = EventParser(), Answered()
    async with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200, await response.aread()
        async for piece in response.aiter_bytes():
            answered.events += [(name, json.loads(data)) for name, data in parser.feed(piece)]
    return answered


def unlimited(service: RunningService) -> httpx.AsyncClient:
    """A client that drops idle connections before the server does, after 5 s: a request on a closed one would fail."""
    limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
    return httpx.AsyncClient(base_url=service.url, timeout=300, limits=limits)


@pytest.mark.parametrize(("streams", "calls"), [(12, 40), pytest.param(64, 300, marks=pytest.mark.long)])
async def test_streams_end_with_done_while_other_calls_run(filled: RunningService, streams: int, calls: int) -> None:
    """See docs/bentoml_issues.md#b1 (cut streams) and docs/bentoml_issues.md#b17 (answers with 503)."""
    async with unlimited(filled) as client:

        async def other(number: int) -> int:
            await asyncio.sleep(number * 0.02)
            return (await client.post("/retrieve", json={"query": f"press {number}", "top_k": 2})).status_code

        asks = asyncio.gather(*(read(client, "/ask", ask_for(number)) for number in range(streams)))
        statuses = await asyncio.gather(*(other(number) for number in range(calls)))
        answers = await asks
    assert set(statuses) == {200}
    assert [answer.names[-1] for answer in answers] == ["done"] * streams
    assert [answer.names.count("done") + answer.names.count("error") for answer in answers] == [1] * streams
    written = {answer.data("usage")["completion_tokens"] for answer in answers}
    assert max(written) == TOKENS


def ask_for(number: int) -> dict[str, Any]:
    question = f"Tell everything about the printing press of Gutenberg, part {number}."
    return {"question": question, "style": "written", "max_tokens": TOKENS, "temperature": 0.8, "seed": number}


async def test_streamed_non_ascii_text_equals_the_engines_own(filled: RunningService) -> None:
    """docs/bentoml_issues.md#b4: text that is split at 8 KiB and decoded block by block loses characters."""
    body = {
        "prompt": "日本語:",
        "max_tokens": 100,
        "temperature": 0.9,
        "structured_outputs": {"regex": JAPANESE},
    }
    bodies = [{**body, "seed": number} for number in range(2)]
    async with unlimited(filled) as client:
        streamed = await asyncio.gather(*(read(client, "/generate", one) for one in bodies))
    for answer in streamed:
        assert answer.names[-1] == "done"
        assert 12 <= len(answer.text) <= 16
        assert ord(max(answer.text)) > 0x2FFF
        assert "\ufffd" not in answer.text
    one = {**body, "temperature": 0}
    assert filled.stream("/generate", one).text == filled.post("/generate", {**one, "stream": False}).json()["text"]


async def test_forced_text_arrives_complete_under_load(filled: RunningService) -> None:
    """A structured choice of one text forces every character (docs/bentoml_issues.md#b4)."""
    texts = [f"№{number} " + "größer, 東京タワー, naïve café, Ωμέγα; " * 2 for number in range(8)]
    bodies = [{"prompt": "Write:", "max_tokens": 400, "structured_outputs": {"choice": [text]}} for text in texts]
    async with unlimited(filled) as client:
        answers = await asyncio.gather(*(read(client, "/generate", body) for body in bodies))
    assert [answer.names[-1] for answer in answers] == ["done"] * len(texts)
    assert [answer.text for answer in answers] == texts


LONG = {"prompt": "Once upon a time", "max_tokens": ENDLESS_TOKENS, "ignore_eos": True}


def test_a_disconnect_during_a_stream_stops_the_engine(filled: RunningService) -> None:
    with filled.open("/generate", LONG) as events:
        next(events)
        filled.wait_until_working()
    filled.wait_until_idle()


def test_a_disconnect_during_an_answer_stops_the_engine(filled: RunningService) -> None:
    body = {"question": "Who built the printing press?", "max_tokens": 4000, "temperature": 2.0}
    with filled.open("/ask", body) as events:
        names = [next(events)[0] for _ in range(4)]
        assert names[0] == "sources"
    filled.wait_until_idle()


@pytest.mark.parametrize("extra", [{"stream": True}, {"stream": False}], ids=["before the first token", "plain call"])
async def test_a_disconnect_before_the_first_byte_stops_the_engine(
    filled: RunningService, extra: dict[str, Any]
) -> None:
    """A long prompt delays the first token; a plain call sends none (docs/bentoml_issues.md#b5)."""
    body = {**LONG, "prompt": "word " * 1500, "max_tokens": 1500, **extra}
    async with unlimited(filled) as client:
        call = asyncio.ensure_future(client.post("/generate", json=body))
        await asyncio.to_thread(filled.wait_until_working)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
    filled.wait_until_idle()
