"""Looks up the earlier turns that a response continues, and keeps the response for later ones."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from rag.errors import InvalidRequest, RagError
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.streaming.event_stream import Event
from rag.http.v1.responses.body import ResponsesBody
from rag.http.v1.responses.events import FINAL
from rag.http.v1.responses.input import InputItem, stored_item
from rag.http.v1.responses.turns import has_function_calls
from rag.types import JsonMapping

logger = logging.getLogger("rag.responses")


@dataclass(frozen=True, slots=True)
class RequestedTurns:
    """The conversation that a request is about."""

    input: Sequence[InputItem]
    """The input of the request, with each item reference replaced by its item."""
    history: Sequence[InputItem] = ()
    """The items of the previous responses."""

    @property
    def note(self) -> str:
        """What an answer from documents leaves out of the conversation."""
        has_calls = has_function_calls((*self.history, *self.input))
        return "input: function calls and their outputs are ignored by answers from documents" if has_calls else ""


class ResponseMemory:
    """Args:
    may_store: Whether the service keeps responses at all.
    """

    def __init__(self, responses: RemoteResponses, *, may_store: bool) -> None:
        self._responses = responses
        self._may_store = may_store

    def stores(self, body: ResponsesBody) -> bool:
        """Whether the response is to be kept. Raises InvalidRequest if the request wants what the service forbids."""
        if body.store and not self._may_store:
            raise InvalidRequest("store: this service keeps no responses (RAG_RESPONSES__STORE)", param="store")
        return self._may_store and body.store is not False

    async def turns(self, body: ResponsesBody) -> RequestedTurns:
        """Raises NotFound if the caller has no such response or item."""
        ids = [_id(position, item) for position, item in enumerate(body.input) if item.type == "item_reference"]
        if body.previous_response_id is None and not ids:
            return RequestedTurns(body.input)
        found = await self._responses.earlier_turns(body.previous_response_id, ids)
        referred = iter(found.items)
        items = [_item(next(referred)) if item.type == "item_reference" else item for item in body.input]
        return RequestedTurns(items, [_item(item) for item in found.history])

    async def kept(self, events: AsyncGenerator[Event, None], turns: RequestedTurns) -> AsyncGenerator[Event, None]:
        """The events. Before the final one is returned, its response is kept.

        A response that cannot be kept is answered all the same, with `store` false.
        """
        async with aclosing(events):
            async for name, data in events:
                if name in FINAL:
                    data["response"]["store"] = await self._keep(data["response"], turns)
                yield name, data

    async def _keep(self, response: JsonMapping, turns: RequestedTurns) -> bool:
        try:
            await self._responses.keep(response, [stored_item(item) for item in turns.input])
        except RagError as error:
            logger.warning("the response %s is not kept: %s", response["id"], error.message)
            return False
        return True


def _id(position: int, reference: InputItem) -> str:
    if not reference.id:
        param = f"input.{position}.id"
        raise InvalidRequest(f"{param}: is required", param=param)
    return reference.id


def _item(kept: JsonMapping) -> InputItem:
    return InputItem.model_validate(kept)
