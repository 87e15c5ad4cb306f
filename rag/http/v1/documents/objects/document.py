"""OpenAI's `vector_store.file` object, and the text that was read from the file."""

from __future__ import annotations

from typing import Literal

from openai.types.vector_stores import FileContentResponse
from openai.types.vector_stores import VectorStoreFile as OpenAIVectorStoreFile
from openai.types.vector_stores.vector_store_file import LastError as OpenAILastError
from pydantic import BaseModel, Field

from rag import errors
from rag.errors import RagError
from rag.http.bodies.hits import rectangles_to_wire
from rag.http.bodies.wire import RECTANGLES, RectangleOut
from rag.http.fields import chunking_wire
from rag.http.fields.chunking_wire import StoredChunkingStrategy
from rag.http.fields.groups_wire import READ_GROUPS
from rag.records import DocumentRecord
from rag.types import Change, Chunk, Extract
from rag.types.places import rectangles, runs_between

POLL_AFTER = {"openai-poll-after-ms": "500"}
"""Header of an object in progress: OpenAI's clients ask again after this time."""
_LAST_ERROR: dict[type[RagError], Literal["unsupported_file", "invalid_file"]] = {
    errors.UnsupportedFile: "unsupported_file",
    errors.NoTextFound: "invalid_file",
    errors.EncryptedFile: "invalid_file",
    errors.BrokenFile: "invalid_file",
    errors.ParsingLimit: "invalid_file",
    errors.FileTooLarge: "invalid_file",
    errors.InvalidRequest: "invalid_file",
}


class LastError(OpenAILastError):
    reason: str = Field(description="This service's own error code, which is more precise than OpenAI's `code`.")


class WarningDetails(BaseModel):
    code: str = Field(description="What was not read, such as `pictures`; empty for a file that an old release read.")
    values: dict[str, str | int] = Field(description="What the sentence names, such as `count`.")
    part: str = Field(description="The attachment or chapter that it is about; empty: the file itself.")


class VectorStoreFile(OpenAIVectorStoreFile):
    """A document. Its ID is that of its file, as in OpenAI's API."""

    attributes: dict[str, str | int | float | bool] | None
    last_error: LastError | None
    chunking_strategy: StoredChunkingStrategy | None = None  # type: ignore[assignment]
    filename: str
    change: Change | None = Field(description="In a job's list of files: what the upload did to the document.")
    bytes: int
    pages: int
    chunks: int
    chunks_done: int = Field(description="Chunks that are embedded and stored so far.")
    media_type: str
    title: str
    language: str
    warnings: list[str] = Field(description="What was not read of the file, and why: a sentence each.")
    warning_details: list[WarningDetails] = Field(description="The same warnings for programs.")
    version: int = Field(description="Increases with each accepted change of any document.")
    document_id: str = Field(description="Stays the same when the file is replaced by one of the same name.")
    searchable: bool = Field(description="Whether searches find some version of the document.")
    content_hash: str = Field(description="SHA-256 of the file's content, in hex.")
    read_groups: list[str] = Field(description=READ_GROUPS)
    origin: str = Field(description="The API that added the document, and the ID of the request.")


class FileContent(BaseModel):
    """The text that was read from a file or a part of it, on one page."""

    object: Literal["vector_store.file_content.page"]
    data: list[FileContentResponse]
    has_more: bool
    next_page: str | None
    file_id: str
    filename: str
    attributes: dict[str, str | int | float | bool]
    start: int = Field(description="Character offset of the part in the document's text.")
    end: int
    total_chars: int = Field(description="Characters of the whole text.")
    is_markdown: bool = Field(description="Whether the text is Markdown; otherwise it is plain text.")
    heading: str = Field(description="Headings above the part, outermost first.")
    page: int | None = Field(description="The page that the part begins on; null for formats without pages.")
    rectangles: list[RectangleOut] | None = Field(
        description=f"If `start` and `end` are given: {RECTANGLES[0].lower()}{RECTANGLES[1:]}"
    )


class FilePassage(BaseModel):
    """A passage that a document was cut into: what searches find."""

    id: str
    object: Literal["vector_store.file.passage"]
    text: str
    start: int = Field(description="Character offset in the document's text.")
    end: int
    page: int | None = Field(description="The page that most of the passage is on.")
    pages: list[int] = Field(description="All pages the passage is on.")
    heading: str = Field(description="Headings above the passage, outermost first.")
    header: str = Field(description="Column names of the table, or the key of the record, that the passage begins in.")
    is_generated: bool = Field(
        description="Whether it is a question and its answer, each on a line, that the language model generated of the "
        "passage at these characters."
    )


def document_object(document: DocumentRecord) -> VectorStoreFile:
    strategy = chunking_wire.to_wire(document.chunking)
    chunking = {} if strategy is None else {"chunking_strategy": strategy}
    return VectorStoreFile(
        id=document.file_id,
        object="vector_store.file",
        created_at=int(document.created_at),
        usage_bytes=document.usage_bytes,
        vector_store_id=document.store_id,
        status=document.status,
        last_error=_last_error(document),
        attributes=dict(document.attributes),
        filename=document.filename,
        change=document.change,
        bytes=document.bytes,
        pages=document.pages,
        chunks=document.chunks,
        chunks_done=document.chunks_done,
        media_type=document.media_type,
        title=document.title,
        language=document.language,
        warnings=list(document.warnings),
        warning_details=[
            WarningDetails(code=each.code, values=dict(each.values), part=each.part) for each in document.warnings
        ],
        version=document.version,
        document_id=document.document_id,
        searchable=document.searchable,
        content_hash=document.content_hash,
        read_groups=list(document.read_groups),
        origin=document.origin,
        **chunking,
    )


def _last_error(document: DocumentRecord) -> LastError | None:
    """OpenAI's API has three error codes; `reason` holds ours."""
    if document.error_code is None:
        return None
    code = _LAST_ERROR.get(errors.error_class(document.error_code), "server_error")
    return LastError(code=code, message=document.error_message or "", reason=document.error_code)


def content_object(document: DocumentRecord, extract: Extract, start: int | None, end: int | None) -> FileContent:
    first = min(start or 0, len(extract.text))
    last = len(extract.text) if end is None else min(end, len(extract.text))
    has_bounds = start is not None and end is not None
    return FileContent(
        object="vector_store.file_content.page",
        data=[FileContentResponse(type="text", text=extract.text[first:last])],
        has_more=False,
        next_page=None,
        file_id=document.file_id,
        filename=document.filename,
        attributes=dict(document.attributes),
        start=first,
        end=last,
        total_chars=len(extract.text),
        is_markdown=extract.is_markdown,
        heading=next((each.path for each in reversed(extract.headings) if each.start <= first), ""),
        page=next((each.number for each in reversed(extract.pages) if each.start <= first), None),
        rectangles=_rectangles(extract, first, last) if has_bounds else None,
    )


def _rectangles(extract: Extract, start: int, end: int) -> list[RectangleOut]:
    places = rectangles(runs_between(extract.runs, start, end))
    return [RectangleOut.model_validate(place) for place in rectangles_to_wire(places)]


def passage_object(chunk: Chunk) -> FilePassage:
    return FilePassage(
        id=chunk.chunk_id,
        object="vector_store.file.passage",
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        page=chunk.page,
        pages=chunk.page_numbers,
        heading=chunk.heading,
        header=chunk.header,
        is_generated=bool(chunk.context) and chunk.text not in chunk.context,
    )
