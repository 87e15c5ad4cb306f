"""External rerank endpoints: their responses, valid and invalid."""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from rag.adapters.http_reranker import HttpReranker
from rag.errors import DependencyUnavailable, SetupError
from tests.support.servers.loopback import served
from tests.support.servers.rerank_endpoint import RerankEndpoint

pytestmark = pytest.mark.integration

KEY = "sk-do-not-show-me"
TEXTS = ["the zebra eats", "rows of a store"]


@contextlib.asynccontextmanager
async def reranker_of(
    endpoint: RerankEndpoint, *, model: str | None = "some-model", key: str | None = KEY, timeout_s: float = 5.0
) -> AsyncIterator[HttpReranker]:
    async with served(endpoint) as url:
        reranker = HttpReranker(f"{url}/v1/rerank", model, key, timeout_s)
        try:
            yield reranker
        finally:
            await reranker.close()


async def scores_of(answer: Any) -> list[float]:
    endpoint = RerankEndpoint()
    endpoint.answer = answer if isinstance(answer, Response) else Response(json.dumps(answer))
    async with reranker_of(endpoint) as reranker:
        return await reranker.rerank("zebra", TEXTS)


async def refusal_of(answer: Any) -> str:
    with pytest.raises(DependencyUnavailable) as caught:
        await scores_of(answer)
    return caught.value.message


async def test_the_request_has_the_common_rerank_format() -> None:
    endpoint = RerankEndpoint()
    async with reranker_of(endpoint) as reranker:
        assert await reranker.rerank("a zebra", TEXTS) == [0.5, 0.5]
    ((headers, body),) = endpoint.requests
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {"model": "some-model", "query": "a zebra", "documents": TEXTS, "top_n": 2}


async def test_unset_options_are_not_sent() -> None:
    endpoint = RerankEndpoint()
    async with reranker_of(endpoint, model=None, key=None) as reranker:
        await reranker.rerank("a zebra", TEXTS)
        assert reranker.name.endswith("/v1/rerank")
    ((headers, body),) = endpoint.requests
    assert "authorization" not in headers
    assert "model" not in body


async def test_the_alternative_request_format_is_detected_once() -> None:
    endpoint = RerankEndpoint(takes_texts=True)
    async with reranker_of(endpoint) as reranker:
        for _ in range(2):
            assert await reranker.rerank("zebra", TEXTS) == [1.0, 0.0]
    assert [sorted(body) for _, body in endpoint.requests] == [
        ["documents", "model", "query", "top_n"],
        ["query", "texts", "truncate"],
        ["query", "texts", "truncate"],
    ]


async def test_logits_are_mapped_to_0_to_1_together() -> None:
    results = [{"index": 1, "relevance_score": 0.5}, {"index": 0, "relevance_score": -1000}]
    assert await scores_of({"results": results}) == [0.0, pytest.approx(1 / (1 + math.exp(-0.5)))]
    already_in_range = [{"index": 1, "relevance_score": 1}, {"index": 0, "relevance_score": 0}]
    assert await scores_of({"results": already_in_range}) == [0.0, 1.0]


def results(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"results": [{"index": index, "relevance_score": score} for index, score in pairs]}


@pytest.mark.parametrize(
    "answer",
    [
        results((0, 0.5)),
        results((0, 0.5), (0, 0.4)),
        results((0, 0.5), (2, 0.4)),
        results((0, 0.5), (-1, 0.4)),
        results((0, 0.5), (1, 0.4), (1, 0.4)),
        results((0, 0.5), (1, None)),
        results((0, 0.5), (1, "0.4")),
        results((0, 0.5), (1, True)),
        results((0, 0.5), (True, 0.4)),
        results((0, 0.5), (1.0, 0.4)),
        results((0, 0.5), (1, math.nan)),
        results((0, 0.5), (1, math.inf)),
        results((0, 0.5), (1, 10**400)),
        results((0, 0.5), ([], 0.4)),
        {"results": ["a", "b"]},
        {"results": {"0": 0.5, "1": 0.4}},
        {},
        [],
        None,
        "text",
    ],
    ids=str,
)
async def test_an_invalid_response_is_refused(answer: Any) -> None:
    assert "one score for each passage" in await refusal_of(answer)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"results": [', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "html", "cut", "bytes", "deep"],
)
async def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    assert "did not answer with" in await refusal_of(Response(body))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "refused the key (401); see RAG_RERANK__API_KEY"),
        (403, "refused the key (403); see RAG_RERANK__API_KEY"),
        (404, "answered 404; see RAG_RERANK__URL and RAG_RERANK__MODEL"),
        (422, "answered 422; see RAG_RERANK__URL"),
        (429, "too many requests (429)"),
        (500, "answered 500; try again later"),
        (503, "answered 503; try again later"),
    ],
)
async def test_every_error_says_what_to_do(status: int, expected: str) -> None:
    message = await refusal_of(JSONResponse({"error": f"no such key {KEY}"}, status_code=status))
    assert expected in message
    assert "127.0.0.1" in message


async def test_a_redirect_is_not_followed() -> None:
    assert "answered 307" in await refusal_of(RedirectResponse("https://elsewhere.example/rerank"))


async def test_an_endpoint_that_hangs_times_out() -> None:
    endpoint = RerankEndpoint()
    endpoint.hangs = True
    async with reranker_of(endpoint, timeout_s=0.2) as reranker:
        with pytest.raises(DependencyUnavailable, match=r"within 0\.2 s \(RAG_RERANK__TIMEOUT_S\)"):
            await reranker.rerank("zebra", TEXTS)
        endpoint.hangs = False
        assert await reranker.rerank("zebra", TEXTS) == [1.0, 0.0]


async def test_an_unreachable_endpoint_is_reported() -> None:
    reranker = HttpReranker("http://127.0.0.1:9/rerank", None, KEY, 5.0)
    with pytest.raises(DependencyUnavailable, match="does not answer"):
        await reranker.rerank("zebra", TEXTS)
    await reranker.close()


async def test_the_api_key_appears_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    messages = []
    for answer in (None, PlainTextResponse(KEY, 401), PlainTextResponse(KEY, 500), PlainTextResponse(KEY)):
        endpoint = RerankEndpoint()
        endpoint.answer = answer
        async with reranker_of(endpoint) as reranker:
            messages += [repr(reranker), str(reranker), reranker.name]
            try:
                await reranker.rerank("zebra", TEXTS)
            except DependencyUnavailable as error:
                messages += [repr(error), str(error), repr(error.__cause__)]
    assert KEY not in "".join(messages) + caplog.text


@pytest.mark.parametrize("url", ["", "host/rerank", "ftp://host/rerank", "http://", "http://[", "/rerank"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(SetupError, match="RAG_RERANK__URL"):
        HttpReranker(url, None, None, 5.0)


def test_an_api_key_may_end_with_a_newline_but_not_contain_one() -> None:
    HttpReranker("http://host/rerank", None, f"{KEY}\n", 5.0)
    with pytest.raises(SetupError, match="RAG_RERANK__API_KEY") as caught:
        HttpReranker("http://host/rerank", None, f"{KEY}\nX: y", 5.0)
    assert KEY not in caught.value.message
