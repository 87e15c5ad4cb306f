"""Responses of `POST /v1/responses` in the OpenAPI document: the part of OpenAI's that is used here."""

from __future__ import annotations

from typing import Literal

from openai.types.responses import (
    ResponseError,
    ResponseFileSearchToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
    ResponseUsage,
)
from openai.types.responses.response import IncompleteDetails
from openai.types.responses.response_output_item import McpApprovalRequest, McpCall, McpListTools
from pydantic import BaseModel, ConfigDict, Field, JsonValue


class ResponseOut(BaseModel):
    """OpenAI's response. OpenAI's other fields are present, too."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Literal["completed", "incomplete", "queued", "in_progress", "failed", "cancelled"]
    model: str
    output: list[
        ResponseOutputMessage
        | ResponseFileSearchToolCall
        | ResponseFunctionToolCall
        | ResponseReasoningItem
        | McpListTools
        | McpCall
        | McpApprovalRequest
    ]
    usage: ResponseUsage | None
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    rag: dict[str, JsonValue] | None = Field(
        None, description="For an answer from documents: its citations, and which of them were removed."
    )


class InputTokens(BaseModel):
    object: Literal["response.input_tokens"]
    input_tokens: int


class ResponseEvent(BaseModel):
    """One of OpenAI's events; `type` is the event's name."""

    model_config = ConfigDict(extra="allow")

    type: str
    sequence_number: int
