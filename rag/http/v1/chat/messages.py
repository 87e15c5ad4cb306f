"""The messages of a chat completion request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from rag.errors import EmptyQuestion, InvalidRequest
from rag.http.v1.documents.body import Body
from rag.http.v1.text_generation.file_parts import AttachedFile, FilePart, attached_files, refuse_files
from rag.http.v1.text_generation.image_parts import (
    NO_IMAGES,
    AttachedImage,
    ImagePart,
    attached_images,
    images_among,
    model_content,
    refuse_images,
)
from rag.http.v1.text_generation.sent_back import SENT_BACK, known_fields
from rag.types import REASONING, JsonObject

MAX_MESSAGES = 2000
MAX_CHARS = 4_000_000
"""Limit of one message to the language model."""
MAX_TURN_CHARS = 100_000
"""Limit of one message to model `rag`, the same as at `/ask`."""


def _text_only(kind: str) -> str:
    if kind != "text":
        raise ValueError(f"{kind[:40]} is not supported; parts are text, image_url and file")
    return kind


def _as_parts(content: object) -> object:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if content is None or isinstance(content, list):
        return content
    raise ValueError("must be text, or a list of parts of type text")


class TextPart(Body):
    """A text. Unknown fields, such as `cache_control`, are ignored."""

    model_config = SENT_BACK

    type: Annotated[str, AfterValidator(_text_only)]
    text: str = Field(max_length=MAX_CHARS)


def _part_kind(part: object) -> str:
    """The tag of the model that validates the part. Tags with brackets are left out of field names in errors."""
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return {"file": "part[file]", "image_url": "part[image_url]"}.get(str(kind), "part[text]")


ChatPart: TypeAlias = Annotated[
    Annotated[TextPart, Tag("part[text]")]
    | Annotated[ImagePart, Tag("part[image_url]")]
    | Annotated[FilePart, Tag("part[file]")],
    Discriminator(_part_kind),
]


class CalledFunction(Body):
    model_config = SENT_BACK

    name: str = Field(min_length=1, max_length=256)
    arguments: str = Field(max_length=MAX_CHARS)


class ToolCall(Body):
    model_config = SENT_BACK

    id: str = Field(min_length=1, max_length=256)
    type: Literal["function"]
    function: CalledFunction
    index: int | None = Field(None, description="Present in streamed calls; ignored.")


Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


def _only_text(reasoning: object) -> object:
    """Ignores objects, which some servers return here and their clients send back."""
    return reasoning if isinstance(reasoning, str) else None


Reasoning: TypeAlias = Annotated[
    Annotated[str, Field(max_length=MAX_CHARS)] | None,
    BeforeValidator(_only_text, json_schema_input_type=str | None),
]
"""What the assistant thought before its message."""


class MessageIn(Body):
    """A message. Unknown fields of an assistant's message are ignored: clients add some, and send it back."""

    role: Role
    content: Annotated[
        list[ChatPart] | None, BeforeValidator(_as_parts, json_schema_input_type=str | list[ChatPart] | None)
    ] = None
    name: str | None = Field(None, max_length=256)
    tool_calls: list[ToolCall] | None = Field(None, max_length=128)
    tool_call_id: str | None = Field(None, max_length=256)
    refusal: str | None = None
    reasoning_content: Reasoning = None
    reasoning: Reasoning = None
    audio: None = None
    function_call: None = None

    @model_validator(mode="before")
    @classmethod
    def _without_unknown(cls, data: object) -> object:
        return known_fields(cls, data) if isinstance(data, dict) and data.get("role") == "assistant" else data

    @property
    def text(self) -> str:
        """Its text, with that of its files."""
        return "".join(part.text for part in self.content or ())

    @property
    def own_text(self) -> str:
        """Its text without that of its files."""
        return "".join(part.text for part in self.content or () if isinstance(part, TextPart))

    @property
    def files(self) -> dict[int, AttachedFile]:
        """See `HasFiles`."""
        return {n: part.file for n, part in enumerate(self.content or ()) if isinstance(part, FilePart)}

    @property
    def images(self) -> dict[int, AttachedImage]:
        """See `HasImages`."""
        return images_among(self.content)

    def for_model(self) -> JsonObject:
        """In the format of `rag.types.Chat`."""
        calls = [call.model_dump(exclude={"index"}) for call in self.tool_calls or ()]
        own = {"name": self.name, "tool_calls": calls, "tool_call_id": self.tool_call_id}
        own[REASONING] = self.reasoning_content or self.reasoning
        role = "system" if self.role == "developer" else self.role
        given = {name: value for name, value in own.items() if value}
        return {"role": role, "content": model_content(self.content or ()), **given}


