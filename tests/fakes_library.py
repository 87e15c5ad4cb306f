"""A library in dictionaries. Work is done at once, or, with `manual=True`, when the test calls `finish`."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from rag.errors import Conflict, FileNotFound, InvalidRequest, NotFound, VectorStoreNotFound
from rag.records import (
    Attachment,
    Cursor,
    DocumentRecord,
    FileCounts,
    FileRecord,
    JobKind,
    JobRecord,
    NewStore,
    Page,
    Received,
    StoreRecord,
    Strategy,
    WorkStatus,
)
from rag.types import Attributes

Row = TypeVar("Row", FileRecord, StoreRecord, DocumentRecord, JobRecord)


@dataclass
class _Job:
    record: JobRecord
    request: object
    file_ids: list[str] = field(default_factory=list)


class FakeLibrary:
    """Keeps one version of each document. A file whose text begins with `BROKEN` fails."""

    def __init__(self, folder: Path, *, manual: bool = False) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.manual = manual
        self._numbers = itertools.count(1)
        self._files: dict[str, FileRecord] = {}
        self._stores: dict[str, StoreRecord] = {}
        self._documents: dict[tuple[str, str], DocumentRecord] = {}
        self._jobs: dict[str, _Job] = {}
        self._keys: dict[str, str] = {}
        self.create_store(NewStore(name="default"))

    def finish(self, job_id: str) -> None:
        """Do the job's work now."""
        job = self._jobs[job_id]
        for file_id in job.file_ids:
            key = (job.record.store_id, file_id)
            if self._documents[key].status == "in_progress":
                self._documents[key] = self._worked(self._documents[key])
        self._jobs[job_id].record = replace(self.job(job_id), state="completed", finished_at=time.time())

    def _worked(self, document: DocumentRecord) -> DocumentRecord:
        text = self.content(document.file_id).read_bytes()
        if text.startswith(b"BROKEN"):
            error: Any = {"error_code": "broken_file", "error_message": f"{document.filename} is damaged"}
            return replace(document, status="failed", **error)
        return replace(document, status="completed", chunks=1, chunks_done=1, usage_bytes=len(text), searchable=True)

    # --- files -------------------------------------------------------------------------------

    def add_file(self, upload: Received, purpose: str, expires_after_s: int | None = None) -> FileRecord:
        file_id, now = self._id("file"), time.time()
        assert hashlib.sha256(upload.path.read_bytes()).hexdigest() == upload.content_hash
        upload.path.rename(self._folder / file_id)
        expires = None if expires_after_s is None else now + expires_after_s
        size = (self._folder / file_id).stat().st_size
        file = FileRecord(file_id, upload.filename, purpose, size, upload.content_hash, now, expires)
        self._files[file_id] = file
        return file

    def files(self, cursor: Cursor, purpose: str | None = None) -> Page[FileRecord]:
        return _page([f for f in self._files.values() if purpose in (None, f.purpose)], cursor, "file_id")

    def file(self, file_id: str) -> FileRecord:
        if file_id not in self._files:
            raise FileNotFound(f"there is no file {file_id}", param="file_id")
        return self._files[file_id]

    def content(self, file_id: str) -> Path:
        return self._folder / self.file(file_id).file_id

    def delete_file(self, file_id: str) -> None:
        self.content(file_id).unlink()
        del self._files[file_id]
        self._documents = {key: row for key, row in self._documents.items() if key[1] != file_id}

    # --- vector stores -----------------------------------------------------------------------

    def create_store(self, new: NewStore) -> StoreRecord:
        store_id, now = self._id("vs"), time.time()
        store = StoreRecord(store_id, "", now, now, 0, FileCounts(), embedder="fake")
        self._stores[store_id] = store
        return self.update_store(store_id, new)

    def stores(self, cursor: Cursor) -> Page[StoreRecord]:
        page = _page(list(self._stores.values()), cursor, "store_id")
        return Page([self.store(store.store_id) for store in page.rows], page.has_more)

    def store(self, store: str) -> StoreRecord:
        found = next((s for s in self._stores.values() if store in (s.store_id, s.name)), None)
        if found is None:
            raise VectorStoreNotFound(f"there is no vector store {store}", param="vector_store_id")
        documents = self._of(found.store_id)
        return replace(
            found, file_counts=_counts(documents), usage_bytes=sum(document.usage_bytes for document in documents)
        )

    def update_store(self, store: str, changes: NewStore) -> StoreRecord:
        known = self.store(store)
        names = ("name", "description", "metadata", "chunking", "expires_after_days")
        said = {name: getattr(changes, name) for name in names if getattr(changes, name) is not None}
        days = None if changes.forget_expiry else said.pop("expires_after_days", known.expires_after_days)
        expires = None if days is None else known.last_active_at + 86_400 * days
        self._stores[known.store_id] = replace(known, **{**said, "expires_after_days": days, "expires_at": expires})
        return self.store(known.store_id)

    def delete_store(self, store: str) -> str:
        known = self.store(store)
        if known.name == "default":
            raise Conflict("default stays")
        del self._stores[known.store_id]
        return known.store_id

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
        asked = (store, [(u.filename, u.content_hash) for u in uploads], dict(attributes), chunking)
        if (known := self._known(idempotency_key, asked)) is not None:
            return known
        store_id = self.store(store).store_id
        files = [self.add_file(upload, "assistants") for upload in uploads]
        attachments = [Attachment(file.file_id, attributes, chunking) for file in files]
        return self._begin(store_id, attachments, asked, idempotency_key)

    def attach(self, store: str, attachments: Sequence[Attachment], *, idempotency_key: str | None = None) -> JobRecord:
        store_id = self.store(store).store_id
        for attachment in attachments:
            self.file(attachment.file_id)
        if (known := self._known(idempotency_key, (store_id, list(attachments)))) is not None:
            return known
        return self._begin(store_id, attachments, (store_id, list(attachments)), idempotency_key)

    def documents(self, store: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        rows = [row for row in self._of(self.store(store).store_id) if status in (None, row.status)]
        return _page(rows, cursor, "file_id")

    def document(self, store: str, file_id: str) -> DocumentRecord:
        key = (self.store(store).store_id, file_id)
        if key not in self._documents:
            raise FileNotFound(f"the vector store has no file {file_id}", param="file_id")
        return self._documents[key]

    def document_text(self, store: str, file_id: str) -> str:
        if self.document(store, file_id).status != "completed":
            raise Conflict("there is no text yet")
        return self.content(file_id).read_text()

    def set_attributes(
        self,
        store: str,
        file_id: str,
        attributes: Attributes,
        *,
        merge: bool = False,
        removed: Collection[str] = (),
    ) -> DocumentRecord:
        old = self.document(store, file_id)
        kept = {key: value for key, value in old.attributes.items() if merge and key not in removed}
        document = replace(old, attributes={**kept, **attributes})
        self._documents[document.store_id, file_id] = document
        return document

    def delete_document(self, store: str, file_id: str) -> None:
        del self._documents[self.document(store, file_id).store_id, file_id]

    # --- jobs --------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRecord:
        if job_id not in self._jobs:
            raise NotFound(f"there is no job {job_id}", param="job_id")
        job = self._jobs[job_id]
        counts = _counts([row for row in self._of(job.record.store_id) if row.file_id in job.file_ids])
        return replace(job.record, file_counts=counts)

    def jobs(self, cursor: Cursor, *, store: str | None = None, active: bool = False) -> Page[JobRecord]:
        rows = [self.job(job_id) for job_id in self._jobs]
        rows = [row for row in rows if store in (None, row.store_id) and (not active or row.state == "running")]
        return _page(rows, cursor, "job_id")

    def job_files(self, job_id: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        rows, wanted = self._of(self.job(job_id).store_id), self._jobs[job_id].file_ids
        return _page([row for row in rows if row.file_id in wanted and status in (None, row.status)], cursor, "file_id")

    def cancel_job(self, job_id: str) -> JobRecord:
        for row in self.job_files(job_id, Cursor(limit=1000), "in_progress").rows:
            self._documents[row.store_id, row.file_id] = replace(row, status="cancelled")
        self._jobs[job_id].record = replace(self.job(job_id), state="cancelled", finished_at=time.time())
        return self.job(job_id)

    def retry_job(self, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
        rows = self.job_files(job_id, Cursor(limit=1000)).rows
        again = [r for r in rows if r.status in ("failed", "cancelled") and (not file_ids or r.file_id in file_ids)]
        if not again:
            raise Conflict("the job has no failed files")
        store_id = self.job(job_id).store_id
        return self._begin(store_id, [Attachment(r.file_id, r.attributes, r.chunking) for r in again], None, None)

    def wait(self, job_id: str, timeout_s: float) -> JobRecord:
        deadline = time.monotonic() + timeout_s
        while self.job(job_id).state == "running" and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.job(job_id)

    # --- embedding model ---------------------------------------------------------------------

    def reindex(self, store: str, embedder: str) -> JobRecord:
        known = self.store(store)
        if known.embedder == embedder:
            raise Conflict(f"its vectors are of {embedder} already")
        self._stores[known.store_id] = replace(known, embedder=embedder)
        return self._job(known.store_id, "reindex", None, {"from": known.embedder, "to": embedder})

    def roll_back(self, store: str) -> JobRecord:
        return self.reindex(store, "fake")

    def forget_previous(self, store: str) -> Mapping[str, str]:
        return {"embedder": self.store(store).embedder}

    # --- inside ------------------------------------------------------------------------------

    def _begin(self, store_id: str, files: Sequence[Attachment], asked: object, key: str | None) -> JobRecord:
        job = self._job(store_id, "ingest", asked, {})
        for attachment in files:
            file = self.file(attachment.file_id)
            extra: Any = {"bytes": file.bytes, "content_hash": file.content_hash, "change": "added"}
            document = DocumentRecord(f"doc-{file.filename}", store_id, file.file_id, file.filename, "in_progress",
                                      time.time(), attachment.attributes, attachment.chunking, **extra)  # fmt: skip
            self._documents[store_id, file.file_id] = document
            self._jobs[job.job_id].file_ids.append(file.file_id)
        if key is not None:
            self._keys[key] = job.job_id
        if not self.manual:
            self.finish(job.job_id)
        return self.job(job.job_id)

    def _job(self, store_id: str, kind: JobKind, asked: object, details: Mapping[str, Any]) -> JobRecord:
        now = time.time()
        job = JobRecord(self._id("job"), kind, store_id, "running", now, FileCounts(), now, details=details)
        self._jobs[job.job_id] = _Job(job, asked)
        return job

    def _known(self, key: str | None, asked: object) -> JobRecord | None:
        if key is None or key not in self._keys:
            return None
        if self._jobs[self._keys[key]].request != asked:
            raise Conflict("the key was used for something else", param="Idempotency-Key")
        return self.job(self._keys[key])

    def _of(self, store_id: str) -> list[DocumentRecord]:
        return [row for (owner, _), row in self._documents.items() if owner == store_id]

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers):04d}"


def _counts(rows: Iterable[DocumentRecord]) -> FileCounts:
    states = [row.status for row in rows]
    return FileCounts(*(states.count(state) for state in ("in_progress", "completed", "failed", "cancelled")))


def _page(rows: Sequence[Row], cursor: Cursor, id_name: str) -> Page[Row]:
    ordered = list(rows) if cursor.order == "asc" else list(rows)[::-1]
    ids = [getattr(row, id_name) for row in ordered]
    for name in ("after", "before"):
        if (bound := getattr(cursor, name)) is not None and bound not in ids:
            raise InvalidRequest(f"{name}: the list has no {bound!r}", param=name)
    if cursor.after is not None:
        ordered = ordered[ids.index(cursor.after) + 1 :]
    elif cursor.before is not None:
        ordered = ordered[: ids.index(cursor.before)][-cursor.limit :]
    return Page(ordered[: cursor.limit], len(ordered) > cursor.limit)
