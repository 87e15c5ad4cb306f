"""The bundle with a language model that answers at once: what is left is our own work.

`bentoml serve bench.instant_bundle:RAG`. Everything but the engine is real. With the environment variable
`BENCH_PROMPTS` each prompt's token ids are written to that file, one JSON array a line, in the order of the requests.
"""

from __future__ import annotations

import os
from pathlib import Path

from rag import bootstrap
from rag.http.native.llm_api import LlmApi
from tests.fakes import InstantEngine

PROMPTS = "BENCH_PROMPTS"


def _instant_llm_api() -> tuple[LlmApi, InstantEngine]:
    record = os.environ.get(PROMPTS)
    engine, server = InstantEngine(Path(record) if record else None), bootstrap.settings().server
    return LlmApi(engine, keep_alive_s=server.keep_alive_s, timeout_s=server.answer_timeout_s), engine


bootstrap.llm_api = _instant_llm_api

from service import LLM, RAG, Embedder, Retriever  # noqa: E402 - it takes what bootstrap holds

__all__ = ["LLM", "RAG", "Embedder", "Retriever"]
