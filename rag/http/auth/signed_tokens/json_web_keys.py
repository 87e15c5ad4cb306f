"""The public keys of an identity provider (JWKS), from a file or a URL."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp

from rag.errors import DependencyUnavailable, Unauthenticated
from rag.poller import Poller
from rag.types import JsonObject

_MIN_INTERVAL_S = 10.0
"""Minimum time between two refreshes caused by unknown key ids, because anyone can send tokens with such ids."""
_RETRY_S = 5.0
"""While there are no keys."""
_TIMEOUT_S = 10.0
_MAX_BYTES = 1024 * 1024
_KEY_TYPES = ("RSA", "EC", "OKP")
"""Types of public keys. `oct` must never be one of them: anyone who can read such a key could sign tokens."""
_log = logging.getLogger("rag.auth")

Read = Callable[[], Awaitable[bytes]]
"""Returns a JWKS. Raises OSError, TimeoutError or aiohttp.ClientError."""


class JsonWebKeys:
    """Keys by their ids. They are read regularly, and when a token names an unknown one; old ones stay if that fails.

    Args:
        read: See `reader`.
        refresh_s: Seconds after which they are read again.
        clock: Seconds, for tests.
    """

    def __init__(self, read: Read, *, refresh_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._refresh_s = refresh_s
        self._clock = clock
        self._keys: Mapping[str | None, JsonObject] = {}
        self._problem = "they are not loaded yet"
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._poller = Poller(self._poll)

    def start(self) -> None:
        self._poller.start()

    def stop(self) -> None:
        self._poller.stop()

    def check(self) -> None:
        """Raises DependencyUnavailable if there are no keys; says why."""
        if not self._keys:
            raise DependencyUnavailable(f"the keys of the identity provider (RAG_JWT__JWKS): {self._problem}")

    async def find(self, key_id: str | None) -> JsonObject:
        """The key with this id. None: the only key.

        Raises:
            Unauthenticated: there is no such key.
            DependencyUnavailable: there are no keys at all.
        """
        if self._known(key_id) is None:
            await self._refresh(_MIN_INTERVAL_S)
        self.check()
        if (key := self._known(key_id)) is None:
            named = "names no key (kid)" if key_id is None else f"is signed with the unknown key {key_id[:80]!a}"
            raise Unauthenticated(f"the token {named}")
        return key

    def _known(self, key_id: str | None) -> JsonObject | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    async def _poll(self) -> float:
        await self._refresh(0.0)
        return self._refresh_s if self._keys else _RETRY_S

    async def _refresh(self, min_interval_s: float) -> None:
        """Read the keys, unless that was done less than `min_interval_s` ago."""
        async with self._lock:
            if self._clock() - self._read_at < min_interval_s:
                return
            self._read_at = self._clock()
            try:
                self._keys = _keys_of(await self._read())
            except (OSError, TimeoutError, ValueError, RecursionError, aiohttp.ClientError) as error:
                self._problem = f"{type(error).__name__}: {error}"[:300]
                kept = f"; the {len(self._keys)} known ones stay valid" if self._keys else ""
                _log.warning("reading RAG_JWT__JWKS failed: %s%s", self._problem, kept)


def _keys_of(data: bytes) -> dict[str | None, JsonObject]:
    """The keys for signatures. Raises ValueError if there are none."""
    document = json.loads(data)
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = [key for key in listed if _is_for_signatures(key)] if isinstance(listed, list) else []
    if not keys:
        raise ValueError("it has no public keys for signatures")
    if len(keys) > 1:
        keys = [key for key in keys if "kid" in key]
    return {key.get("kid"): key for key in keys}


def _is_for_signatures(key: object) -> bool:
    if not isinstance(key, dict) or key.get("kty") not in _KEY_TYPES or key.get("use", "sig") != "sig":
        return False
    return isinstance(key.get("kid", ""), str) and "verify" in key.get("key_ops", ["verify"])


def reader(source: str) -> Read:
    """Reads a JWKS from a URL, or from a file."""
    if not source.startswith(("https://", "http://")):
        return lambda: asyncio.to_thread(Path(source).read_bytes)

    async def fetch() -> bytes:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session, session.get(source) as response:
            response.raise_for_status()
            data = await response.content.read(_MAX_BYTES + 1)
            while len(data) <= _MAX_BYTES and (more := await response.content.read(_MAX_BYTES + 1 - len(data))):
                data += more
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes")
        return data

    return fetch
