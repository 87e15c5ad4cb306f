"""The audit log: who did what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rag.auth.audit import AuditEvent, AuditFilter, AuditRecord
from rag.catalog import listing
from rag.catalog.tables.rows import ResultRow, RowSelect, read_row
from rag.catalog.tables.schema import api_keys, audit_log
from rag.records import Cursor, Page


@dataclass(frozen=True, slots=True)
class _EntryRow:
    id: str
    at: float
    key_name: str
    key_id: str
    tenant: str
    action: str
    route: str
    address: str
    status: int
    error_code: str
    request_id: str
    targets: Mapping[str, str]
    requests: int


def append(connection: sa.Connection, events: Sequence[AuditEvent]) -> None:
    """Insert the events that are not stored yet: an edge that got no answer sends its events again."""
    ids = [event.entry_id for event in events]
    known = set(connection.execute(sa.select(audit_log.c.id).where(audit_log.c.id.in_(ids))).scalars())
    names = _key_names(connection, {event.key_id for event in events})
    if rows := [_to_row(event, names) for event in events if event.entry_id not in known]:
        connection.execute(sa.insert(audit_log), rows)


def _key_names(connection: sa.Connection, key_ids: Collection[str]) -> dict[str, str]:
    wanted = sa.select(api_keys.c.id, api_keys.c.name).where(api_keys.c.id.in_(key_ids))
    return {row.id: row.name for row in connection.execute(wanted)}


def _to_row(event: AuditEvent, key_names: Mapping[str, str]) -> dict[str, object]:
    values = asdict(event)
    return {**values, "id": values.pop("entry_id"), "key_name": key_names.get(event.key_id, "")}


def page(connection: sa.Connection, cursor: Cursor, wanted: AuditFilter) -> Page[AuditRecord]:
    return listing.page(connection, _matching(wanted), audit_log.c.at, audit_log.c.id, cursor, _to_record)


def _matching(wanted: AuditFilter) -> RowSelect:
    statement = sa.select(audit_log)
    for column, value in (
        (audit_log.c.tenant, wanted.tenant),
        (audit_log.c.key_id, wanted.key_id),
        (audit_log.c.action, wanted.action),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.since is not None:
        statement = statement.where(audit_log.c.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(audit_log.c.at < wanted.until)
    return statement


def any_before(connection: sa.Connection, time: float) -> bool:
    return connection.execute(sa.select(audit_log.c.id).where(audit_log.c.at < time).limit(1)).first() is not None


def delete_before(connection: sa.Connection, time: float) -> None:
    connection.execute(sa.delete(audit_log).where(audit_log.c.at < time))


def _to_record(row: ResultRow) -> AuditRecord:
    entry = asdict(read_row(_EntryRow, row))
    return AuditRecord(entry.pop("key_name"), AuditEvent(entry.pop("id"), **entry))
