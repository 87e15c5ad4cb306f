"""Durable jobs on DBOS (https://docs.dbos.dev): steps are kept in SQLite or PostgreSQL, and a broken job goes on."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.exc import SQLAlchemyError

from rag.errors import DependencyUnavailable
from rag.ingest.job import JobInterrupted
from rag.ports import Flow

_QUEUE = "rag"
_WORKFLOW = "rag-job"
_VERSION = "2"
"""Of the flows. DBOS goes on only with jobs of its own version: raise it when a flow's steps change their order."""
_POLL_S = 0.1
_FAILURES = (dbos_errors.DBOSException, SQLAlchemyError)
T = TypeVar("T")


class _DbosSteps:
    """See `rag.ports.Steps`."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def run(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        def step() -> T:
            try:
                return work(*arguments)
            except JobInterrupted:
                # DBOS keeps what a step raised, and would raise it again at the next start: it must be gone first.
                self.is_over.wait()
                raise

        return DBOS.run_step({"name": name}, step)


class DbosJobs:
    """See `rag.ports.JobEngine`. One in a process: DBOS is a global.

    Args:
        url: As SQLAlchemy writes it; DBOS makes its own tables there.
        at_once: Jobs in work at the same time.
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
        self._workflow: Any = None
        self._steps = _DbosSteps()

    def start(self, flows: Mapping[str, Flow]) -> None:
        steps = self._steps

        def job(flow: str, job_id: str) -> None:
            flows[flow](job_id, steps)

        DBOS(config=self._config)
        self._workflow = DBOS.workflow(name=_WORKFLOW)(job)
        try:
            DBOS.launch()
            DBOS.register_queue(_QUEUE, worker_concurrency=self._at_once, polling_interval_sec=_POLL_S)
        except _FAILURES as error:
            raise DependencyUnavailable(f"the job engine's database failed: {type(error).__name__}") from error

    def submit(self, flow: str, job_id: str) -> None:
        try:
            self._enqueue(flow, job_id)
            self._take_up(flow, job_id)
        except _FAILURES as error:
            raise DependencyUnavailable(f"the job engine's database failed: {type(error).__name__}") from error

    def _enqueue(self, flow: str, job_id: str) -> None:
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(_QUEUE, self._workflow, flow, job_id)

    def _take_up(self, flow: str, job_id: str) -> None:
        """Have a job done again that DBOS holds for ended, or for another process's."""
        status = DBOS.get_workflow_status(job_id)
        if status is None:
            return
        if status.status == "ERROR" or (status.status != "SUCCESS" and status.app_version != _VERSION):
            # DBOS resumes no failure, and no job of an earlier version: its steps are done once more.
            DBOS.delete_workflow(job_id)
            self._enqueue(flow, job_id)
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
            raise DependencyUnavailable(f"the job engine's database failed: {type(error).__name__}") from error

    def stop(self) -> None:
        # Flows that stop now find DBOS gone, which it logs with a traceback each.
        DBOS.logger.setLevel(logging.CRITICAL)
        DBOS.destroy()
        self._steps.is_over.set()
