"""A rerank endpoint elsewhere: the shape that vLLM, Jina and Cohere share, or that of text-embeddings-inference."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from yarl import URL

from rag.errors import DependencyUnavailable, SetupError

_CONNECT_S = 5.0
_IDLE_S = 3.0
"""Idle connections are dropped before common servers drop them (after 5 s), so that none is closed under a request."""
_URL_OPTION, _KEY_OPTION, _MODEL_OPTION = "RAG_RERANK__URL", "RAG_RERANK__API_KEY", "RAG_RERANK__MODEL"


class HttpReranker:
    """See `rag.ports.Reranker`. For use inside one event loop.

    Args:
        url: Of the endpoint itself, such as https://host/v1/rerank.
        model: As the endpoint calls it; None: it has only one.
        api_key: Sent as a bearer token, and shown nowhere.

    Raises:
        SetupError: `url` is none, or `api_key` cannot be one.
    """

    def __init__(self, url: str, model: str | None, api_key: str | None, timeout_s: float) -> None:
        self._url = _checked(url)
        self._model = model
        self._headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}
        self._timeout_s = timeout_s
        self._takes_texts = False
        """The endpoint is one of text-embeddings-inference, as a refusal has told."""
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        where = f"{self._url.host}:{self._url.port}{self._url.path}"
        return f"remote:{where}" if self._model is None else f"remote:{where}:{self._model}"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The endpoint's scores; the sigmoid of all of them where one is not in [0, 1], since those are logits."""
        if not texts:
            return []
        found = _scores(await self._answer(query, list(texts)), len(texts))
        if found is None:
            raise self._unavailable("answered with something that is not one score for each passage")
        return found if all(0 <= score <= 1 for score in found) else [_sigmoid(score) for score in found]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _answer(self, query: str, texts: list[str]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                status, answer = await self._ask(query, texts)
        except TimeoutError:
            raise self._unavailable(f"did not answer within {self._timeout_s:g} s (RAG_RERANK__TIMEOUT_S)") from None
        except aiohttp.ClientError as error:
            raise self._unavailable(f"does not answer ({type(error).__name__})") from None
        except (ValueError, RecursionError):
            raise self._unavailable("answered with something that is not JSON") from None
        if status != 200:
            raise self._unavailable(_refusal(status))
        return answer

    async def _ask(self, query: str, texts: list[str]) -> tuple[int, Any]:
        if not self._takes_texts:
            body = {"query": query, "documents": texts, "top_n": len(texts)}
            status, answer = await self._post(body if self._model is None else {"model": self._model, **body})
            if status != 422:
                return status, answer
        status, answer = await self._post({"query": query, "texts": texts, "truncate": True})
        self._takes_texts = status == 200
        return status, answer

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, Any]:
        # No redirects: passages and key are for this address alone.
        async with self._open().post(self._url, json=body, headers=self._headers, allow_redirects=False) as response:
            return response.status, await response.json(content_type=None) if response.status == 200 else None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
                connector=aiohttp.TCPConnector(keepalive_timeout=_IDLE_S),
                trust_env=False,
            )
        return self._session

    def _unavailable(self, what: str) -> DependencyUnavailable:
        return DependencyUnavailable(f"the rerank endpoint at {self._url.host} {what}")


def _checked(url: str) -> URL:
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SetupError(f"{_URL_OPTION}: is not an address such as https://host/v1/rerank", param=_URL_OPTION)
    return parsed


def _checked_key(key: str) -> str:
    if not (stripped := key.strip()).isprintable() or not stripped.isascii():
        raise SetupError(f"{_KEY_OPTION}: has characters that no key has", param=_KEY_OPTION)
    return stripped


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"refused the key ({status}); see {_KEY_OPTION}"
    if status == 429:
        return "has had too many requests (429); try again later"
    if status < 500:
        return f"answered {status}; see {_URL_OPTION} and {_MODEL_OPTION}"
    return f"answered {status}; try again later"


def _scores(answer: Any, count: int) -> list[float] | None:
    """In the order of the passages; None: a passage has no score, or two, or one that is no number."""
    results = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(results, list) or len(results) != count:
        return None
    found: dict[int, float] = {}
    for result in results:
        index, score = _index_and_score(result)
        if type(index) is not int or not _is_finite(score):
            return None
        found[index] = float(score)
    return [found[index] for index in range(count)] if set(found) == set(range(count)) else None


def _index_and_score(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, dict):
        return None, None
    return result.get("index"), result.get("relevance_score", result.get("score"))


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, (bool, str)) and math.isfinite(value)
    except (TypeError, OverflowError):
        return False


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
