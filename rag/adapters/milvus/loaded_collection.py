"""A collection as it was made, whatever one would be made like today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymilvus import MilvusClient

from rag.adapters.milvus.index import search_params
from rag.adapters.milvus.rows import passage_of
from rag.adapters.milvus.schema import note_of
from rag.keywords import keyword_text
from rag.types import Chunk


@dataclass(frozen=True, slots=True)
class LoadedCollection:
    """A collection that is loaded."""

    name: str
    """In Milvus."""
    fields: frozenset[str]
    language: str | None
    """Of the keyword path; None: Milvus makes the words of it itself."""
    dense_index: str
    metric: str
    """Of the dense vectors."""

    def query_words(self, query: str) -> str:
        """What the keyword path searches for; empty: there is nothing to be found by it."""
        if self.language is not None:
            return keyword_text(query, self.language)
        return query.encode(errors="ignore").decode()

    def passage(self, chunk: Chunk) -> str | None:
        """What the keyword path finds a chunk by; None: there is no such path."""
        return passage_of(chunk, self.language) if "passage" in self.fields else None

    def dense_params(self, wanted: Mapping[str, Any], limit: int) -> dict[str, Any]:
        return search_params(self.dense_index, wanted, limit)

    def cosine(self, distance: float) -> float:
        """Of vectors of length 1, from what Milvus calls their distance, which for L2 is its square."""
        cosine = 1.0 - distance / 2.0 if self.metric == "L2" else distance
        return min(1.0, max(-1.0, cosine))  # indexes that keep vectors roughly may go beyond


def inspect_collection(client: MilvusClient, name: str, timeout_s: float) -> LoadedCollection:
    """The collection of this name, or with this alias."""
    description = client.describe_collection(name, timeout=timeout_s)
    note = note_of(description)
    indexes = client.list_indexes(name, field_name="dense")
    dense: Mapping[str, Any] = client.describe_index(name, indexes[0], timeout=timeout_s) if indexes else {}
    return LoadedCollection(
        name=name,
        fields=frozenset(field["name"] for field in description["fields"]),
        language=note.language if note else None,
        dense_index=dense.get("index_type", ""),
        metric=dense.get("metric_type", "IP"),
    )
