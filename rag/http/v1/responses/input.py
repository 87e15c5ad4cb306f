"""The input of a response request: text, or messages and other items."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from rag.http.v1.documents.body import Body, Id, Text
from rag.http.v1.sent_back import SENT_BACK, known_fields
from rag.types import JsonObject

MAX_ITEMS = 2000
MAX_CHARS = 4_000_000
"""Limit of one text."""
_TEXTS = ("input_text", "output_text", "text")
_ITEMS = ("message", "function_call", "function_call_output", "file_search_call", "item_reference")
_CALLS = ("function_call", "file_search_call")
_ID_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "file_search_call": "fs"}
_REFUSED_ITEMS = {
    "reasoning": "the language model cannot use another model's reasoning; leave it out",
}


def _text_part(kind: str) -> str:
    if kind not in _TEXTS:
        raise ValueError(f"{kind[:40]} is not supported; the language model reads text only")
    return kind


def _item(kind: str) -> str:
    if kind not in _ITEMS:
        raise ValueError(_REFUSED_ITEMS.get(kind, f"{kind[:40]} is not supported; send messages"))
    return kind


def _as_parts(content: object) -> object:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    if content is None or isinstance(content, list):
        return content
    raise ValueError("must be text, or a list of parts such as input_text")


def _as_items(value: object) -> object:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise ValueError("must be text, or a list of messages")


class ResponseTextPart(Body):
    """A text. Unknown fields, and annotations and log probabilities of earlier answers, are ignored."""

    model_config = SENT_BACK

    type: Annotated[str, AfterValidator(_text_part), WithJsonSchema({"type": "string", "enum": list(_TEXTS)})]
    text: str = Field(max_length=MAX_CHARS)


Parts = Annotated[
    list[ResponseTextPart] | None,
    BeforeValidator(_as_parts, json_schema_input_type=str | list[ResponseTextPart] | None),
]


class InputItem(Body):
    """A message, a function call or its output, the ID of a kept item, or the file search call of an earlier response,
    which is ignored.

    Unknown fields of an assistant's message and of a call are ignored: clients add some, and send them back.
    """

    type: Annotated[str, AfterValidator(_item), WithJsonSchema({"type": "string", "enum": list(_ITEMS)})] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Parts = None
    call_id: Id | None = None
    name: Id | None = None
    arguments: str | None = Field(None, max_length=MAX_CHARS)
    output: Parts = None
    id: Text | None = None
    status: str | None = None
    phase: str | None = None
    queries: list[object] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_unknown(cls, data: object) -> object:
        if isinstance(data, dict) and (data.get("role") == "assistant" or data.get("type") in _CALLS):
            return known_fields(cls, data)
        return data

    @property
    def text(self) -> str:
        """The text of a message, or of the output of a function."""
        return "".join(part.text for part in self.content or self.output or ())


Items = Annotated[
    list[InputItem],
    BeforeValidator(_as_items, json_schema_input_type=Annotated[str, Field(min_length=1)] | list[InputItem]),
    Field(min_length=1, max_length=MAX_ITEMS),
]


def stored_item(item: InputItem) -> JsonObject:
    """The item as it is kept: with an id of its own, and OpenAI's names of parts."""
    body = item.model_dump(exclude_none=True)
    kind = "output_text" if item.role == "assistant" else "input_text"
    if item.type == "message":
        body["content"] = [{"type": kind, "text": part.text} for part in item.content or ()]
        if item.role == "assistant":
            body["content"] = [{**part, "annotations": [], "logprobs": []} for part in body["content"]]
    if item.type == "file_search_call":
        body |= {"queries": item.queries or [], "results": None}
    if item.output is not None:
        body["output"] = item.text
    prefix = _ID_PREFIXES[item.type]
    return {**body, "id": f"{prefix}_{uuid.uuid4().hex}", "status": item.status or "completed"}
