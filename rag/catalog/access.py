"""Which rows the caller of the current request may see: those of its tenant, its vector stores and its groups.

Every query for a vector store, file or job that a client names has one of these conditions. Documents, versions and
indexes are only reached through their vector store; `rag.catalog.groups` decides which documents. Outside of requests
nothing is restricted.
"""

from __future__ import annotations

import sqlalchemy as sa

from rag.auth.caller import current_caller
from rag.catalog import groups
from rag.catalog.tables.batch_tables import batches
from rag.catalog.tables.rows import LIVE, Condition
from rag.catalog.tables.schema import files, job_files, jobs, stores, versions


def visible_stores() -> Condition:
    """A condition on `vector_stores`."""
    if (caller := current_caller.get()) is None:
        return sa.true()
    own = stores.c.tenant == caller.tenant
    return own if caller.stores is None else own & stores.c.id.in_(caller.stores)


def visible_jobs() -> Condition:
    """A condition on `jobs`."""
    if (caller := current_caller.get()) is None:
        return sa.true()
    own = (jobs.c.tenant == caller.tenant) & _readable_jobs()
    return own if caller.stores is None else own & jobs.c.store_id.in_(caller.stores)


def _readable_jobs() -> Condition:
    """Jobs whose files the caller may all read: a job shows their number and the name of the current one."""
    if groups.of_caller() is None:
        return sa.true()
    unreadable = sa.exists().where(
        job_files.c.job_id == jobs.c.id, versions.c.seq == job_files.c.seq, ~groups.readable_versions()
    )
    return jobs.c.store_id.in_(groups.unrestricted_stores()) | ((jobs.c.kind == "ingest") & ~unreadable)


def visible_files() -> Condition:
    """A condition on `files`. A key that is limited to vector stores sees their files, and those that it uploaded."""
    if (caller := current_caller.get()) is None:
        return sa.true()
    own = (files.c.tenant == caller.tenant) & _readable_files() & _own_output()
    if caller.stores is None:
        return own
    in_stores = sa.exists().where(
        versions.c.file_id == files.c.id, versions.c.store_id.in_(caller.stores), ~versions.c.removed
    )
    return own & (in_stores | (files.c.created_by == caller.key_id))


def _readable_files() -> Condition:
    """Files that the caller may read, and all documents that were made of them."""
    if (own := groups.of_caller()) is None:
        return sa.true()
    unreadable = sa.exists().where(
        versions.c.file_id == files.c.id,
        versions.c.state.in_(LIVE),
        ~versions.c.removed,
        ~groups.includes(versions.c.read_groups, own),
    )
    return groups.includes(files.c.read_groups, own) & ~unreadable


def _own_output() -> Condition:
    """Files that are not the output of a batch, or of one that the caller may see: the answers may quote documents."""
    is_output = (batches.c.output_file_id == files.c.id) | (batches.c.error_file_id == files.c.id)
    return (files.c.purpose != "batch_output") | sa.exists().where(is_output, visible_batches())


def visible_batches() -> Condition:
    """A condition on `batches`: those of the caller, or for an administrator, of its tenant. They are hidden if the
    caller may read less now than when it created them.
    """
    if (caller := current_caller.get()) is None:
        return sa.true()
    own = batches.c.tenant == caller.tenant
    for column, present in ((batches.c.caller_groups, caller.read_groups), (batches.c.caller_stores, caller.stores)):
        if present is not None:
            own &= groups.all_among(column, present)
    return own if caller.may("admin") else own & (batches.c.created_by == caller.key_id)


def is_limited_to_stores() -> bool:
    caller = current_caller.get()
    return caller is not None and caller.stores is not None


def may_use_store(store_id: str) -> bool:
    """Whether the caller's key is not limited to other vector stores."""
    caller = current_caller.get()
    return caller is None or caller.stores is None or store_id in caller.stores


def created_by() -> str:
    """The id of the caller's key; empty if there is none."""
    caller = current_caller.get()
    return "" if caller is None else caller.key_id
