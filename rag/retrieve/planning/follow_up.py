"""Follow-up questions without a language model: the question is also searched for with the user's previous turns."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Hit, Message

CONVERSATION_LABEL = "conversation"
"""Label of this wording among the lists that are fused."""
_PATH = f"dense/{CONVERSATION_LABEL}"
_MAX_TURNS = 2
_MAX_CHARS = 400
"""For the previous turns: encoders read a few hundred tokens, and the question must be among them."""
_MARGIN = 0.25
"""Added to `min_cosine`: previous turns are similar to their own passages, whatever the new question is."""


def last_user_turns(history: Sequence[Message]) -> str:
    """The end of what the user said before; empty if there is nothing."""
    user_turns = [turn.content.strip() for turn in history if turn.role == "user" and turn.content.strip()]
    return "\n".join(user_turns[-_MAX_TURNS:])[-_MAX_CHARS:]


def in_conversation(question: str, history: Sequence[Message]) -> str | None:
    """The previous user turns followed by the question; None if there are no previous turns."""
    before = last_user_turns(history)
    return f"{before}\n{question}" if before else None


def answers_in_conversation(hit: Hit, min_cosine: float) -> bool:
    """Whether the hit is similar enough to the question when it is read together with the previous turns."""
    return hit.scores.get(_PATH, -1.0) >= min_cosine + _MARGIN
