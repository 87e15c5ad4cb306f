"""Responses in the background over both databases: who generates them, and that each of them ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rag.auth.caller import Caller, caller_from_header, caller_to_header
from rag.auth.key import NewKey
from rag.auth.limits import Limits
from rag.catalog.database import Database
from rag.catalog.tables.schema import background_responses, items, response_events, responses
from rag.errors import InvalidRequest, NotFound, QuotaExceeded, RateLimitExceeded
from rag.library.answers.background import BackgroundRegistry
from rag.library.answers.responses import ResponseRegistry
from rag.library.keys import KeyRegistry
from rag.records import LeasedResponse, NewResponse, NewWork, WrittenPart
from tests.support.acting import acting, finds
from tests.support.catalogs import a_catalog
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration

QUESTION = {"id": "msg_1", "type": "message", "role": "user", "content": []}
ANSWER = {"id": "msg_2", "type": "message", "role": "assistant", "content": []}
DELTA: Any = ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "a"})
FIRST: Any = [("response.created", {}), ("response.queued", {})]


def caller(key: str = "key", tenant: str = "acme", **limits: int) -> Caller:
    return Caller(key, tenant, frozenset(["ask"]), key_limits=Limits(**limits))


def enqueue(
    registry: BackgroundRegistry, response_id: str, asker: Caller | None = None, *, streams: bool = True
) -> None:
    asker = asker or caller()
    body = {"id": response_id, "status": "queued"}
    work = NewWork(response_id, {"input": "?"}, caller_to_header(asker), "request", streams, FIRST)
    with acting(asker):
        registry.enqueue(NewResponse(response_id, body, [QUESTION], []), work)


def lease(registry: BackgroundRegistry) -> LeasedResponse:
    leased = registry.lease()
    assert leased is not None
    return leased


def write(registry: BackgroundRegistry, leased: LeasedResponse, **part: Any) -> bool:
    with acting(caller_from_header(leased.caller)):
        return registry.write(WrittenPart(leased.response_id, leased.lease, **part))


def final(leased: LeasedResponse, status: str = "completed") -> dict[str, Any]:
    return {**leased.response, "status": status, "output": [ANSWER]}


def expire_leases(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.update(background_responses).values(leased_until=1.0, not_before=1.0))


def status_of(database: Database, response_id: str, asker: Caller | None = None) -> str:
    with acting(asker or caller()):
        return str(ResponseRegistry(database, 30).get(response_id)["status"])


def numbers(registry: BackgroundRegistry, response_id: str) -> list[int]:
    with acting(caller()):
        return [body["sequence_number"] for _, body in registry.events(response_id, -1).events]


def bytes_of(database: Database, response_id: str) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(responses.c.bytes).where(responses.c.id == response_id)).scalar_one())


@pytest.fixture
def registry(harness: LibraryHarness) -> BackgroundRegistry:
    return BackgroundRegistry(harness.database, 30)


def test_a_response_is_leased_once_and_written(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    assert registry.lease() is None
    enqueue(registry, "resp_1")
    assert status_of(harness.database, "resp_1") == "queued"
    leased = lease(registry)
    assert (leased.response_id, leased.request, leased.attempts) == ("resp_1", {"input": "?"}, 1)
    assert caller_from_header(leased.caller) == replace(caller(), in_background=True)
    assert registry.lease() is None
    assert status_of(harness.database, "resp_1") == "in_progress"
    assert write(registry, leased, events=[DELTA], last_number=1)
    assert write(registry, leased, events=[DELTA, DELTA], last_number=1)  # the first was written already
    assert numbers(registry, "resp_1") == [0, 1, 2, 3]
    assert write(registry, leased, events=[DELTA], last_number=3, final=final(leased))
    assert not write(registry, leased)
    assert registry.lease() is None
    with acting(caller()):
        kept = ResponseRegistry(harness.database, 30).get("resp_1")
        page = registry.events("resp_1", 2)
    assert (kept["status"], kept["output"]) == ("completed", [ANSWER])
    assert ([body["sequence_number"] for _, body in page.events], page.is_last) == ([3, 4], True)


def test_who_has_lost_its_lease_writes_nothing_more(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    enqueue(registry, "resp_1")
    first = lease(registry)
    assert write(registry, first, events=[DELTA], last_number=1)
    expire_leases(harness.database)
    second = lease(registry)
    assert (second.attempts, second.last_number) == (2, 2)
    assert numbers(registry, "resp_1") == [0, 1]  # what the first has written is void; its number stays used
    assert not write(registry, first, final=final(first, "incomplete"))
    assert write(registry, second, events=[DELTA], last_number=2, final=final(second))
    assert numbers(registry, "resp_1") == [0, 1, 3]
    assert status_of(harness.database, "resp_1") == "completed"


def test_an_attempt_is_given_up_and_begun_again_later(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    enqueue(registry, "resp_1")
    assert write(registry, leased := lease(registry), retry_after_s=60.0, is_counted=False)
    assert not write(registry, leased)
    assert (status_of(harness.database, "resp_1"), registry.lease()) == ("queued", None)
    expire_leases(harness.database)
    assert lease(registry).attempts == 1


def test_callers_take_turns(registry: BackgroundRegistry) -> None:
    one, other = caller("one"), caller("other")
    for number in range(3):
        enqueue(registry, f"resp_{number}", one)
    enqueue(registry, "resp_9", other)
    order = []
    for _ in range(4):
        order.append((leased := lease(registry)).response_id)
        write(registry, leased, final=final(leased))
    assert order == ["resp_0", "resp_9", "resp_1", "resp_2"]


@pytest.mark.parametrize("is_running", [False, True])
def test_a_cancelled_response_is_not_generated(
    harness: LibraryHarness, registry: BackgroundRegistry, is_running: bool
) -> None:
    enqueue(registry, "resp_1")
    leased = lease(registry) if is_running else None
    with acting(caller()):
        assert registry.cancel("resp_1")["status"] == "cancelled"
        name, body = registry.events("resp_1", 1).events[-1]
    assert (name, body["response"]["status"], body["sequence_number"]) == ("response.incomplete", "cancelled", 2)
    assert registry.lease() is None
    assert leased is None or not write(registry, leased, final=final(leased))
    assert status_of(harness.database, "resp_1") == "cancelled"


def test_a_response_is_that_of_its_key(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    enqueue(registry, "resp_1")
    operations = (lambda: registry.events("resp_1", -1), lambda: registry.cancel("resp_1"))
    assert not finds(caller("another"), operations)
    assert not finds(caller(tenant="umbra"), operations)
    assert finds(caller(), operations)
    with acting(caller()), pytest.raises(NotFound):
        registry.cancel("resp_2")
    ResponseRegistry(harness.database, 30).insert(NewResponse("resp_2", {"id": "resp_2"}, [], []))
    for call in (registry.cancel, lambda response_id: registry.events(response_id, -1)):
        with pytest.raises(InvalidRequest, match="background"):
            call("resp_2")


def test_its_key_may_do_what_it_may_do_now(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    keys = KeyRegistry(harness.database)
    key = keys.create(NewKey("one", ["ask"], groups=["staff"])).record
    asker = Caller(key.key_id, "default", frozenset(["ask", "generate"]), groups=frozenset(["staff", "board"]))
    enqueue(registry, "resp_1", asker)
    enqueue(registry, "resp_2", asker)
    present = caller_from_header((leased := lease(registry)).caller)
    assert (present.groups, present.scopes, leased.refusal) == (frozenset(["staff"]), frozenset(["ask"]), "")
    keys.revoke(key.key_id)
    assert lease(registry).refusal == "the API key is revoked"


def test_a_caller_may_have_so_many_unfinished_ones(registry: BackgroundRegistry) -> None:
    asker = caller(max_unfinished_responses=2)
    for number in range(2):
        enqueue(registry, f"resp_{number}", asker)
    with pytest.raises(RateLimitExceeded, match="at most 2 unfinished responses"):
        enqueue(registry, "resp_2", asker)
    enqueue(registry, "resp_2", caller("another"))
    write(registry, leased := lease(registry), final=final(leased))
    enqueue(registry, "resp_3", asker)


def test_what_is_kept_counts_for_the_quota(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    enqueue(registry, "resp_1")
    before = bytes_of(harness.database, "resp_1")
    leased = lease(registry)
    write(registry, leased, events=[DELTA] * 10, last_number=1)
    assert bytes_of(harness.database, "resp_1") > before + 300
    expire_leases(harness.database)
    leased = lease(registry)
    assert before <= bytes_of(harness.database, "resp_1") < before + 20
    asker = caller(max_kept_bytes=before + 100)
    with acting(asker), pytest.raises(QuotaExceeded):
        registry.write(WrittenPart("resp_1", leased.lease, [DELTA] * 10, 11))
    with acting(asker), pytest.raises(QuotaExceeded):
        registry.write(WrittenPart("resp_1", leased.lease, final={**final(leased), "output": [ANSWER] * 9}))
    with acting(asker):
        failed = {**leased.response, "status": "failed", "output": [], "error": "the quota is used up " * 9}
        assert registry.write(WrittenPart("resp_1", leased.lease, final=failed))
    with pytest.raises(QuotaExceeded):
        enqueue(registry, "resp_2", asker)


def test_a_deleted_or_expired_response_leaves_nothing(harness: LibraryHarness, registry: BackgroundRegistry) -> None:
    for response_id in ("resp_1", "resp_2"):
        enqueue(registry, response_id)
    first, second = lease(registry), lease(registry)
    with acting(caller()):
        ResponseRegistry(harness.database, 30).delete("resp_1")
    with harness.database.write() as connection:
        connection.execute(sa.update(responses).values(expires_at=1.0))
    harness.runtime.janitor.run_maintenance()
    assert not write(registry, first, final=final(first))
    assert not write(registry, second, events=[DELTA])
    with harness.database.read() as connection:
        for table in (responses, background_responses, response_events, items):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0


# --- whatever happens, each response ends ---------------------------------------------------------

TERMINAL = ("response.completed", "response.incomplete", "error")
ACTIONS = ("enqueue", "lease", "write", "finish", "fail", "give up", "kill", "cancel", "delete")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = a_catalog(tmp_path_factory.mktemp("background"))
    yield opened
    opened.close()


@given(actions=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3)), max_size=40))
def test_each_accepted_response_ends(database: Database, actions: list[tuple[str, int]]) -> None:
    """Processes are killed, responses cancelled and deleted in any order. At last one process works undisturbed.

    Args:
        actions: What is done, and to which of the responses or leases.
    """
    registry, kept = BackgroundRegistry(database, 30), ResponseRegistry(database, 30)
    with database.write() as connection:
        for table in (responses, background_responses, response_events, items):
            connection.execute(sa.delete(table))
    ids: list[str] = []
    deleted: set[str] = set()
    ended: dict[str, str] = {}
    leases: list[LeasedResponse] = []

    def note_end(response_id: str) -> None:
        if response_id not in deleted and status_of(database, response_id) not in ("queued", "in_progress"):
            assert ended.setdefault(response_id, state := status_of(database, response_id)) == state

    def act(action: str, number: int) -> None:
        if action == "enqueue":
            enqueue(registry, response_id := f"resp_{len(ids)}", streams=number % 2 == 0)
            ids.append(response_id)
        elif action == "kill":
            expire_leases(database)
        elif action == "lease":
            leases.extend(filter(None, [registry.lease()]))
        elif action in ("cancel", "delete") and ids:
            response_id = ids[number % len(ids)]
            if response_id in deleted:
                return
            with acting(caller()):
                (registry.cancel if action == "cancel" else kept.delete)(response_id)
            deleted.update([response_id] if action == "delete" else [])
        elif leases:
            _use(registry, leases[number % len(leases)], action)

    for action, number in actions:
        act(action, number)
        for response_id in ids:
            note_end(response_id)
    expire_leases(database)
    while (leased := registry.lease()) is not None:
        _use(registry, leased, "finish")
    for response_id in set(ids) - deleted:
        note_end(response_id)
        assert response_id in ended
        with acting(caller()):
            if (names := _event_names(registry, response_id)) is not None:
                assert (names[0], [name for name in names if name in TERMINAL]) == ("response.created", names[-1:])
    for leased in leases:
        assert not write(registry, leased, final=final(leased))


def _use(registry: BackgroundRegistry, leased: LeasedResponse, action: str) -> None:
    parts: dict[str, dict[str, Any]] = {
        "write": {"events": [DELTA]},
        "finish": {"events": [DELTA, ("response.completed", {})], "final": final(leased)},
        "fail": {"events": [("response.failed", {}), ("error", {})], "final": final(leased, "failed")},
        "give up": {"retry_after_s": 0.0},
    }
    if action in parts:  # a process knows what it has written
        with_number = {"last_number": _last_number(registry, leased)} if "events" in parts[action] else {}
        write(registry, leased, **parts[action], **with_number)


def _last_number(registry: BackgroundRegistry, leased: LeasedResponse) -> int:
    with registry._database.read() as connection:
        column = background_responses.c.last_number
        found = connection.execute(sa.select(column).where(background_responses.c.id == leased.response_id)).scalar()
    return leased.last_number if found is None else int(found)


def _event_names(registry: BackgroundRegistry, response_id: str) -> list[str] | None:
    """None if its events are not kept."""
    try:
        page = registry.events(response_id, -1)
    except InvalidRequest:
        return None
    assert page.is_last
    found = [body["sequence_number"] for _, body in page.events]
    assert found == sorted(set(found))
    return [name for name, _ in page.events]
