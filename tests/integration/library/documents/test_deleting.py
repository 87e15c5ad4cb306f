from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from rag.catalog.documents.garbage import ERASED
from rag.catalog.tables.schema import versions
from rag.errors import FileNotFound
from rag.records import Attachment, Cursor, NewStore
from tests.support.library_harness import STORE, LibraryHarness, make_harness

pytestmark = pytest.mark.integration


class TestDelete:
    def test_a_document_is_gone_when_the_call_returns(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"), ("b.md", "pears"))
        harness.library.delete_document(STORE, harness.file_id("a.md"))
        assert harness.texts("apples") == ["pears"]
        assert harness.names() == ["b.md"]
        harness.clean()
        assert harness.rows() == ["pears"]

    def test_deleting_a_document_cancels_its_indexing(self, harness: LibraryHarness) -> None:
        harness.parser.gate.clear()
        job = harness.ingest(("a.md", "apples"), wait=False)
        harness.library.delete_document(STORE, harness.file_id("a.md"))
        harness.parser.gate.set()
        assert harness.library.wait(job.job_id, 10).file_counts.cancelled == 1
        harness.clean()
        assert (harness.names(), harness.rows()) == ([], [])

    def test_a_deleted_document_can_be_uploaded_again(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        file_id = harness.file_id("a.md")
        harness.library.delete_document(STORE, file_id)
        harness.ingest(("a.md", "apples"))
        assert harness.file_id("a.md") == file_id
        assert harness.texts("apples") == ["apples"]

    def test_a_deleted_file_leaves_every_store(self, harness: LibraryHarness) -> None:
        record = harness.library.add_file(harness.upload("a.md", "apples"), "assistants")
        other = harness.library.create_store(NewStore(name="other")).store_id
        for store in (STORE, other):
            harness.library.wait(harness.library.attach(store, [Attachment(record.file_id)]).job_id, 10)
        assert harness.texts("apples", store=other) == ["apples"]
        harness.library.delete_file(record.file_id)
        assert harness.texts("apples") == harness.texts("apples", store="other") == []
        with pytest.raises(FileNotFound):
            harness.library.file(record.file_id)
        harness.clean()
        assert [path for path in (harness.blobs.incoming.parent).glob("*/*") if path.is_file()] == []

    def test_a_search_keeps_the_chunks_of_its_snapshot(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        with harness.runtime.leases.hold():
            snapshot = harness.runtime.snapshots.snapshot(STORE)
            harness.library.delete_document(STORE, harness.file_id("a.md"))
            cleaner = threading.Thread(target=harness.clean)
            cleaner.start()
            cleaner.join(0.1)
            assert harness.rows() == ["apples"]
            versions = {chunk.version_id for chunk in harness.chunks()}
            assert harness.runtime.snapshots.hidden(snapshot, versions) == set()
        cleaner.join(5)
        assert harness.rows() == []


def test_expired_files_are_deleted(harness: LibraryHarness) -> None:
    record = harness.library.add_file(harness.upload("a.md", "apples"), "assistants", expires_after_s=3600)
    harness.library.wait(harness.library.attach(STORE, [Attachment(record.file_id)]).job_id, 10)
    with harness.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET expires_at = 1")
    harness.runtime.janitor.run_maintenance()
    assert harness.texts("apples") == []


def test_leftovers_of_a_crash_are_deleted_after_a_day(tmp_path: Path) -> None:
    with make_harness(tmp_path) as harness:
        harness.ingest(("a.md", "apples"))
        file_id = harness.library.file(harness.file_id("a.md")).file_id
        old, folder, new = (harness.blobs.incoming / name for name in ("old", "rag-parser-x", "new"))
        folder.mkdir()
        for path in (old, folder / "extract.json", new):
            path.write_text("x")
        for path in (old, folder, harness.library.content(file_id)):
            os.utime(path, (1, 1))
    with make_harness(tmp_path, store=harness.store) as harness:
        assert sorted(path.name for path in harness.blobs.incoming.iterdir()) == ["new"]
        assert harness.library.content(file_id).read_text() == "apples"


class TestErasure:
    def test_nothing_tells_what_a_deleted_document_was(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("secret-merger.md", "apples"), ("b.md", "pears"), attributes={"client": "Umbrella"})
        harness.library.delete_document(STORE, harness.file_id("secret-merger.md"))
        harness.clean()
        with harness.database.read() as connection:
            rows = connection.execute(sa.select(versions).order_by(versions.c.seq)).mappings().all()
        erased, kept = rows
        assert "merger" not in str(dict(erased))
        assert (erased["filename"], erased["attributes"], erased["content_hash"]) == (ERASED, {}, "")
        assert (kept["filename"], kept["attributes"]) == ("b.md", {"client": "Umbrella"})
        listed = harness.library.job_files(job.job_id, Cursor(10, "asc")).rows
        assert [record.filename for record in listed] == [ERASED, "b.md"]

    def test_no_file_of_the_catalog_has_the_name_of_a_deleted_document(self, tmp_path: Path) -> None:
        """SQLite's log keeps the former content of changed pages, and free pages keep theirs, unless told otherwise."""
        with make_harness(tmp_path) as harness:
            harness.ingest(("secret-merger.md", "apples"), attributes={"client": "Umbrella"})
            catalog = list(tmp_path.rglob("catalog.db*"))
            assert any(b"secret-merger" in path.read_bytes() for path in catalog)
            harness.library.delete_file(harness.file_id("secret-merger.md"))
            harness.clean()
            harness.runtime.janitor.run_maintenance()
            for path in catalog:
                assert not re.search(rb"secret-merger|Umbrella", path.read_bytes()), path.name

    def test_an_erased_document_can_be_uploaded_again(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.library.delete_document(STORE, harness.file_id("a.md"))
        harness.clean()
        harness.ingest(("a.md", "apples"))
        assert harness.names() == ["a.md"]
        assert harness.texts("apples") == ["apples"]
