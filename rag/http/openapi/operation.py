"""One operation of the API, as it is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import BaseModel

from rag.types import JsonObject

Method: TypeAlias = Literal["get", "post", "delete"]
Model: TypeAlias = type[BaseModel]
JSON = "application/json"
FORM = "multipart/form-data"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    schema: JsonObject
    description: str
    place: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Takes:
    """A body."""

    model: Model | None = None
    schema: JsonObject | None = None
    """In place of a model."""
    media_type: str = JSON
    required: bool = True


@dataclass(frozen=True, slots=True)
class Events:
    """Server-sent events."""

    kinds: Sequence[tuple[str, Model]]
    """Name and data of each; no name where events have none."""
    last: str = ""
    """Data of the very last, where that is not JSON."""


@dataclass(frozen=True, slots=True)
class Gives:
    """An answer that is no error."""

    description: str
    model: Model | None = None
    schema: JsonObject | None = None
    """In place of a model."""
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by name."""
    events: Events | None = None
    """The same answer, streamed. Without model and schema it always is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    name: str
    method: Method
    path: str
    tag: str
    summary: str
    gives: Sequence[Gives]
    description: str = ""
    takes: Takes | None = None
    parameters: Sequence[Parameter] = ()
    fails: Sequence[int] = ()
    """Statuses of its errors, beside those that every request can meet."""
    always: Sequence[int] = (429, 500, 503)
    """Statuses of errors that every request can meet: admission, defects of ours, services that are not ready."""
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What can be asked with what the first of `gives` says: operations by name, with their parameters."""
