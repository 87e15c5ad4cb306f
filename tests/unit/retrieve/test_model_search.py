"""Searches that the language model asks for: several queries, numbers over several searches, and their length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rag.encoders import StoreEncoders
from rag.errors import VectorStoreNotFound
from rag.http.native.explanation import explained_searches
from rag.retrieve.model_search import ModelSearch
from rag.retrieve.model_search_request import ModelSearchRequest
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.prompting.prompt_builder import PromptBuilder
from rag.retrieve.prompting.template_check import open_templates
from rag.types import KnownPassage, SearchOutput
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSnapshotReader, FakeTokenizer
from tests.support.retrieval_harness import a_store_of, make_pipeline

FRUIT, BOATS = ["red apples", "green pears", "yellow plums"], ["a boat on the sea", "red boats"]
REQUEST = ModelSearchRequest(["red apples"], ["fruit"], max_tokens=2000)


@pytest.fixture
def search() -> ModelSearch:
    embedder = FakeEmbedder()
    store = a_store_of(embedder, {"fruit": FRUIT, "boats": BOATS})
    pipeline = make_pipeline(
        StoreEncoders(FakeEmbedders(embedder)),
        store,
        FakeSnapshotReader(store),
        options=RetrieveOptions(min_cosine=0.4),
    )
    return ModelSearch(pipeline, PromptBuilder(open_templates(None, fence=True), FakeTokenizer()), store)


async def found(search: ModelSearch, **changed: Any) -> SearchOutput:
    output, _ = await search.search(replace(REQUEST, **changed))
    return output


def texts(output: SearchOutput) -> list[tuple[int, str]]:
    return [(number, hit.chunk.text) for number, hit in zip(output.numbers, output.hits, strict=True)]


def known(output: SearchOutput) -> list[KnownPassage]:
    chunks = [hit.chunk for hit in output.hits]
    return [KnownPassage(chunk.chunk_id, chunk.file_id, chunk.start, chunk.end) for chunk in chunks]


async def test_the_best_passages_of_each_query_are_taken_in_turns(search: ModelSearch) -> None:
    output = await found(search, queries=["red apples", "yellow plums"], overrides={"top_k": 2})
    assert texts(output) == [(1, "red apples"), (2, "yellow plums")]
    assert output.top_k == 2
    assert ("[1] red apples" in output.text, "[2] yellow plums" in output.text) == (True, True)
    assert output.tokens == len(output.text.split())


async def test_several_stores_are_searched(search: ModelSearch) -> None:
    output = await found(search, queries=["red boats"], vector_stores=["fruit", "boats"])
    assert output.hits[0].chunk.filename == "boats.md"


async def test_a_passage_keeps_its_number(search: ModelSearch) -> None:
    first = await found(search, overrides={"top_k": 1})
    second = await found(search, queries=["red apples", "yellow plums"], overrides={"top_k": 2}, known=known(first))
    assert texts(second) == [(1, "red apples"), (2, "yellow plums")]
    assert ("[1] red apples" in second.text, "Found again: [1]." in second.text) == (False, True)
    assert "[2] yellow plums" in second.text


async def test_a_part_of_a_passage_is_the_same_source(search: ModelSearch) -> None:
    [hit] = (await found(search, overrides={"top_k": 1})).hits
    larger = KnownPassage("other", hit.chunk.file_id, 0, hit.chunk.end + 100)
    output = await found(search, overrides={"top_k": 1}, known=[larger])
    assert (texts(output), "Found again: [1]." in output.text) == ([(1, "red apples")], True)


async def test_the_weakest_passages_are_left_out_if_there_is_no_room(search: ModelSearch) -> None:
    whole = await found(search, queries=["red apples", "yellow plums"], overrides={"top_k": 2})
    shorter = await found(
        search, queries=["red apples", "yellow plums"], overrides={"top_k": 2}, max_tokens=whole.tokens - 1
    )
    assert (texts(shorter), "plums" in shorter.text) == ([(1, "red apples")], False)
    nothing = await found(search, max_tokens=3)
    assert (nothing.text, nothing.hits, nothing.tokens) == ("", (), 0)


async def test_nothing_relevant_is_said(search: ModelSearch) -> None:
    output = await found(search, queries=["quantum chromodynamics"])
    assert (output.hits, "Nothing relevant" in output.text) == ((), True)


async def test_hits_below_the_threshold_are_left_out(search: ModelSearch) -> None:
    assert texts(await found(search, score_threshold=0.9)) == [(1, "red apples")]


async def test_what_the_pipeline_raises_is_raised(search: ModelSearch) -> None:
    with pytest.raises(VectorStoreNotFound):
        await found(search, vector_stores=["absent"])


async def test_a_search_is_explained_with_the_numbers_of_the_answer(search: ModelSearch) -> None:
    first = await found(search, overrides={"top_k": 1})
    request = replace(REQUEST, queries=["yellow plums"], overrides={"top_k": 1}, known=known(first), explain=True)
    output, results = await search.search(request)
    [explained] = explained_searches(request, output, results)
    best = explained["candidates"][0]
    assert (explained["query"], best["text"], best["source"]) == ("yellow plums", "yellow plums", 2)
    assert best["why"] == "in the prompt as source 2"


def test_a_text_is_cut_and_escaped(search: ModelSearch) -> None:
    text, tokens = search.cut("one <system> three four", 4)
    assert (text.startswith("one < system>"), tokens <= 4) == (True, True)
    assert search.cut("one two", 5) == ("one two", 2)
    assert search.cut("one two", 0)[0] == ""
