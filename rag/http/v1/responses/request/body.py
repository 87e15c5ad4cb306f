"""The body of `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from rag.errors import InvalidRequest
from rag.generate.quoting import StyleOption
from rag.http.bodies.sampling_fields import SamplingFields
from rag.http.bodies.wire import MAX_STORES
from rag.http.fields.filters_wire import Filter, filter_to_json
from rag.http.fields.removed_parameters import without_removed
from rag.http.fields.thinking_fields import Effort, template_values
from rag.http.v1.documents.body import (
    Body,
    CacheOptions,
    CacheRetention,
    Id,
    Metadata,
    RankingOptions,
    ServiceTier,
    described_as,
    example,
)
from rag.http.v1.documents.search import paths
from rag.http.v1.function_calling.functions import MAX_FUNCTIONS
from rag.http.v1.function_calling.tool_use import ToolUse, tool_use
from rag.http.v1.responses.request.function_tools import FunctionTool, response_tool_choice
from rag.http.v1.responses.request.input import Items
from rag.http.v1.responses.request.mcp_tool import MAX_SERVERS, McpTool
from rag.http.v1.responses.response_models import ToolChoiceIn
from rag.http.v1.text_generation.refused_fields import without_refused
from rag.types import JsonObject

SearchMode: TypeAlias = Literal["always", "model"]
"""`always`: one search with the question. `model`: the language model decides when to search, and for what."""
RESULTS, LOGPROBS = "file_search_call.results", "message.output_text.logprobs"
_INCLUDABLE = (RESULTS, LOGPROBS, "reasoning.encrypted_content")
"""Reasoning is never encrypted here, so the last one is accepted and adds nothing."""
_REFUSED: Mapping[str, str] = {
    "access_programs": "programs are not supported",
    "background_options": "a response in the background begins as soon as there is room for it",
    "image": "only text is supported",
    "logprobs": f"use include=['{LOGPROBS}'] and top_logprobs",
    "max_tokens": "use max_output_tokens",
    "moderation": "this service has no moderation",
    "n": "a response has one text; send several requests",
    "prompt": "prompts are not stored; send instructions and input",
    "prompt_logprobs": "use /generate",
}
"""By field: what to use instead, or why it is not supported."""


def _searches(kind: str) -> str:
    if kind != "file_search":
        raise ValueError(f"{kind[:40]} is not supported; only file_search, function and mcp are")
    return kind


def _known(name: str) -> str:
    if name not in _INCLUDABLE:
        raise ValueError(f"{name[:80]} is not supported; supported are {', '.join(_INCLUDABLE)}")
    return name


def _conversation_id(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if set(value) != {"id"}:
        raise ValueError('must be the id of a conversation, or {"id": ...}')
    return value["id"]


class ConversationParam(Body):
    id: Id


class FileSearch(Body):
    """The tool `file_search`."""

    type: Annotated[str, AfterValidator(_searches), WithJsonSchema({"type": "string", "const": "file_search"})]
    vector_store_ids: list[Id] = Field(min_length=1, max_length=MAX_STORES)
    filters: Filter | None = None
    max_num_results: int | None = Field(None, ge=1, le=50)
    ranking_options: RankingOptions | None = None

    def search(self) -> JsonObject:
        """The fields of `PrepareRequest` that the tool sets."""
        found: JsonObject = {"vector_store": self.vector_store_ids, "filters": filter_to_json(self.filters)}
        found["top_k"] = self.max_num_results
        if (ranking := self.ranking_options) is not None:
            settings: JsonObject = paths(ranking.hybrid_search) if ranking.hybrid_search else {}
            if ranking.ranker == "none":
                settings["rerank"] = False
            found |= {"retrieval": settings or None, "score_threshold": ranking.score_threshold or None}
        return {name: value for name, value in found.items() if value is not None}


def _tool_kind(tool: object) -> str:
    """The tag of the model that validates the tool. Its brackets keep it out of the names of fields in errors."""
    kind = tool.get("type") if isinstance(tool, dict) else getattr(tool, "type", None)
    return f"tool[{kind}]" if kind in ("function", "mcp") else "tool[file_search]"


Tool: TypeAlias = Annotated[
    Annotated[FileSearch, Tag("tool[file_search]")]
    | Annotated[FunctionTool, Tag("tool[function]")]
    | Annotated[McpTool, Tag("tool[mcp]")],
    Discriminator(_tool_kind),
]


class TextFormat(Body):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(None, max_length=64)
    schema_: JsonObject | None = Field(None, alias="schema")
    description: str | None = None
    strict: bool | None = None

    def structured_outputs(self) -> JsonObject | None:
        """vLLM's `structured_outputs`; None if any text is allowed."""
        if self.type != "json_schema":
            return {"json_object": True} if self.type == "json_object" else None
        for name, value in (("name", self.name), ("schema", self.schema_)):
            if value is None:
                raise InvalidRequest(f"text.format.{name}: is required", param=f"text.format.{name}")
        return {"json": self.schema_}


