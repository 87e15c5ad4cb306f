"""The vectors of questions, those for one model encoded together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from rag.encoders import StoreEncoders
from rag.errors import ModelNotFound
from rag.ports import SparseEmbedders
from rag.retrieve.query import ResolvedQuery

Place = tuple[int, int]
"""Of a query in its batch, and of a wording in it."""
Outcome = ResolvedQuery | Exception
_WITHOUT_DENSE = ("keyword", "sparse")


class QueryVectors:
    def __init__(self, encoders: StoreEncoders, sparse_embedders: SparseEmbedders | None) -> None:
        self._encoders = encoders
        self._sparse_embedders = sparse_embedders

    async def fill(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """With the vectors that the queries' paths need; an error in place of a query whose model fails."""
        dense, sparse = _by_model(outcomes, _dense_wanted), _by_model(outcomes, _sparse_wanted)
        work = [self._encoded(outcomes, "vector", model, places, self._dense) for model, places in dense.items()]
        work += [self._encoded(outcomes, "sparse", model, places, self._sparse) for model, places in sparse.items()]
        result = list(outcomes)
        for deliver in await asyncio.gather(*work):
            deliver(result)
        return result

    async def _encoded(
        self,
        outcomes: Sequence[Outcome],
        name: Literal["vector", "sparse"],
        model: str,
        places: Sequence[Place],
        encode: Callable[[str, str, list[str]], Awaitable[Sequence[Any]]],
    ) -> Callable[[list[Outcome]], None]:
        queries = [outcome for outcome in outcomes if isinstance(outcome, ResolvedQuery)]
        store = next(seen.snapshot.store_id for seen in queries if model in _models(seen))
        texts = [outcome.asked[i].text for p, i in places if isinstance(outcome := outcomes[p], ResolvedQuery)]
        try:
            values = list(await encode(store, model, texts))
        except Exception as error:
            failure = error
            return lambda result: _fail(result, places, failure)
        return lambda result: _fill(result, name, places, values)

    async def _dense(self, store: str, model: str, texts: list[str]) -> Sequence[Any]:
        embedder = await self._encoders.of(store, model)
        return list(await embedder.encode(texts, "query"))

    async def _sparse(self, store: str, model: str, texts: list[str]) -> Sequence[Any]:
        if self._sparse_embedders is None:
            raise ModelNotFound(f"there is nobody to load the sparse model {model!r} of the vector store {store!r}")
        return await (await self._sparse_embedders.named(model)).encode(texts, "query")


def _models(seen: ResolvedQuery) -> tuple[str, str]:
    return seen.snapshot.embedder, seen.snapshot.sparse_embedder


def _dense_wanted(seen: ResolvedQuery) -> tuple[str, list[int]]:
    """The model, and the wordings that lack its vector."""
    if all(path in _WITHOUT_DENSE for path in seen.paths):
        return "", []
    return seen.snapshot.embedder, [i for i, asked in enumerate(seen.asked) if asked.vector is None]


def _sparse_wanted(seen: ResolvedQuery) -> tuple[str, list[int]]:
    if "sparse" not in seen.paths:
        return "", []
    return seen.snapshot.sparse_embedder, [i for i, w in enumerate(seen.query.wordings) if not w.dense_only]


def _by_model(
    outcomes: Sequence[Outcome], wanted: Callable[[ResolvedQuery], tuple[str, list[int]]]
) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for position, outcome in enumerate(outcomes):
        if isinstance(outcome, ResolvedQuery):
            model, wordings = wanted(outcome)
            if wordings:
                places.setdefault(model, []).extend((position, i) for i in wordings)
    return places


def _fill(result: list[Outcome], name: str, places: Sequence[Place], values: Sequence[Any]) -> None:
    for (position, i), value in zip(places, values, strict=True):
        if isinstance(seen := result[position], ResolvedQuery):
            asked = list(seen.asked)
            asked[i] = replace(asked[i], **{name: value})
            result[position] = replace(seen, asked=tuple(asked))


def _fail(result: list[Outcome], places: Sequence[Place], error: Exception) -> None:
    for position, _ in places:
        result[position] = error
