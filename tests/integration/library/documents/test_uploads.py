"""Uploads in parts, over both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from rag.auth.caller import Caller
from rag.auth.limits import Limits
from rag.catalog.tables.upload_tables import upload_parts, uploads
from rag.errors import InvalidRequest, NotFound, QuotaExceeded
from rag.library.documents.uploads import UploadRegistry
from rag.records import DAY_S, NewUpload
from tests.support.acting import acting, finds
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration

NEW = NewUpload("a.md", "assistants", 6)


@pytest.fixture
def registry(harness: LibraryHarness) -> UploadRegistry:
    return UploadRegistry(harness.database, harness.blobs, 1000)


def caller(key_id: str, tenant: str = "acme", max_bytes: int | None = None) -> Caller:
    limits = Limits(max_stored_bytes=max_bytes)
    return Caller(key_id, tenant, frozenset({"ingest"}), None, limits)


def part_files(harness: LibraryHarness) -> list[Path]:
    return [path for path in harness.blobs.incoming.parent.rglob("*") if path.is_file()]


def make_older(harness: LibraryHarness, seconds: float) -> None:
    with harness.database.write() as connection:
        connection.execute(sa.update(uploads).values(expires_at=uploads.c.expires_at - seconds))


def rows_of(harness: LibraryHarness, table: sa.Table) -> int:
    with harness.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_the_janitor_deletes_the_parts_of_an_expired_upload_and_later_the_upload(
    harness: LibraryHarness, registry: UploadRegistry
) -> None:
    upload = registry.create(NEW)
    part = registry.add_part(upload.upload_id, harness.upload("x", "apples"))
    harness.runtime.janitor.run_maintenance()
    harness.clean()
    assert len(part_files(harness)) == 1
    make_older(harness, 3601)
    for call in (registry.cancel, registry.check_pending):
        with pytest.raises(InvalidRequest, match="the upload is expired"):
            call(upload.upload_id)
    with pytest.raises(InvalidRequest, match="the upload is expired"):
        registry.complete(upload.upload_id, [part.part_id])
    harness.runtime.janitor.run_maintenance()
    harness.clean()
    assert (part_files(harness), rows_of(harness, upload_parts), rows_of(harness, uploads)) == ([], 0, 1)
    make_older(harness, DAY_S)
    harness.runtime.janitor.run_maintenance()
    assert rows_of(harness, uploads) == 0


def test_the_parts_of_a_completed_or_cancelled_upload_are_removed(
    harness: LibraryHarness, registry: UploadRegistry
) -> None:
    done, dropped = registry.create(NEW).upload_id, registry.create(NEW).upload_id
    used = registry.add_part(done, harness.upload("x", "apples"))
    for upload_id in (done, dropped):
        registry.add_part(upload_id, harness.upload("x", "unused"))
    file = registry.complete(done, [used.part_id]).file
    registry.cancel(dropped)
    harness.clean()
    assert file is not None
    assert part_files(harness) == [harness.library.content(file.file_id)]
    assert harness.library.content(file.file_id).read_text() == "apples"


def test_only_its_own_key_finds_an_upload(harness: LibraryHarness, registry: UploadRegistry) -> None:
    with acting(caller("key_1")):
        upload_id = registry.create(NEW).upload_id
        part = registry.add_part(upload_id, harness.upload("x", "apples"))

    def add() -> object:
        return registry.add_part(upload_id, harness.upload("x", "x"))

    operations = (
        lambda: registry.check_pending(upload_id),
        add,
        lambda: registry.complete(upload_id, [part.part_id]),
        lambda: registry.cancel(upload_id),
    )
    for other in (caller("key_2"), caller("key_1", "other")):
        assert not finds(other, operations)
    with acting(caller("key_1")):
        file = registry.complete(upload_id, [part.part_id]).file
    assert file is not None
    with acting(caller("key_2")):  # an ordinary file of the tenant
        assert harness.library.file(file.file_id) == file
    with acting(caller("key_1", "other")), pytest.raises(NotFound):
        harness.library.file(file.file_id)


def test_parts_count_as_stored_bytes(harness: LibraryHarness, registry: UploadRegistry) -> None:
    with acting(caller("key_1", max_bytes=9)):
        upload_id = registry.create(NEW).upload_id
        part = registry.add_part(upload_id, harness.upload("x", "apples"))
        with pytest.raises(QuotaExceeded, match="at most 9 bytes of files"):
            registry.add_part(upload_id, harness.upload("x", "pears"))
        registry.complete(upload_id, [part.part_id])
        other = registry.create(NEW).upload_id
        registry.add_part(other, harness.upload("x", "fig"))
        with pytest.raises(QuotaExceeded, match="and has 9"):
            registry.create(NEW)
    harness.clean()
    assert len(part_files(harness)) == 2
