"""The vector store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from rag.ports.embedding import Vectors
from rag.types import Attributes, Chunk, FilterObject, Match, SparseVector


class VectorStore(Protocol):
    """Collections of chunks with their vectors, such as Milvus.

    Methods block, so call them from worker threads; concurrent calls are safe. A collection contains chunks of all
    versions of a document, including versions that are not visible yet or no longer: the caller tells them apart by
    `chunk.version_id`. Every method raises VectorStoreNotFound if its collection does not exist, unless it says
    otherwise.
    """

    def create(self, collection: str, dimensions: int, model_name: str, *, sparse_model: str = "") -> None:
        """Create the collection unless it exists.

        Args:
            sparse_model: The learned sparse model whose vectors its chunks have as well; empty for none.

        Raises:
            EmbeddingMismatch: the collection exists and its vectors are of another model; names both models.
            UnsupportedIndex: this store does not support a configured index, or cannot store sparse vectors.
        """
        ...

    def drop(self, collection: str) -> None:
        """Delete the collection. Does nothing if it does not exist."""
        ...

    def exists(self, collection: str) -> bool: ...

    def insert(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: Vectors,
        sparse: Sequence[SparseVector] | None = None,
        *,
        again: bool = False,
    ) -> None:
        """Store chunks and their vectors, given in the same order. They are searchable when the call returns.

        Args:
            sparse: Learned sparse vectors, if the collection was created with a sparse model; else None.
            again: Some of these chunks may be stored already; none is stored twice.
        """
        ...

    def copy(
        self,
        collection: str,
        version_id: str,
        to_version_id: str,
        *,
        file_id: str,
        attributes: Attributes,
        read_groups: Sequence[str] = (),
    ) -> int:
        """Copy the chunks of one version, with their vectors, to another version. Returns the number of chunks.

        The prefix of each chunk id is replaced by the new version's id. Existing chunks of `to_version_id` are
        replaced.
        """
        ...

    def delete(self, collection: str, version_ids: Sequence[str]) -> None:
        """Delete all chunks of these versions."""
        ...

    def count(self, collection: str, version_id: str | None = None) -> int:
        """The number of chunks in the collection, or of one version in it."""
        ...

    def chunk_ids(self, collection: str) -> list[str]:
        """The ids of all chunks, one for each stored row, in any order. For consistency checks."""
        ...

    def dense(
        self,
        collection: str,
        vectors: Vectors,
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        """For each query vector the nearest chunks by cosine similarity, best first.

        Args:
            without: Ids of versions whose chunks are excluded.
            groups: Only chunks that have no `read_groups`, or one of these; None: all.

        Raises:
            InvalidFilter: `filters` cannot be translated for this store.
        """
        ...

    def keyword(
        self,
        collection: str,
        queries: Sequence[str],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        """For each query the best chunks by BM25, best first. Arguments and errors as for `dense`.

        Stemming and stop words are those of the language that was configured when the collection was created.
        """
        ...

    def sparse(
        self,
        collection: str,
        vectors: Sequence[SparseVector],
        limit: int,
        filters: FilterObject | None = None,
        *,
        without: Sequence[str] = (),
        groups: Sequence[str] | None = None,
    ) -> list[list[Match]]:
        """For each query vector the best chunks by inner product of sparse vectors. Otherwise as `dense`."""
        ...

    def chunks(
        self,
        collection: str,
        chunk_ids: Sequence[str],
        filters: FilterObject | None = None,
        *,
        groups: Sequence[str] | None = None,
    ) -> list[Chunk]:
        """Those of the chunks that exist and match the filter, in any order. `groups` and errors as for `dense`."""
        ...

    def pages(self, collection: str, rows: int) -> Iterator[tuple[list[Chunk], Vectors]]:
        """All chunks with their dense vectors, at most `rows` at a time. For indexes outside of this store."""
        ...

    def point_alias(self, alias: str, collection: str) -> None:
        """Make `alias` an alias of this collection, and of no other."""
        ...

    def drop_alias(self, alias: str) -> None:
        """Delete an alias. Does nothing if it does not exist."""
        ...

    def ping(self) -> None:
        """Raises DependencyUnavailable if the store does not respond."""
        ...

    def close(self) -> None: ...
