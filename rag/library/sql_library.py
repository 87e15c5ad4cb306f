"""The library on the catalog; see `rag.library.service.Library`."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog import documents, files, jobs, stores, versions
from rag.catalog.database import Database
from rag.catalog.stores import DEFAULT_STORE, Index
from rag.catalog.versions import NewVersion
from rag.catalog.visibility import version_id
from rag.chunkers.strategy import ChunkingStrategy, parse, to_json
from rag.encoders import StoreEncoders
from rag.errors import Conflict, FileNotFound, InvalidRequest, NotFound, RagError
from rag.ingest.encoding import PassageEncoder
from rag.ingest.reindex import give_up
from rag.ports import JobEngine, VectorStore
from rag.readers import extract_json
from rag.records import (
    MAX_ATTRIBUTES,
    Attachment,
    Cursor,
    DocumentRecord,
    FileRecord,
    JobRecord,
    NewStore,
    Page,
    Received,
    StoreRecord,
    Strategy,
    WorkStatus,
)
from rag.types import Attributes, Change

_LOOK_EVERY_S = (0.02, 0.25)
_ATTRIBUTE_TRIES = 5
_ENDED = ("completed", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class LibraryParts:
    """What the library works with."""

    database: Database
    blobs: BlobFolder
    store: VectorStore
    engine: JobEngine
    encoders: StoreEncoders
    passages: PassageEncoder
    chunking: ChunkingStrategy
    """Of stores that say nothing of it."""


class SqlLibrary:
    """Args:
    on_garbage: Called when something was replaced or deleted whose rows can go.
    """

    def __init__(self, parts: LibraryParts, on_garbage: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._database = parts.database
        self._blobs = parts.blobs
        self.on_garbage = on_garbage

    # --- files -------------------------------------------------------------------------------

    def add_file(self, upload: Received, purpose: str, expires_after_s: int | None = None) -> FileRecord:
        blob_id = self._blobs.take(upload.path)
        expires_at = None if expires_after_s is None else time.time() + expires_after_s
        with self._database.write() as connection:
            files.add_blob(connection, blob_id, "original", upload.bytes)
            return files.insert(
                connection, files.new_id(), upload, blob_id, purpose=purpose, expires_at=expires_at
            )

    def files(self, cursor: Cursor, purpose: str | None = None) -> Page[FileRecord]:
        with self._database.read() as connection:
            return files.page(connection, cursor, purpose)

    def file(self, file_id: str) -> FileRecord:
        with self._database.read() as connection:
            return files.record(files.row(connection, file_id))

    def content(self, file_id: str) -> Path:
        with self._database.read() as connection:
            path = self._blobs.path(files.row(connection, file_id).blob_id)
        if not path.exists():
            raise FileNotFound(f"the bytes of {file_id} are gone from the data folder", param="file_id")
        return path

    def delete_file(self, file_id: str) -> None:
        while not self._try_delete_file(file_id):
            continue
        self.on_garbage()

    def _try_delete_file(self, file_id: str) -> bool:
        """False when the file came into another store before everything was locked."""
        with self._database.write() as connection:
            files.row(connection, file_id)
            locked = sorted({row.store_id for row in documents.of_file(connection, file_id)})
            for store_id in locked:
                stores.lock(connection, store_id)
            files.lock(connection, file_id)
            found = documents.of_file(connection, file_id)
            if any(row.store_id not in locked for row in found):
                return False
            for document in found:
                versions.remove_document(connection, document)
            files.delete(connection, file_id)
        return True

    # --- vector stores -----------------------------------------------------------------------

    def ensure_default(self) -> None:
        """Make the vector store `default` if it is not there; move it to the configured model while it is empty."""
        with self._database.write() as connection:
            with suppress(NotFound):
                stores.resolve(connection, DEFAULT_STORE)
                self._refill_if_empty(connection)
                return
            self._insert_store(connection, NewStore(name=DEFAULT_STORE), DEFAULT_STORE)
        self.make_collections()

    def _refill_if_empty(self, connection: sa.Connection) -> None:
        index = stores.active_index(connection, DEFAULT_STORE)
        configured = self._parts.encoders.configured
        is_empty = not documents.of_store(connection, DEFAULT_STORE)
        if index.embedder != configured.model_name and is_empty:
            stores.set_index_state(connection, index.index_id, "dropping")
            stores.add_index(connection, DEFAULT_STORE, configured.model_name, configured.dimensions, "active")

    def make_collections(self) -> None:
        """Bring Milvus to what the catalog says: a crash may have come between the two."""
        with self._database.read() as connection:
            active = stores.all_indexes(connection, "active")
        for index in active:
            self._parts.store.create(index.index_id, index.dimensions, index.embedder)
            self._parts.store.point_alias(index.store_id, index.index_id)

    def check_default(self) -> None:
        """Raises EmbeddingMismatch when the vector store `default` was filled by another model than the configured."""
        with self._database.read() as connection:
            index = stores.active_index(connection, DEFAULT_STORE)
        self._parts.encoders.check(DEFAULT_STORE, index.embedder)

    def create_store(self, new: NewStore) -> StoreRecord:
        with self._database.write() as connection:
            store_id, index = self._insert_store(connection, new)
        self._parts.store.create(index.index_id, index.dimensions, index.embedder)
        self._parts.store.point_alias(store_id, index.index_id)
        return self.store(store_id)

    def _insert_store(self, connection: sa.Connection, new: NewStore, store_id: str | None = None) -> Any:
        configured = self._parts.encoders.configured
        made = stores.insert(connection, new, store_id=store_id)
        return made, stores.add_index(connection, made, configured.model_name, configured.dimensions, "active")

    def stores(self, cursor: Cursor) -> Page[StoreRecord]:
        with self._database.read() as connection:
            page = stores.page(connection, cursor)
            return Page([_store_record(connection, row) for row in page.rows], page.has_more)

    def store(self, store: str) -> StoreRecord:
        with self._database.read() as connection:
            return _store_record(connection, stores.resolve(connection, store))

    def update_store(self, store: str, changes: NewStore) -> StoreRecord:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.update(connection, store_id, changes)
            return _store_record(connection, stores.resolve(connection, store_id))

    def delete_store(self, store: str) -> str:
        with self._database.write() as connection:
            store_id: str = stores.resolve(connection, store).id
            if store_id == DEFAULT_STORE:
                raise Conflict("the vector store 'default' cannot be deleted; delete its files", param="vector_store")
            stores.lock(connection, store_id)
            for job in jobs.unfinished(connection, store_id):
                jobs.end(connection, job.id, "cancelled")
            for document in documents.of_store(connection, store_id):
                versions.remove_document(connection, document)
            stores.delete(connection, store_id)
        self._parts.store.drop_alias(store_id)
        self.on_garbage()
        return store_id

    # --- documents ---------------------------------------------------------------------------

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
            if (known := _known(connection, idempotency_key, said)) is None:
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

    def attach(
        self, store: str, attachments: Sequence[Attachment], *, idempotency_key: str | None = None
    ) -> JobRecord:
        store_id, default = self._open_store(store)
        chosen = [(item, self._strategy(item.chunking, default)) for item in attachments]
        said = [store_id, [[item.file_id, dict(item.attributes), strategy] for item, strategy in chosen]]
        with self._database.write() as connection:
            stores.lock(connection, store_id)
            if (known := _known(connection, idempotency_key, said)) is None:
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

    def _insert_job(
        self,
        connection: sa.Connection,
        store_id: str,
        changes: Sequence[tuple[int, Change]],
        key: str | None,
        said: Any,
    ) -> str:
        job_id = jobs.insert(
            connection, "ingest", store_id, idempotency_key=key, fingerprint=_fingerprint(said) if key else ""
        )
        jobs.add_files(connection, job_id, changes)
        if not jobs.has_pending(connection, job_id):
            jobs.end(connection, job_id, "completed")  # nothing would change
        return job_id

    def _submitted(self, job_id: str) -> JobRecord:
        record = self.job(job_id)
        if record.state not in _ENDED:
            self._parts.engine.submit(record.kind, job_id)
        return record

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
        return to_json(parse(None if chunking is None else dict(chunking), default))

    def documents(self, store: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        with self._database.read() as connection:
            return documents.page(connection, stores.resolve(connection, store).id, cursor, status)

    def document(self, store: str, file_id: str) -> DocumentRecord:
        with self._database.read() as connection:
            return documents.record(connection, stores.resolve(connection, store).id, file_id)

    def document_text(self, store: str, file_id: str) -> str:
        with self._database.read() as connection:
            row = documents.find(connection, stores.resolve(connection, store).id, file_id)
            version = versions.newest_readable(connection, row.id)
        if version is None:
            raise Conflict(f"no text has been read from {row.filename} yet", param="file_id")
        return extract_json.from_json(self._blobs.read(version.extract_id)).text

    def set_attributes(
        self,
        store: str,
        file_id: str,
        attributes: Attributes,
        *,
        merge: bool = False,
        removed: Collection[str] = (),
    ) -> DocumentRecord:
        for tries_left in reversed(range(_ATTRIBUTE_TRIES)):
            try:
                return self._set_attributes(store, file_id, attributes, merge, removed)
            except Conflict:  # the document changed between our two transactions
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _set_attributes(
        self, store: str, file_id: str, attributes: Attributes, merge: bool, removed: Collection[str]
    ) -> DocumentRecord:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.lock(connection, store_id)
            row = documents.find(connection, store_id, file_id)
            if merge:
                attributes = _merged(documents.record(connection, store_id, file_id).attributes, attributes, removed)
            change = versions.change_attributes(connection, row, attributes)
            index = stores.active_index(connection, store_id)
        if change is not None:
            self._publish_copy(index, *change, attributes)
        return self.document(store_id, file_id)

    def _publish_copy(self, index: Index, source: Any, seq: int, attributes: Attributes) -> None:
        """Write the rows of a version once more with other attributes, and let questions see those."""
        try:
            copied = self._parts.store.copy(
                index.index_id,
                version_id(source.seq),
                version_id(seq),
                file_id=source.file_id,
                attributes=attributes,
            )
            with self._database.write() as connection:
                if copied == source.chunks:  # else the source went meanwhile, and its rows under our hands
                    versions.is_whole_in(connection, index.index_id, seq)
                if versions.publish(connection, index.store_id, [seq]):
                    raise Conflict("the document or its vector store was changed at the same time; try again")
        except RagError:
            with self._database.write() as connection:
                versions.cancel(connection, [seq])
            raise
        finally:
            with self._database.write() as connection:
                versions.was_copied(connection, seq)
            self.on_garbage()

    def delete_document(self, store: str, file_id: str) -> None:
        with self._database.write() as connection:
            store_id = stores.resolve(connection, store).id
            stores.lock(connection, store_id)
            versions.remove_document(connection, documents.find(connection, store_id, file_id))
        self.on_garbage()

    # --- jobs --------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRecord:
        with self._database.read() as connection:
            return jobs.record(connection, job_id)

    def jobs(self, cursor: Cursor, *, store: str | None = None, active: bool = False) -> Page[JobRecord]:
        with self._database.read() as connection:
            store_id = None if store is None else stores.resolve(connection, store).id
            return jobs.page(connection, cursor, store_id, active)

    def job_files(self, job_id: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        with self._database.read() as connection:
            return jobs.files_page(connection, job_id, cursor, status)

    def cancel_job(self, job_id: str) -> JobRecord:
        with self._database.write() as connection:
            row = jobs.row(connection, job_id)
            if row.state not in _ENDED:
                stores.lock(connection, row.store_id)
                versions.cancel(connection, jobs.unshared_pending(connection, job_id))
                if row.kind == "reindex":
                    give_up(connection, job_id)
                jobs.end(connection, job_id, "cancelled")
        self.on_garbage()
        return self.job(job_id)

    def retry_job(self, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
        with self._database.write() as connection:
            row = jobs.row(connection, job_id)
            stores.lock(connection, row.store_id)
            broken = [
                version
                for version in jobs.broken_versions(connection, job_id)
                if not file_ids or version.file_id in file_ids
            ]
            missing = set(file_ids) - {version.file_id for version in broken}
            if missing:
                raise FileNotFound(f"the job has no failed or cancelled file {min(missing)[:80]!r}", param="file_ids")
            if not broken:
                raise Conflict("the job has no failed or cancelled files that could be tried again", param="job_id")
            changes = [versions.accept(connection, _tried_again(version)) for version in broken]
            new_id = self._insert_job(connection, row.store_id, changes, None, None)
        return self._submitted(new_id)

    def wait(self, job_id: str, timeout_s: float) -> JobRecord:
        until = time.monotonic() + timeout_s
        pause_s, longest_s = _LOOK_EVERY_S
        while (record := self.job(job_id)).state not in _ENDED and time.monotonic() < until:
            time.sleep(min(pause_s, max(0.0, until - time.monotonic())))
            pause_s = min(longest_s, pause_s * 1.5)
        return record

    def resubmit(self, job_id: str) -> None:
        """Have a job done that no process works on."""
        with suppress(NotFound):
            self._submitted(job_id)

    def resume(self) -> None:
        """At the start: take up what was accepted and not finished, and give up what cannot be finished."""
        with self._database.write() as connection:
            if self._database.is_sqlite:
                jobs.forget_the_living(connection)
            versions.cancel(connection, versions.abandoned_copies(connection))
            unfinished = [(row.kind, row.id) for row in jobs.unfinished(connection)]
            known = files.known_blobs(connection)
        self._blobs.sweep(known)
        if not self._database.is_sqlite:
            return  # other replicas may be at work on them; the janitor takes up those that nobody works on
        for kind, job_id in unfinished:
            self._parts.engine.submit(kind, job_id)

    # --- embedding model ---------------------------------------------------------------------

    def reindex(self, store: str, embedder: str) -> JobRecord:
        model = self._parts.passages.embedder(embedder, lambda: None)
        with self._database.write() as connection:
            store_id, active = self._movable(connection, store)
            if active.embedder == model.model_name:
                raise Conflict(f"the vector store is on {model.model_name!r} already", param="embedder")
            index = stores.add_index(connection, store_id, model.model_name, model.dimensions, "building")
            details = {"from": active.embedder, "to": index.embedder, "index": index.index_id}
            job_id = jobs.insert(connection, "reindex", store_id, details=details)
        return self._submitted(job_id)

    def roll_back(self, store: str) -> JobRecord:
        with self._database.write() as connection:
            store_id, active = self._movable(connection, store)
            index = self._previous(connection, store_id)
            details = {"from": active.embedder, "to": index.embedder, "index": index.index_id}
            job_id = jobs.insert(connection, "reindex", store_id, details=details)
        return self._submitted(job_id)

    def forget_previous(self, store: str) -> Mapping[str, str]:
        with self._database.write() as connection:
            store_id, _ = self._movable(connection, store)
            index = self._previous(connection, store_id)
            stores.set_index_state(connection, index.index_id, "dropping")
        self.on_garbage()
        return {"index": index.index_id, "embedder": index.embedder}

    def _previous(self, connection: sa.Connection, store_id: str) -> Index:
        index = stores.index_in(connection, store_id, "previous")
        if index is None:
            raise Conflict("the vector store has no index from before", param="vector_store")
        return index

    def _movable(self, connection: sa.Connection, store: str) -> tuple[str, Index]:
        store_id: str = stores.resolve(connection, store).id
        stores.lock(connection, store_id)
        if jobs.unfinished(connection, store_id, "reindex"):
            raise Conflict("the vector store is on its way to another embedding model already", param="vector_store")
        return store_id, stores.active_index(connection, store_id)


def _store_record(connection: sa.Connection, row: Any) -> StoreRecord:
    counts, size = documents.counts(connection, row.id)
    expires = stores.expires_at(row)
    status: Any = "in_progress" if counts.in_progress else "completed"
    if expires is not None and expires < time.time():
        status = "expired"
    return StoreRecord(
        store_id=row.id,
        name=row.name,
        created_at=row.created_at,
        last_active_at=row.last_active_at,
        usage_bytes=size,
        file_counts=counts,
        embedder=stores.active_index(connection, row.id).embedder,
        description=row.description or "",
        metadata=row.metadata,
        chunking=row.chunking,
        expires_after_days=row.expires_after_days,
        expires_at=expires,
        status=status,
    )


def _attached(store_id: str, row: Any, item: Attachment, strategy: Strategy) -> NewVersion:
    return NewVersion(
        store_id,
        row.filename,
        row.id,
        row.blob_id,
        row.content_hash,
        row.bytes,
        strategy,
        item.attributes,
        "files",
    )


def _tried_again(version: Any) -> NewVersion:
    return NewVersion(
        version.store_id,
        version.filename,
        version.file_id,
        version.blob_id,
        version.content_hash,
        version.bytes,
        version.chunking,
        version.attributes,
        version.origin,
    )


def _merged(old: Attributes, new: Attributes, removed: Collection[str]) -> Attributes:
    merged = {key: value for key, value in old.items() if key not in removed} | dict(new)
    if len(merged) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"attributes: there are {MAX_ATTRIBUTES} at most", param="attributes")
    return merged


def _known(connection: sa.Connection, key: str | None, said: Any) -> str | None:
    return None if key is None else jobs.with_key(connection, key, _fingerprint(said))


def _fingerprint(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _refuse_repeats(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidRequest(f"{name} is in the request more than once", param="files")
        seen.add(name)
