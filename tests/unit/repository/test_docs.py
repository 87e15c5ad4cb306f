"""The documentation agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from rag import config
from rag.errors import all_errors
from rag.http.error_table import STATUS

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_options_matches_the_settings() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text()
    for name, default, description in config.options():
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {description} |" in table


def test_every_option_in_the_documentation_exists() -> None:
    known = config.option_names()
    for page in PAGES:
        for name in re.findall(r"\bRAG_[A-Z_]+\b", page.read_text()):
            assert name in known or name.startswith("RAG_LLM__ENGINE__"), f"{page.name}: {name}"


def test_links_between_pages_lead_to_existing_files() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_to_headings_lead_to_existing_headings() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#]*\.md|)#([^)]+)\)", page.read_text()):
            there = page.parent / target if target else page
            # Headings of explicit anchors, <a id="...">, count as well.
            explicit = set(re.findall(r'<a (?:id|name)=["\']([^"\']+)', there.read_text()))
            assert anchor in anchors(there) | explicit, f"{page.name}: {target}#{anchor}"


def test_every_error_code_that_a_request_can_get_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    internal = {"setup_error", "conflict", "file_not_found", "model_not_found"}
    for error in all_errors():
        assert error in STATUS
        assert f"`{error.code}`" in text or error.code in internal
