from __future__ import annotations

from collections.abc import Sequence

from rag.retrieve.planning.plan import Plan
from rag.types import Message


class FakePlanner:
    """Gives `plans` as its plan, or the question alone."""

    name = "fake-planner"

    def __init__(self) -> None:
        self.plans: Plan | None = None
        self.asked: list[str] = []

    async def plan(
        self, question: str, history: Sequence[Message], *, rewrite: bool, queries: int, hypothetical: bool
    ) -> Plan:
        self.asked.append(question)
        return self.plans or Plan((question,))
