"""The openai package's client without configuration from the environment."""

from __future__ import annotations

import ssl

import httpx2
from openai import AsyncOpenAI, AsyncStream, Omit, Timeout

from rag.types import JsonObject

_CONNECT_S = 5.0
_IDLE_S = 3.0
"""Idle connections are closed before common servers close them (after 5 s), so that no request loses its connection."""


class OpenAiClient(AsyncOpenAI):
    """A client that sends only the key and headers given here, and never retries.

    The package's own client adds values of environment variables (docs/bentoml_issues.md#o8).

    Args:
        key: Sent as a bearer token; empty: none is sent.
        timeout_s: Seconds without data after which a request fails.
    """

    def __init__(self, url: str, key: str, timeout_s: float) -> None:
        self._authorization: dict[str, str | Omit] = {"Authorization": f"Bearer {key}" if key else Omit()}
        timeout = Timeout(timeout_s, connect=_CONNECT_S, pool=None)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_IDLE_S)
        client = httpx2.AsyncClient(
            # No redirects: prompts and key must not go to another server.
            timeout=timeout, limits=limits, trust_env=False, follow_redirects=False, verify=ssl.create_default_context()
        )  # fmt: skip
        super().__init__(base_url=url, api_key=key or "none", timeout=timeout, max_retries=0, http_client=client)

    @property
    def default_headers(self) -> dict[str, str | Omit]:
        return {"Content-Type": "application/json", "User-Agent": "rag"}

    async def ask_models(self, timeout_s: float) -> object:
        """The JSON answer of `/models`, unchecked."""
        headers = self._headers("application/json")
        return await self.get("/models", cast_to=object, options={"timeout": Timeout(timeout_s), "headers": headers})

    async def open_stream(self, path: str, body: JsonObject, request_id: str) -> AsyncStream[object]:
        """The objects of a stream, once its response headers have arrived."""
        headers = {**self._headers("text/event-stream"), "X-Request-Id": request_id}
        return await self.post(
            path, body=body, cast_to=object, stream=True, stream_cls=AsyncStream[object], options={"headers": headers}
        )

    def _headers(self, accepted: str) -> dict[str, str | Omit]:
        return {**self._authorization, "Accept": accepted}
