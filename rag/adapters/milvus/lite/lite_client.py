"""Searches and queries of Milvus Lite in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from milvus_lite.adapter.grpc.errors import to_status_kwargs
from milvus_lite.analyzer.sparse import bytes_to_sparse
from milvus_lite.engine.collection import Collection, _internal_distance_to_milvus_distance
from milvus_lite.index import sparse_factory
from milvus_lite.index.brute_force import BruteForceIndex
from milvus_lite.schema.types import DataType
from milvus_lite.search.indexed_filter import evaluate_segment_filter
from milvus_lite.storage.segment import Segment
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from rag.adapters.milvus.lite.lite_live_rows import LiveRows, Mask
from rag.adapters.milvus.lite.lite_server import LiteServer
from rag.adapters.milvus.pymilvus_types import QueryData

_Row: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[int, int]
"""A row: the position of its segment, and its own in it."""
_Parts: TypeAlias = Sequence[tuple[Segment, Mask | None]]
_VECTORS = (DataType.FLOAT_VECTOR, DataType.SPARSE_FLOAT_VECTOR)


class LiteClient(MilvusClient):  # type: ignore[misc]
    """A client whose searches and queries are calls in this process. All others go through the server.

    A search takes a third of the CPU time: its results are not converted to protocol buffers and back, only their
    requested fields are read, and Milvus Lite does not check each row of the collection (docs/bentoml_issues.md#m14).
    One call at a time.
    """

    def __init__(self, server: LiteServer, *, timeout: float) -> None:
        super().__init__(server.uri, timeout=timeout)
        self._lite = server
        self._live_rows: WeakKeyDictionary[Collection, LiveRows] = WeakKeyDictionary()

    def search(
        self,
        collection_name: str,
        data: Sequence[QueryData],
        filter: str = "",
        limit: int = 10,
        output_fields: Sequence[str] = (),
        search_params: Mapping[str, Mapping[str, object]] | None = None,
        *,
        anns_field: str,
        timeout: float | None = None,
    ) -> list[list[_Row]]:
        """As `MilvusClient.search`. There is no deadline."""
        with _errors_of_pymilvus():
            collection, parts = self._open(collection_name, filter)
            metric = collection.resolve_search_metric(anns_field)
            if metric == "BM25" or _type_of(collection, anns_field) == DataType.SPARSE_FLOAT_VECTOR:
                nearest = _nearest_sparse(collection, parts, anns_field, metric, data, limit)
            else:
                params = (search_params or {}).get("params")
                nearest = _nearest_dense(parts, anns_field, metric, np.asarray(data, np.float32), limit, params)
            rows = _rows(collection, parts, {place for found in nearest for _, place in found}, output_fields)
            return [
                [
                    {"distance": _internal_distance_to_milvus_distance(distance, metric), "entity": rows[place]}
                    for distance, place in found
                ]
                for found in nearest
            ]

    def query(
        self,
        collection_name: str,
        filter: str = "",
        output_fields: Sequence[str] = (),
        timeout: float | None = None,
    ) -> list[_Row]:
        """As `MilvusClient.query`, but without a deadline for fields of chunks."""
        if "count(*)" in output_fields:
            counted: list[_Row] = super().query(collection_name, filter, list(output_fields), timeout)
            return counted
        with _errors_of_pymilvus():
            collection, parts = self._open(collection_name, filter)
            places = {
                (position, row)
                for position, (segment, mask) in enumerate(parts)
                for row in (range(segment.num_rows) if mask is None else np.flatnonzero(mask).tolist())
            }
            return list(_rows(collection, parts, places, output_fields).values())

    def _open(self, name: str, expression: str) -> tuple[Collection, _Parts]:
        """The collection, and its segments with masks of the live rows that the filter admits."""
        collection = self._lite.collection(name)
        collection._require_loaded()
        live_rows = self._live_rows.setdefault(collection, LiveRows())
        if not expression:
            return collection, list(live_rows.of(collection))
        compiled = collection._compile_filter(expression)
        plan = collection._indexed_filter_plan(compiled)
        admitted = (
            (segment, live, evaluate_segment_filter(segment, compiled, plan))
            for segment, live in live_rows.of(collection)
        )
        return collection, [(segment, mask if live is None else live & mask) for segment, live, mask in admitted]


_Nearest: TypeAlias = list[list[tuple[float, _Place]]]
"""For each query the distances, lowest first, and places of the nearest rows."""


def _nearest_dense(
    parts: _Parts, field: str, metric: str, queries: Any, limit: int, params: Mapping[str, object] | None
) -> _Nearest:
    indexes = [
        segment.indexes.get(field) or BruteForceIndex.build(segment.vector_data(field)[0], metric)
        for segment, _ in parts
    ]
    found = [
        index.search(queries, limit, valid_mask=mask, params=params)
        for index, (_, mask) in zip(indexes, parts, strict=True)
    ]
    return _merged(found, len(queries), limit)


def _nearest_sparse(
    collection: Collection, parts: _Parts, field: str, metric: str, queries: Sequence[QueryData], limit: int
) -> _Nearest:
    spec = collection._index_specs.get(field)
    params = spec.build_params if spec else {}
    prepared = collection._prepare_sparse_queries(list(queries), field)
    # All before the first is searched: they share the statistics of BM25.
    indexes = [_sparse_index(segment, field, metric, params) for segment, _ in parts]
    found = [
        sparse_factory._search_prepared_sparse_index(index, prepared, limit, valid_mask=mask)
        for index, (_, mask) in zip(indexes, parts, strict=True)
    ]
    return _merged(found, len(prepared), limit)


def _sparse_index(segment: Segment, field: str, metric: str, params: Mapping[str, object]) -> Any:
    index = segment.sparse_indexes.get(field)
    if not sparse_factory.sparse_index_matches(index, metric, params):
        stored = segment.table.column(field).to_pylist()
        index = sparse_factory.create_sparse_index(metric, params)
        index.build([bytes_to_sparse(each) if isinstance(each, bytes) else (each or {}) for each in stored])
        segment.sparse_indexes[field] = index
    return index


def _merged(found: Sequence[tuple[Any, Any]], queries: int, limit: int) -> _Nearest:
    """The nearest of all segments, from the ids and distances of each. An id below 0 stands for no row."""
    nearest: _Nearest = []
    for query in range(queries):
        candidates = [
            (distance, (position, row))
            for position, (ids, distances) in enumerate(found)
            for row, distance in zip(ids[query].tolist(), distances[query].tolist(), strict=True)
            if row >= 0
        ]
        nearest.append(sorted(candidates)[:limit])
    return nearest


def _rows(
    collection: Collection, parts: _Parts, places: set[_Place], output_fields: Sequence[str]
) -> dict[_Place, _Row]:
    """The requested fields of rows, in the order of their places."""
    fields = {field.name: field.dtype for field in collection.schema.fields if field.name in output_fields}
    if any(dtype in _VECTORS for dtype in fields.values()):
        raise ValueError("vectors are read with an iterator")
    as_json = [name for name, dtype in fields.items() if dtype == DataType.JSON]
    found: dict[_Place, _Row] = {}
    for position, (segment, _) in enumerate(parts):
        numbers = sorted(row for at, row in places if at == position)
        if numbers:
            rows = segment.table.select(list(fields)).take(numbers).to_pylist()
            for number, row in zip(numbers, rows, strict=True):
                found[position, number] = row | {name: json.loads(row[name]) for name in as_json}
    return found


def _type_of(collection: Collection, name: str) -> DataType:
    return next(field.dtype for field in collection.schema.fields if field.name == name)


@contextmanager
def _errors_of_pymilvus() -> Iterator[None]:
    """Raise the errors of Milvus Lite as pymilvus raises what the server answers."""
    try:
        yield
    except Exception as error:
        status = to_status_kwargs(error)
        raise MilvusException(status["code"], status["reason"], status["error_code"]) from error
