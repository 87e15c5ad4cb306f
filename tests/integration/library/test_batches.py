"""Batches of requests as edges and the Retriever work on them, over both databases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from rag.auth.caller import Caller
from rag.auth.key import NewKey
from rag.auth.limits import NO_LIMITS, Limits
from rag.catalog.batches import unfinished
from rag.catalog.tables.batch_tables import batch_lines, batches
from rag.errors import Conflict, FileNotFound, InvalidRequest, NotFound, QuotaExceeded, RateLimitExceeded
from rag.library.batches.exchange import AssignedLine, FinishedLine, ReleasedLine, Report
from rag.library.batches.registry import BatchRegistry
from rag.library.batches.work import BatchLimits, BatchWork
from rag.library.keys import KeyRegistry
from rag.records import DAY_S, BatchRecord, Cursor, NewBatch
from tests.support.acting import acting, finds
from tests.support.files.batch_files import chat_line, jsonl
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def a_caller(key_id: str = "", tenant: str = "acme", **options: Any) -> Caller:
    return Caller(key_id, tenant, frozenset({"ask", "ingest"}), **options)


class Batching:
    """Batches in a catalog, and edges that work on them."""

    def __init__(self, harness: LibraryHarness, limits: BatchLimits | None = None) -> None:
        self.harness = harness
        self.registry = BatchRegistry(harness.database)
        self.work = BatchWork(harness.database, harness.blobs, limits)

    def create(self, lines: int = 3, **options: Any) -> BatchRecord:
        requests = [chat_line(f"line {number}", f"Question {number}") for number in range(1, lines + 1)]
        return self.create_of(jsonl(requests), **options)

    def create_of(self, content: bytes, purpose: str = "batch", **options: Any) -> BatchRecord:
        file = self.harness.library.add_file(self.harness.upload("in.jsonl", content.decode()), purpose)
        return self.registry.create(
            NewBatch(CHAT, file.file_id, **{"metadata": {}, "output_expiry_s": 3600, **options})
        )

    def begin(self, lines: int = 3) -> str:
        """The id of a batch that is in progress."""
        batch_id = self.create(lines).id
        self.advance()
        assert self.state(batch_id) == "in_progress"
        return batch_id

    def advance(self) -> None:
        self.work.advance(lambda _, name: name == "rag")

    def state(self, batch_id: str) -> str:
        return self.registry.get(batch_id).state

    def exchange(
        self, worker: str = "edge", *, wanted: int = 100, **report: Any
    ) -> tuple[list[AssignedLine], list[Any]]:
        assignment = self.work.exchange(Report(worker, wanted=wanted, **report))
        return list(assignment.lines), list(assignment.dropped)

    def run_all(self, worker: str = "edge") -> None:
        """Run lines until the edge gets no more."""
        finished: list[FinishedLine] = []
        while lines := self.exchange(worker, finished=finished)[0]:
            finished = [answered(line) for line in lines]

    def output(self, file_id: str | None) -> list[dict[str, Any]]:
        if file_id is None:
            return []
        return [json.loads(line) for line in self.harness.library.content(file_id).read_text().splitlines()]

    def results(self, batch_id: str) -> tuple[list[Any], list[Any]]:
        batch = self.registry.get(batch_id)
        return self.output(batch.output_file_id), self.output(batch.error_file_id)

    def set(self, table: sa.Table, **values: object) -> None:
        with self.harness.database.write() as connection:
            connection.execute(sa.update(table).values(values))

    def rows(self, table: sa.Table) -> int:
        with self.harness.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@pytest.fixture
def batching(harness: LibraryHarness) -> Batching:
    return Batching(harness)


def answered(line: AssignedLine, status: int = 200) -> FinishedLine:
    body = {"asked": json.loads(line.body)["messages"][0]["content"], "usage": USAGE}
    return FinishedLine(line.key, status, {"status_code": status, "request_id": "req", "body": body})


def keys(lines: Iterable[AssignedLine]) -> list[tuple[str, int]]:
    return [line.key for line in lines]


def custom_ids(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["custom_id"] for line in lines]


# --- from beginning to end ----------------------------------------------------------------------


def test_a_batch_is_validated_run_and_written(batching: Batching) -> None:
    created = batching.create(5, metadata={"a": "b"})
    assert (created.state, created.total, created.metadata) == ("validating", 0, {"a": "b"})
    assert created.deadline_at == created.created_at + DAY_S
    assert batching.exchange() == ([], [])
    batching.advance()
    lines, _ = batching.exchange()
    assert [line.endpoint for line in lines] == [CHAT] * 4  # the limit of a tenant
    finished = [answered(line, 400 if line.key[1] == 2 else 200) for line in lines]
    [last], _ = batching.exchange(finished=finished)
    running = batching.registry.get(created.id)
    assert (running.state, running.total, running.completed, running.failed) == ("in_progress", 5, 3, 1)
    assert batching.results(created.id) == ([], [])
    batching.exchange(finished=[answered(last)])
    batching.advance()
    assert batching.state(created.id) == "finalizing"
    batching.advance()
    done = batching.registry.get(created.id)
    assert (done.state, done.completed, done.failed, done.model) == ("completed", 4, 1, "rag")
    assert done.usage is not None
    assert (done.usage["input_tokens"], done.usage["output_tokens"], done.usage["total_tokens"]) == (15, 10, 25)
    good, bad = batching.results(created.id)
    assert custom_ids(good) == ["line 1", "line 3", "line 4", "line 5"]
    assert [line["response"]["body"]["asked"] for line in good] == [f"Question {n}" for n in (1, 3, 4, 5)]
    assert (custom_ids(bad), bad[0]["error"], bad[0]["response"]["status_code"]) == (["line 2"], None, 400)
    assert len({line["id"] for line in good + bad}) == 5
    file = batching.harness.library.file(str(done.output_file_id))
    assert (file.purpose, file.bytes > 0, file.expires_at) == ("batch_output", True, file.created_at + 3600)
    assert batching.rows(batch_lines) == 0


def test_a_file_that_is_not_valid_fails_the_batch(batching: Batching) -> None:
    batch_id = batching.create_of(jsonl([chat_line("1", "a"), chat_line("1", "b")])).id
    batching.work.advance(None)
    assert batching.state(batch_id) == "validating"  # the models are not known
    batching.advance()
    failed = batching.registry.get(batch_id)
    assert (failed.state, [(error["code"], error["line"]) for error in failed.errors]) == (
        "failed",
        [("duplicate_custom_id", 2)],
    )
    assert failed.ended_at is not None
    assert batching.exchange() == ([], [])


@pytest.mark.parametrize("purpose", ["assistants", "batch_output"])
def test_only_files_for_batches_are_accepted(batching: Batching, purpose: str) -> None:
    with pytest.raises(InvalidRequest, match=f"has the purpose {purpose}") as caught:
        batching.create_of(b"{}", purpose)
    assert caught.value.param == "input_file_id"
    with pytest.raises(FileNotFound) as missing:
        batching.registry.create(NewBatch(CHAT, "file-0", {}, 3600))
    assert missing.value.param == "input_file_id"


def test_the_input_file_can_be_deleted_and_its_bytes_stay_until_the_end(batching: Batching) -> None:
    batch_id = batching.begin()
    batching.harness.library.delete_file(batching.registry.get(batch_id).input_file_id)
    batching.harness.clean()
    batching.run_all()
    for _ in range(2):
        batching.advance()
    assert len(batching.results(batch_id)[0]) == 3
    batching.harness.clean()
    blobs = [path for path in batching.harness.blobs.incoming.parent.rglob("*") if path.is_file()]
    assert len(blobs) == 1  # the output


# --- exactly once -------------------------------------------------------------------------------


def test_a_line_of_a_dead_edge_is_given_to_another_when_its_claim_has_passed(batching: Batching) -> None:
    batching.begin()
    lost, _ = batching.exchange("dead")
    assert batching.exchange("alive") == ([], [])
    batching.set(batch_lines, claimed_until=1.0)
    taken, _ = batching.exchange("alive")
    assert keys(taken) == keys(lost)
    batching.exchange("alive", running=keys(taken))
    back, dropped = batching.exchange("dead", running=keys(lost))
    assert (back, sorted(dropped)) == ([], sorted(keys(lost)))


def test_a_restarted_retriever_leaves_lines_with_the_edge_that_runs_them(batching: Batching) -> None:
    batching.begin()
    lines, _ = batching.exchange("edge")
    batching.set(batch_lines, claimed_by=None, claimed_until=None)
    assert batching.exchange("edge", running=keys(lines)) == ([], [])
    assert batching.exchange("other") == ([], [])


def test_with_sqlite_a_restart_ends_all_claims(batching: Batching) -> None:
    batching.begin()
    lines, _ = batching.exchange("dead")
    batching.set(batches, held_until=1e12)
    batching.work.resume()
    taken, _ = batching.exchange("alive")
    is_sqlite = batching.harness.database.is_sqlite  # with PostgreSQL, other processes may be at work
    assert keys(taken) == (keys(lines) if is_sqlite else [])


def test_only_the_first_result_of_a_line_counts(batching: Batching) -> None:
    batch_id = batching.begin(1)
    [line], _ = batching.exchange("slow")
    batching.set(batch_lines, claimed_until=1.0)
    batching.exchange("fast")
    for worker, status in (("fast", 200), ("slow", 400), ("fast", 200)):
        batching.exchange(worker, finished=[answered(line, status)])
    batch = batching.registry.get(batch_id)
    assert (batch.completed, batch.failed) == (1, 0)
    for _ in range(3):
        batching.advance()
    good, bad = batching.results(batch_id)
    assert (custom_ids(good), bad) == (["line 1"], [])


def test_a_result_after_the_end_is_ignored(batching: Batching) -> None:
    batch_id = batching.begin(2)
    lines, _ = batching.exchange()
    batching.exchange(finished=[answered(lines[0])], running=keys(lines[1:]))
    batching.registry.cancel(batch_id)
    _, dropped = batching.exchange(finished=[answered(lines[1])], running=keys(lines))
    assert sorted(dropped) == sorted(keys(lines))
    batching.advance()
    good, bad = batching.results(batch_id)
    assert (custom_ids(good), custom_ids(bad), bad[0]["error"]["code"]) == (["line 1"], ["line 2"], "batch_cancelled")
    batch = batching.registry.get(batch_id)
    assert (batch.state, batch.total, batch.completed, batch.failed) == ("cancelled", 2, 1, 1)


def test_two_processes_that_write_the_same_files_make_one(batching: Batching) -> None:
    batch_id = batching.begin(1)
    batching.run_all()
    batching.advance()
    other = BatchWork(batching.harness.database, batching.harness.blobs)
    with batching.harness.database.read() as connection:
        [row] = unfinished(connection)
    other._write_files(row)
    with pytest.raises(Exception, match="another process has ended it"):
        batching.work._write_files(row)
    files = batching.harness.library.files(Cursor(100), "batch_output").rows
    assert [file.file_id for file in files] == [batching.registry.get(batch_id).output_file_id]
    assert list(batching.harness.blobs.incoming.iterdir()) == []


# --- pauses, limits and turns -------------------------------------------------------------------


def test_a_released_line_waits_with_its_batch_and_then_comes_after_the_others(batching: Batching) -> None:
    batching.begin(6)
    first, *rest = batching.exchange(wanted=2)[0]
    assert batching.exchange(running=keys(rest), released=[ReleasedLine(first.key, 60.0)]) == ([], [])
    batching.set(batches, paused_until=0.0)
    lines, _ = batching.exchange(running=keys(rest))
    assert [number for _, number in keys(lines)] == [3, 4, 5]
    more, _ = batching.exchange(running=keys(rest), finished=[answered(line) for line in lines])
    assert [number for _, number in keys(more)] == [6, 1]


def test_a_line_that_is_released_without_a_pause_is_given_out_at_once(batching: Batching) -> None:
    batching.begin(1)
    [line], _ = batching.exchange("draining")
    batching.exchange("draining", wanted=0, released=[ReleasedLine(line.key, 0.0)])
    assert keys(batching.exchange("other")[0]) == [line.key]


def test_the_lines_that_run_at_once_are_limited_for_all_and_for_each_tenant(harness: LibraryHarness) -> None:
    batching = Batching(harness, BatchLimits(lines_at_once=5, tenant_lines_at_once=3))
    given = {}
    for tenant in ("acme", "umbra"):
        with acting(a_caller(tenant=tenant)):
            batch_id = batching.create(10).id
        batching.advance()
        given[tenant] = keys(batching.exchange(tenant)[0])
        assert {key[0] for key in given[tenant]} == {batch_id}
    assert {tenant: len(lines) for tenant, lines in given.items()} == {"acme": 3, "umbra": 2}
    batching.set(batch_lines, claimed_until=None)
    owners = [key[0] for key in keys(batching.exchange("three")[0])]
    assert sorted(map(owners.count, set(owners))) == [2, 3]


def test_the_lines_run_for_the_caller_of_the_batch_in_a_queue_of_their_own(batching: Batching) -> None:
    caller = a_caller("token:1", groups=frozenset({"night"}))
    with acting(caller):
        batching.create(1)
    batching.advance()
    [line], _ = batching.exchange()
    assert replace(line.caller, in_background=False) == caller
    assert line.caller.is_background
    assert line.caller.queue != caller.queue


def test_edges_that_ask_at_the_same_time_get_different_lines(harness: LibraryHarness) -> None:
    batching = Batching(harness, BatchLimits(lines_at_once=9, tenant_lines_at_once=9))
    batching.begin(50)
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda number: batching.exchange(f"edge {number}", wanted=4)[0], range(6)))
    claimed = [key for lines in given for key in keys(lines)]
    assert len(set(claimed)) == len(claimed) == 9


# --- how batches end ----------------------------------------------------------------------------


def test_a_batch_expires_after_its_window(batching: Batching) -> None:
    batch_id = batching.begin(2)
    lines, _ = batching.exchange()
    batching.exchange(finished=[answered(lines[0])], running=keys(lines[1:]), wanted=0)
    batching.set(batches, deadline_at=1.0)
    for _ in range(2):
        batching.advance()
    batch = batching.registry.get(batch_id)
    assert (batch.state, batch.completed, batch.failed) == ("expired", 1, 1)
    good, bad = batching.results(batch_id)
    assert (custom_ids(good), custom_ids(bad), bad[0]["error"]["code"]) == (["line 1"], ["line 2"], "batch_expired")


@pytest.mark.parametrize("state", ["validating", "in_progress"])
def test_a_batch_is_cancelled(batching: Batching, state: str) -> None:
    batch_id = batching.create(2).id if state == "validating" else batching.begin(2)
    assert batching.registry.cancel(batch_id).state == "cancelling"
    assert batching.registry.cancel(batch_id).state == "cancelling"
    assert batching.exchange() == ([], [])
    batching.advance()
    assert batching.registry.cancel(batch_id).state == "cancelled"
    assert len(batching.results(batch_id)[1]) == (0 if state == "validating" else 2)


def test_a_batch_that_has_ended_cannot_be_cancelled(batching: Batching) -> None:
    batch_id = batching.create_of(b"{").id
    batching.advance()
    with pytest.raises(Conflict, match="cannot cancel the batch, which is failed"):
        batching.registry.cancel(batch_id)


def test_a_revoked_key_ends_its_batches(batching: Batching) -> None:
    registry = KeyRegistry(batching.harness.database)
    key = registry.create(NewKey("batches", ["ask", "ingest"])).record
    with acting(key.caller):
        batch_id = batching.begin(2)
    [line] = batching.exchange(wanted=1)[0]
    assert line.caller.key_id == key.key_id
    registry.revoke(key.key_id)
    assert batching.exchange(finished=[answered(line)]) == ([], [])
    for _ in range(2):
        batching.advance()
    batch = batching.registry.get(batch_id)
    assert (batch.state, [error["code"] for error in batch.errors]) == ("failed", ["invalid_api_key"])
    good, bad = batching.results(batch_id)
    assert (custom_ids(good), custom_ids(bad), bad[0]["error"]["code"]) == (["line 1"], ["line 2"], "invalid_api_key")


def test_a_failure_is_tried_again(batching: Batching, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = batching.begin(1)
    batching.run_all()
    batching.advance()
    lines = BatchWork._lines

    def fail(*_: object) -> None:
        raise OSError("the disk failed")

    monkeypatch.setattr(BatchWork, "_lines", fail)
    batching.advance()
    monkeypatch.setattr(BatchWork, "_lines", lines)
    batching.advance()
    assert batching.state(batch_id) == "finalizing"  # it is held for a while
    batching.set(batches, held_until=0.0)
    batching.advance()
    assert batching.state(batch_id) == "completed"
    assert list(batching.harness.blobs.incoming.iterdir()) == []


def test_the_janitor_erases_old_batches(batching: Batching) -> None:
    batch_id = batching.create_of(b"{").id
    batching.advance()
    batching.harness.runtime.janitor.run_maintenance()
    assert batching.state(batch_id) == "failed"
    batching.set(batches, expires_at=1.0)
    batching.harness.runtime.janitor.run_maintenance()
    assert batching.rows(batches) == 0


def test_a_batch_that_cannot_be_validated_in_time_fails(batching: Batching) -> None:
    batch_id = batching.create().id
    batching.set(batches, deadline_at=1.0)
    batching.work.advance(None)
    assert [error["code"] for error in batching.registry.get(batch_id).errors] == ["batch_expired"]


def test_a_batch_whose_bytes_are_missing_fails_and_stops_no_other(batching: Batching) -> None:
    ids = [batching.begin(2), batching.begin(2)]
    file_id = batching.registry.get(ids[0]).input_file_id
    batching.harness.library.content(file_id).unlink()
    lines, _ = batching.exchange()
    assert [key[0] for key in keys(lines)] == [ids[1]] * 2
    batching.advance()
    batch = batching.registry.get(ids[0])
    assert (batch.state, [error["code"] for error in batch.errors]) == ("failed", ["file_not_found"])


# --- who sees what, and how much ----------------------------------------------------------------


def test_others_find_neither_a_batch_nor_its_output(batching: Batching) -> None:
    night, library = frozenset({"night"}), batching.harness.library
    with acting(a_caller("token:1", groups=night)):
        batch_id = batching.create(1).id
    batching.advance()
    batching.run_all()
    for _ in range(2):
        batching.advance()
    output = str(batching.registry.get(batch_id).output_file_id)

    def may_see(caller: Caller) -> bool:
        return finds(
            caller,
            (
                lambda: batching.registry.get(batch_id),
                lambda: library.file(output),
                lambda: library.content(output),
                lambda: _listed(batching, batch_id, output),
            ),
        )

    assert may_see(a_caller("token:1", groups=night))
    assert not may_see(a_caller("token:1"))
    assert not may_see(a_caller("token:1", "umbra", groups=night))
    assert not may_see(a_caller("token:2", groups=night))
    assert may_see(Caller("key_9", "acme", frozenset({"admin"})))
    assert not may_see(Caller("key_9", "umbra", frozenset({"admin"})))
    assert not may_see(a_caller("token:1", groups=night, stores=frozenset({"vs_1"})))


def _listed(batching: Batching, batch_id: str, file_id: str) -> None:
    listed = {batch.id for batch in batching.registry.page(Cursor(100)).rows}
    listed |= {file.file_id for file in batching.harness.library.files(Cursor(100)).rows}
    if not {batch_id, file_id} <= listed:
        raise NotFound("not listed")


def acting_with(limits: Limits = NO_LIMITS) -> AbstractContextManager[None]:
    return acting(a_caller("key_1", key_limits=limits))


def test_batches_count_as_unfinished_jobs(batching: Batching) -> None:
    with acting_with(Limits(max_unfinished_jobs=1)):
        batch_id = batching.create().id
        with pytest.raises(RateLimitExceeded, match="at most 1 unfinished jobs and batches"):
            batching.create()
        batching.registry.cancel(batch_id)
        batching.advance()
        batching.create()


def test_no_batch_is_accepted_without_room_for_its_output(batching: Batching) -> None:
    with acting_with(Limits(max_stored_bytes=10_000)):
        batching.create()
    size = batching.harness.library.files(Cursor(10)).rows[0].bytes
    with acting_with(Limits(max_stored_bytes=2 * size)), pytest.raises(QuotaExceeded):
        batching.create()


def test_batches_are_listed_newest_first(batching: Batching) -> None:
    ids = [batching.create().id for _ in range(3)]
    page = batching.registry.page(Cursor(2))
    assert ([batch.id for batch in page.rows], page.has_more) == ([ids[2], ids[1]], True)
    assert [batch.id for batch in batching.registry.page(Cursor(2, after=ids[1])).rows] == [ids[0]]
