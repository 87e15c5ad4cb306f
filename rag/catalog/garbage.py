"""What can go: rows in Milvus, bytes and notes of versions that no question sees any more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rag.catalog.schema import documents, index_versions, job_files, jobs, versions

_GONE = ("retired", "failed", "cancelled", "superseded")
_CRASHED_AFTER_S = 60.0
"""A job's process says this often, several times over, that it is alive."""


def reclaimable(connection: sa.Connection, grace_s: float, limit: int = 200) -> list[Any]:
    """Versions that no new question sees, whose rows may still be in Milvus, and that no job works on."""
    now = time.time()
    worked_on = (
        sa.exists()
        .where(job_files.c.seq == versions.c.seq, jobs.c.id == job_files.c.job_id)
        .where(jobs.c.alive_at > now - _CRASHED_AFTER_S)
    )
    old = versions.c.died_at.is_(None) | (versions.c.died_at <= now - grace_s)
    wanted = versions.c.dirty & versions.c.state.in_(_GONE) & old & ~worked_on
    return list(connection.execute(sa.select(versions).where(wanted).order_by(versions.c.seq).limit(limit)))


def was_copied(connection: sa.Connection, seq: int) -> None:
    """Rows of a copy were written to the last, perhaps after it had been given up and cleaned up."""
    gone = (versions.c.seq == seq) & versions.c.state.in_(_GONE)
    connection.execute(sa.update(versions).where(gone).values(dirty=True))


def reclaimed(connection: sa.Connection, seqs: Sequence[int]) -> None:
    """Their rows are gone. What was read of them goes too, unless they may be tried again."""
    connection.execute(sa.update(versions).where(versions.c.seq.in_(seqs)).values(dirty=False))
    connection.execute(sa.delete(index_versions).where(index_versions.c.seq.in_(seqs)))


def index_is_gone(connection: sa.Connection, index_id: str) -> None:
    connection.execute(sa.delete(index_versions).where(index_versions.c.index_id == index_id))


def let_go(connection: sa.Connection) -> None:
    """Give up the bytes of versions that are past: replaced, or of a document that is no more."""
    newer = versions.alias("newer")
    replaced = sa.exists().where(newer.c.document_id == versions.c.document_id, newer.c.state == "visible")
    deleted = ~sa.exists().where(documents.c.id == versions.c.document_id)
    past = versions.c.state.in_(("retired", "superseded")) | (
        versions.c.state.in_(("failed", "cancelled")) & (deleted | replaced)
    )
    held = versions.c.blob_id.is_not(None) | versions.c.extract_id.is_not(None)
    connection.execute(sa.update(versions).where(past & held & ~versions.c.dirty).values(blob_id=None, extract_id=None))


def abandoned_copies(connection: sa.Connection, older_than_s: float) -> list[int]:
    """Pending versions that no job works on: changes of attributes that a crash interrupted."""
    of_a_job = sa.exists().where(job_files.c.seq == versions.c.seq)
    wanted = (versions.c.state == "pending") & ~of_a_job & (versions.c.created_at <= time.time() - older_than_s)
    return list(connection.execute(sa.select(versions.c.seq).where(wanted)).scalars())
