"""Between the edge and the Retriever: lines of batches, and how they ended.

`rag.http.native.internal.remote_batch_work` sends the requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rag.auth.caller import caller_to_header
from rag.http.validation.wire_model import WireModel
from rag.library.batches.exchange import Assignment, FinishedLine, ReleasedLine, Report
from rag.types import JsonObject

if TYPE_CHECKING:
    from rag.catalog.batch_lines import LineKey


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
