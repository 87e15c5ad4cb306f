"""A conversation, condensed to the room that there is for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.types import Message

_CUT = "\n[...]\n"
_LONG = 1 / 4
"""Of the room: a turn that takes more is cut before turns are left out."""
_MOST_CHARS_A_TOKEN = 16
"""Texts with more are not met; those that are so long need not be counted."""

Count = Callable[[str], int]


def fitting_exchanges(turns: Sequence[Message], room: int, count: Count) -> list[list[Message]]:
    """The newest exchanges of the conversation, oldest first: those that may have room.

    An exchange is a question with what was answered to it. Turns that take more than a quarter of the room are cut in
    the middle.

    Args:
        room: Tokens for the whole prompt.
    """
    kept: list[list[Message]] = []
    left = room
    for exchange in reversed(_exchanges(turns)):
        short = [_shortened(turn, int(room * _LONG), count) for turn in exchange]
        left -= sum(count(turn.content) for turn in short)
        if left < 0:
            break
        kept.append(short)
    return kept[::-1]


def may_fit(turns: Sequence[Message], room: int) -> bool:
    """Whether it is worth counting."""
    return sum(len(turn.content) for turn in turns) <= room * _MOST_CHARS_A_TOKEN


def _exchanges(turns: Sequence[Message]) -> list[list[Message]]:
    """Answers without a question stand alone."""
    found: list[list[Message]] = []
    for turn in turns:
        if found and not (turn.role == "user" and found[-1][-1].role != "user"):
            found[-1].append(turn)
        else:
            found.append([turn])
    return found


def _shortened(turn: Message, most: int, count: Count) -> Message:
    """Its beginning and its end, where it has more than so many tokens."""
    text = _middle_cut(turn.content, most * _MOST_CHARS_A_TOKEN)
    while (tokens := count(text)) > most and len(text) > len(_CUT):
        # Not below half: a text is seldom so uneven, and the next round sees.
        text = _middle_cut(turn.content, min(len(text) - 1, max(int(len(text) * most / tokens), len(text) // 2)))
    return turn if text == turn.content else replace(turn, content=text)


def _middle_cut(text: str, most_chars: int) -> str:
    if len(text) <= most_chars:
        return text
    half = max((most_chars - len(_CUT)) // 2, 0)
    return text[:half] + _CUT + text[len(text) - half :]
