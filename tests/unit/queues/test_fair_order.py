"""Callers take turns, and each caller's items keep their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.queues.fair_order import FairOrder


def order_of(*items: tuple[str, int]) -> FairOrder[int]:
    order: FairOrder[int] = FairOrder()
    for caller, item in items:
        order.add(caller, item)
    return order


def all_of(order: FairOrder[int]) -> list[int]:
    return [order.take(order.firsts()[0][0]) for _ in range(len(order))]


def test_callers_take_turns() -> None:
    assert all_of(order_of(("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6))) == [1, 4, 5, 2, 6, 3]


def test_a_caller_that_comes_later_has_the_next_turn_but_one() -> None:
    order = order_of(("a", 1), ("a", 2), ("a", 3))
    assert order.take("a") == 1
    order.add("b", 4)
    assert all_of(order) == [2, 4, 3]


def test_an_item_can_leave() -> None:
    order = order_of(("a", 1), ("a", 2), ("b", 3))
    order.remove("a", 1)
    order.remove("b", 3)
    assert all_of(order) == [2]
    assert order.count("b") == 0
    for caller in ("a", "b"):
        with pytest.raises(ValueError, match=r"."):
            order.remove(caller, 9)


calls = st.lists(st.tuples(st.sampled_from("abc"), st.integers()))


@given(calls, st.sampled_from("abcd"))
def test_what_is_ahead_of_a_new_item_is_taken_before_it(items: list[tuple[str, int]], caller: str) -> None:
    order: FairOrder[tuple[int, int]] = FairOrder()
    for number, (each, item) in enumerate(items):
        order.add(each, (number, item))
    ahead = set(order.ahead_of_next(caller))
    order.add(caller, (-1, 0))
    taken = [order.take(order.firsts()[0][0]) for _ in range(len(order))]
    before = taken[: taken.index((-1, 0))]
    assert set(before) <= ahead
    assert len(ahead) - len(before) <= 2  # callers after this one in the last round


@given(calls)
def test_nothing_is_lost_and_every_caller_keeps_its_order(items: list[tuple[str, int]]) -> None:
    order: FairOrder[tuple[str, int]] = FairOrder()
    for caller, item in items:
        order.add(caller, (caller, item))
    out = [order.take(order.firsts()[0][0]) for _ in range(len(order))]
    for caller in "abc":
        assert [pair for pair in out if pair[0] == caller] == [pair for pair in items if pair[0] == caller]
    assert len(order) == 0
    assert order.firsts() == []
