"""Ingest: file -> text -> chunks -> vectors -> stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

import numpy as np

from rag.errors import InvalidRequest, RagError, VectorStoreNotFound
from rag.ingest.chunking import Chunker, passage_text
from rag.ingest.readers import read_document
from rag.ports import Embedder, Vectors, VectorStore
from rag.types import Attributes, Change, Chunk, Document, IngestedFile, StoredFile


@dataclass(frozen=True, slots=True)
class Upload:
    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _File:
    document: Document
    chunks: list[Chunk]


class IngestPipeline:
    """Stores the files of a request, each under its name in place of what was there.

    Args:
        slice_texts: texts given to the embedder at once; fewer let more questions get in between.
    """

    def __init__(
        self,
        embedder: Embedder,
        store: VectorStore,
        chunker: Chunker,
        *,
        slice_texts: int = 64,
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._chunker = chunker
        self._slice_texts = slice_texts
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def ingest(self, vector_store: str, uploads: Sequence[Upload], attributes: Attributes) -> list[IngestedFile]:
        """Store the uploads; one result an upload, in the same order.

        Nothing is stored before every file was read and embedded. A file that is stored already, with the
        same bytes and attributes, is `unchanged` and not embedded again.

        Raises:
            VectorStoreNotFound: no such vector store.
            InvalidRequest: two uploads of one name, or a name that cannot be stored.
            UnsupportedFile: a file that cannot be read; names it.
        """
        if not await asyncio.to_thread(self._store.exists, vector_store):
            raise VectorStoreNotFound(f"there is no vector store {vector_store!r}", param="vector_store")
        files = await asyncio.to_thread(self._read, vector_store, uploads, attributes)
        async with self._exclusively(vector_store, [file.document.file_id for file in files]):
            file_ids = [file.document.file_id for file in files]
            stored = await asyncio.to_thread(self._store.versions, vector_store, file_ids)
            changes = [_change(file, stored.get(file.document.file_id, [])) for file in files]
            pending = [file for file, change in zip(files, changes, strict=True) if change != "unchanged"]
            vectors = await self._embed([chunk for file in pending for chunk in file.chunks])
            await self._store_all(vector_store, pending, vectors, stored)
        return [
            IngestedFile(file.document.file_id, file.document.filename, change, len(file.chunks))
            for file, change in zip(files, changes, strict=True)
        ]

    def _read(self, vector_store: str, uploads: Sequence[Upload], attributes: Attributes) -> list[_File]:
        files: dict[str, _File] = {}
        for upload in uploads:
            document = read_document(vector_store, upload.filename, upload.content, attributes)
            if document.file_id in files:
                raise InvalidRequest(f"{document.filename} is in the request more than once", param="files")
            files[document.file_id] = _File(document, self._chunker.chunk(document))
        return list(files.values())

    @asynccontextmanager
    async def _exclusively(self, vector_store: str, file_ids: Sequence[str]) -> AsyncIterator[None]:
        """Let no other request work on these files. Sorted, so that two requests never wait for each other."""
        async with AsyncExitStack() as stack:
            for file_id in sorted(file_ids):
                lock = self._locks.setdefault((vector_store, file_id), asyncio.Lock())
                await stack.enter_async_context(lock)
            yield

    async def _embed(self, chunks: Sequence[Chunk]) -> Vectors:
        texts = [passage_text(chunk) for chunk in chunks]
        # Texts of like length make batches without padding.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = np.empty((len(texts), self._embedder.dimensions), dtype=np.float32)
        for start in range(0, len(order), self._slice_texts):
            part = order[start : start + self._slice_texts]
            vectors[part] = await self._embedder.encode([texts[index] for index in part], "passage")
        return vectors

    async def _store_all(
        self, vector_store: str, files: Sequence[_File], vectors: Vectors, stored: dict[str, list[StoredFile]]
    ) -> None:
        start = 0
        for file in files:
            part = vectors[start : start + len(file.chunks)]
            start += len(file.chunks)
            versions = stored.get(file.document.file_id, [])
            await _run_to_end(partial(self._replace, vector_store, file, part, versions))

    def _replace(self, vector_store: str, file: _File, vectors: Vectors, versions: Sequence[StoredFile]) -> None:
        file_id, content_hash = file.document.file_id, file.document.content_hash
        if any(version.content_hash == content_hash for version in versions):
            # Part of this version, or all of it with other attributes: its chunks have the same ids.
            self._store.delete(vector_store, file_id, content_hash=content_hash)
        try:
            self._store.insert(vector_store, file.chunks, vectors)
        except BaseException:
            with suppress(RagError):
                self._store.delete(vector_store, file_id, content_hash=content_hash)
            raise
        if any(version.content_hash != content_hash for version in versions):
            self._store.delete(vector_store, file_id, keep=content_hash)


async def _run_to_end(work: Callable[[], None]) -> None:
    """Run in a thread; when cancelled, wait for its end, so that no lock is given back too early."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _change(file: _File, versions: Sequence[StoredFile]) -> Change:
    if not versions:
        return "added"
    whole = StoredFile(file.document.content_hash, len(file.chunks), dict(file.document.attributes))
    return "unchanged" if list(versions) == [whole] else "replaced"
