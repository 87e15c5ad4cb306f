"""What Open Responses (https://www.openresponses.org) requires of a response and its events, as far as we send them.

Written after the schemas that its compliance test validates with. A field without a default must be present; further
fields are allowed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, protected_namespaces=())


class FileCitation(Strict):
    type: Literal["file_citation"]
    file_id: str
    index: int
    filename: str


class TopLogprob(Strict):
    token: str
    logprob: float
    bytes: list[int]


class Logprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class OutputText(Strict):
    type: Literal["output_text"]
    text: str
    annotations: list[FileCitation]
    logprobs: list[Logprob]


class InputText(Strict):
    type: Literal["input_text"]
    text: str


Part = Annotated[OutputText | InputText, Field(discriminator="type")]


class Message(Strict):
    type: Literal["message"]
    id: str
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["user", "assistant", "system", "developer"]
    content: list[Part]


class FileSearchResult(Strict):
    file_id: str
    filename: str
    text: str
    attributes: Any
    score: float | None
    vector_store_id: str | None


class FileSearchCall(Strict):
    type: Literal["file_search_call"]
    id: str
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    queries: list[str]
    results: list[FileSearchResult] | None


Item = Annotated[Message | FileSearchCall, Field(discriminator="type")]


class HybridSearch(Strict):
    embedding_weight: float
    text_weight: float


class RankingOptions(Strict):
    ranker: Literal["auto", "default-2024-11-15"]
    score_threshold: float
    hybrid_search: HybridSearch | None = None


class FileSearchTool(Strict):
    type: Literal["file_search"]
    vector_store_ids: list[str]
    max_num_results: int
    ranking_options: RankingOptions
    filters: dict[str, Any] | None


class PlainFormat(Strict):
    type: Literal["text", "json_object"]


class JsonSchemaFormat(Strict):
    type: Literal["json_schema"]
    name: str
    description: str | None
    schema_: dict[str, Any] | None = Field(alias="schema")
    strict: bool


class Text(Strict):
    format: Annotated[PlainFormat | JsonSchemaFormat, Field(discriminator="type")]
    verbosity: Literal["low", "medium", "high"] | None = None


class CachedTokens(Strict):
    cached_tokens: int


class ReasoningTokens(Strict):
    reasoning_tokens: int


class Usage(Strict):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: CachedTokens
    output_tokens_details: ReasoningTokens


class Reason(Strict):
    reason: str


class ResponseError(Strict):
    code: str
    message: str


class FileSearchChoice(Strict):
    type: Literal["file_search"]


class Conversation(Strict):
    id: str


class Response(Strict):
    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: str
    incomplete_details: Reason | None
    model: str
    previous_response_id: str | None
    instructions: str | None
    output: list[Item]
    error: ResponseError | None
    tools: list[FileSearchTool]
    tool_choice: FileSearchChoice | Literal["none", "auto", "required"]
    truncation: Literal["auto", "disabled"]
    parallel_tool_calls: bool
    text: Text
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    top_logprobs: int
    temperature: float
    reasoning: None
    user: str | None = None  # not in Open Responses, but in OpenAI's API
    usage: Usage | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    store: bool
    background: bool
    service_tier: str
    metadata: dict[str, str]
    safety_identifier: str | None
    prompt_cache_key: str | None
    conversation: Conversation | None = None


class Event(Strict):
    sequence_number: int


class ResponseEvent(Event):
    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"
    ]
    response: Response


class ItemEvent(Event):
    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: int
    item: Item


class SearchEvent(Event):
    type: Literal[
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
    ]
    output_index: int
    item_id: str


class TextEvent(Event):
    item_id: str
    output_index: int
    content_index: int


class PartEvent(TextEvent):
    type: Literal["response.content_part.added", "response.content_part.done"]
    part: Part


class DeltaEvent(TextEvent):
    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: list[Logprob]


class TextDoneEvent(TextEvent):
    type: Literal["response.output_text.done"]
    text: str
    logprobs: list[Logprob]


class AnnotationEvent(TextEvent):
    type: Literal["response.output_text.annotation.added"]
    annotation_index: int
    annotation: FileCitation | None


class ErrorPayload(Strict):
    type: str
    code: str | None
    message: str
    param: str | None


class ErrorEvent(Event):
    type: Literal["error"]
    error: ErrorPayload


EVENT: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        ResponseEvent | ItemEvent | SearchEvent | PartEvent | DeltaEvent | TextDoneEvent | AnnotationEvent | ErrorEvent,
        Field(discriminator="type"),
    ]
)
