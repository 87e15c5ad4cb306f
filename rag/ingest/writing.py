"""Embeds chunks and writes them into an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rag.catalog.documents.stores import Index
from rag.ingest.encoding import PassageEncoder
from rag.ports import Vectors, VectorStore
from rag.types import Chunk, SparseVector, passage_text

OnProgress = Callable[[int], None]
"""Called with the number of chunks that were embedded since the last call."""
_BATCH_TEXTS = 64
"""Texts given to the encoder at once. Between two batches the encoder can serve queries."""


class ChunkWriter:
    """Embeds chunks and writes them into an index. Safe for several threads."""

    def __init__(self, store: VectorStore, encoder: PassageEncoder) -> None:
        self._store = store
        self._encoder = encoder

    def write(
        self,
        index: Index,
        chunks: Sequence[Chunk],
        *,
        again: bool,
        check: Callable[[], None],
        on_progress: OnProgress,
    ) -> None:
        """Embed and store chunks.

        Args:
            again: Some of them may be stored already.
            check: Called often; if it raises, the work is cancelled.
        """
        vectors, sparse = self._embed(index, [passage_text(chunk) for chunk in chunks], check, on_progress)
        check()
        self._store.insert(index.index_id, chunks, vectors, sparse, again=again)

    def _embed(
        self, index: Index, texts: Sequence[str], check: Callable[[], None], on_progress: OnProgress
    ) -> tuple[Vectors, list[SparseVector] | None]:
        """Dense vectors, and learned sparse ones if the index has such."""
        # Sorted by length: texts of similar length make batches with little padding.
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        vectors = np.empty((len(texts), index.dimensions), dtype=np.float32)
        sparse: dict[int, SparseVector] = {}
        for start in range(0, len(order), _BATCH_TEXTS):
            positions = order[start : start + _BATCH_TEXTS]
            batch = [texts[position] for position in positions]
            vectors[positions] = self._encoder.encode(index.embedder, batch, check)
            if index.sparse_embedder:
                sparse_vectors = self._encoder.encode_sparse(index.sparse_embedder, batch, check)
                sparse.update(zip(positions, sparse_vectors, strict=True))
            on_progress(len(positions))
        return vectors, [sparse[position] for position in range(len(texts))] if index.sparse_embedder else None
