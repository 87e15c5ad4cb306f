"""What a question is searched for as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.types import Message


@dataclass(frozen=True, slots=True)
class Plan:
    queries: tuple[str, ...]
    """The question, or what it was rewritten to, and then further ones made of it."""
    hypothetical: tuple[str, ...] = ()
    """Invented answers, for the dense path only."""
    rewritten: str | None = None
    """The question made to stand alone, where that changed it."""
    note: str = ""
    """What was left out, and why."""
    in_conversation: str | None = None
    """The question behind the user's turns before it, in which its `it` may have its meaning."""


class QueryPlanner(Protocol):
    """See `rag.retrieve.planning.planner.Planner`."""

    @property
    def name(self) -> str:
        """Of the way it plans, as it stands in keys of caches."""
        ...

    async def plan(
        self, question: str, history: Sequence[Message], *, rewrite: bool, queries: int, hypothetical: bool
    ) -> Plan: ...
