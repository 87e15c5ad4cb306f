from __future__ import annotations

import pytest

from rag.errors import DependencyUnavailable, InvalidRequest
from tests.support.library_harness import STORE, LibraryHarness, eventually

pytestmark = pytest.mark.integration


class TestAttributes:
    def test_attributes_change_without_embedding(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"), ("b.md", "pears"), attributes={"lang": "en"})
        calls = len(harness.embedders.default.calls)
        row = harness.library.set_attributes(STORE, harness.file_id("a.md"), {"lang": "de", "n": 1})
        assert row.attributes == {"lang": "de", "n": 1}
        assert len(harness.embedders.default.calls) == calls
        filters = {"type": "eq", "key": "lang", "value": "de"}
        assert harness.texts("x", mode="keyword", filters=filters) == []
        assert harness.texts("apples", filters=filters) == ["apples"]
        harness.clean()
        assert harness.rows() == ["apples", "pears"]

    def test_single_attributes_can_be_added_and_removed(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"), attributes={"lang": "en", "year": 2020})
        file_id = harness.file_id("a.md")
        row = harness.library.set_attributes(STORE, file_id, {"year": 2024, "n": 1}, merge=True, removed=["lang"])
        assert row.attributes == {"year": 2024, "n": 1}
        with pytest.raises(InvalidRequest, match="16"):
            harness.library.set_attributes(STORE, file_id, {f"k{n}": n for n in range(15)}, merge=True)

    def test_the_same_bytes_with_new_attributes_are_not_embedded_again(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        calls = len(harness.embedders.default.calls)
        job = harness.ingest(("a.md", "apples"), attributes={"n": 1})
        assert (job.state, job.file_counts.completed) == ("completed", 1)
        assert len(harness.embedders.default.calls) == calls
        assert [hit.chunk.attributes for hit in harness.search("apples").hits][-1] == {"n": 1}

    def test_attributes_set_during_an_update_apply_to_the_new_version(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.embedders.default.failure = DependencyUnavailable("away")
        job = harness.ingest(("a.md", "red apples"), wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for != "")
        harness.library.set_attributes(STORE, harness.file_id("a.md"), {"n": 1})
        harness.embedders.default.failure = None
        assert harness.library.wait(job.job_id, 10).file_counts.completed == 1
        (hit,) = harness.search("apples").hits
        assert (hit.chunk.text, hit.chunk.attributes) == ("red apples", {"n": 1})

    def test_the_language_of_a_document_is_recognized_and_can_be_filtered_by(self, harness: LibraryHarness) -> None:
        german = "Die Pumpe steht in der Halle und wird von der Schicht geprüft, die nachts im Dienst ist."
        english = "The pump is in the hall, and it was checked by the shift that is on duty at night."
        harness.ingest(("de.md", german), ("en.md", english), ("own.md", english), attributes={"n": 1})
        harness.library.set_attributes(STORE, harness.file_id("own.md"), {"language": "en-GB"})
        assert harness.library.document(STORE, harness.file_id("de.md")).language == "de"
        assert harness.library.document(STORE, harness.file_id("de.md")).attributes == {"n": 1}
        for language, expected in (("de", [german]), ("en", [english]), ("en-GB", [english])):
            filters = {"type": "eq", "key": "language", "value": language}
            assert harness.texts("pump", filters=filters) == expected
        harness.ingest(("de.md", german), attributes={"n": 2})  # copied, not parsed again
        filters = {"type": "eq", "key": "language", "value": "de"}
        assert [hit.chunk.attributes for hit in harness.search("pump", filters=filters).hits] == [{"n": 2}]
