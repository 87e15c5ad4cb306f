"""The bundle with a language model that answers at once: what is left is our own work.

`bentoml serve bench.instant_bundle:RAG`. Everything but the engine is real. With the environment variable
`BENCH_PROMPTS` each prompt's token ids are written to that file, one JSON array a line, in the order of the requests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rag import bootstrap
from rag.http.llm_api import LlmApi
from rag.ports import Pieces
from rag.types import Finished, TextPiece, Usage

PROMPTS = "BENCH_PROMPTS"
CONTEXT_TOKENS = 8192
TOKENS = 64


class InstantEngine:
    """Stands where `VllmEngine` stands."""

    def __init__(self) -> None:
        path = os.environ.get(PROMPTS)
        self._record = Path(path) if path else None

    async def start(self) -> None:
        """It is always there."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def facts(self) -> Mapping[str, Any]:
        return {"model": "instant", "context_tokens": CONTEXT_TOKENS, "running": 0}

    async def generate(self, prompt: str | Sequence[int], sampling: Mapping[str, Any], request_id: str) -> Pieces:
        """See `rag.ports.Generator`."""
        if self._record is not None and not isinstance(prompt, str):
            with self._record.open("a") as file:
                file.write(json.dumps(list(prompt)) + "\n")
        return _words(len(prompt))


async def _words(prompt_tokens: int) -> Pieces:
    for number in range(TOKENS):
        yield TextPiece(f"w{number} ")
    yield Finished("length", Usage(prompt_tokens, TOKENS, 0))


def _instant_llm_api() -> tuple[LlmApi, InstantEngine]:
    engine, server = InstantEngine(), bootstrap.settings().server
    return LlmApi(engine, keep_alive_s=server.keep_alive_s, timeout_s=server.answer_timeout_s), engine


bootstrap.llm_api = _instant_llm_api  # type: ignore[assignment]

from service import LLM, RAG, Embedder, Retriever  # noqa: E402 - it takes what bootstrap holds

__all__ = ["LLM", "RAG", "Embedder", "Retriever"]
