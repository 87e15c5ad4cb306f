from __future__ import annotations

import pytest

from rag.errors import Conflict, InvalidRequest, VectorStoreNotFound
from rag.records import Cursor, NewStore
from tests.support.library_harness import ALL, STORE, House

pytestmark = pytest.mark.integration


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
        assert house.library.document(STORE, house.file_id("a.md")).chunks == 1
        assert house.library.document(STORE, house.file_id("b.md")).chunks > 3

    def test_how_it_is_searched(self, house: House) -> None:
        house.library.create_store(NewStore(name="a", retrieval={"top_k": 3, "mode": "dense"}))
        assert house.library.store("a").retrieval == {"top_k": 3, "mode": "dense"}
        snapshot = house.archive.views.snapshot("a")
        assert snapshot.retrieval == '{"mode": "dense", "top_k": 3}'
        assert hash(snapshot) == hash(house.archive.views.snapshot("a"))
        house.library.update_store("a", NewStore(description="kept"))
        assert house.library.store("a").retrieval == {"top_k": 3, "mode": "dense"}
        house.library.update_store("a", NewStore(retrieval={"rerank": True}))
        assert house.archive.views.snapshot("a").retrieval == '{"rerank": true}'
        house.library.update_store("a", NewStore(retrieval={}))
        assert (house.library.store("a").retrieval, house.archive.views.snapshot("a").retrieval) == (None, "")


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
