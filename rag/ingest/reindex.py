"""Moves a vector store to another embedding model, or rebuilds its index, while queries are answered.

    create -> (find versions that are missing in the new index -> write them)* -> switch -> finish

Meanwhile new versions are written to the old index, and then found missing in the new one. The switch happens in a
transaction in which nothing is missing. A rollback is the same with the previous index as the new one.
"""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from rag.catalog import versions
from rag.catalog.database import Database
from rag.catalog.documents import jobs, stores
from rag.catalog.documents.stores import Index
from rag.catalog.documents.visibility import version_id
from rag.catalog.tables.rows import JobRow, VersionRow
from rag.encoders import StoreEncoders
from rag.errors import RagError, VectorStoreNotFound
from rag.ingest.flow import WINDOW_CHUNKS
from rag.ingest.job import JobLifecycle, run_job
from rag.ingest.job_work import JobWork
from rag.ingest.progress import RunningJobs
from rag.ingest.version_chunks import VersionChunks
from rag.ingest.writing import ChunkWriter
from rag.ports import Steps, VectorStore
from rag.records.job_step import JobStep

_MAX_VERSIONS_PER_STEP = 64


class ReindexSteps(JobLifecycle, Protocol):
    """The work of each step. All can be repeated."""

    def create(self, job_id: str) -> None: ...
    def find(self, job_id: str) -> list[int]: ...
    def write(self, job_id: str, seqs: list[int]) -> None: ...
    def switch(self, job_id: str) -> bool: ...


def reindex_flow(work: ReindexSteps, job_id: str, steps: Steps) -> None:
    """Build the job's index and switch to it.

    Raises:
        JobInterrupted: the process is stopping.
    """

    def body() -> None:
        steps.run("create", work.create, job_id)
        while True:
            seqs = steps.run("find", work.find, job_id)
            if seqs:
                steps.run("write", work.write, job_id, seqs)
            elif steps.run("switch", work.switch, job_id):
                break

    run_job(work, job_id, steps, body)


class ReindexWork(JobWork):
    """Implements `ReindexSteps`. The job's details name its index; the store keeps its own until the switch."""

    def __init__(
        self,
        database: Database,
        store: VectorStore,
        chunks: VersionChunks,
        writer: ChunkWriter,
        running: RunningJobs,
        encoders: StoreEncoders,
    ) -> None:
        super().__init__(database, running)
        self._store = store
        self._chunks = chunks
        self._writer = writer
        self._encoders = encoders

    def create(self, job_id: str) -> None:
        self._running.with_retries(job_id, lambda: self._create(job_id))

    def _create(self, job_id: str) -> None:
        index = self._index(job_id)
        self._running.report_progress(job_id, JobStep.of("creating_index", name=index.index_id))
        self._store.create(index.index_id, index.dimensions, index.embedder, sparse_model=index.sparse_embedder)

    def find(self, job_id: str) -> list[int]:
        """Versions that are missing in the index: several that make a window of chunks, or one large one."""
        self._running.check(job_id)
        return self._running.with_retries(job_id, lambda: self._find(job_id))

    def _find(self, job_id: str) -> list[int]:
        index = self._index(job_id)
        with self._database.write() as connection:
            missing = versions.missing_from_index(connection, index.store_id, index.index_id)
            _record_progress(connection, job_id, index, missing)
        chosen: list[int] = []
        chunks = 0
        for version in missing[:_MAX_VERSIONS_PER_STEP]:
            if chosen and chunks + version.chunks > WINDOW_CHUNKS:
                break
            chosen.append(version.seq)
            chunks += version.chunks
        return chosen

    def write(self, job_id: str, seqs: list[int]) -> None:
        self._running.with_retries(job_id, lambda: self._write(job_id, seqs))

    def _write(self, job_id: str, seqs: list[int]) -> None:
        index = self._index(job_id)
        with self._database.read() as connection:
            visible = [version for version in versions.get_many(connection, seqs) if version.state == "visible"]
        chunks = [chunk for version in visible for chunk in self._chunks.chunks(version)]
        for start in range(0, len(chunks), WINDOW_CHUNKS):
            self._writer.write(
                index,
                chunks[start : start + WINDOW_CHUNKS],
                again=True,
                check=lambda: self._running.check(job_id),
                on_progress=lambda count: self._running.report_progress(
                    job_id, JobStep.of("reindexing", name=index.embedder), count
                ),
            )
        with self._database.write() as connection:
            stores.lock(connection, index.store_id)
            written = versions.get_many(connection, seqs)
            for version in written:
                if version.state == "visible":
                    versions.mark_indexed(connection, index.index_id, version.seq)
        ended = [version.seq for version in written if version.state != "visible"]
        if ended:  # replaced or deleted meanwhile: the rows that were just written are useless
            self._store.delete(index.index_id, [version_id(seq) for seq in ended])

    def switch(self, job_id: str) -> bool:
        """Make the new index the active one. Returns False if another version must be written to it first."""
        self._running.check(job_id)
        return self._running.with_retries(job_id, lambda: self._switch(job_id))

    def _switch(self, job_id: str) -> bool:
        index = self._index(job_id)
        self._encoders.allow(index.embedder)
        with self._database.write() as connection:
            stores.lock(connection, index.store_id)
            if versions.missing_from_index(connection, index.store_id, index.index_id, limit=1):
                return False
            active = stores.active_index(connection, index.store_id)
            if active.index_id != index.index_id:
                self._encoders.allow(active.embedder)
                stores.switch_index(connection, active, index)
        self._store.point_alias(index.store_id, index.index_id)
        return True

    def _roll_back(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        drop_new_index(connection, job_id)

    def _index(self, job_id: str) -> Index:
        with self._database.read() as connection:
            index = stores.get_index(connection, jobs.get(connection, job_id).details["index"])
        if index is None or index.state == "dropping":
            raise VectorStoreNotFound("the vector store was deleted meanwhile", param="vector_store")
        return index


def _record_progress(connection: sa.Connection, job_id: str, index: Index, missing: list[VersionRow]) -> None:
    details = jobs.get(connection, job_id).details.copy()
    missing_chunks = sum(version.chunks for version in missing)
    total_files, total_chunks = versions.visible_totals(connection, index.store_id)
    details["files_total"], details["files_done"] = total_files, total_files - len(missing)
    details["chunks_total"], details["chunks_done"] = total_chunks, total_chunks - missing_chunks
    jobs.set_details(connection, job_id, details)


def has_switched(connection: sa.Connection, job: JobRow) -> bool:
    """Whether the job's index is already the active one: the job can no longer be cancelled then."""
    return stores.active_index(connection, job.store_id).index_id == job.details["index"]


def drop_new_index(connection: sa.Connection, job_id: str) -> None:
    """Drop the index that an unfinished job is building. An index that existed before the job stays."""
    index = stores.get_index(connection, jobs.get(connection, job_id).details["index"])
    if index is not None and index.state == "building":
        stores.set_index_state(connection, index.index_id, "dropping")
