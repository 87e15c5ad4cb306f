"""`/v1/keys`: API keys, for administrators. These routes are not part of OpenAI's API but follow its style."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.auth.caller import DEFAULT_TENANT
from rag.auth.key import NewKey
from rag.auth.limits import Limits
from rag.auth.scopes import Scope
from rag.auth.tenant import TENANT_PATTERN
from rag.errors import InvalidRequest
from rag.http.fields.groups_wire import Groups
from rag.http.openapi.route import Operation, RequestBody
from rag.http.v1.documents.body import Body, Id, Text, example, read_body
from rag.http.v1.documents.cursor import ListQuery, read_query
from rag.http.v1.documents.objects.key import (
    ApiKey,
    CreatedApiKey,
    KeyLimits,
    RevokedApiKey,
    created_object,
    key_object,
)
from rag.http.v1.documents.objects.page import ListOf, list_of
from rag.http.v1.documents.parts import V1Parts
from rag.http.v1.model_response import model_response
from rag.http.v1.route import V1Route

MAX_STORES = 100
MAX_GRACE_S = 30 * 86_400
_TAG = "API keys"
_OPERATIONS = ("get_key", "update_key", "revoke_key", "rotate_key")
Tenant = Annotated[str, StringConstraints(pattern=TENANT_PATTERN)]


class CreateKey(Body):
    model_config = example(name="search page", scopes=["ask"])

    name: Text = Field(min_length=1, max_length=256, description="For people; it need not be unique.")
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=16,
        description="`ask`: search, answers from documents, reading documents. `generate`: the language model itself. "
        "`ingest`: add and change documents and vector stores. `delete`: delete them. `metrics`: read `/metrics`. "
        "`admin`: everything, and keys, adapters and embedding models.",
    )
    tenant: Tenant = Field(
        DEFAULT_TENANT,
        description="Whose vector stores, files and jobs the key sees. Lower case, digits, `_`, `.`, `-`.",
    )
    vector_stores: list[Id] | None = Field(
        None,
        min_length=1,
        max_length=MAX_STORES,
        description="IDs or names of the only vector stores that the key may use; null: all of its tenant.",
    )
    groups: Groups = Field(
        [], description="Groups of the key: it reads the documents of these groups, and those of no group."
    )
    expires_at: int | None = Field(None, ge=0, description="Unix time from which the key is not valid; null: never.")
    limits: KeyLimits = KeyLimits()


class UpdateKey(Body):
    model_config = example(limits={"requests_per_minute": 60})

    limits: KeyLimits = Field(description="Limits to set; null removes one. Those that are not named stay.")


class RotateKey(Body):
    model_config = example(grace_s=3600)

    grace_s: float = Field(0, ge=0, le=MAX_GRACE_S, description="Seconds for which the old secret is still accepted.")


CREATE = Operation(
    id="create_key",
    scopes=("admin",),
    tag=_TAG,
    summary="Create an API key",
    description="Once a key has been created, every request needs one.",
    body=CreateKey,
    response=CreatedApiKey,
    response_description="The key with its secret.",
    errors=[400, 404, 413],
    links={name: {"key": "$response.body#/id"} for name in _OPERATIONS},
)
LIST = Operation(
    id="list_keys",
    scopes=("admin",),
    tag=_TAG,
    summary="List API keys, revoked ones too",
    query=ListQuery,
    response=ListOf[ApiKey],
    response_description="A page of keys.",
    errors=[400],
)
GET = Operation(
    id="get_key",
    scopes=("admin",),
    tag=_TAG,
    summary="Get an API key",
    response=ApiKey,
    response_description="The key.",
    errors=[404],
)
UPDATE = Operation(
    id="update_key",
    scopes=("admin",),
    tag=_TAG,
    summary="Change the limits of an API key",
    description="They apply within seconds.",
    body=UpdateKey,
    response=ApiKey,
    response_description="The key.",
    errors=[400, 404, 413],
)
REVOKE = Operation(
    id="revoke_key",
    scopes=("admin",),
    tag=_TAG,
    summary="Revoke an API key",
    description="It stops working within seconds, and stays in the list.",
    response=RevokedApiKey,
    response_description="The key was revoked.",
    errors=[404],
)
ROTATE = Operation(
    id="rotate_key",
    scopes=("admin",),
    tag=_TAG,
    summary="Give an API key a new secret",
    body=RequestBody(RotateKey, required=False),
    response=CreatedApiKey,
    response_description="The key with its new secret.",
    errors=[400, 404, 409, 413],
)


class KeyRoutes:
    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        one = "/keys/{key:id}"
        return [
            V1Route("POST", "/keys", self.create, CREATE),
            V1Route("GET", "/keys", self.list, LIST),
            V1Route("GET", one, self.get, GET),
            V1Route("POST", one, self.update, UPDATE),
            V1Route("DELETE", one, self.revoke, REVOKE),
            V1Route("POST", f"{one}/rotate", self.rotate, ROTATE),
        ]

    async def create(self, request: Request) -> Response:
        new = new_key(await read_body(CreateKey, request))
        return model_response(created_object(await asyncio.to_thread(self._parts.keys().create, new)))

    async def list(self, request: Request) -> Response:
        page = await asyncio.to_thread(self._parts.keys().page, read_query(ListQuery, request).cursor)
        return model_response(list_of(page, key_object))

    async def get(self, request: Request) -> Response:
        key = await asyncio.to_thread(self._parts.keys().get, request.path_params["key"])
        return model_response(key_object(key))

    async def update(self, request: Request) -> Response:
        changes = (await read_body(UpdateKey, request)).limits.model_dump(exclude_unset=True)
        key = await asyncio.to_thread(self._parts.keys().change_limits, request.path_params["key"], changes)
        return model_response(key_object(key))

    async def revoke(self, request: Request) -> Response:
        key = await asyncio.to_thread(self._parts.keys().revoke, request.path_params["key"])
        return model_response(RevokedApiKey(id=key.key_id, object="api_key.deleted", deleted=True))

    async def rotate(self, request: Request) -> Response:
        body = await read_body(RotateKey, request, may_be_empty=True)
        created = await asyncio.to_thread(self._parts.keys().rotate, request.path_params["key"], body.grace_s)
        return model_response(created_object(created))


def new_key(body: CreateKey) -> NewKey:
    """Raises InvalidRequest if the key would have expired already."""
    if body.expires_at is not None and body.expires_at <= time.time():
        raise InvalidRequest("expires_at: is in the past", param="expires_at")
    return NewKey(
        name=body.name,
        scopes=list(dict.fromkeys(body.scopes)),
        tenant=body.tenant,
        stores=body.vector_stores,
        expires_at=body.expires_at,
        limits=Limits(**body.limits.model_dump()),
        groups=body.groups,
    )
