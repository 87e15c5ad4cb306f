"""Options of the prompt and its citations: `RAG_PROMPT__...`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rag.config.section import Section


class PromptSettings(Section):
    """The prompt: templates, and how the answer cites its sources."""

    folder: Path | None = Field(
        None,
        description="Folder of custom templates: system.jinja, user.jinja, quote.jinja, search.jinja, summary.jinja; "
        "missing ones are the defaults.",
    )
    style: Literal["auto", "written", "quoted"] = Field(
        "auto",
        description="written: the language model answers in its own words; quoted: it only quotes the documents; auto: "
        "quoted with the embedded language model, written with any other.",
    )
    min_confidence: float = Field(
        0.35,
        ge=0,
        le=1,
        description="A quoted answer says that nothing was found if its best quote is less confident; 0: never.",
    )
    fence: bool = Field(
        True, description="Mark passages as data without instructions, using a marker that no document can guess."
    )
    table_tokens: int = Field(
        2_000,
        ge=0,
        description="Tokens by which a prompt may grow to complete tables, lists and records of which only a part was "
        "found; 0: not at all.",
    )
    citations: Literal["check", "verify", "off"] = Field(
        "check",
        description="check: remove citations of missing sources; verify: also score cited sentences; off: neither.",
    )
    weak_below: float = Field(
        0.5, ge=0, le=1, description="Score below which a cited sentence counts as weakly supported by its source."
    )
