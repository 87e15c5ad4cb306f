from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from rag.errors import DependencyUnavailable
from rag.ports import Pieces
from rag.types import Chat, Finished, ModelInput, TextPiece, Usage
from tests.fakes.words import words


class FakeGenerator:
    """Streams the words of `text`.

    Args:
        text: Or what makes it from prompt and sampling; what that raises, the request is refused with.
        dies_after: pieces after which it fails as a dead engine does.
        stalls_after: pieces after which nothing more comes.
        accepts: waited for before the request is accepted.
        start: waited for before the first piece.
        closes_badly: whether closing what it writes fails, as a connection that breaks at its end.
    """

    def __init__(
        self,
        text: str | Callable[[Any, Mapping[str, Any]], str] = "the answer",
        *,
        dies_after: int | None = None,
        stalls_after: int | None = None,
        accepts: asyncio.Event | None = None,
        start: asyncio.Event | None = None,
        closes_badly: bool = False,
    ) -> None:
        self.text = text
        self.dies_after = dies_after
        self.stalls_after = stalls_after
        self.accepts = accepts
        self.start = start
        self.closes_badly = closes_badly
        self.running = 0
        self.cancelled = 0
        self.requests: list[tuple[Any, Mapping[str, Any], str]] = []
        self.models: list[str] = []

    async def generate(
        self, prompt: ModelInput, sampling: Mapping[str, Any], request_id: str, *, model: str = ""
    ) -> Pieces:
        if self.accepts is not None:
            await self.accepts.wait()
        self.requests.append((prompt, sampling, request_id))
        self.models.append(model)
        text = self.text if isinstance(self.text, str) else self.text(prompt, sampling)
        pieces = self._watched(text, prompt, sampling)
        await anext(pieces)
        return pieces

    async def _watched(self, text: str, prompt: ModelInput, sampling: Mapping[str, Any]) -> Pieces:
        """Counts what runs. Its first item only says that the request was accepted, so that closing it is noticed."""
        self.running += 1
        try:
            yield TextPiece("")
            if self.start is not None:
                await self.start.wait()
            async for piece in self._pieces(text, prompt, sampling):
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            if self.closes_badly:
                raise DependencyUnavailable("the connection was lost")

    async def _pieces(
        self, whole: str, prompt: ModelInput, sampling: Mapping[str, Any]
    ) -> AsyncGenerator[TextPiece | Finished, None]:
        scripted = re.findall(r"\S+\s*", whole)
        pieces = scripted[: sampling.get("max_tokens") or len(scripted)]
        for index, text in enumerate(pieces):
            if index == self.dies_after:
                raise DependencyUnavailable("the engine died")
            if index == self.stalls_after:
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            yield TextPiece(text)
        if self.dies_after is not None:
            raise DependencyUnavailable("the engine died")
        yield Finished("stop" if len(pieces) == len(scripted) else "length", Usage(_tokens(prompt), len(pieces)))


def _tokens(prompt: ModelInput) -> int:
    if isinstance(prompt, Chat):
        return sum(len(words(str(message["content"]))) for message in prompt.messages)
    return len(words(prompt)) if isinstance(prompt, str) else len(prompt)
