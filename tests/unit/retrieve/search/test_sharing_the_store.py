"""Callers share the search: one with many slow queries does not make the others wait for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from rag.auth.caller import Caller, current_caller, queueing_caller
from rag.errors import Overloaded
from rag.ports import Vectors
from rag.retrieve.pipeline import RetrievalPipeline, RetrievalRequest
from rag.retrieve.query import QueryInput, QueryVector
from rag.retrieve.result import RetrievalResult
from rag.retrieve.search.custom_retrievers import CustomRetrievers
from rag.retrieve.search.path_searcher import PathRequest, PathSearcher
from rag.types import Chunk, Match
from tests.support.servers.loopback import until
from tests.unit.retrieve.test_pipeline import Bench

SLOW, QUICK = Caller("slow", "acme", frozenset({"ask"})), Caller("quick", "acme", frozenset({"ask"}))
CALLS = 8
"""Calls to the store that all callers together may make at the same time. How many `SLOW` makes depends on how its
queries fall into batches; it never makes all of them."""


class SlowSearches:
    """The searches of `SLOW` wait."""

    def __init__(self, bench: Bench) -> None:
        self._gate = threading.Event()
        self.begun: Counter[str] = Counter()
        bench.store.while_searching = self._wait

    def _wait(self) -> None:
        caller = queueing_caller()
        self.begun[caller.key_id] += 1
        if caller == SLOW:
            assert self._gate.wait(60)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """They wait until the end of this context, however it ends."""
        try:
            yield
        finally:
            self._gate.set()


def ask(pipeline: RetrievalPipeline, caller: Caller, number: int = 0) -> asyncio.Task[RetrievalResult]:
    """Each number has a filter of its own, so that no two queries are one call to the store."""
    filters = {"type": "ne", "key": "number", "value": number}
    token = current_caller.set(caller)
    try:
        request = RetrievalRequest(f"apples {number}", "default", {"mode": "dense"}, filters)
        return asyncio.create_task(pipeline.retrieve(request))
    finally:
        current_caller.reset(token)


async def test_a_caller_with_slow_queries_leaves_a_batch_to_others() -> None:
    bench = Bench()
    searches, pipeline = SlowSearches(bench), bench.pipeline
    slow = [ask(pipeline, SLOW, number) for number in range(40)]
    with searches.held():
        await until(lambda: searches.begun["slow"] >= 2)
        await asyncio.wait_for(ask(pipeline, QUICK), 60)
        assert searches.begun["quick"] == 1
        assert searches.begun["slow"] < CALLS
    await asyncio.gather(*slow)


async def test_queries_of_a_client_that_left_are_not_searched() -> None:
    bench = Bench()
    searches, pipeline = SlowSearches(bench), bench.pipeline
    slow = [ask(pipeline, SLOW, number) for number in range(40)]
    with searches.held():
        await until(lambda: searches.begun["slow"] >= 2)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
    await ask(pipeline, QUICK)
    assert searches.begun["quick"] == 1
    assert searches.begun["slow"] < CALLS


async def test_a_caller_with_slow_searches_leaves_calls_to_the_store_to_others() -> None:
    bench = Bench()
    searches = SlowSearches(bench)
    paths = PathSearcher(bench.store, bench.snapshots, CustomRetrievers(bench.store, {}), calls=4)
    snapshot = bench.snapshots.snapshot("default")
    vector = bench.embedder.vectors(["apples"])[0]

    def search(caller: Caller) -> asyncio.Task[list[list[Match]]]:
        token = current_caller.set(caller)
        try:
            request = PathRequest("dense", snapshot, 3, 1, "")
            return asyncio.create_task(paths.search(request, [QueryInput("apples", vector=vector)]))
        finally:
            current_caller.reset(token)

    slow = [search(SLOW) for _ in range(10)]
    with searches.held():
        await until(lambda: searches.begun["slow"] == 3)
        assert await asyncio.wait_for(search(QUICK), 60)
        assert searches.begun == {"slow": 3, "quick": 1}
    await asyncio.gather(*slow)


class AnyChunk:
    """A custom retriever that knows nothing."""

    def update(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        pass

    def remove(self, chunk_ids: Sequence[str]) -> None:
        pass

    def query(self, text: str, vector: QueryVector, limit: int) -> Sequence[tuple[str, float]]:
        return []


async def test_custom_retrievers_do_not_wait_for_searches_of_the_store() -> None:
    bench = Bench()
    searches = SlowSearches(bench)
    custom = CustomRetrievers(bench.store, {"mine": AnyChunk})
    paths = PathSearcher(bench.store, bench.snapshots, custom, calls=2)
    snapshot = bench.snapshots.snapshot("default")
    inputs = [QueryInput("apples", vector=bench.embedder.vectors(["apples"])[0])]
    token = current_caller.set(SLOW)
    slow = asyncio.create_task(paths.search(PathRequest("dense", snapshot, 3, 1, ""), inputs))
    mine = asyncio.create_task(paths.search(PathRequest("mine", snapshot, 3, 1, ""), inputs))
    current_caller.reset(token)
    with searches.held():
        await until(lambda: searches.begun["slow"] == 1)
        assert await asyncio.wait_for(mine, 60) == [[]]
    await slow


async def test_a_caller_with_too_many_waiting_queries_is_refused() -> None:
    bench = Bench()
    searches, pipeline = SlowSearches(bench), bench.pipeline
    slow = [ask(pipeline, SLOW, number) for number in range(32 + 256 + 1)]
    with searches.held():
        with pytest.raises(Overloaded, match="search: 256 of your requests are waiting already"):
            await asyncio.wait_for(slow[-1], 60)
        await asyncio.wait_for(ask(pipeline, QUICK), 60)
        for task in slow:
            task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
