"""The language model for routes that serve both answers from documents and the language model itself."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from rag.auth.caller import require
from rag.ports import Generator, TokenStream
from rag.types import ModelInput, SamplingParameters


class AuthorizedGenerator:
    """A `rag.ports.Generator` that only callers with the scope `generate` may use."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AbstractAsyncContextManager[TokenStream]:
        """See `rag.ports.Generator`. Raises InsufficientPermissions."""
        require("generate")
        return self._generator.generate(prompt, sampling, request_id, model=model)
