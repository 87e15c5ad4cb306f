"""Search on one path, restricted to the versions that a snapshot shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from rag.auth.caller import queueing_caller
from rag.catalog.documents.visibility import Snapshot
from rag.ports import VectorStore
from rag.queues.fair_queue import FairQueue, QueueLimits
from rag.retrieve.query import STORE_PATHS, Filters, QueryInput
from rag.retrieve.search.custom_retrievers import CustomRetrievers
from rag.retrieve.snapshot_reader import SnapshotReader
from rag.telemetry.queues import Stage
from rag.types import Match

T = TypeVar("T")
_MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class PathRequest:
    """All that a search depends on but the texts. Equal requests can be one call to the store."""

    path: str
    snapshot: Snapshot
    limit: int
    """Matches for each text."""
    min_visible: int
    """With fewer visible matches the search is repeated, if hidden versions took their places."""
    filters_json: str
    """`filters` with sorted keys, for the comparison."""
    filters: Filters | None = field(default=None, compare=False)


class PathSearcher:
    """Searches the vector store and the custom retrievers, and leaves out what the snapshot does not show.

    A collection also holds versions that are being written and versions that were replaced, and documents that the
    caller may not read.

    Args:
        calls: Calls to the store at the same time. Callers that have used less time go first, and if there are several
            calls, no caller can make them all.
        custom_calls: The same for custom retrievers.
    """

    def __init__(
        self,
        store: VectorStore,
        snapshots: SnapshotReader,
        custom: CustomRetrievers,
        *,
        calls: int = 8,
        custom_calls: int = 8,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self.custom = custom
        self._store_calls = _FairThreads("store", calls)
        self._custom_calls = _FairThreads("custom", custom_calls)

    async def search(self, request: PathRequest, inputs: Sequence[QueryInput]) -> list[list[Match]]:
        """Visible matches, one list a text, best first."""
        threads = self._store_calls if request.path in STORE_PATHS else self._custom_calls
        return await threads.run(lambda: self._visible_matches(request, self._call(request, inputs)))

    def _call(self, request: PathRequest, inputs: Sequence[QueryInput]) -> _Call:
        collection, groups = request.snapshot.collection, request.snapshot.groups
        limit, filters = request.limit, request.filters
        match request.path:
            case "dense":
                vectors = np.stack([each.vector for each in inputs if each.vector is not None])
                search = partial(self._store.dense, collection, vectors, limit, filters, groups=groups)
            case "keyword":
                texts = [each.text for each in inputs]
                search = partial(self._store.keyword, collection, texts, limit, filters, groups=groups)
            case "sparse":
                terms = [each.sparse or {} for each in inputs]
                search = partial(self._store.sparse, collection, terms, limit, filters, groups=groups)
            case name:
                pairs = [(each.text, each.vector) for each in inputs]
                search = partial(self.custom.search, name, collection, pairs, limit, filters, groups=groups)
        return lambda without: search(without=without)

    def _visible_matches(self, request: PathRequest, call: _Call) -> list[list[Match]]:
        without: set[str] = set()
        for _ in range(_MAX_ATTEMPTS):
            fetched = call(sorted(without))
            version_ids = {match.chunk.version_id for matches in fetched for match in matches}
            hidden = self._snapshots.hidden(request.snapshot, version_ids)
            visible = [[match for match in matches if match.chunk.version_id not in hidden] for matches in fetched]
            if all(_is_enough(*pair, request) for pair in zip(visible, fetched, strict=True)):
                break
            without |= hidden
        return visible


class _FairThreads:
    """Threads that callers share fairly, apart from those of the event loop, which everybody needs.

    Args:
        calls: Number of threads. One caller gets all but a quarter, and all but one if there are several.
    """

    def __init__(self, stage: Stage, calls: int) -> None:
        headroom = max(0.25, 1 / calls) if calls > 1 else 0.0
        self._queue = FairQueue(stage, calls, QueueLimits(headroom, by_time=True))
        self._threads = ThreadPoolExecutor(calls, thread_name_prefix=f"search-{stage}")

    async def run(self, call: Callable[[], T]) -> T:
        context = copy_context()
        async with self._queue.slot(queueing_caller().queue):
            return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, call)


_Call = Callable[[Sequence[str]], list[list[Match]]]
"""A search without these versions."""


def _is_enough(visible: Sequence[Match], fetched: Sequence[Match], request: PathRequest) -> bool:
    return len(visible) >= request.min_visible or len(fetched) < request.limit or len(visible) == len(fetched)
