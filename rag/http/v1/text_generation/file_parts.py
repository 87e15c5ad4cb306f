"""Files that a request attaches to a message: they are read to text, which becomes part of the message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, Literal, Protocol, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from rag.errors import ContextLengthExceeded, InternalError, InvalidRequest, RagError, UnsupportedFile
from rag.http.clients.remote_files import FileText, RemoteFiles
from rag.http.clients.remote_token_count import count_tokens
from rag.http.clients.service_client import ServiceClient
from rag.http.v1.documents.body import Body, CacheBreakpoint, Id
from rag.http.v1.text_generation.part_fields import by_field
from rag.http.v1.text_generation.sent_back import SENT_BACK
from rag.types import JsonMapping, JsonObject

MAX_FILES = 20
"""Files of one request, those of earlier turns included."""


def _no_url(url: str | None) -> None:
    if url is not None:
        raise ValueError(
            "is not supported, because no file is fetched from a URL; download it and send it as file_data, or upload "
            "it (POST /v1/files) and send its file_id"
        )


class AttachedFile(Body):
    """A file by its id, or its bytes with a name."""

    file_id: Id | None = None
    file_data: str | None = Field(None, min_length=1, description="Base64, or a data URL.")
    filename: str | None = Field(None, min_length=1, max_length=512)
    file_url: Annotated[str | None, AfterValidator(_no_url)] = None
    _text: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file_id is None) == (self.file_data is None):
            raise ValueError("give exactly one of file_id and file_data")
        if self.file_data is not None and self.filename is None:
            raise ValueError("filename is required with file_data; its ending may tell the type of the file")
        return self

    @property
    def text(self) -> str:
        """The file's name and text, as the language model reads them."""
        if self._text is None:
            raise InternalError("an attached file was not read")
        return self._text

    def set_text(self, read: FileText) -> None:
        text = read.text.replace("</file", "< /file")
        self._text = f'<file name="{escape(read.filename)}">\n{text}\n</file>\n'


class FilePart(Body):
    """A file in a message of a chat."""

    model_config = SENT_BACK

    type: Literal["file"]
    file: AttachedFile

    @property
    def text(self) -> str:
        return self.file.text


class InputFilePart(AttachedFile):
    """A file in a message of a response."""

    model_config = SENT_BACK

    type: Literal["input_file"]
    detail: Literal["auto", "low", "high"] | None = Field(
        None, description="Accepted without effect: it would be that of the pages as images, and the text is read."
    )
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    def stored(self) -> JsonObject:
        return self.model_dump(exclude_none=True, exclude={"prompt_cache_breakpoint"})


class HasFiles(Protocol):
    """A message with attached files."""

    @property
    def files(self) -> Mapping[int, AttachedFile]:
        """By the number of the part."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """The space for files in the language model's context."""

    context_tokens: int
    max_tokens: int
    """Length limit of the answer that the request sets; 1 if it sets none."""
    template_values: JsonMapping


def attached_files(messages: Sequence[HasFiles], place: str) -> dict[str, AttachedFile]:
    """All attached files by the names of their fields.

    Args:
        place: Name of the field that contains the messages.
    """
    return by_field((message.files for message in messages), place)


def refuse_files(files: Iterable[str]) -> None:
    """Raises InvalidRequest if there are files: those of an answer from documents are found and cited in stores."""
    for name in files:
        reason = "answers from documents read no attached files; add the file to a vector store (POST /ingest)"
        raise InvalidRequest(f"{name}: {reason}", param=name)


async def read_files(
    retriever: ServiceClient, files: Mapping[str, AttachedFile], others: Sequence[JsonMapping], room: Room
) -> None:
    """Read the files, so that they have texts.

    Args:
        files: By the names of their fields.
        others: The conversation without the files, in the format of `rag.types.Chat`.

    Raises:
        InvalidRequest: a file cannot be read; says which, and why.
        FileNotFound: the caller has no file with this id.
        ContextLengthExceeded: the files do not fit into the context; says how long they are and how much fits.
    """
    if not files:
        return
    if len(files) > MAX_FILES:
        name = list(files)[MAX_FILES]
        raise InvalidRequest(f"{name}: a request may have at most {MAX_FILES} files", param=name)
    plain = [{"role": _role(turn), "content": str(turn.get("content") or "")} for turn in others]
    left = room.context_tokens - room.max_tokens - await count_tokens(retriever, plain, room.template_values)
    reader = RemoteFiles(retriever)
    for name, file in files.items():
        read = await _read(reader, name, file)
        if read.tokens > left:
            raise ContextLengthExceeded(
                f"{name}: {read.filename} has {read.tokens} tokens, but only {max(left, 0)} fit into the language "
                f"model's context of {room.context_tokens} beside the rest of the request",
                param=name,
            )
        left -= read.tokens
        file.set_text(read)


async def _read(reader: RemoteFiles, name: str, file: AttachedFile) -> FileText:
    try:
        return await reader.read(file.file_id, file.file_data, file.filename)
    except UnsupportedFile as error:
        raise InvalidRequest(f"{name}: {error.message}", param=name) from error
    except RagError as error:
        if error.param in ("file_id", "file_data", "filename", "files"):
            raise type(error)(f"{name}: {error.message.removeprefix(f'{error.param}: ')}", param=name) from error
        raise


def _role(turn: JsonMapping) -> str:
    """Of a turn that is counted: a tool's is as long as a user's."""
    return str(turn["role"]) if turn["role"] in ("system", "user", "assistant") else "user"
