"""The bundle with a fake language model that calls functions: `bentoml serve tests.support.calling_bundle:RAG`."""

from __future__ import annotations

from rag.bootstrap import llm
from rag.http.native.llm_api import LlmApi
from tests.fakes.language_model.calling_engine import CallingEngine


def _calling_llm_api() -> tuple[LlmApi, CallingEngine]:
    engine = CallingEngine()
    return llm.api_of(engine), engine


llm.llm_api = _calling_llm_api

from service import LLM, RAG, Embedder, Retriever  # noqa: E402 - it uses the engine of above

__all__ = ["LLM", "RAG", "Embedder", "Retriever"]
