"""Kept responses over both databases: whose they are, and when they are erased."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rag.auth.caller import Caller
from rag.auth.scopes import Scope
from rag.catalog.tables.schema import items, responses
from rag.errors import NotFound
from rag.library.answers.earlier_turns import TurnsQuery
from rag.library.answers.responses import ResponseRegistry
from rag.records import Cursor, NewResponse
from tests.support.acting import acting, finds
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration

QUESTION = {"id": "msg_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "\0 ?"}]}
ANSWER = {"id": "msg_2", "type": "message", "role": "assistant", "content": []}


def caller(
    key: str = "key", tenant: str = "acme", *groups: str, stores: frozenset[str] | None = None, scope: Scope = "ask"
) -> Caller:
    return Caller(key, tenant, frozenset([scope]), stores, groups=frozenset(groups))


def keep(harness: LibraryHarness, made_for: Caller, days: int = 30) -> ResponseRegistry:
    registry = ResponseRegistry(harness.database, days)
    with acting(made_for):
        registry.insert(NewResponse("resp_1", {"id": "resp_1"}, [QUESTION], [ANSWER]))
    return registry


def sees(registry: ResponseRegistry, other: Caller) -> bool:
    """Whether a caller finds `resp_1`; all operations agree."""
    return finds(
        other,
        (
            lambda: registry.get("resp_1"),
            lambda: registry.input_page("resp_1", Cursor(10)),
            lambda: registry.earlier_turns(TurnsQuery("resp_1")),
            lambda: registry.earlier_turns(TurnsQuery(item_ids=["msg_2"])),
        ),
    )


def rows(harness: LibraryHarness) -> list[int]:
    """The numbers of responses and of items."""
    count = sa.func.count()
    with harness.database.read() as connection:
        selects = [sa.select(count).select_from(table) for table in (responses, items)]
        return [connection.execute(each).scalar_one() for each in selects]


def test_a_response_is_kept_with_its_items(harness: LibraryHarness) -> None:
    registry = keep(harness, caller())
    with acting(caller()):
        assert registry.get("resp_1") == {"id": "resp_1", "output": [ANSWER]}
        assert registry.input_page("resp_1", Cursor(10)).rows == [QUESTION]
        turns = registry.earlier_turns(TurnsQuery("resp_1", item_ids=["msg_2", "msg_1"]))
    assert (turns.history, turns.items) == ([QUESTION, ANSWER], [ANSWER, QUESTION])


def test_a_response_is_that_of_its_key(harness: LibraryHarness) -> None:
    registry = keep(harness, caller())
    assert sees(registry, caller())
    assert not sees(registry, caller(tenant="umbra"))
    assert not sees(registry, caller("another"))
    assert not sees(registry, caller("another", scope="admin"))
    with acting(caller("another")), pytest.raises(NotFound):
        registry.delete("resp_1")
    assert rows(harness) == [1, 2]


def test_who_has_left_a_group_cannot_read_what_was_answered_from_its_documents(harness: LibraryHarness) -> None:
    registry = keep(harness, caller("key", "acme", "staff", "board"))
    assert sees(registry, caller("key", "acme", "staff", "board", "press"))
    assert sees(registry, caller(scope="admin"))
    assert not sees(registry, caller("key", "acme", "staff"))
    assert not sees(registry, caller())


def test_who_is_no_administrator_any_more_cannot_read_what_one_was_answered(harness: LibraryHarness) -> None:
    registry = keep(harness, caller(scope="admin"))
    assert not sees(registry, caller("key", "acme", "staff"))


def test_who_may_use_fewer_vector_stores_cannot_read_what_was_answered_from_others(harness: LibraryHarness) -> None:
    registry = keep(harness, caller(stores=frozenset({"vs_1", "vs_2"})))
    assert sees(registry, caller())
    assert sees(registry, caller(stores=frozenset({"vs_1", "vs_2"})))
    assert not sees(registry, caller(stores=frozenset({"vs_1"})))


def test_the_janitor_erases_expired_responses(harness: LibraryHarness) -> None:
    registry = keep(harness, caller())
    harness.runtime.janitor.run_maintenance()
    assert rows(harness) == [1, 2]
    with harness.database.write() as connection:
        connection.execute(sa.update(responses).values(expires_at=1.0))
    assert not sees(registry, caller())
    harness.runtime.janitor.run_maintenance()
    assert rows(harness) == [0, 0]


def test_a_deleted_response_is_erased(harness: LibraryHarness) -> None:
    registry = keep(harness, caller())
    with acting(caller()):
        registry.delete("resp_1")
    assert rows(harness) == [0, 0]


def test_a_long_chain_of_responses_is_not_read_to_its_beginning(
    harness: LibraryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = ResponseRegistry(harness.database, 30)
    monkeypatch.setattr("rag.library.answers.responses._MAX_HISTORY_BYTES", 2000)
    for number in range(1, 4):
        part = {**ANSWER, "id": f"msg_{number}", "text": "a" * 1000}
        registry.insert(NewResponse(f"resp_{number}", {}, [], [part], f"resp_{number - 1}"))
    history = registry.earlier_turns(TurnsQuery("resp_3")).history
    assert [item["id"] for item in history] == ["msg_2", "msg_3"]
