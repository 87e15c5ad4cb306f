from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa

from rag.catalog.documents import documents
from rag.errors import Conflict, InvalidRequest, VectorStoreNotFound
from rag.records import Cursor, DocumentSort, NewStore
from tests.support.library_harness import ALL, STORE, LibraryHarness, make_harness

pytestmark = pytest.mark.integration


class TestStores:
    def test_a_store_is_found_by_id_and_by_name(self, harness: LibraryHarness) -> None:
        created = harness.library.create_store(NewStore(name="guides", metadata={"a": "b"}))
        harness.ingest(("a.md", "apples"), store="guides")
        assert harness.library.store(created.store_id) == harness.library.store("guides")
        assert harness.texts("apples", store=created.store_id) == ["apples"]
        assert harness.texts("apples") == []
        assert [row.name for row in harness.library.stores(ALL).rows] == ["default", "guides"]

    def test_an_ambiguous_name_is_refused(self, harness: LibraryHarness) -> None:
        for _ in range(2):
            harness.library.create_store(NewStore(name="twice"))
        with pytest.raises(InvalidRequest, match="use an id"):
            harness.library.store("twice")

    def test_a_store_is_deleted(self, harness: LibraryHarness) -> None:
        created = harness.library.create_store(NewStore(name="guides"))
        harness.ingest(("a.md", "apples"), store=created.store_id)
        harness.library.delete_store("guides")
        with pytest.raises(VectorStoreNotFound):
            harness.search("apples", store=created.store_id)
        harness.clean()
        assert not harness.store.exists(f"{created.store_id}-1")
        with pytest.raises(Conflict):
            harness.library.delete_store(STORE)

    def test_files_are_counted_by_status(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"), ("b.md", "broken"))
        record = harness.library.store(STORE)
        assert (record.file_counts.completed, record.file_counts.failed, record.file_counts.total) == (1, 1, 2)
        assert record.embedder == "fake-embedder"

    def test_an_expired_store_is_not_searched(self, harness: LibraryHarness) -> None:
        created = harness.library.create_store(NewStore(name="old", expires_after_days=1))
        harness.ingest(("a.md", "apples"), store="old")
        assert harness.texts("apples", store="old") == ["apples"]
        with harness.database.write() as connection:
            connection.exec_driver_sql("UPDATE vector_stores SET last_active_at = 1 WHERE name = 'old'")
        assert harness.library.store(created.store_id).status == "expired"
        with pytest.raises(VectorStoreNotFound, match="expired"):
            harness.search("apples", store="old")

    def test_chunking_of_the_store_and_of_the_file(self, harness: LibraryHarness) -> None:
        small = {"type": "recursive", "recursive": {"max_chars": 64, "overlap_chars": 0}}
        harness.library.create_store(NewStore(name="small", chunking=small))
        text = "apples are red and pears are green. " * 10
        harness.ingest(("a.md", text), store="small")
        harness.ingest(("a.md", text), store=STORE)
        harness.ingest(("b.md", text), store=STORE, chunking=small)
        assert len(harness.rows("small")) > 3
        assert harness.library.document(STORE, harness.file_id("a.md")).chunks == 1
        assert harness.library.document(STORE, harness.file_id("b.md")).chunks > 3

    def test_retrieval_settings_are_stored_and_replaced(self, harness: LibraryHarness) -> None:
        harness.library.create_store(NewStore(name="a", retrieval={"top_k": 3, "mode": "dense"}))
        assert harness.library.store("a").retrieval == {"top_k": 3, "mode": "dense"}
        snapshot = harness.runtime.snapshots.snapshot("a")
        assert snapshot.retrieval == '{"mode": "dense", "top_k": 3}'
        assert hash(snapshot) == hash(harness.runtime.snapshots.snapshot("a"))
        harness.library.update_store("a", NewStore(description="kept"))
        assert harness.library.store("a").retrieval == {"top_k": 3, "mode": "dense"}
        harness.library.update_store("a", NewStore(retrieval={"rerank": True}))
        assert harness.runtime.snapshots.snapshot("a").retrieval == '{"rerank": true}'
        harness.library.update_store("a", NewStore(retrieval={}))
        assert (harness.library.store("a").retrieval, harness.runtime.snapshots.snapshot("a").retrieval) == (None, "")


class TestLists:
    def test_pages_cover_the_whole_list(self, harness: LibraryHarness) -> None:
        harness.ingest(*((f"{n}.md", f"text {n}") for n in range(7)))
        all_ids = [row.file_id for row in harness.library.documents(STORE, ALL).rows]
        paged_ids: list[str] = []
        after = None
        while True:
            page = harness.library.documents(STORE, Cursor(3, "asc", after))
            paged_ids += [row.file_id for row in page.rows]
            if not page.has_more:
                break
            after = paged_ids[-1]
        assert paged_ids == all_ids
        newest_first = [row.file_id for row in harness.library.documents(STORE, Cursor(100, "desc")).rows]
        assert newest_first == all_ids[::-1]
        before = harness.library.documents(STORE, Cursor(2, "asc", None, all_ids[4]))
        assert [row.file_id for row in before.rows] == all_ids[2:4]

    def test_an_unknown_cursor_is_refused(self, harness: LibraryHarness) -> None:
        with pytest.raises(InvalidRequest, match="after"):
            harness.library.files(Cursor(5, "asc", "file-nope"))


def page_plans(harness: LibraryHarness, cursor: Cursor, **options: Any) -> list[str]:
    """How SQLite runs each query that one page of the documents needs."""
    found: list[str] = []
    with harness.database.read() as connection:

        def explain(_: sa.Connection, cursor: Any, statement: str, parameters: Any, *__: object) -> None:
            rows = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            found.append("\n".join(row[3] for row in rows))

        sa.event.listen(connection, "before_cursor_execute", explain)
        documents.page(connection, STORE, cursor, **options)
    return found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("name", ["", "b"])
@pytest.mark.parametrize("sort", ["created_at", "filename"])
def test_a_page_of_documents_is_read_in_the_order_of_an_index(
    tmp_path: Path, sort: DocumentSort, name: str, order: Literal["asc", "desc"]
) -> None:
    """So it costs no more in a vector store with hundreds of thousands of documents."""
    with make_harness(tmp_path) as harness:
        harness.ingest(("a b.md", "apples"), ("b.md", "pears"))
        first = page_plans(harness, Cursor(1, order), sort=sort, name=name)
        after = Cursor(1, order, after=harness.file_id("a b.md"))
        next_one = page_plans(harness, after, sort=sort, name=name)
    assert (len(first), len(next_one)) == (1, 2)
    for plan in (*first, *next_one):
        assert "SEARCH documents USING INDEX" in plan
        assert "SCAN" not in plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan  # documents of the same time are sorted, which are few
    assert "store_id=?" in first[0]