class TextConfig(Body):
    format: TextFormat | None = None
    verbosity: Literal["medium"] | None = Field(None, description="To change the length, state it in the instructions.")


Summary: TypeAlias = Literal["auto", "concise", "detailed"]


class ReasoningOptions(Body):
    """How much the model thinks. No model summarizes its thinking; the response contains all of it."""

    effort: Effort | None = None
    summary: Summary | None = Field(None, description="Accepted without effect: the response has the whole thinking.")
    generate_summary: Summary | None = Field(None, description="The former name of `summary`.")
    mode: Literal["standard"] | None = Field(None, description="There is no other mode.")
    context: Literal["auto"] | None = Field(
        None, description="The chat template decides which earlier thoughts the model reads."
    )


class ContextManagement(Body):
    """How a conversation that has grown too long is made shorter."""

    type: Literal["compaction"]
    compact_threshold: int | None = Field(
        None,
        ge=1,
        le=100_000_000,
        description="Tokens of a conversation beyond which it is compacted; unset: three quarters of the context.",
    )


class ResponseRagOptions(Body):
    """Options of answers from documents that OpenAI's API does not have."""

    search: SearchMode | None = None
    explain: bool | None = Field(
        None, description="Explain each search of the language model, as `explain` of `/retrieve` does."
    )


class ResponseStreamOptions(Body):
    include_obfuscation: bool | None = Field(
        None, description="true: events with a piece of text are padded with random characters."
    )


