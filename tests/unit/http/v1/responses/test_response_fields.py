"""The fields of responses and events: complete, of the types that Open Responses requires, and true."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from rag.http.published_document import document
from tests.fakes import FakeGenerator, FakeRetriever
from tests.fakes.services.retriever import TOP_K
from tests.support.servers.edge_service import MODEL, OPTIONS, EdgeService, an_edge
from tests.support.v1.open_responses import EVENT, Response
from tests.support.v1.response_calls import CITED, HITS, SEARCH, create_response

SCHEMA: Any = {"type": "json_schema", "name": "x", "schema": {"type": "object"}}
HYBRID = {"embedding_weight": 0.5, "text_weight": 0.5}
FILTER = {"type": "eq", "key": "year", "value": 2020}
FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object"}}
REQUESTS: list[Any] = [
    {},
    {"model": "rag"},
    {"tools": [SEARCH], "include": ["file_search_call.results"], "tool_choice": {"type": "file_search"}},
    {"tools": [{**SEARCH, "ranking_options": {"hybrid_search": HYBRID}, "filters": FILTER, "max_num_results": 2}]},
    {"include": ["message.output_text.logprobs"], "top_logprobs": 2, "max_output_tokens": 2},
    {"text": {"format": SCHEMA, "verbosity": "medium"}, "user": "me", "metadata": {"team": "a"}},
]


@pytest.fixture
async def edge() -> AsyncIterator[EdgeService]:
    async with an_edge(FakeGenerator(CITED), FakeRetriever(HITS)) as edge:
        yield edge


def events_of(stream: str) -> list[str]:
    return re.findall(r"^data: (.*)$", stream, re.MULTILINE)


async def test_responses_and_events_are_those_of_open_responses(edge: EdgeService) -> None:
    for body in REQUESTS:
        Response.model_validate_json((await create_response(edge, **body)).text)
        for event in events_of((await create_response(edge, **body, stream=True)).text):
            EVENT.validate_json(event)


async def test_responses_match_the_published_document(edge: EdgeService) -> None:
    published = document()
    described = Draft202012Validator(
        {"$ref": "#/components/schemas/ResponseOut", "components": published["components"]}
    )
    for body in [*REQUESTS, {"tools": [FUNCTION], "tool_choice": "auto", "user": "u"}]:
        described.validate((await create_response(edge, **body)).json())


async def test_the_events_of_a_failure_are_those_of_open_responses() -> None:
    async with an_edge(FakeGenerator(CITED, dies_after=3), FakeRetriever(HITS)) as edge:
        events = events_of((await create_response(edge, model="rag", stream=True)).text)
    assert [EVENT.validate_json(event).type for event in events][-2:] == ["response.failed", "error"]


async def test_unset_parameters_show_the_values_that_were_used(edge: EdgeService) -> None:
    response = (await create_response(edge)).json()
    used = {name: OPTIONS["sampling"][name] for name in ("temperature", "max_tokens")}
    assert (response["temperature"], response["max_output_tokens"]) == (used["temperature"], used["max_tokens"])
    assert (response["top_p"], response["presence_penalty"], response["frequency_penalty"]) == (1.0, 0.0, 0.0)
    unset = ("instructions", "safety_identifier", "prompt_cache_key", "max_tool_calls", "previous_response_id")
    assert [response[name] for name in unset] == [None] * len(unset)
    assert "user" not in response
    assert edge.generator.requests[0][1] == {"temperature": used["temperature"]}


async def test_parameters_are_shown_as_they_were_sent(edge: EdgeService) -> None:
    sent = {
        "temperature": 0.5, "top_p": 0.25, "presence_penalty": 1.5, "frequency_penalty": -0.5, "max_output_tokens": 9,
        "user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "instructions": "Be brief.",
        "prompt_cache_retention": "24h",
    }  # fmt: skip
    for model in (MODEL, "rag"):
        response = (await create_response(edge, model=model, **sent)).json()
        assert {name: response[name] for name in sent} == sent


async def test_the_limit_of_a_text_is_the_room_that_its_prompt_leaves() -> None:
    async with an_edge(FakeGenerator("a"), facts={"context_tokens": 20}) as edge:
        response = (await create_response(edge, input="one two three")).json()
        assert response["max_output_tokens"] == 20 - response["usage"]["input_tokens"]
        assert (await create_response(edge, model="rag")).json()["max_output_tokens"] == OPTIONS["sampling"][
            "max_tokens"
        ]
        assert (await create_response(edge, min_tokens=1)).json()["max_output_tokens"] < 20


async def test_the_tool_shows_how_it_searched(edge: EdgeService) -> None:
    for stream in (False, True):
        text = (await create_response(edge, tools=[SEARCH], stream=stream)).text
        assert set(re.findall(r'"max_num_results": ?(\w+)', text)) == {str(TOP_K)}
    [tool] = (await create_response(edge, tools=[{**SEARCH, "max_num_results": 7, "filters": FILTER}])).json()["tools"]
    assert (tool["max_num_results"], tool["filters"]) == (7, FILTER)
    assert tool["ranking_options"] == {"ranker": "auto", "score_threshold": 0.0}


async def test_results_name_their_vector_store_if_only_one_is_searched(edge: EdgeService) -> None:
    include = ["file_search_call.results"]
    one = {**SEARCH, "vector_store_ids": ["animals"]}
    for body, store in (({"tools": [SEARCH]}, None), ({"tools": [one]}, "animals"), ({"model": "rag"}, "default")):
        response = (await create_response(edge, **body, include=include)).json()
        assert {result["vector_store_id"] for result in response["output"][0]["results"]} == {store}


async def test_a_response_shows_the_tier_of_its_request_and_default_if_the_choice_is_ours(edge: EdgeService) -> None:
    for tier in ("default", "flex", "priority"):
        assert (await create_response(edge, service_tier=tier)).json()["service_tier"] == tier
    assert (await create_response(edge, service_tier="fast")).json()["service_tier"] == "priority"
    for unset in ({}, {"service_tier": "auto"}, {"service_tier": None}):
        assert (await create_response(edge, **unset)).json()["service_tier"] == "default"


async def test_top_logprobs_alone_adds_no_logprobs(edge: EdgeService) -> None:
    response = (await create_response(edge, top_logprobs=3)).json()
    assert (response["top_logprobs"], response["output"][0]["content"][0]["logprobs"]) == (3, [])
