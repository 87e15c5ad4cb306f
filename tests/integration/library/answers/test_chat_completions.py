"""Kept chat completions over both databases: whose they are, how they are found, and when they are erased."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from rag.auth.caller import Caller
from rag.auth.limits import NO_LIMITS, Limits
from rag.catalog.tables.schema import chat_completions, items
from rag.errors import NotFound, QuotaExceeded
from rag.library.answers.chat_completions import CompletionRegistry
from rag.records import Cursor, NewCompletion
from tests.support.acting import acting, finds
from tests.support.library_harness import ALL, LibraryHarness

pytestmark = pytest.mark.integration

MESSAGE = {"id": "chatcmpl-1-0", "role": "user", "content": "\0 ?"}


def caller(key: str = "key", tenant: str = "acme", *groups: str, limits: Limits = NO_LIMITS) -> Caller:
    return Caller(key, tenant, frozenset(["ask"]), None, limits, groups=frozenset(groups))


def completion(number: int, model: str = "rag", **metadata: str) -> NewCompletion:
    completion_id = f"chatcmpl-{number}"
    return NewCompletion(completion_id, model, {"id": completion_id}, [MESSAGE], metadata)


@pytest.fixture
def registry(harness: LibraryHarness) -> CompletionRegistry:
    return CompletionRegistry(harness.database, 30)


def sees(registry: CompletionRegistry, other: Caller) -> bool:
    """Whether a caller finds the first completion; all operations agree."""
    operations = (
        lambda: registry.get("chatcmpl-1"),
        lambda: registry.update("chatcmpl-1", {}),
        lambda: registry.message_page("chatcmpl-1", Cursor(10)),
    )
    found = finds(other, operations)
    with acting(other):
        assert bool(registry.page(ALL, None, {}).rows) == found
    return found


def rows(harness: LibraryHarness) -> list[int]:
    """The numbers of completions and of messages."""
    count = sa.func.count()
    with harness.database.read() as connection:
        selects = [sa.select(count).select_from(table) for table in (chat_completions, items)]
        return [connection.execute(each).scalar_one() for each in selects]


def test_a_completion_is_that_of_its_key(harness: LibraryHarness, registry: CompletionRegistry) -> None:
    with acting(caller("key", "acme", "staff")):
        registry.insert(completion(1))
        assert registry.message_page("chatcmpl-1", ALL).rows == [MESSAGE]
    assert sees(registry, caller("key", "acme", "staff", "board"))
    assert not sees(registry, caller("key", "acme", "board"))
    assert not sees(registry, caller("key", "umbra", "staff"))
    assert not sees(registry, caller("another", "acme", "staff"))
    with acting(caller("another", "acme", "staff")), pytest.raises(NotFound):
        registry.delete("chatcmpl-1")
    assert rows(harness) == [1, 1]


def test_completions_are_found_by_model_and_metadata(registry: CompletionRegistry) -> None:
    with acting(caller()):
        registry.insert(completion(1, "rag", team="a", **{"it's $.x": "b'c"}))
        registry.insert(completion(2, "rag", team="b"))
        registry.insert(completion(3, "other", team="a"))
        for model, metadata, numbers in (
            ("rag", {}, [1, 2]),
            (None, {"team": "a"}, [1, 3]),
            ("rag", {"team": "a", "it's $.x": "b'c"}, [1]),
            (None, {"absent": "a"}, []),
        ):
            found = registry.page(ALL, model, metadata).rows
            assert [row["id"] for row in found] == [f"chatcmpl-{number}" for number in numbers]


def test_completions_expire_and_count_for_the_quota(harness: LibraryHarness, registry: CompletionRegistry) -> None:
    with acting(caller(limits=Limits(max_kept_bytes=500))):
        registry.insert(completion(1))
        with pytest.raises(QuotaExceeded):
            registry.insert(completion(2))
    with harness.database.write() as connection:
        connection.execute(sa.update(chat_completions).values(expires_at=1.0))
    assert not sees(registry, caller())
    harness.runtime.janitor.run_maintenance()
    assert rows(harness) == [0, 0]
