"""Query plans: the texts that are searched for to answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rag.types import Message


@dataclass(frozen=True, slots=True)
class Plan:
    queries: tuple[str, ...]
    """The question, rewritten if necessary, followed by further queries derived from it."""
    hypothetical: tuple[str, ...] = ()
    """Hypothetical answers, for the dense path only."""
    rewritten: str | None = None
    """The rewritten question; None if rewriting did not change it."""
    note: str = ""
    """The steps that failed, and why; empty if there are none."""
    in_conversation: str | None = None
    """The question preceded by the user's previous turns, which may give an `it` its meaning."""

    def with_note(self, note: str) -> Plan:
        """The plan with a further note; an empty one changes nothing."""
        return replace(self, note="; ".join(filter(None, (self.note, note))))


class QueryPlanner(Protocol):
    """See `rag.retrieve.planning.planner.LanguageModelPlanner`."""

    @property
    def name(self) -> str:
        """Identifies the planner in cache keys: different plans need different names."""
        ...

    async def plan(
        self, question: str, history: Sequence[Message], *, rewrite: bool, queries: int, hypothetical: bool
    ) -> Plan: ...
