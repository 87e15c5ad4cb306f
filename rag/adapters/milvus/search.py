"""The three search paths of a collection: dense, keyword and sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rag.adapters.milvus.connection import MilvusConnection
from rag.adapters.milvus.filter import Restriction, filter_arguments
from rag.adapters.milvus.loaded_collection import LoadedCollection
from rag.adapters.milvus.pymilvus_types import MilvusSearchArguments, QueryData, SearchHit
from rag.adapters.milvus.quantization import sign_bits
from rag.adapters.milvus.rows import chunk_of
from rag.ports import Vectors
from rag.types import Match

_MAX_CANDIDATES = 16_384
"""Milvus's limit of a search."""
_CANDIDATES_PER_CALL = 512
"""The limit for a call with several queries: servers return up to 100 MB, and a row can have 180 kB."""


class MilvusSearch:
    """The searches of `rag.ports.VectorStore`. A search path that a collection does not have finds nothing.

    Args:
        dense_params: Milvus's parameters of a dense search; each collection gets those that its index has.
        oversampling: Candidates per requested hit in searches of sign bits.
    """

    def __init__(self, milvus: MilvusConnection, dense_params: Mapping[str, object], oversampling: int) -> None:
        self._milvus = milvus
        self._dense_params = dense_params
        self._oversampling = oversampling

    def dense(self, collection: str, vectors: Vectors, limit: int, restriction: Restriction) -> list[list[Match]]:
        loaded, arguments = self._prepared(collection, limit, restriction)
        if loaded.rescore_dtype:
            return self._rescored(collection, loaded, vectors, arguments, restriction)
        arguments["search_params"] = {"params": loaded.dense_params(self._dense_params, limit)}
        results = self._search(collection, "dense", list(vectors), arguments, restriction)
        return [[_match(hit, loaded.cosine(hit["distance"])) for hit in hits] for hits in results]

    def _rescored(
        self,
        collection: str,
        loaded: LoadedCollection,
        vectors: Vectors,
        arguments: MilvusSearchArguments,
        restriction: Restriction,
    ) -> list[list[Match]]:
        """A search of sign bits, whose candidates are ranked by the cosine with the query's own vector."""
        limit = arguments["limit"]
        candidates = max(limit, min(limit * self._oversampling, _MAX_CANDIDATES))
        arguments["limit"] = candidates
        arguments["output_fields"] = [*arguments["output_fields"], loaded.vector_field]
        arguments["search_params"] = {"params": loaded.dense_params(self._dense_params, candidates)}
        per_call = max(1, _CANDIDATES_PER_CALL // candidates)
        found: list[list[Match]] = []
        for start in range(0, len(vectors), per_call):
            part = vectors[start : start + per_call]
            results = self._search(collection, "dense", sign_bits(part), arguments, restriction)
            found += [_nearest(loaded, *each, limit) for each in zip(part, results, strict=True)]
        return found

    def keyword(
        self, collection: str, queries: Sequence[str], limit: int, restriction: Restriction
    ) -> list[list[Match]]:
        loaded, arguments = self._prepared(collection, limit, restriction)
        words = [loaded.query_words(query) if "keyword" in loaded.fields else "" for query in queries]
        results = self._search(collection, "keyword", words, arguments, restriction)
        sign = -1.0 if self._milvus.is_lite else 1.0  # docs/bentoml_issues.md#m8
        return [[_match(hit, sign * hit["distance"]) for hit in hits] for hits in results]

    def sparse(
        self,
        collection: str,
        vectors: Sequence[Mapping[int, float]],
        limit: int,
        restriction: Restriction,
    ) -> list[list[Match]]:
        loaded, arguments = self._prepared(collection, limit, restriction)
        terms = [vector if "sparse" in loaded.fields else {} for vector in vectors]
        results = self._search(collection, "sparse", terms, arguments, restriction)
        return [[_match(hit, hit["distance"]) for hit in hits] for hits in results]

    def _prepared(
        self, collection: str, limit: int, restriction: Restriction
    ) -> tuple[LoadedCollection, MilvusSearchArguments]:
        """The collection, and the arguments that all its searches share."""
        loaded = self._milvus.loaded(collection)
        if loaded is None:  # on Milvus Lite, access waits for every search that began earlier
            with self._milvus.access(collection):
                loaded = self._milvus.load(collection)  # first: a connection is needed for `has_templates`
        chosen = filter_arguments(restriction, has_templates=self._milvus.has_templates)
        arguments = MilvusSearchArguments(
            limit=limit, output_fields=loaded.chunk_fields, timeout=self._milvus.timeout_s
        )
        arguments.update(chosen)  # type: ignore[typeddict-item]  # FilterArguments is a part of MilvusSearchArguments
        return loaded, arguments

    def _search(
        self,
        collection: str,
        field: str,
        queries: Sequence[QueryData],
        arguments: MilvusSearchArguments,
        restriction: Restriction,
    ) -> list[list[SearchHit]]:
        """The hits of each query. An empty query is not sent to Milvus and finds nothing."""
        filled = [query for query in queries if len(query)]
        if not filled:
            return [[] for _ in queries]
        with self._milvus.access(collection, filtered=restriction.filters is not None, operation="search"):
            name = self._milvus.load(collection).name
            results = iter(self._milvus.client().search(name, data=filled, anns_field=field, **arguments))
        return [list(next(results)) if len(query) else [] for query in queries]


def _nearest(
    loaded: LoadedCollection, query: npt.NDArray[np.float32], candidates: Sequence[SearchHit], limit: int
) -> list[Match]:
    if not candidates:
        return []
    cosines = np.clip(loaded.vectors([hit["entity"] for hit in candidates]) @ query, -1, 1)
    best = np.argsort(-cosines, kind="stable")[:limit]
    return [_match(candidates[at], float(cosines[at])) for at in best]


def _match(hit: SearchHit, score: float) -> Match:
    return Match(chunk_of(hit["entity"]), score)
