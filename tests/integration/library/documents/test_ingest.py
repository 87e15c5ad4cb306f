from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rag.errors import Conflict, DependencyUnavailable, InvalidRequest, Overloaded, RagError, VectorStoreNotFound
from tests.fakes.parser import WARNINGS
from tests.support.library_harness import ALL, STORE, LibraryHarness, eventually

pytestmark = pytest.mark.integration


class TestIngest:
    def test_an_uploaded_file_is_found(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples are red"), ("b.md", "pears are green"))
        assert (job.state, job.file_counts.completed, job.chunks_done, job.chunks_total) == ("completed", 2, 2, 2)
        assert harness.texts("apples")[0] == "apples are red"
        assert harness.names() == ["a.md", "b.md"]

    def test_a_repeated_upload_changes_nothing(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        calls = len(harness.embedders.default.calls)
        job = harness.ingest(("a.md", "apples"))
        (row,) = harness.library.job_files(job.job_id, ALL).rows
        assert (job.state, row.change, row.status) == ("completed", "unchanged", "completed")
        assert len(harness.embedders.default.calls) == calls
        assert harness.rows() == ["apples"]

    def test_a_new_version_replaces_the_old_one(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples are red"))
        before = harness.library.document(STORE, harness.file_id("a.md"))
        job = harness.ingest(("a.md", "apples are green"))
        after = harness.library.document(STORE, harness.file_id("a.md"))
        assert harness.library.job_files(job.job_id, ALL).rows[0].change == "replaced"
        assert harness.texts("apples") == ["apples are green"]
        assert (after.document_id, after.file_id) == (before.document_id, before.file_id)
        assert after.version > before.version
        harness.clean()
        assert harness.rows() == ["apples are green"]
        assert harness.library.content(after.file_id).read_text() == "apples are green"

    def test_a_broken_file_fails_alone_with_the_reason(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples"), ("b.md", "broken"), ("c.md", "pears"))
        assert job.state == "completed"
        assert (job.file_counts.completed, job.file_counts.failed) == (2, 1)
        (row,) = harness.library.job_files(job.job_id, ALL, "failed").rows
        assert (row.filename, row.error_code) == ("b.md", "unsupported_file")
        assert "b.md" in (row.error_message or "")

    def test_what_was_not_read_is_kept_with_the_version(self, harness: LibraryHarness) -> None:
        job = harness.ingest(("a.md", "apples"), ("b.md", "partly pears"))
        rows = harness.library.job_files(job.job_id, ALL).rows
        assert {row.filename: row.warnings for row in rows} == {"a.md": (), "b.md": WARNINGS}
        again = harness.ingest(("b.md", "partly pears"), attributes={"n": 1})  # copies what was extracted
        (row,) = harness.library.job_files(again.job_id, ALL).rows
        assert (row.change, row.warnings) == ("replaced", WARNINGS)
        (kept,) = harness.library.document(STORE, harness.file_id("b.md")).warnings
        assert (kept, kept.code, kept.values) == ("1 picture was not read", "pictures", {"count": 1})

    def test_a_broken_new_version_keeps_the_old_one(self, harness: LibraryHarness) -> None:
        harness.ingest(("a.md", "apples"))
        harness.ingest(("a.md", "broken"))
        row = harness.library.document(STORE, harness.file_id("a.md"))
        assert (row.status, row.searchable) == ("failed", True)
        assert harness.texts("apples") == ["apples"]
        assert harness.library.content(row.file_id).read_text() == "apples"

    def test_files_keep_their_order(self, harness: LibraryHarness) -> None:
        names = ["z.md", "a.md", "m.md"]
        job = harness.ingest(*((name, f"text of {name}") for name in names))
        assert [row.filename for row in harness.library.job_files(job.job_id, ALL).rows] == names

    def test_a_repeated_file_name_is_refused(self, harness: LibraryHarness) -> None:
        with pytest.raises(InvalidRequest, match=r"a\.md"):
            harness.ingest(("a.md", "x"), ("a.md", "y"))

    def test_an_unknown_store_is_refused(self, harness: LibraryHarness) -> None:
        with pytest.raises(VectorStoreNotFound):
            harness.ingest(("a.md", "x"), store="nope")

    def test_concurrent_uploads_of_the_same_bytes_make_one_document(self, harness: LibraryHarness) -> None:
        harness.parser.gate.clear()
        jobs = [harness.ingest(("a.md", "apples"), wait=False) for _ in range(5)]
        harness.parser.gate.set()
        states = [harness.library.wait(job.job_id, 10) for job in jobs]
        assert [(job.state, job.file_counts.completed) for job in states] == [("completed", 1)] * 5
        assert harness.parser.parsed == ["a.md"]
        assert harness.rows() == ["apples"]

    def test_the_last_accepted_version_wins_whichever_finishes_first(self, harness: LibraryHarness) -> None:
        harness.parser.gate.clear()
        with ThreadPoolExecutor(8) as pool:
            jobs = list(pool.map(lambda n: harness.ingest(("a.md", f"apples {n}"), wait=False), range(8)))
        newest = max(harness.library.job_files(job.job_id, ALL).rows[0].version for job in jobs)
        harness.parser.gate.set()
        for job in jobs:
            assert harness.library.wait(job.job_id, 10).file_counts.completed == 1
        row = harness.library.document(STORE, harness.file_id("a.md"))
        assert row.version == newest
        assert len(harness.texts("apples")) == 1
        harness.clean()
        assert len(harness.rows()) == 1

    def test_an_idempotency_key_makes_one_job(self, harness: LibraryHarness) -> None:
        first = harness.ingest(("a.md", "apples"), idempotency_key="k")
        second = harness.ingest(("a.md", "apples"), idempotency_key="k")
        assert second.job_id == first.job_id
        with pytest.raises(Conflict, match="Idempotency-Key"):
            harness.ingest(("a.md", "pears"), idempotency_key="k")

    @pytest.mark.parametrize(
        "failure", [DependencyUnavailable("Embedder does not answer"), Overloaded("passages: too many are waiting")]
    )
    def test_the_job_waits_while_the_encoder_is_unavailable(self, harness: LibraryHarness, failure: RagError) -> None:
        harness.embedders.default.failure = failure
        job = harness.ingest(("a.md", "apples"), wait=False)
        eventually(lambda: harness.library.job(job.job_id).waiting_for == failure.message)
        harness.embedders.default.failure = None
        assert harness.library.wait(job.job_id, 10).state == "completed"
        assert harness.texts("apples") == ["apples"]

    def test_many_chunks_are_written_in_windows(self, harness: LibraryHarness) -> None:
        words = " ".join(f"word{n} is here and there." for n in range(20_000))
        job = harness.ingest(("big.md", words), ("small.md", "apples"))
        row = harness.library.document(STORE, harness.file_id("big.md"))
        assert job.state == "completed"
        assert row.chunks > 1000
        assert len(harness.rows()) == row.chunks + 1

    def test_rows_refused_by_the_store_fail_their_files(self, harness: LibraryHarness) -> None:
        harness.store.insert_failure = InvalidRequest("too long")
        job = harness.ingest(("a.md", "apples"), ("b.md", "pears"))
        assert (job.state, job.file_counts.failed) == ("completed", 2)
        harness.store.insert_failure = None
        job = harness.library.retry_job(job.job_id)
        assert harness.library.wait(job.job_id, 10).file_counts.completed == 2
        harness.clean()
        assert harness.rows() == ["apples", "pears"]
