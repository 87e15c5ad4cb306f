"""The lines of batches in the Retriever's catalog."""

from __future__ import annotations

from collections.abc import Mapping

from rag.auth.caller import caller_from_header
from rag.errors import RagError
from rag.http.clients.served_models import ServedModels
from rag.http.clients.service_client import ServiceClient
from rag.http.native.internal.batch_wire import line_key, report_to_wire
from rag.library.batches.exchange import AssignedLine, Assignment, Report
from rag.types import JsonObject

_TIMEOUT_S = 30.0


class RemoteBatchWork:
    """Reports ended lines of batches to the Retriever, and gets further ones.

    Args:
        models: Those that lines can name.
    """

    def __init__(self, client: ServiceClient, models: ServedModels) -> None:
        self._client = client
        self._models = models

    async def exchange(self, report: Report) -> Assignment:
        """See `rag.library.batches.work.BatchWork.exchange`. Raises a RagError if the Retriever does not answer."""
        wire = report_to_wire(report, self._served())
        return assignment_from_wire(await self._client.call("/batch_work", wire, timeout_s=_TIMEOUT_S))

    def _served(self) -> Mapping[str, str] | None:
        """The kinds of the models by name; None if the language model is not ready."""
        try:
            return {model.name: model.kind for model in self._models.listed()}
        except RagError:
            return None


def assignment_from_wire(wire: JsonObject) -> Assignment:
    lines = [
        AssignedLine(line_key(line["key"]), line["endpoint"], line["body"], caller_from_header(line["caller"]))
        for line in wire["lines"]
    ]
    return Assignment(lines, [line_key(key) for key in wire["dropped"]])
