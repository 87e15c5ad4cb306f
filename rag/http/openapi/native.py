"""`/ask`, `/retrieve`, `/generate`, `/ingest`: BentoML's own APIs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rag.http.native.ask_wire import AskRequest
from rag.http.native.generate_wire import GenerateRequest
from rag.http.native.ingest_form import IngestRequest
from rag.http.openapi.native_events import AnswerDone, ErrorEvent, SourcesEvent, TextDone, TokenEvent, UsageOut
from rag.http.openapi.operation import FORM, Events, Gives, Operation, Takes
from rag.http.openapi.parameters import IDEMPOTENCY_KEY
from rag.http.wire import IngestResponse, RetrieveRequest, RetrieveResponse
from rag.types import JsonObject

_TAG = "Questions"
_TOKENS = (("token", TokenEvent), ("usage", UsageOut))
_JOB = {"job": "$response.body#/batch_id"}
_ERROR = ("error", ErrorEvent)


class GenerateResponse(BaseModel):
    """The whole text, with `"stream": false`."""

    model_config = ConfigDict(extra="allow")

    text: str
    finish_reason: str
    usage: UsageOut
    texts: list[dict[str, Any]] | None = Field(None, description="With `n`: each text.")


class FoundPassages(RetrieveResponse):
    note: str | None = Field(None, description="What was left out of the plan, and why.")


def _form() -> JsonObject:
    """`IngestRequest` as a form: its files are bytes there."""
    schema = IngestRequest.model_json_schema()
    fields = schema["properties"]
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": 1000}
    fields["files"] = {**files, "description": fields["files"].get("description", "")}
    for name, component in (("attributes", "Attributes"), ("chunking_strategy", "ChunkingStrategy")):
        described = fields[name].get("description", "")
        fields[name] = {"$ref": f"#/components/schemas/{component}", "description": described}
    schema.pop("title", None)
    return schema


OPERATIONS = (
    Operation(
        name="ask",
        method="post",
        path="/ask",
        tag=_TAG,
        summary="Answer a question from the documents",
        description="`sources` once, `token` many times, `usage` once, and last `done`, or `error` when something "
        "failed on the way.",
        takes=Takes(AskRequest),
        gives=[
            Gives(
                "Server-sent events.",
                events=Events([("sources", SourcesEvent), *_TOKENS, ("done", AnswerDone), _ERROR]),
            )
        ],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="retrieve",
        method="post",
        path="/retrieve",
        tag=_TAG,
        summary="Find passages for a query",
        takes=Takes(RetrieveRequest),
        gives=[Gives("Passages, best first.", FoundPassages)],
        fails=[400, 404, 409, 413, 504],
    ),
    Operation(
        name="generate",
        method="post",
        path="/generate",
        tag=_TAG,
        summary="Let the language model go on from a prompt",
        takes=Takes(GenerateRequest),
        gives=[
            Gives(
                'The whole text with `"stream": false`; else events: `token` many times, `usage` once, and last `done` '
                "or `error`.",
                GenerateResponse,
                events=Events([*_TOKENS, ("done", TextDone), _ERROR]),
            )
        ],
        fails=[400, 404, 413, 504],
    ),
    Operation(
        name="ingest",
        method="post",
        path="/ingest",
        tag=_TAG,
        summary="Add documents, or replace those of the same name in the same vector store",
        description="Accepted files are never lost: a durable job, whose id is the answer's `batch_id`, works on "
        "them. `wait_s` holds the answer until it has ended. A type that cannot be read refuses the request.",
        takes=Takes(schema=_form(), media_type=FORM),
        parameters=[IDEMPOTENCY_KEY],
        gives=[
            Gives("The work has ended.", IngestResponse),
            Gives("The work goes on.", IngestResponse, status=202),
        ],
        fails=[400, 404, 409, 413, 415],
        links=dict.fromkeys(("get_job", "list_job_files", "cancel_job", "retry_job"), _JOB),
    ),
)
