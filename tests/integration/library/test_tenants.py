"""Tenants: what one of them has does not exist for another. Keys that are limited to vector stores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from rag.auth.caller import Caller, current_caller
from rag.catalog.documents.stores import default_id
from rag.errors import Conflict, FileNotFound, InsufficientPermissions, NotFound, RagError, VectorStoreNotFound
from rag.library.service import Library
from rag.records import Attachment, Cursor, NewStore
from tests.support.library_harness import ALL, LibraryHarness

pytestmark = pytest.mark.integration


@contextlib.contextmanager
def acting(tenant: str, *stores: str, key: str = "key") -> Iterator[None]:
    """Act as a key of a tenant, limited to vector stores if there are any."""
    caller = Caller(key, tenant, frozenset({"admin"}), frozenset(stores) or None)
    token = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(token)


@pytest.fixture
def two(harness: LibraryHarness) -> LibraryHarness:
    """Two tenants with a document of the same name in the vector store of the same name."""
    for tenant in ("acme", "umbra"):
        harness.library.ensure_tenant(tenant)
        harness.library.ensure_tenant(tenant)
        with acting(tenant):
            harness.ingest(("a.md", f"apples of {tenant}"), idempotency_key="same")
    return harness


def test_the_same_names_in_two_tenants_are_two_things(two: LibraryHarness) -> None:
    for tenant in ("acme", "umbra"):
        with acting(tenant):
            assert [store.store_id for store in two.library.stores(ALL).rows] == [default_id(tenant)]
            assert two.names() == ["a.md"]
            assert two.texts("apples") == [f"apples of {tenant}"]
            assert len(two.library.files(ALL).rows) == len(two.library.jobs(ALL).rows) == 1
    with acting("default"):
        assert two.names() == []
        assert not two.library.files(ALL).rows
        assert not two.library.jobs(ALL).rows


def test_an_idempotency_key_belongs_to_a_tenant(two: LibraryHarness) -> None:
    with acting("acme"):
        first = two.library.jobs(ALL).rows[0].job_id
        assert two.ingest(("a.md", "apples of acme"), idempotency_key="same").job_id == first
        with pytest.raises(Conflict):
            two.ingest(("b.md", "pears"), idempotency_key="same")


def test_foreign_ids_do_not_exist(two: LibraryHarness) -> None:
    with acting("umbra"):
        store, job = default_id("umbra"), two.library.jobs(ALL).rows[0].job_id
        file_id = two.file_id("a.md")
    library = two.library
    calls: list[tuple[type[RagError], Callable[[Library], object]]] = [
        (VectorStoreNotFound, lambda it: it.store(store)),
        (VectorStoreNotFound, lambda it: it.update_store(store, NewStore(name="mine"))),
        (VectorStoreNotFound, lambda it: it.delete_store(store)),
        (VectorStoreNotFound, lambda it: it.documents(store, ALL)),
        (VectorStoreNotFound, lambda it: it.document(store, file_id)),
        (VectorStoreNotFound, lambda it: it.extract(store, file_id).text),
        (VectorStoreNotFound, lambda it: it.set_attributes(store, file_id, {"a": 1})),
        (VectorStoreNotFound, lambda it: it.delete_document(store, file_id)),
        (VectorStoreNotFound, lambda it: it.ingest(store, [], {})),
        (VectorStoreNotFound, lambda it: it.attach(store, [])),
        (VectorStoreNotFound, lambda it: it.jobs(ALL, store=store)),
        (VectorStoreNotFound, lambda it: it.reindex(store, None)),
        (VectorStoreNotFound, lambda it: it.roll_back(store)),
        (VectorStoreNotFound, lambda it: it.forget_previous(store)),
        (FileNotFound, lambda it: it.file(file_id)),
        (FileNotFound, lambda it: it.content(file_id)),
        (FileNotFound, lambda it: it.delete_file(file_id)),
        (FileNotFound, lambda it: it.attach("default", [Attachment(file_id)])),
        (FileNotFound, lambda it: it.document("default", file_id)),
        (NotFound, lambda it: it.job(job)),
        (NotFound, lambda it: it.job_files(job, ALL)),
        (NotFound, lambda it: it.cancel_job(job)),
        (NotFound, lambda it: it.retry_job(job)),
        (NotFound, lambda it: it.wait(job, 0)),
    ]
    with acting("acme"):
        for error, call in calls:
            with pytest.raises(error):
                call(library)
        with pytest.raises(VectorStoreNotFound):
            two.texts("apples", store=store)
        for page in (library.stores, library.files, library.jobs):
            with pytest.raises(RagError, match="the list has no item"):
                page(Cursor(after={library.stores: store, library.files: file_id}.get(page, job)))
    with acting("umbra"):
        assert two.texts("apples") == ["apples of umbra"]


def test_a_tenants_default_store_cannot_be_deleted(two: LibraryHarness) -> None:
    with acting("acme"), pytest.raises(Conflict):
        two.library.delete_store("default")


def test_names_of_stores_may_repeat_in_another_tenant(two: LibraryHarness) -> None:
    ids = []
    for tenant in ("acme", "umbra"):
        with acting(tenant):
            ids.append(two.library.create_store(NewStore(name="manuals")).store_id)
            assert two.library.store("manuals").store_id == ids[-1]
    assert ids[0] != ids[1]


def test_a_limited_key_sees_its_vector_stores_alone(two: LibraryHarness) -> None:
    with acting("acme"):
        other = two.library.create_store(NewStore(name="other")).store_id
        two.ingest(("b.md", "pears"), store=other)
        hidden, job = two.file_id("b.md", other), two.library.jobs(ALL, store=other).rows[0].job_id
    with acting("acme", default_id("acme"), key="limited"):
        assert [store.name for store in two.library.stores(ALL).rows] == ["default"]
        assert [file.filename for file in two.library.files(ALL).rows] == ["a.md"]
        assert [each.store_id for each in two.library.jobs(ALL).rows] == [default_id("acme")]
        for store in (other, "other"):
            with pytest.raises(VectorStoreNotFound):
                two.texts("pears", store=store)
        with pytest.raises(FileNotFound):
            two.library.content(hidden)
        with pytest.raises(NotFound):
            two.library.job(job)
        with pytest.raises(InsufficientPermissions):
            two.library.create_store(NewStore(name="mine"))


def test_a_limited_key_sees_the_files_that_it_uploaded(two: LibraryHarness) -> None:
    with acting("acme", default_id("acme"), key="limited"):
        own = two.library.add_file(two.upload("c.md", "plums"), "assistants").file_id
        assert two.library.file(own).filename == "c.md"
    with acting("acme", default_id("acme"), key="another"), pytest.raises(FileNotFound):
        two.library.file(own)


def test_a_limited_key_deletes_no_file_of_other_vector_stores(two: LibraryHarness) -> None:
    with acting("acme"):
        other = two.library.create_store(NewStore(name="other")).store_id
        shared = two.library.add_file(two.upload("c.md", "plums"), "assistants").file_id
        for store in ("default", other):
            two.library.wait(two.library.attach(store, [Attachment(shared)]).job_id, 30)
    with acting("acme", default_id("acme")), pytest.raises(InsufficientPermissions):
        two.library.delete_file(shared)
    with acting("acme"):
        assert two.texts("plums", store=other) == ["plums"]
        two.library.delete_file(shared)
        assert two.texts("plums", store=other) == []
