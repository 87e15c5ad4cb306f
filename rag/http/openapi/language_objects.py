"""What the routes of models give, where that is more than OpenAI's own types have room for."""

from __future__ import annotations

from typing import Any, Literal

from openai.types import Completion, CompletionChoice, CreateEmbeddingResponse, Embedding
from openai.types import Model as TheirModel
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseError, ResponseFileSearchToolCall, ResponseOutputMessage, ResponseUsage
from openai.types.responses.response import IncompleteDetails
from pydantic import BaseModel, ConfigDict, Field


class ServedModelOut(TheirModel):
    kind: str = Field(description="rag, language, adapter or embedding.")
    parent: str | None = Field(description="The model that an adapter, or `rag`, writes with.")
    max_model_len: int | None = Field(description="Tokens of prompt and answer together.")


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ServedModelOut]


class ChatAnswer(ChatCompletion):
    """OpenAI's. Messages of model `rag` also have `annotations` and `rag`: its sources and citations."""


class ChatChunk(ChatCompletionChunk):
    """OpenAI's. Of model `rag` the first delta also has `rag` with the sources, the last one `annotations`."""


class CompletionText(CompletionChoice):
    logprobs: dict[str, Any] | None = None  # type: ignore[assignment]


class CompletionTexts(Completion):
    choices: list[CompletionText]  # type: ignore[assignment]


class CompletionPart(CompletionText):
    finish_reason: str | None  # type: ignore[assignment]


class CompletionChunk(Completion):
    """As a completion; only the last of each text says why it ended."""

    choices: list[CompletionPart]  # type: ignore[assignment]


class EmbeddingOut(Embedding):
    embedding: list[float] | str = Field(  # type: ignore[assignment]
        description="With `base64`: little-endian float32."
    )


class EmbeddingList(CreateEmbeddingResponse):
    data: list[EmbeddingOut]  # type: ignore[assignment]


class RerankedDocument(BaseModel):
    text: str


class Reranked(BaseModel):
    index: int = Field(ge=0, description="Place of the document in the request.")
    relevance_score: float = Field(ge=0, le=1)
    document: RerankedDocument | None = Field(None, description="Unless `return_documents` is false.")


class RerankUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class RerankAnswer(BaseModel):
    id: str
    model: str
    usage: RerankUsage
    results: list[Reranked] = Field(description="Best first.")


class ResponseOut(BaseModel):
    """OpenAI's, of which it has the part that is used here; all of its other fields are there, too."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: float
    completed_at: float | None
    status: Literal["completed", "incomplete"]
    model: str
    output: list[ResponseOutputMessage | ResponseFileSearchToolCall]
    usage: ResponseUsage | None
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    rag: dict[str, Any] | None = Field(None, description="Of an answer from documents: what became of its marks.")


class ResponseEvent(BaseModel):
    """One of OpenAI's events; `type` is the event's name."""

    model_config = ConfigDict(extra="allow")

    type: str
    sequence_number: int
