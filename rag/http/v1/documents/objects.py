"""Records as OpenAI's objects. What OpenAI does not have comes as more keys, after its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from rag import errors
from rag.errors import RagError
from rag.http import chunking_wire
from rag.records import DocumentRecord, FileCounts, FileRecord, JobRecord, StoreRecord, WorkStatus
from rag.types import JsonObject

POLL_AFTER = {"openai-poll-after-ms": "500"}
"""Header of what is in progress: when OpenAI's clients ask again."""

_EXTRAS = (
    *("filename", "change", "bytes", "pages", "chunks", "chunks_done", "media_type", "title", "language"),
    *("version", "document_id", "searchable", "content_hash", "origin"),
)
_LAST_ERROR: dict[type[RagError], Literal["unsupported_file", "invalid_file"]] = {
    errors.UnsupportedFile: "unsupported_file",
    errors.NoTextFound: "invalid_file",
    errors.EncryptedFile: "invalid_file",
    errors.BrokenFile: "invalid_file",
    errors.ParsingLimit: "invalid_file",
    errors.FileTooLarge: "invalid_file",
    errors.InvalidRequest: "invalid_file",
}


def file_object(file: FileRecord) -> JsonObject:
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at),
        "expires_at": _seconds(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
        "content_hash": file.content_hash,
    }


def store_object(store: StoreRecord) -> JsonObject:
    days = store.expires_after_days
    return {
        "id": store.store_id,
        "object": "vector_store",
        "created_at": int(store.created_at),
        "name": store.name,
        "description": store.description,
        "usage_bytes": store.usage_bytes,
        "file_counts": counts_object(store.file_counts),
        "status": store.status,
        "expires_after": None if days is None else {"anchor": "last_active_at", "days": days},
        "expires_at": _seconds(store.expires_at),
        "last_active_at": int(store.last_active_at),
        "metadata": dict(store.metadata),
        "chunking_strategy": chunking_wire.to_wire(store.chunking),
        "embedder": store.embedder,
        "sparse_embedder": store.sparse_embedder or None,
        "retrieval": None if store.retrieval is None else dict(store.retrieval),
    }


def document_object(document: DocumentRecord) -> JsonObject:
    """A `vector_store.file`; its id is the file's, as OpenAI has it."""
    return {
        "id": document.file_id,
        "object": "vector_store.file",
        "created_at": int(document.created_at),
        "usage_bytes": document.usage_bytes,
        "vector_store_id": document.store_id,
        "status": document.status,
        "last_error": _last_error(document),
        "attributes": dict(document.attributes),
        "chunking_strategy": chunking_wire.to_wire(document.chunking),
        **_document_extras(document),
    }


def _document_extras(document: DocumentRecord) -> JsonObject:
    return {name: getattr(document, name) for name in _EXTRAS}


def _last_error(document: DocumentRecord) -> JsonObject | None:
    """OpenAI's code, of which there are three, and as `reason` ours."""
    if document.error_code is None:
        return None
    code = _LAST_ERROR.get(errors.error_class(document.error_code), "server_error")
    return {"code": code, "message": document.error_message or "", "reason": document.error_code}


def batch_object(job: JobRecord) -> JsonObject:
    """A job that takes files in, as a `vector_store.files_batch`."""
    return {
        "id": job.job_id,
        "object": "vector_store.files_batch",
        "created_at": int(job.created_at),
        "vector_store_id": job.store_id,
        "status": batch_status(job),
        "file_counts": counts_object(job.file_counts),
    }


def batch_status(job: JobRecord) -> WorkStatus:
    return "in_progress" if job.state == "queued" or job.state == "running" else job.state


def job_object(job: JobRecord) -> JsonObject:
    return {
        "id": job.job_id,
        "object": "job",
        "kind": job.kind,
        "vector_store_id": job.store_id,
        "status": job.state,
        "created_at": int(job.created_at),
        "started_at": _seconds(job.started_at),
        "finished_at": _seconds(job.finished_at),
        "file_counts": counts_object(job.file_counts),
        "progress": _progress(job),
        "error": job.error,
        "details": dict(job.details),
    }


def _progress(job: JobRecord) -> JsonObject:
    return {
        "step": job.step,
        "waiting_for": job.waiting_for,
        "stalled": job.stalled,
        "pages": job.pages_done,
        "chunks": job.chunks_done,
        "chunks_total": job.chunks_total,
        "chunks_per_s": job.chunks_per_s,
        "seconds_left": job.seconds_left,
    }


def counts_object(counts: FileCounts) -> JsonObject:
    return {**asdict(counts), "total": counts.total}


def deleted_object(name: str, kind: str) -> JsonObject:
    return {"id": name, "object": kind, "deleted": True}


def _seconds(at: float | None) -> int | None:
    return None if at is None else int(at)
