"""The fields with which a request says whether, and how long, the language model thinks before it answers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rag.errors import InvalidRequest
from rag.llm.template_values import EFFORT
from rag.types import Facts, JsonMapping, JsonObject

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORT_DESCRIPTION = (
    "How much a model that thinks is to think before it answers, if its chat template has such a variable; none: it "
    "does not think, if its template allows that."
)


def template_values(effort: Effort | None, chat_template_kwargs: JsonMapping | None) -> JsonObject:
    """The variables of the chat template that a request sets."""
    return {**({} if effort is None else {EFFORT: effort}), **(chat_template_kwargs or {})}


def check_effort(effort: Effort | None, facts: Facts | None, field: str = EFFORT) -> None:
    """Raises InvalidRequest if a model is to think that does not.

    Args:
        facts: What the service `LLM` reports. A server elsewhere does not say whether its model thinks.
        field: Name of the field in the request.
    """
    thinks = (facts or {}).get("reasoning_parser", "") is not None
    if effort not in (None, "none") and not thinks:
        raise InvalidRequest(f"{field}: this language model does not think; leave it out", param=field)
