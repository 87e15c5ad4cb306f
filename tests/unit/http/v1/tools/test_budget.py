"""How much the language model may do before it must answer."""

from __future__ import annotations

from rag.http.v1.responses.tools.budget import Budget
from rag.types import Usage


def budget(**changed: float) -> Budget:
    made = {"max_rounds": 3, "max_calls": 4, "max_tokens": 100, "context_tokens": 1000, "timeout_s": 60.0, **changed}
    return Budget(**made)  # type: ignore[arg-type]


def test_rounds_and_calls_are_bounded() -> None:
    spent = budget()
    for _ in range(3):
        assert not spent.must_answer
        spent.spend(Usage(10, 5))
    assert spent.must_answer
    calling = budget()
    calling.calls = 4
    assert (calling.may_call, calling.must_answer) == (False, True)


def test_the_usage_of_all_rounds_is_added() -> None:
    spent = budget()
    spent.spend(Usage(10, 5, 2))
    spent.spend(Usage(30, 15, 8))
    assert (spent.usage, spent.tokens_left) == (Usage(40, 20, 10), 80)


def test_the_room_of_outputs_leaves_room_for_the_answer() -> None:
    spent = budget()
    spent.spend(Usage(400, 20))
    assert spent.room == 1000 - 420 - 80 - 64
    spent.add(spent.room)
    assert (spent.room, spent.must_answer) == (0, True)


def test_after_half_of_the_time_the_model_must_answer() -> None:
    now = [0.0]
    late = budget()
    late.clock, late.started = (lambda: now[0]), 0.0
    assert not late.must_answer
    now[0] = 30.5
    assert late.must_answer
