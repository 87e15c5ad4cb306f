"""README.md shows a first run as it goes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_ingest_adds_every_file() -> None:
    shown = re.search(r"rag ingest docs\n(\d+) files: (\d+) added, 0 replaced", (ROOT / "README.md").read_text())
    assert shown is not None
    assert shown[1] == shown[2]