def check_messages(messages: Sequence[MessageIn]) -> None:
    """Raises InvalidRequest if a message lacks a field that its role requires, or has a field of another role."""
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        if message.tool_calls and message.role != "assistant":
            raise InvalidRequest(
                f"{place}.tool_calls: only messages of role assistant have tool calls", param=f"{place}.tool_calls"
            )
        if (message.reasoning_content or message.reasoning) and message.role != "assistant":
            place = f"{place}.{'reasoning_content' if message.reasoning_content else 'reasoning'}"
            raise InvalidRequest(f"{place}: only messages of role assistant have reasoning", param=place)
        if message.files and message.role != "user":
            place = f"{place}.content.{min(message.files)}"
            raise InvalidRequest(f"{place}: only messages of role user have files", param=place)
        if message.images and message.role != "user":
            place = f"{place}.content.{min(message.images)}"
            raise InvalidRequest(f"{place}: only messages of role user have images", param=place)
        if message.content is None and not (message.role == "assistant" and (message.tool_calls or message.refusal)):
            raise InvalidRequest(f"{place}.content: is required", param=f"{place}.content")
        if (message.role == "tool") != (message.tool_call_id is not None):
            reason = "is required" if message.role == "tool" else "is only allowed in role tool"
            raise InvalidRequest(f"{place}.tool_call_id: {reason}", param=f"{place}.tool_call_id")


def question_of(messages: Sequence[MessageIn]) -> tuple[str, list[JsonObject], str]:
    """The question, the earlier turns and the system messages, for an answer from documents. Function calls and their
    outputs are left out.

    Raises:
        InvalidRequest: the last message is not from the user.
    """
    refuse_files(attached_files(messages, "messages"))
    refuse_images(attached_images(messages, "messages"), NO_IMAGES)
    said = [(number, message) for number, message in enumerate(messages) if not _calls(message)]
    for number, message in said:
        if len(message.text) > MAX_TURN_CHARS:
            place = f"messages.{number}.content"
            raise InvalidRequest(f"{place}: has more than {MAX_TURN_CHARS} characters", param=place)
    number, last = said[-1] if said else (len(messages) - 1, messages[-1])
    if last.role != "user":
        place = f"messages.{number}.role"
        raise InvalidRequest(f"{place}: model rag answers a question; the last message must be the user's", param=place)
    if not last.text.strip():
        raise EmptyQuestion("messages: the question is empty", param=f"messages.{number}.content")
    instructions = [message.text for _, message in said if message.role in ("system", "developer")]
    turns = [{"role": turn.role, "content": turn.text} for _, turn in said[:-1] if turn.role in ("user", "assistant")]
    return last.text, turns, "\n\n".join(text for text in instructions if text.strip())


def ignored_calls_note(messages: Sequence[MessageIn]) -> str:
    """What an answer from documents leaves out of the conversation."""
    has_calls = any(map(_calls, messages))
    return "messages: function calls and their outputs are ignored by answers from documents" if has_calls else ""


def _calls(message: MessageIn) -> bool:
    """Whether it is a function call, or what a function returned."""
    return message.role == "tool" or bool(message.tool_calls)
