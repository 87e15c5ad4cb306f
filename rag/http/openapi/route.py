"""`OpenApiRoute`: a route, and what the OpenAPI document says about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rag.auth.scopes import Scope
from rag.http.openapi.error_responses import ALWAYS
from rag.http.openapi.events import EventModel
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


class OpenApiRoute(Route):
    """A route that Starlette serves. The handler validates the request and builds the response itself.

    `rag.http.openapi.documented_route` turns it into one that FastAPI documents.

    Args:
        path: Path within the application that has the route.
        mounted_at: Path at which that application is mounted.
    """

    methods: set[str]

    def __init__(self, method: Method, path: str, handler: Handler, operation: Operation, mounted_at: str = "") -> None:
        self.operation = operation
        self.mounted_at = mounted_at
        super().__init__(path, handler, methods=[method])
