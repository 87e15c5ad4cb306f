"""The language model: its tokenizer, its generator and its LoRA adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from rag.types import JsonMapping, Message, ModelInput, SamplingParameters, StreamItem


class ChatTokenizer(Protocol):
    """The language model's tokenizer with its chat template, or an estimate if they are not available here."""

    @property
    def control_texts(self) -> Collection[str]:
        """Texts that tokenizer or chat template treat as control tokens, such as `<|im_end|>`."""
        ...

    def render(self, messages: Sequence[Message], values: JsonMapping | None = None) -> list[int]:
        """Token ids of the conversation, followed by the assistant's turn marker; empty if this is an estimate.

        Args:
            values: Additional variables of the chat template.
        """
        ...

    def measure(self, messages: Sequence[Message], values: JsonMapping | None = None) -> int:
        """The length of the rendered conversation in tokens. An estimate errs on the high side."""
        ...

    def count(self, text: str) -> int:
        """The length of a text in tokens."""
        ...


TokenStream: TypeAlias = AsyncIterator[StreamItem]
"""Deltas as the model writes them, of its thinking and of its text, then exactly one `StreamEnd`, also for a request
with several texts (`n`)."""


class Generator(Protocol):
    """A language model that streams the text it writes."""

    def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AbstractAsyncContextManager[TokenStream]:
        """A context that holds one request to the model.

        Entering it returns as soon as the model has accepted the request, before the first token. Leaving it stops the
        model's work on the request, whether or not the stream was read to its end.

        Args:
            sampling: vLLM's sampling parameters by their own names.
            model: Name of a loaded LoRA adapter; empty for the language model itself.

        Raises:
            InvalidRequest: on entering, if the prompt is empty or the engine rejects a parameter.
            ModelNotFound: on entering, if there is no such adapter.
            ContextLengthExceeded: on entering, if prompt and `max_tokens` together exceed the context length.
            DependencyUnavailable: if the engine is dead; the stream raises it if the engine dies while writing.
        """
        ...


class Adapters(Protocol):
    """The LoRA adapters of a language model."""

    async def load(self, name: str, path: str, *, replace: bool = False) -> None:
        """Load the adapter in this folder, or with this Hugging Face id, under a name that requests can use as model.

        Args:
            replace: Replace an adapter of the same name; requests that are running keep the old one.

        Raises:
            Forbidden: the settings fix which adapters there are.
            Conflict: the name is in use, or the maximum number of adapters is loaded.
            InvalidRequest: there is no adapter there, or it does not fit this language model; says why.
        """
        ...

    async def unload(self, name: str) -> None:
        """Accept no more requests for the adapter; running ones finish normally.

        Raises:
            Forbidden: the settings fix which adapters there are.
            ModelNotFound: no adapter of this name is loaded.
        """
        ...
