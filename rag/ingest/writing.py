"""Chunks of versions, embedded and written into an index."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rag.blobs import BlobFolder
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.ingest.encoding import PassageEncoder
from rag.ingest.question_prompts import pair_passages
from rag.ports import Vectors, VectorStore
from rag.readers import extract_json
from rag.records import Strategy
from rag.types import Chunk, Extract, Passage, SparseVector, passage_text

Cut = Callable[[Extract, Strategy], Sequence[Passage]]
"""The chunker of a strategy, applied."""
_SLICE_TEXTS = 64
"""Texts given to the encoder at once: fewer let more questions get in between."""
_KEPT = 4
"""Documents whose chunks are kept while they are written, window by window."""


class ChunkWriter:
    """Safe for several threads.

    Args:
        blobs: Where the texts are that were read from files.
        cut: Must give the same passages for the same text whenever it is asked.
    """

    def __init__(self, store: VectorStore, encoder: PassageEncoder, blobs: BlobFolder, cut: Cut) -> None:
        self._store = store
        self._encoder = encoder
        self._blobs = blobs
        self._cut = cut
        self._cache: OrderedDict[tuple[int, str], list[Chunk]] = OrderedDict()
        self._lock = threading.Lock()

    def cut(self, extract: Extract, strategy: Strategy) -> int:
        """How many passages it gives."""
        return len(self._cut(extract, strategy))

    def chunks(self, version: Any) -> list[Chunk]:
        """All chunks of a version (a row of the catalog) whose text was read: its passages, then their questions."""
        key = (version.seq, version.extract_id)
        with self._lock:
            known = self._cache.get(key)
        if known is not None and known[:1] and known[0].attributes == version.attributes:
            return known
        extract = extract_json.from_json(self._blobs.read(version.extract_id))
        passages = self._cut(extract, version.chunking)
        asked = pair_passages(passages, extract.pairs or ())
        made = [_chunk(version, n, passage) for n, passage in enumerate([*passages, *asked])]
        with self._lock:
            self._cache[key] = made
            while len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
        return made

    def write(
        self, index: Index, chunks: Sequence[Chunk], *, again: bool, check: Callable[[], None], on_slice: OnSlice
    ) -> None:
        """Embed chunks, those of like length together, and store them.

        Args:
            again: Some may be stored already.
            check: Called often; what it raises breaks the work off.
            on_slice: Called with the number of chunks that were embedded.
        """
        vectors, sparse = self._embed(index, [passage_text(chunk) for chunk in chunks], check, on_slice)
        check()
        self._store.insert(index.index_id, chunks, vectors, sparse, again=again)

    def _embed(
        self, index: Index, texts: Sequence[str], check: Callable[[], None], on_slice: OnSlice
    ) -> tuple[Vectors, list[SparseVector] | None]:
        """Vectors, and learned sparse ones where the index has such."""
        # Texts of like length make batches without padding.
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        vectors = np.empty((len(texts), index.dimensions), dtype=np.float32)
        sparse: dict[int, SparseVector] = {}
        for start in range(0, len(order), _SLICE_TEXTS):
            part = order[start : start + _SLICE_TEXTS]
            chosen = [texts[position] for position in part]
            vectors[part] = self._encoder.encode(index.embedder, chosen, check)
            if index.sparse_embedder:
                found = self._encoder.encode_sparsely(index.sparse_embedder, chosen, check)
                sparse.update(zip(part, found, strict=True))
            on_slice(len(part))
        return vectors, [sparse[position] for position in range(len(texts))] if index.sparse_embedder else None


OnSlice = Callable[[int], None]


def _chunk(version: Any, ordinal: int, passage: Passage) -> Chunk:
    own_id = version_id(version.seq)
    return Chunk(
        chunk_id=f"{own_id}-{ordinal:06d}",
        version_id=own_id,
        file_id=version.file_id,
        filename=version.filename,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        heading=passage.heading,
        page=passage.page,
        context=passage.context,
        attributes=version.attributes,
    )
