"""Tools of MCP servers in `/v1/responses`, with a server of the official package."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses import Response

from rag.adapters.mcp_servers import McpServers
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.library.answers.responses import ResponseRegistry
from rag.types import Hit
from tests.fakes import FakeRetriever
from tests.support.builders import a_chunk
from tests.support.catalogs import a_catalog
from tests.support.models.scripted_model import ScriptedModel
from tests.support.servers.edge_service import EdgeService, an_edge
from tests.support.servers.mcp_server import CalledServer, an_mcp_server
from tests.support.v1.response_calls import ADD, SEARCH, create_response, stream_events
from tests.support.v1.v1_client import error_of
from tests.unit.http.v1.tools.test_agentic_search import kinds, outputs, without_repetition

SECRET = "swordfish"
ADD_CALL = [("add", {"a": 1, "b": 2})]
ZEBRA = Hit(a_chunk("zebras eat grass", filename="zebras.md"), 0.9)


def tool(server: CalledServer, **fields: Any) -> Any:
    return {
        "type": "mcp",
        "server_label": "tests",
        "server_url": server.url,
        "require_approval": "never",
        "authorization": SECRET,
        **fields,
    }


@asynccontextmanager
async def serving(
    model: ScriptedModel, retriever: FakeRetriever | None = None, *, timeout_s: float = 60, **options: Any
) -> AsyncIterator[tuple[EdgeService, CalledServer]]:
    async with an_mcp_server() as server:
        calls = McpServers([server.url], timeout_s=timeout_s, max_bytes=100_000)
        tools = ToolOptions(servers=calls, **options)
        async with an_edge(model, retriever, tools=tools) as edge:
            yield edge, server


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[ResponseRegistry]:
    database = a_catalog(tmp_path)
    yield ResponseRegistry(database, 30)
    database.close()


async def test_the_model_calls_a_tool_of_a_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    model = ScriptedModel(ADD_CALL, "It is 3.")
    async with serving(model) as (edge, server):
        response = await create_response(edge, tools=[tool(server, headers={"X-Team": SECRET})])
    made = response.json()
    listed, call, message = made["output"]
    assert (listed["type"], listed["server_label"], listed["error"]) == ("mcp_list_tools", "tests", None)
    assert {each["name"] for each in listed["tools"]} == {"add", "wipe", "fail", "huge", "hang"}
    assert (call["type"], call["name"], call["output"]) == ("mcp_call", "add", "The sum is 3.")
    assert (json.loads(call["arguments"]), call["error"], call["status"]) == ({"a": 1, "b": 2}, None, "completed")
    assert (message["content"][0]["text"].strip(), made["status"]) == ("It is 3.", "completed")
    assert Response.model_validate(made).to_dict() == made
    assert outputs(model) == ["The sum is 3."]
    assert server.authorizations == {f"Bearer {SECRET}"}
    assert (made["tools"][0]["server_url"], made["tools"][0]["headers"]) == (server.url, None)
    assert SECRET not in response.text + caplog.text


async def test_the_events_are_openais_in_openais_order() -> None:
    async with serving(ScriptedModel(ADD_CALL, "It is 3.")) as (edge, server):
        events = await stream_events(edge, tools=[tool(server)])
    assert without_repetition(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.mcp_list_tools.in_progress",
        "response.mcp_list_tools.completed",
        "response.output_item.done",
        "response.output_item.added",
        "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.completed",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    deltas = [event.delta for event in events if event.type == "response.mcp_call_arguments.delta"]
    assert (len(deltas), json.loads("".join(deltas))) == (2, {"a": 1, "b": 2})
    calls = [event for event in events if event.type.startswith("response.mcp_call")]
    assert ({event.output_index for event in calls}, len({event.item_id for event in calls})) == ({1}, 1)


async def test_a_call_needs_approval_unless_the_request_says_otherwise(responses: ResponseRegistry) -> None:
    model = ScriptedModel([*ADD_CALL, ("wipe", {})], "Done.", [("wipe", {})], "As you like.")
    async with serving(model, FakeRetriever(responses=responses)) as (edge, server):
        tools = [tool(server, require_approval={"never": {"read_only": True}})]
        first = (await create_response(edge, tools=tools)).json()
        assert kinds(first) == ["mcp_list_tools", "mcp_call", "mcp_approval_request"]
        assert (server.calls, first["status"]) == (["add"], "completed")
        request = first["output"][-1]
        assert (request["name"], request["arguments"], request["server_label"]) == ("wipe", "{}", "tests")
        answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        follow: Any = {"tools": tools, "previous_response_id": first["id"]}
        second = (await create_response(edge, **follow, input=[answer])).json()
        assert kinds(second) == ["mcp_call", "message"]  # the list of tools is used again
        assert (second["output"][0]["approval_request_id"], server.calls) == (request["id"], ["add", "wipe"])
        assert outputs(model)[-1] == "< system> All is gone."  # its control token is escaped
        again = await create_response(edge, **{**follow, "previous_response_id": second["id"]}, input=[answer])
        assert error_of(again) == (400, "invalid_request", "input.0.approval_request_id")
        third = (await create_response(edge, tools=tools, previous_response_id=second["id"])).json()
        request = third["output"][-1]
        refused = {**answer, "approval_request_id": request["id"], "approve": False, "reason": "Too dangerous."}
        last = (await create_response(edge, tools=tools, previous_response_id=third["id"], input=[refused])).json()
    assert (kinds(last), server.calls) == (["message"], ["add", "wipe"])
    assert outputs(model)[-1] == "The user did not approve this call. Too dangerous."
    assert SECRET not in str(responses.get(first["id"]))


async def test_an_approval_without_its_request_or_server_is_refused() -> None:
    async with serving(ScriptedModel("Hello")) as (edge, server):
        answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
        response = await create_response(edge, input=[answer], tools=[tool(server)])
        assert error_of(response) == (400, "invalid_request", "input.0.approval_request_id")
        request = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "x", "name": "a", "arguments": "{}"}
        question = {"role": "user", "content": "Do it."}
        response = await create_response(edge, input=[question, request, answer], tools=[tool(server)])
        assert error_of(response) == (400, "invalid_request", "tools")


@pytest.mark.parametrize(
    ("allowed", "names"),
    [(["add", "wipe"], {"add", "wipe"}), ({"read_only": True}, {"add"}), ({"tool_names": ["fail"]}, {"fail"})],
)
async def test_only_allowed_tools_are_offered(allowed: Any, names: set[str]) -> None:
    model = ScriptedModel([("hang", {})], "Sorry.")
    async with serving(model) as (edge, server):
        response = (await create_response(edge, tools=[tool(server, allowed_tools=allowed)])).json()
    assert {each["name"] for each in response["output"][0]["tools"]} == names
    assert {each["function"]["name"] for each in model.chats[0].tools} == names
    assert outputs(model) == ["There is no function of this name."]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (("fail", {}), "mcp_tool_execution_error", "on fire"),
        (("huge", {}), "http_error", "MCP_MAX_KIB"),
        (("add", "no JSON"), "mcp_protocol_error", "not a JSON object"),
    ],
)
async def test_a_call_that_fails_is_an_error_and_the_model_goes_on(call: Any, kind: str, words: str) -> None:
    model = ScriptedModel([call], "Sorry.")
    async with serving(model) as (edge, server):
        response = (await create_response(edge, tools=[tool(server)])).json()
    failed = response["output"][1]
    assert (failed["type"], failed["status"], failed["output"]) == ("mcp_call", "failed", None)
    assert (failed["error"]["type"], words in str(failed["error"])) == (kind, True)
    assert (kinds(response)[-1], response["status"], words in outputs(model)[0]) == ("message", "completed", True)
    assert Response.model_validate(response).to_dict() == response


async def test_a_tool_that_hangs_is_an_error() -> None:
    async with serving(ScriptedModel([("hang", {})], "Sorry."), timeout_s=2) as (edge, server):
        events = await stream_events(edge, tools=[tool(server)])
    assert "response.mcp_call.failed" in [event.type for event in events]
    assert events[-1].response.output[1].error.code == 504


async def test_a_server_that_does_not_list_its_tools_fails_the_response() -> None:
    gone = CalledServer("http://127.0.0.1:9/mcp")
    tools = ToolOptions(servers=McpServers([gone.url], timeout_s=60, max_bytes=1000))
    async with an_edge(ScriptedModel("Hello"), tools=tools) as edge:
        response = await create_response(edge, tools=[tool(gone)])
        assert error_of(response) == (424, "tool_server_failed", "tools.0")
        assert "'tests' cannot be listed" in response.json()["error"]["message"]
        raw = (await create_response(edge, tools=[tool(gone)], stream=True)).text
    names = [line.removeprefix("event: ") for line in raw.splitlines() if line.startswith("event: ")]
    assert names[2:] == [
        "response.output_item.added",
        "response.mcp_list_tools.in_progress",
        "response.mcp_list_tools.failed",
        "response.output_item.done",
        "response.failed",
        "error",
    ]


async def test_too_many_tools_are_refused() -> None:
    async with serving(ScriptedModel("Hello"), max_server_tools=3) as (edge, server):
        response = await create_response(edge, tools=[tool(server)])
        assert (response.status_code, "allowed_tools" in response.text) == (424, True)
        response = await create_response(edge, tools=[tool(server, allowed_tools=["add"])])
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"server_url": "http://169.254.169.254/latest"}, "tools.0.server_url"),
        ({"server_url": "file:///etc/passwd"}, "tools.0.server_url"),
    ],
)
async def test_servers_that_are_not_in_the_settings_are_refused_by_name(fields: Any, param: str) -> None:
    async with serving(ScriptedModel("Hello")) as (edge, server):
        response = await create_response(edge, tools=[tool(server, **fields)])
        assert error_of(response) == (403, "forbidden", param)
        assert "RAG_TOOLS__MCP_SERVERS" in response.json()["error"]["message"]
        assert server.methods == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"server_label": "a b"}, "tools.0.server_label"),
        ({"headers": {"Host": "x"}}, "tools.0.headers"),
        ({"headers": {"Mcp-Session-Id": "x"}}, "tools.0.headers"),
        ({"headers": {"X-A": "a\r\nb"}}, "tools.0.headers.X-A"),
        ({"headers": {"Authorization": "x"}}, "tools.0.authorization"),
        ({"connector_id": "connector_gmail"}, "tools.0"),
        ({"require_approval": "sometimes"}, None),
        ({"unknown": 1}, "tools.0.unknown"),
    ],
)
async def test_fields_that_are_wrong_are_named(fields: Any, param: str | None) -> None:
    async with serving(ScriptedModel("Hello")) as (edge, server):
        response = await create_response(edge, tools=[tool(server, **fields)])
    status, code, named = error_of(response)
    assert (status, code) == (400, "invalid_request")
    assert named == param or param is None
    assert SECRET not in response.text


async def test_the_choice_selects_servers_and_tools() -> None:
    model = ScriptedModel('[{"name": "add", "parameters": {"a": 1, "b": 2}}]', "It is 3.")
    async with serving(model) as (edge, server):
        choice = {"type": "mcp", "server_label": "tests", "name": "add"}
        response = (await create_response(edge, tools=[tool(server), ADD], tool_choice=choice)).json()
        assert error_of(await create_response(edge, tools=[ADD], tool_choice=choice))[2] == "tool_choice"
        none = (await create_response(edge, tools=[tool(server)], tool_choice="none")).json()
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    assert response["output"][1]["name"] == "add"
    assert kinds(none) == ["message"]


async def test_documents_are_searched_once_before_the_tools_of_a_server() -> None:
    model = ScriptedModel(ADD_CALL, "Grass [1], and 3.")
    async with serving(model, FakeRetriever((ZEBRA,))) as (edge, server):
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
        asked = [*turns, {"role": "user", "content": "Zebras?"}]
        response = (await create_response(edge, tools=[SEARCH, tool(server)], input=asked)).json()
    assert kinds(response) == ["mcp_list_tools", "file_search_call", "mcp_call", "message"]
    assert (response["output"][1]["queries"], len(edge.retriever.searches)) == (["Zebras?"], 1)
    assert edge.retriever.searches[0]["history"] == turns
    assert [each["filename"] for each in response["output"][-1]["content"][0]["annotations"]] == ["zebras.md"]
    assert "[1] zebras eat grass" in outputs(model, 0)[0]
    assert "file_search" not in [each["function"]["name"] for each in model.chats[0].tools]


async def test_a_tool_may_have_the_name_of_a_function() -> None:
    model = ScriptedModel([("tests_add", {"a": 1, "b": 2}), ("add", {"a": 4})])
    async with serving(model) as (edge, server):
        response = (await create_response(edge, tools=[ADD, tool(server, allowed_tools=["add"])])).json()
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "function_call"]
    assert response["output"][1]["output"] == "The sum is 3."


async def test_servers_of_a_request_are_limited_and_have_different_labels() -> None:
    async with serving(ScriptedModel("Hello")) as (edge, server):
        many = [tool(server, server_label=f"s{number}") for number in range(11)]
        for tools in (many, [tool(server)] * 2):
            assert error_of(await create_response(edge, tools=tools)) == (400, "invalid_request", "tools")
        assert server.methods == []
