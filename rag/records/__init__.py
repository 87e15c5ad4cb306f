"""The records of documents, files, vector stores, jobs and the like that callers see. Times are Unix seconds."""

from __future__ import annotations

from rag.records.batches import BatchFault, BatchRecord, BatchState, NewBatch
from rag.records.documents import (
    MAX_ATTRIBUTES,
    Attachment,
    DocumentRecord,
    DocumentSort,
    FileCounts,
    Strategy,
    WorkStatus,
)
from rag.records.files import FileRecord, NewUpload, UploadedFile, UploadPartRecord, UploadRecord
from rag.records.jobs import ENDED, JobKind, JobRecord, JobState
from rag.records.kept import (
    LEASE_S,
    ConversationRecord,
    LeasedResponse,
    NewCompletion,
    NewResponse,
    NewWork,
    ResponseEvent,
    WrittenPart,
)
from rag.records.pages import DAY_S, Cursor, Page, Record
from rag.records.stores import DEFAULT_STORE, NewStore, StoreRecord

__all__ = [
    "DAY_S",
    "DEFAULT_STORE",
    "ENDED",
    "LEASE_S",
    "MAX_ATTRIBUTES",
    "Attachment",
    "BatchFault",
    "BatchRecord",
    "BatchState",
    "ConversationRecord",
    "Cursor",
    "DocumentRecord",
    "DocumentSort",
    "FileCounts",
    "FileRecord",
    "JobKind",
    "JobRecord",
    "JobState",
    "LeasedResponse",
    "NewBatch",
    "NewCompletion",
    "NewResponse",
    "NewStore",
    "NewUpload",
    "NewWork",
    "Page",
    "Record",
    "ResponseEvent",
    "StoreRecord",
    "Strategy",
    "UploadPartRecord",
    "UploadRecord",
    "UploadedFile",
    "WorkStatus",
    "WrittenPart",
]
