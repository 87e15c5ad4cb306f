"""Responses of `POST /v1/chat/completions` in the OpenAPI document: OpenAI's models, which allow additional fields."""

from __future__ import annotations

from openai.types.chat import ChatCompletion, ChatCompletionChunk


class ChatAnswer(ChatCompletion):
    """OpenAI's chat completion. With model `rag`, messages also have `annotations` and `rag`: sources and citations."""


class ChatChunk(ChatCompletionChunk):
    """OpenAI's chunk. With model `rag`, the first delta has the sources in `rag`, and the last one `annotations`."""
