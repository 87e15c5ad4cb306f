"""The work of each step of an ingest job. Steps are idempotent: after a crash, a finished step may run again."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog import versions
from rag.catalog.database import Database
from rag.catalog.documents import files, jobs, stores
from rag.catalog.documents.stores import Index
from rag.catalog.documents.visibility import version_id
from rag.catalog.tables.rows import VersionRow
from rag.errors import DeadlineExceeded, InternalError, NoTextFound, RagError, Unavailable, VectorStoreNotFound
from rag.ingest.job import JobCancelled, JobInterrupted
from rag.ingest.job_work import JobWork, public_error
from rag.ingest.parse_slots import ParseSlots
from rag.ingest.progress import RunningJobs
from rag.ingest.question_generation import QuestionSteps
from rag.ingest.version_chunks import VersionChunks
from rag.ingest.writing import ChunkWriter
from rag.keywords import document_language
from rag.ports import Parser, VectorStore
from rag.readers.extract import extract_json
from rag.recognized_language import with_language
from rag.records.job_step import JobStep

NOT_PENDING = -1
"""Returned instead of a number of chunks if the version failed or ended, so that nothing is left to do for it."""
_POLL_S = 0.2
T = TypeVar("T")
_log = logging.getLogger("rag.ingest")


class IngestWork(JobWork):
    """Implements `rag.ingest.flow.IngestSteps`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        store: VectorStore,
        parser: Parser,
        chunks: VersionChunks,
        writer: ChunkWriter,
        running: RunningJobs,
        questions: QuestionSteps,
        parse_slots: ParseSlots,
    ) -> None:
        super().__init__(database, running)
        self._blobs = blobs
        self._store = store
        self._parser = parser
        self._chunks = chunks
        self._writer = writer
        self._questions = questions
        self._parse_slots = parse_slots
        self._may_be_stored: dict[str, bool] = {}
        """For each running job, whether chunks that it writes may be in Milvus already."""

    def _on_begin(self, job_id: str, *, is_resumed: bool) -> None:
        self._may_be_stored[job_id] = is_resumed

    def release(self, job_id: str) -> None:
        self._may_be_stored.pop(job_id, None)
        super().release(job_id)

    def plan(self, job_id: str) -> list[int]:
        """The versions that this job must build, in the order of its files. Waits for those that other jobs are
        building.
        """
        while True:
            self._running.check(job_id)
            claimed, is_done = self._running.with_retries(job_id, lambda: self._claim(job_id))
            if claimed or is_done:
                return claimed
            time.sleep(_POLL_S)

    def _claim(self, job_id: str) -> tuple[list[int], bool]:
        with self._database.write() as connection:
            return jobs.claim_pending(connection, job_id), not jobs.has_pending(connection, job_id)

    # --- read ----------------------------------------------------------------------------------

    def read(self, job_id: str, seq: int) -> list[int]:
        """Extract a file's text, split it into chunks, and store the extract.

        Returns:
            The number of chunks that must be written: 0 if they were copied, NOT_PENDING if there is nothing to do.
            Then the number of passages for which questions must be generated first.
        """
        self._running.check(job_id)
        return self._for_file(job_id, seq, lambda: self._read(job_id, seq), [NOT_PENDING, 0])

    def _read(self, job_id: str, seq: int) -> list[int]:
        version = self._version(seq)
        if version.state != "pending":
            return [NOT_PENDING, 0]
        self._running.report_progress(job_id, JobStep.of("reading", name=version.filename))
        if self._copy_reusable(version):
            return [0, 0]
        if version.extract_id is not None:
            # A cancelled or interrupted job has extracted it, and may have written some chunks.
            self._may_be_stored[job_id] = True
        else:
            self._parse(job_id, version)
        version = self._version(seq)
        return [version.chunks, self._questions.passages_to_ask(version)]

    def _version(self, seq: int) -> VersionRow:
        with self._database.read() as connection:
            return versions.get(connection, seq)

    def _parse(self, job_id: str, version: VersionRow) -> None:
        if version.blob_id is None:
            raise InternalError(f"the bytes of {version.filename} are no longer stored")
        with self._database.read() as connection:
            charset = files.charset_of(connection, version.blob_id)
        with self._parse_slots.slot(lambda: self._running.check(job_id)):
            extract = self._parser.parse(self._blobs.path(version.blob_id), version.filename, charset)
        if not extract.language:
            extract = dataclasses.replace(extract, language=document_language(extract.text))
        passages = self._chunks.split(extract, version.chunking)
        if not passages.passages:
            raise NoTextFound(f"{version.filename} has no text", param=version.filename)
        content = extract_json.to_json(extract)
        extract_id = self._blobs.write(content)
        with self._database.write() as connection:
            files.add_blob(connection, extract_id, "extract", len(content))
            versions.record_extract(connection, version.seq, extract, extract_id, len(passages.passages))
        self._chunks.add(version.seq, extract_id, passages)

    def _copy_reusable(self, version: VersionRow) -> bool:
        """Copy the chunks and vectors of another version of the document with the same text. Returns False if there is
        none.
        """
        with self._database.write() as connection:
            index = stores.active_index(connection, version.store_id)
            reusable = versions.reusable_version(connection, version, index.index_id)
            if reusable is None or not (pending := versions.begin_writing(connection, {version.seq: 0})):
                return False
            versions.copy_extract(connection, version.seq, reusable)
        copied = self._store.copy(
            index.index_id,
            version_id(reusable.seq),
            version_id(version.seq),
            file_id=version.file_id,
            attributes=with_language(pending[0].attributes, reusable.language),
            read_groups=pending[0].read_groups or (),
        )
        if copied != reusable.chunks:
            return False  # the other version was removed meanwhile
        with self._database.write() as connection:
            versions.mark_indexed(connection, index.index_id, version.seq)
        return True

    # --- questions -----------------------------------------------------------------------------

    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]:
        """Generate questions for some passages; see `QuestionSteps`."""
        self._running.check(job_id)
        return self._for_file(job_id, seq, lambda: self._questions.ask(job_id, seq, first), [])

    def keep_questions(self, job_id: str, seq: int, generated: list[list[list[str]]]) -> int:
        """Store the questions with the extract. Returns the number of chunks to write, or NOT_PENDING."""
        self._running.check(job_id)
        chunks = self._for_file(job_id, seq, lambda: self._questions.keep(job_id, seq, generated), None)
        return NOT_PENDING if chunks is None else chunks

    # --- write ---------------------------------------------------------------------------------

    def write(self, job_id: str, parts: list[list[int]]) -> None:
        """Embed and store ranges of chunks. If that fails, each file is tried alone, and fails alone."""
        self._running.check(job_id)
        may_be_stored, attempts = self._may_be_stored.get(job_id, True), itertools.count()
        try:
            self._running.with_retries(
                job_id, lambda: self._write(job_id, parts, may_be_stored=next(attempts) > 0 or may_be_stored)
            )
        except (JobCancelled, JobInterrupted):
            raise
        except Exception:
            if len(parts) > 1:
                _log.warning("job %s: writing several files failed; trying each alone", job_id, exc_info=True)
                self._may_be_stored[job_id] = True
                for part in parts:
                    self.write(job_id, [part])
                return
            self._for_file(job_id, parts[0][0], lambda: self._write(job_id, parts, may_be_stored=True), None)

    def _write(self, job_id: str, parts: Sequence[Sequence[int]], *, may_be_stored: bool) -> None:
        ranges = {seq: (start, end) for seq, start, end in parts}
        with self._database.write() as connection:
            pending = versions.begin_writing(connection, {seq: start for seq, start, _ in parts})
            if not pending:
                return
            index = stores.active_index(connection, pending[0].store_id)
        self._writer.write(
            index,
            [chunk for version in pending for chunk in self._chunks.chunks(version, *ranges[version.seq])],
            again=may_be_stored,
            check=lambda: self._running.check(job_id),
            on_progress=lambda count: self._running.report_progress(
                job_id, JobStep.of("embedding", name=pending[0].filename), count
            ),
        )
        ends = {version.seq: ranges[version.seq][1] for version in pending}
        with self._database.write() as connection:
            versions.record_progress(connection, ends)
            for version in pending:
                if ends[version.seq] >= version.chunks and self._is_complete(index, version, ranges[version.seq][0]):
                    versions.mark_indexed(connection, index.index_id, version.seq)

    def _is_complete(self, index: Index, version: VersionRow, start: int) -> bool:
        """Whether the index holds all chunks after the last range; earlier ranges may be in the index before it."""
        return start == 0 or self._store.count(index.index_id, version_id(version.seq)) == version.chunks

    # --- publish -------------------------------------------------------------------------------

    def publish(self, job_id: str, seqs: list[int]) -> list[list[int]]:
        """Make the versions visible. Returns those that must be written again first, with their numbers of chunks."""
        self._running.check(job_id)
        outdated = self._running.with_retries(job_id, lambda: self._publish(seqs))
        if outdated:
            self._may_be_stored[job_id] = True
        return outdated

    def _publish(self, seqs: list[int]) -> list[list[int]]:
        with self._database.write() as connection:
            rows = versions.get_many(connection, seqs)
            if not rows:
                return []
            try:
                outdated = versions.publish(connection, rows[0].store_id, seqs)
            except VectorStoreNotFound:
                return []
            return [[version.seq, version.chunks] for version in rows if version.seq in outdated]

    def _roll_back(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        """Fail the pending files, except those that another job also has."""
        for seq in jobs.unshared_pending(connection, job_id):
            versions.fail(connection, seq, reason)

    def _for_file(self, job_id: str, seq: int, work: Callable[[], T], on_failure: T) -> T:
        """Call `work`. If it raises an error that retries cannot cure, fail the version and return `on_failure`."""
        try:
            return self._running.with_retries(job_id, work)
        except (JobCancelled, JobInterrupted, Unavailable, DeadlineExceeded):
            raise
        except Exception as error:
            if not isinstance(error, RagError):
                _log.exception("job %s: version %s failed", job_id, seq)
            reason = public_error(error)
        with self._database.write() as connection:
            versions.fail(connection, seq, reason)
        return on_failure
