"""What a killed process leaves in a Milvus Lite file, mended when it is opened again."""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger("rag.milvus")


class LiteCrashRecovery:
    """Milvus Lite (3.2) writes rows and manifests so that a kill cannot hurt them, but not its index files: one that
    was cut short keeps the collection from ever being loaded again. They hold nothing that the rows do not, and are
    made anew where they are missing.

    Args:
        folder: The `.db`, which is a folder. A mark beside it says that somebody has it open.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = folder.with_name(folder.name + ".open")

    def begin(self) -> None:
        """Call once the file is locked, before anything is loaded from it."""
        if self._mark.exists():
            files = list(self._folder.glob("collections/*/partitions/*/indexes/*"))
            for file in files:
                file.unlink(missing_ok=True)
            _log.info("%s was not closed by its last user: its %d index files are made anew", self._folder, len(files))
        self._mark.touch()

    def end(self) -> None:
        """It is closed."""
        self._mark.unlink(missing_ok=True)
