"""Searching for many questions at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rag.encoders import StoreEncoders
from rag.errors import DependencyUnavailable, EmbeddingMismatch, InvalidFilter, InvalidRequest, VectorStoreNotFound
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import RetrievalRequest
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult
from rag.types import Hit, SearchMode
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeSnapshotReader, FakeVectorStore
from tests.support.builders import a_chunk
from tests.support.retrieval_harness import make_pipeline

TEXTS = ["red apples", "green apples", "green pears", "blue plums", "red cherries", "a boat on the sea"]


class Bench:
    """A pipeline over six chunks. The first two questions are searched at once, further ones wait for a batch."""

    def __init__(self, candidates: int = 5) -> None:
        self.embedder, self.store = FakeEmbedder(), FakeVectorStore()
        self.snapshots = FakeSnapshotReader(self.store)
        encoders = StoreEncoders(FakeEmbedders(self.embedder))
        options = RetrieveOptions(candidates=candidates, duplicates=1)
        self.pipeline = make_pipeline(encoders, self.store, self.snapshots, options=options)
        chunks = [a_chunk(t, ordinal=i, attributes={"color": t.split()[0]}) for i, t in enumerate(TEXTS)]
        for name in ("default", "other"):
            self.store.create(name, self.embedder.dimensions, self.embedder.model_name)
            self.store.insert(name, chunks, self.embedder.vectors(TEXTS))

    async def search_together(self, *queries: RetrievalRequest) -> list[RetrievalResult | BaseException]:
        """Start two queries that occupy the batcher first, so that all of `queries` are one batch."""
        busy = [asyncio.create_task(self.pipeline.retrieve(query("busy"))) for _ in range(2)]
        await asyncio.sleep(0)
        results = await asyncio.gather(*(self.pipeline.retrieve(q) for q in queries), return_exceptions=True)
        await asyncio.gather(*busy, return_exceptions=True)
        return list(results)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def query(
    text: str,
    *,
    top_k: int = 3,
    mode: SearchMode = "hybrid",
    filters: Mapping[str, Any] | None = None,
    vector_store: str = "default",
) -> RetrievalRequest:
    return RetrievalRequest(text, vector_store, {"top_k": top_k, "mode": mode}, filters)


def texts(found: RetrievalResult | BaseException) -> list[str]:
    assert isinstance(found, RetrievalResult), found
    return [hit.chunk.text for hit in found.hits]


GREEN = {"type": "eq", "key": "color", "value": "green"}
BAD = {"type": "like", "key": "color", "value": "green"}


async def test_the_best_passage_comes_first_and_scores_fall(bench: Bench) -> None:
    found = await bench.pipeline.retrieve(query("green pears"))
    assert texts(found)[0] == "green pears"
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("top_k", [1, 2, 5])
async def test_top_k_bounds_the_hits(bench: Bench, top_k: int) -> None:
    assert len((await bench.pipeline.retrieve(query("red green apples", top_k=top_k))).hits) == top_k


async def test_more_hits_than_candidates_are_still_fetched(bench: Bench) -> None:
    await bench.pipeline.retrieve(query("apples", top_k=6))
    assert {limit for _, _, limit in bench.store.searches} == {6}


@pytest.mark.parametrize(
    ("mode", "paths"), [("hybrid", {"dense", "keyword"}), ("dense", {"dense"}), ("keyword", {"keyword"})]
)
async def test_a_mode_uses_its_paths_alone(bench: Bench, mode: SearchMode, paths: set[str]) -> None:
    found = await bench.pipeline.retrieve(query("green apples", mode=mode))
    assert {path for path, _, _ in bench.store.searches} == paths
    assert {path for hit in found.hits for path in hit.ranks} == paths
    assert bool(bench.embedder.calls) == ("dense" in paths)


async def test_questions_are_encoded_as_questions(bench: Bench) -> None:
    await bench.pipeline.retrieve(query("apples"))
    assert bench.embedder.calls == [(("apples",), "query")]


async def test_waiting_queries_are_encoded_and_searched_together(bench: Bench) -> None:
    found = await bench.search_together(*(query(text) for text in TEXTS))
    assert [texts(f)[0] for f in found] == TEXTS
    assert bench.embedder.calls[2:] == [(tuple(TEXTS), "query")]
    assert sorted(bench.store.searches[4:]) == [("dense", 6, 5), ("keyword", 6, 5)]


async def test_different_queries_are_searched_separately_and_answered_in_order(bench: Bench) -> None:
    found = await bench.search_together(
        query("apples", filters=GREEN),
        query("red cherries"),
        query("pears", filters=dict(reversed(GREEN.items()))),
        query("blue plums", top_k=1),
        query("red apples", mode="keyword"),
        query("boat", vector_store="other"),
    )
    assert sorted(texts(found[0])) == sorted(texts(found[2])) == ["green apples", "green pears"]
    assert [texts(f)[0] for f in found] == [
        "green apples", "red cherries", "green pears", "blue plums", "red apples", "a boat on the sea",
    ]  # fmt: skip
    assert len(bench.embedder.calls) == 3
    assert sorted(n for path, n, _ in bench.store.searches[4:] if path == "dense") == [1, 1, 1, 2]


async def test_queries_of_one_batch_find_what_their_own_callers_may_read(bench: Bench) -> None:
    """Callers differ within a batch, which runs as a part of its first query's request."""
    secret = a_chunk("secret pears", filename="b.md", read_groups=("hr",))
    bench.store.insert("default", [secret], bench.embedder.vectors([secret.text]))
    snapshots = iter([None, None, ("hr",), (), ("it",), None, ("hr", "it")])

    def next_caller() -> None:
        bench.snapshots.groups = next(snapshots)

    bench.snapshots.while_reading = next_caller
    found = await bench.search_together(*(query("secret pears", mode="keyword", top_k=5) for _ in range(5)))
    assert ["secret pears" in texts(one) for one in found] == [True, False, False, True, True]


