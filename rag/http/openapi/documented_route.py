"""`DocumentedRoute`: what FastAPI's generator needs to describe an `OpenApiRoute`.

It serves nothing: FastAPI would answer an invalid request with status 422 and with a body that OpenAI's clients do not
understand. Building it takes a millisecond, so applications have plain routes.
"""

from __future__ import annotations

from fastapi import params
from fastapi.routing import APIRoute
from fastapi.utils import create_model_field
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

from rag.http.openapi.error_responses import REQUEST_ID, Error, error_references
from rag.http.openapi.events import EVENT_STREAM, stream_schema
from rag.http.openapi.parameters import path_parameters, query_parameters
from rag.http.openapi.route import API_KEY, JSON, OpenApiRoute, Operation, RequestBody
from rag.types import JsonObject


class DocumentedRoute(APIRoute):
    """A route with its public path, and without HEAD, which every GET route answers."""

    def __init__(self, route: OpenApiRoute) -> None:
        operation = route.operation
        super().__init__(
            route.path,
            route.endpoint,
            methods=sorted(route.methods - {"HEAD"}),
            operation_id=operation.id,
            tags=[operation.tag],
            summary=operation.summary,
            response_model=operation.response,
            response_description=operation.response_description,
            response_class=_response_class(operation),
            openapi_extra=_extra(operation, route.path),
        )
        self.path_format = route.mounted_at + self.path_format
        self.description = _description(operation)  # otherwise the handler's docstring
        self._add_models(operation)

    def _add_models(self, operation: Operation) -> None:
        """Add the models that FastAPI does not find in the handler's signature."""
        body = operation.body
        if body is not None:
            body = body if isinstance(body, RequestBody) else RequestBody(body)
            default = {} if body.required else {"default": None}
            described = params.Body(annotation=body.model, media_type=body.media_type, **default)  # type: ignore[arg-type]
            self.body_field = create_model_field(operation.id, body.model, field_info=described)
        models: list[type[BaseModel]] = [Error, *(event.data for event in operation.events)]
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
