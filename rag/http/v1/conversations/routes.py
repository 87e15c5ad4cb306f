"""`/v1/conversations`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.http.openapi.route import Operation
from rag.http.v1.conversations.body import CreateConversation, CreateItems, UpdateConversation, new_items
from rag.http.v1.conversations.models import Conversation, ConversationDeleted, IncludeQuery
from rag.http.v1.documents.body import read_body
from rag.http.v1.documents.cursor import read_query
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.responses.kept_models import ConversationItem, ItemList, ItemPage, ItemQuery
from rag.http.v1.route import V1Route
from rag.records import Page

_TAG = "Conversations"
_SCOPES: tuple[Scope, ...] = ("ask", "generate")
_WHOSE = "Only the key or token that created a conversation can use it."

CREATE = Operation(
    id="create_conversation",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Create a conversation",
    description="`conversation` in `POST /v1/responses` continues it. It is erased `RAG_RESPONSES__RETENTION_DAYS` "
    "after something was last added to it.",
    body=CreateConversation,
    response=Conversation,
    response_description="The conversation.",
    errors=[400, 413],
)
GET = Operation(
    id="get_conversation",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Get a conversation",
    description=_WHOSE,
    response=Conversation,
    response_description="The conversation.",
    errors=[404],
)
UPDATE = Operation(
    id="update_conversation",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Replace the metadata of a conversation",
    description=_WHOSE,
    body=UpdateConversation,
    response=Conversation,
    response_description="The conversation.",
    errors=[400, 404, 413],
)
DELETE = Operation(
    id="delete_conversation",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Erase a conversation and its items",
    description=f"{_WHOSE} Kept responses stay.",
    response=ConversationDeleted,
    response_description="The conversation was erased.",
    errors=[404],
)
CREATE_ITEMS = Operation(
    id="create_conversation_items",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Add up to 20 items to a conversation",
    description=_WHOSE,
    query=IncludeQuery,
    body=CreateItems,
    response=ItemPage,
    response_description="The new items.",
    errors=[400, 404, 413],
)
LIST_ITEMS = Operation(
    id="list_conversation_items",
    scopes=_SCOPES,
    tag=_TAG,
    summary="List the items of a conversation",
    description=_WHOSE,
    query=ItemQuery,
    response=ItemPage,
    response_description="A page of items.",
    errors=[400, 404],
)
GET_ITEM = Operation(
    id="get_conversation_item",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Get an item of a conversation",
    description=_WHOSE,
    query=IncludeQuery,
    response=ConversationItem,
    response_description="The item.",
    errors=[400, 404],
)
DELETE_ITEM = Operation(
    id="delete_conversation_item",
    scopes=_SCOPES,
    tag=_TAG,
    summary="Erase an item of a conversation",
    description=_WHOSE,
    response=Conversation,
    response_description="The conversation.",
    errors=[404],
)


class ConversationRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/conversations/{conversation_id:id}"
        items = f"{one}/items"
        one_item = f"{items}/{{item_id:id}}"
        return [
            V1Route("POST", "/conversations", self.create, CREATE),
            V1Route("GET", one, self.get, GET),
            V1Route("POST", one, self.update, UPDATE),
            V1Route("DELETE", one, self.delete, DELETE),
            V1Route("POST", items, self.create_items, CREATE_ITEMS),
            V1Route("GET", items, self.list_items, LIST_ITEMS),
            V1Route("GET", one_item, self.get_item, GET_ITEM),
            V1Route("DELETE", one_item, self.delete_item, DELETE_ITEM),
        ]

    async def create(self, request: Request) -> Response:
        body = await read_body(CreateConversation, request, may_be_empty=True)
        items = new_items(body.items or ())
        made = await asyncio.to_thread(self._parts.conversations().create, body.metadata or {}, items)
        return model_response(Conversation.of(made))

    async def get(self, request: Request) -> Response:
        return model_response(Conversation.of(await asyncio.to_thread(self._parts.conversations().get, _id(request))))

    async def update(self, request: Request) -> Response:
        metadata = (await read_body(UpdateConversation, request)).metadata or {}
        updated = await asyncio.to_thread(self._parts.conversations().update, _id(request), metadata)
        return model_response(Conversation.of(updated))

    async def delete(self, request: Request) -> Response:
        await asyncio.to_thread(self._parts.conversations().delete, _id(request))
        return model_response(ConversationDeleted(id=_id(request), object="conversation.deleted", deleted=True))

    async def create_items(self, request: Request) -> Response:
        read_query(IncludeQuery, request)
        items = new_items((await read_body(CreateItems, request)).items)
        await asyncio.to_thread(self._parts.conversations().add_items, _id(request), items)
        return model_response(ItemList.of(Page(items, has_more=False)))

    async def list_items(self, request: Request) -> Response:
        cursor = read_query(ItemQuery, request).cursor
        page = await asyncio.to_thread(self._parts.conversations().item_page, _id(request), cursor)
        return model_response(ItemList.of(page))

    async def get_item(self, request: Request) -> Response:
        read_query(IncludeQuery, request)
        item_id = request.path_params["item_id"]
        return JSONResponse(await asyncio.to_thread(self._parts.conversations().item, _id(request), item_id))

    async def delete_item(self, request: Request) -> Response:
        item_id = request.path_params["item_id"]
        rest = await asyncio.to_thread(self._parts.conversations().delete_item, _id(request), item_id)
        return model_response(Conversation.of(rest))


def _id(request: Request) -> str:
    conversation_id: str = request.path_params["conversation_id"]
    return conversation_id
