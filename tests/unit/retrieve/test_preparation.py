"""Preparing an answer: several stores, relevance, the prompt and the key of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rag.adapters.memory_cache import MemoryCache
from rag.encoders import StoreEncoders
from rag.errors import ContextLengthExceeded
from rag.generate.pipeline import NOT_FOUND
from rag.retrieve.cache.retrieval_cache import RetrievalCache
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.preparation import AnswerPreparer, PreparationRequest
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.prompting.template_check import open_templates
from rag.retrieve.quoting.quoter import Quoter
from rag.retrieve.result import pack_result, unpack_result
from rag.types import PreparedPrompt
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeReranker, FakeSnapshotReader, FakeTokenizer, FakeVectorStore
from tests.support.builders import a_chunk
from tests.support.retrieval_harness import make_pipeline

FRUIT, BOATS = ["red apples", "green pears"], ["a boat on the sea", "red boats"]
REQUEST = PreparationRequest("red apples", ["fruit"], context_tokens=2000, max_tokens=100)


def make_preparer(*, semantic: bool = False) -> AnswerPreparer:
    embedder, store = FakeEmbedder(), FakeVectorStore()
    for name, texts in (("fruit", FRUIT), ("boats", BOATS)):
        store.create(name, embedder.dimensions, embedder.model_name)
        chunks = [a_chunk(text, filename=f"{name}.md", ordinal=n) for n, text in enumerate(texts)]
        store.insert(name, chunks, embedder.vectors(texts))
    pipeline = make_pipeline(
        StoreEncoders(FakeEmbedders(embedder)),
        store,
        FakeSnapshotReader(store),
        options=RetrieveOptions(min_cosine=0.4),
        cache=RetrievalCache(MemoryCache(2**20), pack_result, unpack_result, ttl_s=60),
    )
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer())
    quoter = Quoter(store, FakeReranker(), min_confidence=0.0, refusal=NOT_FOUND)
    return AnswerPreparer(pipeline, prompts, quoter, semantic=semantic)


def sources(prepared: PreparedPrompt) -> Sequence[str]:
    return [hit.chunk.text for hit in prepared.prompt.sources]


async def test_the_prompt_has_the_hits_of_one_store() -> None:
    prepared = await make_preparer().prepare(REQUEST)
    assert sources(prepared) == FRUIT
    assert prepared.prompt.token_ids


async def test_hits_of_several_stores_are_merged_and_bounded_by_top_k() -> None:
    preparer = make_preparer()
    both = replace(REQUEST, vector_stores=["fruit", "boats"])
    assert set(sources(await preparer.prepare(both))) == {*FRUIT, *BOATS}
    assert sources(await preparer.prepare(replace(both, changes={"top_k": 1}))) == ["red apples"]


async def test_without_a_relevant_hit_the_prompt_has_no_sources() -> None:
    preparer, request = make_preparer(), replace(REQUEST, question="quantum chromodynamics")
    assert (await preparer._retrieve(request))[0].hits
    assert sources(await preparer.prepare(request)) == []


async def test_hits_below_the_score_threshold_are_left_out() -> None:
    prepared = await make_preparer(semantic=True).prepare(replace(REQUEST, score_threshold=0.9))
    assert sources(prepared) == ["red apples"]
    assert prepared.cache_key == ""


async def test_only_a_semantic_cache_needs_an_answer_key() -> None:
    assert (await make_preparer().prepare(REQUEST)).cache_key == ""
    preparer = make_preparer(semantic=True)
    key = (await preparer.prepare(REQUEST)).cache_key
    assert key
    assert (await preparer.prepare(REQUEST)).cache_key == key
    assert (await preparer.prepare(replace(REQUEST, system="Answer in French."))).cache_key != key


async def test_a_quoted_answer_completes_its_sentences_from_the_neighbouring_chunks() -> None:
    store, embedder = FakeVectorStore(), FakeEmbedder()
    text = "Boats are blue. Red apples are sweet and crisp. Pears are green."
    spans = [(0, 27), (16, 37), (32, len(text))]
    chunks = [a_chunk(text[start:end], ordinal=n, start=start, end=end) for n, (start, end) in enumerate(spans)]
    store.create("fruit", embedder.dimensions, embedder.model_name)
    store.insert("fruit", chunks, embedder.vectors([chunk.text for chunk in chunks]))
    pipeline = make_pipeline(StoreEncoders(FakeEmbedders(embedder)), store, FakeSnapshotReader(store))
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer())
    preparer = AnswerPreparer(pipeline, prompts, Quoter(store, FakeReranker(), min_confidence=0.0, refusal="-"))
    request = replace(REQUEST, question="red apples", style="quoted", changes={"top_k": 1})
    prepared = await preparer.prepare(request)
    assert prepared.quotation is not None
    assert "Red apples are sweet and crisp." in [quote.text for quote in prepared.quotation.quotes]
    assert "quote" in prepared.timings_ms


async def test_no_room_for_a_passage_is_an_error_and_not_an_empty_answer() -> None:
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer())
    without = prompts.make(PromptInput(REQUEST.question, []), context_tokens=REQUEST.context_tokens, max_tokens=1)
    most = REQUEST.context_tokens - len(without.token_ids)
    for max_tokens in (most, most - 1):
        with pytest.raises(ContextLengthExceeded, match="not even the best passage") as caught:
            await make_preparer().prepare(replace(REQUEST, max_tokens=max_tokens))
        assert caught.value.param == "max_tokens"
    nothing = replace(REQUEST, question="a boat on the sea", max_tokens=most // 2)
    assert sources(await make_preparer().prepare(nothing)) == []
