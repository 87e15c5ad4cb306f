"""`POST /v1/responses/compact`."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from openai.types.responses import ResponseCompactionItem
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.auth.caller import require
from rag.errors import InvalidRequest, RagError
from rag.http.clients.remote_compaction import RemoteCompaction, SealedCompaction, WholeConversation
from rag.http.clients.remote_responses import RemoteResponses
from rag.http.openapi.route import Operation
from rag.http.v1.documents.body import read_body
from rag.http.v1.edge_parts import EdgeParts
from rag.http.v1.responses.compaction.body import CompactBody, CompactionOut
from rag.http.v1.responses.compaction.item import OpenCompaction
from rag.http.v1.responses.compaction.split_turns import stored_turns
from rag.http.v1.responses.memory import RequestedTurns, ResponseMemory
from rag.http.v1.responses.output.objects import ResponseMetadata, dumped, new_id, usage_object, with_whole_seconds
from rag.http.v1.responses.output.request_fields import DefaultSampling
from rag.http.v1.responses.request.input import stored_item
from rag.http.v1.responses.request.mcp_turns import as_turns
from rag.http.v1.responses.request.turns import check_items
from rag.http.v1.route import V1Route
from rag.types import JsonObject, Usage

logger = logging.getLogger("rag.responses")

COMPACT = Operation(
    id="compact_response",
    scopes=("ask", "generate"),
    uses_tokens=True,
    tag="Language model",
    summary="Make a conversation short, so that it can be continued",
    description="The newest turns that fit into a quarter of the language model's context stay as they are; the "
    "language model writes a summary of the others. Both are in the item `compaction`, encrypted for this tenant. As "
    "an item of `input` it replaces all items before it. The result is kept as a response, so that "
    "`previous_response_id` can continue it, unless the service keeps none.",
    body=CompactBody,
    response=CompactionOut,
    response_description="The messages of the user, and the compacted conversation.",
    errors=[400, 404, 413, 424, 504],
)


class CompactionRoutes:
    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        return [V1Route("POST", "/responses/compact", self.compact, COMPACT)]

    async def compact(self, request: Request) -> Response:
        body = (await read_body(CompactBody, request)).checked()
        target = await self._parts.models.target(body.model)
        require("ask" if target.is_rag else "generate")
        dependencies = self._parts.dependencies
        context_tokens = dependencies.require("LLM")["context_tokens"]
        retriever = dependencies.clients["Retriever"]
        compaction = RemoteCompaction(retriever, self._parts.answer_timeout_s)
        memory = ResponseMemory(RemoteResponses(retriever), compaction, may_store=self._parts.may_store)
        turns = await memory.turns(body, is_kept=False)
        whole = WholeConversation(_checked(turns), context_tokens, instructions=body.instructions or "")
        result = _CompactedResponse(body, turns, await compaction.compact(whole))
        if self._parts.may_store:
            await self._keep(result, RemoteResponses(retriever))
        return JSONResponse(result.to_wire())

    async def _keep(self, result: _CompactedResponse, responses: RemoteResponses) -> None:
        """Store it as a response. If that fails, the client still gets it, and it is complete."""
        sampling = self._parts.answers.sampling
        context_tokens = self._parts.dependencies.require("LLM")["context_tokens"]
        defaults = DefaultSampling(sampling["max_tokens"], sampling["temperature"], context_tokens)
        items = [stored_item(item) for item in result.turns.given]
        try:
            await responses.keep(result.response(defaults), items, None, is_kept=True)
        except RagError as error:
            logger.warning("the compacted response %s is not kept: %s", result.id, error.message)


@dataclass(frozen=True, slots=True)
class _CompactedResponse:
    body: CompactBody
    turns: RequestedTurns
    compacted: SealedCompaction
    id: str = field(default_factory=lambda: new_id("resp"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    _item: ResponseCompactionItem = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_item", OpenCompaction(self.compacted.encrypted_content).item())

    @property
    def usage(self) -> Usage:
        """What the summary cost. Without one, the conversation was only counted."""
        has_summary = self.compacted.usage.prompt_tokens > 0
        return self.compacted.usage if has_summary else Usage(self.compacted.tokens, 0)

    def to_wire(self) -> JsonObject:
        conversation = (*self.turns.earlier, *self.turns.given)
        messages = [stored_item(item) for item in conversation if item.type == "message" and item.role == "user"]
        note = self.compacted.note
        return {
            "id": self.id,
            "object": "response.compaction",
            "created_at": self.created_at,
            "output": [*messages, dumped(self._item)],
            "usage": dumped(usage_object(self.usage)),
            **({"rag": {"note": note}} if note else {}),
        }

    def response(self, defaults: DefaultSampling) -> JsonObject:
        """The response that is kept. Its output is the compacted conversation alone."""
        reply = ResponseMetadata(
            self.body.as_response(), False, defaults, stored=True, id=self.id, created_at=self.created_at
        )
        return with_whole_seconds(dumped(reply.response("completed", [self._item], usage=self.usage)))


def _checked(turns: RequestedTurns) -> list[JsonObject]:
    """The turns. Raises InvalidRequest if an item is invalid, or if there is nothing to compact."""
    earlier, own = as_turns(turns.history), as_turns(turns.input, turns.history)
    check_items(own, earlier)
    if not (items := stored_turns([*earlier, *own])):
        raise InvalidRequest("input: contains no message", param="input")
    return items
