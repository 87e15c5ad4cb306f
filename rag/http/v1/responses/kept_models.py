"""Kept responses in the OpenAPI document, and the query strings of their routes."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from openai.types.responses import (
    ResponseFileSearchToolCall,
    ResponseFunctionToolCall,
    ResponseInputFile,
    ResponseInputText,
    ResponseOutputText,
)
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, model_validator

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import IncludeList, Text
from rag.records import Cursor, Page
from rag.types import JsonObject

INCLUDE = "Accepted; a kept response and its items have what their own request included."


class RetrieveQuery(BaseModel):
    """How a response is returned."""

    model_config = ConfigDict(extra="forbid")

    include: IncludeList | None = Field(None, description=INCLUDE)
    include_list: IncludeList | None = Field(None, alias="include[]", description=INCLUDE)
    include_obfuscation: Literal["true", "false"] | None = Field(
        None, description="With `stream`: `true` pads events that have a piece of text with random characters."
    )
    stream: Literal["true", "false"] | None = Field(
        None,
        description="`true`: its events, from the first one on, also those to come. Only for a response that was "
        "created with `background` and `stream`.",
    )
    starting_after: int | None = Field(
        None, ge=0, le=2**31 - 1, description="With `stream`: the `sequence_number` after which the events begin."
    )

    @model_validator(mode="after")
    def _streams(self) -> Self:
        if self.starting_after is not None and self.stream != "true":
            raise InvalidRequest("starting_after: requires stream to be true", param="starting_after")
        return self


class ItemQuery(BaseModel):
    """Which part of a list of items is requested."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Maximum number of items.")
    order: Literal["asc", "desc"] = Field("desc", description="Order in the conversation.")
    after: Text | None = Field(None, description="ID of an item; the list starts after it.")
    include: IncludeList | None = Field(None, description=INCLUDE)
    include_list: IncludeList | None = Field(None, alias="include[]", description=INCLUDE)

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.limit, self.order, self.after)


class KeptMessage(BaseModel):
    """A message of the request, or of the answer."""

    model_config = ConfigDict(extra="allow")

    type: Literal["message"]
    id: str
    role: Literal["user", "assistant", "system", "developer"]
    status: str
    content: list[Annotated[ResponseInputText | ResponseInputFile | ResponseOutputText, Field(discriminator="type")]]
    phase: str | None = None


class KeptCall(ResponseFunctionToolCall):
    """A call of a function of the client."""

    id: str
    status: str  # type: ignore[assignment]


class FunctionOutput(BaseModel):
    """What the client's function returned."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function_call_output"]
    id: str
    call_id: str
    output: str
    status: str


class KeptReasoning(BaseModel):
    """What the model thought before its answer."""

    model_config = ConfigDict(extra="allow")

    type: Literal["reasoning"]
    id: str
    summary: list[JsonValue]


class KeptServerItem(BaseModel):
    """A list of an MCP server's tools, a call of one, or a request for approval of a call, or its answer."""

    model_config = ConfigDict(extra="allow")

    type: Literal["mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"]
    id: str


KeptItem: TypeAlias = Annotated[
    KeptMessage | ResponseFileSearchToolCall | KeptCall | FunctionOutput | KeptReasoning | KeptServerItem,
    Field(discriminator="type"),
]


class ConversationItem(RootModel[KeptItem]):
    """One of OpenAI's items: a message, a search, a function call or its output."""


class ItemPage(BaseModel):
    """One page of items. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[KeptItem]
    first_id: str | None
    last_id: str | None
    has_more: bool = Field(description="Whether there is a next page.")


class ItemList(BaseModel):
    """One page of objects. The OpenAPI document describes those of items as `ItemPage`."""

    object: Literal["list"]
    data: list[dict[str, JsonValue]]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, page: Page[JsonObject]) -> Self:
        ids = [item["id"] for item in page.rows]
        first, last = (ids[0], ids[-1]) if ids else (None, None)
        return cls(object="list", data=list(page.rows), first_id=first, last_id=last, has_more=page.has_more)


class ResponseDeleted(BaseModel):
    id: str
    object: Literal["response"]
    deleted: Literal[True]
