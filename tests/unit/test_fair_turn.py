from __future__ import annotations

import threading
import time

from rag.adapters.fair_turn import FairTurn


def test_it_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    turn, order = FairTurn(), list[int]()
    started = [threading.Event() for _ in range(5)]

    def work(number: int) -> None:
        started[number].set()
        with turn:
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    with turn:
        for number, thread in enumerate(threads):
            thread.start()
            started[number].wait()
            until = time.monotonic() + 5
            while len(turn._waiting) <= number and time.monotonic() < until:
                time.sleep(0.001)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]


def test_one_that_asks_again_and_again_lets_others_in() -> None:
    turn, stop, got = FairTurn(), threading.Event(), threading.Event()

    def greedy() -> None:
        while not stop.is_set():
            with turn:
                time.sleep(0.001)

    thread = threading.Thread(target=greedy)
    thread.start()
    with turn:
        got.set()
    stop.set()
    thread.join(5)
    assert got.is_set()


def test_its_holder_may_ask_again() -> None:
    turn = FairTurn()
    with turn, turn, turn:
        pass
    with turn:
        pass


def test_only_one_holds_it() -> None:
    turn, total = FairTurn(), [0]

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
