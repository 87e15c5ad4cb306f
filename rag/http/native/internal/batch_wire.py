"""Between the edge and the Retriever: lines of batches, and how they ended.

`rag.http.native.internal.remote_batch_work` sends the requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from rag.auth.caller import caller_to_header
from rag.catalog.batch_lines import LineKey
from rag.errors import RagError
from rag.http.model_aliases import ModelAliases
from rag.http.validation.wire_model import WireModel
from rag.library.batches.exchange import Assignment, FinishedLine, ReleasedLine, Report
from rag.library.batches.validation import WITHOUT_MODEL, IsModel
from rag.library.batches.work import BatchWork
from rag.types import JsonObject

logger = logging.getLogger("rag.batches")

EMBEDDINGS = "/v1/embeddings"


class BatchWorkRequest(WireModel):
    """A `rag.library.batches.exchange.Report`, and the models that are served by kind; null: they are not known now."""

    worker: str
    running: list[list[str | int]]
    finished: list[JsonObject]
    released: list[JsonObject]
    wanted: int
    models: dict[str, str] | None = None

    def parsed(self) -> Report:
        running = [line_key(each) for each in self.running]
        finished = [FinishedLine(line_key(each["key"]), each["status"], each["response"]) for each in self.finished]
        released = [ReleasedLine(line_key(each["key"]), each["pause_s"]) for each in self.released]
        return Report(self.worker, running, finished, released, self.wanted)


def report_to_wire(report: Report, models: Mapping[str, str] | None) -> JsonObject:
    return {
        "worker": report.worker,
        "running": [list(key) for key in report.running],
        "finished": [
            {"key": list(line.key), "status": line.status, "response": line.response} for line in report.finished
        ],
        "released": [{"key": list(line.key), "pause_s": line.pause_s} for line in report.released],
        "wanted": report.wanted,
        "models": None if models is None else dict(models),
    }


def assignment_to_wire(assignment: Assignment) -> JsonObject:
    lines = [
        {"key": list(line.key), "endpoint": line.endpoint, "body": line.body, "caller": caller_to_header(line.caller)}
        for line in assignment.lines
    ]
    return {"lines": lines, "dropped": [list(key) for key in assignment.dropped]}


def line_key(wire: Sequence[str | int]) -> LineKey:
    batch_id, number = wire
    return str(batch_id), int(number)


class BatchAdvance:
    """Runs the Retriever's part of batches in the background, triggered by edges that request lines."""

    def __init__(self, aliases: ModelAliases) -> None:
        self._aliases = aliases
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: BatchWork, models: Mapping[str, str] | None) -> None:
        """Validate new batches and finish ended ones, unless that is already running.

        Args:
            models: Kinds of the served models, by name.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(_advance(work, None if models is None else self.is_model(models)))

    def is_model(self, models: Mapping[str, str]) -> IsModel:
        """Whether a line can name a model, given the kinds of the served ones by name."""

        def is_model(endpoint: str, name: str) -> bool:
            kind = models.get(name) or models.get(self._aliases.model(name) or "")
            if endpoint in WITHOUT_MODEL:  # the edge does not know the rerankers, the route does
                return True
            return kind is not None and (kind == "embedding") == (endpoint == EMBEDDINGS)

        return is_model


async def _advance(work: BatchWork, is_model: IsModel | None) -> None:
    try:
        await asyncio.to_thread(work.advance, is_model)
    except RagError as error:  # the next request tries again
        logger.warning("processing of batches is postponed: %s", error)
    except Exception:
        logger.exception("processing of batches failed and will be retried")
