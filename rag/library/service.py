"""The library: documents, files, vector stores and jobs, as the HTTP layer uses them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rag.library.documents import documents, files, ingestion, jobs, reindexing, stores
from rag.library.job_metrics import update_job_metrics
from rag.library.resources import LibraryResources
from rag.records import (
    Attachment,
    Cursor,
    DocumentRecord,
    DocumentSort,
    FileRecord,
    JobRecord,
    NewStore,
    Page,
    StoreRecord,
    Strategy,
    UploadedFile,
    WorkStatus,
)
from rag.types import Attributes, Chunk, Extract


class Library:
    """Documents, files, vector stores and jobs. Methods block: callers run them in threads.

    A `store` argument is a vector store's id, or its name if only one store has it.

    Raises, besides what each method documents: VectorStoreNotFound, FileNotFound, NotFound (a job), InvalidRequest.
    """

    def __init__(self, resources: LibraryResources) -> None:
        self._resources = resources

    # --- files -------------------------------------------------------------------------------

    def add_file(
        self,
        upload: UploadedFile,
        purpose: str,
        expires_after_s: int | None = None,
        read_groups: Sequence[str] = (),
    ) -> FileRecord:
        """Store an upload as a new file, even if there are files of the same name. Moves the upload's file."""
        return files.add(self._resources, upload, purpose, expires_after_s, read_groups)

    def files(self, cursor: Cursor, purpose: str | None = None) -> Page[FileRecord]:
        return files.page(self._resources, cursor, purpose)

    def file(self, file_id: str) -> FileRecord:
        return files.get(self._resources, file_id)

    def content(self, file_id: str) -> Path:
        """The path of its newest original bytes."""
        return files.content(self._resources, file_id)

    def delete_file(self, file_id: str) -> None:
        """Delete a file, and its documents in all vector stores. No query finds them after the call returns."""
        files.delete(self._resources, file_id)

    # --- vector stores -----------------------------------------------------------------------

    def create_store(self, new: NewStore) -> StoreRecord:
        return stores.create(self._resources, new)

    def stores(self, cursor: Cursor) -> Page[StoreRecord]:
        return stores.page(self._resources, cursor)

    def store(self, store: str) -> StoreRecord:
        return stores.get(self._resources, store)

    def update_store(self, store: str, changes: NewStore) -> StoreRecord:
        return stores.update(self._resources, store, changes)

    def delete_store(self, store: str) -> str:
        """Delete a vector store, but not its files. Returns its id. Raises Conflict for `default`."""
        return stores.delete(self._resources, store)

    def update_job_metrics(self) -> None:
        """Set the metrics of jobs to the current state of the catalog."""
        update_job_metrics(self._resources)

    def ensure_tenant(self, tenant: str) -> None:
        """Create the vector store `default` of a tenant if it is missing."""
        stores.ensure_tenant(self._resources, tenant)

    def check_default(self) -> None:
        """Raise EmbeddingMismatch if the vector store `default` was filled by a model that is not configured."""
        stores.check_default(self._resources)

    # --- documents ---------------------------------------------------------------------------

    def ingest(
        self,
        store: str,
        uploads: Sequence[UploadedFile],
        attributes: Attributes,
        *,
        chunking: Strategy | None = None,
        idempotency_key: str | None = None,
        origin: str = "ingest",
        read_groups: Sequence[str] | None = None,
    ) -> JobRecord:
        """Accept uploads into a store. Each replaces the document of the same name. Moves the uploads' files.

        Args:
            read_groups: Of all these documents; None: a replaced document keeps its own, a new one has none.

        Raises:
            Conflict: the key was used for another request, or the caller may not read a document that is replaced.
            InvalidRequest: two uploads have the same name, or the caller could not read the documents.
        """
        return ingestion.ingest(
            self._resources,
            store,
            uploads,
            attributes,
            chunking=chunking,
            idempotency_key=idempotency_key,
            origin=origin,
            read_groups=read_groups,
        )

    def attach(self, store: str, attachments: Sequence[Attachment], *, idempotency_key: str | None = None) -> JobRecord:
        """Accept files into a store. Each replaces the document of the same name. Raises as `ingest`."""
        return ingestion.attach(self._resources, store, attachments, idempotency_key=idempotency_key)

    def documents(
        self,
        store: str,
        cursor: Cursor,
        status: WorkStatus | None = None,
        *,
        name: str = "",
        sort: DocumentSort = "created_at",
    ) -> Page[DocumentRecord]:
        """The documents of a store.

        Args:
            name: What their names must contain, in upper or lower case.
            sort: What the cursor's order refers to.
        """
        return documents.page(self._resources, store, cursor, status, name=name, sort=sort)

    def document(self, store: str, file_id: str) -> DocumentRecord:
        return documents.get(self._resources, store, file_id)

    def extract(self, store: str, file_id: str) -> Extract:
        """The text that was read from a file, and its structure. Raises Conflict if there is none yet."""
        return documents.extract(self._resources, store, file_id)

    def versions(self, store: str, file_id: str, *, limit: int, before: int | None = None) -> Page[DocumentRecord]:
        """The versions of a document, newest first, each with the time at which it was accepted. `searchable` says
        whether searches find this version.

        Args:
            before: Only versions with a lower number.
        """
        return documents.versions_of(self._resources, store, file_id, limit=limit, before=before)

    def passages(self, store: str, file_id: str, *, limit: int, after: str | None = None) -> Page[Chunk]:
        """The passages that a document was cut into, in their order.

        Args:
            after: ID of the passage before the page.

        Raises:
            Conflict: the document is not searchable yet.
        """
        return documents.passages(self._resources, store, file_id, limit=limit, after=after)

    def set_attributes(
        self,
        store: str,
        file_id: str,
        attributes: Attributes,
        *,
        merge: bool = False,
        removed: Collection[str] = (),
        read_groups: Sequence[str] | None = None,
    ) -> DocumentRecord:
        """Replace a document's attributes without embedding it again. Queries see them after the call returns.

        Args:
            merge: Keep the attributes that are neither given nor `removed`.
            read_groups: None: they stay as they are.

        Raises:
            InvalidRequest: the caller could not read the document any more.
        """
        return documents.set_attributes(
            self._resources, store, file_id, attributes, merge=merge, removed=removed, read_groups=read_groups
        )

    def delete_document(self, store: str, file_id: str) -> None:
        """Remove a document from its store; the file stays. No query finds it after the call returns."""
        documents.delete(self._resources, store, file_id)

    # --- jobs --------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRecord:
        return jobs.get(self._resources, job_id)

    def jobs(self, cursor: Cursor, *, store: str | None = None, active: bool = False) -> Page[JobRecord]:
        return jobs.page(self._resources, cursor, store, active)

    def job_files(self, job_id: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]:
        return jobs.files_page(self._resources, job_id, cursor, status)

    def cancel_job(self, job_id: str) -> JobRecord:
        """Cancel a job. Its finished files stay; the others are as they were before the job."""
        return jobs.cancel(self._resources, job_id)

    def retry_job(self, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
        """Start a new job for its failed and cancelled files (all, or those given). Conflict if there are none."""
        return jobs.retry(self._resources, job_id, file_ids)

    def wait(self, job_id: str, timeout_s: float) -> JobRecord:
        """The job when it has ended, or as it is after `timeout_s` seconds."""
        return jobs.wait(self._resources, job_id, timeout_s)

    # --- embedding model ---------------------------------------------------------------------

    def reindex(self, store: str, embedder: str | None) -> JobRecord:
        """Start to move a store to another embedding model. None: rebuild its index with the present one.

        Raises:
            Conflict: the store is already being reindexed, or uses that model already.
        """
        return reindexing.reindex(self._resources, store, embedder)

    def roll_back(self, store: str) -> JobRecord:
        """Start to move a store back to its previous index. Raises Conflict if there is none."""
        return reindexing.roll_back(self._resources, store)

    def forget_previous(self, store: str) -> Mapping[str, str]:
        """Drop a store's previous index. Returns its id and model. Raises Conflict if there is none."""
        return reindexing.drop_previous(self._resources, store)
