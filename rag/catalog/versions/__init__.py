"""Versions of documents and their transitions. Every function that changes a version needs its store to be locked."""

from __future__ import annotations

from rag.catalog.versions.new_version import NewVersion, accept, change_attributes
from rag.catalog.versions.queries import (
    get,
    get_many,
    history,
    missing_from_index,
    newest_with_text,
    reusable_version,
    visible_totals,
)
from rag.catalog.versions.transitions import cancel, fail, publish, remove_document, remove_file
from rag.catalog.versions.writing import (
    begin_writing,
    copy_extract,
    mark_indexed,
    record_extract,
    record_progress,
    record_questions,
)

__all__ = [
    "NewVersion",
    "accept",
    "begin_writing",
    "cancel",
    "change_attributes",
    "copy_extract",
    "fail",
    "get",
    "get_many",
    "history",
    "mark_indexed",
    "missing_from_index",
    "newest_with_text",
    "publish",
    "record_extract",
    "record_progress",
    "record_questions",
    "remove_document",
    "remove_file",
    "reusable_version",
    "visible_totals",
]
