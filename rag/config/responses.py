"""Options of kept responses, chat completions and conversations: `RAG_RESPONSES__...`."""

from __future__ import annotations

from pydantic import Field

from rag.config.section import Section


class ResponseSettings(Section):
    """Responses, chat completions and conversations in the catalog, so that they can be retrieved and continued."""

    store: bool = Field(
        True,
        description="Keep responses, as OpenAI does, unless a request has `store: false`. false: nothing is kept, and "
        "`store: true` and conversations are refused.",
    )
    retention_days: int = Field(
        30,
        ge=1,
        le=3_650,
        description="Days after which a kept response or chat completion is erased, and a conversation that nothing "
        "was added to.",
    )
