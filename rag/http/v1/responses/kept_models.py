"""Kept responses in the OpenAPI document, and the query strings of their routes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rag.http.v1.documents.body import Text
from rag.records import Cursor

_INCLUDE = "Accepted; a kept response has what its own request included."


class RetrieveQuery(BaseModel):
    """How a response is returned."""

    model_config = ConfigDict(extra="forbid")

    include: Text | None = Field(None, description=_INCLUDE)
    include_list: Text | None = Field(None, alias="include[]", description=_INCLUDE)
    stream: Literal["false"] | None = Field(None, description="Only complete responses are kept.")


class ItemQuery(BaseModel):
    """Which part of a list of items is requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of items.")
    order: Literal["asc", "desc"] = Field("desc", description="Order in the conversation.")
    after: Text | None = Field(None, description="ID of an item; the list starts after it.")
    include: Text | None = Field(None, description=_INCLUDE)
    include_list: Text | None = Field(None, alias="include[]", description=_INCLUDE)

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, self.order, self.after)


class ItemList(BaseModel):
    """One page of items. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[dict[str, JsonValue]] = Field(
        description="OpenAI's items: messages, searches, function calls and their outputs."
    )
    first_id: str | None
    last_id: str | None
    has_more: bool = Field(description="Whether there is a next page.")


class ResponseDeleted(BaseModel):
    id: str
    object: Literal["response"]
    deleted: Literal[True]
