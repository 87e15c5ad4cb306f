"""Finds what can be removed: Milvus rows, blobs and catalog rows of versions that no query can see any more."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa

from rag.catalog.tables.rows import VersionRow, read_rows
from rag.catalog.tables.schema import documents, index_versions, job_files, jobs, versions

_ENDED = ("retired", "failed", "cancelled", "superseded")
ERASED = "(deleted)"
"""The name of a deleted document in the lists of the jobs that processed it."""
_CRASHED_AFTER_S = 60.0
"""A job whose process has not reported for so long counts as crashed; processes report several times as often."""


def reclaimable(connection: sa.Connection, grace_s: float, limit: int = 200) -> list[VersionRow]:
    """Versions that no new query sees, whose rows may still be in Milvus, and that no running job works on."""
    now = time.time()
    in_work = (
        sa.exists()
        .where(job_files.c.seq == versions.c.seq, jobs.c.id == job_files.c.job_id)
        .where(jobs.c.alive_at > now - _CRASHED_AFTER_S)
    )
    is_old = versions.c.retired_at.is_(None) | (versions.c.retired_at <= now - grace_s)
    wanted = versions.c.dirty & versions.c.state.in_(_ENDED) & is_old & ~in_work
    return read_rows(connection, VersionRow, sa.select(versions).where(wanted).order_by(versions.c.seq).limit(limit))


def mark_dirty_if_ended(connection: sa.Connection, seq: int) -> None:
    """Note that a version may have rows in Milvus again: they were written after it had been ended and cleaned up."""
    has_ended = (versions.c.seq == seq) & versions.c.state.in_(_ENDED)
    connection.execute(sa.update(versions).where(has_ended).values(dirty=True))


def mark_reclaimed(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """Note that no index holds rows of these versions any more."""
    connection.execute(sa.update(versions).where(versions.c.seq.in_(seqs)).values(dirty=False))
    connection.execute(sa.delete(index_versions).where(index_versions.c.seq.in_(seqs)))


def forget_index(connection: sa.Connection, index_id: str) -> None:
    """Delete the notes of which versions a dropped index held."""
    connection.execute(sa.delete(index_versions).where(index_versions.c.index_id == index_id))


def release_blobs(connection: sa.Connection) -> None:
    """Remove the references to the bytes of versions that were replaced or whose document was deleted.

    Failed and cancelled versions keep theirs otherwise: they can be retried.
    """
    newer = versions.alias("newer")
    replaced = sa.exists().where(newer.c.document_id == versions.c.document_id, newer.c.state == "visible")
    deleted = ~sa.exists().where(documents.c.id == versions.c.document_id)
    is_past = versions.c.state.in_(("retired", "superseded")) | (
        versions.c.state.in_(("failed", "cancelled")) & (deleted | replaced)
    )
    has_blobs = versions.c.blob_id.is_not(None) | versions.c.extract_id.is_not(None)
    wanted = is_past & has_blobs & ~versions.c.dirty
    connection.execute(sa.update(versions).where(wanted).values(blob_id=None, extract_id=None))


def erase_deleted(connection: sa.Connection) -> None:
    """Erase the name, hash, title and attributes of deleted documents, once no index holds their rows.

    Their version rows remain, because jobs count them.
    """
    deleted = ~sa.exists().where(documents.c.id == versions.c.document_id)
    wanted = versions.c.state.in_(_ENDED) & ~versions.c.dirty & deleted & (versions.c.filename != ERASED)
    erased = (
        sa.update(versions)
        .where(wanted)
        .values(
            filename=ERASED,
            content_hash="",
            title="",
            attributes={},
            attributes_written=None,
            error_message=None,
            warnings=None,
        )
    )
    connection.execute(erased)


def abandoned_copies(connection: sa.Connection, older_than_s: float) -> list[int]:
    """Pending versions that belong to no job: changes of attributes that a crash interrupted."""
    has_job = sa.exists().where(job_files.c.seq == versions.c.seq)
    wanted = (versions.c.state == "pending") & ~has_job & (versions.c.created_at <= time.time() - older_than_s)
    return list(connection.execute(sa.select(versions.c.seq).where(wanted)).scalars())
