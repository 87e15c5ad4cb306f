"""Path, query and header parameters of an operation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel

from rag.types import JsonObject

_ID: JsonObject = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^[^/\x00]+$"}
_IN_PATH: Mapping[str, JsonObject] = {
    "store": {
        "description": "ID of a vector store, or its name if no other store has it. The store `default` always exists.",
        "example": "default",
    },
    "file_id": {"description": "ID of a file."},
    "batch": {"description": "ID of a file batch, which is also the ID of its job."},
    "job": {"description": "ID of a job."},
    "key": {"description": "ID of an API key."},
    "response_id": {"description": "ID of a response."},
    "completion_id": {"description": "ID of a chat completion."},
    "conversation_id": {"description": "ID of a conversation."},
    "item_id": {"description": "ID of an item."},
    "upload_id": {"description": "ID of an upload."},
    "batch_id": {"description": "ID of a batch of requests."},
    "model": {
        "description": "Name of a model. It may contain slashes.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 512},
        "example": "rag",
    },
}
IDEMPOTENCY_KEY: JsonObject = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A request repeated with the same key returns the job of the first request.",
    "schema": {"type": "string", "pattern": "^[ -~]{1,255}$"},
}
RANGE: JsonObject = {
    "name": "Range",
    "in": "header",
    "description": "The bytes to return, for example `bytes=0-99`.",
    "schema": {"type": "string"},
}


def path_parameters(path: str) -> list[JsonObject]:
    """One for each name in braces, such as `{store:id}`."""
    return [
        {"name": name, "in": "path", "required": True, "schema": _ID, **_IN_PATH[name]}
        for name in re.findall(r"{(\w+)", path)
    ]


def query_parameters(model: type[BaseModel] | None) -> Iterator[JsonObject]:
    """One for each field of the model that the handler validates the query string with."""
    if model is None:
        return
    for name, schema in model.model_json_schema()["properties"].items():
        place: Literal["query"] = "query"
        description = schema.pop("description", "")
        yield {"name": name, "in": place, "description": description, "schema": _without_null(schema)}


def _without_null(schema: JsonObject) -> JsonObject:
    """A query string has no null: an optional parameter is left out."""
    schema = {key: value for key, value in schema.items() if key != "title" and (key, value) != ("default", None)}
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    return {**(kinds[0] if kinds else {}), **schema}
