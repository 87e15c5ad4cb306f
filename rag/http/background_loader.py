"""A heavy thing that loads in the background, so that its service answers truthfully from the first second."""

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


class BackgroundLoader(Generic[T]):
    """Loads once; a dependency that is not there yet is waited for, any other failure is kept and told.

    Args:
        what: The thing in the words of a message, such as `the encoder`.
        load: Makes it; a `Starting` or `DependencyUnavailable` means try again.
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
        """The thing, if it is there."""
        return self._value

    def get(self) -> T:
        """The loaded thing.

        Raises:
            Starting: it is still loading, and for how long.
            RagError: why it could not be loaded.
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
                await asyncio.sleep(_RETRY_S / 2)
            except DependencyUnavailable as error:
                logger.warning("%s: %s; trying again", self._what, error)
                self._failure = error
                await asyncio.sleep(_RETRY_S)
            except Exception as error:
                logger.exception("%s could not be loaded", self._what)
                self._failure = (
                    error if isinstance(error, RagError) else DependencyUnavailable(f"{self._what}: {error}")
                )
                return
