"""The input of a response request: text, or messages and other items."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from rag.http.v1.documents.body import Body, CacheBreakpoint, Id, Text
from rag.http.v1.function_calling.functions import MAX_FUNCTIONS
from rag.http.v1.text_generation.file_parts import AttachedFile, InputFilePart
from rag.http.v1.text_generation.image_parts import AttachedImage, InputImagePart, images_among
from rag.http.v1.text_generation.sent_back import SENT_BACK, known_fields
from rag.types import JsonObject

MAX_ITEMS = 2000
MAX_CHARS = 4_000_000
"""Limit of one text."""
_TEXTS = ("input_text", "output_text", "text")
_ID_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "file_search_call": "fs",
    "mcp_list_tools": "mcpl",
    "mcp_call": "mcp",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcprr",
    "compaction": "cmp",
}
_IGNORED = {"results", "summary", "caller", "namespace"}
"""Fields of items that are sent back, which have no effect."""
MAX_SEALED_CHARS = 20_971_520
"""Limit of `encrypted_content`, the same as OpenAI's."""
_ITEMS = (*_ID_PREFIXES, "item_reference")
_SENT_BACK = (
    *("reasoning", "function_call", "file_search_call", "mcp_list_tools", "mcp_call", "mcp_approval_request"),
    "compaction",
)


def _text_part(kind: str) -> str:
    if kind not in _TEXTS:
        raise ValueError(f"{kind[:40]} is not supported; parts are input_text, input_image and input_file")
    return kind


def _item(kind: str) -> str:
    if kind not in _ITEMS:
        raise ValueError(f"{kind[:40]} is not supported; send messages")
    return kind


def _as_parts(content: object) -> object:
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}]
    if isinstance(content, list):
        return [_refusal_as_text(part) for part in content]
    if content is None:
        return content
    raise ValueError("must be text, or a list of parts such as input_text")


def _refusal_as_text(part: object) -> object:
    """A refusal of an earlier answer, which is sent back, is a text."""
    if isinstance(part, dict) and part.get("type") == "refusal":
        return {"type": "output_text", "text": part.get("refusal")}
    return part


def as_items(value: object) -> list[Any]:
    """The items of an input, which may be text. Raises ValueError if it is neither text nor a list."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise ValueError("must be text, or a list of messages")


def _thought(content: object) -> object:
    """The parts of a reasoning item that are texts. Another provider's items may have none that can be read."""
    parts = content if isinstance(content, list) else []
    return [
        {"type": "text", "text": part.get("text")}
        for part in parts
        if isinstance(part, dict) and part.get("type") == "reasoning_text"
    ]


class ResponseTextPart(Body):
    """A text. Unknown fields, and annotations and log probabilities of earlier answers, are ignored."""

    model_config = SENT_BACK

    type: Annotated[str, AfterValidator(_text_part), WithJsonSchema({"type": "string", "enum": list(_TEXTS)})]
    text: str = Field(max_length=MAX_CHARS)
    prompt_cache_breakpoint: CacheBreakpoint | None = None


def _part_kind(part: object) -> str:
    """The tag of the model that validates the part. Its brackets keep it out of the names of fields in errors."""
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return {"input_file": "part[file]", "input_image": "part[image]"}.get(str(kind), "part[text]")


ResponsePart = Annotated[
    Annotated[ResponseTextPart, Tag("part[text]")]
    | Annotated[InputImagePart, Tag("part[image]")]
    | Annotated[InputFilePart, Tag("part[file]")],
    Discriminator(_part_kind),
]
Parts = Annotated[
    list[ResponsePart] | None,
    BeforeValidator(_as_parts, json_schema_input_type=str | list[ResponsePart] | None),
]
TextParts = Annotated[
    list[ResponseTextPart] | None,
    BeforeValidator(_as_parts, json_schema_input_type=str | list[ResponseTextPart] | None),
]


class DirectCaller(Body):
    """Who called the function: the language model itself."""

    model_config = SENT_BACK

    type: Literal["direct"]


