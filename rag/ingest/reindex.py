"""A vector store moves to another embedding model while questions go on.

    create -> (find what the new index lacks -> write it)* -> switch -> finish

New writes go to the old index meanwhile, and are found lacking in the new one, until the two are level for the length
of one transaction. The way back is the same with the old index as the new one.
"""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa

from rag.catalog import jobs, stores, versions
from rag.catalog.database import Database
from rag.catalog.stores import Index
from rag.catalog.visibility import version_id
from rag.encoders import StoreEncoders
from rag.errors import RagError, VectorStoreNotFound
from rag.ingest.flow import WINDOW_CHUNKS
from rag.ingest.job import JobLife, run_job
from rag.ingest.job_work import JobWork
from rag.ingest.progress import RunningJobs
from rag.ingest.writing import ChunkWriter
from rag.ports import Steps, VectorStore

_AT_ONCE = 64


class ReindexSteps(JobLife, Protocol):
    """What a step does. All can be done again."""

    def create(self, job_id: str) -> None: ...
    def find(self, job_id: str) -> list[int]: ...
    def write(self, job_id: str, seqs: list[int]) -> None: ...
    def switch(self, job_id: str) -> bool: ...


def reindex_flow(work: ReindexSteps, job_id: str, steps: Steps) -> None:
    """Build the job's index and switch to it.

    Raises:
        JobInterrupted: the process stops.
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
    """See `ReindexSteps`. A job's details name its index; until the switch the store stays with the one that it has."""

    def __init__(
        self,
        database: Database,
        store: VectorStore,
        writer: ChunkWriter,
        running: RunningJobs,
        encoders: StoreEncoders,
    ) -> None:
        super().__init__(database, running)
        self._store = store
        self._writer = writer
        self._encoders = encoders

    def create(self, job_id: str) -> None:
        self._running.with_retries(job_id, lambda: self._create(job_id))

    def _create(self, job_id: str) -> None:
        index = self._index(job_id)
        self._running.report_progress(job_id, f"making the index {index.index_id}")
        self._store.create(index.index_id, index.dimensions, index.embedder, sparse_model=index.sparse_embedder)

    def find(self, job_id: str) -> list[int]:
        """Versions that the index lacks: a window full, or one large one."""
        self._running.check(job_id)
        return self._running.with_retries(job_id, lambda: self._find(job_id))

    def _find(self, job_id: str) -> list[int]:
        index = self._index(job_id)
        with self._database.write() as connection:
            missing = versions.missing_in(connection, index.store_id, index.index_id)
            _note_progress(connection, job_id, index, missing)
        chosen: list[int] = []
        chunks = 0
        for version in missing[:_AT_ONCE]:
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
            found = [version for version in versions.rows(connection, seqs) if version.state == "visible"]
        chunks = [chunk for version in found for chunk in self._writer.chunks(version)]
        for start in range(0, len(chunks), WINDOW_CHUNKS):
            self._writer.write(
                index,
                chunks[start : start + WINDOW_CHUNKS],
                again=True,
                check=lambda: self._running.check(job_id),
                on_slice=lambda count: self._running.report_progress(job_id, f"embedding for {index.embedder}", count),
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
        return self._running.with_retries(job_id, lambda: self._switch(job_id))

    def _switch(self, job_id: str) -> bool:
        index = self._index(job_id)
        self._encoders.allow(index.embedder)
        with self._database.write() as connection:
            stores.lock(connection, index.store_id)
            if versions.missing_in(connection, index.store_id, index.index_id, limit=1):
                return False
            active = stores.active_index(connection, index.store_id)
            if active.index_id != index.index_id:
                self._encoders.allow(active.embedder)
                stores.switch_index(connection, active, index)
        self._store.point_alias(index.store_id, index.index_id)
        return True

    def _give_up(self, connection: sa.Connection, job_id: str, reason: RagError) -> None:
        give_up(connection, job_id)

    def _index(self, job_id: str) -> Index:
        with self._database.read() as connection:
            index_id = jobs.row(connection, job_id).details["index"]
            index = next((i for i in stores.all_indexes(connection) if i.index_id == index_id), None)
        if index is None or index.state == "dropping":
            raise VectorStoreNotFound("the vector store was deleted meanwhile", param="vector_store")
        return index


def _note_progress(connection: sa.Connection, job_id: str, index: Index, missing: list[Any]) -> None:
    details = dict(jobs.row(connection, job_id).details)
    left_files, left_chunks = len(missing), sum(version.chunks for version in missing)
    total_files, total_chunks = versions.visible_totals(connection, index.store_id)
    details |= {"files_total": total_files, "files_done": total_files - left_files}
    details |= {"chunks_total": total_chunks, "chunks_done": total_chunks - left_chunks}
    jobs.set_details(connection, job_id, details)


def has_switched(connection: sa.Connection, job: Any) -> bool:
    """Whether the store is searched in the job's index already: then nothing is left that could be cancelled."""
    return stores.active_index(connection, job.store_id).index_id == str(job.details["index"])


def give_up(connection: sa.Connection, job_id: str) -> None:
    """Have the index of an unfinished job dropped, unless it was there before."""
    index_id = jobs.row(connection, job_id).details["index"]
    for index in stores.all_indexes(connection, "building"):
        if index.index_id == index_id:
            stores.set_index_state(connection, index_id, "dropping")
