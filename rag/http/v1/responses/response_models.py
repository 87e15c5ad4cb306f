"""Responses of `POST /v1/responses` in the OpenAPI document: the part of OpenAI's models that is used here."""

from __future__ import annotations

from typing import Literal, TypeAlias

from openai.types.responses import (
    FileSearchTool,
    FunctionTool,
    ResponseCompactionItem,
    ResponseFileSearchToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
    ResponseUsage,
)
from openai.types.responses.response_output_item import McpApprovalRequest, McpCall, McpListTools
from openai.types.responses.tool import Mcp
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rag.http.fields.response_format import JsonObjectFormat, PlainTextFormat
from rag.http.fields.thinking_fields import Effort
from rag.http.v1.documents.body import CacheRetention, HybridSearch, ServiceTier


class SearchChoice(BaseModel):
    """Documents are searched."""

    type: Literal["file_search"]


class FunctionChoice(BaseModel):
    """This function is called."""

    type: Literal["function"]
    name: str


class McpChoice(BaseModel):
    """A tool of this MCP server is called; without `name`, any of them."""

    type: Literal["mcp"]
    server_label: str
    name: str | None = None


class AllowedTools(BaseModel):
    """Only these tools can be used."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[SearchChoice | FunctionChoice | McpChoice] = Field(min_length=1)


ToolChoiceOut: TypeAlias = (
    Literal["auto", "required", "none"] | SearchChoice | FunctionChoice | McpChoice | AllowedTools
)
ToolChoiceIn: TypeAlias = ToolChoiceOut | None
"""`tool_choice` of a request."""


class ReasoningOut(BaseModel):
    """How much the model thinks. It writes no summary."""

    effort: Effort | None
    summary: None
    generate_summary: None
    context: Literal["auto"] | None


class JsonSchemaTextFormat(BaseModel):
    type: Literal["json_schema"]
    name: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    description: str | None
    strict: bool


class TextOut(BaseModel):
    """The form of the text."""

    format: PlainTextFormat | JsonObjectFormat | JsonSchemaTextFormat
    verbosity: Literal["medium"] | None = None


class ConversationId(BaseModel):
    id: str


class ErrorOut(BaseModel):
    code: Literal["rate_limit_exceeded", "server_error"]
    message: str
    param: str | None
    type: str = Field(description="This service's own error code.")


class Incomplete(BaseModel):
    reason: Literal["max_output_tokens"]


class RankingOut(BaseModel):
    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"]
    score_threshold: float
    hybrid_search: HybridSearch | None = None


class FileSearchOut(FileSearchTool):
    ranking_options: RankingOut  # type: ignore[assignment]


class FunctionToolOut(FunctionTool):
    parameters: dict[str, object] | None
    strict: bool | None


class ResponseOut(BaseModel):
    """OpenAI's response, and vLLM's sampling parameters that the request set."""

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
        | ResponseCompactionItem
    ]
    usage: ResponseUsage | None
    error: ErrorOut | None
    incomplete_details: Incomplete | None
    background: bool | None
    conversation: ConversationId | None
    frequency_penalty: float
    instructions: str | None
    max_output_tokens: int
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    moderation: None
    presence_penalty: float
    previous_response_id: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: CacheRetention | None
    prompt: None
    reasoning: ReasoningOut | None
    safety_identifier: str | None
    service_tier: ServiceTier
    store: bool
    temperature: float
    text: TextOut
    tool_choice: ToolChoiceOut
    tools: list[FileSearchOut | FunctionToolOut | Mcp]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    user: str | None = None
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
