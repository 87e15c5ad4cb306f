"""Metrics of jobs, and of responses in the background."""

from __future__ import annotations

import time
from itertools import product
from typing import get_args

from rag.catalog import batches
from rag.catalog.answers import background
from rag.catalog.documents import jobs
from rag.library.resources import LibraryResources
from rag.records import BatchState, JobKind, JobState
from rag.telemetry import retrieval as metrics


def update_job_metrics(resources: LibraryResources) -> None:
    """Set the metrics to the current state of the catalog."""
    with resources.database.read() as connection:
        counts = jobs.counts(connection)
        oldest = next(iter(jobs.unfinished(connection)), None)
        stalled = len(jobs.stalled(connection))
        responses = background.unfinished(connection)
        of_state = batches.counts(connection)
    for kind, state in product(get_args(JobKind), get_args(JobState)):
        metrics.JOBS.labels(kind, state).set(counts.get((kind, state), 0))
    for batch_state in get_args(BatchState):
        metrics.BATCHES.labels(batch_state).set(of_state.get(batch_state, 0))
    metrics.OLDEST_JOB_AGE.set(0.0 if oldest is None else max(0.0, time.time() - oldest.created_at))
    metrics.STALLED_JOBS.set(stalled)
    for response_state in background.UNFINISHED:
        metrics.UNFINISHED_RESPONSES.labels(response_state).set(responses.get(response_state, 0))
