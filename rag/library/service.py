"""The library's face: every call that the HTTP layer makes. Methods block; callers run them in threads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rag.records import (
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
from rag.types import Attributes


class Library(Protocol):
    """A `store` argument is a vector store's id, or its name where only one store has it.

    Raises, besides what a method says: VectorStoreNotFound, FileNotFound, NotFound (a job), InvalidRequest.
    """

    # --- files -------------------------------------------------------------------------------

    def add_file(self, upload: Received, purpose: str, expires_after_s: int | None = None) -> FileRecord:
        """Keep an upload as a new file, whatever files of that name there are. The upload's path is taken over."""
        ...

    def files(self, cursor: Cursor, purpose: str | None = None) -> Page[FileRecord]: ...

    def file(self, file_id: str) -> FileRecord: ...

    def content(self, file_id: str) -> Path:
        """Where its newest original bytes are."""
        ...

    def delete_file(self, file_id: str) -> None:
        """Remove it, and its documents from all vector stores: not found by any question once the call returns."""
        ...

    # --- vector stores -----------------------------------------------------------------------

    def create_store(self, new: NewStore) -> StoreRecord: ...

    def stores(self, cursor: Cursor) -> Page[StoreRecord]: ...

    def store(self, store: str) -> StoreRecord: ...

    def update_store(self, store: str, changes: NewStore) -> StoreRecord: ...

    def delete_store(self, store: str) -> str:
        """Its id. Files stay. Raises Conflict for `default`."""
        ...

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
        """Accept uploads, each in place of what its name held in that store. Takes over the uploads' paths.

        Raises:
            Conflict: the key was used for something else.
            InvalidRequest: one name twice.
        """
        ...

    def attach(self, store: str, attachments: Sequence[Attachment], *, idempotency_key: str | None = None) -> JobRecord:
        """Accept files for a store, each in place of the document of the same name there."""
        ...

    def documents(self, store: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]: ...

    def document(self, store: str, file_id: str) -> DocumentRecord: ...

    def document_text(self, store: str, file_id: str) -> str:
        """The text that was extracted. Raises Conflict while there is none yet."""
        ...

    def set_attributes(
        self,
        store: str,
        file_id: str,
        attributes: Attributes,
        *,
        merge: bool = False,
        removed: Collection[str] = (),
    ) -> DocumentRecord:
        """Replace its attributes, without embedding again. Questions see the new ones once the call returns.

        Args:
            merge: Keep those that are neither named nor `removed`.
        """
        ...

    def delete_document(self, store: str, file_id: str) -> None:
        """Take it out of the store; the file stays. Not found by any question once the call returns."""
        ...

    # --- jobs --------------------------------------------------------------------------------

    def job(self, job_id: str) -> JobRecord: ...

    def jobs(self, cursor: Cursor, *, store: str | None = None, active: bool = False) -> Page[JobRecord]: ...

    def job_files(self, job_id: str, cursor: Cursor, status: WorkStatus | None = None) -> Page[DocumentRecord]: ...

    def cancel_job(self, job_id: str) -> JobRecord:
        """Stop it. Finished files stay, the others are as they were before the job."""
        ...

    def retry_job(self, job_id: str, file_ids: Sequence[str] = ()) -> JobRecord:
        """A new job for its failed and cancelled files (all, or those named). Conflict when there are none."""
        ...

    def wait(self, job_id: str, timeout_s: float) -> JobRecord:
        """The job once it has ended, or as it is when the time is over."""
        ...

    # --- embedding model ---------------------------------------------------------------------

    def reindex(self, store: str, embedder: str | None) -> JobRecord:
        """Begin a move to another embedding model; None: build the index of the present one anew.

        Conflict when one is under way, or it is that model already.
        """
        ...

    def roll_back(self, store: str) -> JobRecord:
        """Begin the way back to the index before. Conflict when there is none."""
        ...

    def forget_previous(self, store: str) -> Mapping[str, str]:
        """Drop the index before: what was dropped. Conflict when there is none."""
        ...