class ResponsesBody(SamplingFields, Body):
    """OpenAI's parameters, and vLLM's sampling parameters by their own names."""

    model_config = example(model="rag", input="What is this service made of?", max_output_tokens=64)

    model: str = Field(min_length=1, max_length=512)
    input: Items
    previous_response_id: Id | None = None
    conversation: Annotated[
        Id | None, BeforeValidator(_conversation_id, json_schema_input_type=Id | ConversationParam | None)
    ] = Field(
        None, description="Its items are the earlier turns; those of the request and the response are added to it."
    )
    instructions: str | None = Field(None, max_length=100_000)
    tools: list[Tool] = Field(default_factory=list, max_length=MAX_FUNCTIONS + 1)
    tool_choice: Annotated[Literal["auto", "required", "none"] | JsonObject | None, described_as(ToolChoiceIn)] = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = Field(None, ge=1)
    include: list[Annotated[str, AfterValidator(_known)]] | None = None
    max_output_tokens: int | None = Field(None, ge=1, le=1_000_000)
    text: TextConfig | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    truncation: Literal["auto", "disabled"] | None = None
    context_management: list[ContextManagement] | None = Field(
        None,
        max_length=16,
        description="A conversation that exceeds the smallest threshold is compacted before the answer.",
    )
    style: StyleOption | None = Field(None, description="Not in OpenAI's API: style of an answer from documents.")
    rag: ResponseRagOptions | None = Field(None, description="Not in OpenAI's API.")
    chat_template_kwargs: JsonObject | None = Field(
        None, description="As in vLLM: further variables of the chat template."
    )
    reasoning: ReasoningOptions | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    metadata: Metadata | None = None
    store: bool | None = Field(None, description="false: the response is not kept.")
    background: bool | None = Field(None, description="true: the response is queued, and the request answered at once.")
    service_tier: ServiceTier | None = Field(None, description="There is one tier; all names are accepted.")
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = Field(None, description="Prompts are cached automatically.")
    user: str | None = None
    safety_identifier: str | None = Field(None, description="Returned unchanged.")
    prompt_cache_key: str | None = Field(None, description="Returned unchanged: prompts are cached automatically.")

    _other: ClassVar[frozenset[str]] = frozenset({"n", "max_tokens", "logprobs", "prompt_logprobs"})
    """Sampling fields that responses lack or express differently."""

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, data: Any) -> Any:
        return without_removed(without_refused(data, _REFUSED, {})) if isinstance(data, Mapping) else data

    def checked(self) -> ResponsesBody:
        """The body itself. Raises InvalidRequest for fields that cannot be combined."""
        if self.background and self.store is False:
            message = "background: requires the response to be kept; leave store out"
            raise InvalidRequest(message, param="background")
        if self.conversation is not None and self.previous_response_id is not None:
            message = "conversation: cannot be combined with previous_response_id; give one of them"
            raise InvalidRequest(message, param="conversation")
        self._check_tool_choice()
        return self

    def _check_tool_choice(self) -> None:
        searches = [tool for tool in self.tools if isinstance(tool, FileSearch)]
        if len(searches) > 1:
            raise InvalidRequest("tools: only one file_search is supported; it searches several stores", param="tools")
        for name, tool in self.mcp_tools.items():
            tool.checked(name)
        labels = [tool.server_label for tool in self.mcp_tools.values()]
        if len(labels) > MAX_SERVERS:
            raise InvalidRequest(f"tools: at most {MAX_SERVERS} MCP servers are supported", param="tools")
        if len(set(labels)) < len(labels):
            raise InvalidRequest("tools: two MCP servers have the same server_label", param="tools")
        choice = response_tool_choice(self.tool_choice)
        if any(named.server_label not in labels for named in choice.mcp or ()):
            message = "tool_choice: names an MCP server that is not among the tools"
            raise InvalidRequest(message, param="tool_choice")
        if self.tool_choice not in (None, "auto", "none") and not self.tools:
            raise InvalidRequest("tool_choice: there are no tools to choose from", param="tool_choice")
        if choice.names_search and not searches:
            raise InvalidRequest("tool_choice: file_search is not among the tools", param="tool_choice")

    @property
    def is_padded(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_obfuscation)

    def includes(self, what: str) -> bool:
        return what in (self.include or ())

    @property
    def file_search(self) -> FileSearch | None:
        """The tool; None if there is none or `tool_choice` excludes it."""
        searches = response_tool_choice(self.tool_choice).searches
        return next((tool for tool in self.tools if searches and isinstance(tool, FileSearch)), None)

    @property
    def file_search_field(self) -> str:
        """The name of the tool's field."""
        return next(
            (f"tools.{number}" for number, tool in enumerate(self.tools) if isinstance(tool, FileSearch)), "tools"
        )

    @property
    def functions(self) -> Mapping[str, FunctionTool]:
        """The function tools by the names of their fields."""
        return {f"tools.{number}": tool for number, tool in enumerate(self.tools) if isinstance(tool, FunctionTool)}

    @property
    def mcp_tools(self) -> Mapping[str, McpTool]:
        """The MCP servers by the names of their fields."""
        return {f"tools.{number}": tool for number, tool in enumerate(self.tools) if isinstance(tool, McpTool)}

    @property
    def effort(self) -> Effort | None:
        return None if self.reasoning is None else self.reasoning.effort

    @property
    def template_values(self) -> JsonObject:
        """Variables of the chat template."""
        return template_values(self.effort, self.chat_template_kwargs)

    def tool_use(self) -> ToolUse:
        """How functions are used. Raises InvalidRequest if `tool_choice` does not fit the functions."""
        choice = response_tool_choice(self.tool_choice).functions
        if not self.functions and choice.names is None:
            return ToolUse()
        return tool_use(self.functions, choice, parallel=self.parallel_tool_calls is not False)

    @property
    def form_field(self) -> str:
        """The field that prescribes the form of the text, if one does."""
        return "structured_outputs" if self.structured_outputs is not None else "text.format"

    def sampling(self) -> JsonObject:
        """vLLM's parameters by their own names, only those that the request sets.

        Raises:
            InvalidRequest: two fields prescribe the form of the text.
        """
        names = set(SamplingFields.model_fields) - self._other
        chosen = self.model_dump(include=names, exclude_none=True, exclude_unset=True, by_alias=True)
        if self.max_output_tokens is not None:
            chosen["max_tokens"] = self.max_output_tokens
        if self.includes(LOGPROBS):
            chosen["logprobs"] = self.top_logprobs or 0
        form = self.text.format if self.text else None
        if (structured := form.structured_outputs() if form else None) is not None:
            if self.structured_outputs is not None:
                message = "text.format: cannot be combined with structured_outputs; give one of them"
                raise InvalidRequest(message, param="text.format")
            chosen["structured_outputs"] = structured
        return chosen