class InputItem(Body):
    """A message, what the model thought before it, a function call or its output, an item of an MCP server, the ID of a
    kept item, a compacted conversation, which replaces all items before it, or the file search call of an earlier
    response, which is ignored.

    Unknown fields of an assistant's message, of its reasoning and of a call are ignored: clients add some, and send
    them back.
    """

    type: Annotated[
        str, AfterValidator(_item), WithJsonSchema({"type": ["string", "null"], "enum": [*_ITEMS, None]})
    ] = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Parts = None
    call_id: Id | None = None
    name: Id | None = None
    arguments: str | None = Field(None, max_length=MAX_CHARS)
    output: TextParts = None
    id: Text | None = None
    status: str | None = None
    phase: Literal["commentary", "final_answer"] | None = None
    queries: list[object] | None = None
    results: list[object] | None = None
    summary: list[object] | None = None
    encrypted_content: str | None = Field(None, max_length=MAX_SEALED_CHARS)
    caller: DirectCaller | None = None
    namespace: Text | None = None
    server_label: Id | None = None
    tools: list[dict[str, Any]] | None = Field(None, max_length=MAX_FUNCTIONS)
    error: Any = None
    approval_request_id: Id | None = None
    approve: bool | None = None
    reason: Text | None = Field(None, max_length=4096)

    @model_validator(mode="before")
    @classmethod
    def _without_unknown(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        if data.get("type") is None and data.get("role") is None and data.get("id") is not None:
            data = {**data, "type": "item_reference"}
        if data.get("type") == "reasoning":
            return known_fields(cls, {**data, "content": _thought(data.get("content"))})
        is_sent_back = data.get("role") == "assistant" or data.get("type") in _SENT_BACK
        return known_fields(cls, data) if is_sent_back else data

    @property
    def text(self) -> str:
        """The text of a message with its files, or of the output of a function."""
        return "".join(part.text for part in self.content or self.output or ())

    @property
    def own_text(self) -> str:
        """The text without that of the files."""
        parts = self.content or self.output or ()
        return "".join(part.text for part in parts if isinstance(part, ResponseTextPart))

    @property
    def files(self) -> dict[int, AttachedFile]:
        """See `HasFiles`."""
        return {n: part for n, part in enumerate(self.content or ()) if isinstance(part, InputFilePart)}

    @property
    def images(self) -> dict[int, AttachedImage]:
        """See `HasImages`."""
        return images_among(self.content)


Items = Annotated[
    list[InputItem],
    BeforeValidator(as_items, json_schema_input_type=Annotated[str, Field(min_length=1)] | list[InputItem]),
    Field(min_length=1, max_length=MAX_ITEMS),
]


def stored_item(item: InputItem) -> JsonObject:
    """The item as it is kept: with an id of its own, and OpenAI's names of parts."""
    if item.type == "compaction":
        own_id = f"{_ID_PREFIXES[item.type]}_{uuid.uuid4().hex}"
        return {"id": own_id, "type": item.type, "encrypted_content": item.encrypted_content}
    body = item.model_dump(exclude_none=True, exclude=_IGNORED)
    kind = "output_text" if item.role == "assistant" else "input_text"
    if item.type == "message":
        body["content"] = [
            part.stored() if isinstance(part, InputFilePart | InputImagePart) else {"type": kind, "text": part.text}
            for part in item.content or ()
        ]
        if item.role == "assistant":
            body["content"] = [{**part, "annotations": [], "logprobs": []} for part in body["content"]]
    if item.type == "reasoning":
        parts = [{"type": "reasoning_text", "text": part.text} for part in item.content or ()]
        body |= {"summary": [], "content": parts}
    if item.type == "file_search_call":
        body |= {"queries": item.queries or [], "results": None}
    if item.output is not None:
        body["output"] = item.text
    prefix = _ID_PREFIXES[item.type]
    if item.type.startswith("mcp_"):  # its id is what an approval refers to
        return {**body, "id": item.id or f"{prefix}_{uuid.uuid4().hex}"}
    return {**body, "id": f"{prefix}_{uuid.uuid4().hex}", "status": _status(item)}


def _status(item: InputItem) -> str:
    is_search = item.type == "file_search_call"
    known = ("in_progress", "completed", "incomplete", *(("searching", "failed") if is_search else ()))
    return item.status if item.status is not None and item.status in known else "completed"
