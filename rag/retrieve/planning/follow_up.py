"""A follow-up question, with what it may refer to: without a language model."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Hit, Message

LABEL = "conversation"
"""Of this wording, among the lists that are fused."""
_PATH = f"dense/{LABEL}"
_TURNS = 2
_MAX_CHARS = 400
"""Of the turns: encoders read a few hundred tokens, and the question must be among them."""
_MARGIN = 0.25
"""What was asked before is near its own passages, whatever is asked now: more is wanted of this wording."""


def asked_before(history: Sequence[Message]) -> str:
    """What the user said last, as far as a question is searched for with it."""
    said = [turn.content.strip() for turn in history if turn.role == "user" and turn.content.strip()]
    return "\n".join(said[-_TURNS:])[-_MAX_CHARS:]


def in_conversation(question: str, history: Sequence[Message]) -> str | None:
    """The question behind what the user said before; None where that is nothing."""
    before = asked_before(history)
    return f"{before}\n{question}" if before else None


def is_near(hit: Hit, min_cosine: float) -> bool:
    """Whether the question, understood from the conversation, is answered there."""
    return hit.scores.get(_PATH, -1.0) >= min_cosine + _MARGIN
