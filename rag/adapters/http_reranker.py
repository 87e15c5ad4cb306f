"""A client of a rerank endpoint with the API of vLLM, Jina and Cohere, or of text-embeddings-inference."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

import aiohttp
from yarl import URL

from rag.errors import DependencyUnavailable, SetupError

_CONNECT_S = 5.0
_IDLE_S = 3.0
"""Idle connections are closed before common servers close them (after 5 s)."""
_URL_OPTION, _KEY_OPTION, _MODEL_OPTION = "RAG_RERANK__URL", "RAG_RERANK__API_KEY", "RAG_RERANK__MODEL"


class HttpReranker:
    """Scores passages with a rerank endpoint. Implements `rag.ports.Reranker`, for one event loop.

    Args:
        url: URL of the endpoint, such as https://host/v1/rerank.
        model: The endpoint's name of the model; None: the endpoint has only one.
        api_key: Sent as a bearer token; never logged.

    Raises:
        SetupError: `url` or `api_key` is not valid.
    """

    def __init__(self, url: str, model: str | None, api_key: str | None, timeout_s: float) -> None:
        self._url = _checked(url)
        self._model = model
        self._headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key else {}
        self._timeout_s = timeout_s
        self._takes_texts = False
        """Whether the endpoint has the API of text-embeddings-inference; found out by its 422."""
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        where = f"{self._url.host}:{self._url.port}{self._url.path}"
        return f"remote:{where}" if self._model is None else f"remote:{where}:{self._model}"

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The endpoint's scores. If one is not in [0, 1] they are logits, and the sigmoid of all is returned."""
        if not texts:
            return []
        scores = _scores(await self._answer(query, list(texts)), len(texts))
        if scores is None:
            raise self._unavailable("did not answer with one score for each passage")
        return scores if all(0 <= score <= 1 for score in scores) else [_sigmoid(score) for score in scores]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _answer(self, query: str, texts: list[str]) -> object:
        try:
            async with asyncio.timeout(self._timeout_s):
                status, answer = await self._ask(query, texts)
        except TimeoutError:
            raise self._unavailable(f"did not answer within {self._timeout_s:g} s (RAG_RERANK__TIMEOUT_S)") from None
        except aiohttp.ClientError as error:
            raise self._unavailable(f"does not answer ({type(error).__name__})") from None
        except (ValueError, RecursionError):
            raise self._unavailable("did not answer with JSON") from None
        if status != 200:
            raise self._unavailable(_refusal(status))
        return answer

    async def _ask(self, query: str, texts: list[str]) -> tuple[int, object]:
        if not self._takes_texts:
            body: dict[str, object] = {"query": query, "documents": texts, "top_n": len(texts)}
            status, answer = await self._post(body if self._model is None else {"model": self._model, **body})
            if status != 422:
                return status, answer
        status, answer = await self._post({"query": query, "texts": texts, "truncate": True})
        self._takes_texts = status == 200
        return status, answer

    async def _post(self, body: Mapping[str, object]) -> tuple[int, object]:
        # No redirects: passages and key must not go to another server.
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
        raise SetupError(f"{_URL_OPTION}: must be a URL such as https://host/v1/rerank", param=_URL_OPTION)
    return parsed


def _checked_key(key: str) -> str:
    if not (stripped := key.strip()).isprintable() or not stripped.isascii():
        raise SetupError(f"{_KEY_OPTION}: must be printable ASCII", param=_KEY_OPTION)
    return stripped


def _refusal(status: int) -> str:
    if status in (401, 403):
        return f"refused the key ({status}); see {_KEY_OPTION}"
    if status == 429:
        return "received too many requests (429); try again later"
    if status < 500:
        return f"answered {status}; see {_URL_OPTION} and {_MODEL_OPTION}"
    return f"answered {status}; try again later"


def _scores(answer: object, count: int) -> list[float] | None:
    """Scores in the order of the passages; None if a passage has no score, two scores, or one that is not a number."""
    results = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(results, list) or len(results) != count:
        return None
    scores: dict[int, float] = {}
    for result in results:
        index, value = _index_and_score(result)
        score = _number(value)
        if not isinstance(index, int) or isinstance(index, bool) or score is None:
            return None
        scores[index] = score
    return [scores[index] for index in range(count)] if set(scores) == set(range(count)) else None


def _index_and_score(result: object) -> tuple[object, object]:
    if not isinstance(result, dict):
        return None, None
    return result.get("index"), result.get("relevance_score", result.get("score"))


def _number(value: object) -> float | None:
    """A finite number as a float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
