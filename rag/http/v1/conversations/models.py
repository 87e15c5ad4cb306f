"""Conversations in the OpenAPI document, and the query strings of their routes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from rag.http.v1.documents.body import IncludeList
from rag.http.v1.responses.kept_models import INCLUDE
from rag.records import ConversationRecord


class IncludeQuery(BaseModel):
    """How items are returned."""

    model_config = ConfigDict(extra="forbid")

    include: IncludeList | None = Field(None, description=INCLUDE)
    include_list: IncludeList | None = Field(None, alias="include[]", description=INCLUDE)


class Conversation(BaseModel):
    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]

    @classmethod
    def of(cls, record: ConversationRecord) -> Self:
        return cls(
            id=record.conversation_id,
            object="conversation",
            created_at=int(record.created_at),
            metadata=dict(record.metadata),
        )


class ConversationDeleted(BaseModel):
    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]
