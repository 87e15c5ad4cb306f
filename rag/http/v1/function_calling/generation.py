"""Generates an answer of the language model that may or must call functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

from rag.errors import InvalidRequest
from rag.generate.events import AnswerStream
from rag.generate.text_assembler import text_events
from rag.http.v1.function_calling.call_events import call_events
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.ports import TokenStream
from rag.types import Facts, JsonObject


def supported_use(use: ToolUse, facts: Facts | None, *, from_documents: bool) -> tuple[ToolUse, str]:
    """How functions are used, and a note if they are ignored. They are ignored only if no call is required.

    Args:
        facts: What the service `LLM` reports.
        from_documents: Whether the answer comes from documents.

    Raises:
        InvalidRequest: a function must be called, but the answer comes from documents.
    """
    if from_documents and use.schema is not None:
        message = "tools: answers from documents call no functions; use the language model's name without file_search"
        raise InvalidRequest(message, param="tools")
    if use.calling != "auto":
        return use, ""
    if from_documents:
        return ToolUse(), "tools: ignored, because answers from documents call no functions"
    if (facts or {}).get("tool_parser", "") is None:
        return ToolUse(), "tools: ignored, because no parser of this model's tool calls is known"
    return use, ""


def calling_parameters(sampling: JsonObject, use: ToolUse, form: str) -> JsonObject:
    """The sampling parameters with those that force a call.

    Args:
        form: Name of the field that prescribes the form of the text, if one does.

    Raises:
        InvalidRequest: the request prescribes the form of the text, too.
    """
    if use.calling == "none":
        return sampling
    if "structured_outputs" in sampling:
        raise InvalidRequest(f"{form}: cannot be combined with tools; give one of them", param=form)
    return sampling if use.schema is None else {**sampling, "structured_outputs": {"json": use.schema}}


def structure_field(use: ToolUse, form: str) -> Mapping[str, str]:
    """The name of the field whose value the language model's service calls `structured_outputs`."""
    return {"structured_outputs": form if use.schema is None else "tools"}


@asynccontextmanager
async def chat_answer(
    generation: AbstractAsyncContextManager[TokenStream], use: ToolUse
) -> AsyncIterator[AnswerStream]:
    """The answer of the language model itself, with its function calls."""
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(generation)
        answer = await stack.enter_async_context(aclosing(text_events(stream)))
        if use.calling != "none":
            answer = await stack.enter_async_context(aclosing(call_events(answer, use)))
        yield answer
