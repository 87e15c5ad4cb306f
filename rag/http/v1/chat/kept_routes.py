"""`/v1/chat/completions/{id}`: chat completions that were kept."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.http.openapi.route import Operation
from rag.http.v1.chat.kept_models import (
    METADATA_FILTER,
    CompletionDeleted,
    CompletionList,
    CompletionMessageList,
    CompletionQuery,
    KeptCompletion,
    MessageQuery,
    UpdateCompletion,
    read_completion_query,
)
from rag.http.v1.documents.body import read_body
from rag.http.v1.documents.cursor import read_query
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.responses.kept_models import ItemList
from rag.http.v1.route import V1Route

_TAG = "Language model"
_SCOPES: tuple[Scope, ...] = ("ask", "generate")
_WHOSE = "Only the key or token that created a chat completion can use it."

LIST = Operation(
    id="list_chat_completions",
    scopes=_SCOPES,
    tag=_TAG,
    summary="List the kept chat completions",
    description="Those of this key or token whose requests had `store: true`.",
    query=CompletionQuery,
    headers=[METADATA_FILTER],
    response=CompletionList,
    response_description="A page of chat completions.",
    errors=[400],
)
GET = Operation(
    id="get_chat_completion",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Get a kept chat completion",
    description=_WHOSE,
    response=KeptCompletion,
    response_description="The chat completion.",
    errors=[404],
)
UPDATE = Operation(
    id="update_chat_completion",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Replace the metadata of a kept chat completion",
    description=_WHOSE,
    body=UpdateCompletion,
    response=KeptCompletion,
    response_description="The chat completion.",
    errors=[400, 404, 413],
)
DELETE = Operation(
    id="delete_chat_completion",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Erase a kept chat completion and its messages",
    description=_WHOSE,
    response=CompletionDeleted,
    response_description="The chat completion was erased.",
    errors=[404],
)
LIST_MESSAGES = Operation(
    id="list_chat_completion_messages",
    scopes=_SCOPES,
    tag=_TAG,
    summary="List the messages that a kept chat completion answers",
    description=_WHOSE,
    query=MessageQuery,
    response=CompletionMessageList,
    response_description="A page of messages.",
    errors=[400, 404],
)


class KeptCompletionRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/chat/completions/{completion_id:id}"
        return [
            V1Route("GET", "/chat/completions", self.list, LIST),
            V1Route("GET", one, self.get, GET),
            V1Route("POST", one, self.update, UPDATE),
            V1Route("DELETE", one, self.delete, DELETE),
            V1Route("GET", f"{one}/messages", self.list_messages, LIST_MESSAGES),
        ]

    async def list(self, request: Request) -> Response:
        query, metadata = read_completion_query(request)
        registry = self._parts.completions()
        return model_response(ItemList.of(await asyncio.to_thread(registry.page, query.cursor, query.model, metadata)))

    async def get(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._parts.completions().get, _id(request)))

    async def update(self, request: Request) -> Response:
        metadata = (await read_body(UpdateCompletion, request)).metadata or {}
        return JSONResponse(await asyncio.to_thread(self._parts.completions().update, _id(request), metadata))

    async def delete(self, request: Request) -> Response:
        await asyncio.to_thread(self._parts.completions().delete, _id(request))
        return model_response(CompletionDeleted(id=_id(request), object="chat.completion.deleted", deleted=True))

    async def list_messages(self, request: Request) -> Response:
        cursor = read_query(MessageQuery, request).cursor
        page = await asyncio.to_thread(self._parts.completions().message_page, _id(request), cursor)
        return model_response(ItemList.of(page))


def _id(request: Request) -> str:
    completion_id: str = request.path_params["completion_id"]
    return completion_id
