from __future__ import annotations

from rag.queues.recent_use import RecentUse


def test_use_is_added_up_and_forgotten_by_and_by() -> None:
    now = [0.0]
    use = RecentUse(10, clock=lambda: now[0])
    use.add("a", 2.0)
    use.add("a", 2.0)
    use.add("b", 1.0)
    assert (use.of("a"), use.of("b"), use.of("c")) == (4.0, 1.0, 0.0)
    now[0] = 10.0
    use.add("b", 1.0)
    assert (use.of("a"), use.of("b")) == (2.0, 1.5)


def test_callers_that_have_gone_take_no_memory() -> None:
    now = [0.0]
    use = RecentUse(10, clock=lambda: now[0])
    for number in range(100):
        now[0] += 200.0
        use.add(f"caller {number}", 1.0)
    assert len(use) == 1
