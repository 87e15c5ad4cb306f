"""`/v1/responses` in which the language model decides when to search."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from openai.types.responses import Response

from rag.errors import DependencyUnavailable, VectorStoreNotFound
from rag.http.v1.responses.tools.search_tool import queries_of
from rag.http.v1.text_generation.tool_options import ToolOptions
from rag.types import Hit
from tests.fakes import FakeGenerator, FakeRetriever
from tests.support.builders import a_chunk
from tests.support.models.scripted_model import ENDLESS, ScriptedModel, Turn, searching
from tests.support.servers.edge_service import MODEL, an_edge
from tests.support.servers.loopback import until
from tests.support.v1.response_calls import ADD, SEARCH, create_response, normalize, stream_events
from tests.support.v1.v1_client import error_of

ZEBRA = Hit(a_chunk("zebras eat grass", filename="zebras.md"), 0.9)
LION = Hit(a_chunk("lions eat zebras", filename="lions.md"), 0.8)
HYENA = Hit(a_chunk("hyenas eat what lions leave", filename="hyenas.md"), 0.7)
MODEL_SEARCHES: Any = {"tools": [SEARCH], "rag": {"search": "model"}}
STREAMED: Any = {"tools": [SEARCH], "extra_body": {"rag": {"search": "model"}}}
JSON = {"type": "json_object"}
WRITES = {"tool_parser": None}
"""Facts of a language model without a parser of calls."""


def a_retriever(**options: Any) -> FakeRetriever:
    retriever = FakeRetriever((ZEBRA, LION), **options)
    retriever.found = {"lions": (LION, HYENA), "nothing": ()}
    return retriever


def kinds(response: Any) -> list[str]:
    return [item["type"] for item in response["output"]]


def without_repetition(events: Any) -> list[str]:
    """The types of events; many deltas in a row are one."""
    return [name for name, _ in itertools.groupby(event.type for event in events)]


def outputs(model: ScriptedModel, chat: int = -1) -> list[str]:
    """What the tools returned to the model."""
    return [message["content"] for message in model.chats[chat].messages if message["role"] == "tool"]


async def test_by_default_the_question_is_searched_once() -> None:
    async with an_edge(FakeGenerator("Grass [1]."), a_retriever()) as edge:
        response = (await create_response(edge, tools=[SEARCH])).json()
    assert kinds(response) == ["file_search_call", "message"]
    assert (edge.retriever.searches, len(edge.retriever.prepared)) == ([], 1)


async def test_the_model_searches_with_its_own_queries_and_cites_over_rounds() -> None:
    model = ScriptedModel(searching("zebras", "grass"), searching("lions"), "Lions [2] and hyenas [3], not [4].")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, include=["file_search_call.results"])).json()
    assert kinds(response) == ["file_search_call", "file_search_call", "message"]
    first, second, message = response["output"]
    assert (first["queries"], second["queries"]) == (["zebras", "grass"], ["lions"])
    assert [(each["filename"], each["source"]) for each in first["results"]] == [("zebras.md", 1), ("lions.md", 2)]
    assert [(each["filename"], each["source"]) for each in second["results"]] == [("lions.md", 2), ("hyenas.md", 3)]
    [part] = message["content"]
    assert part["text"].strip() == "Lions [2] and hyenas [3], not."
    cited = [(each["filename"], each["source"], part["text"][each["index"] :][:3]) for each in part["annotations"]]
    assert cited == [("lions.md", 2, "[2]"), ("hyenas.md", 3, "[3]")]
    assert (response["status"], response["rag"]["citations_removed"]) == ("completed", 1)
    assert Response.model_validate(response).to_dict() == response
    shown = outputs(model)
    assert ("[1] zebras eat grass" in shown[0], "[2] lions eat zebras" in shown[0]) == (True, True)
    assert ("lions eat zebras" in shown[1], "[3] hyenas eat" in shown[1]) == (False, True)
    assert "Found again: [2]" in shown[1]


async def test_the_model_may_answer_without_a_search() -> None:
    async with an_edge(ScriptedModel("Hello!"), a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, model="rag")).json()
    assert (kinds(response), edge.retriever.searches) == (["message"], [])


async def test_where_it_searches() -> None:
    model = ScriptedModel(searching("zebras"), "Grass.")
    async with an_edge(model, a_retriever()) as edge:
        tool = {**SEARCH, "max_num_results": 1, "filters": {"type": "eq", "key": "year", "value": 2020}}
        response = (await create_response(edge, tools=[tool], rag={"search": "model"})).json()
        [search] = edge.retriever.searches
        assert (search["vector_store"], search["top_k"]) == (["animals", "plants"], 1)
        assert search["filters"] == tool["filters"]
        assert response["tools"][0]["max_num_results"] == 1
        await create_response(edge, model="rag", rag={"search": "model"})
        assert edge.retriever.searches[-1:] == [search]


async def test_the_setting_is_the_default_of_requests() -> None:
    model = ScriptedModel(searching("zebras"), "Grass [1].")
    async with an_edge(model, a_retriever(), tools=ToolOptions("model")) as edge:
        assert kinds((await create_response(edge, model="rag")).json()) == ["file_search_call", "message"]
        assert edge.retriever.prepared == []
    async with an_edge(FakeGenerator("Grass [1]."), a_retriever(), tools=ToolOptions("model")) as edge:
        fields: list[Any] = [{"rag": {"search": "always"}}, {"truncation": "auto"}, {"text": {"format": JSON}}]
        for number, body in enumerate(fields, start=1):  # the last two cannot be combined with the setting
            assert (await create_response(edge, model="rag", **body)).status_code == 200
            assert len(edge.retriever.prepared) == number


# Streams


async def test_the_events_are_openais_in_openais_order() -> None:
    model = ScriptedModel(searching("zebras"), searching("lions"), "Grass [1].")
    async with an_edge(model, a_retriever()) as edge:
        events = await stream_events(edge, **STREAMED)
    search = [
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
    ]
    assert without_repetition(events) == [
        "response.created",
        "response.in_progress",
        *search,
        *search,
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {event.output_index for event in events[2:7]} == {0}
    assert {event.output_index for event in events[7:12]} == {1}
    assert (events[2].item.status, events[2].item.queries) == ("in_progress", ["zebras"])


@pytest.mark.parametrize("is_written", [False, True])
async def test_streamed_and_plain_responses_agree(is_written: bool) -> None:
    script: list[Turn] = [["I look. ", *searching("zebras")], "Grass [1] for all."]
    facts = WRITES if is_written else {}
    async with an_edge(ScriptedModel(*script, is_written=is_written), a_retriever(), facts=facts) as edge:
        plain = (await create_response(edge, **MODEL_SEARCHES)).json()
    async with an_edge(ScriptedModel(*script, is_written=is_written), a_retriever(), facts=facts) as edge:
        last = (await stream_events(edge, **STREAMED))[-1].response.to_dict()
    assert normalize(last) == normalize(plain)
    assert kinds(plain) == ["message", "file_search_call", "message"]


# Budgets


async def test_max_tool_calls_bounds_the_searches() -> None:
    model = ScriptedModel(searching("zebras"), searching("lions"), searching("more"))
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_tool_calls=2)).json()
    assert kinds(response) == ["file_search_call", "file_search_call", "message"]
    assert (response["max_tool_calls"], response["status"]) == (2, "completed")
    assert [bool(chat.tools) for chat in model.chats] == [True, True, False]
    assert "No more functions can be called" in outputs(model)[-1]


async def test_calls_beyond_the_limit_are_not_run() -> None:
    model = ScriptedModel([*searching("zebras"), *searching("lions")], "Grass.")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_tool_calls=1)).json()
    assert (kinds(response), len(edge.retriever.searches)) == (["file_search_call", "message"], 1)
    assert outputs(model)[1].startswith("Not run")


async def test_a_model_that_never_stops_searching_is_made_to_answer() -> None:
    model = ScriptedModel(searching("zebras"))
    async with an_edge(model, a_retriever(), tools=ToolOptions(max_rounds=3)) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
    assert kinds(response) == ["file_search_call"] * 3 + ["message"]
    assert (response["status"], len(model.chats), model.running) == ("completed", 4, 0)


async def test_the_tokens_of_all_rounds_count() -> None:
    model = ScriptedModel(searching("zebras"), "Grass and more grass.", prompt_tokens=20)
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_output_tokens=5)).json()
        assert [sampling["max_tokens"] for sampling in model.sampling] == [5, 3]
        assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (40, 5)
        assert (response["status"], response["max_output_tokens"]) == ("incomplete", 5)
        assert response["output"][-1]["content"][0]["text"] == "Grass and more "
    async with an_edge(ScriptedModel(searching("zebras")), a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_output_tokens=2)).json()
    assert (response["status"], kinds(response)) == ("incomplete", ["file_search_call", "message"])


async def test_without_room_in_the_context_the_model_must_answer() -> None:
    model = ScriptedModel(searching("zebras"), "Grass.", prompt_tokens=400)
    async with an_edge(model, a_retriever()) as edge:  # of 512 tokens, 64 are for the answer
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
        assert response["status"] == "completed"
        assert edge.retriever.searches[0]["max_tokens"] == 0
    assert ("no room" in outputs(model)[0], model.chats[-1].tools) == (True, ())


async def test_a_cut_call_is_not_run() -> None:
    async with an_edge(ScriptedModel(searching("zebras")), a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_output_tokens=1)).json()
    assert (response["status"], kinds(response), edge.retriever.searches) == ("incomplete", ["message"], [])


# Failures


async def test_a_failed_search_is_a_note() -> None:
    model = ScriptedModel(searching("zebras"), "I could not search.")
    async with an_edge(model, a_retriever(failure=DependencyUnavailable("Milvus does not answer"))) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
        types = [event.type for event in await stream_events(edge, **STREAMED)]
    assert [(item["type"], item["status"]) for item in response["output"]] == [
        ("file_search_call", "failed"),
        ("message", "completed"),
    ]
    assert "Milvus does not answer" in response["rag"]["note"]
    assert "search failed" in outputs(model, 1)[0]
    assert "response.file_search_call.completed" not in types


async def test_an_unknown_store_is_a_404() -> None:
    failure = VectorStoreNotFound("there is no vector store 'plants'", param="vector_store")
    async with an_edge(ScriptedModel(searching("zebras")), a_retriever(failure=failure)) as edge:
        response = await create_response(edge, **MODEL_SEARCHES)
    assert error_of(response) == (404, "vector_store_not_found", "tools")


@pytest.mark.parametrize("arguments", ["{", "[]", '{"queries": []}', '{"queries": [1, ""]}'])
async def test_a_call_without_queries_is_explained_to_the_model(arguments: str) -> None:
    model = ScriptedModel([("file_search", arguments)], "Sorry.")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
    assert (response["output"][0]["status"], edge.retriever.searches) == ("failed", [])
    assert "give the queries" in outputs(model)[0]


def test_queries_are_read_from_what_a_model_writes() -> None:
    assert queries_of('{"query": "zebras"}') == ["zebras"]
    assert queries_of('{"queries": [" a ", "a", "b", "c", "d"]}') == ["a", "b", "c"]
    assert queries_of('{"queries": ["\\ud800x\\u0000y"]}') == ["?x y"]
    assert len(queries_of('{"queries": "' + "x" * 9000 + '"}')[0]) == 2000


async def test_a_call_of_an_unknown_function_is_explained_to_the_model() -> None:
    model = ScriptedModel([("web_search", {})], "Sorry.")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
    assert (kinds(response), "no function" in outputs(model)[0]) == (["message"], True)


async def test_nothing_relevant_is_said_to_the_model() -> None:
    model = ScriptedModel(searching("nothing"), "I do not know.")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
    assert (kinds(response), "Nothing relevant" in outputs(model)[0]) == (["file_search_call", "message"], True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"style": "quoted"}, "style"),
        ({"truncation": "auto"}, "truncation"),
        ({"rag": {"search": "sometimes"}}, "rag.search"),
        ({"rag": {"serach": "model"}}, "rag.serach"),
        ({"rag": {"search": "always", "explain": True}}, "rag.explain"),
        ({"tools": []}, "rag"),
        ({"tools": [SEARCH, {**ADD, "name": "file_search"}]}, "tools"),
        ({"text": {"format": JSON}}, "text.format"),
    ],
)
async def test_fields_that_do_not_fit_are_named(fields: Any, param: str) -> None:
    async with an_edge(ScriptedModel("Hello"), a_retriever()) as edge:
        response = await create_response(edge, **{**MODEL_SEARCHES, **fields})
    assert error_of(response) == (400, "invalid_request", param)


# Beside functions, and tool_choice


async def test_a_function_of_the_client_ends_the_response() -> None:
    model = ScriptedModel(searching("zebras"), [*searching("lions"), ("add", {"a": 1})])
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, tools=[SEARCH, ADD], rag={"search": "model"})).json()
    assert kinds(response) == ["file_search_call", "file_search_call", "function_call"]
    call = response["output"][-1]
    assert (call["name"], call["arguments"], call["status"]) == ("add", '{"a": 1}', "completed")
    assert (response["status"], len(model.chats)) == ("completed", 2)
    assert [tool["function"]["name"] for tool in model.chats[0].tools] == ["add", "file_search"]


async def test_the_choice_can_require_a_search_in_the_first_round() -> None:
    model = ScriptedModel('{"queries": ["zebras"]}', "Grass [1].")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, tool_choice={"type": "file_search"})).json()
    assert kinds(response) == ["file_search_call", "message"]
    assert "queries" in model.sampling[0]["structured_outputs"]["json"]["properties"]
    assert ("structured_outputs" in model.sampling[1], model.chats[1].calls_tools) == (False, True)


async def test_without_tools_the_model_just_answers() -> None:
    async with an_edge(ScriptedModel("Hello!"), a_retriever()) as edge:
        for name in (MODEL, "rag"):
            response = await create_response(edge, **MODEL_SEARCHES, model=name, tool_choice="none")
            assert (response.status_code, kinds(response.json())) == (200, ["message"])


async def test_a_model_without_a_parser_writes_its_calls() -> None:
    model = ScriptedModel(searching("zebras"), "Grass [1].", is_written=True)
    async with an_edge(model, a_retriever(), facts=WRITES) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES, max_tool_calls=1)).json()
    assert kinds(response) == ["file_search_call", "message"]
    assert "structural_tag" in model.sampling[0]["structured_outputs"]
    assert [message["role"] for message in model.chats[1].messages] == ["user", "assistant", "user"]
    assert "[1] zebras eat grass" in model.chats[1].messages[-1]["content"]


async def test_each_search_can_be_explained() -> None:
    model = ScriptedModel(searching("zebras"), searching("lions"), "Grass [1].")
    async with an_edge(model, a_retriever()) as edge:
        response = (await create_response(edge, tools=[SEARCH], rag={"search": "model", "explain": True})).json()
    second = response["output"][1]["explain"]
    assert [(each["query"], each["vector_store"]["id"]) for each in second] == [
        ("lions", "animals"),
        ("lions", "plants"),
    ]
    assert [(each["filename"], each["source"], each["reason"]) for each in second[0]["candidates"]] == [
        ("lions.md", 2, "in_prompt"),
        ("hyenas.md", 3, "in_prompt"),
    ]
    assert second[0]["candidates"][1]["why"] == "in the prompt as source 3"


async def test_the_number_of_input_tokens_is_not_known() -> None:
    async with an_edge(ScriptedModel("Hello"), a_retriever()) as edge:
        response = await edge.post("/v1/responses/input_tokens", {"model": MODEL, "input": "Hi", **MODEL_SEARCHES})
    assert error_of(response) == (400, "invalid_request", "rag")


async def test_a_client_that_leaves_stops_the_model() -> None:
    model = ScriptedModel(searching("zebras"), ENDLESS)
    async with an_edge(model, a_retriever()) as edge, edge.openai() as client:
        stream = await client.responses.create(model=MODEL, input="Hello", stream=True, **STREAMED)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        assert model.running == 1
        await stream.close()
        await until(lambda: model.running == 0)


async def test_a_failure_in_a_stream_has_the_names_of_this_route() -> None:
    failure = VectorStoreNotFound("there is no vector store 'plants'", param="vector_store")
    async with an_edge(ScriptedModel(searching("zebras")), a_retriever(failure=failure)) as edge:
        raw = (await create_response(edge, **MODEL_SEARCHES, stream=True)).text
    assert (raw.count("event: response.failed"), '"param":"tools"' in raw.replace(" ", "")) == (1, True)


async def test_a_model_thinks_in_each_round() -> None:
    model = ScriptedModel(searching("zebras"), "Grass [1].", thinks=("Look ", "it up."))
    async with an_edge(model, a_retriever(), facts={"reasoning_parser": "qwen3"}) as edge:
        response = (await create_response(edge, **MODEL_SEARCHES)).json()
    assert kinds(response) == ["reasoning", "file_search_call", "reasoning", "message"]
    assert [item["content"][0]["text"] for item in response["output"][::2]] == ["Look it up."] * 2
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == 4
    [assistant] = [message for message in model.chats[-1].messages if message["role"] == "assistant"]
    assert assistant["reasoning_content"] == "Look it up."
