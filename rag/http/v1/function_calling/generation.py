"""Generates an answer of the language model that may or must call functions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace

from rag.errors import InvalidRequest
from rag.generate.events import AnswerStream
from rag.generate.text_assembler import text_events
from rag.http.v1.function_calling.call_events import call_events
from rag.http.v1.function_calling.tool_use import ToolUse
from rag.http.v1.function_calling.written_calls import described, plain_messages, written_messages
from rag.ports import TokenStream
from rag.types import Chat, Facts, Hit, JsonMapping, JsonObject

_IGNORED = "tools: ignored, because "


def supported_use(use: ToolUse, facts: Facts | None, *, from_documents: bool, has_form: bool) -> tuple[ToolUse, str]:
    """How functions are used, and a note if they are ignored. They are ignored only if no call is required.

    Args:
        facts: What the service `LLM` reports.
        from_documents: Whether the answer comes from documents.
        has_form: Whether the request prescribes the form of the text.
    """
    if use.calling != "auto":
        return use, ""
    if from_documents:
        return (
            ToolUse(),
            "tools: ignored, because an answer from documents calls functions only if tool_choice requires it",
        )
    if (facts or {}).get("tool_parser", "") is not None:
        return use, ""
    if has_form:
        return ToolUse(), f"{_IGNORED}this model cannot choose between a call and a text of this form"
    return replace(use, is_written=True), ""


def conversation(messages: Sequence[JsonObject], use: ToolUse, template_values: JsonMapping | None) -> Chat:
    """The conversation for the language model, with the functions that it may call."""
    values = template_values or {}
    if use.is_written and not use.tools:
        return Chat(tuple(plain_messages(messages)), template_values=values)
    if use.is_written:
        return Chat(tuple(written_messages(messages, use.tools)), template_values=values)
    return Chat(tuple(messages), use.tools, values, calls_tools=use.calling == "auto")


def calling_parameters(sampling: JsonObject, use: ToolUse, form: str) -> JsonObject:
    """The sampling parameters with those that make the model write valid calls.

    Args:
        form: Name of the field that prescribes the form of the text, if one does.

    Raises:
        InvalidRequest: the request prescribes the form of the text, too.
    """
    if use.calling == "none":
        return sampling
    if "structured_outputs" in sampling:
        raise InvalidRequest(f"{form}: cannot be combined with tools; give one of them", param=form)
    structure = use.structured_outputs
    return sampling if structure is None else {**sampling, "structured_outputs": structure}


def structure_field(use: ToolUse, form: str) -> dict[str, str]:
    """The name of the field whose value the language model's service calls `structured_outputs`."""
    return {"structured_outputs": form if use.structured_outputs is None else "tools"}


def instructions(system: str, use: ToolUse) -> str:
    """The instructions for an answer from documents, with the functions of which it must consist."""
    functions = f"Answer with calls of these functions:\n\n{described(use.tools)}" if use.tools else ""
    return "\n\n".join(filter(None, (system, functions)))


@asynccontextmanager
async def chat_answer(
    generation: AbstractAsyncContextManager[TokenStream],
    use: ToolUse,
    sources: Sequence[Hit] | None = None,
    *,
    has_fence: bool = False,
) -> AsyncIterator[AnswerStream]:
    """The answer of the language model itself, with its function calls.

    Args:
        sources: The passages that it may cite; None: its text is left as it is.
        has_fence: Whether the conversation has a fence that the model may copy.
    """
    async with (
        generation as stream,
        aclosing(text_events(stream, sources, has_fence=has_fence)) as answer,
        _with_calls(answer, use) as called,
    ):
        yield called


@asynccontextmanager
async def document_answer(
    source: AbstractAsyncContextManager[AnswerStream], use: ToolUse
) -> AsyncIterator[AnswerStream]:
    """An answer from documents, with the function calls that it must consist of."""
    async with source as answer, _with_calls(answer, use) as called:
        yield called


@asynccontextmanager
async def _with_calls(answer: AnswerStream, use: ToolUse) -> AsyncIterator[AnswerStream]:
    if use.calling == "none":
        yield answer
        return
    async with aclosing(call_events(answer, use)) as called:
        yield called
