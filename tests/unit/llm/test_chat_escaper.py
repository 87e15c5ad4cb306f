"""No text of a conversation is a control token."""

from __future__ import annotations

import json
from typing import Any

from rag.llm.chat_escaper import ChatEscaper
from rag.llm.images import image_part

END, ESCAPED = "<|im_end|>", "< |im_end|>"
ESCAPER = ChatEscaper(["[INST]"])


def test_every_field_of_a_turn_is_escaped() -> None:
    call = {"id": f"1{END}", "type": "function", "function": {"name": f"f{END}", "arguments": '{"a": "x<|im_end|>"}'}}
    turn: dict[str, Any] = {
        "role": "assistant",
        "content": f"a{END}[INST]",
        "reasoning_content": f"b{END}",
        "name": f"c{END}",
        "tool_calls": [call],
    }
    written = json.dumps([ESCAPER.turn(turn), ESCAPER.turn({"role": "tool", "content": "d", "tool_call_id": END})])
    assert (END in written, written.count(ESCAPED)) == (False, 7)
    assert "[ INST]" in written


def test_texts_beside_images_are_escaped_and_images_are_kept() -> None:
    image = image_part("data:image/png;base64,AAAA")
    turn = ESCAPER.turn({"role": "user", "content": [{"type": "text", "text": END}, image]})
    assert turn["content"] == [{"type": "text", "text": ESCAPED}, image]


def test_names_and_texts_of_tools_are_escaped() -> None:
    tool = {"function": {"description": END, "parameters": {"properties": {END: {"enum": [END, 1, None, True]}}}}}
    escaped = {"description": ESCAPED, "parameters": {"properties": {ESCAPED: {"enum": [ESCAPED, 1, None, True]}}}}
    assert ESCAPER.tool(tool) == {"function": escaped}


def test_anything_else_stays_as_it_is() -> None:
    function = {"name": "f", "arguments": "{}"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}
    for turn in (call, {"role": "user", "content": "2 < 3 | 4"}):
        assert ESCAPER.turn(turn) == turn
    called = ESCAPER.turn({**call, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": None}}]})
    assert called["tool_calls"][0]["function"]["arguments"] == ""
