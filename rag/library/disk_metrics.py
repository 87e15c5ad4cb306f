"""How full the disk is that holds the data."""

from __future__ import annotations

import shutil
from pathlib import Path

from rag.telemetry import retrieval as metrics


def update_disk_metrics(folder: Path) -> None:
    """Set the metrics. A folder that does not exist yet will be on the disk of its nearest existing parent."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    metrics.DISK_FREE.set(usage.free)
    metrics.DISK_SIZE.set(usage.total)
