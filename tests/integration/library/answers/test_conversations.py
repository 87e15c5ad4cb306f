"""Conversations over both databases: whose they are, what is added at the same time, and when they are erased."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from rag.auth.caller import Caller
from rag.catalog.answers import conversations as rows
from rag.catalog.tables.schema import conversations, items, responses
from rag.errors import InvalidRequest, NotFound
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.earlier_turns import TurnsQuery
from rag.library.answers.responses import ResponseRegistry
from rag.records import Cursor, NewResponse
from tests.support.acting import acting, finds
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration


def caller(key: str = "key", tenant: str = "acme", *groups: str, stores: frozenset[str] | None = None) -> Caller:
    return Caller(key, tenant, frozenset(["ask"]), stores, groups=frozenset(groups))


def message(number: int, role: str = "user") -> dict[str, Any]:
    part = {"type": "input_text", "text": f"\0 {number}"}
    return {"id": f"msg_{role}_{number}", "type": "message", "role": role, "content": [part]}


def answer(number: int, conversation_id: str | None, *, is_kept: bool = True) -> NewResponse:
    made = [message(number, "assistant")]
    return NewResponse(f"resp_{number}", {}, [message(number)], made, None, conversation_id, is_kept)


@pytest.fixture
def registry(harness: LibraryHarness) -> ConversationRegistry:
    return ConversationRegistry(harness.database, 30)


@pytest.fixture
def answers(harness: LibraryHarness) -> ResponseRegistry:
    return ResponseRegistry(harness.database, 30)


def new(registry: ConversationRegistry, made_for: Caller) -> str:
    with acting(made_for):
        return registry.create({"team": "a"}, [message(0)]).conversation_id


def sees(registry: ConversationRegistry, answers: ResponseRegistry, conversation_id: str, other: Caller) -> bool:
    """Whether a caller finds the conversation; all operations agree."""
    return finds(
        other,
        (
            lambda: registry.get(conversation_id),
            lambda: registry.update(conversation_id, {"team": "a"}),
            lambda: registry.item_page(conversation_id, Cursor(10)),
            lambda: registry.item(conversation_id, "msg_user_0"),
            lambda: answers.earlier_turns(TurnsQuery(conversation_id=conversation_id)),
            lambda: answers.earlier_turns(TurnsQuery(item_ids=["msg_user_0"])),
        ),
    )


def counts(harness: LibraryHarness) -> list[int]:
    """The numbers of conversations, of responses and of items."""
    count = sa.func.count()
    with harness.database.read() as connection:
        selects = [sa.select(count).select_from(table) for table in (conversations, responses, items)]
        return [connection.execute(each).scalar_one() for each in selects]


def test_a_conversation_is_that_of_its_key(
    harness: LibraryHarness, registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    made = new(registry, caller())
    assert sees(registry, answers, made, caller())
    assert not sees(registry, answers, made, caller(tenant="umbra"))
    assert not sees(registry, answers, made, caller("another"))
    with acting(caller("another")):
        for operation in (
            lambda: registry.delete(made),
            lambda: registry.add_items(made, [message(1)]),
            lambda: registry.delete_item(made, "msg_user_0"),
            lambda: answers.insert(answer(1, made)),
        ):
            with pytest.raises(NotFound):
                operation()
    assert counts(harness) == [1, 0, 1]


def test_what_a_caller_adds_is_hidden_once_it_may_read_less(
    registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    made = new(registry, caller("key", "acme", "staff"))
    with acting(caller("key", "acme", "staff", "board")):
        answers.insert(answer(1, made))
    assert sees(registry, answers, made, caller("key", "acme", "staff", "board", "press"))
    assert not sees(registry, answers, made, caller("key", "acme", "staff"))
    limited = new(registry, caller(stores=frozenset({"vs_1", "vs_2"})))
    with acting(caller(stores=frozenset({"vs_1"}))), pytest.raises(NotFound):
        registry.get(limited)


def test_an_answer_is_added_once_with_or_without_its_response(
    harness: LibraryHarness, registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    made = new(registry, caller())
    with acting(caller()):
        answers.insert(answer(1, made))
        answers.insert(answer(2, made, is_kept=False))
        history = answers.earlier_turns(TurnsQuery(conversation_id=made)).history
        assert history == [message(0), *(message(n, role) for n in (1, 2) for role in ("user", "assistant"))]
        registry.delete(made)
        assert counts(harness) == [0, 1, 2]
        with pytest.raises(NotFound):
            answers.insert(answer(3, made))
    assert counts(harness) == [0, 1, 2]


def test_answers_of_the_same_time_are_all_added_one_after_the_other(
    registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    made = new(registry, caller())

    def add(number: int) -> None:
        with acting(caller()):
            answers.insert(answer(number, made))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(1, 33)))
    with acting(caller()):
        added = [item["id"] for item in registry.item_page(made, Cursor(100, "asc")).rows][1:]
    numbers = [item_id.rsplit("_", 1)[1] for item_id in added]
    assert sorted(map(int, numbers[::2])) == list(range(1, 33))
    assert added == [f"msg_{role}_{number}" for number in numbers[::2] for role in ("user", "assistant")]


def test_a_full_conversation_refuses_more(
    monkeypatch: pytest.MonkeyPatch, registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    monkeypatch.setattr(rows, "MAX_ITEMS", 3)
    made = new(registry, caller())
    with acting(caller()):
        answers.insert(answer(1, made))
        for param, operation in (
            ("items", lambda: registry.add_items(made, [message(2)])),
            ("conversation", lambda: answers.earlier_turns(TurnsQuery(conversation_id=made, added=1, is_kept=True))),
        ):
            for items_limit, bytes_limit, reason in ((3, 2**20, "more than 3 items"), (100, 100, "has 0 MiB")):
                monkeypatch.setattr(rows, "MAX_ITEMS", items_limit)
                monkeypatch.setattr(rows, "MAX_BYTES", bytes_limit)
                with pytest.raises(InvalidRequest, match=reason) as caught:
                    operation()
                assert caught.value.param == param
        assert len(registry.item_page(made, Cursor(100)).rows) == 3
        answers.earlier_turns(TurnsQuery(conversation_id=made, added=1))


def test_an_answer_that_has_begun_is_added_to_a_full_conversation(
    monkeypatch: pytest.MonkeyPatch, registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    monkeypatch.setattr(rows, "MAX_ITEMS", 3)
    made = new(registry, caller())
    with acting(caller()):
        answers.earlier_turns(TurnsQuery(conversation_id=made, added=2, is_kept=True))
        many = replace(answer(1, made), output=[message(number) for number in range(40)])
        answers.insert(many)
        assert len(registry.item_page(made, Cursor(100)).rows) == 1 + len(many.input) + 40
        with pytest.raises(InvalidRequest, match="more than 3 items"):
            answers.earlier_turns(TurnsQuery(conversation_id=made, added=2, is_kept=True))


def test_the_janitor_erases_expired_conversations(
    harness: LibraryHarness, registry: ConversationRegistry, answers: ResponseRegistry
) -> None:
    made = new(registry, caller())

    def expire(at: float) -> None:
        with harness.database.write() as connection:
            connection.execute(sa.update(conversations).values(expires_at=at))

    expire(time.time() + 60)
    with acting(caller()):
        registry.add_items(made, [message(1)])
    with harness.database.read() as connection:
        assert connection.execute(sa.select(conversations.c.expires_at)).scalar_one() > time.time() + 29 * 86_400
    harness.runtime.janitor.run_maintenance()
    assert counts(harness) == [1, 0, 2]
    expire(1.0)
    assert not sees(registry, answers, made, caller())
    harness.runtime.janitor.run_maintenance()
    assert counts(harness) == [0, 0, 0]


def test_a_service_that_keeps_nothing_still_shows_and_erases_conversations(
    harness: LibraryHarness, registry: ConversationRegistry
) -> None:
    made = new(registry, caller())
    switched_off = ConversationRegistry(harness.database, 30, may_store=False)
    with acting(caller()):
        for operation in (lambda: switched_off.create({}, []), lambda: switched_off.add_items(made, [message(1)])):
            with pytest.raises(InvalidRequest, match="RAG_RESPONSES__STORE"):
                operation()
        assert switched_off.get(made).metadata == {"team": "a"}
        switched_off.delete(made)
    assert counts(harness) == [0, 0, 0]
