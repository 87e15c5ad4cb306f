"""The steps of an ingest job. Each can be done again: a crash may come after its work and before its end was kept."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rag.blobs import BlobFolder
from rag.catalog import files, jobs, stores, versions
from rag.catalog.database import Database
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.errors import DeadlineExceeded, InternalError, NoTextFound, RagError, Unavailable, VectorStoreNotFound
from rag.ingest.flow import JobCancelled, JobInterrupted
from rag.ingest.progress import RunningJobs
from rag.ingest.writing import ChunkWriter
from rag.ports import Parser, VectorStore
from rag.readers import extract_json

SKIP = -1
"""What `read` says of a version that needs nothing more."""
_LOOK_EVERY_S = 0.2
_UNEXPECTED = "an unexpected error occurred; the service's log has it"
T = TypeVar("T")
_log = logging.getLogger("rag.ingest")


class IngestWork:
    """See `rag.ingest.flow.IngestSteps`."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        store: VectorStore,
        parser: Parser,
        writer: ChunkWriter,
        running: RunningJobs,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._store = store
        self._parser = parser
        self._writer = writer
        self._running = running
        self._again: dict[str, bool] = {}

    def begin(self, job_id: str) -> bool:
        """Whether there is anything to do."""
        with self._database.write() as connection:
            go_on, was_begun = jobs.begin(connection, job_id)
        self._again[job_id] = was_begun
        if go_on:
            self._running.enter(job_id)
            if was_begun:
                _log.info("job %s goes on where it was broken off", job_id)
        return go_on

    def leave(self, job_id: str) -> None:
        self._again.pop(job_id, None)
        self._running.leave(job_id)

    def plan(self, job_id: str) -> list[int]:
        """The versions that this job has to make, in the order of the files; waits for those that others make."""
        while True:
            self._running.check(job_id)
            claimed, is_over = self._running.patiently(job_id, lambda: self._claim(job_id))
            if claimed or is_over:
                return claimed
            time.sleep(_LOOK_EVERY_S)

    def _claim(self, job_id: str) -> tuple[list[int], bool]:
        with self._database.write() as connection:
            return jobs.claim_pending(connection, job_id), not jobs.has_pending(connection, job_id)

    # --- read ----------------------------------------------------------------------------------

    def read(self, job_id: str, seq: int) -> int:
        """Read a file's text and keep it: how many chunks must be written; 0 when none, SKIP when all is done."""
        self._running.check(job_id)
        return self._for_file(job_id, seq, lambda: self._read(job_id, seq), SKIP)

    def _read(self, job_id: str, seq: int) -> int:
        with self._database.read() as connection:
            version = versions.row(connection, seq)
        if version.state != "pending":
            return SKIP
        self._running.says(job_id, f"reading {version.filename}")
        if self._copy_twin(version):
            return 0
        if version.extract_id is not None:
            self._again[job_id] = True  # a job that was cancelled or broken off read it, and may have written of it
            return int(version.chunks)
        extract = self._parser.parse(self._blobs.path(version.blob_id), version.filename)
        chunks = self._writer.cut(extract, version.chunking)
        if not chunks:
            raise NoTextFound(f"{version.filename} has no text", param=version.filename)
        content = extract_json.to_json(extract)
        extract_id = self._blobs.write(content)
        with self._database.write() as connection:
            files.add_blob(connection, extract_id, "extract", len(content))
            versions.was_read(connection, seq, extract, extract_id, chunks)
        return chunks

    def _copy_twin(self, version: Any) -> bool:
        """When the document had this very text before, take its vectors; whether it had."""
        with self._database.write() as connection:
            index = stores.active_index(connection, version.store_id)
            twin = versions.twin(connection, version, index.index_id)
            if twin is None or not (pending := versions.begin_writing(connection, {version.seq: 0})):
                return False
            versions.take_reading(connection, version.seq, twin)
        copied = self._store.copy(
            index.index_id,
            version_id(twin.seq),
            version_id(version.seq),
            file_id=version.file_id,
            attributes=pending[0].attributes,
        )
        if copied != twin.chunks:
            return False  # the twin went meanwhile
        with self._database.write() as connection:
            versions.is_whole_in(connection, index.index_id, version.seq)
        return True

    # --- write ---------------------------------------------------------------------------------

    def write(self, job_id: str, parts: list[list[int]]) -> None:
        """Embed and store ranges of chunks; a file that cannot be stored fails alone."""
        self._running.check(job_id)
        again, tries = self._again.get(job_id, True), itertools.count()
        try:
            self._running.patiently(job_id, lambda: self._write(job_id, parts, again=next(tries) > 0 or again))
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
            on_slice=lambda count: self._running.says(job_id, f"embedding {pending[0].filename}", count),
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
        again = self._running.patiently(job_id, lambda: self._publish(seqs))
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

    def finish(self, job_id: str) -> None:
        self._running.patiently(job_id, lambda: self._finish(job_id))

    def _finish(self, job_id: str) -> None:
        with self._database.write() as connection:
            jobs.end(connection, job_id, "completed")

    def abort(self, job_id: str, error: Exception) -> None:
        """End a job that cannot go on, and say so of its files."""
        self._running.raise_if_stopping()
        if isinstance(error, Unavailable):
            raise error  # it went away where nothing waits for it; the janitor has the job taken up again
        _log.error("job %s failed", job_id, exc_info=error)
        reason = error if isinstance(error, RagError) else InternalError(_UNEXPECTED)
        with self._database.write() as connection:
            for seq in jobs.unshared_pending(connection, job_id):
                versions.fail(connection, seq, reason)
            jobs.end(connection, job_id, "failed", reason.message)

    def _for_file(self, job_id: str, seq: int, work: Callable[[], T], otherwise: T) -> T:
        """Do it for one file; what is wrong with the file is noted there."""
        try:
            return self._running.patiently(job_id, work)
        except (JobCancelled, JobInterrupted, Unavailable, DeadlineExceeded):
            raise
        except RagError as error:
            reason: RagError = error
        except Exception:
            _log.exception("version %s of job %s failed", seq, job_id)
            reason = InternalError(_UNEXPECTED)
        with self._database.write() as connection:
            versions.fail(connection, seq, reason)
        return otherwise
