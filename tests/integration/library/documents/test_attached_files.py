"""Files that a request attaches to a message."""

from __future__ import annotations

import pytest

from rag.errors import BrokenFile, FileNotFound, FileTooLarge, InvalidRequest, NoTextFound
from tests.integration.library.test_tenants import acting
from tests.support.library_harness import LibraryHarness

pytestmark = pytest.mark.integration


def test_the_text_of_a_stored_file_is_only_for_its_tenant(harness: LibraryHarness) -> None:
    for tenant in ("acme", "umbra"):
        harness.library.ensure_tenant(tenant)
    with acting("acme"):
        file = harness.library.add_file(harness.upload("a.md", "apples"), "user_data")
        assert harness.runtime.attached_files.read(file.file_id) == ("a.md", "apples")
        assert harness.runtime.attached_files.content(file.file_id, 6) == b"apples"
        with pytest.raises(FileTooLarge):
            harness.runtime.attached_files.content(file.file_id, 5)
    with acting("umbra"):
        for read in (harness.runtime.attached_files.read, lambda name: harness.runtime.attached_files.content(name, 6)):
            with pytest.raises(FileNotFound):
                read(file.file_id)


def test_bytes_are_read_and_removed(harness: LibraryHarness) -> None:
    files = harness.runtime.attached_files
    before = set(harness.blobs.incoming.iterdir())
    assert files.read_bytes(b"pears", "b\\c.txt", 5) == ("b/c.txt", "pears")
    for content, name, error in (
        (b"pears!", "b.txt", FileTooLarge),
        (b"damaged", "b.txt", BrokenFile),
        (b"  ", "b.txt", NoTextFound),
        (b"pears", "../b.txt", InvalidRequest),
    ):
        with pytest.raises(error):
            files.read_bytes(content, name, 5 if error is FileTooLarge else 100)
    assert set(harness.blobs.incoming.iterdir()) == before
    assert "b/c.txt" in harness.parser.parsed
