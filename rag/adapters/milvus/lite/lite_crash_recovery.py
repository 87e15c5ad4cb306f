"""Recovery of a Milvus Lite database that was not closed."""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger("rag.milvus")


class LiteCrashRecovery:
    """Deletes the index files of a database whose last process was killed; Milvus Lite rebuilds them from the rows.

    A process that is killed while it writes an index file leaves a collection that cannot be loaded any more. Rows and
    manifests are written atomically (docs/bentoml_issues.md#m2).

    Args:
        folder: The `.db`, which is a folder. A marker file beside it says that a process has it open.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marker = folder.with_name(folder.name + ".open")

    def recover_and_mark_open(self) -> None:
        """Call this once the database is locked, before anything is loaded from it."""
        if self._marker.exists():
            files = list(self._folder.glob("collections/*/partitions/*/indexes/*"))
            for file in files:
                file.unlink(missing_ok=True)
            _log.info("%s was not closed properly: rebuilding its %d index files", self._folder, len(files))
        self._marker.touch()

    def mark_closed(self) -> None:
        self._marker.unlink(missing_ok=True)
