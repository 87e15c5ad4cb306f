from __future__ import annotations

import pytest

from rag.errors import FileNotFound
from rag.records import Attachment
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually

pytestmark = pytest.mark.integration


class TestReplacementByName:
    """Two files of the same name in one store, as OpenAI's clients create them."""

    def attach(self, harness: LibraryHarness, text: str, wait: bool = True) -> str:
        file = harness.library.add_file(harness.upload("a.md", text), "assistants")
        job = harness.library.attach(STORE, [Attachment(file.file_id)])
        if wait:
            harness.library.wait(job.job_id, 10)
        return file.file_id

    def test_the_old_file_is_replaced_once_the_new_one_is_indexed(self, harness: LibraryHarness) -> None:
        old, new = self.attach(harness, "apples"), self.attach(harness, "pears")
        assert [row.file_id for row in harness.library.documents(STORE, ALL).rows] == [new]
        with pytest.raises(FileNotFound):
            harness.library.document(STORE, old)
        harness.library.delete_file(old)
        assert harness.texts("pears") == ["pears"]

    def test_the_old_file_stays_if_the_new_one_fails(self, harness: LibraryHarness) -> None:
        old, new = self.attach(harness, "apples"), self.attach(harness, "broken")
        assert [hit.chunk.file_id for hit in harness.search("apples").hits] == [old]
        assert harness.library.document(STORE, old).status == "completed"
        assert harness.library.document(STORE, new).status == "failed"
        harness.library.delete_file(old)
        assert harness.texts("apples") == []
        assert [row.file_id for row in harness.library.documents(STORE, ALL).rows] == [new]
        harness.library.delete_document(STORE, new)
        assert harness.library.documents(STORE, ALL).rows == []

    def test_the_failed_file_can_be_deleted_alone(self, harness: LibraryHarness) -> None:
        old, new = self.attach(harness, "apples"), self.attach(harness, "broken")
        harness.library.delete_document(STORE, new)
        assert harness.texts("apples") == ["apples"]
        assert [row.file_id for row in harness.library.documents(STORE, ALL).rows] == [old]
        with pytest.raises(FileNotFound):
            harness.library.document(STORE, new)

    def test_the_old_file_can_be_deleted_while_the_new_one_is_processed(self, harness: LibraryHarness) -> None:
        old = self.attach(harness, "apples")
        harness.parser.gate.clear()
        new = self.attach(harness, "pears", wait=False)
        assert harness.library.document(STORE, new).status == "in_progress"
        harness.library.delete_document(STORE, old)
        assert harness.texts("apples") == []
        harness.parser.gate.set()
        eventually(lambda: harness.texts("pears") == ["pears"])
        assert harness.library.document(STORE, new).status == "completed"
