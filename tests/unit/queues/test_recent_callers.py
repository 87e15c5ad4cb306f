from __future__ import annotations

from rag.queues.recent_callers import RecentCallers


def test_a_caller_is_alone_until_another_comes_and_after_it_has_been_away() -> None:
    now = [0.0]
    recent = RecentCallers(10, clock=lambda: now[0])
    recent.note("a")
    assert not recent.has_others("a")
    recent.note("b")
    assert recent.has_others("a")
    now[0] = 9.0
    recent.note("a")
    now[0] = 11.0
    assert not recent.has_others("a")
    assert recent.has_others("b")


def test_callers_that_have_gone_take_no_memory() -> None:
    now = [0.0]
    recent = RecentCallers(10, clock=lambda: now[0])
    for number in range(100):
        now[0] = float(number)
        recent.note(f"caller {number}")
    assert len(recent) == 11
