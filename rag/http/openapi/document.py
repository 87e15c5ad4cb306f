"""The whole API as one OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import rag
from rag.http.openapi import documents, failures, files, jobs, language, native, probes, stores
from rag.http.openapi.operation import EVENTS, JSON, Events, Gives, Model, Operation, Takes
from rag.http.openapi.parameters import ID, IN_PATH
from rag.http.openapi.schemas import Mode, Schemas
from rag.types import JsonObject

OPERATIONS: Sequence[Operation] = (
    *native.OPERATIONS,
    *language.OPERATIONS,
    *files.OPERATIONS,
    *stores.OPERATIONS,
    *documents.OPERATIONS,
    *jobs.OPERATIONS,
    *probes.OPERATIONS,
)
_ABOUT = """Answers questions from your documents, with sources.

Below `/v1` it is what OpenAI's clients know. Every response has `X-Request-ID`: the client's own, or a new one.
A method that a path does not take is a 405, and `Allow` says which it does."""


@cache
def published() -> bytes:
    """The document as JSON. Made once; it takes a second."""
    return json.dumps(document(), separators=(",", ":")).encode()


def document(operations: Sequence[Operation] = OPERATIONS) -> JsonObject:
    schemas = Schemas([*_models(operations), (failures.Error, "serialization")])
    paths: dict[str, JsonObject] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _published(operation, schemas)
    statuses = {status for operation in operations for status in _failing(operation)}
    error = schemas.of(failures.Error, "serialization")
    return {
        "openapi": "3.1.0",
        "info": {"title": "RAG", "version": rag.__version__, "description": _ABOUT},
        "servers": [{"url": "."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {"schemas": schemas.components, "responses": failures.components(statuses, error)},
    }


def _models(operations: Iterable[Operation]) -> Iterator[tuple[Model, Mode]]:
    for operation in operations:
        if operation.takes is not None and operation.takes.model is not None:
            yield operation.takes.model, "validation"
        for gives in operation.gives:
            if gives.model is not None:
                yield gives.model, "serialization"
            for _, model in gives.events.kinds if gives.events is not None else ():
                yield model, "serialization"


def _failing(operation: Operation) -> list[int]:
    return sorted({*operation.fails, *operation.always})


def _published(operation: Operation, schemas: Schemas) -> JsonObject:
    made: JsonObject = {"operationId": operation.name, "tags": [operation.tag], "summary": operation.summary}
    if operation.description:
        made["description"] = operation.description
    if parameters := [*_path_parameters(operation.path), *_other_parameters(operation)]:
        made["parameters"] = parameters
    if operation.takes is not None:
        made["requestBody"] = _body(operation.takes, schemas)
    given = {
        str(gives.status): _answer(gives, schemas, {} if number else operation.links)
        for number, gives in enumerate(operation.gives)
    }
    failed = {
        str(status): {"$ref": f"#/components/responses/{failures.component(status)}"} for status in _failing(operation)
    }
    return {**made, "responses": {**given, **failed}}


def _path_parameters(path: str) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": ID, **IN_PATH[name]}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _other_parameters(operation: Operation) -> list[JsonObject]:
    return [
        {"name": one.name, "in": one.place, "description": one.description, "schema": one.schema}
        for one in operation.parameters
    ]


def _body(takes: Takes, schemas: Schemas) -> JsonObject:
    schema = takes.schema if takes.model is None else schemas.of(takes.model, "validation")
    return {"required": takes.required, "content": {takes.media_type: {"schema": schema}}}


def _answer(gives: Gives, schemas: Schemas, links: Mapping[str, Mapping[str, str]]) -> JsonObject:
    schema = gives.schema if gives.model is None else schemas.of(gives.model, "serialization")
    content = {} if schema is None else {gives.media_type: {"schema": schema}}
    if gives.events is not None:
        content[EVENTS] = {"schema": _each_event(gives.events, schemas)}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in gives.headers.items()}
    made = {"description": gives.description, "headers": {"X-Request-ID": failures.REQUEST_ID, **headers}}
    linked = {name: {"operationId": name, "parameters": dict(taken)} for name, taken in links.items()}
    return {**made, "content": content, **({"links": linked} if linked else {})}


def _each_event(events: Events, schemas: Schemas) -> JsonObject:
    """One event of the stream: its data is text that is JSON."""
    kinds = [_event(name, _json_text(schemas.of(model, "serialization"))) for name, model in events.kinds]
    last = [_event("", {"type": "string", "const": events.last})] if events.last else []
    return {"description": "Each event.", "anyOf": [*kinds, *last]}


def _event(name: str, data: JsonObject) -> JsonObject:
    named: JsonObject = {"event": {"type": "string", "const": name}} if name else {}
    return {"type": "object", "properties": {**named, "data": data}, "required": [*named, "data"]}


def _json_text(schema: JsonObject) -> JsonObject:
    return {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
