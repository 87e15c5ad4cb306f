"""The papers say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from rag import config
from rag.errors import all_errors
from rag.http.error_table import STATUS

ROOT = Path(__file__).resolve().parents[2]
PAPERS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_table_of_options_is_the_codes() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text()
    for name, default, description in config.options():
        assert f"| `{name}` | {f'`{default}`' if default else ''} | {description} |" in table


def test_no_paper_names_an_option_that_does_not_exist() -> None:
    known = config.option_names()
    for paper in PAPERS:
        for name in re.findall(r"\bRAG_[A-Z_]+\b", paper.read_text()):
            assert name in known or name.startswith("RAG_LLM__ENGINE__"), f"{paper.name}: {name}"


def test_links_between_papers_lead_somewhere() -> None:
    for paper in PAPERS:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", paper.read_text()):
            if not target.startswith("http"):
                assert (paper.parent / target).exists(), f"{paper.name}: {target}"


def test_every_code_that_a_request_can_meet_is_in_the_papers() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    unmet = {"setup_error", "conflict", "file_not_found", "model_not_found"}
    for error in all_errors():
        assert error in STATUS
        assert f"`{error.code}`" in text or error.code in unmet
