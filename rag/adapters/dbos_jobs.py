"""Durable jobs on DBOS (https://docs.dbos.dev), which stores each completed step in SQLite or PostgreSQL.

An interrupted job resumes after its last completed step. BentoML's tasks are not durable (docs/bentoml_issues.md#b8).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.exc import SQLAlchemyError

from rag.errors import DependencyUnavailable
from rag.ingest.job import JobInterrupted
from rag.ports import Flow

_QUEUE = "rag"
_WORKFLOW = "rag-job"
_VERSION = "3"
"""Version of the flows. DBOS resumes only jobs of its own version: increase it when the order of steps changes."""
_MOST_AT_ONCE = 32
"""Jobs of all vector stores that run at the same time. Most of them wait for the parser or the encoder."""
_NO_STORE = "-"
_POLL_S = 0.1
_FAILURES = (dbos_errors.DBOSException, SQLAlchemyError)
T = TypeVar("T")


class _DbosSteps:
    """Runs the steps of a flow as DBOS steps. Implements `rag.ports.Steps`."""

    def __init__(self) -> None:
        self.is_stopped = threading.Event()

    def run(self, name: str, work: Callable[..., T], *arguments: object) -> T:
        def step() -> T:
            try:
                return work(*arguments)
            except JobInterrupted:
                # DBOS would store the exception and raise it again when the job is resumed (docs/bentoml_issues.md#d1).
                self.is_stopped.wait()
                raise

        return DBOS.run_step({"name": name}, step)


class DbosJobs:
    """Runs jobs as DBOS workflows. Implements `rag.ports.JobEngine`. One per process, since DBOS is a singleton.

    Args:
        url: SQLAlchemy URL of the database in which DBOS creates its tables.
        at_once: Jobs of one vector store that run at the same time.
    """

    def __init__(self, url: str, *, at_once: int = 4) -> None:
        is_sqlite = url.startswith("sqlite")
        self._config = DBOSConfig(
            name="rag",
            system_database_url=url,
            application_version=_VERSION,
            executor_id="local" if is_sqlite else f"{socket.gethostname()}-{os.getpid()}",
            enable_otlp=False,
            log_level="WARNING",
        )
        self._at_once = at_once
        self._workflow: Callable[[str, str], None] | None = None
        self._steps = _DbosSteps()

    def start(self, flows: Mapping[str, Flow]) -> None:
        steps = self._steps

        def job(flow: str, job_id: str) -> None:
            flows[flow](job_id, steps)

        DBOS(config=self._config)
        self._workflow = DBOS.workflow(name=_WORKFLOW)(job)
        try:
            DBOS.launch()
            DBOS.register_queue(
                _QUEUE,
                worker_concurrency=max(_MOST_AT_ONCE, self._at_once),
                partition_worker_concurrency=self._at_once,
                polling_interval_sec=_POLL_S,
            )
        except _FAILURES as error:
            raise _database_failed(error) from error

    def submit(self, flow: str, job_id: str, store: str = "") -> None:
        try:
            self._enqueue(flow, job_id, store)
            self._requeue(flow, job_id, store)
        except _FAILURES as error:
            raise _database_failed(error) from error

    def _enqueue(self, flow: str, job_id: str, store: str) -> None:
        if self._workflow is None:
            raise RuntimeError("call start() first")
        with SetWorkflowID(job_id), SetEnqueueOptions(queue_partition_key=store or _NO_STORE):
            DBOS.enqueue_workflow(_QUEUE, self._workflow, flow, job_id)

    def _requeue(self, flow: str, job_id: str, store: str) -> None:
        """Run a job that DBOS takes for finished or for another process's."""
        status = DBOS.get_workflow_status(job_id)
        if status is None:
            return
        if status.status == "ERROR" or (status.status != "SUCCESS" and status.app_version != _VERSION):
            # DBOS resumes neither of these (docs/bentoml_issues.md#d2), so all steps run again; they are idempotent.
            DBOS.delete_workflow(job_id)
            self._enqueue(flow, job_id, store)
            return
        if status.status in ("ENQUEUED", "DELAYED"):
            return
        if status.status == "PENDING" and status.executor_id == self._config.get("executor_id"):
            return
        DBOS.resume_workflow(job_id, queue_name=_QUEUE)

    def forget(self, job_ids: Sequence[str]) -> None:
        try:
            for job_id in job_ids:
                DBOS.delete_workflow(job_id)
        except _FAILURES as error:
            raise _database_failed(error) from error

    def stop(self) -> None:
        # Flows that are still running would log a traceback each (docs/bentoml_issues.md#d3).
        DBOS.logger.setLevel(logging.CRITICAL)
        DBOS.destroy()
        self._steps.is_stopped.set()


def _database_failed(error: Exception) -> DependencyUnavailable:
    return DependencyUnavailable(f"the job engine's database failed: {type(error).__name__}")
