"""The steps of an ingest job. Each can be done again: a crash may come after its work and before its end was kept."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from rag.blobs import BlobFolder
from rag.catalog import files, jobs, stores, versions
from rag.catalog.database import Database
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.errors import DeadlineExceeded, NoTextFound, RagError, Unavailable, VectorStoreNotFound
from rag.ingest.job import JobCancelled, JobInterrupted
from rag.ingest.job_work import JobWork, as_told
from rag.ingest.progress import RunningJobs
from rag.ingest.question_generation import AskingWork
from rag.ingest.writing import ChunkWriter
from rag.ports import Parser, VectorStore
from rag.readers import extract_json

SKIP = -1
"""What `read` says of a version that needs nothing more."""
_LOOK_EVERY_S = 0.2
T = TypeVar("T")
_log = logging.getLogger("rag.ingest")


class IngestWork(JobWork):
    """See `rag.ingest.flow.IngestSteps`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        store: VectorStore,
        parser: Parser,
        writer: ChunkWriter,
        running: RunningJobs,
        asking: AskingWork,
    ) -> None:
        super().__init__(database, running)
        self._asking = asking
        self._blobs = blobs
        self._store = store
        self._parser = parser
        self._writer = writer
        self._again: dict[str, bool] = {}

    def _begun(self, job_id: str, *, again: bool) -> None:
        self._again[job_id] = again

    def leave(self, job_id: str) -> None:
        self._again.pop(job_id, None)
        super().leave(job_id)

    def plan(self, job_id: str) -> list[int]:
        """The versions that this job has to make, in the order of the files; waits for those that others make."""
        while True:
            self._running.check(job_id)
            claimed, is_over = self._running.with_retries(job_id, lambda: self._claim(job_id))
            if claimed or is_over:
                return claimed
            time.sleep(_LOOK_EVERY_S)

    def _claim(self, job_id: str) -> tuple[list[int], bool]:
        with self._database.write() as connection:
            return jobs.claim_pending(connection, job_id), not jobs.has_pending(connection, job_id)

    # --- read ----------------------------------------------------------------------------------

    def read(self, job_id: str, seq: int) -> list[int]:
        """Read a file's text and keep it.

        Returns:
            How many chunks must be written: 0 when none, SKIP when all is done. And about how many passages questions
            must be asked first.
        """
        self._running.check(job_id)
        return self._for_file(job_id, seq, lambda: self._read(job_id, seq), [SKIP, 0])

    def _read(self, job_id: str, seq: int) -> list[int]:
        with self._database.read() as connection:
            version = versions.row(connection, seq)
        if version.state != "pending":
            return [SKIP, 0]
        self._running.report_progress(job_id, f"reading {version.filename}")
        if self._copy_twin(version):
            return [0, 0]
        if version.extract_id is not None:
            self._again[job_id] = True  # a job that was cancelled or broken off read it, and may have written of it
        else:
            self._parse(version)
        with self._database.read() as connection:
            version = versions.row(connection, seq)
        return [version.chunks, self._asking.passages_to_ask(version)]

    def _parse(self, version: Any) -> None:
        extract = self._parser.parse(self._blobs.path(version.blob_id), version.filename)
        chunks = self._writer.cut(extract, version.chunking)
        if not chunks:
            raise NoTextFound(f"{version.filename} has no text", param=version.filename)
        content = extract_json.to_json(extract)
        extract_id = self._blobs.write(content)
        with self._database.write() as connection:
            files.add_blob(connection, extract_id, "extract", len(content))
            versions.was_read(connection, version.seq, extract, extract_id, chunks)

    def _copy_twin(self, version: Any) -> bool:
        """When the document had this very text before, take its vectors; whether it had."""
        with self._database.write() as connection:
            index = stores.active_index(connection, version.store_id)
            reusable = versions.reusable_version(connection, version, index.index_id)
            if reusable is None or not (pending := versions.begin_writing(connection, {version.seq: 0})):
                return False
            versions.take_reading(connection, version.seq, reusable)
        copied = self._store.copy(
            index.index_id,
            version_id(reusable.seq),
            version_id(version.seq),
            file_id=version.file_id,
            attributes=pending[0].attributes,
        )
        if copied != reusable.chunks:
            return False  # the twin went meanwhile
        with self._database.write() as connection:
            versions.is_whole_in(connection, index.index_id, version.seq)
        return True

    # --- ask -----------------------------------------------------------------------------------

    def ask(self, job_id: str, seq: int, first: int) -> list[list[list[str]]]:
        """Have the language model make questions of some passages; see `AskingWork`."""
        self._running.check(job_id)
        return self._for_file(job_id, seq, lambda: self._asking.ask(job_id, seq, first), [])

    def keep_questions(self, job_id: str, seq: int, found: list[list[list[str]]]) -> int:
        """Keep them with the text: how many chunks must be written by that; SKIP when the file was given up."""
        self._running.check(job_id)
        chunks = self._for_file(job_id, seq, lambda: self._asking.keep(job_id, seq, found), None)
        return SKIP if chunks is None else chunks

    # --- write ---------------------------------------------------------------------------------

    def write(self, job_id: str, parts: list[list[int]]) -> None:
        """Embed and store ranges of chunks; a file that cannot be stored fails alone."""
        self._running.check(job_id)
        again, tries = self._again.get(job_id, True), itertools.count()
        try:
            self._running.with_retries(job_id, lambda: self._write(job_id, parts, again=next(tries) > 0 or again))
        except (JobCancelled, JobInterrupted):
            raise
        except Exception:
            if len(parts) > 1:
                _log.warning("job %s: a window failed; its files are tried one by one", job_id, exc_info=True)
                self._again[job_id] = True
                for part in parts:
                    self.write(job_id, [part])
                return
            self._for_file(job_id, parts[0][0], lambda: self._write(job_id, parts, again=True), None)

    def _write(self, job_id: str, parts: Sequence[Sequence[int]], *, again: bool) -> None:
        ranges = {seq: (start, end) for seq, start, end in parts}
        with self._database.write() as connection:
            pending = versions.begin_writing(connection, {seq: start for seq, start, _ in parts})
            if not pending:
                return
            index = stores.active_index(connection, pending[0].store_id)
        self._writer.write(
            index,
            [chunk for version in pending for chunk in self._writer.chunks(version)[slice(*ranges[version.seq])]],
            again=again,
            check=lambda: self._running.check(job_id),
            on_slice=lambda count: self._running.report_progress(job_id, f"embedding {pending[0].filename}", count),
        )
        ends = {version.seq: ranges[version.seq][1] for version in pending}
        with self._database.write() as connection:
            versions.got_to(connection, ends)
            for version in pending:
                if ends[version.seq] >= version.chunks and self._is_whole(index, version, ranges[version.seq][0]):
                    versions.is_whole_in(connection, index.index_id, version.seq)

    def _is_whole(self, index: Index, version: Any, start: int) -> bool:
        """Whether its last window made it whole: an earlier one may have gone to the index of before."""
        return start == 0 or self._store.count(index.index_id, version_id(version.seq)) == version.chunks

    # --- publish -------------------------------------------------------------------------------

    def publish(self, job_id: str, seqs: list[int]) -> list[list[int]]:
        """Let questions see the versions. Those that must be written again first, and their numbers of chunks."""
        self._running.check(job_id)
        again = self._running.with_retries(job_id, lambda: self._publish(seqs))
        if again:
            self._again[job_id] = True
        return again

    def _publish(self, seqs: list[int]) -> list[list[int]]:
        with self._database.write() as connection:
            found = versions.rows(connection, seqs)
            if not found:
                return []
            try:
                again = versions.publish(connection, found[0].store_id, seqs)
            except VectorStoreNotFound:
                return []
            return [[version.seq, version.chunks] for version in found if version.seq in again]

    def _give_up(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        """Say of its files that they failed, but for those that another job wants, too."""
        for seq in jobs.unshared_pending(connection, job_id):
            versions.fail(connection, seq, reason)

    def _for_file(self, job_id: str, seq: int, work: Callable[[], T], otherwise: T) -> T:
        """Do it for one file; what is wrong with the file is noted there."""
        try:
            return self._running.with_retries(job_id, work)
        except (JobCancelled, JobInterrupted, Unavailable, DeadlineExceeded):
            raise
        except Exception as error:
            if not isinstance(error, RagError):
                _log.exception("version %s of job %s failed", seq, job_id)
            reason = as_told(error)
        with self._database.write() as connection:
            versions.fail(connection, seq, reason)
        return otherwise
