"""A collection with the properties that it was created with, which may differ from the settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pymilvus import MilvusClient

from rag.adapters.milvus.index import search_params
from rag.adapters.milvus.pymilvus_types import ChunkRow, CollectionDescription, IndexDescription
from rag.adapters.milvus.quantization import RescoreDtype, decoded, encoded, sign_bits
from rag.adapters.milvus.rows import CHUNK_FIELDS, NEW_FIELDS, RESCORE_FIELD, passage_of, row_of
from rag.adapters.milvus.schema import note_of
from rag.keywords import keyword_text
from rag.ports import Vectors
from rag.types import Chunk, SparseVector

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedCollection:
    """A collection that Milvus has loaded, so that it can be searched."""

    name: str
    """The name in Milvus."""
    fields: frozenset[str]
    language: str | None
    """The language of the keyword path; None: Milvus tokenizes the text itself."""
    dense_index: str
    metric: str
    """The metric of the dense vectors."""
    rescore_dtype: RescoreDtype | None = None
    """How vectors are kept beside the sign bits that are searched; None: the vectors themselves are searched."""

    @property
    def vector_field(self) -> str:
        """The field that vectors are read from."""
        return RESCORE_FIELD if self.rescore_dtype else "dense"

    @property
    def chunk_fields(self) -> list[str]:
        """Returns the fields from which a chunk is restored."""
        return [field for field in CHUNK_FIELDS if field in self.fields]

    def row(self, chunk: Chunk, vector: npt.NDArray[np.float32], sparse: SparseVector | None) -> ChunkRow:
        """The row to insert for a chunk."""
        row = row_of(chunk, vector, self._passage(chunk), sparse)
        for field in NEW_FIELDS - self.fields:
            del row[field]
        if self.rescore_dtype:
            row["dense"] = sign_bits(vector[np.newaxis])[0]
            row["dense_rescore"] = encoded(vector, self.rescore_dtype)
        return row

    def vectors(self, rows: Sequence[ChunkRow]) -> Vectors:
        """The dense vectors of rows that were read with `vector_field`."""
        if self.rescore_dtype:
            return decoded([row["dense_rescore"] for row in rows], self.rescore_dtype)
        return np.array([row["dense"] for row in rows], dtype=np.float32)

    def query_words(self, query: str) -> str:
        """What the keyword path searches for; empty: the query has no words."""
        if self.language is not None:
            return keyword_text(query, self.language)
        return query.encode(errors="ignore").decode()

    def _passage(self, chunk: Chunk) -> str | None:
        """The text by which the keyword path finds a chunk; None: the collection has no keyword path."""
        return passage_of(chunk, self.language) if "passage" in self.fields else None

    def dense_params(self, requested: Mapping[str, object], limit: int) -> dict[str, object]:
        return search_params(self.dense_index, requested, limit)

    def cosine(self, distance: float) -> float:
        """The cosine of two vectors of length 1, given Milvus's distance (for L2, its square)."""
        cosine = 1.0 - distance / 2.0 if self.metric == "L2" else distance
        return min(1.0, max(-1.0, cosine))  # quantised indexes may exceed the range


def inspect_collection(client: MilvusClient, name: str, timeout_s: float) -> LoadedCollection:
    """The collection of this name or alias."""
    description: CollectionDescription = client.describe_collection(name, timeout=timeout_s)
    note = note_of(description)
    fields = frozenset(field["name"] for field in description["fields"])
    if note is not None and (note.has_outdated_words or NEW_FIELDS - fields):
        _log.warning(
            "the collection %s was created by an earlier release: keyword search may miss some words, and passages "
            "lack headers of long tables and records and places on pages; run `python -m rag reindex --store NAME "
            "--rebuild` for its vector store",
            name,
        )
    indexes = client.list_indexes(name, field_name="dense")
    dense: IndexDescription = client.describe_index(name, indexes[0], timeout=timeout_s) if indexes else {}
    return LoadedCollection(
        name=name,
        fields=fields,
        language=note.language if note else None,
        dense_index=dense.get("index_type", ""),
        metric=dense.get("metric_type", "IP"),
        rescore_dtype=note.rescore_dtype if note else None,
    )
