"""Uploading files from disk to a running service, in groups; the service makes one job of each group.

folders, globs, names -> select_files -> upload_files -> POST /ingest, with retries
"""

from __future__ import annotations

from rag.upload.requests import ServiceError, error_message, json_object_of, with_retries
from rag.upload.selection import FileSelection, LocalFile, select_files
from rag.upload.sending import (
    MAX_GROUP_BYTES,
    MAX_GROUP_FILES,
    FileFailure,
    UploadResult,
    UploadTarget,
    group_files,
    upload_files,
)

__all__ = [
    "MAX_GROUP_BYTES",
    "MAX_GROUP_FILES",
    "FileFailure",
    "FileSelection",
    "LocalFile",
    "ServiceError",
    "UploadResult",
    "UploadTarget",
    "error_message",
    "group_files",
    "json_object_of",
    "select_files",
    "upload_files",
    "with_retries",
]
