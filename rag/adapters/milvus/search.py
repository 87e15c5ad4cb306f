"""The three search paths of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag.adapters.milvus.connection import MilvusConnection
from rag.adapters.milvus.filter import filter_arguments
from rag.adapters.milvus.loaded_collection import LoadedCollection
from rag.adapters.milvus.rows import CHUNK_FIELDS, chunk_of
from rag.ports import Vectors
from rag.types import Match

_Filters = Mapping[str, Any] | None


class MilvusSearch:
    """As the port says. A path that a collection does not have finds nothing.

    Args:
        dense_params: Milvus's parameters of a dense search, for the collections whose index has them.
    """

    def __init__(self, milvus: MilvusConnection, dense_params: Mapping[str, Any]) -> None:
        self._milvus = milvus
        self._dense_params = dense_params

    def dense(
        self, collection: str, vectors: Vectors, limit: int, filters: _Filters, without: Sequence[str]
    ) -> list[list[Match]]:
        opened, wanted = self._prepared(collection, limit, filters, without)
        wanted["search_params"] = {"params": opened.dense_params(self._dense_params, limit)}
        answers = self._answers(collection, "dense", list(vectors), wanted, filters)
        return [[_match(hit, opened.cosine(hit["distance"])) for hit in hits] for hits in answers]

    def keyword(
        self, collection: str, queries: Sequence[str], limit: int, filters: _Filters, without: Sequence[str]
    ) -> list[list[Match]]:
        opened, wanted = self._prepared(collection, limit, filters, without)
        words = [opened.query_words(query) if "keyword" in opened.fields else "" for query in queries]
        answers = self._answers(collection, "keyword", words, wanted, filters)
        sign = -1.0 if self._milvus.is_lite else 1.0  # BM25 scores are negative on Milvus Lite
        return [[_match(hit, sign * hit["distance"]) for hit in hits] for hits in answers]

    def sparse(
        self,
        collection: str,
        vectors: Sequence[Mapping[int, float]],
        limit: int,
        filters: _Filters,
        without: Sequence[str],
    ) -> list[list[Match]]:
        opened, wanted = self._prepared(collection, limit, filters, without)
        terms = [vector if "sparse" in opened.fields else {} for vector in vectors]
        answers = self._answers(collection, "sparse", terms, wanted, filters)
        return [[_match(hit, hit["distance"]) for hit in hits] for hits in answers]

    def _prepared(
        self, collection: str, limit: int, filters: _Filters, without: Sequence[str]
    ) -> tuple[LoadedCollection, dict[str, Any]]:
        """The collection, and the keyword arguments of a search in it."""
        with self._milvus.access(collection):
            opened = self._milvus.open(collection)  # first: connecting decides on templates
        wanted = filter_arguments(filters, without, has_templates=self._milvus.has_templates)
        return opened, wanted | {"limit": limit, "output_fields": CHUNK_FIELDS, "timeout": self._milvus.timeout_s}

    def _answers(
        self, collection: str, field: str, data: list[Any], wanted: Mapping[str, Any], filters: _Filters
    ) -> list[list[Any]]:
        """Milvus's hits for each of the data; what is empty is not asked for, and finds nothing."""
        asked = [one for one in data if len(one)]
        if not asked:
            return [[] for _ in data]
        with self._milvus.access(collection, filtered=filters is not None):
            name = self._milvus.open(collection).name
            found = iter(self._milvus.client().search(name, data=asked, anns_field=field, **wanted))
        return [list(next(found)) if len(one) else [] for one in data]


def _match(hit: Mapping[str, Any], score: float) -> Match:
    return Match(chunk_of(hit["entity"]), score)
