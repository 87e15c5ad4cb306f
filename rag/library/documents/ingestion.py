"""Accepts uploads and files into vector stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from rag.auth.limits import Quota
from rag.catalog import versions
from rag.catalog.documents import documents, files, stores
from rag.catalog.tenants import quotas
from rag.catalog.versions import NewVersion
from rag.chunkers.strategy import ChunkingStrategy, parse, to_json
from rag.errors import InvalidRequest
from rag.library.documents import jobs
from rag.library.resources import LibraryResources
from rag.records import Attachment, JobRecord, Strategy, UploadedFile
from rag.types import Attributes, Change

_PURPOSES_OF_BATCHES = ("batch", "batch_output")
_QUOTAS: tuple[Quota, ...] = ("max_documents", "max_stored_bytes", "max_unfinished_jobs")


def ingest(
    resources: LibraryResources,
    store: str,
    uploads: Sequence[UploadedFile],
    attributes: Attributes,
    *,
    chunking: Strategy | None = None,
    idempotency_key: str | None = None,
    origin: str = "ingest",
    read_groups: Sequence[str] | None = None,
) -> JobRecord:
    _refuse_duplicates([upload.filename for upload in uploads])
    store_id, default = _open_store(resources, store)
    strategy = _strategy(chunking, default)
    request: list[object] = [store_id, strategy, dict(attributes), [[u.filename, u.content_hash] for u in uploads]]
    if read_groups is not None:
        request.append(list(read_groups))
    taken = resources.blobs.taken([upload.path for upload in uploads])
    with taken as blob_ids, resources.database.write() as connection:
        stores.lock(connection, store_id)
        existing = jobs.with_idempotency_key(connection, idempotency_key, request)
        if existing is None:
            with quotas.enforced(connection, *_QUOTAS):
                changes = [
                    _accept_upload(connection, store_id, upload, blob_id, attributes, strategy, origin, read_groups)
                    for upload, blob_id in zip(uploads, blob_ids, strict=True)
                ]
                job_id = jobs.insert_ingest(connection, store_id, changes, idempotency_key, request)
    if existing is not None:
        resources.blobs.remove(blob_ids)
    return jobs.submit(resources, existing or job_id)


def _accept_upload(
    connection: sa.Connection,
    store_id: str,
    upload: UploadedFile,
    blob_id: str,
    attributes: Attributes,
    strategy: Strategy,
    origin: str,
    read_groups: Sequence[str] | None,
) -> tuple[int, Change]:
    file_id = documents.ingested_file_id(store_id, upload.filename)
    files.add_blob(connection, blob_id, "original", upload.bytes, upload.charset)
    if not files.exists(connection, file_id):
        files.insert(connection, file_id, upload, blob_id, purpose="assistants", read_groups=read_groups or ())
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
        read_groups,
    )
    return versions.accept(connection, new)


def attach(
    resources: LibraryResources,
    store: str,
    attachments: Sequence[Attachment],
    *,
    idempotency_key: str | None = None,
) -> JobRecord:
    store_id, default = _open_store(resources, store)
    strategies = [_strategy(attachment.chunking, default) for attachment in attachments]
    request = [store_id, [_requested(*each) for each in zip(attachments, strategies, strict=True)]]
    with resources.database.write() as connection:
        stores.lock(connection, store_id)
        existing = jobs.with_idempotency_key(connection, idempotency_key, request)
        if existing is None:
            with quotas.enforced(connection, *_QUOTAS):
                new_versions = _attached_versions(connection, store_id, attachments, strategies)
                changes = [versions.accept(connection, new) for new in new_versions]
                job_id = jobs.insert_ingest(connection, store_id, changes, idempotency_key, request)
    return jobs.submit(resources, existing or job_id)


def _requested(attachment: Attachment, strategy: Strategy) -> list[object]:
    read_groups = [] if attachment.read_groups is None else [list(attachment.read_groups)]
    return [attachment.file_id, dict(attachment.attributes), strategy, *read_groups]


def _attached_versions(
    connection: sa.Connection, store_id: str, attachments: Sequence[Attachment], strategies: Sequence[Strategy]
) -> list[NewVersion]:
    """Locks the files, in the order of their ids.

    Raises InvalidRequest if two have the same name, or one is of a batch.
    """
    wanted = sorted({attachment.file_id for attachment in attachments})
    locked = {file_id: files.lock(connection, file_id) for file_id in wanted}
    for file in locked.values():
        if file.purpose in _PURPOSES_OF_BATCHES:
            raise InvalidRequest(
                f"{file.id} has the purpose {file.purpose}: no document can be made of it", param="file_id"
            )
    _refuse_duplicates([locked[attachment.file_id].filename for attachment in attachments])
    return [
        NewVersion.of_file(
            locked[attachment.file_id],
            store_id=store_id,
            chunking=strategy,
            attributes=attachment.attributes,
            origin="files",
            read_groups=attachment.read_groups,
        )
        for attachment, strategy in zip(attachments, strategies, strict=True)
    ]


def _open_store(resources: LibraryResources, store: str) -> tuple[str, ChunkingStrategy]:
    """The store's id and its chunking strategy. Raises EmbeddingMismatch if another model filled the store."""
    with resources.database.read() as connection:
        row = stores.resolve(connection, store)
        index = stores.active_index(connection, row.id)
    resources.encoders.check(row.id, index.embedder)
    with resources.database.write() as connection:
        stores.touch(connection, row.id)
    return row.id, parse(row.chunking, resources.chunking)


def _strategy(chunking: Strategy | None, default: ChunkingStrategy) -> Strategy:
    chosen = parse(None if chunking is None else dict(chunking), default)
    # 0 questions are stored as "not given", so that the strategy equals those of files from before this option.
    return to_json(replace(chosen, questions=chosen.questions or None))


def _refuse_duplicates(names: Sequence[str]) -> None:
    known: set[str] = set()
    for name in names:
        if name in known:
            raise InvalidRequest(f"{name} is in the request more than once", param="files")
        known.add(name)
