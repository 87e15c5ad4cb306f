"""README.md shows a first run as the command line prints it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_ingest_output_has_the_commands_format() -> None:
    """The number of files is not compared: adding a page to docs/ needs no change of the README."""
    said = re.search(
        r"rag ingest docs\n(\d+) files: (\d+) added, 0 replaced, 0 unchanged, [\d,]+ chunks in \d+ s\n",
        (ROOT / "README.md").read_text(),
    )
    assert said is not None
    assert said[1] == said[2]
