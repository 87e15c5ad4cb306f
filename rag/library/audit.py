"""Operations on the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from rag.auth.audit import AuditEvent, AuditFilter, AuditRecord
from rag.catalog.database import Database
from rag.catalog.tenants import audit
from rag.records import Cursor, Page


class AuditLog:
    """The audit log in the catalog. Methods block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, events: Sequence[AuditEvent]) -> None:
        with self._database.write() as connection:
            audit.append(connection, events)

    def page(self, cursor: Cursor, wanted: AuditFilter) -> Page[AuditRecord]:
        with self._database.read() as connection:
            return audit.page(connection, cursor, wanted)