async def test_an_invalid_filter_fails_only_its_query(bench: Bench) -> None:
    good, bad, missing, also_good = await bench.search_together(
        query("red apples"), query("red apples", filters=BAD), query("x", vector_store="none"), query("plums", top_k=1)
    )
    assert texts(good)[0] == "red apples"
    assert isinstance(bad, InvalidFilter)
    assert isinstance(missing, VectorStoreNotFound)
    assert texts(also_good) == ["blue plums"]


async def test_a_query_for_another_encoder_fails_alone_and_its_error_names_its_store(bench: Bench) -> None:
    for name in ("old", "older"):
        bench.store.create(name, bench.embedder.dimensions, "another-model")
    good, old, older, no_vectors = await bench.search_together(
        query("red apples"),
        query("x", vector_store="old"),
        query("x", vector_store="older"),
        query("x", vector_store="old", mode="keyword"),
    )
    assert texts(good)[0] == "red apples"
    for result, name in ((old, "old"), (older, "older")):
        assert isinstance(result, EmbeddingMismatch)
        assert repr(name) in result.message
    assert texts(no_vectors) == []


async def test_a_failed_store_call_fails_the_queries_that_share_it_and_no_others(bench: Bench) -> None:
    def fail() -> None:
        if ("dense", 2, 5) in bench.store.searches:
            bench.store.while_searching = lambda: None
            raise DependencyUnavailable("Milvus does not answer")

    bench.store.while_searching = fail
    one, keyword, two, other = await bench.search_together(
        query("green apples", filters=GREEN, mode="dense"),
        query("blue plums", mode="keyword"),
        query("green pears", filters=GREEN, mode="dense"),
        query("boat", vector_store="other", mode="keyword"),
    )
    assert isinstance(one, DependencyUnavailable)
    assert isinstance(two, DependencyUnavailable)
    assert texts(keyword) == ["blue plums"]
    assert texts(other) == ["a boat on the sea"]


async def test_a_failing_encoder_fails_every_query_of_the_batch(bench: Bench) -> None:
    bench.embedder.failure = DependencyUnavailable("the encoder is gone")
    results = await bench.search_together(query("a"), query("b"))
    assert all(isinstance(result, DependencyUnavailable) for result in results)
    bench.embedder.failure = None
    assert texts(await bench.pipeline.retrieve(query("blue plums")))


async def test_timings_name_each_step(bench: Bench) -> None:
    timings = (await bench.pipeline.retrieve(query("apples"))).timings_ms
    assert set(timings) == {"encode", "search", "retrieve"}
    assert timings["retrieve"] >= timings["search"] >= 0


async def test_an_empty_store_has_no_hits(bench: Bench) -> None:
    bench.store.create("empty", bench.embedder.dimensions, bench.embedder.model_name)
    for mode in ("hybrid", "dense", "keyword"):
        assert (await bench.pipeline.retrieve(query("a", vector_store="empty", mode=mode))).hits == ()


async def test_hidden_versions_are_left_out(bench: Bench) -> None:
    hidden = [a_chunk(f"red apples {n}", filename="new.md", ordinal=n) for n in range(5)]
    bench.store.insert("default", hidden, bench.embedder.vectors([chunk.text for chunk in hidden]))
    bench.snapshots.hidden_versions = {hidden[0].version_id}
    for mode in ("hybrid", "dense", "keyword"):
        found = await bench.pipeline.retrieve(query("red apples", mode=mode))
        assert texts(found)[0] == "red apples"
        assert not {chunk.text for chunk in hidden} & set(texts(found))


async def test_weights_of_the_request_override_those_of_the_service(bench: Bench) -> None:
    found = await bench.pipeline.retrieve(RetrievalRequest("green pears", "default", {"weights": {"keyword": 0}}))
    assert {path for hit in found.hits for path in hit.ranks} == {"dense"}
    assert bench.store.searches == [("dense", 1, 5)]


@pytest.mark.parametrize(
    ("changes", "param", "named"),
    [
        ({"weights": {"dence": 1}}, "retrieval.weights", "dence"),
        ({"weights": {"dense": 0, "keyword": 0}}, "retrieval.weights", "weight 0"),
        ({"mode": "sparse"}, "mode", "RAG_EMBEDDER__SPARSE_MODEL"),
    ],
)
async def test_an_unknown_path_is_refused(bench: Bench, changes: dict[str, Any], param: str, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named) as refused:
        await bench.pipeline.retrieve(RetrievalRequest("apples", "default", changes))
    assert refused.value.param == param


def hit(cosine: float | None) -> Hit:
    return Hit(a_chunk(), 1.0, cosine)


def test_an_exact_match_is_relevant_whatever_its_cosine() -> None:
    assert not nothing_relevant([hit(0.1), replace(hit(0.05), is_exact=True)], 0.25)
    assert not nothing_relevant([hit(0.1), replace(hit(None), is_exact=True)], 0.25)


@pytest.mark.parametrize(
    ("cosines", "nothing"),
    [([], True), ([0.1, 0.2], True), ([0.1, 0.3], False), ([None, 0.1], True), ([None], False), ([0.25], False)],
)
def test_relevance_is_decided_by_the_best_cosine(cosines: list[float | None], nothing: bool) -> None:
    assert nothing_relevant([hit(cosine) for cosine in cosines], 0.25) is nothing
