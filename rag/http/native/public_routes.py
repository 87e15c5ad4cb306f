"""The public native routes in the OpenAPI document. BentoML serves them: service.py has their handlers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from rag.http.bodies.wire import IngestResponse, RetrieveRequest, RetrieveResponse
from rag.http.native.ask_wire import AskRequest
from rag.http.native.generate_wire import GenerateRequest
from rag.http.native.ingest_form import IngestRequest
from rag.http.native.stream_events import (
    AnswerDone,
    ErrorEvent,
    SourcesEvent,
    TextDone,
    ThinkingEvent,
    TokenEvent,
    UsageOut,
    WholeAnswer,
)
from rag.http.openapi.events import EventModel
from rag.http.openapi.parameters import IDEMPOTENCY_KEY
from rag.http.openapi.route import FORM, OpenApiRoute, Operation, RequestBody

_TAG = "Questions"
_JOB = {"job": "$response.body#/batch_id"}
_ERROR = EventModel(ErrorEvent, "error")
_TEXT = (EventModel(TokenEvent, "token"), EventModel(UsageOut, "usage"))


class GenerateResponse(BaseModel):
    """The complete text, with `"stream": false`."""

    model_config = ConfigDict(extra="allow")

    text: str
    finish_reason: str
    usage: UsageOut
    texts: list[dict[str, JsonValue]] | None = Field(None, description="With `n`: all texts.")


class IngestForm(IngestRequest):
    """The multipart form of `/ingest`."""

    files: list[Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]] = Field(  # type: ignore[assignment]
        description=str(IngestRequest.model_fields["files"].description), min_length=1, max_length=1000
    )


async def _served_by_bentoml(request: Request) -> Response:
    raise NotImplementedError(f"BentoML serves {request.url.path}")


def _route(path: str, operation: Operation) -> OpenApiRoute:
    return OpenApiRoute("POST", path, _served_by_bentoml, operation)


ROUTES = (
    _route(
        "/ask",
        Operation(
            id="ask",
            scopes=("ask",),
            uses_tokens=True,
            tag=_TAG,
            summary="Answer a question from the documents",
            description="Streams server-sent events, unless `stream` is false: `sources` once, `thinking` many times "
            "if the language model thinks first, `token` many times, `usage` once, and finally `done`, or `error` if "
            "the answer failed.",
            body=AskRequest,
            response=WholeAnswer,
            response_description='Server-sent events; with `"stream": false` the complete answer.',
            events=[
                EventModel(SourcesEvent, "sources"),
                EventModel(ThinkingEvent, "thinking"),
                *_TEXT,
                EventModel(AnswerDone, "done"),
                _ERROR,
            ],
            errors=[400, 404, 409, 413, 504],
        ),
    ),
    _route(
        "/retrieve",
        Operation(
            id="retrieve",
            scopes=("ask",),
            tag=_TAG,
            summary="Find passages for a query",
            body=RetrieveRequest,
            response=RetrieveResponse,
            response_description="Passages, best first.",
            errors=[400, 404, 409, 413, 504],
        ),
    ),
    _route(
        "/generate",
        Operation(
            id="generate",
            scopes=("generate",),
            uses_tokens=True,
            tag=_TAG,
            summary="Let the language model continue a prompt",
            body=GenerateRequest,
            response=GenerateResponse,
            response_description='The complete text with `"stream": false`; otherwise events: `token` many times, '
            "`usage` once, and finally `done` or `error`.",
            events=[*_TEXT, EventModel(TextDone, "done"), _ERROR],
            errors=[400, 404, 413, 504],
        ),
    ),
    _route(
        "/ingest",
        Operation(
            id="ingest",
            scopes=("ingest",),
            tag=_TAG,
            summary="Add documents, or replace those of the same name in the same vector store",
            description="Accepted files are never lost: a durable job processes them, whose ID is `batch_id` in the "
            "response. With `wait_s`, the response is sent when the job has ended. If one file's type cannot be read, "
            "the whole request is refused.",
            body=RequestBody(IngestForm, FORM),
            headers=[IDEMPOTENCY_KEY],
            response=IngestResponse,
            response_description="The job has ended.",
            other_responses={202: "The job is in progress."},
            errors=[400, 404, 409, 413, 415],
            links=dict.fromkeys(("get_job", "list_job_files", "cancel_job", "retry_job"), _JOB),
        ),
    ),
)
