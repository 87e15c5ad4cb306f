"""The notes of an answer for programs: which step was skipped, and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Final

DESCRIPTION: Final = "A code for each part of `note`, which `; ` separates; empty for a part that has none."


def note_codes(note: str) -> list[str]:
    """A code for each part of a note; empty for a part that has none."""
    return [codes().get(part, "") for part in note.split("; ")] if note else []


@cache
def codes() -> Mapping[str, str]:
    """All codes, by the text in a note."""
    # Here, because every process imports this module and only some import the retrieval pipeline.
    from rag.generate.verify import NOT_VERIFIED
    from rag.retrieve.pipeline import NOT_RERANKED
    from rag.retrieve.planning.planner import FAILURES, NOT_PLANNED, PARTS
    from rag.retrieve.quoting.quoter import NOT_SCORED

    return {
        NOT_PLANNED: "not_planned",
        NOT_RERANKED: "not_reranked",
        NOT_SCORED: "not_scored",
        NOT_VERIFIED: "not_verified",
        **{f"{PARTS[part]}: {FAILURES[failure]}": f"{part}.{failure}" for part, failure in product(PARTS, FAILURES)},
    }
