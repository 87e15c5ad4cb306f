"""Looks up the earlier turns that a response continues, and stores the response."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from rag.errors import InvalidRequest, RagError
from rag.http.clients.remote_compaction import RemoteCompaction
from rag.http.clients.remote_responses import RemoteResponses, has_quota
from rag.http.streaming.event_stream import Event
from rag.http.v1.responses.output.events import FINAL
from rag.http.v1.responses.request.body import ResponsesBody
from rag.http.v1.responses.request.input import InputItem, stored_item
from rag.http.v1.responses.request.turns import check_fields, has_function_calls
from rag.library.answers.earlier_turns import TurnsQuery
from rag.types import JsonMapping

logger = logging.getLogger("rag.responses")
_OUTPUT_ITEMS = 1
"""Items of the answer for which a conversation must have room. What an answer has beyond it is added all the same."""


@dataclass(frozen=True, slots=True)
class RequestedTurns:
    """The conversation that a request is about. What was compacted is opened."""

    input: Sequence[InputItem]
    """The input of the request, with each item reference replaced by its item. In the place of items that a compaction
    has replaced stands its item, which is no turn, so that positions stay the same.
    """
    history: Sequence[InputItem]
    """The items before: those of the previous responses or of the conversation, or the turns of the compaction."""
    given: Sequence[InputItem]
    """The input of the request as it is kept: with each item reference replaced by its item."""
    earlier: Sequence[InputItem] = ()
    """The items of the previous responses, or of the conversation, as they were kept."""

    @property
    def note(self) -> str:
        """What an answer from documents leaves out of the conversation."""
        ignored = ["function calls and their outputs"] if has_function_calls((*self.history, *self.input)) else []
        ignored += ["images of earlier turns"] if any(item.images for item in self.history) else []
        return f"input: {' and '.join(ignored)} are ignored by answers from documents" if ignored else ""


class Continuing(Protocol):
    """A request that may continue a conversation."""

    @property
    def input(self) -> Sequence[InputItem]: ...

    @property
    def previous_response_id(self) -> str | None: ...

    @property
    def conversation(self) -> str | None: ...


class ResponseMemory:
    """The stored responses and conversations that requests continue and add to.

    Args:
        may_store: Whether the service keeps responses and conversations at all.
    """

    def __init__(self, responses: RemoteResponses, compaction: RemoteCompaction, *, may_store: bool) -> None:
        self._responses = responses
        self._compaction = compaction
        self._may_store = may_store

    def stores(self, body: ResponsesBody) -> bool:
        """Whether the response is to be kept. Raises InvalidRequest if the request wants what the service forbids."""
        for name, is_wanted in (("store", body.store), ("conversation", body.conversation)):
            if is_wanted and not self._may_store:
                raise InvalidRequest(f"{name}: this service keeps nothing (RAG_RESPONSES__STORE)", param=name)
        return self._may_store and body.store is not False

    async def turns(self, body: Continuing, *, is_kept: bool) -> RequestedTurns:
        """What the request is about.

        Args:
            is_kept: Whether the response, or its items, will be kept.

        Raises:
            NotFound: the caller has no such response, conversation or item.
            InvalidRequest: the conversation has no room for the answer, or what was compacted cannot be opened.
            QuotaExceeded: the caller may keep nothing more.
        """
        ids = [_id(position, item) for position, item in enumerate(body.input) if item.type == "item_reference"]
        refers = body.previous_response_id is not None or body.conversation is not None or bool(ids)
        if not refers and not (is_kept and has_quota()):
            return await self._opened(body, body.input, ())
        added = len(body.input) + _OUTPUT_ITEMS
        query = TurnsQuery(body.previous_response_id, body.conversation, ids, added, is_kept)
        found = await self._responses.earlier_turns(query)
        referred = iter(found.items)
        items = [_item(next(referred)) if item.type == "item_reference" else item for item in body.input]
        return await self._opened(body, items, [_item(item) for item in found.history])

    async def _opened(
        self, body: Continuing, items: Sequence[InputItem], earlier: Sequence[InputItem]
    ) -> RequestedTurns:
        """The conversation, which begins at its newest compaction item."""
        if (newest := _newest_compaction(items)) is not None:
            check_fields(f"input.{newest}", items[newest])
            history = await self._turns_of(items[newest], f"input.{newest}.encrypted_content")
            replaced = [items[newest]] * (newest + 1)
            return RequestedTurns([*replaced, *items[newest + 1 :]], history, items, earlier)
        if (newest := _newest_compaction(earlier)) is not None:
            history = await self._turns_of(earlier[newest], history_field(body))
            return RequestedTurns(items, [*history, *earlier[newest + 1 :]], items, earlier)
        return RequestedTurns(items, earlier, items, earlier)

    async def _turns_of(self, compaction: InputItem, field: str) -> list[InputItem]:
        try:
            opened = await self._compaction.open(compaction.encrypted_content or "")
        except InvalidRequest as error:
            reason = error.message.removeprefix(f"{error.param}: ")
            raise InvalidRequest(f"{field}: the compaction {reason}", param=field) from None
        return [_item(item) for item in opened]

    async def kept(
        self, events: AsyncGenerator[Event, None], turns: RequestedTurns, body: ResponsesBody, *, is_stored: bool
    ) -> AsyncGenerator[Event, None]:
        """The events. Before the final one is returned, its response is kept and its conversation continued.

        If storing fails, the client still gets the response, with `store` false.

        Raises:
            RagError: its items cannot be added to its conversation.
        """
        async with aclosing(events):
            async for name, data in events:
                if name in FINAL and (is_stored or body.conversation is not None):
                    data["response"]["store"] = await self._keep(data["response"], turns, body, is_stored)
                yield name, data

    async def _keep(self, response: JsonMapping, turns: RequestedTurns, body: ResponsesBody, is_stored: bool) -> bool:
        items = [stored_item(item) for item in turns.given]
        try:
            await self._responses.keep(response, items, body.conversation, is_kept=is_stored)
        except RagError as error:
            if body.conversation is not None:
                raise
            logger.warning("the response %s is not kept: %s", response["id"], error.message)
            return False
        return is_stored


def history_field(body: Continuing) -> str:
    """The field that names the earlier turns."""
    return "conversation" if body.conversation is not None else "previous_response_id"


def _newest_compaction(items: Sequence[InputItem]) -> int | None:
    return next((position for position in reversed(range(len(items))) if items[position].type == "compaction"), None)


def _id(position: int, reference: InputItem) -> str:
    if not reference.id:
        param = f"input.{position}.id"
        raise InvalidRequest(f"{param}: is required", param=param)
    return reference.id


def _item(kept: JsonMapping) -> InputItem:
    return InputItem.model_validate(kept)
