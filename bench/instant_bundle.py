"""The bundle with a stub language model that answers at once, to measure everything else.

Start it with `bentoml serve bench.instant_bundle:RAG`. Everything but the engine is real. If the environment variable
`BENCH_PROMPTS` names a file, each prompt's token ids are written to it in request order, one JSON array per line.
"""

from __future__ import annotations

import os
from pathlib import Path

from rag.bootstrap import llm
from rag.http.native.llm_api import LlmApi
from tests.fakes import InstantEngine

PROMPTS = "BENCH_PROMPTS"


def _instant_llm_api() -> tuple[LlmApi, InstantEngine]:
    record = os.environ.get(PROMPTS)
    engine = InstantEngine(Path(record) if record else None)
    return llm.api_of(engine), engine


llm.llm_api = _instant_llm_api

from service import LLM, RAG, Embedder, Retriever  # noqa: E402 - it uses the stub

__all__ = ["LLM", "RAG", "Embedder", "Retriever"]
