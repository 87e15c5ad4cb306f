"""Shortens a conversation to a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.types import Message

_CUT = "\n[...]\n"
_MAX_TURN_SHARE = 1 / 4
"""A share of the budget. Longer turns are cut before any turn is dropped."""
_MAX_CHARS_PER_TOKEN = 16
"""No text has more; longer ones need not be counted."""

Count = Callable[[str], int]


def fitting_exchanges(turns: Sequence[Message], budget: int, count: Count) -> list[list[Message]]:
    """The newest exchanges that may fit into the budget, oldest first.

    An exchange is a question with its answers. Turns of more than a quarter of the budget are cut in the middle.

    Args:
        budget: Tokens of the whole prompt.
    """
    exchanges: list[list[Message]] = []
    remaining = budget
    for exchange in reversed(_exchanges(turns)):
        shortened = [_shortened(turn, int(budget * _MAX_TURN_SHARE), count) for turn in exchange]
        remaining -= sum(count(turn.content) for turn in shortened)
        if remaining < 0:
            break
        exchanges.append(shortened)
    return exchanges[::-1]


def may_fit(turns: Sequence[Message], budget: int) -> bool:
    """Whether the turns are short enough to be worth counting."""
    return sum(len(turn.content) for turn in turns) <= budget * _MAX_CHARS_PER_TOKEN


def _exchanges(turns: Sequence[Message]) -> list[list[Message]]:
    """Questions with their answers; answers without a question are exchanges of their own."""
    exchanges: list[list[Message]] = []
    for turn in turns:
        if exchanges and not (turn.role == "user" and exchanges[-1][-1].role != "user"):
            exchanges[-1].append(turn)
        else:
            exchanges.append([turn])
    return exchanges


def _shortened(turn: Message, max_tokens: int, count: Count) -> Message:
    """The turn, reduced to its beginning and its end if it has more than `max_tokens`."""
    text = _middle_cut(turn.content, max_tokens * _MAX_CHARS_PER_TOKEN)
    while (tokens := count(text)) > max_tokens and len(text) > len(_CUT):
        # Tokens may be unevenly distributed, so halve the text at most and count again.
        text = _middle_cut(turn.content, min(len(text) - 1, max(int(len(text) * max_tokens / tokens), len(text) // 2)))
    return turn if text == turn.content else replace(turn, content=text)


def _middle_cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    half = max((max_chars - len(_CUT)) // 2, 0)
    return text[:half] + _CUT + text[len(text) - half :]
