"""Data of the events that `/ask` and `/generate` stream."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rag.http.bodies.note_codes import DESCRIPTION as NOTE_CODES
from rag.http.bodies.wire import RECTANGLES, HitOut, RectangleOut


class Source(HitOut):
    index: int = Field(ge=1, description="The source's number in the prompt. Citations in the answer refer to it.")


class SourcesEvent(BaseModel):
    sources: list[Source]


class TokenEvent(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: str
    index: int | None = Field(None, description="With `n`: the number of the text.")
    logprobs: list[dict[str, JsonValue]] | None = None


class ThinkingEvent(BaseModel):
    """Part of what a model thinks before it answers. It is no part of the answer."""

    text: str


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = Field(description="Prompt tokens that were in the engine's prefix cache.")
    reasoning_tokens: int = Field(description="Completion tokens that the model used to think.")


class QuoteOut(BaseModel):
    start: int = Field(description="Character offset of the quote in the answer.")
    end: int
    source_start: int = Field(description="Character offset of the quote in the document's text.")
    source_end: int
    page: int | None
    rectangles: list[RectangleOut] = Field(description=RECTANGLES)


class CitationOut(BaseModel):
    index: int = Field(description="Number of the cited source.")
    file_id: str
    start: int = Field(description="Character offset of the citation mark in the answer.")
    end: int
    score: float | None = Field(None, description="With citations verified: how well the source supports the sentence.")
    weak: bool | None = Field(None, description="With citations verified: whether the support is weak.")
    quote: QuoteOut | None = Field(None, description="In a quoted answer: what is cited, word for word.")


class AnswerDone(BaseModel):
    model_config = ConfigDict(extra="allow")

    finish_reason: str
    style: Literal["written", "quoted"] = Field(description="Whether the answer was written or quoted.")
    confidence: float | None = Field(
        None, description="Of a quoted answer, in [0, 1]: how near its best quote is to the question."
    )
    citations: list[CitationOut]
    citations_removed: int = Field(0, description="Citation marks that named no source and were removed.")
    weakly_supported: int | None = Field(None, description="With citations verified: sentences with weak support.")
    timings_ms: dict[str, float]
    note: str | None = Field(None, description="A step that was skipped, and why.")
    note_codes: list[str] | None = Field(None, description=NOTE_CODES)


class WholeAnswer(AnswerDone):
    """The complete answer, with `"stream": false`."""

    answer: str
    thinking: str | None = Field(None, description="What the model thought before it answered.")
    sources: list[Source]
    usage: UsageOut


class TextDone(BaseModel):
    model_config = ConfigDict(extra="allow")

    finish_reason: str


class ErrorEvent(BaseModel):
    code: str
    message: str
    retryable: bool
