"""Reads snapshots: the state of a vector store that a question sees."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Protocol

from cachetools import LRUCache

from rag.catalog.database import Database
from rag.catalog.documents import stores, visibility
from rag.catalog.documents.visibility import Snapshot

_MAX_REVISIONS = 64
"""Number of revisions whose visible versions are cached."""


class SnapshotReader(Protocol):
    """Reads snapshots of vector stores. Methods block."""

    def snapshot(self, store: str) -> Snapshot:
        """The store at its current revision. Raises VectorStoreNotFound."""
        ...

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        """Returns the versions that do not exist at the snapshot's revision or that its caller may not read."""
        ...


class CatalogSnapshotReader:
    """Reads snapshots from the catalog. What a revision shows never changes, so it is cached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._visibility: LRUCache[_State, dict[str, bool]] = LRUCache(_MAX_REVISIONS)
        """For each state, whether a version is visible."""

    def snapshot(self, store: str) -> Snapshot:
        with self._database.read() as connection:
            snapshot = visibility.snapshot(connection, store)
        if snapshot.expires:
            with self._database.write() as connection:
                stores.touch(connection, snapshot.store_id)
        return snapshot

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        is_visible = self._visibility_at(snapshot)
        unknown = [version_id for version_id in version_ids if version_id not in is_visible]
        if unknown:
            with self._database.read() as connection:
                visible = visibility.visible(connection, snapshot.revision, unknown, snapshot.groups)
            is_visible.update((version_id, version_id in visible) for version_id in unknown)
        return {version_id for version_id in version_ids if not is_visible[version_id]}

    def _visibility_at(self, snapshot: Snapshot) -> dict[str, bool]:
        with self._lock:
            state = (snapshot.store_id, snapshot.revision, snapshot.groups)
            return self._visibility.setdefault(state, {})


_State = tuple[str, int, tuple[str, ...] | None]
"""The vector store, the catalog's revision and the caller's groups."""
