"""`OpenApiRoute`: a route with its own OpenAPI description."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

from fastapi import params
from fastapi.routing import APIRoute
from fastapi.utils import create_model_field
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from rag.auth.scopes import Scope
from rag.http.openapi.error_responses import ALWAYS, REQUEST_ID, Error, error_references
from rag.http.openapi.events import EVENT_STREAM, EventModel, stream_schema
from rag.http.openapi.parameters import path_parameters, query_parameters
from rag.types import JsonObject

Method: TypeAlias = Literal["GET", "POST", "DELETE"]
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
JSON = "application/json"
FORM = "multipart/form-data"
API_KEY = "api_key"
"""The name of the security scheme in the document."""
BINARY: JsonObject = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
"""Content of any media type."""


@dataclass(frozen=True, slots=True)
class RequestBody:
    model: type[BaseModel]
    media_type: str = JSON
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the OpenAPI document says about one method of a path."""

    id: str
    """Unique in the document."""
    scopes: Sequence[Scope]
    """An API key needs one of them; empty: the route needs no key. The edge enforces it (`rag.http.auth`)."""
    tag: str
    """Heading under which Swagger UI lists the operation."""
    summary: str
    description: str = ""
    body: RequestBody | type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    """The model that the handler validates the query string with."""
    headers: Sequence[JsonObject] = ()
    """Request headers, as OpenAPI parameter objects."""
    response: type[BaseModel] | None = None
    """JSON body of a successful response; None: it is text, or described by `content`, or only streamed."""
    response_description: str
    response_headers: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by header name."""
    content: JsonObject | None = None
    """Content of a successful response that is neither JSON nor plain text, by media type."""
    other_responses: Mapping[int, str] = field(default_factory=dict)
    """Descriptions of further successful responses with the same body, by status."""
    events: Sequence[EventModel] = ()
    """Events of a streamed response."""
    last_event: str = ""
    """Data of a stream's final event if it is not JSON."""
    errors: Sequence[int] = ()
    """Statuses of this operation's errors."""
    errors_of_all: Sequence[int] = ALWAYS
    """Statuses of errors that it shares with all other operations."""
    uses_tokens: bool = False
    """Whether limits of tokens apply."""
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Operations that take a value of the response: parameters (name to runtime expression) by operation id."""


class OpenApiRoute(APIRoute):
    """A route that FastAPI documents and Starlette serves.

    The handler validates the request and builds the response itself: FastAPI would answer an invalid request with
    status 422 and with a body that OpenAI's clients do not understand.

    Args:
        path: Path within the application that has the route.
        mounted_at: Path at which that application is mounted.
    """

    def __init__(self, method: Method, path: str, handler: Handler, operation: Operation, mounted_at: str = "") -> None:
        self.operation = operation
        self.mounted_at = mounted_at
        super().__init__(
            path,
            handler,
            methods=[method],
            operation_id=operation.id,
            tags=[operation.tag],
            summary=operation.summary,
            description=_description(operation),
            response_model=operation.response,
            response_description=operation.response_description,
            response_class=_response_class(operation),
            openapi_extra=_extra(operation, path),
        )
        self.description = _description(operation)  # without one, FastAPI would use the handler's docstring
        if method == "GET":
            self.methods.add("HEAD")
        self._add_models()

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The handler alone, without FastAPI's validation."""
        handler: Handler = self.endpoint
        return handler

    def documented(self) -> Self:
        """A copy for FastAPI's generator: with the public path, and without HEAD, which every GET route answers."""
        route = copy.copy(self)
        route.path_format = self.mounted_at + self.path_format
        route.methods = self.methods - {"HEAD"}
        return route

    def _add_models(self) -> None:
        """Add the models that FastAPI does not find in the handler's signature."""
        body = self.operation.body
        if body is not None:
            body = body if isinstance(body, RequestBody) else RequestBody(body)
            default = {} if body.required else {"default": None}
            described = params.Body(annotation=body.model, media_type=body.media_type, **default)  # type: ignore[arg-type]
            self.body_field = create_model_field(self.operation.id, body.model, field_info=described)
        models: list[type[BaseModel]] = [Error, *(event.data for event in self.operation.events)]
        for model in models:
            self.response_fields[model.__name__] = create_model_field(model.__name__, model, mode="serialization")


def _response_class(operation: Operation) -> type[Response]:
    """The class from which FastAPI takes the response's media type."""
    if operation.response is not None:
        return JSONResponse
    return Response if operation.events or operation.content is not None else PlainTextResponse


def _description(operation: Operation) -> str:
    if not operation.scopes:
        return operation.description
    names = " or ".join(f"`{scope}`" for scope in operation.scopes)
    return f"{operation.description}\n\nScope of the API key: {names}.".strip()


def _extra(operation: Operation, path: str) -> JsonObject:
    """Parts of the operation that FastAPI cannot derive from models."""
    parameters = [*path_parameters(path), *query_parameters(operation.query), *operation.headers]
    refusals = (401, 403, 429, 503) if operation.scopes else ()
    errors = error_references([*operation.errors, *operation.errors_of_all, *refusals])
    extra: JsonObject = {"responses": {"200": _success(operation), **_others(operation), **errors}}
    if operation.scopes:
        # In OpenAPI 3.1 a scheme of any type may have scopes; that one of them is enough, only the text can say.
        extra["security"] = [{API_KEY: list(operation.scopes)}]
    return {"parameters": parameters, **extra} if parameters else extra


def _success(operation: Operation) -> JsonObject:
    success: JsonObject = {"headers": _response_headers(operation)}
    if operation.content is not None:
        success["content"] = operation.content
    if operation.events:
        success["content"] = {EVENT_STREAM: {"schema": stream_schema(operation.events, operation.last_event)}}
    if operation.links:
        success["links"] = {
            name: {"operationId": name, "parameters": dict(values)} for name, values in operation.links.items()
        }
    return success


def _others(operation: Operation) -> JsonObject:
    content = operation.content
    if operation.response is not None:
        content = {JSON: {"schema": {"$ref": f"#/components/schemas/{operation.response.__name__}"}}}
    return {
        str(status): {"description": description, "headers": _response_headers(operation), "content": content}
        for status, description in operation.other_responses.items()
    }


def _response_headers(operation: Operation) -> JsonObject:
    described = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in operation.response_headers.items()
    }
    return {"X-Request-ID": REQUEST_ID, **described}
