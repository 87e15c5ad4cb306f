from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.retrieve.planning.plan import Plan
from rag.types import Message


class FakePlanner:
    """Returns `result`, or a plan with the question alone. Calls `while_planning` before it returns."""

    name = "fake-planner"

    def __init__(self) -> None:
        self.result: Plan | None = None
        self.questions: list[str] = []
        self.while_planning: Callable[[], object] = lambda: None

    async def plan(
        self, question: str, history: Sequence[Message], *, rewrite: bool, queries: int, hypothetical: bool
    ) -> Plan:
        self.questions.append(question)
        self.while_planning()
        return self.result or Plan((question,))
