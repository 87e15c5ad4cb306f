"""docs/bentoml_issues.md and the comments that link to it agree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "bentoml_issues.md"
ENTRY = re.compile(r'^\| <a id="([a-z]\d+)"></a>\1 \|.*\| ([^|]+) \|$', re.MULTILINE)
LINK = re.compile(r"docs/bentoml_issues\.md#([a-z]\d+)")
OLD_REFERENCE = re.compile(r"\btraps? B\d|\(B\d+\)")


def entries() -> dict[str, list[str]]:
    """Anchors of the document, and the files that it names for each."""
    return {anchor: re.findall(r"`([^`]+)`", files) for anchor, files in ENTRY.findall(DOCUMENT.read_text())}


def sources() -> dict[str, str]:
    """The text of every Python file, by its path."""
    files = [ROOT / "service.py"]
    for folder in ("rag", "tests", "bench", "evals"):
        files += sorted((ROOT / folder).rglob("*.py"))
    return {str(file.relative_to(ROOT)): file.read_text() for file in files if file != Path(__file__)}


def test_every_line_of_the_tables_is_an_entry() -> None:
    assert len(entries()) == DOCUMENT.read_text().count("<a id=") > 0


def test_every_link_leads_to_an_entry() -> None:
    known = entries()
    dangling = {path: wrong for path, text in sources().items() if (wrong := set(LINK.findall(text)) - known.keys())}
    assert not dangling


def test_every_entry_names_the_files_that_link_to_it() -> None:
    texts = sources()
    for anchor, files in entries().items():
        assert files, f"{anchor} names no file"
        linking = [path for path, text in texts.items() if anchor in LINK.findall(text)]
        missing = [file for file in files if file not in linking]
        assert not missing, f"{anchor}: {missing} do not link to it; these files do: {linking}"


def test_nothing_refers_to_a_list_outside_the_repository() -> None:
    assert not [path for path, text in sources().items() if OLD_REFERENCE.search(text)]
