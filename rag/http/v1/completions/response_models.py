"""Responses of `POST /v1/completions` in the OpenAPI document: OpenAI's models, with fewer restrictions."""

from __future__ import annotations

from openai.types import Completion, CompletionChoice
from pydantic import BaseModel


class CompletionLogprobs(BaseModel):
    """Of each token; null for the first token of an echoed prompt."""

    text_offset: list[int]
    token_logprobs: list[float | None]
    tokens: list[str]
    top_logprobs: list[dict[str, float] | None]


class CompletionText(CompletionChoice):
    logprobs: CompletionLogprobs | None = None  # type: ignore[assignment]


class CompletionTexts(Completion):
    choices: list[CompletionText]  # type: ignore[assignment]


class CompletionPart(CompletionText):
    finish_reason: str | None  # type: ignore[assignment]


class CompletionChunk(Completion):
    """A part of a completion. Only the last chunk of each text has a `finish_reason`."""

    choices: list[CompletionPart]  # type: ignore[assignment]
