"""The bundle with a stub language model that answers at once, to measure everything else.

Start it with `bentoml serve bench.instant_bundle:RAG`. Everything but the engine is real. If the environment variable
`BENCH_PROMPTS` names a file, each prompt's token ids are written to it in request order, one JSON array per line. With
`BENCH_TOKENS_PER_S` the stub writes a long answer at this pace instead.
"""

from __future__ import annotations

import os
from pathlib import Path

from rag.bootstrap import llm
from rag.http.native.llm_api import LlmApi
from tests.fakes import InstantEngine, PacedEngine

PROMPTS = "BENCH_PROMPTS"
TOKENS_PER_S = "BENCH_TOKENS_PER_S"


def _instant_llm_api() -> tuple[LlmApi, InstantEngine]:
    engine = _engine()
    return llm.api_of(engine), engine


def _engine() -> InstantEngine:
    if pace := os.environ.get(TOKENS_PER_S):
        return PacedEngine(float(pace))
    record = os.environ.get(PROMPTS)
    return InstantEngine(Path(record) if record else None)


llm.llm_api = _instant_llm_api

from service import LLM, RAG, Embedder, Retriever  # noqa: E402 - it uses the stub

__all__ = ["LLM", "RAG", "Embedder", "Retriever"]
