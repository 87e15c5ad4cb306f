"""Enforces the quotas of API keys and tenants for stored data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from rag.auth.caller import current_caller
from rag.auth.limits import Quota, Subject
from rag.catalog.answers import background
from rag.catalog.batches import UNFINISHED as UNFINISHED_BATCHES
from rag.catalog.tables.batch_tables import batches
from rag.catalog.tables.rows import UNFINISHED, Condition, RowSelect
from rag.catalog.tables.schema import (
    background_responses,
    blobs,
    chat_completions,
    conversations,
    documents,
    files,
    jobs,
    responses,
    stores,
    versions,
)
from rag.catalog.tables.upload_tables import upload_parts, uploads
from rag.errors import QuotaExceeded, RateLimitExceeded

_KEPT = ("pending", "visible", "failed", "cancelled")
"""The states of versions whose bytes stay until their document is replaced or deleted."""
_RETRY_S: Mapping[Quota, int] = {"max_unfinished_jobs": 10, "max_unfinished_responses": 10}
"""Seconds after which there will probably be room again, for quotas of things that end by themselves."""


@dataclass(frozen=True, slots=True)
class _Use:
    subject: Subject
    quota: Quota
    maximum: int
    before: int


@contextmanager
def enforced(connection: sa.Connection, *quotas: Quota) -> Iterator[None]:
    """Checks what the block adds to the catalog against the caller's quotas, in the same transaction.

    The counted rows are locked, so that concurrent transactions cannot exceed a quota together. A caller that already
    exceeds a lowered quota may still replace and delete.

    Raises:
        QuotaExceeded: at the end of the block.
        RateLimitExceeded: the same for work, since some will have ended soon.
    """
    uses = _lock_and_measure(connection, quotas)
    yield
    for use in uses:
        after = _used(connection, use.subject, use.quota)
        if after > max(use.maximum, use.before):
            raise _refusal(use, after)


def check_left(connection: sa.Connection, quota: Quota) -> None:
    """Raises QuotaExceeded if the caller has used up a quota. Nothing is locked."""
    for subject, maximum in _limited(quota):
        if (used := _used(connection, subject, quota)) >= maximum:
            raise QuotaExceeded(f"{_limit(subject, maximum, quota)}, and has {used}. {_ADVICE}", param=quota)


def _limited(quota: Quota) -> list[tuple[Subject, int]]:
    """The subjects whose use is limited, with their limits."""
    caller = current_caller.get()
    limits = [(subject, getattr(subject.limits, quota)) for subject in (caller.subjects if caller else ())]
    return [(subject, maximum) for subject, maximum in limits if maximum is not None]


def _lock_and_measure(connection: sa.Connection, quotas: Sequence[Quota]) -> list[_Use]:
    limited = [(subject, quota, maximum) for quota in quotas for subject, maximum in _limited(quota)]
    if connection.dialect.name == "postgresql":  # SQLite runs one writing transaction at a time
        for name in sorted({f"{subject.kind}:{subject.id}" for subject, *_ in limited}):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    return [_Use(subject, quota, maximum, _used(connection, subject, quota)) for subject, quota, maximum in limited]


def _used(connection: sa.Connection, subject: Subject, quota: Quota) -> int:
    return int(connection.execute(_COUNTS[quota](subject)).scalar_one())


def _stores(subject: Subject) -> RowSelect:
    return sa.select(sa.func.count()).select_from(stores).where(_owned(stores, subject))


def _documents(subject: Subject) -> RowSelect:
    """A document counts for whoever uploaded its file."""
    current = _kept_versions(subject) & versions.c.document_id.in_(sa.select(documents.c.id))
    return sa.select(sa.func.count(sa.distinct(versions.c.document_id))).where(current)


def _stored_bytes(subject: Subject) -> RowSelect:
    """Counts files, accepted versions that will replace their bytes, and the parts of pending uploads."""
    own_files = sa.select(files.c.blob_id).where(_owned(files, subject))
    own_versions = sa.select(versions.c.blob_id).where(_kept_versions(subject), versions.c.blob_id.is_not(None))
    own_uploads = sa.select(uploads.c.id).where(_owned(uploads, subject))
    own_parts = sa.select(upload_parts.c.blob_id).where(upload_parts.c.upload_id.in_(own_uploads))
    wanted = blobs.c.id.in_(sa.union(own_files, own_versions, own_parts))
    return sa.select(sa.func.coalesce(sa.func.sum(blobs.c.bytes), 0)).where(wanted)


def _kept_versions(subject: Subject) -> Condition:
    own_files = sa.select(files.c.id).where(_owned(files, subject))
    return versions.c.file_id.in_(own_files) & versions.c.state.in_(_KEPT) & ~versions.c.removed


def _unfinished_jobs(subject: Subject) -> RowSelect:
    counted = [
        sa.select(sa.func.count()).select_from(table).where(_owned(table, subject), is_unfinished).scalar_subquery()
        for table, is_unfinished in (
            (jobs, jobs.c.state.in_(UNFINISHED)),
            (batches, batches.c.state.in_(UNFINISHED_BATCHES)),
        )
    ]
    return sa.select(sum(counted[1:], start=counted[0]))


def _unfinished_responses(subject: Subject) -> RowSelect:
    unfinished = background_responses.c.state.in_(background.UNFINISHED)
    counted = sa.select(sa.func.count()).select_from(background_responses)
    return counted.where(_owned(background_responses, subject), unfinished)


def _kept_bytes(subject: Subject) -> RowSelect:
    of_table = [
        sa.select(sa.func.coalesce(sa.func.sum(table.c.bytes), 0)).where(_owned(table, subject)).scalar_subquery()
        for table in (responses, chat_completions, conversations)
    ]
    return sa.select(sum(of_table[1:], start=of_table[0]))


def _owned(table: sa.Table, subject: Subject) -> Condition:
    column: sa.Column[str] = table.c.tenant if subject.kind == "tenant" else table.c.created_by
    return column == subject.id


_COUNTS: Mapping[Quota, Callable[[Subject], RowSelect]] = {
    "max_vector_stores": _stores,
    "max_documents": _documents,
    "max_stored_bytes": _stored_bytes,
    "max_unfinished_jobs": _unfinished_jobs,
    "max_kept_bytes": _kept_bytes,
    "max_unfinished_responses": _unfinished_responses,
}
_NOUNS: Mapping[Quota, str] = {
    "max_vector_stores": "vector stores",
    "max_documents": "documents",
    "max_stored_bytes": "bytes of files",
    "max_unfinished_jobs": "unfinished jobs and batches",
    "max_kept_bytes": "bytes of kept responses, chat completions and conversations",
    "max_unfinished_responses": "unfinished responses in the background",
}
_ADVICE = "Delete what is not needed, or ask the operator of this service for a higher limit"


def _refusal(use: _Use, after: int) -> QuotaExceeded | RateLimitExceeded:
    message = f"{_limit(use.subject, use.maximum, use.quota)}; with this request it would have {after}"
    if (retry_after_s := _RETRY_S.get(use.quota)) is not None:
        return RateLimitExceeded(
            f"{message}. Try again when one has ended", param=use.quota, retry_after_s=retry_after_s
        )
    return QuotaExceeded(f"{message}. {_ADVICE}", param=use.quota)


def _limit(subject: Subject, maximum: int, quota: Quota) -> str:
    return f"{subject} may have at most {maximum} {_NOUNS[quota]} ({quota})"
