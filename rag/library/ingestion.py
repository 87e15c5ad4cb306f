"""Files come into vector stores; see `rag.library.service.Library`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from rag.catalog import documents, files, stores, versions
from rag.catalog.versions import NewVersion
from rag.chunkers.strategy import ChunkingStrategy, parse, to_json
from rag.errors import InvalidRequest
from rag.library.jobs import JobShelf, known_job
from rag.records import (
    Attachment,
    JobRecord,
    Received,
    Strategy,
)
from rag.types import Attributes, Change


class Intake(JobShelf):
    def ingest(
        self,
        store: str,
        uploads: Sequence[Received],
        attributes: Attributes,
        *,
        chunking: Strategy | None = None,
        idempotency_key: str | None = None,
        origin: str = "ingest",
    ) -> JobRecord:
        _refuse_repeats([upload.filename for upload in uploads])
        store_id, default = self._open_store(store)
        strategy = self._strategy(chunking, default)
        said = [store_id, strategy, dict(attributes), [[u.filename, u.content_hash] for u in uploads]]
        blob_ids = [self._blobs.take(upload.path) for upload in uploads]
        with self._database.write() as connection:
            stores.lock(connection, store_id)
            if (known := known_job(connection, idempotency_key, said)) is None:
                changes = [
                    self._accept_upload(connection, store_id, upload, blob_id, attributes, strategy, origin)
                    for upload, blob_id in zip(uploads, blob_ids, strict=True)
                ]
                job_id = self._insert_job(connection, store_id, changes, idempotency_key, said)
        if known is not None:
            self._blobs.remove(blob_ids)
        return self._submitted(known or job_id)

    def _accept_upload(
        self,
        connection: sa.Connection,
        store_id: str,
        upload: Received,
        blob_id: str,
        attributes: Attributes,
        strategy: Strategy,
        origin: str,
    ) -> tuple[int, Change]:
        file_id = documents.ingested_file_id(store_id, upload.filename)
        files.add_blob(connection, blob_id, "original", upload.bytes)
        if not files.exists(connection, file_id):
            files.insert(connection, file_id, upload, blob_id, purpose="assistants")
        new = NewVersion(
            store_id,
            upload.filename,
            file_id,
            blob_id,
            upload.content_hash,
            upload.bytes,
            strategy,
            attributes,
            origin,
        )
        return versions.accept(connection, new)

    def attach(self, store: str, attachments: Sequence[Attachment], *, idempotency_key: str | None = None) -> JobRecord:
        store_id, default = self._open_store(store)
        chosen = [(item, self._strategy(item.chunking, default)) for item in attachments]
        said = [store_id, [[item.file_id, dict(item.attributes), strategy] for item, strategy in chosen]]
        with self._database.write() as connection:
            stores.lock(connection, store_id)
            if (known := known_job(connection, idempotency_key, said)) is None:
                wanted = sorted({item.file_id for item in attachments})
                locked = {file_id: files.lock(connection, file_id) for file_id in wanted}
                rows = [locked[item.file_id] for item in attachments]
                _refuse_repeats([row.filename for row in rows])
                changes = [
                    versions.accept(connection, _attached(store_id, row, item, strategy))
                    for row, (item, strategy) in zip(rows, chosen, strict=True)
                ]
                job_id = self._insert_job(connection, store_id, changes, idempotency_key, said)
        return self._submitted(known or job_id)

    def _open_store(self, store: str) -> tuple[str, ChunkingStrategy]:
        """The store's id and its way of cutting. Raises EmbeddingMismatch when another model filled it."""
        with self._database.read() as connection:
            row = stores.resolve(connection, store)
            index = stores.active_index(connection, row.id)
        self._parts.encoders.check(row.id, index.embedder)
        with self._database.write() as connection:
            stores.touch(connection, row.id)
        return row.id, parse(row.chunking, self._parts.chunking)

    def _strategy(self, chunking: Strategy | None, default: ChunkingStrategy) -> Strategy:
        chosen = parse(None if chunking is None else dict(chunking), default)
        # Not to ask is the same as to say nothing of it: such files are as those of releases that never asked.
        return to_json(replace(chosen, questions=chosen.questions or None))


def _attached(store_id: str, file: Any, item: Attachment, strategy: Strategy) -> NewVersion:
    said: dict[str, Any] = {"chunking": strategy, "attributes": item.attributes, "origin": "files"}
    return NewVersion.of(file, store_id=store_id, file_id=file.id, **said)


def _refuse_repeats(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidRequest(f"{name} is in the request more than once", param="files")
        seen.add(name)
