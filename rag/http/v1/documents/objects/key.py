"""API keys in responses."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import BaseModel, Field

from rag.auth.key import CreatedKey, KeyRecord, KeyStatus
from rag.auth.scopes import Scope
from rag.http.v1.documents.body import Body
from rag.http.v1.documents.objects.seconds import seconds


class KeyLimits(Body):
    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="More requests in a minute are answered with 429; null: no limit."
    )


class ApiKey(BaseModel):
    """An API key without its secret."""

    object: Literal["api_key"]
    id: str
    name: str
    tenant: str
    scopes: list[Scope]
    vector_stores: list[str] | None = Field(description="IDs of the only vector stores it may use; null: all.")
    limits: KeyLimits
    status: KeyStatus
    prefix: str = Field(description="The beginning of the secret, to recognize it.")
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None = Field(description="Accurate to ten minutes.")


class CreatedApiKey(ApiKey):
    secret: str = Field(description="The secret. It is shown only now: store it.")


class RevokedApiKey(BaseModel):
    id: str
    object: Literal["api_key.deleted"]
    deleted: Literal[True]


def key_object(key: KeyRecord) -> ApiKey:
    return ApiKey(
        object="api_key",
        id=key.key_id,
        name=key.name,
        tenant=key.tenant,
        scopes=list(key.scopes),
        vector_stores=None if key.stores is None else list(key.stores),
        limits=KeyLimits(requests_per_minute=key.requests_per_minute),
        status=key.status(time.time()),
        prefix=key.prefix,
        created_at=int(key.created_at),
        expires_at=seconds(key.expires_at),
        revoked_at=seconds(key.revoked_at),
        last_used_at=seconds(key.last_used_at),
    )


def created_object(created: CreatedKey) -> CreatedApiKey:
    return CreatedApiKey(**key_object(created.record).model_dump(), secret=created.secret)
