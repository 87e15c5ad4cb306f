"""The retrieval pipeline: options, snapshot, cache, plan, search, fusion, deduplication, reranking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rag.adapters.memory_cache import MemoryCache
from rag.encoders import StoreEncoders
from rag.errors import DependencyUnavailable, InvalidRequest, Overloaded, RagError
from rag.http.native.explanation import ExplainedPrompt, explanation
from rag.retrieve.cache.retrieval_cache import RetrievalCache
from rag.retrieve.lease import ReadLease
from rag.retrieve.options import RetrieveOptions
from rag.retrieve.pipeline import NOT_RERANKED, RetrievalPipeline, RetrievalRequest
from rag.retrieve.planning.follow_up import in_conversation
from rag.retrieve.planning.plan import Plan
from rag.retrieve.preparation import PreparationRequest
from rag.retrieve.ranking.relevance import nothing_relevant
from rag.retrieve.result import RetrievalResult, pack_result, unpack_result
from rag.types import Message, PreparedPrompt, Prompt, Quotation, Quote
from tests.fakes import FakeEmbedder, FakeEmbedders, FakePlanner, FakeReranker, FakeSnapshotReader, FakeVectorStore
from tests.support.builders import a_chunk
from tests.support.retrieval_harness import make_pipeline

TEXTS = ["red apples", "green apples", "green pears", "blue plums", "a boat on the sea"]


class Bench:
    def __init__(self, **options: Any) -> None:
        self.embedder, self.store = FakeEmbedder(), FakeVectorStore()
        self.snapshots, self.planner, self.reranker = FakeSnapshotReader(self.store), FakePlanner(), FakeReranker()
        self.options = RetrieveOptions(**{"top_k": 3, "duplicates": 1, **options})
        self.leases = ReadLease()
        self.cache: RetrievalCache[RetrievalResult] | None = None
        self.store.create("default", self.embedder.dimensions, self.embedder.model_name)
        self.add(*TEXTS)

    def add(self, *texts: str, filename: str = "doc.md", **fields: Any) -> None:
        chunks = [a_chunk(text, filename=filename, ordinal=n, **fields) for n, text in enumerate(texts)]
        self.store.insert("default", chunks, self.embedder.vectors(texts))

    @property
    def pipeline(self) -> RetrievalPipeline:
        encoders = StoreEncoders(FakeEmbedders(self.embedder))
        return make_pipeline(
            encoders,
            self.store,
            self.snapshots,
            leases=self.leases,
            options=self.options,
            planner=self.planner,
            reranker=self.reranker,
            cache=self.cache,
        )

    def use_cache(self, semantic: float | None = None) -> None:
        self.cache = RetrievalCache(
            MemoryCache(2**20),
            pack_result,
            unpack_result,
            lambda result: result.is_cacheable,
            ttl_s=60,
            semantic=semantic,
        )

    async def find(
        self, text: str, *, history: Sequence[Message] = (), explain: bool = False, **changes: Any
    ) -> RetrievalResult:
        question = RetrievalRequest(text, "default", changes, history=tuple(history), explain=explain)
        return await self.pipeline.retrieve(question)


def texts(found: RetrievalResult) -> list[str]:
    return [hit.chunk.text for hit in found.hits]


# Options


async def test_store_options_override_the_service_and_the_request_overrides_both() -> None:
    bench = Bench(candidates=7, rrf_k=5)
    bench.snapshots.retrieval = json.dumps({"top_k": 2, "candidates": 3})
    found = await bench.find("apples", candidates=4)
    assert (found.options.top_k, found.options.candidates, found.options.rrf_k) == (2, 4, 5)
    assert len(found.hits) == 2


# The plan


async def test_a_plain_question_is_not_planned() -> None:
    bench = Bench(rewrite=True)
    found = await bench.find("apples")
    assert bench.planner.questions == []
    assert found.plan == Plan(("apples",))
    assert "plan" not in found.timings_ms


async def test_a_follow_up_is_searched_for_as_rewritten() -> None:
    bench = Bench(rewrite=True)
    bench.planner.result = Plan(("blue plums",), rewritten="blue plums")
    found = await bench.find("and those?", history=[Message("user", "plums")])
    assert texts(found)[0] == "blue plums"
    assert bench.embedder.calls == [(("blue plums",), "query")]
    assert "plan" in found.timings_ms


async def test_without_rewriting_a_follow_up_is_also_searched_for_with_the_previous_turns() -> None:
    bench = Bench()
    asked = [Message("user", text) for text in ("what of blue plums", "since when?")]
    said = [asked[0], Message("assistant", "they are ripe"), asked[1]]
    found = await bench.find("and the others?", history=said)
    assert texts(found)[0] == "blue plums"
    assert "dense/conversation" in found.hits[0].ranks
    behind = "what of blue plums\nsince when?\nand the others?"
    assert bench.embedder.calls == [(("and the others?", behind), "query")]
    assert (found.plan.queries, found.plan.in_conversation, bench.planner.questions) == (
        ("and the others?",),
        behind,
        [],
    )


async def test_if_rewriting_fails_the_previous_turns_are_used() -> None:
    bench = Bench(rewrite=True)
    bench.planner.result = Plan(("and those?",), note="rewriting: timeout")
    found = await bench.find("and those?", history=[Message("user", "blue plums")])
    assert (texts(found)[0], found.plan.in_conversation) == ("blue plums", "blue plums\nand those?")


async def test_only_recent_turns_count_and_the_question_is_never_cut() -> None:
    assert in_conversation("Why?", [Message("user", "long ago"), Message("user", "x" * 500), Message("user", "y")]) == (
        f"{'x' * 398}\ny\nWhy?"
    )
    assert in_conversation("Why?", [Message("assistant", "hello"), Message("user", "  ")]) is None


async def test_a_hit_may_be_relevant_only_in_the_conversation() -> None:
    bench = Bench(min_cosine=0.4)
    found = await bench.find("and more?", history=[Message("user", "blue plums")])
    assert max(hit.cosine or 0 for hit in found.hits) < 0.4
    assert not nothing_relevant(found.hits, 0.4)
    assert nothing_relevant(found.hits, 0.9)
    assert nothing_relevant((await bench.find("and more?", history=[Message("user", "of what")])).hits, 0.4)


async def test_a_passage_with_an_identifier_of_the_question_is_relevant() -> None:
    bench = Bench(min_cosine=0.99)
    bench.use_cache()
    for question, is_found in (("What of the plums?", False), ("What is blue?", False), ("plums", True)):
        for _ in range(2):
            assert nothing_relevant((await bench.find(question)).hits, 0.99) is not is_found, question


async def test_a_cached_follow_up_belongs_to_its_conversation() -> None:
    bench = Bench()
    bench.use_cache()
    plums, boats = (Message("user", text) for text in ("blue plums", "a boat on the sea"))
    for history, first in (((plums,), "blue plums"), ((boats,), "a boat on the sea"), ((plums,), "blue plums")):
        assert texts(await bench.find("and that?", history=history))[0] == first
    assert len(bench.embedder.calls) == 2


async def test_further_queries_use_all_paths_and_hypothetical_answers_only_dense() -> None:
    bench = Bench(queries=1, hypothetical=True)
    bench.planner.result = Plan(("red apples", "blue plums"), hypothetical=("a boat",))
    found = await bench.find("red apples")
    paths = {name for hit in found.hits for name in hit.ranks}
    assert paths == {"dense", "keyword", "dense/query 2", "keyword/query 2", "dense/hypothetical 1"}
    assert {"red apples", "blue plums"} <= set(texts(found))
    assert bench.embedder.calls == [(("red apples", "blue plums", "a boat"), "query")]


async def test_the_note_of_the_plan_is_in_the_result() -> None:
    bench = Bench(queries=2)
    bench.planner.result = Plan(("red apples",), note="timeout")
    assert (await bench.find("red apples")).plan.note == "timeout"


# Duplicates and larger texts


async def test_duplicates_are_one_hit() -> None:
    bench = Bench(top_k=2)
    bench.add("Red apples.", "red, apples", filename="copy.md")
    found = await bench.find("red apples")
    assert texts(found) == ["red apples", "green apples"]
    assert len(found.hits[0].duplicates) == 2


async def test_passages_are_matched_and_the_larger_text_is_returned() -> None:
    bench = Bench()
    parent = "yellow lemons. orange oranges."
    bench.add("yellow lemons.", "orange oranges.", filename="parent.md", context=parent)
    found = await bench.find("yellow lemons")
    assert texts(found)[0] == parent
    assert sum(text == parent for text in texts(found)) == 1


# Reranking


async def test_the_best_are_reranked_and_the_rest_is_left_out() -> None:
    bench = Bench(rerank=True, rerank_top_n=2, rerank_weight=1.0, top_k=2)
    bench.reranker.scores = {"green apples": 0.9, "red apples": 0.2}
    found = await bench.find("red apples")
    assert [(hit.chunk.text, hit.score, hit.rerank) for hit in found.hits] == [
        ("green apples", 0.9, 0.9),
        ("red apples", 0.2, 0.2),
    ]
    assert found.hits[1].fused == 1.0
    assert [len(given) for _, given in bench.reranker.calls] == [2]
    assert "rerank" in found.timings_ms


async def test_with_half_the_weight_both_scores_count_equally() -> None:
    bench = Bench(rerank=True, rerank_top_n=3, rerank_weight=0.5, mode="keyword")
    bench.reranker.scores = {"green apples": 0.9, "red apples": 0.1}
    plain, found = await bench.find("red apples", rerank=False), await bench.find("red apples")
    assert texts(plain)[0] == "red apples"
    assert {hit.score for hit in found.hits} == {0.5}
    assert all(hit.rerank is None for hit in plain.hits)


async def test_top_k_is_reranked_even_when_it_is_more_than_top_n() -> None:
    bench = Bench(rerank=True, rerank_top_n=1, top_k=4)
    found = await bench.find("green apples")
    assert len(found.hits) == 4
    assert all(hit.rerank is not None for hit in found.hits)


@pytest.mark.parametrize("failure", [DependencyUnavailable("no reranker"), Overloaded("too many requests")])
async def test_hits_that_cannot_be_reranked_keep_the_order_of_fusion(failure: RagError) -> None:
    bench = Bench(rerank=True)
    bench.planner.result = Plan(("red apples",), note="timeout")
    plain = await bench.find("red apples", rerank=False, queries=1)
    bench.reranker.failure = failure
    found = await bench.find("red apples", queries=1)
    assert found.hits == plain.hits
    assert found.plan.note == f"timeout; {NOT_RERANKED}"
    assert not found.is_cacheable


async def test_a_question_that_could_not_be_reranked_is_reranked_next_time() -> None:
    bench = Bench(rerank=True)
    bench.use_cache()
    bench.reranker.failure = DependencyUnavailable("no reranker")
    await bench.find("red apples")
    bench.reranker.failure = None
    assert (await bench.find("red apples")).plan.note == ""


# Explanations


WRITTEN = PreparationRequest("red apples", ["default"], context_tokens=8192, max_tokens=512)
QUOTED = replace(WRITTEN, style="quoted")


def written(prompt: Prompt) -> ExplainedPrompt:
    return ExplainedPrompt(WRITTEN, PreparedPrompt(prompt, {}))


def quoted(prompt: Prompt, confidence: float | None, *sources: int) -> ExplainedPrompt:
    """Args: `sources` are the numbers of those that are quoted."""
    quotation = Quotation(tuple(Quote("red", "red [1]", source, 0, 3) for source in sources), {}) if sources else None
    return ExplainedPrompt(QUOTED, PreparedPrompt(prompt, {}, quotation=quotation, confidence=confidence))


async def explained(bench: Bench, text: str, sources: int = 3, **changes: Any) -> dict[str, Any]:
    found = await bench.find(text, explain=True, **changes)
    return dict(explanation(found, written(Prompt((), found.hits[:sources]))))


async def test_every_candidate_has_its_paths_and_a_reason() -> None:
    bench = Bench(rerank=True, rerank_top_n=3, top_k=2, min_cosine=-1)
    bench.add("red   apples", filename="copy.md")
    said = await explained(bench, "red apples", sources=1)
    candidates = said["candidates"]
    assert len({c["chunk_id"] for c in candidates}) == len(candidates) == 6
    assert all(c["paths"] for c in candidates)
    assert candidates[0]["paths"].keys() == {"dense", "keyword"}
    reasons = [c["why"] for c in candidates]
    assert reasons[0] == "in the prompt as source 1"
    assert reasons[1] == "left out: hit 2 does not fit into the language model's context"
    assert reasons[2] == "left out: not among the best 2 (top_k)"
    assert f"left out: duplicate of {candidates[0]['chunk_id']}" in reasons
    assert reasons[-1] == "left out: not reranked, because it is not among the best 3"
    assert [c["in_prompt"] for c in candidates] == [True] + [False] * 5
    assert (candidates[0]["source"], candidates[1]["source"]) == (1, None)
    assert [c["reason"] for c in candidates].count("duplicate") == 1
    assert next(c["duplicate_of"] for c in candidates if c["duplicate_of"]) == candidates[0]["chunk_id"]
    assert (candidates[0]["text"], candidates[0]["cosine"]) == ("red apples", candidates[0]["paths"]["dense"]["score"])
    assert said["vector_store"] == {"id": "default", "revision": 0}
    assert said["options"]["rerank_top_n"] == 3


async def test_the_explanation_says_what_a_table_was_completed_with() -> None:
    found = await Bench(top_k=2, min_cosine=-1).find("red apples", explain=True)
    chunk = found.hits[0].chunk
    text = "\n".join(candidate.chunk.text for candidate in found.candidates)
    whole = replace(found.hits[0], chunk=replace(chunk, text=text, end=len(text)))
    said = dict(explanation(found, written(Prompt((), (whole,)))))["candidates"]
    same_version = [hit.chunk.version_id == chunk.version_id for hit in found.candidates]
    assert [each["in_prompt"] for each in said] == same_version
    place = f"in the prompt as source 1, with more of its table, list or record: characters 0 to {len(text)}"
    assert {each["why"] for each in said if each["in_prompt"]} == {place}


async def test_if_nothing_is_relevant_every_hit_says_so() -> None:
    said = await explained(Bench(min_cosine=0.99), "the sea", sources=0)
    assert {c["why"] for c in said["candidates"][:3]} == {"left out: no hit has a cosine of at least 0.99 (min_cosine)"}


async def test_without_an_engine_the_prompt_is_not_known() -> None:
    found = await Bench().find("green apples", explain=True)
    explained_without = explanation(found, None)
    assert explained_without["prompt"] is None
    said = explained_without["candidates"][0]
    assert said["in_prompt"] is None
    assert "not ready" in said["why"]


async def test_the_prompt_is_shown_with_its_tokens_and_the_room_for_the_answer() -> None:
    found = await Bench().find("green apples", explain=True)
    prompt = Prompt((1, 2, 3), found.hits[:1], (Message("user", "green apples"),))
    assert explanation(found, written(prompt))["prompt"] == {
        "style": "written",
        "messages": [{"role": "user", "content": "green apples"}],
        "tokens": 3,
        "context_tokens": 8192,
        "max_tokens": 512,
        "confidence": None,
    }


async def test_a_quoted_answer_has_only_hits_with_quotes_in_its_prompt() -> None:
    found = await Bench(min_cosine=-1).find("red apples", explain=True)
    said = explanation(found, quoted(Prompt((1, 2), found.hits), 0.8, 2))
    assert (said["prompt"]["style"], said["prompt"]["tokens"], said["prompt"]["confidence"]) == ("quoted", 2, 0.8)
    first, second = said["candidates"][:2]
    assert (first["in_prompt"], first["reason"]) == (False, "not_quoted")
    assert first["why"] == "left out: no part of hit 1 is among the best quotes"
    assert (second["in_prompt"], second["source"], second["reason"]) == (True, 2, "in_prompt")


async def test_quotes_that_are_too_far_from_the_question_are_explained() -> None:
    found = await Bench(min_cosine=-1).find("red apples", explain=True)
    said = explanation(found, quoted(Prompt((), ()), 0.2))
    assert said["prompt"]["messages"] == []
    assert said["candidates"][0]["reason"] == "min_confidence"
    assert "confidence of 0.200" in said["candidates"][0]["why"]


async def test_candidates_are_returned_only_with_explain() -> None:
    assert (await Bench().find("apples")).candidates == ()


# Snapshot and lease


@pytest.mark.parametrize("cached", [False, True])
async def test_the_snapshot_is_read_once_and_a_change_while_planning_is_not_seen(cached: bool) -> None:
    bench = Bench(queries=1)
    if cached:
        bench.use_cache()

    def publish() -> None:
        bench.snapshots.revision += 1

    bench.planner.while_planning = publish
    result = await bench.find("red apples")
    assert (result.snapshot.revision, bench.snapshots.revision, bench.snapshots.reads) == (0, 1, 1)


async def test_a_result_is_cached_for_the_revision_that_was_read() -> None:
    bench = Bench(queries=1)
    bench.use_cache()
    bench.planner.while_planning = lambda: setattr(bench.snapshots, "revision", 1)
    first = await bench.find("red apples")
    bench.planner.while_planning = lambda: None
    newer = await bench.find("red apples")
    assert "cached" not in newer.timings_ms
    assert newer.key != first.key
    bench.snapshots.revision = 0
    again = await bench.find("red apples")
    assert ("cached" in again.timings_ms, again.key, again.hits) == (True, first.key, first.hits)


@pytest.mark.parametrize("semantic", [None, 0.0])
async def test_a_cached_result_belongs_to_the_groups_of_the_caller(semantic: float | None) -> None:
    bench = Bench(duplicates=1)
    bench.add("secret pears", filename="b.md", read_groups=("hr",))
    bench.use_cache(semantic)
    keys = set()
    for groups, is_found in ((("hr",), True), ((), False), (None, True), (("it",), False)):
        bench.snapshots.groups = groups
        for is_cached in (False, True):
            found = await bench.find("secret pears")
            assert ("secret pears" in texts(found), "cached" in found.timings_ms) == (is_found, is_cached)
            assert found.snapshot.groups == groups
            keys.add(found.key)
    assert len(keys) == 4


async def test_a_result_of_an_incomplete_plan_is_not_cached() -> None:
    bench = Bench(queries=1)
    bench.use_cache()
    bench.planner.result = Plan(("red apples",), note="several queries: timeout")
    for _ in range(2):
        result = await bench.find("red apples")
        assert ("cached" in result.timings_ms, result.key) == (False, "")
    assert len(bench.planner.questions) == 2


async def test_the_semantic_cache_and_the_search_share_the_vector_of_the_question() -> None:
    bench = Bench()
    bench.use_cache(semantic=0.99)
    assert texts(await bench.find("red apples"))[0] == "red apples"
    assert bench.embedder.calls == [(("red apples",), "query")]


@pytest.mark.parametrize("cached", [False, True])
async def test_the_lease_is_held_while_planning_and_searching_and_released_afterwards(cached: bool) -> None:
    bench = Bench(queries=1, rerank=True)
    if cached:
        bench.use_cache()
    released: dict[str, bool] = {}

    def check(step: str) -> None:
        released[step] = bench.leases.wait_for_those_before(timeout_s=0)

    bench.snapshots.while_reading = lambda: check("snapshot")
    bench.planner.while_planning = lambda: check("plan")
    bench.store.while_searching = lambda: check("search")
    await bench.find("red apples")
    check("afterwards")
    assert released == {"snapshot": False, "plan": False, "search": False, "afterwards": True}


async def test_a_failed_question_releases_its_lease() -> None:
    bench = Bench()
    bench.embedder.failure = DependencyUnavailable("no encoder")
    with pytest.raises(DependencyUnavailable):
        await bench.find("apples")
    assert bench.leases.wait_for_those_before(timeout_s=0)


async def test_an_unknown_path_is_refused_before_planning() -> None:
    bench = Bench(queries=1)
    with pytest.raises(InvalidRequest, match="no_such_path"):
        await bench.find("apples", weights={"no_such_path": 1})
    assert bench.planner.questions == []


# Serialization and batches


async def test_a_result_survives_packing() -> None:
    found = replace(await Bench(weights={"dense": 2.0}).find("apples"), timings_ms={})
    assert unpack_result(pack_result(found)) == found
    with pytest.raises(ValueError, match="another release"):
        unpack_result(b"[[], [], {}]")


async def test_simultaneous_questions_get_their_own_results() -> None:
    bench = Bench()
    pipeline = bench.pipeline
    found = await asyncio.gather(*(pipeline.retrieve(RetrievalRequest(text, "default")) for text in TEXTS))
    assert [texts(f)[0] for f in found] == TEXTS
