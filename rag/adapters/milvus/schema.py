"""The fields and indexes of a collection in Milvus, and the note that says which models it was filled with."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import asdict, dataclass

from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus.index import Indexes, index_arguments, refused
from rag.adapters.milvus.pymilvus_types import CollectionDescription, CollectionSchema, IndexArguments
from rag.adapters.milvus.quantization import RescoreDtype, encoded_length
from rag.adapters.milvus.rows import MAX_STRING_BYTES, NUMBERS, RESCORE_FIELD, STRINGS
from rag.errors import UnsupportedIndex
from rag.keywords import ANALYSIS_VERSION

_NOTE = "rag.embedding"
_TRANSIENT_CODES = (1, 2, 8, 9)
"""Error codes of the connection and of overloaded servers, which say nothing about an index."""


@dataclass(frozen=True, slots=True)
class CollectionNote:
    """The models a collection was filled with, stored in Milvus with the collection."""

    model: str
    dimensions: int
    sparse_model: str = ""
    """The learned sparse model; empty: the collection has no sparse path."""
    language: str | None = None
    """Language in which the words of the keyword path are stemmed; None: Milvus tokenizes the text itself."""
    analysis: int = 1
    """Version of the analysis of these words (`rag.keywords.ANALYSIS_VERSION`)."""
    rescore_dtype: RescoreDtype | None = None
    """How vectors are kept beside their sign bits; None: the dense index has the vectors themselves."""

    @property
    def has_outdated_words(self) -> bool:
        return self.language is not None and self.analysis != ANALYSIS_VERSION

    def same_vectors(self, other: CollectionNote | None) -> bool:
        return other is not None and self._vectors == other._vectors

    @property
    def _vectors(self) -> tuple[str, int, str]:
        return self.model, self.dimensions, self.sparse_model

    def __str__(self) -> str:
        sparse = f", sparse model {self.sparse_model!r}" if self.sparse_model else ""
        return f"{self.model!r} ({self.dimensions} dimensions{sparse})"


def note_of(description: CollectionDescription) -> CollectionNote | None:
    """The note in a collection's description; None: the collection was created by another program."""
    about = description.get("properties", {}).get(_NOTE) or description.get("description", "")
    try:
        return CollectionNote(**json.loads(about))
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields and indexes of a new collection."""

    note: CollectionNote
    indexes: Indexes
    is_lite: bool
    has_bm25: bool

    @property
    def vector_fields(self) -> list[str]:
        fields = {"dense": True, "keyword": self.has_bm25, "sparse": bool(self.note.sparse_model)}
        return [name for name, is_there in fields.items() if is_there]

    def create(self, client: MilvusClient, name: str, timeout_s: float) -> None:
        """Create the collection, empty and ready for searches.

        Raises:
            UnsupportedIndex: Milvus does not have one of the indexes; the collection is dropped again.
        """
        indexes = self._index_arguments()
        # Milvus Lite stores properties only, servers the description (docs/bentoml_issues.md#m9).
        properties = {_NOTE: self._about()} if self.is_lite else None
        client.create_collection(
            name, schema=self._schema(client), consistency_level="Strong", properties=properties, timeout=timeout_s
        )
        try:
            for field, arguments in indexes.items():
                self._index(client, name, field, arguments, timeout_s)
        except UnsupportedIndex:
            client.drop_collection(name, timeout=timeout_s)
            raise
        client.load_collection(name, timeout=timeout_s)

    def complete(self, client: MilvusClient, name: str, fields: Set[str], timeout_s: float) -> None:
        """Create the indexes that are missing because the process that created the collection was killed."""
        for field in fields & set(self.vector_fields):
            if not client.list_indexes(name, field_name=field):
                self._index(client, name, field, self._index_arguments()[field], timeout_s)

    def _index(self, client: MilvusClient, name: str, field: str, arguments: IndexArguments, timeout_s: float) -> None:
        params = client.prepare_index_params()
        params.add_index(**arguments)
        try:
            # `sync` would sleep half a second for each index, although those of an empty collection are ready at once.
            client.create_index(name, params, timeout=timeout_s, sync=False)
        except MilvusException as error:
            if error.code in _TRANSIENT_CODES:
                raise
            raise refused(field, self.indexes.of(field), error.message) from error

    def _index_arguments(self) -> dict[str, IndexArguments]:
        return {
            field: index_arguments(field, self.indexes.of(field), self.note.dimensions, is_lite=self.is_lite)
            for field in self.vector_fields
        }

    def _about(self) -> str:
        return json.dumps(asdict(self.note))

    def _schema(self, client: MilvusClient) -> CollectionSchema:
        schema: CollectionSchema = client.create_schema(
            auto_id=False, enable_dynamic_field=False, description=self._about()
        )
        schema.add_field("chunk_id", DataType.VARCHAR, is_primary=True, max_length=128)
        for field, max_length in STRINGS.items():
            schema.add_field(field, DataType.VARCHAR, max_length=max_length)
        for field in NUMBERS:
            schema.add_field(field, DataType.INT64)
        schema.add_field("attributes", DataType.JSON)
        self._add_dense_fields(schema)
        if self.has_bm25:
            self._add_keyword_fields(schema)
        if self.note.sparse_model:
            schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        return schema

    def _add_dense_fields(self, schema: CollectionSchema) -> None:
        dtype, dimensions = self.note.rescore_dtype, self.note.dimensions
        if dtype is None:
            schema.add_field("dense", DataType.FLOAT_VECTOR, dim=dimensions)
            return
        schema.add_field("dense", DataType.BINARY_VECTOR, dim=dimensions)
        schema.add_field(RESCORE_FIELD, DataType.VARCHAR, max_length=encoded_length(dimensions, dtype))

    def _add_keyword_fields(self, schema: CollectionSchema) -> None:
        # Milvus Lite has no analyzer that only splits at blanks; its default leaves stemmed words as they are.
        analyzer: dict[str, object] = {} if self.is_lite else {"analyzer_params": {"tokenizer": "whitespace"}}
        schema.add_field("passage", DataType.VARCHAR, max_length=MAX_STRING_BYTES, enable_analyzer=True, **analyzer)
        schema.add_field("keyword", DataType.SPARSE_FLOAT_VECTOR)
        bm25 = Function(
            name="bm25", function_type=FunctionType.BM25, input_field_names=["passage"], output_field_names=["keyword"]
        )
        schema.add_function(bm25)
