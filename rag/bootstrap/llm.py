"""The LLM service, wired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.bootstrap.process import settings
from rag.http.llm_api import LlmApi

if TYPE_CHECKING:
    from rag.adapters.vllm_engine import VllmEngine


def llm_api() -> tuple[LlmApi, VllmEngine]:
    from rag.adapters import model_files
    from rag.adapters.vllm_engine import VllmEngine

    options = settings()
    engine = VllmEngine(model_files.llm_folder(options), options.llm)
    server = options.server
    return LlmApi(engine, keep_alive_s=server.keep_alive_s, timeout_s=server.answer_timeout_s), engine
