"""Data of the events that `/ask` and `/generate` stream."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rag.http.wire import HitOut


class Source(HitOut):
    index: int = Field(ge=1, description="Its number in the prompt, which marks name.")


class SourcesEvent(BaseModel):
    sources: list[Source]


class TokenEvent(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: str
    index: int | None = Field(None, description="With `n`: which text.")
    logprobs: list[dict[str, Any]] | None = None


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class CitationOut(BaseModel):
    index: int = Field(description="Number of the source.")
    file_id: str
    start: int = Field(description="Character offset of the mark in the answer.")
    end: int
    score: float | None = Field(None, description="Verified: how well the source says the same.")
    weak: bool | None = None


class AnswerDone(BaseModel):
    model_config = ConfigDict(extra="allow")

    finish_reason: str
    citations: list[CitationOut]
    citations_removed: int = Field(0, description="Marks that pointed nowhere.")
    weakly_supported: int | None = None
    timings_ms: dict[str, float]
    note: str | None = None


class TextDone(BaseModel):
    model_config = ConfigDict(extra="allow")

    finish_reason: str


class ErrorEvent(BaseModel):
    code: str
    message: str
    retryable: bool
