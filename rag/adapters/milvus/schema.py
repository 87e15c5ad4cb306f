"""How a collection is laid out in Milvus, and what is noted of how it was filled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from typing import Any

from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus.index import Indexes, index_arguments, refused
from rag.adapters.milvus.rows import MAX_STRING_BYTES, NUMBERS, STRINGS
from rag.errors import UnsupportedIndex

_NOTE = "rag.embedding"
_TRANSIENT_CODES = (1, 2, 8, 9)
"""Codes of what goes wrong on the way, and of servers that have too much to do."""


@dataclass(frozen=True, slots=True)
class CollectionNote:
    """What a collection was filled with, kept in Milvus beside it."""

    model: str
    dimensions: int
    sparse_model: str = ""
    """The learned sparse model; empty: none."""
    language: str | None = None
    """In which the words of the keyword path were made by us; None: Milvus made them itself."""

    def same_vectors(self, other: CollectionNote | None) -> bool:
        return other is not None and self._vectors == other._vectors

    @property
    def _vectors(self) -> tuple[str, int, str]:
        return self.model, self.dimensions, self.sparse_model

    def __str__(self) -> str:
        sparse = f", sparse model {self.sparse_model!r}" if self.sparse_model else ""
        return f"{self.model!r} ({self.dimensions} dimensions{sparse})"


def note_of(description: Mapping[str, Any]) -> CollectionNote | None:
    """The note, from a collection's description; None: another program made it."""
    about = description.get("properties", {}).get(_NOTE) or description.get("description", "")
    try:
        return CollectionNote(**json.loads(about))
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a new collection's fields and indexes depend on."""

    note: CollectionNote
    indexes: Indexes
    is_lite: bool
    has_bm25: bool

    @property
    def vector_fields(self) -> list[str]:
        fields = {"dense": True, "keyword": self.has_bm25, "sparse": bool(self.note.sparse_model)}
        return [name for name, is_there in fields.items() if is_there]

    def create(self, client: MilvusClient, name: str, timeout_s: float) -> None:
        """Make the collection, empty and ready for searches.

        Raises:
            UnsupportedIndex: the connected Milvus does not have an index that is wanted; nothing is left of it then.
        """
        indexes = self._index_arguments()
        # Lite keeps properties and forgets the description; servers keep the description.
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
        """Make the indexes of a collection with these fields that were not made before its maker was killed."""
        for field in fields & set(self.vector_fields):
            if not client.list_indexes(name, field_name=field):
                self._index(client, name, field, self._index_arguments()[field], timeout_s)

    def _index(
        self, client: MilvusClient, name: str, field: str, arguments: Mapping[str, Any], timeout_s: float
    ) -> None:
        params = client.prepare_index_params()
        params.add_index(**arguments)
        try:
            # An empty collection's indexes are ready at once: `sync` would sleep half a second for each.
            client.create_index(name, params, timeout=timeout_s, sync=False)
        except MilvusException as error:
            if error.code in _TRANSIENT_CODES:
                raise
            raise refused(field, self.indexes.of(field), error.message) from error

    def _index_arguments(self) -> dict[str, dict[str, Any]]:
        return {
            field: index_arguments(field, self.indexes.of(field), self.note.dimensions, is_lite=self.is_lite)
            for field in self.vector_fields
        }

    def _about(self) -> str:
        return json.dumps(asdict(self.note))

    def _schema(self, client: MilvusClient) -> Any:
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=self._about())
        schema.add_field("chunk_id", DataType.VARCHAR, is_primary=True, max_length=128)
        for field, max_length in STRINGS.items():
            schema.add_field(field, DataType.VARCHAR, max_length=max_length)
        for field in NUMBERS:
            schema.add_field(field, DataType.INT64)
        schema.add_field("attributes", DataType.JSON)
        schema.add_field("dense", DataType.FLOAT_VECTOR, dim=self.note.dimensions)
        if self.has_bm25:
            self._add_keyword_fields(schema)
        if self.note.sparse_model:
            schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        return schema

    def _add_keyword_fields(self, schema: Any) -> None:
        # Lite has no analyzer that only splits at blanks; its own leaves the words that we make as they are.
        analyzer = {} if self.is_lite else {"analyzer_params": {"tokenizer": "whitespace"}}
        schema.add_field("passage", DataType.VARCHAR, max_length=MAX_STRING_BYTES, enable_analyzer=True, **analyzer)
        schema.add_field("keyword", DataType.SPARSE_FLOAT_VECTOR)
        bm25 = Function(
            name="bm25", function_type=FunctionType.BM25, input_field_names=["passage"], output_field_names=["keyword"]
        )
        schema.add_function(bm25)
