"""Creates the LLM service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rag.bootstrap.edge import answer_sampling
from rag.bootstrap.loaded_settings import settings
from rag.config import Settings
from rag.http.native.llm_api import LlmApi
from rag.ports import Adapters, Generator


class Engine(Generator, Protocol):
    """A generator with a life of its own: an engine in this process, or a client of a server elsewhere."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def facts(self) -> Mapping[str, Any]: ...


def llm_api() -> tuple[LlmApi, Engine]:
    options = settings()
    engine, adapters = _vllm_engine(options) if options.llm.url is None else (_openai_llm(options), None)
    server = options.server
    api = LlmApi(
        engine,
        adapters=adapters,
        keep_alive_s=server.keep_alive_s,
        timeout_s=server.answer_timeout_s,
        facts=engine.facts,
        allowed_extra_args=options.llm.extra_arg_names,
        provider="vllm" if options.llm.url is None else "openai",
    )
    return api, engine


def _vllm_engine(options: Settings) -> tuple[Engine, Adapters | None]:
    from rag.adapters import model_files
    from rag.adapters.vllm.engine import VllmEngine

    engine = VllmEngine(model_files.llm_folder(options), options.llm, model_files.adapter_folder)
    return engine, engine.adapters


def _openai_llm(options: Settings) -> Engine:
    from rag.adapters.estimated_tokenizer import EstimatedTokenizer
    from rag.adapters.openai.generator import OpenAiGenerator

    return OpenAiGenerator(options.llm, count=EstimatedTokenizer().count, own_sampling=answer_sampling(options.llm))
