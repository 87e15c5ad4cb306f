"""The end of a response that failed before its answer began."""

from __future__ import annotations

from rag.errors import RagError
from rag.http.error_table import error_body
from rag.http.middleware.request_id import current_request_id
from rag.http.streaming.event_stream import Event
from rag.http.v1.responses.output.events import FAILED
from rag.http.v1.responses.output.objects import error_object
from rag.types import JsonMapping


def failed_event(response: JsonMapping, error: RagError) -> Event:
    """The event as `ResponseWriter` would write it, without output. The catalog sets the sequence numbers."""
    failed = {**response, "status": "failed", "error": error_object(error).model_dump(), "output": []}
    fields = {"code": error.code, "message": error.message, "param": error.param}
    last = {"type": "error", "sequence_number": 0, **fields} | error_body(error, current_request_id.get())
    first = {"type": "response.failed", "sequence_number": 0, "response": failed}
    return FAILED, {"response.failed": first, "error": last}
