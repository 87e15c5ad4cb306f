"""Replacements for Milvus Lite's indexes of sparse vectors, which rank as a Milvus server does.

Milvus Lite has one such index per segment, which uses the statistics of its segment only and needs about 100 bytes per
posting (docs/bentoml_issues.md#m3). These indexes share the statistics of the collection and keep postings in arrays,
8 bytes each.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypeAlias
from weakref import WeakSet, WeakValueDictionary

import numpy as np
import numpy.typing as npt
from milvus_lite.index import sparse_factory
from milvus_lite.index.sparse_common import empty_results, validate_mask
from milvus_lite.index.sparse_inverted import SparseInvertedIndex
from milvus_lite.index.sparse_ip import SparseIpIndex

Terms: TypeAlias = Mapping[int, float]
"""Weights by term number. In BM25, the weight is how often the term occurs."""
_Floats = npt.NDArray[np.float32]
_Rows = npt.NDArray[np.int32]
_Mask = npt.NDArray[np.bool_]
_Ids = npt.NDArray[np.int64]


def install() -> None:
    """Make Milvus Lite use the indexes of this module in this process."""
    sparse_factory.create_sparse_index = _create_index


def _create_index(metric_type: str, params: Mapping[str, str | float]) -> Bm25Index | InnerProductIndex:
    if metric_type == "IP":
        return InnerProductIndex()
    return Bm25Index(float(params.get("bm25_k1", 1.5)), float(params.get("bm25_b", 0.75)), _statistics_of(params))


class _Postings:
    """An inverted index: for each term the rows that contain it, ascending, and their weights."""

    def __init__(self, vectors: Sequence[Terms]) -> None:
        sizes = np.fromiter(map(len, vectors), dtype=np.int64, count=len(vectors))
        count = int(sizes.sum())
        terms = np.fromiter(chain.from_iterable(vectors), dtype=np.uint32, count=count)
        weights = np.fromiter(chain.from_iterable(v.values() for v in vectors), dtype=np.float32, count=count)
        order = np.argsort(terms, kind="stable")
        self._terms, starts = np.unique(terms[order], return_index=True)
        self._bounds = np.append(starts, count)
        self._rows: _Rows = np.repeat(np.arange(len(vectors), dtype=np.int32), sizes)[order]
        self._weights: _Floats = weights[order]

    def of(self, term: int) -> tuple[_Rows, _Floats]:
        at = int(np.searchsorted(self._terms, term))
        if at == len(self._terms) or self._terms[at] != term:
            return self._rows[:0], self._weights[:0]
        part = slice(self._bounds[at], self._bounds[at + 1])
        return self._rows[part], self._weights[part]

    def frequency(self, term: int) -> int:
        return len(self.of(term)[0])


class _Statistics:
    """The BM25 statistics of a collection: all its segments, and the rows that are in no segment yet."""

    def __init__(self, params: object) -> None:
        self.params = params  # referenced so that its id() is not reused
        self._lock = threading.Lock()
        self._indexes: WeakSet[Bm25Index] = WeakSet()

    def add(self, index: Bm25Index) -> None:
        with self._lock:
            self._indexes.add(index)

    def indexes(self) -> list[Bm25Index]:
        with self._lock:
            return list(self._indexes)


_by_params: WeakValueDictionary[int, _Statistics] = WeakValueDictionary()
_by_params_lock = threading.Lock()


def _statistics_of(params: object) -> _Statistics:
    """A collection's statistics. Milvus Lite passes the same `params` object for all segments of a collection."""
    with _by_params_lock:
        found = _by_params.get(id(params))
        if found is None:
            found = _by_params[id(params)] = _Statistics(params)
        return found


class Bm25Index(SparseInvertedIndex):  # type: ignore[misc]
    """BM25 as in Lucene since version 8, whose inverse document frequency is never negative."""

    def __init__(self, k1: float, b: float, statistics: _Statistics) -> None:
        super().__init__(k1, b)
        self._statistics = statistics
        self._postings = _Postings([])
        self._lengths: _Floats = np.zeros(0, dtype=np.float32)

    def build(self, sparse_vectors: Sequence[Terms], valid_mask: _Mask | None = None) -> None:
        valid = validate_mask(valid_mask, len(sparse_vectors))
        if valid is not None:
            sparse_vectors = [v if ok else {} for v, ok in zip(sparse_vectors, valid, strict=True)]
        self._postings = _Postings(sparse_vectors)
        sums = map(sum, (vector.values() for vector in sparse_vectors))
        self._lengths = np.fromiter(sums, dtype=np.float32, count=len(sparse_vectors))
        self.doc_count = len(sparse_vectors) if valid is None else int(valid.sum())
        self.total_length = float(self._lengths.sum())
        self._statistics.add(self)

    def search(
        self, query_sparse_vectors: Sequence[Terms], top_k: int, valid_mask: _Mask | None = None
    ) -> tuple[_Ids, _Floats]:
        valid = validate_mask(valid_mask, len(self._lengths))
        ids, distances = empty_results(len(query_sparse_vectors), top_k)
        all_indexes = self._statistics.indexes()
        documents = sum(index.doc_count for index in all_indexes)
        mean_length = sum(index.total_length for index in all_indexes) / max(documents, 1)
        lengths = self.k1 * (1 - self.b + self.b * self._lengths / (mean_length or 1))
        for number, query in enumerate(query_sparse_vectors):
            scores = np.zeros(len(self._lengths), dtype=np.float32)
            for term, weight in query.items():
                rows, counts = self._postings.of(term)
                if len(rows):
                    having = sum(index._postings.frequency(term) for index in all_indexes)
                    idf = np.log1p((documents - having + 0.5) / (having + 0.5))
                    scores[rows] += weight * idf * (self.k1 + 1) * counts / (counts + lengths[rows])
            _write_best(scores, valid, ids[number], distances[number])
        return ids, distances


class InnerProductIndex(SparseIpIndex):  # type: ignore[misc]
    """Inner product, for learned sparse vectors."""

    def build(self, sparse_vectors: Sequence[Terms], valid_mask: _Mask | None = None) -> None:
        valid = validate_mask(valid_mask, len(sparse_vectors))
        if valid is not None:
            sparse_vectors = [v if ok else {} for v, ok in zip(sparse_vectors, valid, strict=True)]
        self.num_rows = len(sparse_vectors)
        self._postings = _Postings(sparse_vectors)

    def _search_prepared(
        self, queries: Sequence[Terms], top_k: int, valid_mask: _Mask | None = None
    ) -> tuple[_Ids, _Floats]:
        valid = validate_mask(valid_mask, self.num_rows)
        ids, distances = empty_results(len(queries), top_k)
        for number, query in enumerate(queries):
            scores = np.zeros(self.num_rows, dtype=np.float32)
            for term, weight in query.items():
                rows, weights = self._postings.of(term)
                scores[rows] += weight * weights
            _write_best(scores, valid, ids[number], distances[number])
        return ids, distances


def _write_best(scores: _Floats, valid: _Mask | None, ids: _Ids, distances: _Floats) -> None:
    """Write the `len(ids)` rows with the highest positive scores, best first. A distance is the negated score."""
    if valid is not None:
        scores = np.where(valid, scores, 0)
    found = np.flatnonzero(scores > 0)
    top_k = len(ids)
    if len(found) > top_k:
        found = found[np.argpartition(-scores[found], top_k)[:top_k]]
    found = found[np.lexsort((found, -scores[found]))]
    ids[: len(found)] = found
    distances[: len(found)] = -scores[found]
