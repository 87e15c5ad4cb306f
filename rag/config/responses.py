"""Options of kept responses: `RAG_RESPONSES__...`."""

from __future__ import annotations

from pydantic import Field

from rag.config.section import Section


class ResponseSettings(Section):
    """Responses of `/v1/responses` in the catalog, so that they can be retrieved and continued."""

    store: bool = Field(
        True,
        description="Keep responses, as OpenAI does, unless a request has `store: false`. false: nothing is kept, and "
        "`store: true` is refused.",
    )
    retention_days: int = Field(30, ge=1, le=3_650, description="Days after which a kept response is erased.")
