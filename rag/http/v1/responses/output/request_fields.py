"""The fields of a response that show its request, with the values that were used where the request sets none."""

from __future__ import annotations

from dataclasses import dataclass

from openai.types.responses import FileSearchTool
from openai.types.responses import FunctionTool as OpenAiFunctionTool
from openai.types.responses.tool import Mcp

from rag.http.fields.filters_wire import filter_to_json
from rag.http.v1.documents.body import RankingOptions
from rag.http.v1.responses.request.body import FileSearch, ReasoningOptions, ResponsesBody
from rag.http.v1.responses.request.function_tools import FunctionTool
from rag.http.v1.responses.request.mcp_tool import McpTool
from rag.types import JsonObject, Usage

_SHOWN = (
    "instructions",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
)
"""Fields of the request that the response repeats, null if they are unset."""


@dataclass(frozen=True, slots=True)
class DefaultSampling:
    """How a text is generated if the request does not say."""

    max_tokens: int
    temperature: float
    context_tokens: int
    """Context length of the language model."""


def request_fields(
    body: ResponsesBody, defaults: DefaultSampling, *, searches: bool, top_k: int | None, usage: Usage | None
) -> JsonObject:
    """The fields of a response that repeat its request, with the defaults that were used.

    Args:
        searches: Whether documents are searched.
        top_k: The maximum number of passages of the search; None if it is unknown.
        usage: Of the complete response.
    """
    return {
        **{name: getattr(body, name) for name in _SHOWN},
        "background": bool(body.background),
        "conversation": None if body.conversation is None else {"id": body.conversation},
        "frequency_penalty": body.frequency_penalty or 0.0,
        "max_output_tokens": body.max_output_tokens or _default_limit(body, defaults, searches, usage),
        "metadata": body.metadata or {},
        "model": body.model,
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "moderation": None,
        "presence_penalty": body.presence_penalty or 0.0,
        "prompt": None,
        "reasoning": None if body.reasoning is None else _reasoning(body.reasoning),
        "service_tier": _service_tier(body),
        "temperature": defaults.temperature if body.temperature is None else body.temperature,
        "text": _text(body),
        "tool_choice": body.tool_choice or "auto",
        "tools": [_tool(tool, top_k) for tool in body.tools],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": body.top_p or 1.0,
        **({} if body.user is None else {"user": body.user}),
        "truncation": body.truncation or ("auto" if searches else "disabled"),
    }


def _service_tier(body: ResponsesBody) -> str:
    """The tier of the request, by the name that OpenAI's API shows. All tiers are served alike."""
    shown = {None: "default", "auto": "default", "fast": "priority"}
    return shown.get(body.service_tier) or str(body.service_tier)


def _reasoning(options: ReasoningOptions) -> JsonObject:
    return {"effort": options.effort, "summary": None, "generate_summary": None, "context": options.context}


def _default_limit(body: ResponsesBody, defaults: DefaultSampling, searches: bool, usage: Usage | None) -> int:
    """The limit of a request without one. The prompt of an answer from documents leaves room for it."""
    if searches:
        return defaults.max_tokens
    limit = max(defaults.max_tokens, body.min_tokens or 0)
    return limit if usage is None else max(1, min(limit, defaults.context_tokens - usage.prompt_tokens))


def _text(body: ResponsesBody) -> JsonObject:
    text = body.text.model_dump(exclude_none=True, by_alias=True) if body.text else {}
    form = text.get("format") or {"type": "text"}
    if form["type"] == "json_schema":
        form = {"description": None, "strict": True, **form}  # every schema is enforced
    return {**text, "format": form}


def _tool(tool: FileSearch | FunctionTool | McpTool, top_k: int | None) -> FileSearchTool | OpenAiFunctionTool | Mcp:
    # Not validated, because requests may have values that OpenAI's types do not allow.
    if isinstance(tool, FunctionTool):
        return OpenAiFunctionTool.construct(
            **{"parameters": None, "strict": None, **tool.model_dump(exclude_none=True)}
        )
    if isinstance(tool, McpTool):  # without its headers and its token
        shown = tool.model_dump(exclude={"headers", "authorization"}, exclude_none=True)
        return Mcp.construct(**{"allowed_tools": None, "headers": None, "require_approval": "always", **shown})
    ranking = tool.ranking_options or RankingOptions()
    maximum = tool.max_num_results or top_k
    fields: JsonObject = {
        "type": tool.type,
        "vector_store_ids": tool.vector_store_ids,
        "ranking_options": ranking.model_dump(exclude_none=True),
        "filters": filter_to_json(tool.filters),
    }
    return FileSearchTool.construct(**(fields if maximum is None else {**fields, "max_num_results": maximum}))
