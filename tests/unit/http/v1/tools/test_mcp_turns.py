"""Items of MCP servers as turns of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from rag.errors import InvalidRequest
from rag.http.v1.responses.request.input import InputItem
from rag.http.v1.responses.request.mcp_turns import approved_calls, as_turns, listed_tools
from rag.http.v1.responses.request.turns import chat_messages
from rag.http.v1.responses.tools.mcp_function import name_for_model
from rag.types import ServerTool

QUESTION = {"role": "user", "content": "Add."}
CALL = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "add", "arguments": "{}"}
REQUEST = {**CALL, "type": "mcp_approval_request", "id": "mcpr_1"}
REFUSAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": False}


def items(*given: Any) -> list[InputItem]:
    return [InputItem.model_validate(one) for one in given]


def messages(*given: Any) -> list[Any]:
    return list(chat_messages(as_turns(items(*given)), None))


def test_a_call_is_a_call_of_a_function_with_its_output() -> None:
    _, call, output = messages(QUESTION, {**CALL, "output": "3", "error": None})
    function = {"name": "add", "arguments": "{}"}
    assert call["tool_calls"] == [{"id": "mcp_1", "type": "function", "function": function}]
    assert output == {"role": "tool", "tool_call_id": "mcp_1", "content": "3"}


def test_long_outputs_and_failures_are_short() -> None:
    assert len(messages(QUESTION, {**CALL, "output": "x" * 100_000})[-1]["content"]) == 8000
    failed = {**CALL, "error": {"type": "http_error", "code": 1, "message": "secret"}}
    assert messages(QUESTION, failed)[-1]["content"] == "The call failed."


def test_refused_calls_are_told_and_open_requests_are_left_out() -> None:
    assert messages(QUESTION, REQUEST) == [QUESTION]
    assert messages(QUESTION, REQUEST, REFUSAL)[-1]["content"] == "The user did not approve this call."


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "mcp_call", "name": "add"}, "input.1.id"),
        ({"type": "mcp_approval_response", "approval_request_id": "x"}, "input.1.approve"),
        ({**QUESTION, "approve": True}, "input.1.approve"),
        ({**CALL, "arguments": "{"}, "input.1.arguments"),
    ],
)
def test_incomplete_items_are_refused_by_name(item: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(QUESTION, item)
    assert caught.value.param == param


def test_ids_of_any_length_are_taken() -> None:
    for call_id in ("", "x" * 5000):
        assert messages(QUESTION, {**CALL, "id": call_id, "output": ""})[-1]["role"] == "tool"


def test_a_request_is_answered_once() -> None:
    approval = {**REFUSAL, "approve": True}
    [call] = approved_calls(items(approval), items(REQUEST))
    assert (call.request_id, call.server_label, call.name) == ("mcpr_1", "s", "add")
    assert approved_calls(items(REFUSAL), items(REQUEST)) == []
    for given, history in (([approval, approval], [REQUEST]), ([approval], [REQUEST, REFUSAL]), ([approval], [])):
        with pytest.raises(InvalidRequest):
            approved_calls(items(*given), items(*history))


def test_the_newest_list_without_an_error_counts() -> None:
    listed: Any = {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": [{"name": "a"}, {"name": 1}]}
    found = listed_tools(items({**listed, "tools": []}, listed, {**listed, "tools": [], "error": "down"}))
    assert found == {"s": [ServerTool("a", {}), ServerTool("1", {})]}


def test_names_are_valid_and_differ() -> None:
    assert name_for_model("s", "add", ()) == "add"
    assert name_for_model("s", "add", {"add"}) == "s_add"
    assert name_for_model("s", "größe/ä", ()) == "gr__e__"
    long = name_for_model("s", "x" * 100, ())
    assert (len(long), long != name_for_model("s", "x" * 101, ())) == (64, True)
