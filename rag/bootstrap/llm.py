"""Creates the LLM service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rag.bootstrap.answer_sampling import answer_sampling
from rag.bootstrap.loaded_settings import settings
from rag.config import Settings
from rag.http.native.llm_api import LlmApi
from rag.llm.fair_generator import GRAMMAR_CHARS, FairGenerator
from rag.ports import Adapters, Generator
from rag.queues.fair_queue import FairQueue, QueueLimits


class Engine(Generator, Protocol):
    """A generator that is started and stopped: an engine in this process, or a client of another server."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def facts(self) -> Mapping[str, Any]: ...


def llm_api() -> tuple[LlmApi, Engine]:
    options = settings()
    engine, adapters = _vllm_engine(options) if options.llm.url is None else (_openai_llm(options), None)
    return api_of(engine, adapters), engine


def api_of(engine: Engine, adapters: Adapters | None = None) -> LlmApi:
    """The API of an engine, with queues in front of the engine."""
    options = settings()
    generator = _fair_generator(engine, options)
    return LlmApi(
        generator,
        adapters=adapters,
        keep_alive_s=options.server.keep_alive_s,
        timeout_s=options.server.answer_timeout_s,
        facts=lambda: {**engine.facts(), **generator.facts()},
        allowed_extra_args=options.llm.extra_arg_names,
        provider="vllm" if options.llm.url is None else "openai",
    )


def _fair_generator(engine: Engine, options: Settings) -> FairGenerator:
    chosen = options.llm
    limits = QueueLimits(chosen.headroom, chosen.max_waiting, chosen.max_wait_s)
    return FairGenerator(
        engine,
        FairQueue("generate", 1, limits),
        FairQueue("grammar", GRAMMAR_CHARS, limits),
        capacity=lambda: int(engine.facts()["max_sequences"]),
        temperature=chosen.temperature,
    )


def _vllm_engine(options: Settings) -> tuple[Engine, Adapters | None]:
    from rag.adapters import model_files
    from rag.adapters.vllm.engine import VllmEngine

    engine = VllmEngine(model_files.llm_folder(options), options.llm, model_files.adapter_folder)
    return engine, engine.adapters


def _openai_llm(options: Settings) -> Engine:
    from rag.adapters.estimated_tokenizer import EstimatedTokenizer
    from rag.adapters.openai.generator import OpenAiGenerator

    usual = EstimatedTokenizer()
    return OpenAiGenerator(
        options.llm,
        count=usual.count,
        control_texts=usual.control_texts,
        own_sampling=answer_sampling(options.llm),
    )
