"""Kept chat completions in the OpenAPI document, and the query strings of their routes."""

from __future__ import annotations

import re
from typing import Literal

from openai.types.chat import ChatCompletionStoreMessage
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from rag.errors import InvalidRequest
from rag.http.v1.chat.response_models import ChatAnswer
from rag.http.v1.documents.body import Body, Metadata, Text, example
from rag.http.validation.validation_errors import parsed
from rag.records import Cursor
from rag.types import JsonObject

METADATA_FILTER: JsonObject = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "description": "Only completions with these metadata: `metadata[topic]=guide`.",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}


class MessageQuery(BaseModel):
    """Which part of a list is requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of objects.")
    order: Literal["asc", "desc"] = Field("asc", description="Order by time.")
    after: Text | None = Field(None, description="ID of an object; the list starts after it.")

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, self.order, self.after)


class CompletionQuery(MessageQuery):
    model: Text | None = Field(None, description="Only completions whose request named this model.")


class MetadataFilter(Body):
    metadata: Metadata


def read_completion_query(request: Request) -> tuple[CompletionQuery, dict[str, str]]:
    """The query, and the metadata to filter by. Raises InvalidRequest."""
    metadata, others = {}, {}
    for name, value in request.query_params.items():
        if (found := re.fullmatch(r"metadata\[(.*)\]", name, re.DOTALL)) is not None:
            metadata[found[1]] = value
        else:
            others[name[:80]] = value
    if any(character in key for key in metadata for character in '"\\'):
        raise InvalidRequest("metadata: names with quotes or backslashes cannot be filtered by", param="metadata")
    return parsed(CompletionQuery, others), parsed(MetadataFilter, {"metadata": metadata}).metadata


class UpdateCompletion(Body):
    model_config = example(metadata={"topic": "guide"})

    metadata: Metadata | None = Field(description="Replaces all previous ones.")


class KeptCompletion(ChatAnswer):
    """OpenAI's chat completion with its metadata."""

    metadata: dict[str, str]


class _ListPage(BaseModel):
    object: Literal["list"]
    first_id: str
    last_id: str
    has_more: bool = Field(description="Whether there is a next page.")


class CompletionList(_ListPage):
    data: list[KeptCompletion]


class StoredMessage(ChatCompletionStoreMessage):
    """A message of the request."""

    role: Literal["assistant", "developer", "system", "tool", "user"]  # type: ignore[assignment]


class CompletionMessageList(_ListPage):
    data: list[StoredMessage]


class CompletionDeleted(BaseModel):
    id: str
    object: Literal["chat.completion.deleted"]
    deleted: Literal[True]
