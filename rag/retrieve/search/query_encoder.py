"""Encodes the wordings of a batch of queries, one call for each model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag.encoders import StoreEncoders
from rag.errors import EmbeddingMismatch, ModelNotFound
from rag.ports import SparseEmbedders
from rag.retrieve.query import Query


class QueryEncoder:
    """Fills in the dense and sparse vectors that the paths of a query need.

    A model that fails sets the `error` of the queries that need it, and of no others.
    """

    def __init__(self, encoders: StoreEncoders, sparse_embedders: SparseEmbedders | None) -> None:
        self._encoders = encoders
        self._sparse_embedders = sparse_embedders

    async def encode(self, queries: Sequence[Query]) -> None:
        dense: dict[str, list[Query]] = {}
        sparse: dict[str, list[Query]] = {}
        for query in queries:
            if query.needs_dense and any(each.vector is None for each in query.inputs):
                dense.setdefault(query.snapshot.embedder, []).append(query)
            if query.needs_sparse:
                sparse.setdefault(query.snapshot.sparse_embedder, []).append(query)
        await asyncio.gather(
            *(self._encode_dense(model, group) for model, group in dense.items()),
            *(self._encode_sparse(model, group) for model, group in sparse.items()),
        )

    async def _encode_dense(self, model: str, queries: Sequence[Query]) -> None:
        checked = [query for query in queries if self._has_encoder(query)]
        inputs = [each for query in checked for each in query.inputs if each.vector is None]
        if not inputs:
            return
        try:
            embedder = await self._encoders.named(model)
            vectors = await embedder.encode([each.text for each in inputs], "query")
        except Exception as error:
            _fail(checked, error)
            return
        for each, vector in zip(inputs, vectors, strict=True):
            each.vector = vector

    def _has_encoder(self, query: Query) -> bool:
        try:
            self._encoders.check(query.snapshot.store_id, query.snapshot.embedder)
        except EmbeddingMismatch as error:
            query.fail(error)
            return False
        return True

    async def _encode_sparse(self, model: str, queries: Sequence[Query]) -> None:
        if self._sparse_embedders is None:
            store = queries[0].snapshot.store_id
            _fail(
                queries,
                ModelNotFound(
                    f"the vector store {store!r} needs the sparse model {model!r}, but no sparse encoder is available"
                ),
            )
            return
        inputs = [each for query in queries for each in query.inputs if each.is_searched_on("sparse")]
        try:
            embedder = await self._sparse_embedders.named(model)
            vectors = await embedder.encode([each.text for each in inputs], "query")
        except Exception as error:
            _fail(queries, error)
            return
        for each, vector in zip(inputs, vectors, strict=True):
            each.sparse = vector


def _fail(queries: Sequence[Query], error: Exception) -> None:
    for query in queries:
        query.fail(error)
