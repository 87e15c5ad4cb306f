"""WebSocket mode of `/v1/responses`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from rag.http.v1.responses.websocket.turns import SocketTurns
from tests.fakes import FakeGenerator
from tests.support.servers.edge_service import MODEL, EdgeService
from tests.support.servers.loopback import until
from tests.support.v1.kept_catalog import a_keeping_edge

_ENDS = ("response.completed", "response.incomplete", "error")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeService]:
    async with a_keeping_edge(tmp_path, FakeGenerator("Yes.")) as service:
        yield service


def url_of(edge: EdgeService) -> str:
    return edge.url.replace("http://", "ws://") + "/v1/responses"


async def turn(socket: ClientConnection, **body: Any) -> list[dict[str, Any]]:
    """The events of one response."""
    await socket.send(json.dumps({"type": "response.create", "model": MODEL, "store": False, **body}))
    events = []
    async for message in socket:
        events.append(json.loads(message))
        if events[-1]["type"] in _ENDS:
            return events
    raise AssertionError("the connection was closed")


def failing(*_: object) -> None:
    raise KeyError("missing")


def contents(edge: EdgeService) -> list[str]:
    """What the language model read last."""
    return [message["content"] for message in edge.generator.requests[-1][0].messages]


async def test_several_turns_on_one_connection_have_the_events_of_a_stream(edge: EdgeService) -> None:
    async with connect(url_of(edge)) as socket:
        for text in ("one", "two"):
            events = await turn(socket, input=text)
            numbers = [event["sequence_number"] for event in events]
            assert numbers == list(range(len(events)))
            assert [events[0]["type"], events[-1]["type"]] == ["response.created", "response.completed"]
            assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Yes."
            assert contents(edge) == [text]


async def test_a_conversation_on_a_connection_begins_at_its_newest_compaction(edge: EdgeService) -> None:
    long = "word " * 40
    roles = [("user", "assistant")[number % 2] for number in range(10)]
    talk = [{"role": role, "content": f"{number} {long}"} for number, role in enumerate(roles)]
    wanted = [{"type": "compaction", "compact_threshold": 200}]
    async with connect(url_of(edge)) as socket:
        items = [*talk, {"role": "user", "content": "And now?"}]
        first = (await turn(socket, input=items, context_management=wanted))[-1]["response"]
        assert [item["type"] for item in first["output"]] == ["compaction", "message"]
        await turn(socket, input="More?", previous_response_id=first["id"])
        assert contents(edge)[2:] == ["And now?", "Yes.", "More?"]


async def test_the_official_client_connects(edge: EdgeService) -> None:
    async with (
        openai.AsyncOpenAI(base_url=f"{edge.url}/v1", api_key="x") as client,
        client.responses.connect() as connection,
    ):
        await connection.response.create(model=MODEL, input="one")
        kinds = []
        async for event in connection:
            kinds.append(event.type)
            if event.type == "response.completed":
                break
    assert "response.output_text.delta" in kinds


async def test_a_response_that_is_not_kept_is_continued_on_its_connection_only(edge: EdgeService) -> None:
    async with connect(url_of(edge)) as socket:
        first = (await turn(socket, input="one"))[-1]["response"]
        second = (await turn(socket, input="two", previous_response_id=first["id"]))[-1]["response"]
        assert second["previous_response_id"] == first["id"]
        assert contents(edge) == ["one", "Yes.", "two"]
        await turn(socket, input="three", previous_response_id=second["id"])
        assert contents(edge) == ["one", "Yes.", "two", "Yes.", "three"]
    async with connect(url_of(edge)) as socket:
        (error,) = await turn(socket, input="two", previous_response_id=second["id"])
        assert (error["type"], error["status"], error["code"]) == ("error", 404, "previous_response_not_found")
        assert error["error"]["param"] == "previous_response_id"
        assert (await turn(socket, input="four"))[-1]["type"] == "response.completed"


async def test_kept_responses_are_continued_on_any_connection(edge: EdgeService) -> None:
    async with connect(url_of(edge)) as socket:
        kept = (await turn(socket, input="one", store=True))[-1]["response"]
    async with connect(url_of(edge)) as socket:
        second = (await turn(socket, input="two", previous_response_id=kept["id"]))[-1]["response"]
        await turn(socket, input="three", previous_response_id=second["id"])
        assert contents(edge) == ["one", "Yes.", "two", "Yes.", "three"]


async def test_a_failed_turn_cannot_be_continued(edge: EdgeService) -> None:
    output = {"type": "function_call_output", "call_id": "call_unknown", "output": "x"}
    async with connect(url_of(edge)) as socket:
        first = (await turn(socket, input="one"))[-1]["response"]
        (error,) = await turn(socket, input=[output], previous_response_id=first["id"])
        assert error["status"] == 400
        (error,) = await turn(socket, input="two", previous_response_id=first["id"])
        assert error["error"]["code"] == "previous_response_not_found"


@pytest.mark.parametrize("value", [5, None, {"role": "user"}])
async def test_an_invalid_input_is_refused_in_a_continued_response_too(edge: EdgeService, value: Any) -> None:
    async with connect(url_of(edge)) as socket:
        first = (await turn(socket, input="one"))[-1]["response"]
        (error,) = await turn(socket, input=value, previous_response_id=first["id"])
        assert (error["status"], error["error"]["param"]) == (400, "input")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("{", None),
        ('{"type": "response.cancel"}', "type"),
        ('{"type": "response.create", "model": "x", "input": "a", "background": true}', "background"),
        ('{"type": "response.create", "model": "org/tiny:1b", "input": "a", "colour": 1}', "colour"),
    ],
)
async def test_a_refusal_is_an_event_that_names_the_field(edge: EdgeService, message: str, param: str | None) -> None:
    async with connect(url_of(edge)) as socket:
        await socket.send(message)
        error = json.loads(await socket.recv())
        assert (error["type"], error["status"], error["error"]["param"]) == ("error", 400, param)


async def test_closing_the_connection_stops_the_language_model(tmp_path: Path) -> None:
    async with a_keeping_edge(tmp_path, FakeGenerator("word " * 100_000)) as edge:
        async with connect(url_of(edge), close_timeout=1) as socket:  # it reads no more, so it sees no end
            await socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": "one"}))
            while json.loads(await socket.recv())["type"] != "response.output_text.delta":
                pass
            assert edge.generator.running == 1
        await until(lambda: edge.generator.running == 0)


async def test_a_response_that_fails_unexpectedly_ends_with_an_error(
    edge: EdgeService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(url_of(edge)) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(SocketTurns, "sent", failing)
            (error,) = await turn(socket, input="one")
        assert (error["type"], error["status"], error["code"]) == ("error", 500, "internal_error")
        assert "a response on a WebSocket failed" in caplog.text
        assert (await turn(socket, input="two"))[-1]["type"] == "response.completed"


async def test_too_many_waiting_messages_close_the_connection(tmp_path: Path) -> None:
    message = json.dumps({"type": "response.create", "model": MODEL, "input": "one"})
    async with a_keeping_edge(tmp_path, FakeGenerator("word " * 100_000)) as edge:
        async with connect(url_of(edge)) as socket:
            with suppress(ConnectionClosedError):
                for _ in range(30):
                    await socket.send(message)
            await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1008, "more than 16 messages wait")
        await until(lambda: edge.generator.running == 0)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/responses/resp_1", {}, 404),
        ("/v1/chat/completions", {}, 404),
    ],
)
async def test_other_handshakes_are_refused(edge: EdgeService, path: str, headers: Any, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(edge.url.replace("http://", "ws://") + path, additional_headers=headers):
            pass
    assert refused.value.response.status_code == status
