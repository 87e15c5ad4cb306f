from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import (
    Conflict,
    DependencyUnavailable,
    EmbeddingMismatch,
    FileNotFound,
    InvalidRequest,
    NotFound,
    VectorStoreNotFound,
)
from rag.records import Attachment, Cursor, NewStore
from tests.fakes import FakeEmbedder, FakeEmbedders, FakeVectorStore
from tests.house import STORE, House, a_house
from tests.postgres import new_database, postgres

__all__ = ["postgres"]
pytestmark = pytest.mark.integration

ALL = Cursor(100, "asc")


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    url = new_database(request.getfixturevalue("postgres")) if request.param == "postgresql" else None
    with a_house(tmp_path, url=url) as house:
        yield house


def file_id(house: House, name: str, store: str = STORE) -> str:
    return next(row.file_id for row in house.library.documents(store, ALL).rows if row.filename == name)


def eventually(holds: object, timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


class TestIngest:
    def test_an_uploaded_file_is_found(self, house: House) -> None:
        job = house.ingest(("a.md", "apples are red"), ("b.md", "pears are green"))
        assert (job.state, job.file_counts.completed, job.chunks_done, job.chunks_total) == ("completed", 2, 2, 2)
        assert house.texts("apples")[0] == "apples are red"
        assert house.names() == ["a.md", "b.md"]

    def test_the_same_again_changes_nothing(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        calls = len(house.embedders.default.calls)
        job = house.ingest(("a.md", "apples"))
        (row,) = house.library.job_files(job.job_id, ALL).rows
        assert (job.state, row.change, row.status) == ("completed", "unchanged", "completed")
        assert len(house.embedders.default.calls) == calls
        assert house.rows() == ["apples"]

    def test_a_new_version_takes_the_place_of_the_old(self, house: House) -> None:
        house.ingest(("a.md", "apples are red"))
        before = house.library.document(STORE, file_id(house, "a.md"))
        job = house.ingest(("a.md", "apples are green"))
        after = house.library.document(STORE, file_id(house, "a.md"))
        assert house.library.job_files(job.job_id, ALL).rows[0].change == "replaced"
        assert house.texts("apples") == ["apples are green"]
        assert (after.document_id, after.file_id) == (before.document_id, before.file_id)
        assert after.version > before.version
        house.clean()
        assert house.rows() == ["apples are green"]
        assert house.library.content(after.file_id).read_text() == "apples are green"

    def test_a_broken_file_fails_alone_and_says_why(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"), ("b.md", "broken"), ("c.md", "pears"))
        assert job.state == "completed"
        assert (job.file_counts.completed, job.file_counts.failed) == (2, 1)
        (row,) = house.library.job_files(job.job_id, ALL, "failed").rows
        assert (row.filename, row.error_code) == ("b.md", "unsupported_file")
        assert "b.md" in (row.error_message or "")

    def test_a_broken_new_version_leaves_the_old_one(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.ingest(("a.md", "broken"))
        row = house.library.document(STORE, file_id(house, "a.md"))
        assert (row.status, row.searchable) == ("failed", True)
        assert house.texts("apples") == ["apples"]
        assert house.library.content(row.file_id).read_text() == "apples"

    def test_files_keep_the_order_in_which_they_were_given(self, house: House) -> None:
        names = ["z.md", "a.md", "m.md"]
        job = house.ingest(*((name, f"text of {name}") for name in names))
        assert [row.filename for row in house.library.job_files(job.job_id, ALL).rows] == names

    def test_one_name_twice_is_refused(self, house: House) -> None:
        with pytest.raises(InvalidRequest, match=r"a\.md"):
            house.ingest(("a.md", "x"), ("a.md", "y"))

    def test_an_unknown_store_is_refused(self, house: House) -> None:
        with pytest.raises(VectorStoreNotFound):
            house.ingest(("a.md", "x"), store="nope")

    def test_two_uploads_of_the_same_bytes_at_once_make_one_document(self, house: House) -> None:
        house.parser.gate.clear()
        jobs = [house.ingest(("a.md", "apples"), wait=False) for _ in range(5)]
        house.parser.gate.set()
        states = [house.library.wait(job.job_id, 10) for job in jobs]
        assert [(job.state, job.file_counts.completed) for job in states] == [("completed", 1)] * 5
        assert house.parser.parsed == ["a.md"]
        assert house.rows() == ["apples"]

    def test_the_last_accepted_version_wins_whichever_is_done_first(self, house: House) -> None:
        house.parser.gate.clear()
        with ThreadPoolExecutor(8) as pool:
            jobs = list(pool.map(lambda n: house.ingest(("a.md", f"apples {n}"), wait=False), range(8)))
        newest = max(house.library.job_files(job.job_id, ALL).rows[0].version for job in jobs)
        house.parser.gate.set()
        for job in jobs:
            assert house.library.wait(job.job_id, 10).file_counts.completed == 1
        row = house.library.document(STORE, file_id(house, "a.md"))
        assert row.version == newest
        assert len(house.texts("apples")) == 1
        house.clean()
        assert len(house.rows()) == 1

    def test_a_key_makes_one_job(self, house: House) -> None:
        first = house.ingest(("a.md", "apples"), idempotency_key="k")
        again = house.ingest(("a.md", "apples"), idempotency_key="k")
        assert again.job_id == first.job_id
        with pytest.raises(Conflict, match="Idempotency-Key"):
            house.ingest(("a.md", "pears"), idempotency_key="k")

    def test_it_waits_while_the_encoder_is_away(self, house: House) -> None:
        house.embedders.default.failure = DependencyUnavailable("Embedder does not answer")
        job = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for == "Embedder does not answer")
        house.embedders.default.failure = None
        assert house.library.wait(job.job_id, 10).state == "completed"
        assert house.texts("apples") == ["apples"]

    def test_many_chunks_go_in_windows(self, house: House) -> None:
        words = " ".join(f"word{n} is here and there." for n in range(20_000))
        job = house.ingest(("big.md", words), ("small.md", "apples"))
        row = house.library.document(STORE, file_id(house, "big.md"))
        assert job.state == "completed"
        assert row.chunks > 1000
        assert len(house.rows()) == row.chunks + 1

    def test_a_row_that_the_store_refuses_fails_its_file_alone(self, house: House) -> None:
        house.store.insert_failure = InvalidRequest("too long")
        job = house.ingest(("a.md", "apples"), ("b.md", "pears"))
        assert (job.state, job.file_counts.failed) == ("completed", 2)
        house.store.insert_failure = None
        job = house.library.retry_job(job.job_id)
        assert house.library.wait(job.job_id, 10).file_counts.completed == 2
        house.clean()
        assert house.rows() == ["apples", "pears"]


class TestCancel:
    def test_it_leaves_the_store_as_it_was(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.parser.gate.clear()
        job = house.ingest(("a.md", "pears"), ("b.md", "plums"), wait=False)
        cancelled = house.library.cancel_job(job.job_id)
        house.parser.gate.set()
        assert (cancelled.state, cancelled.file_counts.cancelled) == ("cancelled", 2)
        eventually(lambda: not house.archive.running.active)
        house.clean()
        assert house.rows() == ["apples"]
        assert house.texts("pears") == ["apples"]

    def test_in_the_middle_of_embedding(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("b.md", "plums"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.cancel_job(job.job_id)
        eventually(lambda: not house.archive.running.active)
        house.embedders.default.failure = None
        house.clean()
        assert house.rows() == ["apples"]

    def test_finished_files_stay_and_the_others_can_be_retried(self, house: House) -> None:
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.cancel_job(job.job_id)
        house.embedders.default.failure = None
        again = house.library.retry_job(job.job_id, [file_id(house, "a.md")])
        assert house.library.wait(again.job_id, 10).file_counts.completed == 1
        assert house.texts("apples") == ["apples"]

    def test_an_upload_that_another_job_wants_too_is_still_made(self, house: House) -> None:
        house.parser.gate.clear()
        first = house.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: house.archive.running.active)
        second = house.ingest(("a.md", "apples"), wait=False)
        house.library.cancel_job(first.job_id)
        house.parser.gate.set()
        assert house.library.wait(second.job_id, 10).file_counts.completed == 1
        assert house.texts("apples") == ["apples"]

    def test_one_that_has_ended_stays_as_it_is(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        assert house.library.cancel_job(job.job_id).state == "completed"

    def test_nothing_to_retry(self, house: House) -> None:
        job = house.ingest(("a.md", "apples"))
        with pytest.raises(Conflict):
            house.library.retry_job(job.job_id)
        with pytest.raises(FileNotFound):
            house.library.retry_job(job.job_id, ["file-x"])
        with pytest.raises(NotFound):
            house.library.retry_job("nope")


class TestDelete:
    def test_gone_when_the_call_returns(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"))
        house.library.delete_document(STORE, file_id(house, "a.md"))
        assert house.texts("apples") == ["pears"]
        assert house.names() == ["b.md"]
        house.clean()
        assert house.rows() == ["pears"]

    def test_what_is_on_its_way_never_comes(self, house: House) -> None:
        house.parser.gate.clear()
        job = house.ingest(("a.md", "apples"), wait=False)
        house.library.delete_document(STORE, file_id(house, "a.md"))
        house.parser.gate.set()
        assert house.library.wait(job.job_id, 10).file_counts.cancelled == 1
        house.clean()
        assert (house.names(), house.rows()) == ([], [])

    def test_it_can_come_back(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        known = file_id(house, "a.md")
        house.library.delete_document(STORE, known)
        house.ingest(("a.md", "apples"))
        assert file_id(house, "a.md") == known
        assert house.texts("apples") == ["apples"]

    def test_a_deleted_file_leaves_every_store(self, house: House) -> None:
        record = house.library.add_file(house.upload("a.md", "apples"), "assistants")
        other = house.library.create_store(NewStore(name="other")).store_id
        for store in (STORE, other):
            house.library.wait(house.library.attach(store, [Attachment(record.file_id)]).job_id, 10)
        assert house.texts("apples", store=other) == ["apples"]
        house.library.delete_file(record.file_id)
        assert house.texts("apples") == house.texts("apples", store="other") == []
        with pytest.raises(FileNotFound):
            house.library.file(record.file_id)
        house.clean()
        assert [path for path in (house.blobs.incoming.parent).glob("*/*") if path.is_file()] == []

    def test_a_question_keeps_what_it_began_with(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        with house.archive.leases.hold():
            snapshot = house.archive.views.snapshot(STORE)
            house.library.delete_document(STORE, file_id(house, "a.md"))
            cleaning = threading.Thread(target=house.clean)
            cleaning.start()
            cleaning.join(0.1)
            assert house.rows() == ["apples"]
            versions = {chunk.version_id for chunk in house.store.chunks(snapshot.collection)}
            assert house.archive.views.hidden(snapshot, versions) == set()
        cleaning.join(5)
        assert house.rows() == []


class TestOneFileTakesThePlaceOfAnother:
    """Two files of one name in one store, as OpenAI's clients make them."""

    def attach(self, house: House, text: str, wait: bool = True) -> str:
        file = house.library.add_file(house.upload("a.md", text), "assistants")
        job = house.library.attach(STORE, [Attachment(file.file_id)])
        if wait:
            house.library.wait(job.job_id, 10)
        return file.file_id

    def test_once_it_is_there(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "pears")
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [new]
        with pytest.raises(FileNotFound):
            house.library.document(STORE, old)
        house.library.delete_file(old)
        assert house.texts("pears") == ["pears"]

    def test_not_when_it_cannot_be_read(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "broken")
        assert [hit.chunk.file_id for hit in house.search("apples").hits] == [old]
        assert house.library.document(STORE, old).status == "completed"
        assert house.library.document(STORE, new).status == "failed"
        house.library.delete_file(old)
        assert house.texts("apples") == []
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [new]
        house.library.delete_document(STORE, new)
        assert house.library.documents(STORE, ALL).rows == []

    def test_the_one_that_failed_can_go_alone(self, house: House) -> None:
        old, new = self.attach(house, "apples"), self.attach(house, "broken")
        house.library.delete_document(STORE, new)
        assert house.texts("apples") == ["apples"]
        assert [row.file_id for row in house.library.documents(STORE, ALL).rows] == [old]
        with pytest.raises(FileNotFound):
            house.library.document(STORE, new)

    def test_while_it_comes(self, house: House) -> None:
        old = self.attach(house, "apples")
        house.parser.gate.clear()
        new = self.attach(house, "pears", wait=False)
        assert house.library.document(STORE, new).status == "in_progress"
        house.library.delete_document(STORE, old)
        assert house.texts("apples") == []
        house.parser.gate.set()
        eventually(lambda: house.texts("pears") == ["pears"])
        assert house.library.document(STORE, new).status == "completed"


class TestAttributes:
    def test_they_change_without_embedding(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"), attributes={"lang": "en"})
        calls = len(house.embedders.default.calls)
        row = house.library.set_attributes(STORE, file_id(house, "a.md"), {"lang": "de", "n": 1})
        assert row.attributes == {"lang": "de", "n": 1}
        assert len(house.embedders.default.calls) == calls
        german = {"type": "eq", "key": "lang", "value": "de"}
        assert house.texts("x", mode="keyword", filters=german) == []
        assert house.texts("apples", filters=german) == ["apples"]
        house.clean()
        assert house.rows() == ["apples", "pears"]

    def test_some_can_be_added_and_removed(self, house: House) -> None:
        house.ingest(("a.md", "apples"), attributes={"lang": "en", "year": 2020})
        known = file_id(house, "a.md")
        row = house.library.set_attributes(STORE, known, {"year": 2024, "n": 1}, merge=True, removed=["lang"])
        assert row.attributes == {"year": 2024, "n": 1}
        with pytest.raises(InvalidRequest, match="16"):
            house.library.set_attributes(STORE, known, {f"k{n}": n for n in range(15)}, merge=True)

    def test_the_same_bytes_with_others_are_not_embedded_again(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        calls = len(house.embedders.default.calls)
        job = house.ingest(("a.md", "apples"), attributes={"n": 1})
        assert (job.state, job.file_counts.completed) == ("completed", 1)
        assert len(house.embedders.default.calls) == calls
        assert [hit.chunk.attributes for hit in house.search("apples").hits][-1] == {"n": 1}

    def test_while_a_new_version_is_on_its_way(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "red apples"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.library.set_attributes(STORE, file_id(house, "a.md"), {"n": 1})
        house.embedders.default.failure = None
        assert house.library.wait(job.job_id, 10).file_counts.completed == 1
        (hit,) = house.search("apples").hits
        assert (hit.chunk.text, hit.chunk.attributes) == ("red apples", {"n": 1})


class TestStores:
    def test_by_id_and_by_name(self, house: House) -> None:
        made = house.library.create_store(NewStore(name="guides", metadata={"a": "b"}))
        house.ingest(("a.md", "apples"), store="guides")
        assert house.library.store(made.store_id) == house.library.store("guides")
        assert house.texts("apples", store=made.store_id) == ["apples"]
        assert house.texts("apples") == []
        assert [row.name for row in house.library.stores(ALL).rows] == ["default", "guides"]

    def test_a_name_that_two_have_is_refused(self, house: House) -> None:
        for _ in range(2):
            house.library.create_store(NewStore(name="twice"))
        with pytest.raises(InvalidRequest, match="use an id"):
            house.library.store("twice")

    def test_delete(self, house: House) -> None:
        made = house.library.create_store(NewStore(name="guides"))
        house.ingest(("a.md", "apples"), store=made.store_id)
        house.library.delete_store("guides")
        with pytest.raises(VectorStoreNotFound):
            house.search("apples", store=made.store_id)
        house.clean()
        assert not house.store.exists(f"{made.store_id}-1")
        with pytest.raises(Conflict):
            house.library.delete_store(STORE)

    def test_counts(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "broken"))
        record = house.library.store(STORE)
        assert (record.file_counts.completed, record.file_counts.failed, record.file_counts.total) == (1, 1, 2)
        assert record.embedder == "fake-embedder"

    def test_an_expired_store_is_not_searched(self, house: House) -> None:
        made = house.library.create_store(NewStore(name="old", expires_after_days=1))
        house.ingest(("a.md", "apples"), store="old")
        assert house.texts("apples", store="old") == ["apples"]
        with house.database.write() as connection:
            connection.exec_driver_sql("UPDATE vector_stores SET last_active_at = 1 WHERE name = 'old'")
        assert house.library.store(made.store_id).status == "expired"
        with pytest.raises(VectorStoreNotFound, match="expired"):
            house.search("apples", store="old")

    def test_chunking_of_the_store_and_of_the_file(self, house: House) -> None:
        small = {"type": "recursive", "recursive": {"max_chars": 64, "overlap_chars": 0}}
        house.library.create_store(NewStore(name="small", chunking=small))
        text = "apples are red and pears are green. " * 10
        house.ingest(("a.md", text), store="small")
        house.ingest(("a.md", text), store=STORE)
        house.ingest(("b.md", text), store=STORE, chunking=small)
        assert len(house.rows("small")) > 3
        assert house.library.document(STORE, file_id(house, "a.md")).chunks == 1
        assert house.library.document(STORE, file_id(house, "b.md")).chunks > 3


class TestLists:
    def test_pages_join_up(self, house: House) -> None:
        house.ingest(*((f"{n}.md", f"text {n}") for n in range(7)))
        whole = [row.file_id for row in house.library.documents(STORE, ALL).rows]
        seen: list[str] = []
        after = None
        while True:
            page = house.library.documents(STORE, Cursor(3, "asc", after))
            seen += [row.file_id for row in page.rows]
            if not page.has_more:
                break
            after = seen[-1]
        assert seen == whole
        newest_first = [row.file_id for row in house.library.documents(STORE, Cursor(100, "desc")).rows]
        assert newest_first == whole[::-1]
        before = house.library.documents(STORE, Cursor(2, "asc", None, whole[4]))
        assert [row.file_id for row in before.rows] == whole[2:4]

    def test_an_unknown_mark_is_refused(self, house: House) -> None:
        with pytest.raises(InvalidRequest, match="after"):
            house.library.files(Cursor(5, "asc", "file-nope"))


class TestReindex:
    def test_another_model_without_a_gap(self, house: House) -> None:
        house.ingest(("a.md", "apples are red"), ("b.md", "pears are green"))
        job = house.library.reindex(STORE, "other-model")
        done = house.library.wait(job.job_id, 10)
        assert (done.state, dict(done.details)["to"]) == ("completed", "other-model")
        assert house.library.store(STORE).embedder == "other-model"
        assert house.texts("apples")[0] == "apples are red"
        house.ingest(("c.md", "plums are blue"))
        assert house.texts("plums")[0] == "plums are blue"

    def test_and_back(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10)
        house.ingest(("a.md", "red apples"), ("b.md", "pears"))
        back = house.library.wait(house.library.roll_back(STORE).job_id, 10)
        assert back.state == "completed"
        assert house.library.store(STORE).embedder == "fake-embedder"
        assert sorted(house.texts("apples pears")) == ["pears", "red apples"]
        house.clean()
        assert house.rows() == ["pears", "red apples"]

    def test_writes_during_the_move_are_in_the_new_index(self, house: House) -> None:
        house.ingest(*((f"{n}.md", f"apples {n}") for n in range(5)))
        other = house.embedders.models["other-model"]
        other.failure = DependencyUnavailable("not yet")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        house.ingest(("0.md", "new apples"), ("9.md", "pears"))
        house.library.delete_document(STORE, file_id(house, "1.md"))
        other.failure = None
        assert house.library.wait(job.job_id, 10).state == "completed"
        expected = ["apples 2", "apples 3", "apples 4", "new apples", "pears"]
        house.clean()
        assert house.rows() == expected
        assert sorted(house.texts("apples pears")) == expected

    def test_cancelling_it_leaves_the_old_index(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.embedders.models["other-model"].failure = DependencyUnavailable("not yet")
        job = house.library.reindex(STORE, "other-model")
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
        assert house.library.cancel_job(job.job_id).state == "cancelled"
        eventually(lambda: not house.archive.running.active)
        house.clean()
        assert house.library.store(STORE).embedder == "fake-embedder"
        assert house.texts("apples") == ["apples"]
        assert not house.store.exists("default-2")

    def test_an_index_can_be_built_anew(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"))
        house.store.rows["default-1"].clear()  # as after a loss
        assert house.texts("apples") == []
        job = house.library.reindex(STORE, None)
        assert house.library.wait(job.job_id, 10).state == "completed"
        assert house.texts("apples")[0] == "apples"
        assert house.rows() == ["apples", "pears"]

    def test_what_makes_no_sense_is_refused(self, house: House) -> None:
        with pytest.raises(Conflict, match="already"):
            house.library.reindex(STORE, "fake-embedder")
        with pytest.raises(NotFound):
            house.library.reindex(STORE, "no-such-model")
        with pytest.raises(Conflict):
            house.library.roll_back(STORE)
        with pytest.raises(Conflict):
            house.library.forget_previous(STORE)

    def test_the_index_before_can_be_forgotten(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10)
        assert house.library.forget_previous(STORE)["embedder"] == "fake-embedder"
        house.clean()
        assert not house.store.exists("default-1")
        assert house.texts("apples") == ["apples"]


class TestAnotherModelAtTheStart:
    def test_a_full_store_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store) as house:
            house.ingest(("a.md", "apples"))
        other = FakeEmbedders(FakeEmbedder(32, "other-model"), {"fake-embedder": 64})
        with a_house(tmp_path, store=store, embedders=other) as house:
            with pytest.raises(EmbeddingMismatch, match=r"fake-embedder.*other-model.*reindex"):
                house.search("apples")
            with pytest.raises(EmbeddingMismatch):
                house.ingest(("b.md", "pears"))
            assert house.library.wait(house.library.reindex(STORE, "other-model").job_id, 10).state == "completed"
            assert house.texts("apples") == ["apples"]

    def test_an_empty_one_is_made_anew(self, tmp_path: Path) -> None:
        store = FakeVectorStore()
        with a_house(tmp_path, store=store):
            pass
        with a_house(tmp_path, store=store, embedders=FakeEmbedders(FakeEmbedder(32, "other-model"))) as house:
            house.ingest(("a.md", "apples"))
            assert house.texts("apples") == ["apples"]


def test_a_job_that_does_not_get_on_is_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.embedders.default.failure = DependencyUnavailable("Embedder does not answer")
    job = house.ingest(("a.md", "apples"), wait=False)
    eventually(lambda: house.library.job(job.job_id).waiting_for != "")
    assert not house.library.job(job.job_id).stalled
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET heartbeat_at = 1")
    assert house.library.job(job.job_id).stalled
    house.archive.janitor.look_after()
    assert f"{job.job_id} has not got on" in caplog.text
    assert "Embedder does not answer" in caplog.text
    house.embedders.default.failure = None
    assert not house.library.wait(job.job_id, 15).stalled


def test_expired_files_go(house: House) -> None:
    record = house.library.add_file(house.upload("a.md", "apples"), "assistants", expires_after_s=3600)
    house.library.wait(house.library.attach(STORE, [Attachment(record.file_id)]).job_id, 10)
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET expires_at = 1")
    house.archive.janitor.look_after()
    assert house.texts("apples") == []


def test_what_a_crash_left_on_disk_is_swept_after_a_day(tmp_path: Path) -> None:
    with a_house(tmp_path) as house:
        house.ingest(("a.md", "apples"))
        kept = house.library.file(file_id(house, "a.md")).file_id
        old, folder, new = (house.blobs.incoming / name for name in ("old", "rag-parser-x", "new"))
        folder.mkdir()
        for path in (old, folder / "extract.json", new):
            path.write_text("x")
        for path in (old, folder, house.library.content(kept)):
            os.utime(path, (1, 1))
    with a_house(tmp_path, store=house.store) as house:
        assert sorted(path.name for path in house.blobs.incoming.iterdir()) == ["new"]
        assert house.library.content(kept).read_text() == "apples"


def test_a_stopped_job_goes_on_at_the_next_start(tmp_path: Path) -> None:
    store = FakeVectorStore()
    with a_house(tmp_path, store=store) as house:
        house.embedders.default.failure = DependencyUnavailable("away")
        job = house.ingest(("a.md", "apples"), ("b.md", "pears"), wait=False)
        eventually(lambda: house.library.job(job.job_id).waiting_for != "")
    with a_house(tmp_path, store=store) as house:
        assert house.library.wait(job.job_id, 10).file_counts.completed == 2
        assert house.rows() == ["apples", "pears"]
