"""What is passed on of a round of the language model, and what is held back until the round has ended."""

from __future__ import annotations

from rag.http.v1.responses.tools.round import Round
from rag.types import ReasoningDelta, TextDelta


def test_thoughts_are_sent_until_something_is_held_back() -> None:
    """An item of thoughts within the item of a call could not be written. The next round knows them nevertheless."""
    written = Round(tools={}, functions=frozenset(), may_run=True)
    assert written.think(ReasoningDelta("Look ")) == (ReasoningDelta("Look "),)
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "file_search", "arguments": "{}"}}
    assert list(written.read(TextDelta("", tool_calls=(call,)))) == []
    assert written.think(ReasoningDelta("it up.")) == ()
    assert written.thought == {"reasoning_content": "Look it up."}
