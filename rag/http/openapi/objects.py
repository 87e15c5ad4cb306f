"""What the document routes give: OpenAI's own objects, and the keys that are ours."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from openai.types import FileObject
from openai.types import VectorStore as TheirVectorStore
from openai.types import VectorStoreSearchResponse as TheirSearchResult
from openai.types.vector_stores import FileContentResponse
from openai.types.vector_stores import VectorStoreFile as TheirVectorStoreFile
from pydantic import BaseModel, Field

from rag.http.retrieval_settings import RetrievalSettings
from rag.records import JobKind, JobState
from rag.types import Change

Row = TypeVar("Row", bound=BaseModel)


class File(FileObject):
    purpose: str  # type: ignore[assignment]
    content_hash: str = Field(description="SHA-256, in hex.")


class FileCountsOut(BaseModel):
    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStore(TheirVectorStore):
    description: str
    chunking_strategy: dict[str, Any] | None = Field(description="Of documents that bring none of their own.")
    embedder: str = Field(description="The model that its vectors come from.")
    sparse_embedder: str | None = Field(description="Learned sparse model that it has vectors of, too.")
    retrieval: RetrievalSettings | None = Field(description="How it is searched, where it differs from the settings.")


class VectorStoreFile(TheirVectorStoreFile):
    chunking_strategy: dict[str, Any] | None = None  # type: ignore[assignment]
    filename: str
    change: Change | None = Field(description="Of a job's file: what the upload did to the document.")
    bytes: int
    pages: int
    chunks: int
    chunks_done: int
    media_type: str
    title: str
    language: str
    version: int = Field(description="Grows with each accepted change of any document.")
    document_id: str
    searchable: bool = Field(description="Whether some version of it is found by questions.")
    content_hash: str
    origin: str


class FileContent(BaseModel):
    object: Literal["vector_store.file_content.page"]
    data: list[FileContentResponse]
    has_more: bool
    next_page: str | None
    file_id: str
    filename: str
    attributes: dict[str, Any]


class SearchResult(TheirSearchResult):
    chunk_id: str
    page: int | None
    heading: str
    start: int = Field(description="Character offset in the document's text.")
    end: int


class SearchResults(BaseModel):
    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool
    next_page: str | None


class Progress(BaseModel):
    step: str = Field(description="What it does now: `reading guide.pdf`.")
    waiting_for: str = Field(description="What keeps it from getting on; empty when nothing does.")
    stalled: bool = Field(description="Whether it has not got on for longer than it should.")
    pages: int
    chunks: int
    chunks_total: int = Field(description="Of the files read so far.")
    chunks_per_s: float | None
    seconds_left: float | None


class Job(BaseModel):
    id: str
    object: Literal["job"]
    kind: JobKind
    vector_store_id: str
    status: JobState
    created_at: int
    started_at: int | None
    finished_at: int | None
    file_counts: FileCountsOut
    progress: Progress
    error: str | None
    details: dict[str, Any] = Field(description="Of a reindex: the models `from` and `to`.")


class Forgotten(BaseModel):
    object: Literal["vector_store.index_forgotten"]
    vector_store: str
    dropped: dict[str, str]


class ListOf(BaseModel, Generic[Row]):
    """OpenAI's list: `after` the last id is its next page."""

    object: Literal["list"]
    data: list[Row]
    first_id: str | None
    last_id: str | None
    has_more: bool
