"""Requests and responses of the native APIs. Each field's description appears in Swagger UI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rag.errors import EmptyQuestion
from rag.generate.quoting import StyleOption
from rag.http.bodies.note_codes import DESCRIPTION as NOTE_CODES
from rag.http.fields.fail_fast import StrictModel
from rag.http.fields.filters_wire import Filter
from rag.http.fields.retrieval_settings import RetrievalSettings
from rag.http.validation.wire_model import WireModel
from rag.types import AnswerStyle, JsonObject, LongTexts, Message, QuoteChoice, SearchMode

TokenId = Annotated[int, Field(ge=0)]
MAX_STORES = 10
"""Maximum number of vector stores that one question may search."""
Stop = Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)]


def exactly_one(*fields: str) -> JsonObject:
    """JSON schema of an object that has exactly one of the fields, and not null."""
    return {"oneOf": [{"required": [field], "properties": {field: {"not": {"type": "null"}}}} for field in fields]}


class HistoryTurn(StrictModel):
    role: Literal["user", "assistant"]
    content: str = Field(max_length=100_000)


def messages_of(turns: Sequence[HistoryTurn]) -> tuple[Message, ...]:
    return tuple(Message(turn.role, turn.content) for turn in turns)


class RetrieveRequest(WireModel):
    """A query to find passages for."""

    model_config = ConfigDict(json_schema_extra={"example": {"query": "readiness", "top_k": 3, "mode": "hybrid"}})

    query: str = Field(description="What to look for.", max_length=100_000)
    vector_store: str = Field("default", description="The collection of documents to search.", max_length=64)
    top_k: int | None = Field(None, ge=1, le=100, description="Maximum number of hits.")
    filters: Filter | None = Field(None, description="Search only documents whose attributes match.")
    mode: SearchMode | None = Field(None, description="Which search paths to use.")
    rerank: bool | None = Field(None, description="Rerank the best hits.")
    explain: bool = Field(False, description="Explain every candidate passage, and show the prompt.")
    style: StyleOption | None = Field(
        None,
        description="With `explain`: the style of the answer whose prompt is shown. Unset: the service's setting.",
    )
    history: list[HistoryTurn] = Field(
        default_factory=list, description="Earlier turns, for rewriting a follow-up query.", max_length=200
    )
    retrieval: RetrievalSettings | None = Field(None, description="Search options that differ from the settings.")

    def checked_query(self) -> str:
        if not self.query.strip():
            raise EmptyQuestion("query: is empty; say what to look for", param="query")
        return self.query

    def overrides(self) -> JsonObject:
        """The options that the request sets, by the names of `rag.retrieve.options`."""
        own = {"top_k": self.top_k, "mode": self.mode, "rerank": self.rerank}
        settings = self.retrieval.overrides() if self.retrieval else {}
        return settings | {name: value for name, value in own.items() if value is not None}


class ExplainRequest(RetrieveRequest):
    """Between services: a query to explain, including which hits the prompt would contain."""

    context_tokens: int | None = Field(None, ge=1, description="The engine's context length, if known.")
    max_tokens: int = Field(512, ge=1, description="Tokens to keep free for the answer.")
    quotes_chosen_by: QuoteChoice = Field("ranking", description="How the quotes of a quoted answer are chosen.")


class EncodeRequest(WireModel):
    """Texts to encode as vectors."""

    model_config = ConfigDict(json_schema_extra={"example": {"texts": ["What is Milvus?"], "kind": "query"}})

    texts: Annotated[list[str] | list[list[TokenId]], Field(min_length=1, max_length=4096)] = Field(
        description="Texts to encode, or lists of their token ids."
    )
    kind: Literal["query", "passage"] = Field(
        "passage", description="Selects the model's prefix for queries or passages."
    )
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: little-endian float32.")
    store_token_vectors: bool = Field(False, description="Store the token vectors of these passages for reranking.")
    long_texts: LongTexts = Field(
        "truncate",
        description="What to do with texts that are longer than the model's input. truncate: read the beginning; "
        "window: the mean of the vectors of their parts, weighted by tokens and normalised.",
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Truncate each text to this many tokens first, including the prefix and special tokens.",
    )
    model: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Hub id or folder of another model, which is loaded on demand; unset: the configured one.",
    )


class PrepareRequest(WireModel):
    """Between services: find passages and build the prompt of an answer."""

    question: str
    context_tokens: int = Field(ge=1, description="The engine's context length.")
    max_tokens: int = Field(ge=1, description="Tokens to keep free for the answer.")
    vector_store: str | Annotated[list[str], Field(min_length=1, max_length=MAX_STORES)] = "default"
    history: list[HistoryTurn] = Field(default_factory=list)
    top_k: int | None = None
    filters: Filter | None = None
    retrieval: RetrievalSettings | None = None
    score_threshold: float = Field(0.0, ge=0, le=1, description="Hits with a lower score are left out.")
    system: str | None = Field(
        None, description="The client's instructions, which are added after those of the prompt template."
    )
    style: AnswerStyle = Field(
        "written", description="Whether the language model writes the answer or it is quoted from the documents."
    )
    quotes_chosen_by: QuoteChoice = Field("ranking", description="How the quotes of a quoted answer are chosen.")
    template_values: JsonObject = Field(
        default_factory=dict, description="Additional variables of the language model's chat template."
    )

    @property
    def stores(self) -> list[str]:
        return [self.vector_store] if isinstance(self.vector_store, str) else list(dict.fromkeys(self.vector_store))

    def overrides(self) -> JsonObject:
        """The options that the request sets, by the names of `rag.retrieve.options`."""
        settings = self.retrieval.overrides() if self.retrieval else {}
        return settings | ({} if self.top_k is None else {"top_k": self.top_k})


class RectangleOut(BaseModel):
    """In points (1/72 inch) from the top left corner of the page as it is shown; y grows downwards."""

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


RECTANGLES: Final = "Where the words are on the pages of a PDF, a rectangle for each line; empty for other formats."


class HitOut(BaseModel):
    """A passage that was found."""

    chunk_id: str
    file_id: str
    filename: str = Field(description="The name as uploaded, folders included.")
    text: str
    score: float = Field(ge=0, le=1, description="Higher is better; comparable within one answer only.")
    attributes: dict[str, str | int | float | bool]
    page: int | None = Field(description="The page that most of the passage is on.")
    pages: list[int] = Field(description="All pages the passage is on.")
    rectangles: list[RectangleOut] = Field(description=RECTANGLES)
    heading: str = Field(description="Titles above the passage, outermost first.")
    header: str = Field(
        description="Column names of the table, key of the record, or title of the list that the passage begins in."
    )
    start: int = Field(description="Character offset in the document's text.")
    end: int


class RetrieveResponse(BaseModel):
    hits: list[HitOut]
    timings_ms: dict[str, float] = Field(description="Milliseconds by step; `cached`: from the cache.")
    note: str | None = Field(None, description="A step that was skipped, and why.")
    note_codes: list[str] | None = Field(None, description=NOTE_CODES)
    explain: dict[str, JsonValue] | None = Field(
        None, description="With `explain`: every candidate, and why it is or is not among the hits."
    )


class FileErrorOut(BaseModel):
    code: str
    message: str


class FileOut(BaseModel):
    file_id: str
    filename: str
    status: Literal["in_progress", "completed", "failed", "cancelled"]
    change: Literal["added", "replaced", "unchanged"] | None = Field(description="What the upload did to the document.")
    chunks: int
    warnings: list[str] = Field(description="What was not read of the file, and why: a sentence each.")
    error: FileErrorOut | None = Field(description="Why the file failed; its previous version stays searchable.")


class IngestResponse(BaseModel):
    """Sent with status 202 while the job is running, 200 once it has ended."""

    files: list[FileOut]
    batch_id: str = Field(description="ID of the job; /v1/jobs/{batch_id} reports its progress.")
    status: Literal["in_progress", "completed", "failed", "cancelled"]


class EncodeResponse(BaseModel):
    model: str = Field(description="The model that produced the vectors.")
    dimensions: int
    embeddings: list[list[float]] | str
