from __future__ import annotations

import threading
import time

from rag.adapters.milvus.lite.fifo_lock import FifoLock


def until_waiting(turn: FifoLock, number: int) -> None:
    until = time.monotonic() + 5
    while len(turn._waiting) < number:
        assert time.monotonic() < until, "nobody waits"
        time.sleep(0.001)


def test_it_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    turn, order = FifoLock(), list[int]()

    def work(number: int) -> None:
        with turn:
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    with turn:
        for number, thread in enumerate(threads):
            thread.start()
            until_waiting(turn, number + 1)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


def test_one_that_asks_again_at_once_comes_behind_the_one_that_waits() -> None:
    turn, order = FifoLock(), list[str]()

    def other() -> None:
        with turn:
            order.append("other")

    for _ in range(5):
        thread = threading.Thread(target=other)
        with turn:
            thread.start()
            until_waiting(turn, 1)
        with turn:
            order.append("again")
        thread.join(5)
    assert order == ["other", "again"] * 5


def test_its_holder_may_ask_again() -> None:
    turn = FifoLock()
    with turn, turn, turn:
        pass
    with turn:
        pass


def test_only_one_holds_it() -> None:
    turn, total = FifoLock(), [0]

    def add() -> None:
        for _ in range(300):
            with turn, turn:
                seen = total[0]
                time.sleep(0)
                total[0] = seen + 1

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert total == [8 * 300]
