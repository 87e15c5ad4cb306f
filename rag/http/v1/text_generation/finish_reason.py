"""Finish reasons of OpenAI's API."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

from rag.generate.events import CompletedText
from rag.types import JsonObject

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]
CUT = ("length", "repetition")
"""Finish reasons of a text that is not complete."""
_KNOWN = ("stop", "length", "tool_calls", "content_filter")


def openai_finish(finish_reason: str, stop_reason: str | int | None) -> tuple[FinishReason, str | int | None]:
    """OpenAI's finish reason, and vLLM's stop reason.

    A finish reason that OpenAI does not have becomes `stop` with that stop reason; `repetition`, which cuts the text,
    becomes `length`.
    """
    if finish_reason in _KNOWN:
        return cast(FinishReason, finish_reason), stop_reason
    reason: FinishReason = "length" if finish_reason in CUT else "stop"
    return reason, finish_reason if stop_reason is None else stop_reason


def finish_fields(text: CompletedText) -> JsonObject:
    """`finish_reason` and, if there is one, `stop_reason` of a choice."""
    finish_reason, stop_reason = openai_finish(text.finish_reason, text.stop_reason)
    return {"finish_reason": finish_reason, **({} if stop_reason is None else {"stop_reason": stop_reason})}
