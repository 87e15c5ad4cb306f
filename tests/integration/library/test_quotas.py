"""Limits of what keys and tenants store, over both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rag.auth.caller import Caller
from rag.auth.limits import NO_LIMITS, Limits
from rag.errors import Conflict, DependencyUnavailable, QuotaExceeded, RagError, RateLimitExceeded
from rag.library.answers.conversations import ConversationRegistry
from rag.library.answers.earlier_turns import TurnsQuery
from rag.library.answers.responses import ResponseRegistry
from rag.records import Attachment, NewResponse, NewStore
from tests.support.acting import acting as acting_as
from tests.support.library_harness import ALL, STORE, LibraryHarness

pytestmark = pytest.mark.integration

TENANT = "acme"


def acting(key: Limits = NO_LIMITS, tenant: Limits = NO_LIMITS, key_id: str = "key_1") -> AbstractContextManager[None]:
    return acting_as(Caller(key_id, TENANT, frozenset({"admin"}), None, key, tenant))


@pytest.fixture
def acme(harness: LibraryHarness) -> LibraryHarness:
    harness.library.ensure_tenant(TENANT)
    return harness


def blobs_on_disk(harness: LibraryHarness) -> list[Path]:
    return [path for path in harness.blobs.incoming.parent.rglob("*") if path.is_file()]


def test_a_tenant_creates_no_more_vector_stores_than_it_may(acme: LibraryHarness) -> None:
    with acting(tenant=Limits(max_vector_stores=2)):
        made = acme.library.create_store(NewStore(name="second"))
        with pytest.raises(QuotaExceeded) as caught:
            acme.library.create_store(NewStore(name="third"))
        assert caught.value.param == "max_vector_stores"
        for part in ("the tenant 'acme' may have at most 2 vector stores", "would have 3", "ask the operator"):
            assert part in caught.value.message
        assert len(acme.library.stores(ALL).rows) == 2
        acme.library.delete_store(made.store_id)
        acme.library.create_store(NewStore(name="third"))


def test_a_key_has_limits_of_its_own(acme: LibraryHarness) -> None:
    limits = Limits(max_vector_stores=1, max_documents=1)
    with acting(limits):
        store = acme.library.create_store(NewStore(name="mine")).store_id
        acme.ingest(("a.md", "apples"), store=store)
        with pytest.raises(QuotaExceeded, match="the API key may have at most 1 vector stores"):
            acme.library.create_store(NewStore())
        with pytest.raises(QuotaExceeded, match="the API key may have at most 1 documents"):
            acme.ingest(("b.md", "pears"), store=store)
    with acting(limits, key_id="key_2"):
        acme.library.create_store(NewStore())
        acme.ingest(("b.md", "pears"), store=store)


def test_documents_are_counted_in_all_vector_stores(acme: LibraryHarness) -> None:
    with acting(tenant=Limits(max_documents=2)):
        other = acme.library.create_store(NewStore(name="other")).store_id
        acme.ingest(("a.md", "apples"))
        acme.ingest(("a.md", "apples"), store=other)
        with pytest.raises(QuotaExceeded):
            acme.ingest(("b.md", "pears"))
        acme.ingest(("a.md", "red apples"))
        assert acme.texts("apples") == ["red apples"]
        file = acme.library.add_file(acme.upload("c.md", "plums"), "assistants")
        with pytest.raises(QuotaExceeded):
            acme.library.attach(STORE, [Attachment(file.file_id)])
        acme.library.delete_document(other, acme.file_id("a.md", other))
        acme.ingest(("b.md", "pears"))
        assert acme.names() == ["a.md", "b.md"]


def test_a_refused_upload_leaves_nothing(acme: LibraryHarness) -> None:
    with acting(tenant=Limits(max_documents=1, max_stored_bytes=10)):
        with pytest.raises(QuotaExceeded):
            acme.ingest(("a.md", "a"), ("b.md", "b"))
        with pytest.raises(QuotaExceeded):
            acme.library.add_file(acme.upload("a.md", "more than ten bytes"), "assistants")
        assert acme.names() == []
        assert not acme.library.files(ALL).rows
        assert not acme.library.jobs(ALL).rows
    assert blobs_on_disk(acme) == []


def test_an_upload_that_conflicts_leaves_no_bytes_either(acme: LibraryHarness) -> None:
    acme.ingest(("a.md", "apples"), idempotency_key="k")
    before = sorted(blobs_on_disk(acme))
    with pytest.raises(Conflict):
        acme.ingest(("a.md", "pears"), idempotency_key="k")
    assert sorted(blobs_on_disk(acme)) == before


def test_bytes_stay_if_the_catalog_does_not_say_whether_it_has_them(acme: LibraryHarness) -> None:
    path = acme.upload("a.md", "apples").path
    with pytest.raises(DependencyUnavailable), acme.blobs.taken([path]) as [blob_id]:
        raise DependencyUnavailable("the connection was lost during the commit")
    assert acme.blobs.path(blob_id).exists()


def test_stored_bytes_are_those_of_files(acme: LibraryHarness) -> None:
    with acting(tenant=Limits(max_stored_bytes=30)):
        acme.ingest(("a.md", "x" * 20))
        file = acme.library.add_file(acme.upload("b.md", "y" * 10), "assistants")
        acme.library.wait(acme.library.attach(STORE, [Attachment(file.file_id)]).job_id, 30)  # needs no more bytes
        with pytest.raises(QuotaExceeded, match=r"at most 30 bytes of files .*; with this request it would have 31"):
            acme.ingest(("c.md", "z"))
        acme.library.delete_file(file.file_id)
        acme.ingest(("c.md", "z" * 10))


def test_bytes_that_will_replace_others_count_at_once(acme: LibraryHarness) -> None:
    acme.parser.gate.clear()
    with acting(tenant=Limits(max_stored_bytes=30)):
        acme.ingest(("a.md", "x" * 15), wait=False)
        acme.ingest(("a.md", "y" * 15), wait=False)
        with pytest.raises(QuotaExceeded):
            acme.ingest(("a.md", "z" * 15), wait=False)
    acme.parser.gate.set()


def test_unfinished_jobs_are_refused_for_a_while(acme: LibraryHarness) -> None:
    acme.parser.gate.clear()
    with acting(tenant=Limits(max_unfinished_jobs=1)):
        first = acme.ingest(("a.md", "apples"), wait=False)
        with pytest.raises(RateLimitExceeded, match="at most 1 unfinished jobs") as caught:
            acme.ingest(("b.md", "pears"), wait=False)
        assert caught.value.retry_after_s >= 1
        with pytest.raises(RateLimitExceeded):
            acme.library.reindex(STORE, None)
        acme.parser.gate.set()
        acme.library.wait(first.job_id, 30)
        acme.ingest(("b.md", "pears"))


def test_above_a_lowered_limit_replacing_and_deleting_still_work(acme: LibraryHarness) -> None:
    with acting():
        acme.ingest(("a.md", "apples"), ("b.md", "pears"))
    with acting(tenant=Limits(max_documents=1, max_stored_bytes=3)):
        acme.library.delete_document(STORE, acme.file_id("b.md"))
        acme.ingest(("a.md", "apples"))
        with pytest.raises(QuotaExceeded):
            acme.ingest(("c.md", ""))


def test_what_jobs_and_the_start_create_is_not_limited(harness: LibraryHarness) -> None:
    harness.library.ensure_tenant(TENANT)
    with acting(tenant=Limits(max_vector_stores=1)):
        assert len(harness.library.stores(ALL).rows) == 1


def test_concurrent_requests_do_not_exceed_a_limit_together(acme: LibraryHarness) -> None:
    limits = Limits(max_vector_stores=4, max_documents=4)

    def create(number: int) -> str:
        with acting(tenant=limits, key_id=f"key_{number}"):
            try:
                acme.library.create_store(NewStore(name=f"s{number}"))
            except RagError as error:
                return error.code
            return "created"

    def ingest(number: int) -> str:
        with acting(tenant=limits, key_id=f"key_{number}"):
            try:
                acme.ingest((f"{number}.md", "text"), store=stores[number % 4], wait=False)
            except RagError as error:
                return error.code
            return "accepted"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == ["created"] * 3 + ["quota_exceeded"] * 5
        with acting():
            stores = [row.store_id for row in acme.library.stores(ALL).rows]
        assert sorted(pool.map(ingest, range(8))) == ["accepted"] * 4 + ["quota_exceeded"] * 4


def test_what_is_kept_of_responses_and_conversations_is_limited(harness: LibraryHarness) -> None:
    responses, conversations = ResponseRegistry(harness.database, 30), ConversationRegistry(harness.database, 30)

    def item(text: str) -> dict[str, str]:
        return {"id": f"msg_{text[:1]}", "type": "message", "text": text}

    def keep(response_id: str, text: str, conversation_id: str | None = None) -> None:
        responses.insert(NewResponse(response_id, {}, [item(text)], [], None, conversation_id))

    query = TurnsQuery(is_kept=True)
    with acting(Limits(max_kept_bytes=2000)):
        made = conversations.create({}, [item("a" * 300)]).conversation_id
        keep("resp_1", "b" * 600)
        responses.earlier_turns(query)
        for operation in (
            lambda: keep("resp_2", "c" * 600),
            lambda: keep("resp_2", "c" * 100, made),
            lambda: conversations.add_items(made, [item("c" * 900)]),
            lambda: conversations.create({"a": "b" * 500}, [item("c" * 100)]),
            lambda: conversations.update(made, {"a": "b" * 900}),
        ):
            with pytest.raises(QuotaExceeded, match="the API key may have at most 2000 bytes of kept") as caught:
                operation()
            assert caught.value.param == "max_kept_bytes"
        assert [row["text"][:1] for row in conversations.item_page(made, ALL).rows] == ["a"]
        conversations.delete_item(made, "msg_a")
        conversations.add_items(made, [item("c" * 600)])
    with acting(Limits(max_kept_bytes=1000)):
        with pytest.raises(QuotaExceeded, match=r"\(max_kept_bytes\), and has 1"):
            responses.earlier_turns(query)
        responses.earlier_turns(TurnsQuery())
        responses.delete("resp_1")
        responses.earlier_turns(query)
        conversations.delete(made)
        keep("resp_3", "d" * 600)
    with acting(Limits(max_kept_bytes=1000), key_id="key_2"):
        keep("resp_4", "d" * 600)
    with acting(tenant=Limits(max_kept_bytes=2000)), pytest.raises(QuotaExceeded, match="the tenant 'acme'"):
        keep("resp_5", "d" * 600)
