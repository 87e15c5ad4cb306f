"""Read groups: a document that is for certain groups does not exist for anyone else."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rag.auth.caller import Caller, current_caller
from rag.auth.scopes import Scope
from rag.errors import (
    Conflict,
    DependencyUnavailable,
    FileNotFound,
    InsufficientPermissions,
    InvalidRequest,
    NotFound,
    RagError,
)
from rag.library.service import Library
from rag.records import Attachment, Cursor, NewStore
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually, make_harness
from tests.support.servers.postgres import new_database

pytestmark = pytest.mark.integration

SCOPES: tuple[Scope, ...] = ("ask", "ingest", "delete")


@contextlib.contextmanager
def member(*groups: str, scopes: Sequence[Scope] = SCOPES) -> Iterator[None]:
    """Act as a key that belongs to these groups."""
    token = current_caller.set(Caller("key", "default", frozenset(scopes), groups=frozenset(groups)))
    try:
        yield
    finally:
        current_caller.reset(token)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[LibraryHarness]:
    with make_harness(tmp_path) as harness:
        yield harness


@pytest.fixture
def three(harness: LibraryHarness) -> LibraryHarness:
    return with_three_documents(harness)


def with_three_documents(harness: LibraryHarness) -> LibraryHarness:
    """With documents for everyone, for `hr`, and for `hr` and `legal`."""
    harness.ingest(("all.md", "apples for everyone"))
    harness.ingest(("hr.md", "apples of hr"), read_groups=["hr"])
    harness.ingest(("both.md", "apples of both"), read_groups=["hr", "legal"])
    return harness


def seen(harness: LibraryHarness) -> dict[str, object]:
    """What the current caller sees of the vector store, by the name of what shows it. All must agree."""
    library = harness.library
    store = library.store(STORE)
    filters = {"type": "in", "key": "filename", "value": ["all.md", "hr.md", "both.md"]}
    return {
        "search": sorted(harness.texts("apples")),
        "filtered search": sorted(harness.texts("apples", filters=filters)),
        "keyword search": sorted(harness.texts("apples", mode="keyword")),
        "documents": harness.names(),
        "files": sorted(file.filename for file in library.files(ALL).rows),
        "jobs": sum(job.file_counts.total for job in library.jobs(ALL).rows),
        "count": (store.file_counts.total, store.usage_bytes),
    }


def expected(*names: str) -> dict[str, object]:
    of = {"all.md": "apples for everyone", "hr.md": "apples of hr", "both.md": "apples of both"}
    texts = sorted(of[name] for name in names)
    listed = sorted(names)
    return {
        "search": texts,
        "filtered search": texts,
        "keyword search": texts,
        "documents": listed,
        "files": listed,
        "jobs": len(names),
        "count": (len(names), sum(len(text) for text in texts)),
    }


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_caller_sees_the_documents_of_its_groups_and_those_of_none(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = new_database(request.getfixturevalue("postgres")) if database == "postgresql" else None
    with make_harness(tmp_path, url=url) as harness:
        with_three_documents(harness)
        for groups, names in (
            ([], ["all.md"]),
            (["it"], ["all.md"]),
            (["legal"], ["all.md", "both.md"]),
            (["hr", "it"], ["all.md", "hr.md", "both.md"]),
        ):
            with member(*groups):
                assert seen(harness) == expected(*names), groups


def test_administrators_and_jobs_see_all(three: LibraryHarness) -> None:
    every = expected("all.md", "hr.md", "both.md")
    assert seen(three) == every
    with member(scopes=["admin"]):
        assert seen(three) == every


def test_an_unreadable_document_does_not_exist(three: LibraryHarness) -> None:
    file_id = three.file_id("hr.md")
    job = three.library.jobs(Cursor(order="asc")).rows[1].job_id
    calls: list[tuple[type[RagError], Callable[[Library], object]]] = [
        (FileNotFound, lambda it: it.document(STORE, file_id)),
        (FileNotFound, lambda it: it.extract(STORE, file_id).text),
        (FileNotFound, lambda it: it.set_attributes(STORE, file_id, {"a": 1})),
        (FileNotFound, lambda it: it.set_attributes(STORE, file_id, {}, merge=True, read_groups=[])),
        (FileNotFound, lambda it: it.delete_document(STORE, file_id)),
        (FileNotFound, lambda it: it.file(file_id)),
        (FileNotFound, lambda it: it.content(file_id)),
        (FileNotFound, lambda it: it.delete_file(file_id)),
        (FileNotFound, lambda it: it.attach(STORE, [Attachment(file_id)])),
        (FileNotFound, lambda it: it.attach(STORE, [Attachment(file_id, read_groups=[])])),
        (NotFound, lambda it: it.job(job)),
        (NotFound, lambda it: it.job_files(job, ALL)),
        (NotFound, lambda it: it.cancel_job(job)),
        (NotFound, lambda it: it.retry_job(job)),
        (NotFound, lambda it: it.wait(job, 0)),
    ]
    with member("legal"):
        for error, call in calls:
            with pytest.raises(error):
                call(three.library)
    with member("hr"):
        assert three.library.document(STORE, file_id).read_groups == ("hr",)
        assert three.library.extract(STORE, file_id).text == "apples of hr"
        assert three.library.content(file_id).read_text() == "apples of hr"
        assert three.library.job(job).file_counts.completed == 1


def test_a_document_cannot_be_overwritten_by_those_who_may_not_read_it(three: LibraryHarness) -> None:
    with member("legal"):
        for groups in (None, [], ["legal"]):
            with pytest.raises(Conflict, match=r"hr\.md"):
                three.ingest(("hr.md", "mine"), read_groups=groups)
    with member("hr"):
        assert three.texts("apples of hr")[0] == "apples of hr"


def test_a_vector_store_with_unreadable_documents_cannot_be_deleted(harness: LibraryHarness) -> None:
    store = harness.library.create_store(NewStore(name="x")).store_id
    harness.ingest(("a.md", "apples"), store=store, read_groups=["hr"])
    with member(), pytest.raises(InsufficientPermissions, match="may not read"):
        harness.library.delete_store(store)
    with member("hr"):
        assert harness.library.delete_store(store) == store


def test_an_update_without_groups_keeps_them(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"), read_groups=["hr"])
    with member("hr"):
        harness.ingest(("a.md", "red apples"))
        assert harness.library.document(STORE, harness.file_id("a.md")).read_groups == ("hr",)
    with member():
        assert harness.texts("apples") == []


def test_the_same_bytes_with_other_groups_are_another_version(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"), read_groups=["hr"])
    calls = len(harness.embedders.default.calls)
    harness.ingest(("a.md", "apples"), read_groups=["hr"])
    assert len(harness.library.jobs(ALL).rows) == 2
    harness.ingest(("a.md", "apples"), read_groups=[])
    assert len(harness.embedders.default.calls) == calls
    with member():
        assert harness.texts("apples") == ["apples"]


def test_the_old_text_stays_restricted_while_a_public_one_replaces_it(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples, confidential"), read_groups=["hr"])
    file_id = harness.file_id("a.md")
    harness.embedders.default.failure = DependencyUnavailable("away")
    job = harness.ingest(("a.md", "apples"), wait=False, read_groups=[])
    eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
    with member():
        assert harness.names() == []
        with pytest.raises(NotFound):
            harness.library.job(job.job_id)
        with pytest.raises(FileNotFound):
            harness.library.content(file_id)
        with pytest.raises(FileNotFound):
            harness.library.extract(STORE, file_id)
    harness.embedders.default.failure = None
    harness.library.wait(job.job_id, 30)
    with member():
        assert harness.texts("apples") == ["apples"]
        assert harness.library.content(file_id).read_text() == "apples"
        assert harness.library.extract(STORE, file_id).text == "apples"


def test_groups_are_changed_without_embedding(three: LibraryHarness) -> None:
    file_id, passages = three.file_id("all.md"), passages_encoded(three)
    three.library.set_attributes(STORE, file_id, {"n": 1})
    row = three.library.set_attributes(STORE, file_id, {}, merge=True, read_groups=["hr"])
    assert (row.attributes, row.read_groups) == ({"n": 1}, ("hr",))
    with member("legal"):
        assert seen(three) == expected("both.md")
    row = three.library.set_attributes(STORE, file_id, {"n": 2})
    assert (row.attributes, row.read_groups) == ({"n": 2}, ("hr",))
    three.library.set_attributes(STORE, file_id, {}, read_groups=[])
    with member():
        assert seen(three) == expected("all.md")
    assert passages_encoded(three) == passages


def passages_encoded(harness: LibraryHarness) -> int:
    return sum(kind == "passage" for _, kind in harness.embedders.default.calls)


def test_groups_that_are_set_during_an_update_apply_to_the_new_version(harness: LibraryHarness) -> None:
    harness.ingest(("a.md", "apples"))
    harness.embedders.default.failure = DependencyUnavailable("away")
    job = harness.ingest(("a.md", "red apples"), wait=False)
    eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
    harness.library.set_attributes(STORE, harness.file_id("a.md"), {}, read_groups=["hr"])
    harness.embedders.default.failure = None
    assert harness.library.wait(job.job_id, 30).file_counts.completed == 1
    with member():
        assert (harness.texts("apples"), harness.names()) == ([], [])
    with member("hr"):
        assert harness.texts("apples") == ["red apples"]


def test_nobody_locks_itself_out(harness: LibraryHarness) -> None:
    with member("hr"):
        with pytest.raises(InvalidRequest, match="read_groups"):
            harness.ingest(("a.md", "apples"), read_groups=["legal"])
        with pytest.raises(InvalidRequest, match="read_groups"):
            harness.library.add_file(harness.upload("a.md", "apples"), "assistants", None, ["legal"])
        harness.ingest(("a.md", "apples"), read_groups=["hr", "legal"])
        file_id = harness.file_id("a.md")
        with pytest.raises(InvalidRequest, match="read_groups"):
            harness.library.set_attributes(STORE, file_id, {}, read_groups=["legal"])
        assert harness.library.document(STORE, file_id).read_groups == ("hr", "legal")
    with member(scopes=["admin"]):
        harness.library.set_attributes(STORE, file_id, {}, read_groups=["legal"])


def test_a_file_keeps_the_groups_of_its_document(harness: LibraryHarness) -> None:
    """After the document has been removed from the vector store, too."""
    file_id = harness.library.add_file(harness.upload("a.md", "apples"), "assistants").file_id
    with member():
        assert harness.library.content(file_id)
    harness.library.wait(harness.library.attach(STORE, [Attachment(file_id, read_groups=["hr"])]).job_id, 30)
    for remove in (False, True):
        if remove:
            harness.library.delete_document(STORE, file_id)
        with member(), pytest.raises(FileNotFound):
            harness.library.content(file_id)
        with member("hr"):
            assert harness.library.file(file_id).read_groups == ("hr",)
    harness.clean()
    with member():
        assert not harness.library.jobs(ALL).rows


def test_a_file_gives_its_groups_to_its_documents(harness: LibraryHarness) -> None:
    file_id = harness.library.add_file(harness.upload("a.md", "apples"), "assistants", None, ["hr"]).file_id
    with member(), pytest.raises(FileNotFound):
        harness.library.attach(STORE, [Attachment(file_id)])
    harness.library.wait(harness.library.attach(STORE, [Attachment(file_id)]).job_id, 30)
    with member():
        assert harness.texts("apples") == []
    harness.library.wait(harness.library.attach(STORE, [Attachment(file_id, read_groups=[])]).job_id, 30)
    with member():
        assert harness.texts("apples") == ["apples"]


def test_a_history_of_a_restricted_document_is_hidden(harness: LibraryHarness) -> None:
    job = harness.ingest(("a.md", "apples"))
    with member():
        assert harness.library.job(job.job_id).file_counts.total == 1
    harness.library.set_attributes(STORE, harness.file_id("a.md"), {}, read_groups=["hr"])
    with member(), pytest.raises(NotFound):
        harness.library.job(job.job_id)
    with member("hr"):
        assert [row.filename for row in harness.library.job_files(job.job_id, ALL).rows] == ["a.md"]


def test_another_embedding_model_keeps_the_groups(three: LibraryHarness) -> None:
    job = three.library.reindex(STORE, "other-model")
    three.library.wait(job.job_id, 30)
    with member("legal"):
        assert three.names() == ["all.md", "both.md"]
        assert sorted(three.texts("apples")) == ["apples for everyone", "apples of both"]
        with pytest.raises(NotFound):  # it counts all documents
            three.library.job(job.job_id)
    assert {chunk.filename: chunk.read_groups for chunk in three.chunks()} == {
        "all.md": (),
        "hr.md": ("hr",),
        "both.md": ("hr", "legal"),
    }


def test_the_catalog_decides_if_the_rows_of_the_vector_store_lack_the_groups(three: LibraryHarness) -> None:
    """As rows do that a release without groups wrote."""
    for rows in three.store.rows.values():
        rows[:] = [(dataclasses.replace(chunk, read_groups=()), vector) for chunk, vector in rows]
    with member("legal"):
        assert sorted(three.texts("apples")) == ["apples for everyone", "apples of both"]
    with member("hr"):
        assert len(three.texts("apples")) == 3


def test_an_idempotency_key_covers_the_groups(harness: LibraryHarness) -> None:
    first = harness.ingest(("a.md", "apples"), idempotency_key="k", read_groups=["hr"])
    assert harness.ingest(("a.md", "apples"), idempotency_key="k", read_groups=["hr"]).job_id == first.job_id
    for groups in (None, ["legal"]):
        with pytest.raises(Conflict):
            harness.ingest(("a.md", "apples"), idempotency_key="k", read_groups=groups)
