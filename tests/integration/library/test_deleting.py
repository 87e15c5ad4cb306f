from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rag.errors import FileNotFound
from rag.records import Attachment, NewStore
from tests.support.library_harness import STORE, House, a_house

pytestmark = pytest.mark.integration


class TestDelete:
    def test_gone_when_the_call_returns(self, house: House) -> None:
        house.ingest(("a.md", "apples"), ("b.md", "pears"))
        house.library.delete_document(STORE, house.file_id("a.md"))
        assert house.texts("apples") == ["pears"]
        assert house.names() == ["b.md"]
        house.clean()
        assert house.rows() == ["pears"]

    def test_what_is_on_its_way_never_comes(self, house: House) -> None:
        house.parser.gate.clear()
        job = house.ingest(("a.md", "apples"), wait=False)
        house.library.delete_document(STORE, house.file_id("a.md"))
        house.parser.gate.set()
        assert house.library.wait(job.job_id, 10).file_counts.cancelled == 1
        house.clean()
        assert (house.names(), house.rows()) == ([], [])

    def test_it_can_come_back(self, house: House) -> None:
        house.ingest(("a.md", "apples"))
        known = house.file_id("a.md")
        house.library.delete_document(STORE, known)
        house.ingest(("a.md", "apples"))
        assert house.file_id("a.md") == known
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
            house.library.delete_document(STORE, house.file_id("a.md"))
            cleaning = threading.Thread(target=house.clean)
            cleaning.start()
            cleaning.join(0.1)
            assert house.rows() == ["apples"]
            versions = {chunk.version_id for chunk in house.chunks()}
            assert house.archive.views.hidden(snapshot, versions) == set()
        cleaning.join(5)
        assert house.rows() == []


def test_expired_files_go(house: House) -> None:
    record = house.library.add_file(house.upload("a.md", "apples"), "assistants", expires_after_s=3600)
    house.library.wait(house.library.attach(STORE, [Attachment(record.file_id)]).job_id, 10)
    with house.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET expires_at = 1")
    house.archive.janitor.run_maintenance()
    assert house.texts("apples") == []


def test_what_a_crash_left_on_disk_is_swept_after_a_day(tmp_path: Path) -> None:
    with a_house(tmp_path) as house:
        house.ingest(("a.md", "apples"))
        kept = house.library.file(house.file_id("a.md")).file_id
        old, folder, new = (house.blobs.incoming / name for name in ("old", "rag-parser-x", "new"))
        folder.mkdir()
        for path in (old, folder / "extract.json", new):
            path.write_text("x")
        for path in (old, folder, house.library.content(kept)):
            os.utime(path, (1, 1))
    with a_house(tmp_path, store=house.store) as house:
        assert sorted(path.name for path in house.blobs.incoming.iterdir()) == ["new"]
        assert house.library.content(kept).read_text() == "apples"
