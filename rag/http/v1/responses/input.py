"""The input of a response request: text or messages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rag.errors import EmptyQuestion, InvalidRequest
from rag.http.v1.documents.body import Body, Text
from rag.http.v1.sent_back import SENT_BACK, known_fields
from rag.types import JsonObject

MAX_ITEMS = 2000
MAX_CHARS = 4_000_000
"""Limit of one text."""
MAX_TURN_CHARS = 100_000
"""Limit of one message if documents are searched, the same as at `/ask`."""
_TEXTS = ("input_text", "output_text", "text")
_REFUSED_ITEMS = {
    "function_call": "functions are offered by chat completions; see /v1/chat/completions",
    "function_call_output": "functions are offered by chat completions; see /v1/chat/completions",
    "reasoning": "the language model cannot use another model's reasoning; leave it out",
}


def _text_part(kind: str) -> str:
    if kind not in _TEXTS:
        raise ValueError(f"{kind[:40]} is not supported; the language model reads text only")
    return kind


def _item(kind: str) -> str:
    if kind not in ("message", "file_search_call", "item_reference"):
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

    type: Annotated[str, AfterValidator(_text_part)]
    text: str = Field(max_length=MAX_CHARS)


class InputItem(Body):
    """A message, the ID of a kept one, or the file search call of an earlier response, which is ignored.

    Unknown fields of an assistant's message and of a call are ignored: clients add some, and send them back.
    """

    type: Annotated[str, AfterValidator(_item)] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Annotated[
        list[ResponseTextPart] | None,
        BeforeValidator(_as_parts, json_schema_input_type=str | list[ResponseTextPart] | None),
    ] = None
    id: Text | None = None
    status: str | None = None
    phase: str | None = None
    queries: list[object] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_unknown(cls, data: object) -> object:
        if isinstance(data, dict) and (data.get("role") == "assistant" or data.get("type") == "file_search_call"):
            return known_fields(cls, data)
        return data

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.content or ())


Items = Annotated[
    list[InputItem],
    BeforeValidator(_as_items, json_schema_input_type=Annotated[str, Field(min_length=1)] | list[InputItem]),
    Field(min_length=1, max_length=MAX_ITEMS),
]


def messages_of(items: Sequence[InputItem]) -> list[tuple[str, InputItem]]:
    """The messages, each with the name of its field. Raises InvalidRequest if there is none or one is incomplete."""
    messages = checked_messages(items, "input")
    if not messages:
        raise InvalidRequest("input: contains no message", param="input")
    return messages


def checked_messages(items: Sequence[InputItem], param: str) -> list[tuple[str, InputItem]]:
    """The messages, each with the name of its field. Raises InvalidRequest if one is incomplete."""
    messages = [(f"{param}.{position}", item) for position, item in enumerate(items) if item.type == "message"]
    for name, message in messages:
        for field in ("role", "content"):
            if getattr(message, field) is None:
                raise InvalidRequest(f"{name}.{field}: is required", param=f"{name}.{field}")
    return messages


def stored_item(item: InputItem) -> JsonObject:
    """The item as it is kept: with an id of its own, and OpenAI's names of parts."""
    body = item.model_dump(exclude_none=True)
    kind = "output_text" if item.role == "assistant" else "input_text"
    if item.type == "message":
        body["content"] = [{"type": kind, "text": part.text} for part in item.content or ()]
        if item.role == "assistant":
            body["content"] = [{**part, "annotations": [], "logprobs": []} for part in body["content"]]
    else:
        body |= {"queries": item.queries or [], "results": None}
    prefix = "msg" if item.type == "message" else "fs"
    return {**body, "id": f"{prefix}_{uuid.uuid4().hex}", "status": item.status or "completed"}


def chat_messages(
    items: Sequence[InputItem], instructions: str | None, history: Sequence[InputItem] = ()
) -> tuple[JsonObject, ...]:
    """In the format of `rag.types.Chat`. `history`: the items of earlier responses."""
    messages = [*_messages_among(history), *(message for _, message in messages_of(items))]
    turns = [
        {"role": "system" if message.role == "developer" else message.role, "content": message.text}
        for message in messages
    ]
    if not any(turn["content"] for turn in turns):
        raise InvalidRequest("input: is empty", param="input")
    return (*([{"role": "system", "content": instructions}] if instructions else []), *turns)


def _messages_among(history: Sequence[InputItem]) -> list[InputItem]:
    return [item for item in history if item.type == "message"]


def question_of(
    items: Sequence[InputItem], instructions: str | None, history: Sequence[InputItem] = ()
) -> tuple[str, list[JsonObject], str]:
    """The question, the earlier turns and the instructions, for an answer from documents.

    Raises:
        InvalidRequest: the last message is not from the user, or one is too long.
    """
    messages = messages_of(items)
    for name, message in messages:
        if len(message.text) > MAX_TURN_CHARS:
            raise InvalidRequest(f"{name}.content: has more than {MAX_TURN_CHARS} characters", param=f"{name}.content")
    name, last = messages[-1]
    if last.role != "user":
        param = f"{name}.role"
        raise InvalidRequest(
            f"{param}: an answer from documents needs a question; the last message must be the user's", param=param
        )
    if not last.text.strip():
        raise EmptyQuestion("input: the question is empty", param="input")
    conversation = [*_messages_among(history), *(message for _, message in messages)]
    parts = [
        instructions or "",
        *(turn.text for turn in conversation if turn.role in ("system", "developer")),
    ]
    turns = [
        {"role": turn.role, "content": turn.text[:MAX_TURN_CHARS]}
        for turn in conversation[:-1]
        if turn.role in ("user", "assistant")
    ]
    return last.text, turns, "\n\n".join(text for text in parts if text.strip())
