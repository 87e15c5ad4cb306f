"""API keys in responses."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import BaseModel, Field

from rag.auth.key import CreatedKey, KeyRecord, KeyStatus
from rag.auth.scopes import Scope
from rag.http.v1.documents.body import Body
from rag.http.v1.documents.objects.seconds import seconds

_MAX = 2**53 - 1
"""Up to here JavaScript's numbers are exact."""


class KeyLimits(Body):
    """null: no limit."""

    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="More requests in a minute are answered with 429."
    )
    tokens_per_minute: int | None = Field(
        None,
        ge=1,
        le=_MAX,
        description="Tokens of prompts and completions, embeddings and reranking. Once they are used, requests that "
        "need more are answered with 429 until the minute is over.",
    )
    tokens_per_day: int | None = Field(None, ge=1, le=_MAX, description="The same for 24 hours from the first use.")
    max_vector_stores: int | None = Field(
        None, ge=0, le=_MAX, description="Vector stores that the key created. More are refused with 403."
    )
    max_documents: int | None = Field(
        None, ge=0, le=_MAX, description="Documents in all vector stores of files that the key uploaded."
    )
    max_stored_bytes: int | None = Field(None, ge=0, le=_MAX, description="Bytes of files that the key uploaded.")
    max_unfinished_jobs: int | None = Field(
        None, ge=1, le=_MAX, description="Unfinished jobs that the key started. More are refused with 429."
    )
    max_kept_bytes: int | None = Field(
        None, ge=0, le=_MAX, description="Bytes of the kept responses, chat completions and conversations of the key."
    )
    max_unfinished_responses: int | None = Field(
        None, ge=0, le=_MAX, description="Its responses in the background that have not ended. More get 429."
    )


class ApiKey(BaseModel):
    """An API key without its secret."""

    object: Literal["api_key"]
    id: str
    name: str
    tenant: str
    scopes: list[Scope]
    vector_stores: list[str] | None = Field(description="IDs of the only vector stores it may use; null: all.")
    groups: list[str] = Field(description="Groups whose documents it may read.")
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
        groups=list(key.groups),
        limits=KeyLimits(**key.limits.to_json()),
        status=key.status(time.time()),
        prefix=key.prefix,
        created_at=int(key.created_at),
        expires_at=seconds(key.expires_at),
        revoked_at=seconds(key.revoked_at),
        last_used_at=seconds(key.last_used_at),
    )


def created_object(created: CreatedKey) -> CreatedApiKey:
    return CreatedApiKey(**key_object(created.record).model_dump(exclude_unset=True), secret=created.secret)
