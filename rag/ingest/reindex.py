"""A vector store moves to another embedding model while questions go on.

    create -> (find what the new index lacks -> write it)* -> switch -> finish

New writes go to the old index meanwhile, and are found lacking in the new one, until the two are level for the length
of one transaction. The way back is the same with the old index as the new one.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from rag.catalog import jobs, stores, versions
from rag.catalog.database import Database
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.encoders import StoreEncoders
from rag.errors import InternalError, RagError, VectorStoreNotFound
from rag.ingest.flow import WINDOW_CHUNKS, JobCancelled, JobInterrupted
from rag.ingest.progress import RunningJobs
from rag.ingest.writing import ChunkWriter
from rag.ports import Steps, VectorStore

_log = logging.getLogger("rag.ingest")
_AT_ONCE = 64


class ReindexSteps(Protocol):
    """What a step does. All can be done again."""

    def begin(self, job_id: str) -> bool: ...
    def create(self, job_id: str) -> None: ...
    def find(self, job_id: str) -> list[int]: ...
    def write(self, job_id: str, seqs: list[int]) -> None: ...
    def switch(self, job_id: str) -> bool: ...
    def finish(self, job_id: str) -> None: ...
    def abort(self, job_id: str, error: Exception) -> None: ...
    def leave(self, job_id: str) -> None: ...


def reindex_flow(work: ReindexSteps, job_id: str, steps: Steps) -> None:
    """Build the job's index and switch to it.

    Raises:
        JobInterrupted: the process stops.
    """
    try:
        if not work.begin(job_id):
            return
        steps.run("create", work.create, job_id)
        while True:
            seqs = steps.run("find", work.find, job_id)
            if seqs:
                steps.run("write", work.write, job_id, seqs)
            elif steps.run("switch", work.switch, job_id):
                break
        steps.run("finish", work.finish, job_id)
    except JobCancelled:
        return
    except JobInterrupted:
        raise
    except Exception as error:
        work.abort(job_id, error)
    finally:
        work.leave(job_id)


class ReindexWork:
    """See `ReindexSteps`. A job's details name its index."""

    def __init__(
        self,
        database: Database,
        store: VectorStore,
        writer: ChunkWriter,
        running: RunningJobs,
        encoders: StoreEncoders,
    ) -> None:
        self._database = database
        self._store = store
        self._writer = writer
        self._running = running
        self._encoders = encoders

    def begin(self, job_id: str) -> bool:
        with self._database.write() as connection:
            go_on, _ = jobs.begin(connection, job_id)
        if go_on:
            self._running.enter(job_id)
        return go_on

    def leave(self, job_id: str) -> None:
        self._running.leave(job_id)

    def create(self, job_id: str) -> None:
        index = self._index(job_id)
        self._running.says(job_id, f"making the index {index.index_id}")
        self._running.patiently(
            job_id, lambda: self._store.create(index.index_id, index.dimensions, index.embedder)
        )

    def find(self, job_id: str) -> list[int]:
        """Versions that the index lacks: a window full, or one large one."""
        self._running.check(job_id)
        index = self._index(job_id)
        with self._database.write() as connection:
            missing = versions.missing_in(connection, index.store_id, index.index_id)
            self._note_progress(connection, job_id, index, missing)
        chosen: list[int] = []
        chunks = 0
        for version in missing[:_AT_ONCE]:
            if chosen and chunks + version.chunks > WINDOW_CHUNKS:
                break
            chosen.append(version.seq)
            chunks += version.chunks
        return chosen

    def write(self, job_id: str, seqs: list[int]) -> None:
        index = self._index(job_id)
        self._running.patiently(job_id, lambda: self._write(job_id, index, seqs))

    def _write(self, job_id: str, index: Index, seqs: list[int]) -> None:
        with self._database.read() as connection:
            found = [version for version in versions.rows(connection, seqs) if version.state == "visible"]
        chunks = [chunk for version in found for chunk in self._writer.chunks(version)]
        for start in range(0, len(chunks), WINDOW_CHUNKS):
            self._writer.write(
                index,
                chunks[start : start + WINDOW_CHUNKS],
                again=True,
                check=lambda: self._running.check(job_id),
                on_slice=lambda count: self._running.says(job_id, f"embedding for {index.embedder}", count),
            )
        with self._database.write() as connection:
            stores.lock(connection, index.store_id)
            for version in versions.rows(connection, seqs):
                if version.state == "visible":
                    versions.is_whole_in(connection, index.index_id, version.seq)
            gone = [v.seq for v in versions.rows(connection, seqs) if v.state != "visible"]
        if gone:  # replaced or deleted meanwhile: what was just written is found by nobody
            self._store.delete(index.index_id, [version_id(seq) for seq in gone])

    def switch(self, job_id: str) -> bool:
        """Let questions go to the new index; False when a write came in between, which must be written first."""
        self._running.check(job_id)
        index = self._index(job_id)
        self._encoders.welcome(index.embedder)
        with self._database.write() as connection:
            stores.lock(connection, index.store_id)
            if versions.missing_in(connection, index.store_id, index.index_id, limit=1):
                return False
            active = stores.active_index(connection, index.store_id)
            if active.index_id != index.index_id:
                self._encoders.welcome(active.embedder)
                before = stores.index_in(connection, index.store_id, "previous")
                if before is not None and before.index_id != index.index_id:
                    stores.set_index_state(connection, before.index_id, "dropping")
                stores.set_index_state(connection, active.index_id, "previous")
                stores.set_index_state(connection, index.index_id, "active")
                stores.next_revision(connection, index.store_id)
        self._store.point_alias(index.store_id, index.index_id)
        return True

    def finish(self, job_id: str) -> None:
        with self._database.write() as connection:
            jobs.end(connection, job_id, "completed")

    def abort(self, job_id: str, error: Exception) -> None:
        """Give up; the store stays with the index that it has."""
        self._running.raise_if_stopping()
        _log.error("reindex %s failed", job_id, exc_info=error)
        reason = error if isinstance(error, RagError) else InternalError("an unexpected error; the log has it")
        with self._database.write() as connection:
            give_up(connection, job_id)
            jobs.end(connection, job_id, "failed", reason.message)

    def _index(self, job_id: str) -> Index:
        with self._database.read() as connection:
            index_id = jobs.row(connection, job_id).details["index"]
            index = next((i for i in stores.all_indexes(connection) if i.index_id == index_id), None)
        if index is None or index.state == "dropping":
            raise VectorStoreNotFound("the vector store was deleted meanwhile", param="vector_store")
        return index

    def _note_progress(self, connection: Any, job_id: str, index: Index, missing: list[Any]) -> None:
        details = dict(jobs.row(connection, job_id).details)
        left_files, left_chunks = len(missing), sum(version.chunks for version in missing)
        total_files, total_chunks = versions.visible_totals(connection, index.store_id)
        details |= {"files_total": total_files, "files_done": total_files - left_files}
        details |= {"chunks_total": total_chunks, "chunks_done": total_chunks - left_chunks}
        jobs.set_details(connection, job_id, details)


def give_up(connection: Any, job_id: str) -> None:
    """Have the index of an unfinished job dropped, unless it was there before."""
    index_id = jobs.row(connection, job_id).details["index"]
    for index in stores.all_indexes(connection, "building"):
        if index.index_id == index_id:
            stores.set_index_state(connection, index_id, "dropping")
