"""Stores chat completions whose requests have `store: true`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from rag.errors import InvalidRequest, RagError
from rag.generate.events import AnswerEvent, AnswerStream, Done
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.v1.chat.body import ChatBody
from rag.http.v1.chat.messages import MessageIn
from rag.http.v1.chat.objects import ChatMetadata, completion_object
from rag.http.v1.text_generation.file_parts import FilePart
from rag.types import REASONING, JsonObject

logger = logging.getLogger("rag.completions")


class CompletionMemory:
    """Stores the chat completions whose requests ask for it.

    Args:
        may_store: Whether the service keeps completions at all.
    """

    def __init__(self, responses: RemoteResponses, *, may_store: bool) -> None:
        self._responses = responses
        self._may_store = may_store

    async def check(self, body: ChatBody) -> None:
        """Raises InvalidRequest or QuotaExceeded if the request asks for storing and that is not possible."""
        if not body.store:
            return
        if not self._may_store:
            raise InvalidRequest("store: this service keeps nothing (RAG_RESPONSES__STORE)", param="store")
        await self._responses.check_quota()

    @asynccontextmanager
    async def kept(
        self, source: AbstractAsyncContextManager[AnswerStream], body: ChatBody, reply: ChatMetadata
    ) -> AsyncIterator[AnswerStream]:
        """The answer. If the request asks for it, the completion is stored before the last event is returned."""
        async with source as answer:
            if not body.store:
                yield answer
                return
            async with aclosing(self._keeping(answer, body, reply)) as events:
                yield events

    async def _keeping(
        self, answer: AnswerStream, body: ChatBody, reply: ChatMetadata
    ) -> AsyncGenerator[AnswerEvent, None]:
        seen: list[AnswerEvent] = []
        async for event in answer:
            seen.append(event)
            if isinstance(event, Done):
                await self._keep(await completion_object(_replayed(seen), reply), body)
            yield event

    async def _keep(self, completion: JsonObject, body: ChatBody) -> None:
        """Store the completion. If that fails, the client still gets its answer."""
        messages = [_stored(message, f"{completion['id']}-{n}") for n, message in enumerate(body.messages)]
        try:
            await self._responses.keep_completion(completion, messages, body.metadata or {})
        except RagError as error:
            logger.warning("the chat completion %s is not kept: %s", completion["id"], error.message)


async def _replayed(events: Sequence[AnswerEvent]) -> AsyncIterator[AnswerEvent]:
    for event in events:
        yield event


def _stored(message: MessageIn, message_id: str) -> JsonObject:
    own = {name: value for name, value in message.for_model().items() if name != REASONING}
    own["content"] = message.own_text
    parts = [part.model_dump(exclude_none=True) for part in message.content or () if not isinstance(part, FilePart)]
    return {"id": message_id, **own, "role": message.role, "content_parts": parts if message.images else None}
