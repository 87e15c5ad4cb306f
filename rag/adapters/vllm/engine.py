"""vLLM's AsyncLLM engine as a `rag.ports.Generator`. It is rebuilt if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.adapters.vllm.args import served_names
from rag.adapters.vllm.errors import ENGINE_DIED
from rag.adapters.vllm.fast_forward.choices import EngineChoices
from rag.adapters.vllm.fast_forward.plan import FastForward, Plan
from rag.adapters.vllm.fast_forward.writer import fast_forwarded
from rag.adapters.vllm.lora import AdapterFolder, VllmAdapters
from rag.adapters.vllm.output import token_stream
from rag.adapters.vllm.parsers.reasoning import EngineReasoning, RequestReasoning
from rag.adapters.vllm.parsers.reasoning_parser_choice import reasoning_parser_of
from rag.adapters.vllm.parsers.tool_parser_choice import chosen_parser
from rag.adapters.vllm.parsers.tools import ToolCalls
from rag.adapters.vllm.private_ports import close_ports
from rag.adapters.vllm.prompts.images import ImagePlaces, input_with_images, reads_images
from rag.adapters.vllm.prompts.prompt import EnginePrompts
from rag.adapters.vllm.sampling import Sampling, sampling_of
from rag.adapters.vllm.start import build_engine, kill_children
from rag.adapters.vllm.structures.xgrammar_schemas import PARAM
from rag.auth.caller import prefix_cache_salt
from rag.config import LLMSettings
from rag.errors import ContextLengthExceeded, DependencyUnavailable, InvalidRequest, SetupError, Starting
from rag.llm.greedy_copies import repeat_text
from rag.llm.images import image_urls
from rag.ports import TokenStream
from rag.telemetry.tracing import trace_headers
from rag.types import Chat, Facts, ModelInput, SamplingParameters

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

logger = logging.getLogger("rag.engine")

EngineState = Literal["loading", "ready", "recovering", "failed"]
_WATCH_S = 0.25


class VllmEngine:
    """The engine of this process. `start` returns at once; `facts` raises until the engine is ready.

    Args:
        model: Folder or Hugging Face id.
        settings: The settings section `llm`.
        adapter_folder: Finds the folder of a LoRA adapter.

    Raises:
        SetupError: `served_model_name` is invalid.
    """

    def __init__(self, model: str, settings: LLMSettings, adapter_folder: AdapterFolder) -> None:
        self._model = model
        self._names = served_names(model, settings)
        self._settings = settings
        self.adapters = VllmAdapters(settings, Path(model), adapter_folder)
        self._engine: AsyncLLM | None = None
        self._prompts: EnginePrompts | None = None
        self._tool_parser = settings.tool_parser
        self._reasoning: EngineReasoning | None = None
        self._forward: FastForward | None = None
        self._reads_images = False
        self._state: EngineState = "loading"
        self._since = time.monotonic()
        self._failure: str = ""
        self._supervisor: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start loading the model, then supervise the engine. Needs a running event loop."""
        self._supervisor = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Stop the engine's processes. No request may be running."""
        if self._supervisor is not None:
            self._supervisor.cancel()
        await asyncio.to_thread(self._shut_down)
        kill_children()

    @property
    def running(self) -> int:
        """Number of texts that the engine is generating."""
        return 0 if self._engine is None else self._engine.get_num_unfinished_requests()

    def facts(self) -> Facts:
        """What the engine reports when it is ready.

        Raises:
            Starting: the model is still loading; says for how long.
            DependencyUnavailable: the engine is dead.
        """
        engine, _ = self._ready()
        return {
            "model": self._names[0],
            "aliases": self._names[1:],
            "embedded": self._settings.model is None,
            "context_tokens": engine.model_config.max_model_len,
            "running": self.running,
            "max_sequences": self._settings.max_sequences or _max_sequences(engine),
            "adapters": self.adapters.names,
            "tool_parser": self._tool_parser,
            "images": self._reads_images,
            "reasoning_parser": reasoning_parser_of(engine.vllm_config),
        }

    @contextlib.asynccontextmanager
    async def generate(
        self, prompt: ModelInput, sampling: SamplingParameters, request_id: str, *, model: str = ""
    ) -> AsyncIterator[TokenStream]:
        """See `rag.ports.Generator`."""
        engine, prompts = self._ready()
        adapter = None if model in ("", *self._names) else self.adapters.find(model)
        if adapter is not None and sampling.get("prompt_logprobs") is not None:
            # docs/bentoml_issues.md#v2
            refusal = "prompt_logprobs: not available with a LoRA adapter; send the request without the adapter"
            raise InvalidRequest(refusal, param="prompt_logprobs")
        calls = None
        if isinstance(prompt, Chat) and prompt.calls_tools:
            calls = ToolCalls(self._tool_parser, engine.get_tokenizer(), prompt)
            sampling = calls.sampling(sampling)
        engine_input = await self._input(engine, await prompts.token_ids(prompt), prompt)
        token_ids: list[int] = engine_input["prompt_token_ids"]
        if ends := prompts.stop_token_ids(prompt):
            sampling = {**sampling, "stop_token_ids": [*(sampling.get("stop_token_ids") or ()), *ends]}
        reasoning = None if self._reasoning is None else self._reasoning.of(prompt, token_ids)
        if reasoning is not None:
            sampling = {**self._thinking_budget(), **reasoning.sampling(sampling)}
        if sampling.get(PARAM) is None:
            chosen = self._sampling(engine, token_ids, sampling)
        else:  # compiles a grammar
            chosen = await asyncio.to_thread(self._sampling, engine, token_ids, sampling)
        plan: Plan | None = None
        if self._forward is not None and reasoning is None and calls is None and engine_input["type"] == "token":
            plan = await self._forward.plan(chosen.params)
        # vLLM caches its answer. Known, it lets `engine.generate` validate the request without waiting.
        await engine.get_supported_tasks()
        async with contextlib.AsyncExitStack() as stack:
            if adapter is not None:
                await stack.enter_async_context(self.adapters.in_use(adapter))
            lora = None if adapter is None else adapter.request()
            options: dict[str, Any] = {"lora_request": lora, "trace_headers": self._trace_headers(engine)}
            if plan is not None:
                choices = EngineChoices(engine, engine_input, request_id, options)
                written = fast_forwarded(plan, choices, len(token_ids))
            else:
                more = self._reasoning_fields(reasoning)
                outputs = engine.generate(engine_input, chosen.params, request_id, **options, **more)
                # What a text with thinking must follow begins after it, and blanks between the two are dropped.
                matcher = chosen.matcher if reasoning is None else None
                written = token_stream(outputs, len(token_ids), chosen.params, reasoning, matcher)
            stream = await stack.enter_async_context(written)
            if chosen.copies > 1:
                stream = await stack.enter_async_context(contextlib.aclosing(repeat_text(stream, chosen.copies)))
            if calls is not None:
                stream = await stack.enter_async_context(contextlib.aclosing(calls.parse(stream)))
            yield stream

    async def _input(self, engine: AsyncLLM, token_ids: list[int], prompt: ModelInput) -> Any:
        """The input of vLLM's `generate`."""
        from vllm.inputs import tokens_input

        salt = prefix_cache_salt()
        if isinstance(prompt, Chat) and (urls := image_urls(prompt.messages)):
            return await input_with_images(engine, token_ids, urls, salt, self._settings.image_limits)
        return tokens_input(token_ids, cache_salt=salt)

    def _reasoning_fields(self, reasoning: RequestReasoning | None) -> dict[str, Any]:
        """Arguments of vLLM's `generate`. Where the model does not think, a structured output begins at once."""
        if reasoning is not None:
            return reasoning.engine_fields()
        return {} if self._reasoning is None else {"reasoning_ended": True}

    def _thinking_budget(self) -> SamplingParameters:
        budget = self._settings.thinking_token_budget
        return {} if budget is None else {"thinking_token_budget": budget}

    def _trace_headers(self, engine: AsyncLLM) -> dict[str, str] | None:
        """What makes vLLM's spans a part of the current trace, if vLLM makes any: `otlp_traces_endpoint`."""
        if engine.observability_config.otlp_traces_endpoint is None:
            return None
        return trace_headers() or None

    def _sampling(self, engine: AsyncLLM, token_ids: Sequence[int], sampling: SamplingParameters) -> Sampling:
        limit, vocabulary = engine.model_config.max_model_len, engine.model_config.get_vocab_size()
        room = limit - len(token_ids)
        if not token_ids:
            raise InvalidRequest("prompt: has no tokens", param="prompt")
        if room < 1 or sampling.get("max_tokens", 1) > room:
            param = "max_tokens" if room >= 1 else "prompt"
            requested = f" and max_tokens is {sampling['max_tokens']}" if room >= 1 else ""
            message = (
                f"{param}: the prompt has {len(token_ids)} tokens{requested}, but the model's context holds {limit}"
            )
            raise ContextLengthExceeded(message, param=param)
        if (largest := max(token_ids)) >= vocabulary:
            raise InvalidRequest(f"tokens: {largest} is not in the vocabulary of {vocabulary}", param="tokens")
        default_max = max(self._settings.max_tokens, sampling.get("min_tokens") or 0)
        defaults = {"max_tokens": min(default_max, room), "temperature": self._settings.temperature}
        chosen = sampling_of(defaults | dict(sampling), engine.vllm_config)
        self._check_total(chosen)
        return chosen

    def _check_total(self, chosen: Sampling) -> None:
        """One request must not keep all others from the engine for long."""
        texts, tokens = chosen.params.n, chosen.params.max_tokens or 0
        most = self._settings.max_request_tokens
        if texts > 1 and texts * tokens > most:
            raise InvalidRequest(
                f"n: {texts} texts of up to {tokens} tokens are more than {most} tokens (RAG_LLM__MAX_REQUEST_TOKENS); "
                "ask for fewer texts, or set a lower max_tokens",
                param="n",
            )

    def _ready(self) -> tuple[AsyncLLM, EnginePrompts]:
        elapsed_s = time.monotonic() - self._since
        if self._state == "loading":
            raise Starting(f"the language model is loading ({elapsed_s:.0f} s so far)")
        if self._state == "failed":
            raise DependencyUnavailable(f"the language model cannot be started: {self._failure}")
        if self._engine is None or self._prompts is None or self._state == "recovering" or self._engine.errored:
            raise DependencyUnavailable(ENGINE_DIED)
        return self._engine, self._prompts

    async def _supervise(self) -> None:
        """Load the engine, and again whenever it dies; give up after `restarts` failures in a row."""
        failures = 0
        while failures <= self._settings.restarts:
            try:
                await self._load()
                failures = 0
                await self._until_dead()
            except SetupError as error:  # a wrong setting stays wrong
                self._failure = error.message
                logger.error("%s", error.message)
                self._set_state("failed")
                return
            except Exception as error:
                failures += 1
                self._failure = f"{type(error).__name__}: {error}"[:500]
                logger.exception("starting the engine failed (attempt %d)", failures)
            self._set_state("recovering")
            await asyncio.to_thread(self._shut_down)
        self._set_state("failed")
        logger.error("giving up on the engine: ending this process, which its supervisor will restart")
        kill_children()
        os._exit(1)

    async def _load(self) -> None:
        started = time.monotonic()
        logger.info("loading the language model %s", self._model)
        await asyncio.shield(asyncio.to_thread(self._build))
        if (engine := self._engine) is not None:
            await close_ports(engine)
            await self.adapters.attach(engine)
        self._set_state("ready")
        logger.info("the language model is ready after %.0f s", time.monotonic() - started)

    def _build(self) -> None:
        self._engine = build_engine(self._model, self._settings)
        tokenizer = self._engine.get_tokenizer()
        self._reads_images = reads_images(self._engine)
        self._prompts = EnginePrompts(tokenizer, ImagePlaces(self._engine) if self._reads_images else None)
        self._forward = FastForward(self._engine) if self._settings.fast_forward else None
        self._tool_parser = self._settings.tool_parser or chosen_parser(tokenizer)
        config = self._engine.vllm_config
        parser = reasoning_parser_of(config)
        self._reasoning = None if parser is None else EngineReasoning(parser, config, tokenizer)

    async def _until_dead(self) -> None:
        while self._engine is not None and not self._engine.errored:
            await asyncio.sleep(_WATCH_S)
        logger.error("the engine died")

    def _shut_down(self) -> None:
        engine, self._engine = self._engine, None
        if self._prompts is not None:
            self._prompts.close()
        if engine is not None:
            with contextlib.suppress(Exception):
                engine.shutdown(timeout=0)

    def _set_state(self, state: EngineState) -> None:
        self._state, self._since = state, time.monotonic()


def _max_sequences(engine: AsyncLLM) -> int:
    """Number of texts that vLLM generates at the same time, over all its replicas."""
    config = engine.vllm_config
    return int(config.scheduler_config.max_num_seqs * config.parallel_config.data_parallel_size)
