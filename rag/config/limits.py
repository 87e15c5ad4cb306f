"""Limits of tenants: `RAG_LIMITS__...`."""

from __future__ import annotations

from pydantic import Field

from rag.config.section import Section


class TenantLimits(Section):
    """Limits of all requests of a tenant together. None: no limit."""

    requests_per_minute: int | None = Field(None, ge=1, description="Requests that each tenant may send in a minute.")
    tokens_per_minute: int | None = Field(
        None,
        ge=1,
        description="Tokens of the language model, embeddings and reranking that each tenant may use in a minute.",
    )
    tokens_per_day: int | None = Field(None, ge=1, description="The same in 24 hours.")
    max_vector_stores: int | None = Field(None, ge=1, description="Vector stores of each tenant, `default` included.")
    max_documents: int | None = Field(None, ge=0, description="Documents of each tenant, in all its vector stores.")
    max_stored_bytes: int | None = Field(None, ge=0, description="Bytes of the files of each tenant, as uploaded.")
    max_unfinished_jobs: int | None = Field(
        None, ge=1, description="Jobs and batches of each tenant that have not ended."
    )
    max_kept_bytes: int | None = Field(
        None, ge=0, description="Bytes of the kept responses, chat completions and conversations of each tenant."
    )
    max_unfinished_responses: int | None = Field(
        100, ge=0, description="Responses of each tenant in the background that have not ended."
    )


class LimitSettings(TenantLimits):
    """Limits of each tenant. API keys can have their own."""

    tenants: dict[str, TenantLimits] = Field(
        default_factory=dict,
        description='Other limits of certain tenants, by name, as JSON: `{"acme": {"max_documents": 5000}}`. What a '
        "tenant does not name is as above; null: no limit.",
    )
