"""Preparing an answer: several stores, relevance, the prompt and the key of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rag.adapters.memory_cache import MemoryCache
from rag.encoders import StoreEncoders
from rag.errors import ContextLengthExceeded, DependencyUnavailable
from rag.generate.pipeline import NOT_FOUND
from rag.retrieve.cache.retrieval_cache import RetrievalCache
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.preparation import AnswerPreparer, PreparationRequest
from rag.retrieve.prompting.prompt_builder import PromptBuilder, PromptInput
from rag.retrieve.prompting.template_check import open_templates
from rag.retrieve.quoting.quoter import Quoter
from rag.retrieve.result import pack_result, unpack_result
from rag.types import Chunk, PreparedPrompt
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeReranker, FakeSnapshotReader, FakeTokenizer, FakeVectorStore
from tests.support.builders import a_chunk
from tests.support.retrieval_harness import a_store_of, make_pipeline

FRUIT, BOATS = ["red apples", "green pears"], ["a boat on the sea", "red boats"]
REQUEST = PreparationRequest("red apples", ["fruit"], context_tokens=2000, max_tokens=100)


def make_preparer(*, semantic: bool = False) -> AnswerPreparer:
    embedder = FakeEmbedder()
    store = a_store_of(embedder, {"fruit": FRUIT, "boats": BOATS})
    pipeline = make_pipeline(
        StoreEncoders(FakeEmbedders(embedder)),
        store,
        FakeSnapshotReader(store),
        options=RetrieveOptions(min_cosine=0.4),
        cache=RetrievalCache(MemoryCache(2**20), pack_result, unpack_result, ttl_s=60),
    )
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer())
    quoter = Quoter(FakeReranker(), min_confidence=0.0, refusal=NOT_FOUND)
    return AnswerPreparer(pipeline, prompts, quoter, store, semantic=semantic)


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
    assert sources(await preparer.prepare(replace(both, overrides={"top_k": 1}))) == ["red apples"]


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
    preparer = AnswerPreparer(pipeline, prompts, Quoter(FakeReranker(), min_confidence=0.0, refusal="-"), store)
    request = replace(REQUEST, question="red apples", style="quoted", overrides={"top_k": 1})
    prepared = await preparer.prepare(request)
    assert prepared.quotation is not None
    assert "Red apples are sweet and crisp." in [quote.text for quote in prepared.quotation.quotes]
    assert "quote" in prepared.timings_ms
    [result] = await preparer._retrieve(request)
    assert (await preparer.explain(request, result)).prompt == prepared.prompt


async def test_no_room_for_a_passage_is_an_error_and_not_an_empty_answer() -> None:
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer())
    without = prompts.make(PromptInput(REQUEST.question, []), context_tokens=REQUEST.context_tokens, max_tokens=1)
    most = REQUEST.context_tokens - len(without.token_ids)
    for max_tokens in (most, most - 1):
        with pytest.raises(ContextLengthExceeded, match="not even the best passage") as caught:
            await make_preparer().prepare(replace(REQUEST, max_tokens=max_tokens))
        assert caught.value.param == "max_tokens"
    preparer, too_long = make_preparer(), replace(REQUEST, max_tokens=most)
    [result] = await preparer._retrieve(too_long)
    assert (await preparer.explain(too_long, result)).prompt.sources == ()
    nothing = replace(REQUEST, question="a boat on the sea", max_tokens=most // 2)
    assert sources(await make_preparer().prepare(nothing)) == []


class ReadingStore(FakeVectorStore):
    """Records which chunks are read by id."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Sequence[str]] = []
        self.read_failure: Exception | None = None

    def chunks(
        self,
        collection: str,
        chunk_ids: Sequence[str],
        filters: Mapping[str, Any] | None = None,
        *,
        groups: Sequence[str] | None = None,
    ) -> list[Chunk]:
        self.read.append(chunk_ids)
        if self.read_failure is not None:
            raise self.read_failure
        return super().chunks(collection, chunk_ids, filters, groups=groups)


def tables_preparer(store: ReadingStore) -> AnswerPreparer:
    """Two stores, one with a table of twelve rows and one with prose."""
    embedder = FakeEmbedder()
    rows = [
        a_chunk(f"| pump {n} | {n} bar |", ordinal=n, start=20 * n, end=20 * n + 19, header="| Pump | Pressure |")
        for n in range(12)
    ]
    for name, chunks in (("pumps", rows), ("boats", [a_chunk("a boat on the sea", filename="boats.md")])):
        store.create(name, embedder.dimensions, embedder.model_name)
        store.insert(name, chunks, embedder.vectors([chunk.text for chunk in chunks]))
    pipeline = make_pipeline(StoreEncoders(FakeEmbedders(embedder)), store, FakeSnapshotReader(store))
    prompts = PromptBuilder(open_templates(None, fence=False), FakeTokenizer(), table_tokens=500)
    quoter = Quoter(FakeReranker(), min_confidence=0.0, refusal="-")
    return AnswerPreparer(pipeline, prompts, quoter, store)


PUMPS = replace(REQUEST, question="pump 7", vector_stores=["pumps"], overrides={"top_k": 3})


async def test_the_rest_of_a_table_is_read_with_one_query_for_all_hits() -> None:
    store = ReadingStore()
    prepared = await tables_preparer(store).prepare(PUMPS)
    (source,) = prepared.prompt.sources
    assert "pump 7" in source.chunk.text.split("\n")[7]
    assert source.chunk.text.count("\n") == 11
    assert len(store.read) == 1
    assert len(store.read[0]) == len(set(store.read[0]))


async def test_each_store_is_asked_only_if_one_of_its_hits_may_be_a_part_of_a_table() -> None:
    store = ReadingStore()
    await tables_preparer(store).prepare(replace(PUMPS, vector_stores=["pumps", "boats"]))
    assert len(store.read) == 1
    await tables_preparer(fresh := ReadingStore()).prepare(
        replace(PUMPS, question="a boat on the sea", vector_stores=["boats"])
    )
    assert fresh.read == []


async def test_if_the_rest_of_a_table_cannot_be_read_the_hits_are_the_sources() -> None:
    store = ReadingStore()
    store.read_failure = DependencyUnavailable("Milvus does not answer")
    assert len((await tables_preparer(store).prepare(PUMPS)).prompt.sources) == 3


async def test_what_is_quoted_comes_from_the_hits_and_not_from_the_rest_of_their_table() -> None:
    store = ReadingStore()
    request = replace(PUMPS, style="quoted", quotes_chosen_by="model", overrides={"top_k": 1})
    prepared = await tables_preparer(store).prepare(request)
    assert prepared.quotation is not None
    assert [source.chunk.text for source in prepared.prompt.sources] == ["| pump 7 | 7 bar |"]
    assert all("pump 7" in quote.text for quote in prepared.quotation.quotes)
