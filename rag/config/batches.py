"""Options of batches of requests: `RAG_BATCHES__...`."""

from __future__ import annotations

from pydantic import Field

from rag.config.section import Section


class BatchSettings(Section):
    """How many requests of `/v1/batches` run at the same time, after those that clients wait for."""

    lines_at_once: int = Field(
        8, ge=1, le=1024, description="Requests of all batches that run at the same time, in all replicas together."
    )
    tenant_lines_at_once: int = Field(4, ge=1, le=1024, description="The same for the batches of one tenant.")
    max_lines: int = Field(50_000, ge=1, le=1_000_000, description="Maximum requests in one batch.")
