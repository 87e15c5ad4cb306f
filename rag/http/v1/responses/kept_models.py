"""Kept responses in the OpenAPI document, and the query strings of their routes."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from openai.types.responses import (
    ResponseCompactionItem,
    ResponseFileSearchToolCall,
    ResponseFunctionToolCall,
    ResponseInputFile,
    ResponseInputText,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_item import McpApprovalRequest, McpApprovalResponse, McpCall, McpListTools
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, WithJsonSchema, model_validator

from rag.errors import InvalidRequest
from rag.http.v1.documents.body import IncludeList, Text
from rag.http.v1.page_ends import page_ends
from rag.records import Cursor, Page
from rag.types import JsonObject

ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]
QueryFlag = Annotated[Literal["true", "false"], WithJsonSchema({"type": "boolean"})]
INCLUDE = "Accepted; a kept response and its items have what their own request included."


class RetrieveQuery(BaseModel):
    """How a response is returned."""

    model_config = ConfigDict(extra="forbid")

    include: IncludeList | None = Field(None, description=INCLUDE)
    include_list: IncludeList | None = Field(None, alias="include[]", description=INCLUDE)
    include_obfuscation: QueryFlag | None = Field(
        None, description="With `stream`: `true` pads events that have a piece of text with random characters."
    )
    stream: QueryFlag | None = Field(
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
    status: ItemStatus
    content: list[
        Annotated[
            ResponseInputText | ResponseInputFile | ResponseOutputText | ResponseOutputRefusal,
            Field(discriminator="type"),
        ]
    ]
    phase: Literal["commentary", "final_answer"] | None = None


class KeptCall(ResponseFunctionToolCall):
    """A call of a function of the client."""

    id: str
    status: ItemStatus


class FunctionOutput(BaseModel):
    """What the client's function returned."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function_call_output"]
    id: str
    call_id: str
    output: str
    status: ItemStatus


KeptItem: TypeAlias = Annotated[
    KeptMessage
    | ResponseFileSearchToolCall
    | KeptCall
    | FunctionOutput
    | ResponseReasoningItem
    | McpListTools
    | McpCall
    | McpApprovalRequest
    | McpApprovalResponse
    | ResponseCompactionItem,
    Field(discriminator="type"),
]


class ConversationItem(RootModel[KeptItem]):
    """One of OpenAI's items: a message, a search, a function call or its output, or a compacted conversation."""


class ItemPage(BaseModel):
    """One page of items. `after=last_id` requests the next page."""

    object: Literal["list"]
    data: list[KeptItem]
    first_id: str
    last_id: str
    has_more: bool = Field(description="Whether there is a next page.")


class ItemList(BaseModel):
    """One page of objects. The OpenAPI document describes those of items as `ItemPage`."""

    object: Literal["list"]
    data: list[dict[str, JsonValue]]
    first_id: str
    last_id: str
    has_more: bool

    @classmethod
    def of(cls, page: Page[JsonObject]) -> Self:
        ends = page_ends([item["id"] for item in page.rows])
        return cls(object="list", data=list(page.rows), **ends, has_more=page.has_more)


class ResponseDeleted(BaseModel):
    id: str
    object: Literal["response"]
    deleted: Literal[True]
