"""What README.md shows of a first run is of the papers as they are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_as_many_papers_go_in_as_it_says() -> None:
    said = re.search(r"rag ingest docs\n(\d+) files: (\d+) added", (ROOT / "README.md").read_text())
    assert said is not None
    papers = sum(path.is_file() for path in (ROOT / "docs").rglob("*"))
    assert (int(said[1]), int(said[2])) == (papers, papers)
