"""Options of the audit log: `RAG_AUDIT__...`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rag.config.section import Section


class AuditSettings(Section):
    """The audit log in the catalog."""

    record: Literal["changes", "all", "off"] = Field(
        "changes",
        description="Requests that the audit log records: `changes` (changes, management of API keys, refused "
        "requests), `all` (questions and reads, too) or `off`.",
    )
    keep_days: int = Field(90, ge=1, le=36_500, description="Days after which entries of the audit log are deleted.")
