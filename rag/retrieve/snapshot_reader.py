"""What questions see of a vector store: its state at one revision."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from typing import Protocol

from rag.catalog import stores, visibility
from rag.catalog.database import Database
from rag.catalog.visibility import Snapshot

_KEPT = 64


class SnapshotReader(Protocol):
    """What questions see of vector stores. Methods block."""

    def snapshot(self, store: str) -> Snapshot:
        """Raises VectorStoreNotFound."""
        ...

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        """Those of the versions that do not exist at the snapshot's revision."""
        ...


class CatalogSnapshotReader:
    """The views of the catalog. What is visible at a revision never changes, so it is asked for once.

    Args:
        database: The catalog.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, int], dict[str, bool]] = OrderedDict()

    def snapshot(self, store: str) -> Snapshot:
        with self._database.read() as connection:
            found = visibility.snapshot(connection, store)
        if found.expires:
            with self._database.write() as connection:
                stores.touch(connection, found.store_id)
        return found

    def hidden(self, snapshot: Snapshot, version_ids: Collection[str]) -> set[str]:
        known = self._known_at(snapshot)
        unknown = [version_id for version_id in version_ids if version_id not in known]
        if unknown:
            with self._database.read() as connection:
                visible = visibility.visible(connection, snapshot.revision, unknown)
            known.update((version_id, version_id in visible) for version_id in unknown)
        return {version_id for version_id in version_ids if not known[version_id]}

    def _known_at(self, snapshot: Snapshot) -> dict[str, bool]:
        key = (snapshot.store_id, snapshot.revision)
        with self._lock:
            known = self._known.setdefault(key, {})
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known
