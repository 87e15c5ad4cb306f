"""Loads a value in the background, so that the service can answer probes meanwhile (docs/bentoml_issues.md#b19)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from rag.errors import DependencyUnavailable, RagError, Starting

logger = logging.getLogger("rag.loader")
T = TypeVar("T")
_RETRY_S = 1.0
_RETRY_STARTING_S = 0.5


class BackgroundLoader(Generic[T]):
    """Loads a value once. Retryable errors, such as an unavailable dependency, are retried; others are final.

    Args:
        what: Description of the value for messages, such as `the encoder`.
        load: Returns the value. Called again after errors that are `retryable`.
    """

    def __init__(self, what: str, load: Callable[[], Awaitable[T]]) -> None:
        self._what = what
        self._load = load
        self._value: T | None = None
        self._failure: RagError | None = None
        self._since = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_loading())

    @property
    def loaded(self) -> T | None:
        """The value, or None while it is not loaded."""
        return self._value

    def get(self) -> T:
        """The loaded value.

        Raises:
            Starting: it is still loading; says for how long.
            RagError: the failure that ended loading.
        """
        if self._value is not None:
            return self._value
        if self._failure is not None:
            raise type(self._failure)(self._failure.message)
        raise Starting(f"{self._what} is loading ({time.monotonic() - self._since:.0f} s so far)")

    async def _keep_loading(self) -> None:
        while self._value is None:
            try:
                self._value = await self._load()
                logger.info("%s is ready after %.0f s", self._what, time.monotonic() - self._since)
            except Starting:
                await asyncio.sleep(_RETRY_STARTING_S)
            except Exception as error:
                self._failure = (
                    error if isinstance(error, RagError) else DependencyUnavailable(f"{self._what}: {error}")
                )
                if not (isinstance(error, RagError) and error.retryable):
                    logger.exception("%s could not be loaded", self._what)
                    return
                logger.warning("%s could not be loaded, retrying: %s", self._what, error)
                await asyncio.sleep(_RETRY_S)
